"""W_inf between point sets: the least radius within which all mass can be moved."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from divkit.transport._frame import Masses

__all__ = ["bottleneck", "bottleneck_refusal"]

_F = NDArray[np.float64]
_LARGEST_FLOW: Final = 2**31 - 1  # scipy.sparse.csgraph.maximum_flow counts in int32


def bottleneck_refusal(masses: Masses) -> str | None:
    """Why W_inf cannot be computed for these masses, in a clause; None if it can.

    W_inf depends on every mass, however small, and jumps when one is rounded: only exact integers will do.
    """
    if masses.exact and _in_lowest_terms(masses)[2] <= _LARGEST_FLOW:
        return None
    return (
        "p = inf needs equal weights, or counts whose common multiple is below 2**31, because that distance jumps "
        "when a mass is rounded; use a large finite p, which bounds it from below"
    )


def bottleneck(distance: _F, masses: Masses) -> float:
    """min over plans of the largest distance (n, m) that carries mass, for masses that are not refused.

    Bisection over the sorted distances; whether all mass fits on the pairs within a radius is a maximum
    flow in integers (a bipartite matching if all masses are equal), so both answers are exact.
    """
    rows, columns = masses.rows, masses.columns
    inside = distance[np.ix_(rows, columns)]  # (k, l)
    a, b, total = _in_lowest_terms(masses)
    # Each point must reach somebody: below this radius nothing fits.
    least = max(float(inside.min(axis=1).max()), float(inside.min(axis=0).max()))
    radii = np.unique(inside[inside >= least])
    low, high = 0, len(radii) - 1  # radii[high] always fits
    while low < high:
        middle = (low + high) // 2
        if _fits(inside <= radii[middle], a[rows], b[columns], total):
            high = middle
        else:
            low = middle + 1
    return float(radii[high])


def _in_lowest_terms(masses: Masses) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """The masses divided by their common divisor, and their total."""
    a, b = masses.x.astype(np.int64), masses.y.astype(np.int64)
    divisor = max(int(np.gcd.reduce(np.concatenate([a, b]))), 1)
    return a // divisor, b // divisor, int(masses.total) // divisor


def _fits(allowed: NDArray[np.bool_], a: NDArray[np.int64], b: NDArray[np.int64], total: int) -> bool:
    """Whether the masses a (k,) can be moved to b (l,) along the allowed pairs (k, l)."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching, maximum_flow

    k, l = allowed.shape
    if total == k == l:
        return bool(np.all(maximum_bipartite_matching(csr_array(allowed), perm_type="column") >= 0))
    i, j = np.nonzero(allowed)
    source, sink = k + l, k + l + 1
    tails = np.concatenate([np.full(k, source), i, np.arange(k, k + l)])
    heads = np.concatenate([np.arange(k), j + k, np.full(l, sink)])
    capacity = np.concatenate([a, np.minimum(a[i], b[j]), b]).astype(np.int32)
    graph = csr_array((capacity, (tails, heads)), shape=(k + l + 2, k + l + 2))
    return int(maximum_flow(graph, source, sink).flow_value) == total
