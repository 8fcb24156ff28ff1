"""Sorting points together with their masses, faster than an index sort.

The points are mapped to 31-bit cells of equal width, a cell and an index are packed into one int64, and these are
sorted by NumPy's vectorised sort of plain integers. What is left is order within cells: short runs are finished by
insertion, longer unsorted ones are handed back.
"""

from __future__ import annotations

import numpy as np

from divkit._compile import compiled

__all__ = ["pack_cells", "unpack_atoms"]

_OPTIONS = {"error_model": "numpy", "nogil": True}
_INDEX = np.int64(0xFFFFFFFF)
_SHORT = 24  # runs up to this length are insertion-sorted


@compiled(**_OPTIONS)
def pack_cells(points, low, cells_per_unit):
    """(cell << 32) | index for each point; cell = floor((point - low) cells_per_unit) < 2^31, monotone in the point."""
    keys = np.empty(points.size, np.int64)
    for i in range(points.size):
        keys[i] = (np.int64((points[i] - low) * cells_per_unit) << 32) | i
    return keys


@compiled(**_OPTIONS)
def unpack_atoms(keys, points, masses, runs):
    """(points, masses) in the order of the sorted keys, and how many runs still need sorting.

    Invariant: before position `start` everything is in increasing order, except the runs [runs[k, 0], runs[k, 1])
    with k < count. If `runs` (r, 2) is too short, count is r + 1 and the arrays are to be thrown away.
    """
    n = keys.size
    x, w = np.empty(n, np.float64), np.empty(n, np.float64)
    for i in range(n):
        at = keys[i] & _INDEX
        x[i], w[i] = points[at], masses[at]
    count, start = 0, 0
    while start < n:
        cell, end, ordered = keys[start] >> 32, start + 1, True
        while end < n and keys[end] >> 32 == cell:
            ordered = ordered and x[end - 1] <= x[end]
            end += 1
        if not ordered and end - start <= _SHORT:
            _insertion_sort(x[start:end], w[start:end])
        elif not ordered:
            if count == runs.shape[0]:
                return x, w, count + 1
            runs[count, 0], runs[count, 1] = start, end
            count += 1
        start = end
    return x, w, count


@compiled(**_OPTIONS)
def _insertion_sort(x, w):
    """Sort x in place and carry w along."""
    for i in range(1, x.size):
        point, mass, j = x[i], w[i], i
        while j > 0 and x[j - 1] > point:
            x[j], w[j] = x[j - 1], w[j - 1]
            j -= 1
        x[j], w[j] = point, mass
