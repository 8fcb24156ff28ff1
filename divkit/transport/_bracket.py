"""A plan and potentials that hold the optimal cost between them."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from divkit.transport._kernels.pairs import pair_costs
from divkit.transport._kernels.refine import refine_flows
from divkit.transport._levels import Level
from divkit.transport._pair_search import PairSearch

__all__ = ["FEASIBLE", "Bracketed", "Plan", "bracket", "evaluate", "north_west_corner"]

_F = NDArray[np.float64]
_I = NDArray[np.int64]
Plan = tuple[_I, _I, _I]  # rows, columns, flows, (k,) each

FEASIBLE: Final = 2.0**-50  # what is left of an infeasibility, relative to its two potentials: some roundings


class Bracketed(NamedTuple):
    """A feasible plan with feasible potentials; costs in the units of the points.

    rows, columns, flows (k,) int64; f (n,), g (m,); `value` is the plan's cost and `gap` what it may be above the
    optimum, both for total mass 1. `finished` tells whether the solver stopped by itself.
    """

    rows: _I
    columns: _I
    flows: _I
    f: _F
    g: _F
    value: float
    gap: float
    finished: bool
    info: dict[str, int]


def north_west_corner(x_masses: _I, y_masses: _I) -> Plan:
    """The plan that sends the first mass to the first, and so on: one flow, refined between two groups.

    Masses (n,), (m,) of equal totals.
    """
    one, ends = np.zeros(1, np.int64), (np.array([0, len(masses)]) for masses in (x_masses, y_masses))
    plan: Plan = refine_flows(one, one, x_masses.sum(keepdims=True), *ends, x_masses, y_masses)
    return plan


def bracket(level: Level, search: PairSearch, plan: Plan, f: _F, g: _F, info: dict[str, int]) -> Bracketed:
    """The bracket of a plan and of potentials that need not be feasible: one pass over all pairs lowers f to be so.

    Not `finished`: it is for what was stopped before that.
    """
    found = search.violations(f, g, FEASIBLE, 1)
    info["looked"] += found.looked
    info["checked"] += found.checked
    return evaluate(level, search.p, plan, np.minimum(f, found.least), g, info)._replace(finished=False)


def evaluate(level: Level, p: int, plan: Plan, f: _F, g: _F, info: dict[str, int]) -> Bracketed:
    """The value of a plan and its gap to feasible potentials, as the plan's reduced cost so that nothing cancels."""
    rows, columns, flows = plan
    shares = flows / float(level.x_masses.sum())
    paid = pair_costs(level.x, level.y, rows, columns, p)
    value = math.fsum(shares * paid)
    if value == 0.0:  # costs are not negative: nothing to prove, and zero potentials prove it without rounding
        return Bracketed(rows, columns, flows, np.zeros_like(f), np.zeros_like(g), 0.0, 0.0, True, dict(info))
    gap = max(math.fsum(shares * (paid - f[rows] - g[columns])), 0.0)
    return Bracketed(rows, columns, flows, f, g, value, gap, True, dict(info))
