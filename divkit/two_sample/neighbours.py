"""How many nearest neighbours come from the same sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from divkit._checks import check_integer
from divkit._unit import in_unit
from divkit.two_sample import Labels, Pooled, Prepared, Statistic

__all__ = ["NearestNeighbours"]

_F = NDArray[np.float64]


@dataclass(frozen=True)
class NearestNeighbours(Statistic):
    """The share of the k nearest neighbours, in the pooled sample, that are of a point's own sample.

    Schilling (1986), Henze (1988). Of neighbours that are equally far, random ones count, whatever their sample.

    Parameters
    ----------
    k : int
    """

    name: ClassVar[str] = "knn"
    summary: ClassVar[str] = "share of nearest neighbours from the same sample"

    k: int = 5

    def __post_init__(self) -> None:
        check_integer("k", self.k, 1)

    def refusal(self, n: int, m: int, d: int) -> str | None:
        """See `Statistic.refusal`."""
        return f"{n + m} points have no {self.k} neighbours each" if n + m <= self.k else None

    def prepare(self, pooled: Pooled, rng: np.random.Generator) -> Prepared:
        """See `Statistic.prepare`."""
        from scipy.sparse import csr_array

        size = len(pooled.points)
        near = _neighbours(in_unit(pooled.points)[0], self.k, rng)  # (N, k)
        starts = np.arange(0, near.size + 1, self.k)
        graph = csr_array((np.ones(near.size), near.ravel(), starts), shape=(size, size))

        def values(labels: Labels) -> _F:
            signs = np.where(labels.T, 1.0, -1.0)  # (N, b)
            agreeing = ((graph @ signs) * signs).sum(axis=0)  # same less different
            return np.asarray((1 + agreeing / near.size) / 2)

        return Prepared(pooled, values, max(64, 2**24 // size))


def _neighbours(points: _F, k: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """k others that are nearest to each point, (N, k), among equals at random.

    In a random order, so that which of several equally near ones a tree returns does not depend on their samples.
    """
    from scipy.spatial import cKDTree

    order = rng.permutation(len(points))
    shuffled = points[order]
    _, found = cKDTree(shuffled).query(shuffled, k + 1)
    own = np.arange(len(points))[:, None]
    found = np.where((found == own).any(axis=1, keepdims=True), found, np.concatenate([found[:, :-1], own], axis=1))
    others = found[found != own].reshape(len(points), k)  # its own copies may have pushed a point out of its list
    near = np.empty_like(others)
    near[order] = order[others]
    return np.asarray(near, dtype=np.intp)
