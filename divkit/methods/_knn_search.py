"""Neighbours of points among two samples: coordinates in which distances make sense, radii, counts in balls."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from divkit._threads import workers
from divkit.methods._knn_dense import DenseNeighbours
from divkit.methods._samples import standardized

__all__ = ["Balls", "TreeNeighbours", "balls", "coordinates", "mapped", "neighbours", "reach", "tied_share", "whitener"]

_F = NDArray[np.float64]
_I = NDArray[np.int64]
_ROUNDING: Final = 1e-10  # relative; distances this close are one distance, so that ties survive a rotation
_NULL: Final = 1e-12  # eigenvalues of a correlation matrix below this, relative to the largest, are rounding
_RADIUS: Final = 3.0  # in pooled standard deviations per root of the dimension: farther points count as this far
_BETWEEN: Final = 1e-3  # weight of the total beside the within-sample covariance
_BLOCK: Final = 2**22  # distances listed at a time
_FAR: Final = 1e100
_SHARED: Final = 2000  # queries from which threads pay
_DENSE: Final = 12  # dimensions from which all distances are faster than a tree
_MANY: Final = 256  # points of a thinned tree in a ball from which a count is taken from it: 6 % standard error
_THINNED: Final = 8  # one of so many points is kept, again and again, down to _FEWEST
_FEWEST: Final = 16 * _MANY  # points that no tree is thinned below
_TAME: Final = 1e4  # coordinates below which squared distances keep their digits


def coordinates(x: _F, y: _F) -> tuple[_F, _F]:
    """Both samples, (n, d) and (m, d), in the coordinates that distances are taken in: (n, c) and (m, c), c <= d.

    Standardised, then made uncorrelated. Both maps are linear and invertible on the span of the data, so that no
    f-divergence notices; the nearest-neighbour estimates do, since their bias is small where balls fit the laws.
    """
    x, y = (_tamed(sample) for sample in standardized(x, y))
    if x.shape[1] == 1:
        return x, y
    matrix = whitener(x, y)
    return mapped(x, matrix), mapped(y, matrix)


def _tamed(points: _F) -> _F:
    """The points, with coordinates beyond 1e100 on a logarithmic scale, where squared distances would overflow."""
    size = np.abs(points)
    if float(size.max()) <= _FAR:
        return points
    return np.where(size <= _FAR, points, np.sign(points) * _FAR * (1 + np.log(np.maximum(size / _FAR, 1.0))))


def whitener(x: _F, y: _F) -> _F:
    """The (d, c) matrix that makes standardised samples (n, d), (m, d) uncorrelated with unit variances, c <= d.

    The covariance is the mean of the two samples' own, so that the gap between them does not count as spread, with
    a trace of the total one, so that a direction in which only the gap is left is kept. Points far out are drawn in
    along their ray: heavy tails have no covariance, and exact linear relations survive. Directions in which the
    pooled points do not vary are left out. With few points for the dimension the spectrum is shrunk to its mean.
    """
    total = len(x) + len(y)
    within = [_scatter(sample) for sample in (x, y) if len(sample)]
    pooled = _scatter(np.concatenate([x, y]))
    values, vectors = np.linalg.eigh(sum(within) / len(within) + _BETWEEN * pooled)
    kept = values > _NULL * values[-1]
    values, vectors = values[kept], vectors[:, kept]  # (c,), (d, c)
    values = values + (len(values) / total) ** 2 * values.mean()
    return np.asarray(vectors / np.sqrt(values), dtype=np.float64)


def _scatter(points: _F) -> _F:
    """Covariance (d, d) of points (n, d) that are drawn in to a finite distance from their centre.

    The centre is a weighted mean of the points: it meets the linear relations that they meet, as no median does.
    """
    gaps = points - np.median(points, axis=0)
    weights = _drawn_in(gaps)
    gaps = points - weights @ points / weights.sum()
    gaps *= _drawn_in(gaps)[:, None]
    return np.asarray(gaps.T @ gaps / len(gaps))


def _drawn_in(gaps: _F) -> _F:
    """Factors (n,) that bring each row to the radius at most."""
    radius = _RADIUS * np.sqrt(gaps.shape[1])
    lengths = np.sqrt(np.einsum("ij,ij->i", gaps, gaps))
    return np.asarray(radius / np.maximum(lengths, radius))


def mapped(points: _F, matrix: _F) -> _F:
    """The product, summed in one order for every row: BLAS rounds equal rows differently at the edge of a block."""
    image = points[:, :1] * matrix[0]  # (n, c)
    for j in range(1, len(matrix)):
        image += points[:, j : j + 1] * matrix[j]
    return np.asarray(image)


def tied_share(x: _F, y: _F) -> float:
    """The share of the pooled points, (n, d) and (m, d), that coincide with another one."""
    pooled = np.concatenate([x, y])
    first = np.sort(pooled[:, 0])
    if not (first[1:] == first[:-1]).any():
        return 0.0
    ranked = pooled[np.lexsort(pooled.T)]
    same = np.concatenate([[False], (ranked[1:] == ranked[:-1]).all(axis=1), [False]])
    return float((same[1:] | same[:-1]).mean())


class TreeNeighbours:
    """Euclidean neighbours among fixed points (n, d), with a k-d tree."""

    def __init__(self, points: _F) -> None:
        from scipy.spatial import cKDTree

        self.size = len(points)
        self.tree: Any = cKDTree(points, balanced_tree=False, compact_nodes=True)
        self.order: _I = self.tree.indices  # points in one box follow one another: their searches share the cache

    def radii(self, queries: _F, k: int, skip: int = 0) -> tuple[_F, _F, _F]:
        """Distances (q,) to the nearest, the k-th and the following point; inf where there are too few.

        The nearest `skip` points do not count: 1 if the queries are the points themselves.
        """
        wanted = [1 + skip, k + skip, k + skip + 1]
        blocks = self._blocks(len(queries), wanted[-1])
        found = [self.tree.query(queries[rows], k=wanted, workers=_threads(rows))[0] for rows in blocks]
        nearest, last, following = np.concatenate(found).T
        return nearest, last, following

    def nearest(self, queries: _F, count: int) -> tuple[_F, _I]:
        """Distances to the nearest points, ascending, and their indices, (q, count); inf and n where too few."""
        blocks = self._blocks(len(queries), count)
        found = [self.tree.query(queries[rows], k=range(1, count + 1), workers=_threads(rows)) for rows in blocks]
        distances, index = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return distances, index

    def count(self, queries: _F, radii: _F) -> _I:
        """How many points lie within each radius, (q,)."""
        threads = _threads(slice(0, len(queries)))
        found = self.tree.query_ball_point(queries, radii, return_length=True, workers=threads)
        return np.asarray(found, dtype=np.int64)

    def rough_count(self, queries: _F, radii: _F) -> _I:
        """As `count`, but from a random part of the points for balls that hold thousands: 6 % standard error.

        Counting visits every leaf in a ball: between laws far apart, balls that hold a share of all points would cost
        n^2.
        """
        found = np.empty(len(queries), dtype=np.int64)
        pending = np.arange(len(queries))
        for part in self._parts:
            counts = part.count(queries[pending], radii[pending])
            sure = counts >= _MANY
            found[pending[sure]] = np.rint(counts[sure] * (self.size / part.size))
            pending = pending[~sure]
        found[pending] = self.count(queries[pending], radii[pending])
        return found

    @cached_property
    def _parts(self) -> list[TreeNeighbours]:
        """Trees of ever more of the points, the same ones in every run; the whole is not among them."""
        order = np.random.default_rng(0).permutation(self.size)
        sizes: list[int] = []
        while (size := self.size // _THINNED ** (len(sizes) + 1)) >= _FEWEST:
            sizes.append(size)
        return [TreeNeighbours(self.tree.data[order[:size]]) for size in reversed(sizes)]

    def _blocks(self, queries: int, count: int) -> list[slice]:
        step = max(1, _BLOCK // count)
        return [slice(start, min(start + step, queries)) for start in range(0, queries, step)]


def _threads(rows: slice) -> int:
    """Starting threads takes longer than a few queries."""
    return workers() if rows.stop - rows.start >= _SHARED else 1


def neighbours(points: _F) -> TreeNeighbours | DenseNeighbours:
    """The faster search among these points (n, d)."""
    dense = points.shape[1] >= _DENSE and float(np.abs(points).max()) < _TAME
    return DenseNeighbours(points) if dense else TreeNeighbours(points)


def reach(radii: _F) -> _F:
    """Radii a little larger, so that points at equal distances lie in one closed ball whatever the rounding."""
    return radii * (1 + _ROUNDING)


@dataclass(frozen=True)
class Balls:
    """The smallest closed ball round each point of x that holds k others of x and k points of y.

    Attributes
    ----------
    own, other : ndarray of int, shape (n,)
        Points of x beside the centre, and of y, in the ball; both at least k. Above 2,000 within a few percent.
    own_radius, other_radius : ndarray, shape (n,)
        Distances to the k-th neighbour in x and in y; the ball's radius is the larger one.
    separate : bool
        Whether no point of x has a point of y among its k nearest neighbours.
    """

    own: _I
    other: _I
    own_radius: _F
    other_radius: _F
    separate: bool


def balls(x: _F, y: _F, k: int) -> Balls:
    """The balls round x, (n, d), among x and y, (m, d); k < n and k <= m."""
    in_x, in_y = neighbours(x), neighbours(y)
    x = x[in_x.order]
    _, own_radius, own_next = in_x.radii(x, k, skip=1)
    nearest, other_radius, other_next = in_y.radii(x, k)
    radius = reach(np.maximum(own_radius, other_radius))  # (n,)
    own, other = (np.full(len(x), k, dtype=np.int64) for _ in range(2))
    more = own_next <= radius
    own[more] = _counted(in_x, x[more], radius[more], own_radius[more], k) - 1  # without the centre
    more = other_next <= radius
    other[more] = _counted(in_y, x[more], radius[more], other_radius[more], k)
    separate = bool((nearest > own_radius).all())
    return Balls(own, other, own_radius, other_radius, separate)


def _counted(search: TreeNeighbours | DenseNeighbours, queries: _F, radii: _F, known: _F, k: int) -> _I:
    """Points in balls, (q,), roughly where a ball holds thousands if points lie as within the radii of k neighbours."""
    if isinstance(search, DenseNeighbours):
        return search.count(queries, radii)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        thin = k * (radii / known) ** queries.shape[1] <= _THINNED * _MANY  # nan: copies, however many
    found = np.empty(len(queries), dtype=np.int64)
    found[thin] = search.count(queries[thin], radii[thin])
    found[~thin] = search.rough_count(queries[~thin], radii[~thin])
    return found
