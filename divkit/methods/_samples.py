"""What the sample methods share: which pairs they take, and points in coordinates of unit size."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from divkit._errors import InvalidInput
from divkit.divergences import DerivedDivergence, Divergence, FDivergence
from divkit.measures import Measure, Samples

__all__ = ["centred", "copied_rows", "in_blocks", "in_units", "pair_refusal", "sample_refusal", "standardized"]

_F = NDArray[np.float64]
_BLOCK: Final = 20_000  # points that are judged at a time
_NORMAL: Final = 1.4826  # standard deviations a median absolute deviation of a normal law


def sample_refusal(div: Divergence, P: Measure, Q: Measure) -> str | None:
    """Why no f-divergence between the laws of two samples is asked for, in a clause; None if one is."""
    if not isinstance(div, FDivergence | DerivedDivergence):
        return "it estimates f-divergences only"
    return pair_refusal(P, Q)


def pair_refusal(P: Measure, Q: Measure) -> str | None:
    """Why these are no two samples in one space, in a clause; None if they are."""
    for name, measure in (("P", P), ("Q", Q)):
        if not isinstance(measure, Samples):
            return f"{name} is no sample; it takes two Samples"
    return None if P.dim == Q.dim else f"P has {P.dim} and Q has {Q.dim} coordinates"


def standardized(x: _F, y: _F) -> tuple[_F, _F]:
    """Both point sets (n, d), (m, d) with each coordinate centred and scaled by what the pooled points say.

    Centre and scale are the median and the median absolute deviation, or the standard deviation and then the range
    where the former vanish. Coordinates that are constant over all points tell the laws apart nowhere and are left
    out; if all are constant, one column of zeros remains. An f-divergence does not notice any of this.

    Returns
    -------
    tuple of ndarray, shape (n, c) and (m, c)
        c <= d. Finite, whatever the scale and the offset of the data.
    """
    pooled = np.concatenate([x, y])  # (n + m, d)
    low, high = pooled.min(axis=0), pooled.max(axis=0)
    pooled = pooled[:, low < high]
    if pooled.shape[1] == 0:
        return np.zeros((len(x), 1)), np.zeros((len(y), 1))
    # Powers of two first: differences of numbers near 1e308 would overflow, squares of those near 1e-200 vanish.
    largest = np.abs(pooled).max(axis=0)
    pooled = np.ldexp(pooled, -np.frexp(largest)[1] - 1)
    pooled -= np.median(pooled, axis=0)
    pooled = np.ldexp(pooled, -np.frexp(np.abs(pooled).max(axis=0))[1])
    scale = _NORMAL * np.median(np.abs(pooled), axis=0)
    scale = np.where(scale > 0, scale, pooled.std(axis=0))
    scale = np.where(scale > 0, scale, np.ptp(pooled, axis=0))
    pooled /= scale
    return pooled[: len(x)], pooled[len(x) :]


def centred(x: _F, y: _F) -> tuple[tuple[_F, _F], int]:
    """Both point sets (n, d), (m, d) about their median in a common unit, 2**exponent, of about their spread."""
    exponent = math.frexp(max(float(np.abs(x).max()), float(np.abs(y).max())))[1]
    x, y = np.ldexp(x, -exponent), np.ldexp(y, -exponent)
    centre = np.median(np.concatenate([x, y]), axis=0)
    x, y = x - centre, y - centre
    size = math.frexp(max(float(np.abs(x).max()), float(np.abs(y).max())))[1]
    x, y = np.ldexp(x, -size), np.ldexp(y, -size)
    spread = math.frexp(math.sqrt((float((x * x).mean()) + float((y * y).mean())) / 2))[1]
    return (np.ldexp(x, -spread), np.ldexp(y, -spread)), exponent + size + spread


def in_units(number: float, exponent: int) -> float:
    """number * 2**exponent, from the unit of `centred` to that of the data.

    Raises
    ------
    InvalidInput
        If that is beyond float64.
    """
    try:
        return math.ldexp(number, exponent)
    except OverflowError:
        raise InvalidInput(
            "distances between the points leave the range of float64; divide x and y by a power of two"
        ) from None


def in_blocks(function: Callable[[_F], _F], points: _F) -> _F:
    """Values (k,) at points (k, d), block by block, so that features of a million points are never held at once."""
    if len(points) <= _BLOCK:
        return function(points)
    return np.concatenate([function(points[k : k + _BLOCK]) for k in range(0, len(points), _BLOCK)])


def copied_rows(points: _F) -> int:
    """How many rows (n, d) are copies of others of a law without atoms; 0 for integers and other lattices.

    Rows are called copies where some coordinate has as many different values as there are different rows, not all of
    them whole: values of a discrete law repeat in other rows, too.
    """
    different = len(np.unique(points, axis=0))
    if different == len(points):
        return 0
    for column in points.T:
        if len(np.unique(column)) == different > 1 and not np.array_equal(column, np.rint(column)):
            return len(points) - different
    return 0
