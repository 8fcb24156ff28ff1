"""The last resort of a histogram: one cut of the cells in two, with exact binomial limits."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from divkit.divergences import FDivergence
from divkit.methods._binned_cells import Cells
from divkit.methods._binned_expansion import plug_in

__all__ = ["Cut", "best_cut", "cut_bounds"]

_F = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Cut:
    """Two cells, chosen after a look at the counts.

    Parameters
    ----------
    x, y : int
        Points of both samples in the first cell.
    sizes : (int, int)
        All points, n and m.
    log_choices : float
        Logarithm of the number of cuts among which the data may have chosen this one.
    edge : float or None
        On the line, the end of the left cell.
    merged : int
        Cells that were merged away.
    """

    x: int
    y: int
    sizes: tuple[int, int]
    log_choices: float
    edge: float | None = None
    merged: int = 0

    @classmethod
    def between(cls, x: _F, y: _F) -> Cut:
        """The cut between two ascending samples (n,), (m,) that do not overlap.

        A law has mass above t beyond the largest of n draws with probability (1 - t)^n, the chance that none of n
        draws falls into a fixed cell of mass t: as if the cut had been fixed before.
        """
        left = x[-1] < y[0]
        edge = float(x[-1] if left else y[-1])
        return cls(len(x) if left else 0, 0 if left else len(y), (len(x), len(y)), 0.0, edge)

    @property
    def cells(self) -> Cells:
        """The two cells as such."""
        (n, m), edges = self.sizes, None if self.edge is None else np.array([self.edge])
        x, y = np.array([self.x, n - self.x]), np.array([self.y, m - self.y])
        return Cells(x, y, edges, self.merged)


def best_cut(cells: Cells, *, ordered: bool) -> Cut:
    """The cut of at least two cells on which the frequencies differ most: at an edge, or any set if unordered."""
    n, m = cells.sizes
    surplus = cells.x / n - cells.y / m  # (K,)
    merged = cells.merged + len(cells.x) - 2
    if not ordered:
        first = surplus > 0
        return Cut(
            int(cells.x[first].sum()), int(cells.y[first].sum()), (n, m), len(cells.x) * math.log(2), None, merged
        )
    at = int(np.argmax(np.abs(np.cumsum(surplus)[:-1])))
    edge = None if cells.edges is None else float(cells.edges[at])
    choices = math.log(len(cells.x) - 1)
    return Cut(int(cells.x[: at + 1].sum()), int(cells.y[: at + 1].sum()), (n, m), choices, edge, merged)


def cut_bounds(div: FDivergence, cut: Cut, level: float) -> tuple[float, float]:
    """A finite value, from half a point added to each cell, and the lower limit at the level.

    The limit is the smallest divergence of two cells whose masses lie within their binomial limits (Clopper and
    Pearson), each at half of the error and at the share of one cut among all.
    """
    from scipy.special import betainccinv, betaincinv

    (n, m), a, b = cut.sizes, cut.x, cut.y
    if a * m < b * n:
        a, b = n - a, m - b  # the cell in which x is the more frequent one
    value = _two_cells(div, (a + 0.5) / (n + 1), (b + 0.5) / (m + 1))
    tail = (1 - level) / 2 * math.exp(-cut.log_choices)
    p = float(betaincinv(a, n - a + 1, tail)) if a > 0 else 0.0
    q = float(betainccinv(b + 1, m - b, tail)) if b < m else 1.0
    return value, _two_cells(div, p, q) if p > q else div.f_one


def _two_cells(div: FDivergence, p: float, q: float) -> float:
    return plug_in(div, np.array([p, 1 - p]), np.array([q, 1 - q]))
