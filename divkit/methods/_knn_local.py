"""Nearest-neighbour estimates that average a local density ratio over one sample: KL and power integrals."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from divkit.methods._knn_search import Balls, balls, reach

__all__ = ["Reading", "kl_reading", "least_k", "power_reading"]

_F = NDArray[np.float64]
_SEEN: Final = 1.5  # integrals of p^2/q above this came out a third too low for shifted normals, 1000 points each


@dataclass(frozen=True)
class Reading:
    """A raw value with what the diagnostics need.

    Attributes
    ----------
    value : float
        Not cut to the range of the divergence.
    logs : tuple of float
        The KL divergences that it consists of: none can exceed about the log of the sample size.
    separate : bool
        Whether the two samples do not mix anywhere.
    steep : bool
        Whether peaks of the ratio that the samples do not resolve make up much of the value.
    facts : dict
        For `Estimate.info`.
    """

    value: float
    logs: tuple[float, ...] = ()
    separate: bool = False
    steep: bool = False
    facts: dict[str, Any] = field(default_factory=dict)


def kl_reading(x: _F, y: _F, k: int) -> Reading:
    """KL(P || Q) from x (n, d) of P and y (m, d) of Q."""
    from scipy.special import digamma

    found = balls(x, y, k)
    own = found.own + (reach(found.own_radius) < found.other_radius)
    other = found.other + (reach(found.other_radius) < found.own_radius)
    value = float((digamma(own) - digamma(other)).mean()) + math.log(len(y)) - math.log(len(x) - 1)
    return Reading(value, (value,), found.separate)


def least_k(a: float) -> int:
    """The smallest k with which the estimate of the integral of p^a q^(1-a) has a finite variance given the laws.

    A contribution is a power e of a ratio of two volumes, each like a Gamma variable of shape k; its square has a
    mean for k > 2 |e|, where e is a - 1 under P and -a under Q.
    """
    return math.floor(2 * min(abs(a), abs(a - 1))) + 1


def power_reading(x: _F, y: _F, k: int, a: float, c: float) -> Reading:
    """c (integral of p^a q^(1-a) - 1) from x (n, d) of P and y (m, d) of Q."""
    sides = []
    if a >= 0.5:  # E_P u^(a-1)
        sides.append((balls(x, y, k), len(x), len(y), a - 1))
    if a <= 0.5:  # E_Q (1/u)^(-a)
        sides.append((balls(y, x, k), len(y), len(x), -a))
    parts = [_powers(found, n, m, k, x.shape[1], e) for found, n, m, e in sides]
    value = sum(float(part.mean()) for part in parts) / len(parts)
    steep = min(abs(a), abs(a - 1)) >= 1 and value > _SEEN
    return Reading(c * (value - 1), separate=any(side[0].separate for side in sides), steep=steep)


def _powers(found: Balls, n: int, m: int, k: int, d: int, e: float) -> _F:
    """Unbiased local estimates of u^e at the n centres, (n,); from counts where k points coincide."""
    from scipy.special import gammaln

    rho, nu = found.own_radius, found.other_radius
    solid = (rho > 0) & (nu > 0)
    offset = math.log(m) - math.log(n - 1)
    logs = np.empty(n)
    correction = 2 * gammaln(k) - gammaln(k - e) - gammaln(k + e)
    logs[solid] = e * (d * np.log(nu[solid] / rho[solid]) + offset) + correction
    logs[~solid] = e * (np.log(found.own[~solid] / found.other[~solid]) + offset)
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(logs))
