"""All pairs of two point sets, searched without being stored: nearest partners, and violated dual constraints."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from divkit._threads import parallel_map
from divkit.transport._kernels.boxes import block_geometry, block_models
from divkit.transport._kernels.low import nearest_in_blocks, violations_in_blocks
from divkit.transport._kernels.tiles import (
    centred_rows,
    merge_nearest,
    reachable_blocks,
    rounded_up,
    tile_violations,
)

__all__ = ["FEW_DIMENSIONS", "PairSearch", "Violations", "pair_search"]

_F = NDArray[np.float64]
_I = NDArray[np.int64]

FEW_DIMENSIONS: Final = 4  # up to here blocks of neighbours rule out most pairs
_MANY: Final = 16  # from here the columns are rarely worth centring for fewer than 256 rows
_COLUMNS: Final = 2048  # of a tile: 256 x 2048 float32 numbers are 2 MB


class Violations(NamedTuple):
    """Pairs whose dual constraint is violated, at most a few a row.

    rows, columns, slacks (k,); `least` (n,) is min_j cost - g_j where a row is violated at all, else f; `looked`
    counts the pairs evaluated and `checked` those evaluated twice.
    """

    rows: _I
    columns: _I
    slacks: _F
    least: _F
    looked: int
    checked: int


@dataclass(frozen=True, eq=False)
class Side:
    """Points (n, d) in blocks of `size` neighbours, with the boxes around them."""

    points: _F
    size: int
    centre: _F
    half: _F

    @classmethod
    def of(cls, points: _F, size: int) -> Side:
        return cls(points, size, *block_geometry(points, size))

    def blocks(self, potential: _F) -> tuple[_F, ...]:
        """(centre, half, slope, top, greatest) for a potential (n,)."""
        return self.centre, self.half, *block_models(self.points, potential, self.size, self.centre)


class PairSearch(ABC):
    """Searches over the pairs of x (n, d) and y (m, d) in the order of `kd_order`, at cost |x - y|^p with p = 1, 2."""

    def __init__(self, x: Side, y: Side, p: int, threads: int) -> None:
        self.x, self.y, self.p, self.threads = x, y, p, threads

    @property
    def transposed(self) -> PairSearch:
        """The same search with the roles of x and y exchanged."""
        return type(self)(self.y, self.x, self.p, self.threads)

    @abstractmethod
    def nearest(self, f: _F, g: _F, k: int) -> tuple[_I, _F]:
        """For each x_i the k points of y with the least cost - f_i - g_j: (indices, slacks), (n, k), ascending.

        f (n,) only guides the search; slacks are good to single precision, relative to the largest distance.
        """

    @abstractmethod
    def violations(self, f: _F, g: _F, tolerance: float, per_row: int) -> Violations:
        """The pairs with cost - f_i - g_j < -tolerance (|f_i| + |g_j|), decided in float64; the worst of each row."""

    def _lists(self, f: _F, per_row: int) -> tuple[_F, _I, _I, _F]:
        n = len(f)
        return np.zeros((n, per_row)), np.zeros((n, per_row), np.int64), np.zeros(n, np.int64), f.copy()


def _listed(lists: tuple[_F, _I, _I, _F], looked: int, checked: int) -> Violations:
    values, indices, counts, least = lists
    taken = np.arange(values.shape[1]) < counts[:, None]  # (n, per_row)
    rows = np.repeat(np.arange(len(counts)), counts)
    return Violations(rows, indices[taken], values[taken], least, looked, checked)


class BlockSearch(PairSearch):
    """For few dimensions: pairs of blocks are skipped by `least_slack`, the others evaluated directly in float64."""

    def __init__(self, x: Side, y: Side, p: int, threads: int) -> None:
        super().__init__(x, y, p, threads)
        self._y_columns = np.ascontiguousarray(y.points.T)

    def nearest(self, f: _F, g: _F, k: int) -> tuple[_I, _F]:
        """See `PairSearch.nearest`."""
        n, k = len(f), min(k, len(g))
        values, indices = np.empty((n, k)), np.zeros((n, k), np.int64)
        x, y = self.x, self.y
        common = (x.points, y.points, self._y_columns, f, g, self.p, x.size, x.blocks(f), y.blocks(g), values, indices)
        parallel_map(lambda part: nearest_in_blocks(*part, *common), self._parts(), self.threads)
        return indices, values

    def violations(self, f: _F, g: _F, tolerance: float, per_row: int) -> Violations:
        """See `PairSearch.violations`."""
        lists = self._lists(f, per_row)
        x, y = self.x, self.y
        blocks = x.blocks(f), y.blocks(g)
        common = (x.points, y.points, self._y_columns, f, g, self.p, tolerance, x.size, *blocks, *lists)
        counts = parallel_map(lambda part: violations_in_blocks(*part, *common), self._parts(), self.threads)
        looked, checked = np.sum(counts, axis=0)
        return _listed(lists, int(looked), int(checked))

    def _parts(self) -> list[tuple[int, int]]:
        """Ranges of row blocks: a few for each thread, as they differ in work."""
        blocks = len(self.x.centre)
        ends = np.linspace(0, blocks, min(blocks, 8 * self.threads if self.threads > 1 else 1) + 1).astype(int)
        return list(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True))


class TileSearch(PairSearch):
    """For many dimensions: tiles of squared distances by float32 matrix products, each around its own centre."""

    @property
    def _safety(self) -> float:
        d = int(self.x.points.shape[1])
        return 2.0 * (d + 8) * 2.0**-24

    def nearest(self, f: _F, g: _F, k: int) -> tuple[_I, _F]:
        """See `PairSearch.nearest`."""
        n, k = len(f), min(k, len(g))
        values, indices = np.full((n, k), np.inf, np.float32), np.zeros((n, k), np.int64)
        levels = np.empty(n)

        def work(a: int) -> None:
            low, high, product, level = self._row_block(a, f)
            levels[low:high] = level
            single = (g + level).astype(np.float32)
            for start, stop in _tiles([(0, len(g))]):
                merge_nearest(product(start, stop, 0.0), low, start, single[start:stop], self.p, values, indices)

        self._each_block(work)
        return indices, values + (levels - f)[:, None]

    def violations(self, f: _F, g: _F, tolerance: float, per_row: int) -> Violations:
        """See `PairSearch.violations`."""
        lists = self._lists(f, per_row)
        x_blocks, y_blocks = self.x.blocks(f), self.y.blocks(g)
        columns = len(self.y.centre)

        def work(a: int) -> tuple[int, int]:
            low, high, product, level = self._row_block(a, f)
            single = rounded_up(g + level)
            starts, stops = np.empty(columns, np.int64), np.empty(columns, np.int64)
            runs = reachable_blocks(a, self.p, x_blocks, y_blocks, self.y.size, len(g), starts, stops)
            looked = checked = 0
            for start, stop in _tiles(zip(starts[:runs].tolist(), stops[:runs].tolist(), strict=True)):
                looked += (high - low) * (stop - start)
                checked += tile_violations(
                    product(start, stop, self._safety),
                    low,
                    start,
                    level,
                    single[start:stop],
                    self.x.points,
                    self.y.points,
                    f,
                    g,
                    self.p,
                    tolerance,
                    *lists,
                )
            return looked, checked

        counts = np.array(self._each_block(work))  # (blocks, 2)
        return _listed(lists, int(counts[:, 0].sum()), int(counts[:, 1].sum()))

    def _row_block(self, a: int, f: _F) -> tuple[int, int, Any, float]:
        """(first row, last row + 1, product(start, stop, safety) -> tile, mean of f) of block a of x."""
        x, y = self.x, self.y
        low, high = a * x.size, min(len(x.points), (a + 1) * x.size)
        d = x.points.shape[1]
        centre = x.points[low:high].mean(axis=0)
        left = np.empty((high - low, d + 2), np.float32)
        right = np.empty((_COLUMNS, d + 2), np.float32)
        tile = np.empty((high - low) * _COLUMNS, np.float32)
        radius = centred_rows(x.points, low, high, centre, 1.0, 0.0, 0.0, left)

        def product(start: int, stop: int, safety: float) -> Any:
            width = stop - start
            centred_rows(y.points, start, stop, centre, -2.0, radius, safety, right)
            out = tile[: (high - low) * width].reshape(high - low, width)
            return np.matmul(left, right[:width].T, out=out)

        return low, high, product, float(f[low:high].mean())

    def _each_block(self, work: Any) -> list[Any]:
        with _linear_algebra().limit(limits=1):  # the threads are ours
            return parallel_map(work, range(len(self.x.centre)), self.threads)


@lru_cache(maxsize=1)
def _linear_algebra() -> Any:
    """The libraries behind matrix products: looking for them takes milliseconds, setting their threads does not."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


def _tiles(runs: Any) -> Any:
    for first, last in runs:
        for start in range(first, last, _COLUMNS):
            yield start, min(start + _COLUMNS, last)


def pair_search(x: _F, y: _F, p: int, threads: int) -> PairSearch:
    """The search that suits the dimension; x and y in the order of `kd_order`."""
    d = x.shape[1]
    size = block_size(d)
    kind = BlockSearch if d <= FEW_DIMENSIONS else TileSearch
    return kind(Side.of(x, size), Side.of(y, size), p, threads)


def block_size(d: int) -> int:
    """Points in a block: where blocks rule out pairs small ones are sharper, elsewhere large ones are faster."""
    return 32 if d <= 3 else 64 if d <= FEW_DIMENSIONS else 128 if d < _MANY else 256
