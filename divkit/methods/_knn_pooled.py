"""Bounded f-divergences from the labels of the nearest neighbours in the pooled sample."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from divkit.divergences import FDivergence
from divkit.methods._knn_local import Reading
from divkit.methods._knn_search import neighbours, reach

__all__ = ["pooled_reading"]

_F = NDArray[np.float64]
_BLOCK: Final = 2**22  # neighbours listed at a time


def pooled_reading(div: FDivergence, x: _F, y: _F, k: int) -> Reading:
    """D(P || Q) from x (n, d) of P and y (m, d) of Q, by the one-step values at k and at 2 k neighbours.

    With local log ratios l, each one-step value mean T(l) over x - mean f*(T(l)) over y is too small by half the
    second derivative times the mean squared error of l. Its part that comes from counting k labels is proportional
    to 1/k, so that twice the value at 2 k minus the value at k is free of it. What the radius smears out stays.
    """
    n, m = len(x), len(y)
    values = []
    for near_x, near in _labels(x, y, k):
        # One pseudo-count, divided like the samples, keeps the logs finite and draws them to 0. The prior odds are
        # the same at every point: n - 1 others of x at a point of x would break ties by the point's own label.
        odds = (near_x + n / (n + m)) / (near - near_x + m / (n + m))
        l = np.log(odds) - math.log(n / m)  # (n + m,)
        critic, conj_critic = div.log_ratio.activation(l[:n]), div.log_ratio.conj_activation(l[n:])
        values.append(float(np.mean(critic)) - float(np.mean(conj_critic)))
    return Reading(2 * values[1] - values[0], facts={"one_step": tuple(values)})


def _labels(x: _F, y: _F, k: int) -> list[tuple[_F, _F]]:
    """Labels of the nearest others of each pooled point, (n + m,): how many are of x, and of how many.

    Of k in the first pair and 2 k in the second; of all that are as near where the last radius ties.
    """
    n, pooled = len(x), np.concatenate([x, y])
    among = neighbours(pooled)
    counts = (k, 2 * k)
    near_x = np.empty((2, len(pooled)))
    radius, tied = np.empty((2, len(pooled))), np.empty((2, len(pooled)), dtype=bool)
    step = max(1, _BLOCK // (2 * k + 2))
    for start in range(0, len(pooled), step):
        rows = among.order[start : start + step]
        distance, index = among.nearest(pooled[rows], 2 * k + 2)  # the first is the point itself
        for i, count in enumerate(counts):
            radius[i, rows] = reach(distance[:, count])
            tied[i, rows] = distance[:, count + 1] <= radius[i, rows]
            near_x[i, rows] = (index[:, : count + 1] < n).sum(axis=1) - (rows < n)
    near = np.repeat(np.array(counts, dtype=np.float64)[:, None], len(pooled), axis=1)  # (2, n + m)
    if tied.any():
        among_x = neighbours(x)
        for i in range(2):
            queries, within = pooled[tied[i]], radius[i, tied[i]]
            near_x[i, tied[i]] = among_x.count(queries, within) - (np.flatnonzero(tied[i]) < n)
            near[i, tied[i]] = among.count(queries, within) - 1
    return list(zip(near_x, near, strict=True))
