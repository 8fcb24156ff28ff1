"""KL and power integrals of an exponential family as integrals of its curvature, where nothing cancels.

With A the log partition, phi(s) = A(theta_q + s (theta_p - theta_q)) is convex, KL is a Bregman divergence of it
and log int p^a q^(1-a) a Jensen gap: both are integrals of phi'' times a positive kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from divkit.methods._forms import EPS, Number

__all__ = ["Curvature", "Path", "bregman", "curvature_beyond", "jensen"]

_F = NDArray[np.float64]
Curvature = Callable[[list[_F]], tuple[_F, _F]]
_RULE: tuple[_F, _F] = tuple(np.asarray(x, dtype=np.float64) for x in np.polynomial.legendre.leggauss(16))  # type: ignore[assignment]
_ROUNDING = 256 * EPS  # of a sum of positive terms, each from some ten operations and a special function


@dataclass(frozen=True)
class Path:
    """A positive parameter that moves from `start` (Q, s = 0) to `end` (P, s = 1); slope = end - start, accurately."""

    start: float
    end: float
    slope: float


def bregman(curvature: Curvature, paths: Sequence[Path]) -> Number:
    """KL(P || Q) = int_0^1 s phi''(s) ds.

    Parameters
    ----------
    curvature : callable
        phi'' as a function of the parameters, vectorised, with the sum of the magnitudes of its terms; singular
        where a parameter is 0.
    paths : sequence of Path
        One a parameter.
    """
    s, _, weights, values = _graded(paths, [path.end for path in paths], 1.0, None)
    return _integral(weights * s, *curvature(values))


def jensen(curvature: Curvature, paths: Sequence[Path], a: float) -> Number:
    """log int p^a q^(1-a) = phi(a) - a phi(1) - (1 - a) phi(0), for a > 0; inf where theta(a) is no parameter."""
    if a < 1:
        s, rest, weights, values = _graded(paths, [path.end for path in paths], 1.0, a)
        gap = _integral(weights * np.minimum(s * (1 - a), a * rest), *curvature(values))
        return Number(-gap.value, gap.gap)
    ends = [path.end + (a - 1) * path.slope for path in paths]
    if min(ends) <= 0:
        return Number(math.inf, 0.0)
    s, rest, weights, values = _graded(paths, ends, a, 1.0)
    value, error = _integral(weights * np.minimum(s * (a - 1), rest), *curvature(values))
    # A parameter that nearly vanishes at s = a has lost digits, which log A shows, and so does its curvature.
    lost = sum((path.end + (a - 1) * abs(path.slope)) / end for path, end in zip(paths, ends, strict=True))
    return Number(value, error + 8 * EPS * lost * value)


def _integral(weights: _F, curvature: _F, size: _F) -> Number:
    """The weighted sum; NaN where the curvature is beyond float64, which does not make the integral infinite."""
    if not np.isfinite(size).all():
        return Number(math.nan, math.nan)
    return Number(float(weights @ curvature), _ROUNDING * float(weights @ size))


def _graded(
    paths: Sequence[Path], ends: Sequence[float], high: float, kink: float | None
) -> tuple[_F, _F, _F, list[_F]]:
    """Gauss-Legendre nodes s, high - s, weights and parameters, on panels no longer than their distance to a zero.

    The left half is measured from 0 and the right half from high, so that parameters keep their relative accuracy
    at both ends. A panel at a distance of at least its length from the next singularity has error below
    (3 + 2 sqrt 2)^(-32).
    """
    middle = high / 2
    left, right = [np.array([0.0, middle])], [np.array([0.0, middle])]
    if kink is not None and kink < middle:
        left.append(np.array([kink]))
    elif kink is not None:
        right.append(np.array([high - kink]))
    for path, end in zip(paths, ends, strict=True):
        if path.slope > 0:
            left.append(_doubling(path.start / path.slope, middle))
        elif path.slope < 0:
            right.append(_doubling(end / -path.slope, middle))
    near, near_weights = _panels(np.concatenate(left))
    far, far_weights = _panels(np.concatenate(right))
    values = [
        np.concatenate([path.start + path.slope * near, end - path.slope * far])
        for path, end in zip(paths, ends, strict=True)
    ]
    s, rest = np.concatenate([near, high - far]), np.concatenate([high - near, far])
    return s, rest, np.concatenate([near_weights, far_weights]), values


def _doubling(distance: float, length: float) -> _F:
    """Edges in (0, length) at which panels double their length, from a singularity `distance` before 0."""
    if distance >= length:
        return np.zeros(0)
    count = 1 + math.ceil(min(math.log2(length) - math.log2(max(distance, 5e-324)), 1070.0))
    edges = distance * (2.0 ** np.arange(1, count + 1) - 1)
    return np.asarray(edges[(edges > 0) & (edges < length)])


def _panels(edges: _F) -> tuple[_F, _F]:
    """Composite nodes and weights between the sorted edges."""
    grid = np.unique(edges)
    half = np.diff(grid) / 2  # (panels,)
    nodes = grid[:-1, None] + half[:, None] * (1 + _RULE[0])  # (panels, 16)
    return nodes.ravel(), (half[:, None] * _RULE[1]).ravel()


def curvature_beyond(k: _F) -> _F:
    """k^2 (trigamma(k) - 1/k), between 1/2 and 1: the curvature of log Gamma that is not k log k's."""
    from scipy.special import polygamma

    near = np.minimum(k, 30.0)
    direct = 1 + near * near * polygamma(1, 1 + near) - near
    t = 1 / np.maximum(k, 30.0)
    # trigamma(k) = 1/k + 1/(2 k^2) + 1/(6 k^3) - 1/(30 k^5) + 1/(42 k^7) - 1/(30 k^9) + ...
    series = 0.5 + t / 6 - t**3 / 30 + t**5 / 42 - t**7 / 30
    return np.asarray(np.where(k < 30, direct, series))
