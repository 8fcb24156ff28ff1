"""Cells and their counts: equal-mass bins, given edges, categories, and the merging of cells with too few points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from divkit._array import to_numpy
from divkit._errors import InvalidInput

__all__ = [
    "EXPECTED",
    "LEAST",
    "Cells",
    "category_counts",
    "check_counts",
    "count_between",
    "distinct_rows",
    "equal_mass_edges",
    "merge_categories",
    "merge_neighbours",
]

_F = NDArray[np.float64]
_I = NDArray[np.int64]

EXPECTED: Final = 10  # points of the smaller sample that a cell of the balanced mixture must expect
LEAST: Final = 4  # points on a side whose absence would make the divergence infinite
_GRAIN: Final = 0.5  # points by which cells of equal mass fall short of it, as points cannot be split
_WHOLE: Final = 2**53  # up to here every integer is a float64


@dataclass(frozen=True, eq=False)
class Cells:
    """How many points of two samples fall into each of K cells.

    Parameters
    ----------
    x, y : ndarray, shape (K,)
        Counts of both samples; every cell has a point.
    edges : ndarray, shape (K - 1,), or None
        Cell k is (edges[k - 1], edges[k]], with infinite outer edges; None for categories.
    merged : int
        Cells that were merged away.
    other : int
        Categories gathered in the last cell, 0 if each cell is one category.
    """

    x: _I
    y: _I
    edges: _F | None = None
    merged: int = 0
    other: int = 0

    @property
    def sizes(self) -> tuple[int, int]:
        """The sizes n and m of the two samples."""
        return int(self.x.sum()), int(self.y.sum())

    @property
    def expected(self) -> _F:
        """Points (K,) that a sample as small as the smaller one would have under the mixture of both laws."""
        n, m = self.sizes
        return np.asarray(min(n, m) * (self.x / n + self.y / m) / 2)


def check_counts(name: str, value: Any) -> _I:
    """Counts of categories as integers (K,), or an error with the remedy."""
    array = to_numpy(name, value)
    if array.ndim != 1 or array.size == 0:
        raise InvalidInput(
            f"{name} must be a non-empty one-dimensional array, one count a category, got shape {array.shape}"
        )
    if array.dtype.kind == "b":
        raise InvalidInput(f"{name} must hold counts, got booleans; count first, for example with np.bincount")
    with np.errstate(invalid="ignore"):
        bad = ~((array >= 0) & (array <= _WHOLE) & (array == np.floor(array)))
    if bad.any():
        at = int(np.argmax(bad))
        raise InvalidInput(
            f"{name} must hold whole numbers from 0 to 2**53, but {name}[{at}] is {array[at]}; pass the counts "
            f"themselves: shares have lost the sample size that the error bar needs (multiply them by it), and two "
            f"probability vectors without an error bar are for divkit.estimate with Discrete laws"
        )
    counts = array.astype(np.int64)
    if counts.sum() == 0:
        raise InvalidInput(f"{name} sums to 0; a law needs at least one observation")
    return counts


# ---- making cells ----


def equal_mass_edges(x: _F, y: _F, bins: int) -> _F:
    """Edges of up to `bins` cells of equal mass under the mixture that gives each sample one half.

    Cells are (low, high] and edges are points of the data, so that equal values share a cell and an increasing map
    of the data changes no count. Fewer cells come out where single values weigh more than 1/bins.

    Parameters
    ----------
    x, y : ndarray, shape (n,) and (m,)
        Ascending.
    bins : int

    Returns
    -------
    ndarray, shape (at most bins - 1,)
    """
    n, m = len(x), len(y)
    # In units of 1/(2nm) a point of x weighs m and one of y n: integers, exact for any pair of sizes.
    targets = np.array([-(-j * 2 * n * m // bins) for j in range(1, bins)], dtype=np.int64)
    edges = np.minimum(_first_reaching(x, y, m, n, targets), _first_reaching(y, x, n, m, targets))
    edges = np.unique(edges)
    inner: _F = edges[edges < max(x[-1], y[-1])]  # nothing lies beyond the largest point
    return inner


def _first_reaching(own: _F, other: _F, own_mass: int, other_mass: int, targets: _I) -> _F:
    """The smallest point of `own` up to which both samples hold the target masses (J,); inf if there is none."""
    last = len(own) - 1
    low, high = np.zeros_like(targets), np.full_like(targets, len(own))
    while (low < high).any():
        middle = (low + high) // 2
        at = own[np.minimum(middle, last)]  # (J,)
        mass = own_mass * np.searchsorted(own, at, "right") + other_mass * np.searchsorted(other, at, "right")
        reached = mass >= targets
        searching = low < high
        high = np.where(searching & reached, middle, high)
        low = np.where(searching & ~reached, middle + 1, low)
    return np.array(np.where(low <= last, own[np.minimum(low, last)], np.inf), dtype=np.float64)


def count_between(x: _F, y: _F, edges: _F) -> Cells:
    """Counts of two ascending samples in the cells between the edges (K - 1,); empty cells join their right one."""
    counts = [
        np.diff(np.concatenate([[0], np.searchsorted(sample, edges, "right"), [len(sample)]])) for sample in (x, y)
    ]
    kept = counts[0] + counts[1] > 0
    if not kept[-1]:  # the last cell has no right one: its left neighbour takes it
        kept[np.flatnonzero(kept)[-1]] = False
        kept[-1] = True
    group = np.cumsum(np.concatenate([[0], kept[:-1]]))  # (K,)
    return _grouped(Cells(counts[0], counts[1], edges), group)


def category_counts(x: _F, y: _F) -> Cells:
    """Counts of each distinct row of two samples (n, d), (m, d)."""
    label = _row_labels(np.concatenate([x, y]))  # (n + m,)
    size = int(label.max()) + 1
    return Cells(np.bincount(label[: len(x)], minlength=size), np.bincount(label[len(x) :], minlength=size))


def distinct_rows(points: _F) -> int:
    """How many different rows (n, d) there are."""
    return int(_row_labels(points).max()) + 1


def _row_labels(points: _F) -> _I:
    """Numbers 0, 1, ... (n,) of the rows (n, d), equal for equal rows."""
    order = np.lexsort(points.T)
    ranked = points[order]
    label = np.empty(len(points), dtype=np.int64)
    label[order] = np.concatenate([[0], np.cumsum(np.any(ranked[1:] != ranked[:-1], axis=1))])
    return label


# ---- merging ----


def _grouped(cells: Cells, group: NDArray[Any]) -> Cells:
    """The cells with those of equal group number, 0 to G - 1 and ascending where there are edges, added up."""
    size = int(group.max()) + 1
    x, y = (np.zeros(size, dtype=np.int64) for _ in range(2))
    np.add.at(x, group, cells.x)
    np.add.at(y, group, cells.y)
    edges = None if cells.edges is None else cells.edges[np.diff(group) > 0]
    return Cells(x, y, edges, cells.merged + len(cells.x) - size, cells.other)


def merge_neighbours(cells: Cells, x_least: int, y_least: int, expected: float = EXPECTED) -> Cells:
    """Cells in their order, neighbours merged until each expects enough points and has the least on both sides.

    From left to right a cell is closed as soon as it suffices; what is left at the right end joins the last cell.
    Then neighbours that are empty on the same side become one: for f they are one point, u = 0 or u = inf.
    """
    sizes = cells.expected
    group = np.zeros(len(sizes), dtype=np.int64)
    current, mass, a, b, closed = 0, 0.0, 0, 0, -1
    for k, (share, in_x, in_y) in enumerate(zip(sizes.tolist(), cells.x.tolist(), cells.y.tolist(), strict=True)):
        group[k] = current
        mass, a, b = mass + share, a + in_x, b + in_y
        if mass >= expected - _GRAIN and a >= x_least and b >= y_least:
            current, mass, a, b, closed = current + 1, 0.0, 0, 0, current
    merged = _grouped(cells, np.minimum(group, max(closed, 0)))
    same = ((merged.x[1:] == 0) & (merged.x[:-1] == 0)) | ((merged.y[1:] == 0) & (merged.y[:-1] == 0))
    return _grouped(merged, np.concatenate([[0], np.cumsum(~same)]))


def merge_categories(cells: Cells, x_least: int, y_least: int, expected: float = EXPECTED) -> Cells:
    """Categories, with those that expect or have too few points gathered in one last cell, "other".

    Where "other" itself would not suffice it takes the next smallest categories. Those that remain and are empty on
    the same side become one cell: for f they are one point, u = 0 or u = inf.
    """
    share, x, y = cells.expected, cells.x, cells.y
    sparse = (share < expected - _GRAIN) | (x < x_least) | (y < y_least)
    if sparse.any():
        rest = np.flatnonzero(~sparse)
        rest = rest[np.lexsort((y[rest], x[rest], share[rest]))]  # smallest first; ties have equal counts
        totals = [
            value[sparse].sum() + np.concatenate([[0], np.cumsum(value[rest])]) for value in (share, x, y)
        ]  # of "other" and its first 0, 1, ... next ones
        enough = (totals[0] >= expected - _GRAIN) & (totals[1] >= x_least) & (totals[2] >= y_least)
        sparse[rest[: int(np.argmax(enough)) if enough.any() else len(rest)]] = True
    kinds = np.where(x == 0, 1, np.where(y == 0, 2, 0))
    kinds[sparse] = 3
    group = np.empty(len(x), dtype=np.int64)
    group[kinds == 0] = np.arange(np.count_nonzero(kinds == 0))
    following = np.count_nonzero(kinds == 0)
    for kind in (1, 2, 3):
        if (kinds == kind).any():
            group[kinds == kind] = following
            following += 1
    merged = _grouped(cells, group)
    return Cells(merged.x, merged.y, None, merged.merged, int(sparse.sum()))
