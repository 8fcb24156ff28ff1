"""The proof that comes with a plan: dual potentials made feasible, and the gap they leave."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from divkit.transport._frame import Masses

__all__ = ["Basis", "Certified", "PowerCost", "certify", "feasible_potentials"]

_F = NDArray[np.float64]
_BLOCK: Final = 2**20  # pairs looked at in one go: 8 MB, so that no second n x m array is made


@dataclass(frozen=True, eq=False)
class PowerCost:
    """The costs (distance / unit)^p, made in blocks.

    Parameters
    ----------
    distance : ndarray, shape (n, m)
        Non-negative; inf forbids a pair.
    p : float
    unit : float
        Positive.
    """

    distance: _F
    p: float
    unit: float = 1.0

    def of(self, distance: _F) -> _F:
        """The costs of these distances, elementwise; the argument itself if nothing is to be done."""
        if self.unit != 1.0:
            distance = distance / self.unit
        if self.p == 1.0:
            return distance
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray(distance**self.p)

    def blocks(self) -> Iterator[tuple[slice, _F]]:
        """Row blocks (k, m) of the cost matrix with their place."""
        n, m = self.distance.shape
        step = max(1, _BLOCK // m)
        for start in range(0, n, step):
            rows = slice(start, min(start + step, n))
            yield rows, self.of(self.distance[rows])


class Basis(NamedTuple):
    """What a solver returns: the non-zero flows, in units of mass, and potentials of unknown quality."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    flows: _F
    u: _F
    v: _F


@dataclass(frozen=True, eq=False)
class Certified:
    """A plan with feasible potentials, all in units of the cost they were computed for.

    The masses (k,) sum to 1; `value` is the plan's cost, `value - gap` the dual value; `imbalance` is how far
    the plan's marginals are from the masses, in total variation.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    masses: _F
    u: _F
    v: _F
    value: float
    gap: float
    imbalance: float


def certify(cost: PowerCost, masses: Masses, basis: Basis) -> Certified:
    """Feasible potentials from the solver's, and the gap between them and the plan.

    u + v <= cost is restored by the c-transform: v_j = min_i c_ij - u_i, then u_i = min_j c_ij - v_j.
    It never lowers the dual value, and gives potentials to the points without mass too. The gap, plan cost minus
    dual value, is the sum of plan * (c - u - v) less what u and v earn on mass that the plan misses: in that form
    it does not cancel, and is 0 to the rounding of single terms for an optimal plan.
    """
    kept = basis.flows > 0
    rows, columns = basis.rows[kept], basis.columns[kept]
    flows = basis.flows[kept] / masses.total
    u, v = feasible_potentials(cost, masses, basis.u)
    paid = cost.of(cost.distance[rows, columns])  # (k,)
    # In units of mass, where integer flows that meet integer masses leave exactly 0.
    x_excess = (masses.x - np.bincount(rows, basis.flows[kept], len(masses.x))) / masses.total  # (n,)
    y_excess = (masses.y - np.bincount(columns, basis.flows[kept], len(masses.y))) / masses.total  # (m,)
    imbalance = float(np.abs(x_excess).sum() + np.abs(y_excess).sum()) / 2
    value = math.fsum(flows * paid)
    if value == 0.0:  # costs are non-negative: nothing to prove, and zero potentials prove it without rounding
        return Certified(rows, columns, flows, np.zeros_like(u), np.zeros_like(v), 0.0, 0.0, imbalance)
    reduced = float(np.sum(flows * (paid - u[rows] - v[columns]))) if math.isfinite(value) else math.inf
    reduced -= float(x_excess @ u + y_excess @ v)
    return Certified(rows, columns, flows, u, v, value, max(reduced, 0.0), imbalance)


def feasible_potentials(cost: PowerCost, masses: Masses, start: _F) -> tuple[_F, _F]:
    """Potentials (n,), (m,) with u + v <= cost for all points, from values (n,) of which only those with mass count.

    Points without mass take part last. One that no allowed pair joins to the others gets 0.
    """
    n, m = cost.distance.shape
    has_mass = masses.x > 0
    columns = masses.columns
    first = np.full(len(columns), np.inf)
    for rows, block in cost.blocks():
        own = has_mass[rows]
        if own.any():
            candidate = (block[own][:, columns] if len(columns) < m else block[own]) - start[rows][own, None]
            np.minimum(first, candidate.min(axis=0), out=first)
    u, v = np.empty(n), np.full(m, np.inf)
    for rows, block in cost.blocks():
        reduced = (block[:, columns] if len(columns) < m else block) - first  # (k, l)
        low = reduced.min(axis=1)
        u[rows] = np.where(np.isfinite(low), low, 0.0)
        np.minimum(v, (block - u[rows, None]).min(axis=0), out=v)
    # Transforming a third time gives `first` again; keep it as it is, without the rounding of far-away costs.
    v[columns] = first
    return u, np.where(np.isfinite(v), v, 0.0)
