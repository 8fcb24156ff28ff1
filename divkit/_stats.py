"""Small statistics that several methods report: normal intervals, effective sizes, tail indices."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

__all__ = ["clt_interval", "effective_size", "normal_quantile", "pareto_tail"]

_F = NDArray[np.float64]
_FEWEST = 20  # exceedances from which a tail index is worth the name


def normal_quantile(level: float) -> float:
    """The z with P(|Z| <= z) = level for a standard normal Z."""
    return -NormalDist().inv_cdf((1 - level) / 2)  # the lower tail keeps digits for levels near 1


def clt_interval(
    value: float, stderr: float, level: float, low: float = -math.inf, high: float = math.inf
) -> tuple[float, float]:
    """The normal interval value +- z stderr, cut to [low, high]."""
    reach = normal_quantile(level) * stderr
    return min(max(value - reach, low), high), max(min(value + reach, high), low)


def effective_size(contributions: _F) -> float:
    """(sum w)^2 / sum w^2 of contributions w >= 0 (n,): how many equal ones vary as much; 0 if all are 0."""
    largest = float(contributions.max(initial=0.0))
    if largest == 0:
        return 0.0
    scaled = contributions / largest  # squares neither overflow nor vanish
    return float(scaled.sum() ** 2 / (scaled @ scaled))


def pareto_tail(contributions: _F) -> float | None:
    """Tail index k of non-negative contributions: their moments of order below 1/k are finite.

    Parameters
    ----------
    contributions : ndarray, shape (n,)

    Returns
    -------
    float or None
        The shape of a generalised Pareto law fitted to what the largest min(n/5, 3 sqrt(n)) exceed the next one
        by; 1/2 is the border of a finite variance, 0 an exponential tail, negative values a bounded one. None if
        fewer than 20 exceed it.

    Notes
    -----
    Zhang and Stephens (2009), "A new and efficient estimation method for the generalized Pareto distribution";
    the number of exceedances is that of Vehtari et al. (2024), "Pareto smoothed importance sampling". Their prior
    towards 1/2, for small samples, is left out. The standard error is about (1 + k)/sqrt(exceedances).
    """
    n = len(contributions)
    count = min(n // 5, math.ceil(3 * math.sqrt(n)))
    if count < _FEWEST:
        return None
    top = np.sort(np.partition(contributions, n - count - 1)[n - count - 1 :])
    excess = top[1:] - top[0]
    excess = excess[excess > 0]
    return None if len(excess) < _FEWEST else _fit_pareto(excess / excess[-1])


def _fit_pareto(x: _F) -> float:
    """Shape of a generalised Pareto law from ascending positive excesses x (m,) with maximum 1."""
    m = len(x)
    grid = 20 + math.isqrt(m)
    quartile = float(x[int(m / 4 + 0.5) - 1])
    j = np.arange(1, grid + 1)
    # theta = -shape / scale, around 1 / maximum; Zhang and Stephens' prior scale is a third of the quartile.
    theta = 1.0 + (1 - np.sqrt(grid / (j - 0.5))) / (3 * quartile)  # (grid,)
    shape = np.log1p(-theta[:, None] * x).mean(axis=1)  # (grid,)
    log_likelihood = m * (np.log(-theta / shape) - shape - 1)
    weights = np.exp(log_likelihood - log_likelihood.max())
    best = float(theta @ weights / weights.sum())
    return float(np.log1p(-best * x).mean())
