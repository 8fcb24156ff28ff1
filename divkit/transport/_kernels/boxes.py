"""Boxes of neighbouring points with a linear model of their potential, and what they prove about all pairs inside.

For a block of points z with potentials g, centre c and half-widths h, the model is a slope v and a top a with
g(z) <= a + v.(z - c) for every z of the block. For two blocks, and any unit vector e, |x - y| >= e.(y - x), so

    |x - y| - f(x) - g(y) >= |c_y - c_x| - a_x - a_y - |e - v_y|.h_y - |e + v_x|.h_x,   e along c_y - c_x.

Where the potentials are near an optimum their slopes are near e, and the bound is off by the curvature only: along a
ray of transport, where thousands of pairs are almost tight, plain boxes would prove nothing.
"""

from __future__ import annotations

import numpy as np

from divkit._compile import compiled

__all__ = ["block_geometry", "block_models", "least_slack"]

_OPTIONS = {"error_model": "numpy", "nogil": True}
_SLOPES = 16  # in higher dimensions a block has too few points for a slope
_ROUNDING = 1e-13  # of the terms that are added up


@compiled(**_OPTIONS)
def block_geometry(points, size):
    """Centres and half-widths, (blocks, d) each, of consecutive runs of `size` points (n, d)."""
    n, d = points.shape
    blocks = (n + size - 1) // size
    centre, half = np.empty((blocks, d)), np.empty((blocks, d))
    for b in range(blocks):
        for k in range(d):
            least = greatest = points[b * size, k]
            for i in range(b * size + 1, min(n, b * size + size)):
                least = min(least, points[i, k])
                greatest = max(greatest, points[i, k])
            middle = 0.5 * least + 0.5 * greatest  # rounded: by differences half covers the block at any offset
            centre[b, k] = middle
            half[b, k] = max(greatest - middle, middle - least) * (1 + 4e-16)
    return centre, half


@compiled(**_OPTIONS)
def _slope(points, potential, low, high, centre, out):
    """The least-squares slope of the potential over points[low:high], by Gauss-Seidel on the normal equations."""
    d = points.shape[1]
    count = high - low
    mean, average = np.zeros(d), 0.0
    for i in range(low, high):
        average += potential[i] / count
        for k in range(d):
            mean[k] += (points[i, k] - centre[k]) / count
    matrix, right = np.zeros((d, d)), np.zeros(d)
    for i in range(low, high):
        rise = potential[i] - average
        for k in range(d):
            a = points[i, k] - centre[k] - mean[k]
            right[k] += a * rise
            for l in range(k + 1):
                matrix[k, l] += a * (points[i, l] - centre[l] - mean[l])
    for k in range(d):
        for l in range(k):
            matrix[l, k] = matrix[k, l]
    for _ in range(12):
        for k in range(d):
            if matrix[k, k] > 0.0:
                rest = right[k]
                for l in range(d):
                    if l != k:
                        rest -= matrix[k, l] * out[l]
                out[k] = rest / matrix[k, k]


@compiled(**_OPTIONS)
def block_models(points, potential, size, centre):
    """(slope (blocks, d), top (blocks,), greatest (blocks,)) with potential <= top + slope.(point - centre) in a block.

    Any slope is valid, `top` makes it so; `greatest` is the largest potential of the block.
    """
    n, d = points.shape
    blocks = len(centre)
    slope = np.zeros((blocks, d))
    top, greatest = np.empty(blocks), np.empty(blocks)
    for b in range(blocks):
        low, high = b * size, min(n, b * size + size)
        if d <= _SLOPES and high - low > d:
            _slope(points, potential, low, high, centre[b], slope[b])
        top[b] = greatest[b] = -np.inf
        for i in range(low, high):
            linear = 0.0
            for k in range(d):
                linear += slope[b, k] * (points[i, k] - centre[b, k])
            top[b] = max(top[b], potential[i] - linear)
            greatest[b] = max(greatest[b], potential[i])
        if not np.isfinite(top[b]):
            slope[b] = 0.0
            top[b] = greatest[b]
    return slope, top, greatest


@compiled(**_OPTIONS)
def least_slack(a, b, p, x_centre, x_half, x_slope, x_top, x_greatest, y_centre, y_half, y_slope, y_top, y_greatest):
    """A number that |x - y|^p - f(x) - g(y) is not below for any x of block a and y of block b; p = 1 or 2.

    The better of the boxes' distance less the greatest potentials, and the bound from the linear models.
    """
    d = x_centre.shape[1]
    apart, centres, size = 0.0, 0.0, 0.0
    for k in range(d):
        gap = abs(y_centre[b, k] - x_centre[a, k])
        centres += gap * gap
        gap = max(gap - x_half[a, k] - y_half[b, k], 0.0)
        apart += gap * gap
    if p == 1:
        apart, centres = np.sqrt(apart), np.sqrt(centres)
    plain = apart - x_greatest[a] - y_greatest[b]
    linear = centres - x_top[a] - y_top[b]
    for k in range(d):
        gap = y_centre[b, k] - x_centre[a, k]
        if p == 1:
            e = gap / centres if centres > 0.0 else 0.0
        else:
            e = 2.0 * gap
        loss = abs(e - y_slope[b, k]) * y_half[b, k] + abs(e + x_slope[a, k]) * x_half[a, k]
        linear -= loss
        size += loss
    margin = _ROUNDING * (centres + abs(x_greatest[a]) + abs(y_greatest[b]))
    linear -= _ROUNDING * (abs(x_top[a]) + abs(y_top[b]) + size)
    return max(plain, linear) - margin
