"""Transport restricted to a list of arcs: the network simplex of `_kernels/simplex.py` with its arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from divkit.transport._kernels.simplex import PARENT, hang_on_hub, pivot, price_of_hub, recompute_potentials

__all__ = ["RestrictedTransport", "level_out"]

_F = NDArray[np.float64]
_I = NDArray[np.int64]
_SLICE: Final = 20_000  # pivots between two looks at the clock: at most a few seconds, mostly far less


def level_out(f: _F, g: _F) -> tuple[_F, _F]:
    """f + s and g - s with equal medians: means would let a single far point shift, and so blur, all the others."""
    shift = float(np.median(g) - np.median(f)) / 2
    return f + shift, g - shift


class RestrictedTransport:
    """A transport problem on few arcs, with a hub that carries what they cannot.

    Parameters
    ----------
    x_masses, y_masses : ndarray of int64, shape (n,) and (m,)
        Positive, of equal totals.
    f, g : ndarray, shape (n,) and (m,)
        Any potentials; the start is as good as they are.
    price : float
        Of a visit to the hub, beyond the potentials.
    """

    def __init__(self, x_masses: _I, y_masses: _I, f: _F, g: _F, price: float) -> None:
        self.n, self.m = len(x_masses), len(y_masses)
        nodes = self.n + self.m + 1
        self.price, self.pivots = price, 0
        self._ground, self._level = self.n + self.m, 0.0
        self.sources, self.targets = np.empty(0, np.int32), np.empty(0, np.int32)
        self.costs = np.empty(0)
        self._links = np.empty((nodes, 4), np.int32)
        self._arc_cost, self._potential = np.zeros(nodes), np.zeros(nodes)
        self._flow = np.zeros(nodes, np.int64)
        self._size, self._queue = np.empty(nodes, np.int32), np.empty(nodes + 2, np.int32)
        self._position = 0
        hang_on_hub(
            x_masses, y_masses, f, g, price, self._links, self._arc_cost, self._flow, self._potential, self._size
        )

    def ground(self, node: int, level: float) -> None:
        """Count potentials from a node other than the hub: one of those whose digits matter."""
        self._ground, self._level = node, level

    def add(self, rows: _I, columns: _I, costs: _F) -> None:
        """More arcs (k,); all are kept in the order of their sources, so that a block of them is a neighbourhood."""
        sources = np.concatenate([self.sources, rows.astype(np.int32)])
        order = np.argsort(sources, kind="stable")
        self.sources = sources[order]
        self.targets = np.concatenate([self.targets, (columns + self.n).astype(np.int32)])[order]
        self.costs = np.concatenate([self.costs, costs])[order]
        self._position = 0

    def solve(self, relative: float, absolute: float, between: Callable[[], None]) -> None:
        """Pivot until no arc is violated by more than `absolute`, and than `relative` times its two potentials.

        `between` is called now and then, and may raise.

        Interrupted or not, the flow is feasible afterwards.
        """
        block = max(64, int(len(self.costs) ** 0.5))
        finished = False
        while not finished:
            made, finished, self._position = pivot(
                self.n,
                self.sources,
                self.targets,
                self.costs,
                relative,
                absolute,
                block,
                _SLICE,
                self._links,
                self._arc_cost,
                self._flow,
                self._potential,
                self._size,
                self._queue,
                self._position,
            )
            self.pivots += made
            between()
        self._recompute()

    def raise_price(self, price: float, far: NDArray[np.bool_], enough: float) -> None:
        """Make the hub dearer, for the nodes that are not far only up to `enough`.

        Far points may need astronomical prices, which would blur the potentials of all the others.
        """
        rise = max(min(price, enough) - min(self.price, enough), 0.0)
        price_of_hub(rise, price - self.price, far, self._links, self._arc_cost)
        self.price = price
        self._recompute()

    def _recompute(self) -> None:
        recompute_potentials(
            self.n, self._ground, self._level, self._links, self._arc_cost, self._potential, self._queue
        )

    @property
    def potentials(self) -> tuple[_F, _F]:
        """(f (n,), g (m,)), shifted to equal medians."""
        return level_out(-self._potential[: self.n], self._potential[self.n : -1])

    def magnitudes(self, rows: _I, columns: _I) -> _F:
        """|pi| + |pi| of pairs (k,), which their reduced costs are rounded by; `solve` measures violations by them."""
        sizes = np.abs(self._potential)
        return np.asarray(sizes[rows] + sizes[self.n + columns])

    @property
    def on_hub(self) -> tuple[_I, _I]:
        """The masses that still go through the hub, (n,) and (m,)."""
        nodes = self.n + self.m
        hung = np.where(self._links[:nodes, PARENT] == nodes, self._flow[:nodes], 0)
        return hung[: self.n], hung[self.n :]

    @property
    def plan(self) -> tuple[_I, _I, _I]:
        """(rows, columns, flows) of the arcs that carry mass, the hub's left out."""
        nodes = self.n + self.m
        parents = self._links[:nodes, PARENT].astype(np.int64)
        used = np.flatnonzero((parents != nodes) & (self._flow[:nodes] > 0))
        of_x = used < self.n
        rows, columns = np.where(of_x, used, parents[used]), np.where(of_x, parents[used], used)
        return rows, columns - self.n, self._flow[used]
