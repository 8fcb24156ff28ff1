"""Minima and largest slopes over all pairs of two point sets, in tiles: nothing of size n x m is ever stored.

The points of the side that is minimised over come transposed, (d, n), so that a tile of one coordinate is contiguous
and the arithmetic runs in vector registers. All squares are sums over the coordinates in their order, so a distance
does not depend on the tile it falls into. No argument may hold NaN: the minima are compiled on that condition.
"""

from __future__ import annotations

import math

import numpy as np

from divkit._compile import compiled

__all__ = ["largest_slope", "lower_envelope"]

_OPTIONS = {"error_model": "numpy", "nogil": True, "fastmath": {"contract", "nnan", "nsz"}}
_TILE = 4096  # coordinates of one tile: 32 KiB, so that it stays in the first cache level while y passes by
_SHORTEST, _LONGEST = 64, 1024  # points of a tile


@compiled(**_OPTIONS)
def _tile_size(d):
    return min(_LONGEST, max(_SHORTEST, _TILE // max(d, 1)))


@compiled(**_OPTIONS)
def _squares(points, start, stop, at, out):
    """out[t] = |points[:, start + t] - at|^2 for start + t < stop."""
    out[: stop - start] = 0.0
    for k in range(points.shape[0]):
        row, here = points[k, start:stop], at[k]
        for t in range(stop - start):
            step = row[t] - here
            out[t] += step * step


@compiled(**_OPTIONS)
def _powers(squares, count, p):
    """squares[t]^(p/2) in place, without the library call for the two usual orders."""
    if p == 1.0:
        for t in range(count):
            squares[t] = math.sqrt(squares[t])
    elif p != 2.0:
        for t in range(count):
            squares[t] = squares[t] ** (0.5 * p)


@compiled(**_OPTIONS)
def _least(costs, values, factor):
    best = np.inf
    for t in range(values.size):
        best = min(best, factor * costs[t] - values[t])
    return best


@compiled(**_OPTIONS)
def lower_envelope(points, values, y, p, factor, out):
    """out[j] = min_i factor |points[:, i] - y[j]|^p - values[i], for points (d, n), values (n,), y (m, d), out (m,).

    Invariant: after a tile, out[j] is the minimum over all points up to the tile's end.
    """
    n = points.shape[1]
    tile = _tile_size(points.shape[0])
    costs = np.empty(tile)
    out[:] = np.inf
    for start in range(0, n, tile):
        stop = min(start + tile, n)
        part = values[start:stop]
        for j in range(y.shape[0]):
            _squares(points, start, stop, y[j], costs)
            _powers(costs, stop - start, p)
            out[j] = min(out[j], _least(costs, part, factor))


@compiled(**_OPTIONS)
def _steepest(squares, values, value):
    """Largest |values - value| / sqrt(squares); over a distance of 0 it is 0 if nothing rises, else inf."""
    best = 0.0
    for t in range(values.size):
        rise = abs(values[t] - value)
        length = math.sqrt(squares[t])
        slope = rise / (length if length > 0.0 else 1.0)
        slope = slope if length > 0.0 else (np.inf if rise > 0.0 else 0.0)
        best = max(best, slope)
    return best


@compiled(**_OPTIONS)
def largest_slope(points, values, first, last):
    """Largest |values[i] - values[j]| / |points[:, i] - points[:, j]| over first <= i < last, i < j < n.

    points is (d, n) and values (n,). The tiles of j start at multiples of the tile size, whatever i is.
    """
    n = points.shape[1]
    tile = _tile_size(points.shape[0])
    squares = np.empty(tile)
    best = 0.0
    for base in range(0, n, tile):
        stop = min(base + tile, n)
        for i in range(first, min(last, stop)):
            start = max(base, i + 1)
            if start < stop:
                _squares(points, start, stop, points[:, i], squares)
                best = max(best, _steepest(squares, values[start:stop], values[i]))
    return best
