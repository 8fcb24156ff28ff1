"""Distances and costs of single pairs and of one point against a run of points, by direct differences."""

from __future__ import annotations

import numpy as np

from divkit._compile import compiled

__all__ = ["pair_cost", "pair_costs", "squared_distances"]

_OPTIONS = {"error_model": "numpy", "nogil": True}
_FAST = {"nnan", "nsz", "reassoc", "contract", "arcp"}  # in filters only


@compiled(**_OPTIONS)
def pair_cost(x, y, i, j, p):
    """|x_i - y_j|^p for p = 1 or 2; x (n, d), y (m, d). The one rounding of costs: every check uses this number.

    Four sums at a time: one would wait for itself.
    """
    u, v = x[i], y[j]
    fours = u.size // 4
    total = one = two = three = 0.0
    for s in range(fours):
        k = 4 * s
        a, b, c, e = u[k] - v[k], u[k + 1] - v[k + 1], u[k + 2] - v[k + 2], u[k + 3] - v[k + 3]
        total += a * a
        one += b * b
        two += c * c
        three += e * e
    total = (total + one) + (two + three)
    for k in range(4 * fours, u.size):
        gap = u[k] - v[k]
        total += gap * gap
    return np.sqrt(total) if p == 1 else total


@compiled(**_OPTIONS)
def pair_costs(x, y, rows, columns, p):
    """The costs (k,) of the pairs (rows, columns), each (k,)."""
    costs = np.empty(rows.size, np.float64)
    for t in range(rows.size):
        costs[t] = pair_cost(x, y, rows[t], columns[t], p)
    return costs


@compiled(fastmath=_FAST, **_OPTIONS)
def squared_distances(x, i, y_columns, start, count, out):
    """|x_i - y_j|^2 for count points j from start on, into out; y_columns (d, m) has the points in columns.

    The loops run over slices: with an offset in the index, LLVM gives up vectorising them.
    """
    d = y_columns.shape[0]
    stop = start + count
    a, first = x[i, 0], y_columns[0, start:stop]
    if d == 2:
        b, second = x[i, 1], y_columns[1, start:stop]
        for q in range(count):
            u, v = first[q] - a, second[q] - b
            out[q] = u * u + v * v
    elif d == 3:
        b, second = x[i, 1], y_columns[1, start:stop]
        c, third = x[i, 2], y_columns[2, start:stop]
        for q in range(count):
            u, v, w = first[q] - a, second[q] - b, third[q] - c
            out[q] = u * u + v * v + w * w
    else:
        for q in range(count):
            u = first[q] - a
            out[q] = u * u
        for k in range(1, d):
            b, other = x[i, k], y_columns[k, start:stop]
            for q in range(count):
                v = other[q] - b
                out[q] += v * v
