"""From log ratios at held-out points to the variational lower bound, its standard error and its lower limit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from divkit.divergences import FDivergence

__all__ = ["Bounded", "HeldOut", "Window", "bound_of", "fold_shares", "lower_bound", "plugged_in", "unclipped"]

_F = NDArray[np.float64]
_LOOSEST: Final = 0.5  # smallest limit put on a log ratio
_BEYOND: Final = 1.0  # how far beyond the log of the other sample's size a log ratio is believed
_STEPS: Final = 8  # limits tried on either side
_MOST: Final = 4000  # validation points of each law that decide where a critic is cut


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Log ratios l at draws x of P and y of Q that their models have not seen.

    Parameters
    ----------
    x, y : ndarray, shape (n,) and (m,)
        The log ratios.
    x_shares, y_shares : ndarray, shape (n,) and (m,)
        Normalised weights, each of sum 1.
    """

    x: _F
    y: _F
    x_shares: _F
    y_shares: _F

    @classmethod
    def of(cls, x: _F, y: _F, x_weights: _F, y_weights: _F) -> HeldOut:
        """From weights of any sum."""
        return cls(x, y, x_weights / x_weights.sum(), y_weights / y_weights.sum())

    @property
    def sizes(self) -> tuple[float, float]:
        """Effective sizes of both samples."""
        return 1 / float(self.x_shares @ self.x_shares), 1 / float(self.y_shares @ self.y_shares)

    @cached_property
    def both_as(self) -> tuple[_F, _F]:
        """Weights of all n + m points that stand for P and for Q: with c = q/(p + q) = sigmoid(-l), E_Q[h] is the sum
        of the means of h c over both samples, and E_P[h] that of h (1 - c).
        """
        from scipy.special import expit

        return (
            np.concatenate([self.x_shares * expit(self.x), self.y_shares * expit(self.y)]),
            np.concatenate([self.x_shares * expit(-self.x), self.y_shares * expit(-self.y)]),
        )


class Window(NamedTuple):
    """The interval to which log ratios are clipped before they become a critic: any critic gives a lower bound."""

    low: float
    high: float


class Bounded(NamedTuple):
    """A lower bound: its value, its standard error, and its lower limit by the skewness-corrected normal law."""

    value: float
    stderr: float
    limit: float


class _Moments(NamedTuple):
    """Mean, variance and third central moment of a function under a law."""

    mean: float
    variance: float
    third: float


def lower_bound(div: FDivergence, folds: Sequence[tuple[HeldOut, HeldOut]], level: float, z: float) -> Bounded:
    """E_P[T] - E_Q[f*(T)] over the held-out points of all folds, T = f'(e^l) with l clipped to a window.

    The window of a fold is the one for which its validation points promise the largest bound less z standard
    errors: a few points with huge ratios cost more certainty than they add to the bound. As the window does not depend
    on the held-out points, what is averaged stays a lower bound for each fold.

    Parameters
    ----------
    div : FDivergence
    folds : sequence of (HeldOut, HeldOut)
        For each fold the log ratios at validation points, which choose the window, and at its held-out points.
    level : float
        Of the one-sided limit.
    z : float
    """
    windows = [_best_window(div, seen, z) for seen, _ in folds]
    return _evaluate(div, [(held, window) for (_, held), window in zip(folds, windows, strict=True)], level)


def _evaluate(div: FDivergence, folds: Sequence[tuple[HeldOut, Window]], level: float) -> Bounded:
    """The bound that held-out points give with a window each; the folds count by their numbers of points."""
    n, m = (sum(len(getattr(held, side)) for held, _ in folds) for side in ("x", "y"))
    value, variance, third = div.f_one, 0.0, 0.0
    for held, window in folds:
        under_p, under_q = _moments(div, held, window)
        share_x, share_y = len(held.x) / n, len(held.y) / m
        size_x, size_y = held.sizes
        value += share_x * under_p[0].mean - share_y * under_q[0].mean
        # The larger of what the own sample shows and what both samples say, in case the ratio is off.
        variance += share_x**2 * max(part.variance for part in under_p) / size_x
        variance += share_y**2 * max(part.variance for part in under_q) / size_y
        third += share_x**3 * min(part.third for part in under_p) / size_x**2
        third -= share_y**3 * max(part.third for part in under_q) / size_y**2
    stderr = math.sqrt(max(variance, 0.0))
    return Bounded(value, stderr, value - _reach(stderr, third, level))


def unclipped(div: FDivergence, held: HeldOut, level: float) -> Bounded:
    """The bound that log ratios give as they are; inf or nan where they leave the range of float64."""
    with np.errstate(over="ignore", invalid="ignore"):
        return _evaluate(div, [(held, Window(-math.inf, math.inf))], level)


def plugged_in(div: FDivergence, held: HeldOut) -> float:
    """f(1) + E_P[g c] + E_Q[g c] at the given log ratios, with c = q/(p + q) and the centred generator g.

    Log ratios beyond 1 + log m are taken for that, and those below -1 - log n likewise: where a sample has less than a
    third of a point, a model makes up what it says, and Pearson chi2 would be the largest of its inventions.
    """
    n, m = held.sizes
    total, low, high = div.f_one, -_BEYOND - math.log(n), _BEYOND + math.log(m)
    for l, shares in ((held.x, held.x_shares), (held.y, held.y_shares)):
        total += float(shares @ _both_sides(div, np.clip(l, low, high)))
    return total


def _both_sides(div: FDivergence, l: _F) -> _F:
    """g(e^l) / (1 + e^l), without overflow: g(u)/u * u/(1 + u) where u > 1."""
    from scipy.special import expit

    above = l > 0
    with np.errstate(over="ignore"):
        high = div.integrand_p(np.where(above, l, 0.0)) * expit(l)
        low = div.integrand_q(np.where(above, 0.0, l)) * expit(-l)
    return np.asarray(np.where(above, high, low))


def bound_of(critic: _F, conjugate: _F, x_shares: _F, y_shares: _F, level: float) -> Bounded:
    """The bound from T at the points of x (n,) and f*(T) at those of y (m,)."""
    p, q = _central(critic, x_shares), _central(conjugate, y_shares)
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
    the skewness of the mean. Applied only where it lowers the limit.
    """
    z = max(NormalDist().inv_cdf(level), 0.0)
    skewness = _skewness(third, stderr)
    return stderr * max(z, z - skewness * (2 * z * z + 1) / 6)


def _skewness(third: float, stderr: float) -> float:
    """third / stderr^3; 0 for a mean that does not vary, or so little that the cube vanishes."""
    cube = stderr**3
    return third / cube if cube > 0 else 0.0


def _moments(div: FDivergence, held: HeldOut, window: Window) -> tuple[list[_Moments], list[_Moments]]:
    """Moments of T under P and of f*(T) under Q: each by its own sample, and by both samples.

    By both, what Q meets rarely and P often is seen there; exact as far as l is.
    """
    critic, conjugate = div.log_ratio.activation, div.log_ratio.conj_activation
    l = np.clip(np.concatenate([held.x, held.y]), *window)
    # Relative to l = 0, where T - f*(T) = f(1): nothing cancels where the laws are nearly equal.
    zero = np.zeros(1)
    t, c = critic(l) - critic(zero), conjugate(l) - conjugate(zero)
    n, (to_p, to_q) = len(held.x), held.both_as
    return [_central(t[:n], held.x_shares), _central(t, to_p)], [_central(c[n:], held.y_shares), _central(c, to_q)]


def _central(values: _F, shares: _F) -> _Moments:
    total = float(shares.sum())
    if total <= 0:
        return _Moments(0.0, 0.0, 0.0)
    mean = float(shares @ values) / total
    gaps = values - mean
    size = total**2 / float(shares @ shares)
    squares = gaps * gaps
    return _Moments(
        mean, float(shares @ squares) / total * size / max(size - 1, 1.0), float(shares @ (squares * gaps)) / total
    )


def _best_window(div: FDivergence, seen: HeldOut, z: float) -> Window:
    """The window of largest promise, one side after the other; never beyond the log of the effective sizes.

    Beyond log m, a single draw of Q would have to stand for more than all draws do.
    """
    n, m = seen.sizes
    seen = _thinned(seen)
    highest, lowest = (max(math.log(size), 2 * _LOOSEST) for size in (m, n))
    tops = [Window(-lowest, c) for c in np.geomspace(_LOOSEST, highest, _STEPS)]
    window = max(tops, key=lambda trial: _promise(div, seen, trial, (n, m), z))
    bottoms = [Window(-c, window.high) for c in np.geomspace(_LOOSEST, lowest, _STEPS)]
    return max(bottoms, key=lambda trial: _promise(div, seen, trial, (n, m), z))


def _thinned(seen: HeldOut) -> HeldOut:
    """Every k-th validation point where there are very many: their order is random."""
    x, y = (slice(None, None, max(1, len(part) // _MOST)) for part in (seen.x, seen.y))
    return HeldOut.of(seen.x[x], seen.y[y], seen.x_shares[x], seen.y_shares[y])


def _promise(div: FDivergence, seen: HeldOut, window: Window, sizes: tuple[float, float], z: float) -> float:
    """The bound less z standard errors, by the moments that both samples agree on, for samples of the given sizes."""
    under_p, under_q = _moments(div, seen, window)
    p, q = under_p[1], under_q[1]
    variance = max(under_p[0].variance, p.variance) / sizes[0] + max(under_q[0].variance, q.variance) / sizes[1]
    third = p.third / sizes[0] ** 2 - q.third / sizes[1] ** 2
    stderr = math.sqrt(variance)
    skewness = min(_skewness(third, stderr), 0.0)
    return p.mean - q.mean - stderr * (z - skewness * (2 * z * z + 1) / 6)
