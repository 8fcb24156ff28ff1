"""Merges of two sorted samples on the line: integrals of |F - G|^1 and of |F^-1 - G^-1|^p."""

from __future__ import annotations

import numpy as np

from divkit._compile import compiled

__all__ = ["area_between", "area_between_weighted", "quantile_cost", "quantile_cost_weighted"]

_OPTIONS = {"error_model": "numpy", "nogil": True}


@compiled(**_OPTIONS)
def area_between(x, y):
    """Integral of |F - G| for the equal-weight laws on sorted x (n,) and y (m,).

    Invariant: i points of x and j of y lie at or below `at`, and F - G = (i m - j n)/(n m) exactly, in integers.
    """
    n, m = x.size, y.size
    i, j, excess = 0, 0, 0  # excess = i m - j n
    unit = 1.0 / (np.float64(n) * np.float64(m))  # inside the sum, which could overflow without it
    total, at = 0.0, min(x[0], y[0])
    while i < n and j < m:
        a, b = x[i], y[j]
        from_x = a <= b  # selects, not branches: the order of two samples is unpredictable
        here = a if from_x else b
        total += unit * abs(excess) * (here - at)
        at = here
        excess += m if from_x else -n
        i += 1 if from_x else 0
        j += 0 if from_x else 1
    for k in range(i, n):
        total += unit * abs(excess) * (x[k] - at)
        at = x[k]
        excess += m
    for k in range(j, m):
        total += unit * abs(excess) * (y[k] - at)
        at = y[k]
        excess -= n
    return total


@compiled(**_OPTIONS)
def _add(high, low, term):
    """(high, low) + term as an unevaluated sum of two floats (Moller and Knuth's exact addition)."""
    total = high + term
    rest = total - high
    return total, low + ((high - (total - rest)) + (term - rest))


@compiled(**_OPTIONS)
def area_between_weighted(x, y, a, b):
    """Integral of |F - G| for sorted x (n,), y (m,) with masses a and b of sum 1.

    Invariant: F - G is held as a sum of two floats, so its error stays near one rounding at any n and m.
    """
    n, m = x.size, y.size
    i, j = 0, 0
    high, low = 0.0, 0.0
    total, at = 0.0, min(x[0], y[0])
    while i < n and j < m:
        from_x = x[i] <= y[j]
        here = x[i] if from_x else y[j]
        total += abs(high + low) * (here - at)
        at = here
        high, low = _add(high, low, a[i] if from_x else -b[j])
        i += 1 if from_x else 0
        j += 0 if from_x else 1
    for k in range(i, n):
        total += abs(high + low) * (x[k] - at)
        at = x[k]
        high, low = _add(high, low, a[k])
    for k in range(j, m):
        total += abs(high + low) * (y[k] - at)
        at = y[k]
        high, low = _add(high, low, -b[k])
    return total


@compiled(**_OPTIONS)
def _power(gap, p):
    """gap^p, without the library call for the two usual orders."""
    return gap if p == 1.0 else gap * gap if p == 2.0 else gap**p


@compiled(**_OPTIONS)
def quantile_cost(x, y, p, unit):
    """Mean of (|F^-1 - G^-1|/unit)^p, or the largest |F^-1 - G^-1| for p = inf; equal weights, sorted.

    Invariant: levels are integers in units of 1/(n m), so every piece of mass is exact.
    """
    n, m = x.size, y.size
    i, j, level = 0, 0, 0
    total, largest = 0.0, 0.0
    while i < n and j < m:
        end_x, end_y = (i + 1) * m, (j + 1) * n
        end = min(end_x, end_y)
        gap = abs(x[i] - y[j])
        largest = max(largest, gap)
        if p != np.inf:
            total += (end - level) * _power(gap / unit, p)
        level = end
        i += 1 if end_x == end else 0
        j += 1 if end_y == end else 0
    return largest if p == np.inf else total / n / m


@compiled(**_OPTIONS)
def quantile_cost_weighted(x, y, a, b, p, unit, tolerance):
    """As `quantile_cost`, with masses a and b of sum 1; pieces of mass below `tolerance` are rounding.

    Invariant: left_x and left_y are what is still to be matched of x[i] and y[j]; one of them reaches exactly 0.
    """
    n, m = x.size, y.size
    i, j = 0, 0
    left_x, left_y = a[0], b[0]
    total, largest = 0.0, 0.0
    while i < n and j < m:
        piece = min(left_x, left_y)
        gap = abs(x[i] - y[j])
        if piece > tolerance:
            largest = max(largest, gap)
        if p != np.inf:
            total += piece * _power(gap / unit, p)
        left_x -= piece
        left_y -= piece
        if left_x <= 0.0:
            i += 1
            left_x = a[i] if i < n else 0.0
        if left_y <= 0.0:
            j += 1
            left_y = b[j] if j < m else 0.0
    return largest if p == np.inf else total
