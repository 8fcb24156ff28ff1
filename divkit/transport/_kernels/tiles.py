"""Searches over all pairs in many dimensions: squared distances from a float32 matrix product, float64 rechecks.

With u = 2^-24 the product of two rows of d + 2 float32 numbers, (x, |x|^2, 1).(-2y, 1, |y|^2), is off from |x - y|^2 by
at most (d + 8) u (|x| + |y|)^2: d + 2 roundings of sums, the others of the entries. The centre of a block of rows is
the origin, so that near pairs have small norms, and twice that bound is subtracted from |y|^2 beforehand: every pair
that float64 would accept is then accepted by float32, and few others.
"""

from __future__ import annotations

import numpy as np

from divkit._compile import compiled
from divkit.transport._kernels.boxes import least_slack
from divkit.transport._kernels.low import insert, keep_worst
from divkit.transport._kernels.pairs import pair_cost

__all__ = ["centred_rows", "merge_nearest", "reachable_blocks", "rounded_up", "tile_violations"]

_OPTIONS = {"error_model": "numpy", "nogil": True}
_FAST = {"nnan", "nsz", "reassoc", "contract", "arcp"}
_RUN = 128  # columns looked at together
_ROUNDING = 2.0**-21  # of a potential in float32, of their sum and its square, twice over


@compiled(**_OPTIONS)
def reachable_blocks(a, p, x_blocks, y_blocks, size, m, starts, stops):
    """The runs of columns that block a of rows may have violations in: starts, stops (runs,), adjacent ones joined."""
    xc, xh, xs, xt, xg = x_blocks
    yc, yh, ys, yt, yg = y_blocks
    runs = 0
    for b in range(len(yc)):
        if least_slack(a, b, p, xc, xh, xs, xt, xg, yc, yh, ys, yt, yg) >= 0.0:
            continue
        if runs > 0 and stops[runs - 1] == b * size:
            stops[runs - 1] = min(m, b * size + size)
        else:
            starts[runs], stops[runs] = b * size, min(m, b * size + size)
            runs += 1
    return runs


@compiled(fastmath=_FAST, **_OPTIONS)
def centred_rows(points, low, high, centre, factor, radius, safety, out):
    """Rows (factor z, ...) of points[low:high] less centre, float32, into out (high - low, d + 2).

    For factor 1 the last two entries are |z|^2, 1; else they are 1, |z|^2 - safety (radius + |z|)^2.
    Returns the largest |z|.
    """
    d = points.shape[1]
    largest = 0.0
    for i in range(low, high):
        row, point = out[i - low], points[i]
        squares = 0.0
        for k in range(d):
            z = point[k] - centre[k]
            row[k] = factor * z
            squares += z * z
        norm = np.sqrt(squares)
        largest = max(largest, norm)
        if factor == 1.0:
            row[d], row[d + 1] = squares, 1.0
        else:
            row[d], row[d + 1] = 1.0, squares - safety * (radius + norm) ** 2
    return largest


@compiled(fastmath=_FAST, **_OPTIONS)
def _least_margin(squared, level, potential, p):
    """min of c^2 - t|t| (p = 1) or c^2 - t (p = 2), t = level + potential, all float32 (count,)."""
    least = np.float32(np.inf)
    if p == 1:
        for q in range(len(squared)):
            t = level + potential[q]
            least = min(least, squared[q] - t * abs(t))
    else:
        for q in range(len(squared)):
            least = min(least, squared[q] - (level + potential[q]))
    return least


@compiled(**_OPTIONS)
def _rounded_up(value):
    """A float32 above the value by enough to cover the rounding of a sum of two such, and of its square."""
    return np.float32(value + _ROUNDING * abs(value))


@compiled(**_OPTIONS)
def rounded_up(values):
    """`_rounded_up` of each of values (k,)."""
    out = np.empty(len(values), np.float32)
    for i in range(len(values)):
        out[i] = _rounded_up(values[i])
    return out


@compiled(**_OPTIONS)
def _bar(level, values, counts, i):
    """What c - g must be below to be worth a look: a full list takes only what is worse than all it holds."""
    k = values.shape[1]
    return _rounded_up(level + (values[i, k - 1] if counts[i] == k else 0.0))


@compiled(**_OPTIONS)
def tile_violations(squared, low, start, shift, single, x, y, f, g, p, tolerance, values, indices, counts, least):
    """The violated pairs of a tile, as `violations_in_blocks` has them; returns how many were rechecked.

    squared (rows, columns) are the float32 squared distances less their error bound; single (columns,) holds
    g + shift in float32, rounded up. f - shift is the other half, so that near pairs have small halves.
    """
    checked = 0
    rows, columns = squared.shape
    for r in range(rows):
        i, row = low + r, squared[r]
        for first in range(0, columns, _RUN):
            last = min(first + _RUN, columns)
            level = _bar(f[i] - shift, values, counts, i)
            if _least_margin(row[first:last], level, single[first:last], p) > 0.0:
                continue
            for q in range(first, last):
                t = level + single[q]
                if row[q] > (t * abs(t) if p == 1 else t):
                    continue
                j = start + q
                checked += 1
                value = pair_cost(x, y, i, j, p) - g[j]
                if value - f[i] < -tolerance * (abs(f[i]) + abs(g[j])):
                    least[i] = min(least[i], value)
                    keep_worst(values, indices, counts, i, value - f[i], j)
                    level = _bar(f[i] - shift, values, counts, i)
    return checked


@compiled(**_OPTIONS)
def merge_nearest(squared, low, start, single, p, values, indices):
    """Merge a tile into the ascending lists values, indices (n, k) of its rows: the pairs of least c - g.

    By runs, most of which have nothing to offer; roots are taken of what enters only.
    """
    k = values.shape[1]
    rows, columns = squared.shape
    for r in range(rows):
        row, kept, places = squared[r], values[low + r], indices[low + r]
        for first in range(0, columns, _RUN):
            last = min(first + _RUN, columns)
            if kept[k - 1] < np.inf and _least_margin(row[first:last], kept[k - 1], single[first:last], p) >= 0.0:
                continue
            for q in range(first, last):
                t = kept[k - 1] + single[q]
                if row[q] >= (t * abs(t) if p == 1 else t):
                    continue
                value = (np.sqrt(max(row[q], np.float32(0.0))) if p == 1 else row[q]) - single[q]
                insert(kept, places, k - 1, value, start + q)
