"""What the solve of one level starts with: candidate arcs, potentials within reason, and the price of the hub."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from divkit.transport._levels import Level
from divkit.transport._pair_search import PairSearch
from divkit.transport._watch import Watch

__all__ = ["candidates", "diameter", "far_points", "first_price", "joined", "magnitude", "tamed"]

_F = NDArray[np.float64]
_I = NDArray[np.int64]

_DENSE: Final = 40_000  # pairs up to here are all candidates
_OUT: Final = 256.0  # times the distance that nine tenths are within
_RANGE: Final = 2.0**12  # potentials start within this many typical ones: a far pair must not cost the others digits


def candidates(search: PairSearch, f: _F, g: _F, k: int, watch: Watch) -> tuple[_I, _I, float]:
    """Arcs (rows, columns) to the k partners of least slack from both sides, and how far these slacks spread.

    The spread is the median over the rows of the fifth slack less the first; 0 if all pairs are candidates.
    """
    n, m = len(f), len(g)
    if n * m <= _DENSE:
        return np.repeat(np.arange(n), m), np.tile(np.arange(m), n), 0.0
    forward, slacks = search.nearest(f, g, k)
    watch.check()
    backward, _ = search.transposed.nearest(g, f, k)
    ahead = np.repeat(np.arange(n), forward.shape[1]), forward.ravel()
    back = backward.ravel(), np.repeat(np.arange(m), backward.shape[1])
    rows, columns = joined(ahead, back, m)
    fifth = min(4, slacks.shape[1] - 1)
    return rows, columns, float(np.median(slacks[:, fifth] - slacks[:, 0]))


def joined(some: tuple[_I, _I], more: tuple[_I, _I], m: int) -> tuple[_I, _I]:
    """The union of two lists of pairs (rows, columns < m), in the order of the rows."""
    keys = np.sort(np.concatenate([some[0] * m + some[1], more[0] * m + more[1]]))  # np.unique hashes: ten times slower
    rows, columns = np.divmod(keys[np.append(True, keys[1:] != keys[:-1])], m)
    return rows, columns


def tamed(f: _F, g: _F) -> tuple[_F, _F]:
    """Potentials within a range beside which typical ones keep their digits: only far-away points are concerned."""
    typical = float(np.median(np.abs(f)) + np.median(np.abs(g)))
    if typical == 0.0:
        return f, g
    limit = _RANGE * typical
    return np.clip(f, -limit, limit), np.clip(g, -limit, limit)


def magnitude(f: _F, g: _F) -> float:
    """A bound on |f_i| + |g_j|."""
    return float(np.abs(f).max() + np.abs(g).max())


def first_price(costs: _F, slacks: _F | None, factor: float) -> float:
    """Dear enough that mass leaves the hub wherever arcs allow it, cheap enough to keep the potentials small.

    costs and slacks (k,) are those of the candidate arcs; no slacks mean that there are no potentials yet.
    """
    typical = float(np.median(costs))
    if slacks is None:
        price = 4 * min(float(costs.max()), _RANGE * typical if typical > 0 else math.inf)
    else:
        price = max(factor * float(np.quantile(slacks, 0.9)), 4 * typical)
    return price if price > 0 else math.inf


def far_points(level: Level) -> NDArray[np.bool_]:
    """Which of the n + m points lie hundreds of times further out than nine tenths of them."""
    points = np.concatenate([level.x, level.y])
    out = np.abs(points - np.median(points, axis=0)).max(axis=1)  # (n + m,)
    return np.asarray(out > _OUT * float(np.quantile(out, 0.9)))


def diameter(level: Level, which: NDArray[np.bool_], p: int) -> float:
    """A bound on the costs between the chosen of the n + m points; 1 if all are one point."""
    points = np.concatenate([level.x, level.y])[which]
    bound = float(np.sqrt((np.ptp(points, axis=0) ** 2).sum())) ** p
    return bound * 1.01 if bound > 0 else 1.0
