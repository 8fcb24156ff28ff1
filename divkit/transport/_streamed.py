"""Soft minima and plans of Sinkhorn's algorithm, made block by block: nothing of size n x m is kept."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from divkit._threads import parallel_map, workers
from divkit.transport.dual import c_transform

__all__ = ["ENTRIES", "TINY", "Bracket", "Streamed", "in_parallel"]

_F = NDArray[np.float64]
_S = NDArray[np.float32]
_PARALLEL: Final = 2**17  # pairs from which a second thread pays
_SEVERAL: Final = 300  # points of each set from which the mean cost is guessed
TINY: Final = 1e-300  # below it a sum of masses is nothing
ENTRIES: Final = 2**20  # of a block: it stays in the cache while it is worked on


class Bracket(NamedTuple):
    """The optimal cost lies between the dual value of feasible potentials and the cost of a feasible plan.

    `repaired` is the part of that cost that made the plan feasible: it falls with more steps, the rest with epsilon.
    """

    lower: float
    upper: float
    repaired: float


class Streamed:
    """Two weighted point sets whose costs |x - y|^p are made when they are needed.

    Parameters
    ----------
    x, y : ndarray, shape (n, d) and (m, d)
        In a unit in which costs are about 1.
    a, b : ndarray, shape (n,) and (m,)
        Positive masses of sum 1.
    p : float
    """

    def __init__(self, x: _F, y: _F, a: _F, b: _F, p: float) -> None:
        self.x, self.y, self.a, self.b, self.p = x, y, a, b, p
        spread = np.ptp(x, axis=0).any() or np.ptp(y, axis=0).any()
        self.all_meet = not (spread or (x[0] != y[0]).any())  # all costs are 0
        self._single = _Side.of(x, a), _Side.of(y, b)

    def start(self) -> tuple[Any, Any]:
        """Potentials of 0."""
        return np.zeros(len(self.a), dtype=np.float32), np.zeros(len(self.b), dtype=np.float32)

    def half_steps(self, f: Any, g: Any, epsilon: float, relaxation: float) -> tuple[Any, Any]:
        """One step of Sinkhorn: f from g, then g from f, each moved by `relaxation` of the way."""
        x, y = self._single
        f = f + np.float32(relaxation) * (self._soft(x, y, g, epsilon) - f)
        g = g + np.float32(relaxation) * (self._soft(y, x, f, epsilon) - g)
        return f, g

    def mean_cost(self) -> float:
        """Of the product of both masses, by a few hundred points of each."""
        some_x, some_y = (slice(None, None, -(-len(points) // _SEVERAL)) for points in (self.x, self.y))
        costs = self.costs(self.x[some_x], self.y[some_y])
        a, b = self.a[some_x], self.b[some_y]
        return float(a @ costs @ b / (a.sum() * b.sum()))

    def _soft(self, own: _Side, other: _Side, potential: _S, epsilon: float) -> _S:
        """-epsilon log sum_j b_j exp((potential_j - c_ij)/epsilon), one for each point of `own`."""
        out = np.empty(len(own.points), dtype=np.float32)
        shifted = potential / np.float32(epsilon) + other.log_masses

        def part(rows: slice) -> None:
            block = own.costs(rows, other, self.p)
            block *= np.float32(-1 / epsilon)
            block += shifted
            top = block.max(axis=1)
            block -= top[:, None]
            np.exp(block, out=block)
            out[rows] = -epsilon * (top + np.log(block.sum(axis=1)))

        in_parallel(part, len(own.points), len(other.points))
        return out

    def bracket(self, f: Any, g: Any, epsilon: float) -> Bracket:
        """What the potentials prove: by c-transforms from below, by rounding their plan from above."""
        u, v = np.asarray(f, dtype=np.float64), np.asarray(g, dtype=np.float64)
        kept, repaired = self._feasible(u, v, epsilon)
        repaired += self.strayed(epsilon)
        return Bracket(self._lower(u), kept + repaired, repaired)

    def strayed(self, epsilon: float) -> float:
        """Mass that one pass may send elsewhere than another, as their exponents are rounded in another order.

        Their terms are at most 1/epsilon and logs of masses, a few of them; no cost is above 1, and where all are 0
        nothing strays.
        """
        return 0.0 if self.all_meet else 2.0**-50 * (2 / epsilon + 1500)

    def rounding(self) -> float:
        """What float64 may add to or take from either end, costs being at most 1 and potentials not much more.

        One rounding of 2^-53 for each term of the sums over points, for the mass of each, and for what a cost is made
        of, with a factor of 8 for potentials beyond 1; nothing where all costs are 0.
        """
        if self.all_meet:
            return 0.0
        return 2.0**-50 * float(len(self.a) + len(self.b) + (self.p + 1) * self.x.shape[1] + 16)

    def _lower(self, f: _F) -> float:
        g = c_transform(f, self.x, self.y, self.p)
        return float(self.a @ c_transform(g, self.y, self.x, self.p) + self.b @ g)

    def _feasible(self, f: _F, g: _F, epsilon: float) -> tuple[float, float]:
        """The cost of the plan a_i b_j exp((f_i + g_j - c_ij)/epsilon), made feasible: what is kept, and what is added.

        Rows are scaled down to their masses, then columns; what is missing is sent from all rows to all columns in
        proportion (Altschuler, Weed and Rigollet 2017, algorithm 2). All in float64.
        """
        _, log_x, log_y, missing_y = self.scaled_down(f, g, epsilon)
        missing_x = np.empty(len(self.a))
        sent, spread = np.empty_like(self.a), np.empty_like(self.a)

        def part(rows: slice) -> None:
            plan, costs = self.plan(self.x[rows], self.y, log_x[rows], log_y, epsilon)
            missing_x[rows] = np.maximum(self.a[rows] - plan.sum(axis=1), 0.0)
            sent[rows] = np.einsum("ij,ij->i", plan, costs)
            spread[rows] = costs @ missing_y

        in_parallel(part, len(self.a), len(self.b))
        return float(sent.sum()), float(missing_x @ spread / max(float(missing_y.sum()), TINY))

    def scaled_down(self, f: _F, g: _F, epsilon: float) -> tuple[_F, _F, _F, _F]:
        """Sums of the rows of the plan of f and g, logs of its factors once rows and columns are not above their
        masses, and what is then missing of each column.
        """
        log_x, log_y = f / epsilon + np.log(self.a), g / epsilon + np.log(self.b)
        with np.errstate(divide="ignore"):  # a row or column of which nothing is kept
            rows = self.sums(self.x, self.y, log_x, log_y, epsilon)
            log_x = log_x + np.log(np.minimum(self.a / np.maximum(rows, TINY), 1.0))
            columns = self.sums(self.y, self.x, log_y, log_x, epsilon)
            kept = np.minimum(self.b / np.maximum(columns, TINY), 1.0)
            log_y = log_y + np.log(kept)
        return rows, log_x, log_y, np.maximum(self.b - columns * kept, 0.0)

    def sums(self, own: _F, other: _F, log_own: _F, log_other: _F, epsilon: float) -> _F:
        """What the plan sends from each point of `own`."""
        out = np.empty(len(own))

        def part(rows: slice) -> None:
            out[rows] = self.plan(own[rows], other, log_own[rows], log_other, epsilon)[0].sum(axis=1)

        in_parallel(part, len(own), len(other))
        return out

    def plan(self, own: _F, other: _F, log_own: _F, log_other: _F, epsilon: float) -> tuple[_F, _F]:
        """exp(log_own_i + log_other_j - c_ij/epsilon), and the costs."""
        costs = self.costs(own, other)
        plan = costs * (-1 / epsilon)
        plan += log_other
        plan += log_own[:, None]
        with np.errstate(over="ignore"):  # rows are then scaled down to nothing
            return np.exp(plan, out=plan), costs

    def costs(self, x: _F, y: _F) -> _F:
        from scipy.spatial.distance import cdist

        if self.p == 2:
            return np.asarray(cdist(x, y, "sqeuclidean"))
        found = np.asarray(cdist(x, y))
        return found if self.p == 1 else found**self.p


class _Side(NamedTuple):
    """One point set in float32, for the steps; what they find is judged in float64."""

    points: _S
    squares: _S
    log_masses: _S

    @classmethod
    def of(cls, points: _F, masses: _F) -> _Side:
        """From points (n, d) and masses (n,)."""
        single = np.ascontiguousarray(points, dtype=np.float32)
        return cls(single, np.einsum("ij,ij->i", single, single), np.log(masses).astype(np.float32))

    def costs(self, rows: slice, other: _Side, p: float) -> _S:
        """|x - y|^p from inner products."""
        block = self.points[rows] @ other.points.T
        block *= np.float32(-2)
        block += self.squares[rows, None]
        block += other.squares
        np.maximum(block, 0, out=block)
        if p == 2:
            return np.asarray(block)
        np.sqrt(block, out=block)
        return np.asarray(block if p == 1 else block ** np.float32(p))


def in_parallel(part: Callable[[slice], None], rows: int, columns: int) -> None:
    """Calls for all rows, in blocks; BLAS is to have one thread."""
    threads = workers() if rows * columns >= _PARALLEL else 1
    step = max(1, min(ENTRIES // columns, math.ceil(rows / threads)))
    parallel_map(part, [slice(start, min(start + step, rows)) for start in range(0, rows, step)], threads)
