"""Neighbours by blocks of all distances, for the dimensions in which a tree visits nearly every point anyway."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from divkit._threads import parallel_map, workers

__all__ = ["DenseNeighbours"]

_F = NDArray[np.float64]
_I = NDArray[np.int64]
_BLOCK: Final = 2**22  # squared distances held at a time by each thread
_SPARE: Final = 4  # candidates beyond those asked for, among which exact distances decide
_SLACK: Final = 1e-13  # relative to the largest squared norm: a bound on the error of |a|^2 - 2 a b + |b|^2


class DenseNeighbours:
    """Euclidean neighbours among fixed points (n, d), with a matrix product for all squared distances.

    The product only proposes: distances that are returned, and those within its rounding error of a radius, are
    computed from differences of coordinates, so that copies are at distance 0.
    """

    def __init__(self, points: _F) -> None:
        self.points = points
        self.size = len(points)
        self.order = np.arange(self.size)
        self.squares = np.einsum("ij,ij->i", points, points)  # (n,)
        self.slack = _SLACK * float(self.squares.max())

    def radii(self, queries: _F, k: int, skip: int = 0) -> tuple[_F, _F, _F]:
        """Distances (q,) to the nearest, the k-th and the following point; inf where there are too few.

        The nearest `skip` points do not count: 1 if the queries are the points themselves.
        """
        distances, _ = self.nearest(queries, k + skip + 1)
        return distances[:, skip], distances[:, k + skip - 1], distances[:, k + skip]

    def nearest(self, queries: _F, count: int) -> tuple[_F, _I]:
        """Distances to the nearest points, ascending, and their indices, (q, count); inf and n where too few."""
        found = parallel_map(lambda rows: self._nearest(queries[rows], count), self._blocks(len(queries)), workers())
        distances, index = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return distances, index

    def _nearest(self, queries: _F, count: int) -> tuple[_F, _I]:
        squared = self._squared(queries)
        wide = min(count + _SPARE, self.size)
        index = np.argpartition(squared, wide - 1, axis=1)[:, :wide]  # (q, wide)
        gaps = self.points[index] - queries[:, None, :]  # (q, wide, d)
        distances = np.sqrt(np.einsum("ijk,ijk->ij", gaps, gaps))
        order = np.argsort(distances, axis=1, kind="stable")[:, :count]
        distances, index = np.take_along_axis(distances, order, 1), np.take_along_axis(index, order, 1)
        missing = ((0, 0), (0, count - distances.shape[1]))
        return np.pad(distances, missing, constant_values=np.inf), np.pad(index, missing, constant_values=self.size)

    def count(self, queries: _F, radii: _F) -> _I:
        """How many points lie within each radius, (q,)."""
        blocks = self._blocks(len(queries))
        return np.concatenate(
            [
                np.empty(0, np.int64),
                *parallel_map(lambda rows: self._count(queries[rows], radii[rows]), blocks, workers()),
            ]
        )

    def _count(self, queries: _F, radii: _F) -> _I:
        beyond = self._squared(queries) - (radii**2)[:, None]  # (q, n)
        slack = self.slack + _SLACK * float(np.einsum("ij,ij->i", queries, queries).max())
        inside = (beyond < -slack).sum(axis=1)
        row, column = np.nonzero(np.abs(beyond) <= slack)
        apart = np.sqrt(((self.points[column] - queries[row]) ** 2).sum(axis=1))
        return np.asarray(inside + np.bincount(row[apart <= radii[row]], minlength=len(queries)), dtype=np.int64)

    def _squared(self, queries: _F) -> _F:
        """Squared distances (q, n) up to rounding."""
        squared = queries @ self.points.T
        squared *= -2
        squared += self.squares
        squared += np.einsum("ij,ij->i", queries, queries)[:, None]
        return np.asarray(squared)

    def _blocks(self, queries: int) -> list[slice]:
        step = max(1, _BLOCK // self.size)
        return [slice(start, start + step) for start in range(0, queries, step)]
