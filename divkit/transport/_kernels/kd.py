"""The order of the leaves of a kd-tree: neighbours in memory become neighbours in space."""

from __future__ import annotations

import numpy as np

from divkit._compile import compiled

__all__ = ["kd_order"]

_OPTIONS = {"error_model": "numpy", "nogil": True}


@compiled(**_OPTIONS)
def _select(keys, order, low, high, k):
    """Partition [low, high) so that keys before low + k are <= keys from there on; both arrays move together.

    Hoare's selection with the median of three: runs of equal keys are split in the middle, so ties cost nothing.
    """
    k += low
    high -= 1
    while low < high:
        middle = (low + high) >> 1
        a, b, c = keys[low], keys[middle], keys[high]
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = low, high
        while i <= j:
            while keys[i] < pivot:
                i += 1
            while keys[j] > pivot:
                j -= 1
            if i <= j:
                keys[i], keys[j] = keys[j], keys[i]
                order[i], order[j] = order[j], order[i]
                i += 1
                j -= 1
        if k <= j:
            high = j
        elif k >= i:
            low = i
        else:
            return


@compiled(**_OPTIONS)
def kd_order(points, leaf, block):
    """Indices (n,) of points (n, d) in the order of the leaves of a balanced kd-tree split on the widest axis.

    Invariant: every split is at a multiple of `block` while a cell has more than `block` points, and at a multiple of
    `leaf` below, so that consecutive groups of either size, counted from 0, are cells of the tree.
    """
    n, d = points.shape
    order = np.arange(n)
    keys = np.empty(n, np.float64)
    starts, ends = np.empty(64, np.int64), np.empty(64, np.int64)  # depth first: at most one entry a level
    starts[0], ends[0], top = 0, n, 1
    while top > 0:
        top -= 1
        low, high = starts[top], ends[top]
        count = high - low
        if count <= leaf:
            continue
        axis, widest = 0, -1.0
        for k in range(d):
            least = greatest = points[order[low], k]
            for i in range(low + 1, high):
                value = points[order[i], k]
                least = min(least, value)
                greatest = max(greatest, value)
            if greatest - least > widest:
                axis, widest = k, greatest - least
        unit = block if count > block else leaf
        half = unit * max(1, (count // 2 + unit // 2) // unit)
        if widest > 0.0:  # otherwise all are one point, in any order
            for i in range(low, high):
                keys[i] = points[order[i], axis]
            _select(keys, order, low, high, half)
        starts[top], ends[top] = low + half, high
        starts[top + 1], ends[top + 1] = low, low + half
        top += 2
    return order
