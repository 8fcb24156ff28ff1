"""Optimal transport on the line: the monotone plan and its potentials, for points in increasing order.

The costs |x - y|^p are Monge: c(x, y) + c(x', y') <= c(x, y') + c(x', y) for x <= x', y <= y'. So the plan that
matches masses in order is optimal, potentials that are tight along its staircase are feasible everywhere, and the
minimiser of c(x_i, y_j) - u_i moves to the right with y_j.
"""

from __future__ import annotations

import numpy as np

from divkit._compile import compiled

__all__ = ["envelope", "kantorovich", "north_west", "staircase"]

_OPTIONS = {"error_model": "numpy", "nogil": True}


@compiled(**_OPTIONS)
def _add(high, low, term):
    """(high, low) + term as an unevaluated sum of two floats (Moller and Knuth's exact addition)."""
    total = high + term
    rest = total - high
    return total, low + ((high - (total - rest)) + (term - rest))


@compiled(**_OPTIONS)
def _cost(x, y, p):
    gap = abs(x - y)
    return gap if p == 1.0 else gap * gap if p == 2.0 else gap**p


@compiled(**_OPTIONS)
def north_west(a, b):
    """(rows, columns, flows): the north-west corner plan of positive masses a (n,) and b (m,) of equal total.

    Invariant: left_x and left_y are what is still to be matched of a[i] and b[j]; rows before i and columns before j
    are done. Where sums of masses are rounded, the last row or column takes what is left, so that none is forgotten.
    """
    n, m = a.size, b.size
    rows, columns = np.empty(n + m - 1, np.int64), np.empty(n + m - 1, np.int64)
    flows = np.empty(n + m - 1)
    i, j, count = 0, 0, 0
    left_x, left_y = a[0], b[0]
    while True:
        end_x, end_y = i == n - 1, j == m - 1
        if end_x and end_y:
            piece = max(left_x, left_y)  # equal but for rounding
        elif end_x or end_y:
            piece = left_y if end_x else left_x
        else:
            piece = min(left_x, left_y)
        rows[count], columns[count], flows[count] = i, j, piece
        count += 1
        if end_x and end_y:
            break
        done_x = not end_x and (end_y or left_x <= left_y)
        done_y = not end_y and (end_x or left_y <= left_x)
        left_x -= piece
        left_y -= piece
        if done_x:
            i += 1
            left_x = a[i]
        if done_y:
            j += 1
            left_y = b[j]
    return rows[:count], columns[:count], flows[:count]


@compiled(**_OPTIONS)
def kantorovich(x, y, a, b):
    """(f(x), f(y)) for f with slope sign(G - F) between neighbouring points: it attains W_1 = sum a f(x) - sum b f(y).

    x (n,) and y (m,) are sorted, masses a and b may be 0.
    Invariant: on the current stretch f(z) = base + slope (z - start), with the base held as a sum of two floats: each
    value is rounded once, and nothing builds up along the line.
    """
    n, m = x.size, y.size
    fx, fy = np.empty(n), np.empty(m)
    i, j = 0, 0
    high, low = 0.0, 0.0  # F - G
    base, base_low, slope, start = 0.0, 0.0, 0.0, min(x[0], y[0])
    while i < n or j < m:
        from_x = j == m or (i < n and x[i] <= y[j])
        here = x[i] if from_x else y[j]
        length = here - start
        back = length - here
        error = (here - (length - back)) - (start + back)  # here - start = length + error exactly
        value, value_low = _add(base, base_low, slope * length)
        value_low += slope * error
        if from_x:
            fx[i] = value + value_low
            high, low = _add(high, low, a[i])
            i += 1
        else:
            fy[j] = value + value_low
            high, low = _add(high, low, -b[j])
            j += 1
        turned = -np.sign(high + low)
        if turned != slope:
            base, base_low, slope, start = value, value_low, turned, here
    return fx, fy


@compiled(**_OPTIONS)
def staircase(x, y, rows, columns, p):
    """Potential u (n,) on sorted x that is tight along the cells of a monotone plan which meets every row.

    Where row and column end together, the plan leaves u[i + 1] an interval, and the value nearest to u[i] is taken:
    potentials do not grow across gaps that no mass crosses.
    Invariant: u[i] is held as a sum of two floats, so that long staircases add no rounding beyond that of the costs.
    """
    u = np.empty(x.size)
    high, low = 0.0, 0.0
    u[rows[0]] = 0.0
    for t in range(1, rows.size):
        i, j = rows[t - 1], columns[t - 1]
        k, l = rows[t], columns[t]
        if k == i:
            continue
        gain, loss = _cost(x[k], y[j], p), _cost(x[i], y[j], p)
        if l != j:
            other_gain, other_loss = _cost(x[k], y[l], p), _cost(x[i], y[l], p)
            if other_gain - other_loss > 0.0:
                gain, loss = other_gain, other_loss
            elif gain - loss > 0.0:
                gain, loss = 0.0, 0.0
        high, low = _add(high, low, gain)
        high, low = _add(high, low, -loss)
        u[k] = high + low
    return u


@compiled(**_OPTIONS)
def envelope(x, u, y, p):
    """v[j] = min_i |x_i - y_j|^p - u_i for sorted x (n,), y (m,), in O((n + m) log m).

    Invariant: before a stride s, best[j] is the minimiser for every j + 1 that is a multiple of 2 s; the one for an odd
    multiple of s lies between those of its neighbours. A rounded comparison may pass over the minimiser, at a loss of
    that rounding; it can happen once a stride.
    """
    n, m = x.size, y.size
    v, best = np.empty(m), np.empty(m, np.int64)
    stride = 1
    while 2 * stride <= m:
        stride *= 2
    while stride > 0:
        for j in range(stride - 1, m, 2 * stride):
            first = best[j - stride] if j >= stride else 0
            last = best[j + stride] if j + stride < m else n - 1
            least, at = np.inf, first
            for i in range(first, last + 1):
                value = _cost(x[i], y[j], p) - u[i]
                if value < least:
                    least, at = value, i
            v[j], best[j] = least, at
        stride //= 2
    return v
