"""Where the mass of a 1-D law lies: points between which its density is resolved by a few panels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from divkit._errors import InvalidInput
from divkit.measures import Law

__all__ = ["Inverse", "common_mesh", "graded", "inverse", "law_mesh", "log_density", "survival"]

_F = NDArray[np.float64]
Inverse = tuple[Callable[[_F], _F], Callable[[_F], _F]]
_SEED: Final = 0  # of the draws that locate a law without quantiles; the value does not depend on them
_RATIO: Final = 4.0  # largest ratio of neighbouring cells
_TAILS: Final = (1e-14, 1e-12, 1e-10, 1e-8, 1e-6, 1e-5, 1e-4, 1e-3, 0.005, 0.01, 0.02)


def log_density(law: Law, x: _F, lenient: NDArray[np.bool_] | bool = False) -> _F:
    """Log density at x (n,), -inf outside the box of the support.

    Where it is lenient, NaN counts as -inf: far out, formulas that have underflowed already meet 0 times inf. The
    check of the total mass stands behind that.

    Raises
    ------
    InvalidInput
        If it is NaN elsewhere.
    """
    with np.errstate(all="ignore"):
        logs = np.asarray(law.log_density(x[:, None]), dtype=np.float64).reshape(len(x))
    logs = np.where((x < law.low[0]) | (x > law.high[0]), -np.inf, logs)
    nan = np.isnan(logs)
    logs = np.where(nan & lenient, -np.inf, logs)
    bad = nan & ~np.asarray(lenient)
    if bad.any():
        raise InvalidInput(
            f"the log density of {law.name} is NaN at x = {x[bad][0]:g}; it must be a number, "
            f"-inf where the density is 0"
        )
    return logs


def survival(law: Law) -> tuple[Callable[[_F], _F], Callable[[_F], _F]]:
    """P(X <= x) and P(X > x) as functions (n,) to (n,); the second without cancellation where the law offers it."""
    assert law.cdf is not None  # callers refuse laws without
    cdf: Callable[[_F], _F] = law.cdf
    sf = law.sf

    def lower(x: _F) -> _F:
        with np.errstate(all="ignore"):
            return np.clip(np.asarray(cdf(x), dtype=np.float64), 0.0, 1.0)

    def upper(x: _F) -> _F:
        if sf is None:
            return 1.0 - lower(x)
        with np.errstate(all="ignore"):
            return np.clip(np.asarray(sf(x), dtype=np.float64), 0.0, 1.0)

    return lower, upper


def inverse(law: Law, checked: bool = False) -> Inverse:
    """Quantile function and its mirror image t -> quantile(1 - t), (n,) to (n,).

    Where they are checked, functions of the law that contradict its own cdf and sf (far tails of some
    implementations do) are replaced by inversion.
    """
    if law.quantile is not None:
        forward = _quiet(law.quantile)
        if checked and law.cdf is not None and not _consistent(forward, survival(law)[0]):
            forward = _bisected(survival(law)[0], law, True)
    else:
        forward = _bisected(survival(law)[0], law, True)
    if law.isf is not None:
        backward = _quiet(law.isf)
        if not (checked and law.sf is not None) or _consistent(backward, survival(law)[1]):
            return forward, backward
    if law.cdf is not None:
        return forward, _bisected(survival(law)[1], law, False)
    return forward, lambda t: forward(1.0 - t)


def _consistent(quantile: Callable[[_F], _F], distribution: Callable[[_F], _F]) -> bool:
    """Whether distribution(quantile(t)) is t, to rounding, on a grid down to 1e-290; ties of x excuse nothing."""
    t = np.logspace(-290, -0.31, 120)
    x = quantile(t)
    inside = np.isfinite(x) & (np.abs(x) > 1e-290)
    miss = np.abs(distribution(x[inside]) / t[inside] - 1)
    return bool(np.all(miss <= 1e-9))


def _quiet(function: Callable[[_F], _F]) -> Callable[[_F], _F]:
    def wrapped(t: _F) -> _F:
        with np.errstate(all="ignore"):
            return np.asarray(function(t), dtype=np.float64)

    return wrapped


def _bisected(function: Callable[[_F], _F], law: Law, increasing: bool) -> Callable[[_F], _F]:
    """The inverse of a monotone function, by bisection over the floats themselves: 64 calls at any scale."""
    low, high = (int(_rank(np.clip(end, -1.7e308, 1.7e308))[0]) for end in (law.low[:1], law.high[:1]))

    def wrapped(t: _F) -> _F:
        a, b = np.full(t.shape, low), np.full(t.shape, high)
        for _ in range(64):
            middle = (a >> 1) + (b >> 1) + (a & b & 1)
            value = function(_unrank(middle))
            right = value < t if increasing else value > t
            a, b = np.where(right, middle, a), np.where(right, b, middle)
        return _unrank(b)

    return wrapped


def _rank(x: _F) -> NDArray[np.int64]:
    """Position among all floats: increasing in x, 0 at 0."""
    bits = np.abs(x).view(np.int64)
    return np.where(np.signbit(x), -bits, bits)


def _unrank(rank: NDArray[np.int64]) -> _F:
    return np.where(rank < 0, -1.0, 1.0) * np.abs(rank).view(np.float64)


def law_mesh(law: Law, fine: bool = False) -> _F:
    """Increasing finite points that resolve where the law has its mass, neighbouring cells within a factor of 4.

    From quantiles (the law's own, or of its cdf), else from draws with a fixed seed, else from a search of the
    log density over all scales.
    """
    if law.quantile is not None or law.cdf is not None:
        functions = inverse(law)
        tails = np.unique(np.concatenate([_TAILS, np.logspace(-14, -2, 97)])) if fine else np.array(_TAILS)
        half = np.concatenate([tails, np.linspace(0.03, 0.5, 480 if fine else 15)])
        points = np.concatenate([functions[0](half), functions[1](half)])
    elif law.sample is not None:
        n = 200_000 if fine else 4096
        draws = np.sort(law.draw(n, np.random.default_rng(_SEED))[:, 0])
        index = np.unique(np.linspace(0, n - 1, 512 if fine else 48).astype(int))
        ends = np.minimum(2 ** np.arange(7), n - 1)
        points = draws[np.unique(np.concatenate([index, ends, n - 1 - ends]))]
    else:
        points = _search(law)
    points = points[np.isfinite(points)]
    if len(points):  # leave room below the overflow for the tail to show its power
        points = points[np.abs(points) <= max(1e180, 1e3 * float(np.median(np.abs(points))))]
    points = np.unique(np.clip(points, law.low[0], law.high[0])) + 0.0
    return graded(points)


def graded(points: _F) -> _F:
    """The points and more, such that no cell is many times as long as its neighbours."""
    if len(points) < 3:
        return points
    gaps = np.diff(points)
    extra = [points]
    for i in np.flatnonzero(gaps > _RATIO * np.minimum(np.r_[np.inf, gaps[:-1]], np.r_[gaps[1:], np.inf])):
        for end, step, sign in ((i, gaps[i - 1] if i > 0 else np.inf, 1), (i + 1, (*gaps[i + 1 :], np.inf)[0], -1)):
            if step < gaps[i] / 2:
                count = int(np.log(gaps[i] / 2 / step) / np.log(2.0)) + 1
                offsets = step * 2.0 ** np.arange(1, count + 1) - step
                extra.append(points[end] + sign * offsets[offsets < gaps[i] / 2])
    return np.unique(np.concatenate(extra))


def _search(law: Law) -> _F:
    """Points around the largest log densities, for a law that offers nothing else; zooms in on up to 8 peaks."""
    low, high = float(law.low[0]), float(law.high[0])
    scales = 2.0 ** np.arange(-900, 900, 0.5)
    starts = [end for end in (low, high) if np.isfinite(end)] or [0.0]
    points = np.concatenate([start + sign * np.r_[0, scales] for start in starts for sign in (-1, 1)])
    if len(starts) == 2:
        points = np.concatenate([points, np.linspace(low, high, 4097)])
    points = np.unique(points[(points >= low) & (points <= high)])
    for _ in range(60):
        logs = np.nan_to_num(log_density(law, points), posinf=800.0)
        peaks = np.flatnonzero((logs >= np.r_[-np.inf, logs[:-1]]) & (logs >= np.r_[logs[1:], -np.inf]))
        peaks = peaks[np.argsort(logs[peaks])[-8:]]
        left, right = np.maximum(peaks - 1, 0), np.minimum(peaks + 1, len(points) - 1)
        rough = np.maximum(logs[peaks] - logs[left], logs[peaks] - logs[right]) > 0.1
        start, stop = (points[np.concatenate([a[rough], b[rough]])] for a, b in ((left, peaks), (peaks, right)))
        new = (start[:, None] + (stop - start)[:, None] * np.linspace(0, 1, 9)).ravel()
        merged = np.unique(np.concatenate([points, new]))
        if len(merged) == len(points) or len(merged) > 50_000:
            break
        points = merged
    logs = log_density(law, points)
    near = logs > np.max(logs[np.isfinite(logs)], initial=-np.inf) - 40
    return points[near][:: max(1, int(near.sum()) // 400)]


def common_mesh(hard: _F, softs: list[_F]) -> _F:
    """Hard points as they are, and of the soft meshes what is not crowded by its own measure."""
    pairs = []
    for soft in softs:
        gaps = np.diff(soft)
        pairs.append((soft, np.minimum(np.r_[np.inf, gaps], np.r_[gaps, np.inf])))
    points = np.concatenate([soft for soft, _ in pairs])
    scale = np.concatenate([gap for _, gap in pairs])
    order = np.argsort(points, kind="stable")
    kept: list[float] = []
    for x, own in zip(points[order], scale[order], strict=True):
        if not kept or x - kept[-1] > 0.25 * min(own, 1e308):
            kept.append(float(x))
    return np.unique(np.concatenate([hard, kept]))
