"""Solve, check the certificate, and where the proof is not good enough solve again in a better scale."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from divkit._errors import InvalidInput, NotConverged
from divkit.transport._certificate import Basis, Certified, PowerCost, certify, feasible_potentials
from divkit.transport._frame import Masses

__all__ = ["RELATIVE_GAP", "Solution", "Solver", "Stopped", "solve_transport"]

_F = NDArray[np.float64]

Solver = Callable[[_F, _F, _F], Basis]  # cost (k, l) finite, masses (k,), (l,) all positive -> Basis

# What is accepted as optimal. A double-precision simplex leaves about 1e-14 of the largest potential; eleven
# digits below the value are reached after rescaling, and 1e-9 is far from both that and from a suboptimal plan.
RELATIVE_GAP: Final = 1e-9
_IMBALANCE: Final = 1e-12  # mass that may be missing; a simplex with rounded masses leaves 1e-16 a point
_CAPS: Final = (2.0**12, 2.0**18, 2.0**24, 2.0**30)  # in units of the cost found so far
_TINY: Final = 1e-200  # a cost below it may have lost terms to underflow
_ROUNDS: Final = 64


class Stopped(Exception):
    """A solver ended without an optimal basis; it carries its potentials and iterations where it has some."""

    def __init__(self, reason: str, remedy: str, u: _F | None = None, iterations: int | None = None) -> None:
        super().__init__(reason)
        self.reason, self.remedy, self.u, self.iterations = reason, remedy, u, iterations


@dataclass(frozen=True, eq=False)
class Solution:
    """A certified plan for the costs (distance / unit)^p."""

    plan: Certified
    unit: float
    rounds: int


def solve_transport(distance: _F, p: float, masses: Masses, solver: Solver) -> Solution:
    """An optimal plan for the costs distance^p, with its certificate.

    Solvers compare costs with absolute tolerances. If the optimal cost is far below the largest one (distant
    clusters, or a high p), a plan that is wrong by any factor can pass them. So the certificate decides; when it fails,
    the costs are expressed in units of the cost found and capped at some multiple of it: mass on pairs
    above the cap could not be worth it, and if it is, the certificate, which knows no cap, shows it.

    Parameters
    ----------
    distance : ndarray, shape (n, m)
        In [0, 1] between points with mass; inf forbids a pair (for p = 1).
    p : float
        Finite.
    masses : Masses
    solver : callable

    Raises
    ------
    InvalidInput
        If every plan uses a forbidden pair.
    NotConverged
        If the certificate stays open, with the best known bracket in its info (in units of the argument).
    """
    finite = bool(np.isfinite(distance).all())
    # A detour around one forbidden pair costs at most min(n, m) allowed ones, each at most 1.
    cap = math.inf if finite else 4.0 * (min(distance.shape) + 1)
    unit, best_unit, best, caps = 1.0, 1.0, None, list(_CAPS)
    for rounds in range(1, _ROUNDS + 1):
        cost = PowerCost(distance, p, unit)
        plan = _certified(cost, masses, solver, cap)
        if rounds == 1 and not finite:
            _check_feasible(distance, masses, plan)
        reach = float(distance[plan.rows, plan.columns].max())
        if plan.value < _TINY and 0 < reach < unit:  # underflow: the value says nothing about the plan
            unit, cap = reach, _CAPS[0]
            continue
        if _accepted(plan, masses, cost):
            return Solution(plan, unit, rounds)
        if best is None or _halved(plan.value, best.value, p * math.log(unit / best_unit)):
            best, best_unit, caps = plan, unit, list(_CAPS)  # still far from settled: the tightest cap first
        if not caps:
            break
        unit, cap = best_unit * best.value ** (1 / p), caps.pop(0)
    raise _open_gap(p, best, best_unit)


def _halved(value: float, before: float, log_units: float) -> bool:
    """Whether value, in units exp(log_units) times those of `before`, is below half of it."""
    return math.log(value) + log_units < math.log(before) - math.log(2.0)


def _certified(cost: PowerCost, masses: Masses, solver: Solver, cap: float) -> Certified:
    """One solve on the points with mass, and its certificate on all of them."""
    n, m = cost.distance.shape
    rows, columns = masses.rows, masses.columns
    matrix = cost.distance if len(rows) == n and len(columns) == m else cost.distance[np.ix_(rows, columns)]
    matrix = cost.of(matrix)  # (k, l)
    if min(matrix.shape) == 1:
        basis = _star(matrix, masses.x[rows], masses.y[columns])
    else:
        capped = matrix if cap == math.inf else np.minimum(matrix, cap)
        try:
            basis = solver(capped, masses.x[rows], masses.y[columns])
        except Stopped as stop:
            raise _stopped(cost, masses, rows, stop) from stop
    u = np.zeros(n)
    u[rows] = basis.u
    plan = certify(cost, masses, Basis(rows[basis.rows], columns[basis.columns], basis.flows, u, basis.v))
    if not plan.imbalance <= _IMBALANCE:  # also NaN
        raise NotConverged(
            f"the solver's plan misses {plan.imbalance:.3g} of the mass, {_IMBALANCE:g} is allowed; "
            f"drop points of negligible weight",
            {"imbalance": plan.imbalance},
        )
    return plan


def _star(matrix: _F, a: _F, b: _F) -> Basis:
    """One point against many has one plan only."""
    k, l = matrix.shape
    flows = b if k == 1 else a
    u = np.zeros(1) if k == 1 else np.where(np.isfinite(matrix[:, 0]), matrix[:, 0], 0.0)
    rows, columns = np.divmod(np.arange(k * l), l)
    return Basis(rows, columns, flows, u, np.zeros(l))


def _accepted(plan: Certified, masses: Masses, cost: PowerCost) -> bool:
    """Whether the certificate is closed."""
    if not math.isfinite(plan.value):
        return False
    # Floating-point masses do not balance better than 1 ulp of the total a point: at worst it travels all the way.
    points = len(masses.x) + len(masses.y)
    floor = 0.0 if masses.exact else points * np.finfo(float).eps * float(cost.of(np.array(1.0)))
    return plan.gap <= RELATIVE_GAP * plan.value + floor


def _check_feasible(distance: _F, masses: Masses, plan: Certified) -> None:
    forbidden = np.isinf(distance[plan.rows, plan.columns])
    lost = float(plan.masses[forbidden].sum())
    if lost > (0.0 if masses.exact else _IMBALANCE):
        raise InvalidInput(
            f"every plan uses forbidden pairs: cost is inf on pairs that must carry {lost:.3g} of the mass; "
            f"allow more pairs, or give these a large finite cost"
        )


def _stopped(cost: PowerCost, masses: Masses, rows: NDArray[np.intp], stop: Stopped) -> NotConverged:
    """The error for a solver that gave up, with the bracket that its potentials and the independent plan give."""
    start = np.zeros(len(masses.x))
    if stop.u is not None:
        start[rows] = stop.u
    u, v = feasible_potentials(cost, masses, start)
    a, b = masses.x / masses.total, masses.y / masses.total
    scale = cost.unit**cost.p
    lower = max(float(a @ u + b @ v), 0.0) * scale
    heavy_a, heavy_b = a > 0, b > 0  # 0 * inf would be NaN
    upper = scale * sum(
        float(a[part][heavy_a[part]] @ block[np.ix_(heavy_a[part], heavy_b)] @ b[heavy_b])
        for part, block in cost.blocks()
    )
    info = {"lower": lower, "upper": max(upper, lower), "iterations": stop.iterations}
    return NotConverged(f"{stop.reason}; {stop.remedy}", info)


def _open_gap(p: float, best: Certified | None, unit: float) -> NotConverged:
    if best is None:
        return NotConverged(f"the costs underflow at p = {p:g}; use a smaller p", {"lower": 0.0, "upper": math.inf})
    return NotConverged(
        f"the optimality of the plan could not be proved: gap {best.gap / best.value:.3g} of the cost, "
        f"{RELATIVE_GAP:g} is required; the costs span too many orders of magnitude, "
        f"so bring far-away points closer or use a smaller p",
        {"lower": max(best.value - best.gap, 0.0) * unit**p, "upper": best.value * unit**p},
    )
