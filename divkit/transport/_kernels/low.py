"""Searches over all pairs in few dimensions: pairs of blocks that cannot matter are skipped, the rest is looked at."""

from __future__ import annotations

import numpy as np

from divkit._compile import compiled
from divkit.transport._kernels.boxes import least_slack
from divkit.transport._kernels.pairs import pair_cost, squared_distances

__all__ = ["insert", "keep_worst", "nearest_in_blocks", "violations_in_blocks"]

_OPTIONS = {"error_model": "numpy", "nogil": True}
_FAST = {"nnan", "nsz", "reassoc", "contract", "arcp"}


@compiled(fastmath=_FAST, **_OPTIONS)
def _least_margin(x, i, y_columns, potential, start, count, level, p, squared):
    """min over the run of  c^2 - t|t| (p = 1) or c^2 - t (p = 2), t = level + potential: negative iff c^p < t for one.

    One loop without a root and without stores where there are two coordinates; via `squared` (count,) otherwise.
    """
    least = np.inf
    stop = start + count
    g = potential[start:stop]
    if y_columns.shape[0] == 2:
        a, first = x[i, 0], y_columns[0, start:stop]
        b, second = x[i, 1], y_columns[1, start:stop]
        if p == 1:
            for q in range(count):
                u, v, t = first[q] - a, second[q] - b, level + g[q]
                least = min(least, u * u + v * v - t * abs(t))
        else:
            for q in range(count):
                u, v = first[q] - a, second[q] - b
                least = min(least, u * u + v * v - level - g[q])
        return least
    squared_distances(x, i, y_columns, start, count, squared)
    if p == 1:
        for q in range(count):
            t = level + g[q]
            least = min(least, squared[q] - t * abs(t))
    else:
        for q in range(count):
            least = min(least, squared[q] - level - g[q])
    return least


@compiled(**_OPTIONS)
def insert(values, indices, place, value, j):
    """Put (value, j) into the ascending lists values, indices (k,), whose entry at `place` is free or given up."""
    while place > 0 and values[place - 1] > value:
        values[place] = values[place - 1]
        indices[place] = indices[place - 1]
        place -= 1
    values[place] = value
    indices[place] = j


@compiled(**_OPTIONS)
def keep_worst(values, indices, counts, i, value, j):
    """Insert (value, j) into row i of the ascending lists values, indices (n, k) if it is among the k smallest."""
    k = values.shape[1]
    count = counts[i]
    if count == k:
        if value >= values[i, k - 1]:
            return
        place = k - 1
    else:
        place = count
        counts[i] = count + 1
    insert(values[i], indices[i], place, value, j)


@compiled(**_OPTIONS)
def _bar(f, tolerance, values, counts, i):
    """What c - g must be below to be worth a look: a full list takes only what is worse than all it holds."""
    k = values.shape[1]
    return f + (values[i, k - 1] if counts[i] == k else -0.5 * tolerance * abs(f))


@compiled(**_OPTIONS)
def violations_in_blocks(
    first, last, x, y, y_columns, f, g, p, tolerance, size, x_blocks, y_blocks, values, indices, counts, least
):
    """The pairs with |x_i - y_j|^p - f_i - g_j < -tolerance (|f_i| + |g_j|): per row the worst ones, and the least
    c - g where there is any. Only rows of the blocks [first, last).

    x (n, d) and y (m, d) in blocks of `size`; *_blocks = (centre, half, slope, top, greatest). Fills values, indices
    (n, k), counts (n,) and lowers least (n,), which comes in as f. Returns the pairs looked at, and those rechecked.
    """
    n, m = len(x), len(y)
    xc, xh, xs, xt, xg = x_blocks
    yc, yh, ys, yt, yg = y_blocks
    columns = len(yc)
    looked = checked = 0
    squared = np.empty(size, np.float64)
    for a in range(first, last):
        low, high = a * size, min(n, a * size + size)
        for b in range(columns):
            if least_slack(a, b, p, xc, xh, xs, xt, xg, yc, yh, ys, yt, yg) >= 0.0:
                continue
            start = b * size
            count = min(size, m - start)
            looked += (high - low) * count
            for i in range(low, high):
                level = _bar(f[i], tolerance, values, counts, i)
                if _least_margin(x, i, y_columns, g, start, count, level, p, squared) >= 0.0:
                    continue
                squared_distances(x, i, y_columns, start, count, squared)
                for j in range(start, start + count):
                    t = level + g[j]
                    if squared[j - start] >= (t * abs(t) if p == 1 else t):
                        continue
                    checked += 1
                    value = pair_cost(x, y, i, j, p) - g[j]
                    if value - f[i] < -tolerance * (abs(f[i]) + abs(g[j])):
                        least[i] = min(least[i], value)
                        keep_worst(values, indices, counts, i, value - f[i], j)
                        level = _bar(f[i], tolerance, values, counts, i)
    return looked, checked


@compiled(**_OPTIONS)
def nearest_in_blocks(first, last, x, y, y_columns, f, g, p, size, x_blocks, y_blocks, values, indices):
    """For every row of the blocks [first, last) the k pairs of least |x_i - y_j|^p - f_i - g_j.

    They go into values, indices (n, k), ascending.
    f only guides the search: blocks of y are taken in the order of what they can offer, until no row can gain.
    """
    n, m, k = len(x), len(y), values.shape[1]
    xc, xh, xs, xt, xg = x_blocks
    yc, yh, ys, yt, yg = y_blocks
    columns = len(yc)
    looked = 0
    squared = np.empty(size, np.float64)
    bound = np.empty(columns, np.float64)
    for a in range(first, last):
        low, high = a * size, min(n, a * size + size)
        for b in range(columns):
            bound[b] = least_slack(a, b, p, xc, xh, xs, xt, xg, yc, yh, ys, yt, yg)
        for i in range(low, high):
            values[i] = np.inf
        for b in np.argsort(bound):
            worst = -np.inf
            for i in range(low, high):
                worst = max(worst, values[i, k - 1])
            if bound[b] > worst:
                break
            start = b * size
            count = min(size, m - start)
            looked += (high - low) * count
            for i in range(low, high):
                level = f[i] + values[i, k - 1]
                if level < np.inf and _least_margin(x, i, y_columns, g, start, count, level, p, squared) >= 0.0:
                    continue
                squared_distances(x, i, y_columns, start, count, squared)
                _keep_least(squared, g, f[i], start, count, p, values[i], indices[i])
    return looked


@compiled(**_OPTIONS)
def _keep_least(squared, g, level, start, count, p, values, indices):
    """Merge a run of pairs into the ascending lists values, indices (k,) of one row; roots only of what may enter."""
    k = len(values)
    for q in range(count):
        t = level + values[k - 1] + g[start + q]
        if squared[q] >= (t * abs(t) if p == 1 else t):
            continue
        value = (np.sqrt(squared[q]) if p == 1 else squared[q]) - g[start + q] - level
        insert(values, indices, k - 1, value, start + q)
