"""Minima and slopes over all pairs of two point sets at any scale, on all cores, without storing a distance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from divkit._threads import parallel_map, workers
from divkit.transport._frame import power_of_two

__all__ = ["Extent", "envelope", "extent", "steepest", "times_two_to"]

_F = NDArray[np.float64]
_LIFT: Final = 480  # squares of lifted distances reach 2**960, and those below 2**-1010 of the largest still count
_LARGE: Final = 2.0**1000
_LOW: Final = -1000  # the smallest power of two that factors may need
_PARALLEL: Final = 1 << 20  # coordinates looked at below which a second thread costs more than it brings
_SHARES: Final = 8  # pieces of work a thread, so that none waits long for another


@dataclass(frozen=True, eq=False)
class Extent:
    """The coordinates in which points differ at all, and a power of two above every distance between them.

    Parameters
    ----------
    columns : ndarray of bool, shape (d,)
        Coordinates that are not the same for all points.
    exponent : int
        No two points are further apart than 2**exponent.
    """

    columns: NDArray[np.bool_]
    exponent: int

    def lift(self, slope_exponent: int = 0) -> int:
        """The exponent to `place` points for, so that 2**slope_exponent times their distances keeps its digits.

        2**(exponent + slope_exponent - lift) then is in the range of float64 wherever the product is.
        """
        return max(0, min(_LIFT, self.exponent + slope_exponent - _LOW))

    def place(self, points: _F, lift: int) -> _F:
        """The points (n, d) times 2**(lift - exponent), without their constant coordinates.

        A power of two rounds nothing, and nothing is subtracted: the difference of two coordinates is correctly
        rounded at any offset, while subtracting a centre beforehand would add an error of its own.
        """
        kept = points if self.columns.all() else points[:, self.columns]
        return np.ldexp(kept, lift - self.exponent)


def extent(*sets: _F) -> Extent:
    """The common extent of point sets (n, d), (m, d), ..."""
    low, high = sets[0].min(axis=0), sets[0].max(axis=0)  # (d,)
    for points in sets[1:]:
        low, high = np.minimum(low, points.min(axis=0)), np.maximum(high, points.max(axis=0))
    columns = np.asarray(low < high)
    if not columns.any():
        return Extent(columns, 0)
    half = int(max(float(high.max()), -float(low.min())) > _LARGE)  # sides may be beyond float64, half of them never
    sides = np.ldexp(high[columns], -half) - np.ldexp(low[columns], -half)
    longest = power_of_two(float(sides.max()))
    # Underflow of short sides is harmless beside one of at least 1/2; the factor covers the rounding of the norm.
    unit = np.ldexp(sides, -longest)
    diagonal = math.sqrt(float(unit @ unit)) * (1 + 1e-9)
    return Extent(columns, longest + half + power_of_two(diagonal))


def times_two_to(value: float, exponent: int, p: float = 1.0) -> float:
    """value * 2**(exponent * p) to two roundings; inf where that overflows.

    The product exponent * p is exact: rounded to a float near 1000, it would cost three digits of the power.
    """
    # The ends are beyond all floats and their reciprocals.
    power = max(Fraction(-9999), min(Fraction(9999), exponent * Fraction(p))) if p != 1 else exponent
    whole = math.floor(power)
    try:
        return math.ldexp(value * 2.0 ** float(power - whole), whole)
    except OverflowError:
        return math.copysign(math.inf, value)


def envelope(points: _F, values: _F, y: _F, p: float, factor: float) -> _F:
    """min_i factor |points[i] - y[j]|^p - values[i], shape (m,), for placed points (n, d) and y (m, d)."""
    from divkit.transport._kernels.c_transform import lower_envelope

    transposed, values, y = (np.ascontiguousarray(part) for part in (points.T, values, y))
    out = np.empty(len(y))

    def part(rows: slice) -> None:
        lower_envelope(transposed, values, y[rows], p, factor, out[rows])

    parallel_map(part, _shares(len(y), len(y) * points.size), _threads(len(y) * points.size))
    return out


def steepest(points: _F, values: _F) -> float:
    """Largest |values[i] - values[j]| / |points[i] - points[j]| over all pairs of placed points (n, d)."""
    from divkit.transport._kernels.c_transform import largest_slope

    transposed, values = np.ascontiguousarray(points.T), np.ascontiguousarray(values)

    def part(rows: slice) -> float:
        return float(largest_slope(transposed, values, rows.start, rows.stop))

    work = len(values) * points.size // 2
    return max(parallel_map(part, _shares(len(values), work), _threads(work)))


def _threads(work: int) -> int:
    return workers() if work >= _PARALLEL else 1


def _shares(n: int, work: int) -> list[slice]:
    """Slices of range(n) for the threads to take one after the other."""
    threads = _threads(work)
    step = max(1, -(-n // (1 if threads == 1 else _SHARES * threads)))
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]
