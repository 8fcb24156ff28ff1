"""Points around 0, in a unit in which nothing overflows or vanishes."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["in_unit", "unit_as_they_are"]

_F = NDArray[np.float64]
_USUAL: Final = 200  # powers of two in which squares and their sums stay in range


def in_unit(points: _F) -> tuple[_F, float]:
    """The points (N, d) moved to the middle of their box and divided by a power of two, and that power.

    All coordinates are then in [-2, 2]; distances are those of before, divided by the power.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    reach = float((high / 2 - low / 2).max())
    if reach == 0:
        return np.zeros_like(points), 1.0
    exponent = min(math.frexp(reach)[1], 1023)  # the power itself has to be a float
    middle = low / 4 + high / 4
    moved = points * 0.5  # halves: the box may be wider than the largest float
    moved -= middle
    if abs(exponent) < 1000:
        moved *= math.ldexp(1.0, 1 - exponent)  # several times as fast as ldexp, and the same
    else:
        np.ldexp(moved, 1 - exponent, out=moved)
    return moved, math.ldexp(1.0, exponent)


def unit_as_they_are(x: _F, y: _F) -> float | None:
    """The power of two in which points (n, d) and (m, d) are in [-2, 2] where they lie, and not much closer together.

    None if they have to be moved or to be divided first, as `in_unit` does.
    """
    low, high = np.minimum(x.min(axis=0), y.min(axis=0)), np.maximum(x.max(axis=0), y.max(axis=0))
    farthest = max(float(-low.min()), float(high.max()))
    reach = float((high / 2 - low / 2).max())
    exponent = math.frexp(reach)[1]
    if reach == 0 or abs(exponent) > _USUAL or farthest > math.ldexp(2.0, exponent):
        return None
    return math.ldexp(1.0, exponent)
