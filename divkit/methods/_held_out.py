"""From log ratios at held-out points to the variational lower bound, its standard error and its lower limit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from divkit.divergences import FDivergence
from divkit.methods._held_moments import (
    HeldOut,
    Terms,
    Window,
    believed_range,
    central,
    moments,
    skewness_of,
    terms_of,
)

__all__ = [
    "Bounded",
    "bound_of",
    "by_critic",
    "fold_shares",
    "lower_bound",
    "mixture_integrand",
    "plugged_in",
    "pooled",
    "reach_of",
    "unclipped",
]

_F = NDArray[np.float64]
_FOR_VALUE: Final = 1.0  # standard errors by which certainty counts where the value is chosen
_LOOSEST: Final = 0.5  # smallest limit put on a log ratio
_BEYOND: Final = 1.0  # how far beyond the log of the other sample's size a log ratio is believed
_STEPS: Final = 8  # limits tried on either side
_MOST: Final = 4000  # validation points of each law that decide where a critic is cut


class Bounded(NamedTuple):
    """A lower bound: its value, its standard error, and its lower limit by the skewness-corrected normal law."""

    value: float
    stderr: float
    limit: float


def lower_bound(div: FDivergence, folds: Sequence[tuple[HeldOut, HeldOut]], level: float) -> Bounded:
    """E_P[T] - E_Q[f*(T)] over the held-out points of all folds, T = f'(e^l) with l clipped to a window.

    The window of a fold is the one for which its validation points promise the largest bound less z standard
    errors: a few points with huge ratios cost more certainty than they add to the bound. As the window does not depend
    on the held-out points, what is averaged stays a lower bound for each fold. The value is that of z = 1, the limit
    that of the z of its level.

    Parameters
    ----------
    div : FDivergence
    folds : sequence of (HeldOut, HeldOut)
        For each fold the log ratios at validation points, which choose the window, and at its held-out points.
    level : float
        Of the one-sided limit.
    """
    z, best = NormalDist().inv_cdf(level), _best_bound(div, folds, level, _FOR_VALUE)
    return best if z <= _FOR_VALUE else best._replace(limit=_best_bound(div, folds, level, z).limit)


def _best_bound(div: FDivergence, folds: Sequence[tuple[HeldOut, HeldOut]], level: float, z: float) -> Bounded:
    """The bound by the windows that are best for z standard errors."""
    sizes = _sizes([held for _, held in folds])
    windows = [_best_window(div, seen, sizes, z) for seen, _ in folds]
    terms = [terms_of(div, held, window) for (_, held), window in zip(folds, windows, strict=True)]
    found = _evaluate(terms, level, div.f_one)
    return pooled(found, div.f_one) if len(folds) > 1 else found


def pooled(found: Bounded, floor: float) -> Bounded:
    """The bound of several folds, with no limit above the floor unless the value is sqrt(2) of its reach above it.

    Where laws are hardly apart, a critic owes its sign to the folds it was fitted to, and so all critics to one
    another: each pair of folds enters twice, as in a degenerate U-statistic, and the variance of the sum approaches
    twice the sum of the variances. At a distance of one standard error this is over: critics then agree by themselves.
    """
    near = found.value - floor < math.sqrt(2) * (found.value - found.limit)
    return found._replace(limit=min(found.limit, floor)) if near else found


def _evaluate(folds: Sequence[Terms], level: float, base: float = 0.0) -> Bounded:
    """The bound that held-out points give, from a base on; the folds count by their numbers of points."""
    n, m = (sum(len(getattr(held, side)) for held, _, _ in folds) for side in ("x", "y"))
    believed = believed_range(*_sizes([held for held, _, _ in folds]))
    value, variance, third = base, 0.0, 0.0
    for terms in folds:
        size_x, size_y = terms.held.sizes
        under_p, under_q = moments(terms, believed)
        share_x, share_y = len(terms.held.x) / n, len(terms.held.y) / m
        value += share_x * under_p[0].mean - share_y * under_q[0].mean
        # The larger of what the own sample shows and what both samples say, in case the ratio is off.
        variance += share_x**2 * max(part.variance for part in under_p) / size_x
        variance += share_y**2 * max(part.variance for part in under_q) / size_y
        third += share_x**3 * min(part.third for part in under_p) / size_x**2
        third -= share_y**3 * max(part.third for part in under_q) / size_y**2
    stderr = math.sqrt(max(variance, 0.0))
    return Bounded(value, stderr, value - _reach(stderr, third, level))


def reach_of(n: int, m: int) -> float:
    """A log ratio beyond which none is believed, whichever of two samples of these sizes it is of."""
    return _BEYOND + math.log(max(n, m))


def _sizes(parts: Sequence[HeldOut]) -> tuple[float, float]:
    """Effective sizes of what all parts hold together."""
    return sum(part.sizes[0] for part in parts), sum(part.sizes[1] for part in parts)


def unclipped(div: FDivergence, held: HeldOut, level: float) -> Bounded:
    """The bound that log ratios give as they are; inf or nan where they leave the range of float64."""
    with np.errstate(over="ignore", invalid="ignore"):
        return _evaluate([terms_of(div, held, Window(-math.inf, math.inf))], level, div.f_one)


def by_critic(held: HeldOut, critic: _F, conjugate: _F, level: float) -> Bounded:
    """The bound from T and f*(T) at the points of x, then those of y (n + m,), `held` having the log ratios of T."""
    with np.errstate(over="ignore", invalid="ignore"):
        return _evaluate([Terms(held, critic, conjugate)], level)


def plugged_in(div: FDivergence, held: HeldOut) -> float:
    """f(1) + E_P[g c] + E_Q[g c] at the given log ratios, with c = q/(p + q) and the centred generator g.

    Log ratios beyond 1 + log m are taken for that, and those below -1 - log n likewise: where a sample has less than a
    third of a point, a model makes up what it says, and Pearson chi2 would be the largest of its inventions.
    """
    n, m = held.sizes
    total, low, high = div.f_one, -_BEYOND - math.log(n), _BEYOND + math.log(m)
    for l, shares in ((held.x, held.x_shares), (held.y, held.y_shares)):
        total += float(shares @ mixture_integrand(div, np.clip(l, low, high)))
    return total


def mixture_integrand(div: FDivergence, l: _F) -> _F:
    """g(e^l) / (1 + e^l), without overflow: g(u)/u * u/(1 + u) where u > 1.

    Twice that is what a point of the mixture (P + Q)/2 adds to the divergence.
    """
    from scipy.special import expit

    above = l > 0
    with np.errstate(over="ignore"):
        high = div.integrand_p(np.where(above, l, 0.0)) * expit(l)
        low = div.integrand_q(np.where(above, 0.0, l)) * expit(-l)
    return np.asarray(np.where(above, high, low))


def bound_of(critic: _F, conjugate: _F, x_shares: _F, y_shares: _F, level: float) -> Bounded:
    """The bound from T at the points of x (n,) and f*(T) at those of y (m,)."""
    p, q = central(critic, x_shares), central(conjugate, y_shares)
    sizes = 1 / float(x_shares @ x_shares), 1 / float(y_shares @ y_shares)
    stderr = math.sqrt(p.variance / sizes[0] + q.variance / sizes[1])
    third = p.third / sizes[0] ** 2 - q.third / sizes[1] ** 2
    return Bounded(p.mean - q.mean, stderr, p.mean - q.mean - _reach(stderr, third, level))


def fold_shares(x_parts: Sequence[NDArray[np.intp]], y_parts: Sequence[NDArray[np.intp]]) -> tuple[_F, _F]:
    """Shares of all points, (n,) and (m,), by which a fold counts the same in both samples: its part of x.

    Each fold has a critic of its own, and the difference of its means over x and y is a bound; a sum of differences
    must not take more of the one mean than of the other.
    """
    n, m = (sum(len(part) for part in parts) for parts in (x_parts, y_parts))
    x_shares, y_shares = np.full(n, 1 / n), np.empty(m)
    for x_part, y_part in zip(x_parts, y_parts, strict=True):
        y_shares[y_part] = len(x_part) / n / len(y_part)
    return x_shares, y_shares


def _reach(stderr: float, third: float, level: float) -> float:
    """How far below the value the lower limit is.

    Johnson (1978) and Hall (1992): for a skewed mean the studentised quantile z becomes z - s (2 z^2 + 1)/6, with s
    the skewness of the mean. Applied only where it lowers the limit; inf where the moments are beyond float64.
    """
    if not (math.isfinite(stderr) and math.isfinite(third)):
        return math.inf
    z = max(NormalDist().inv_cdf(level), 0.0)
    skewness = skewness_of(third, stderr)
    return stderr * max(z, z - skewness * (2 * z * z + 1) / 6)


def _best_window(div: FDivergence, seen: HeldOut, sizes: tuple[float, float], z: float) -> Window:
    """The window of largest promise for held-out samples of these sizes, one side after the other; never beyond their
    logs, where a single draw of Q would have to stand for more than all draws do.
    """
    n, m = sizes
    seen = _thinned(seen)
    highest, lowest = (max(math.log(size), 2 * _LOOSEST) for size in (m, n))
    tops = [Window(-lowest, c) for c in np.geomspace(_LOOSEST, highest, _STEPS)]
    window = max(tops, key=lambda trial: _promise(div, seen, trial, sizes, z))
    bottoms = [Window(-c, window.high) for c in np.geomspace(_LOOSEST, lowest, _STEPS)]
    return max(bottoms, key=lambda trial: _promise(div, seen, trial, sizes, z))


def _thinned(seen: HeldOut) -> HeldOut:
    """Every k-th validation point where there are very many: their order is random."""
    x, y = (slice(None, None, max(1, len(part) // _MOST)) for part in (seen.x, seen.y))
    return HeldOut.of(seen.x[x], seen.y[y], seen.x_shares[x], seen.y_shares[y])


def _promise(div: FDivergence, seen: HeldOut, window: Window, sizes: tuple[float, float], z: float) -> float:
    """The bound less z standard errors, by the moments that both samples agree on, for samples of the given sizes."""
    under_p, under_q = moments(terms_of(div, seen, window), believed_range(*sizes))
    p, q = under_p[1], under_q[1]
    variance = max(under_p[0].variance, p.variance) / sizes[0] + max(under_q[0].variance, q.variance) / sizes[1]
    third = p.third / sizes[0] ** 2 - q.third / sizes[1] ** 2
    stderr = math.sqrt(variance)
    skewness = min(skewness_of(third, stderr), 0.0)
    return p.mean - q.mean - stderr * (z - skewness * (2 * z * z + 1) / 6)
