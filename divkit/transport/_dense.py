"""Few points: every pair is an arc, so that there is nothing to price."""

from __future__ import annotations

from typing import Final

from divkit.transport._bracket import FEASIBLE, Bracketed, evaluate
from divkit.transport._kernels.dense import solve_all_pairs
from divkit.transport._levels import Level

__all__ = ["solve_dense"]

_GAP: Final = 1e-12  # relative to the cost
_TOLERANCES: Final = (1e-13, 1e-14, FEASIBLE)  # of a reduced cost, relative to its two potentials


def solve_dense(level: Level, p: int) -> Bracketed | None:
    """The optimal plan between the points of `level`; None where costs span too much to be told apart in one scale."""
    arcs = len(level.x) * len(level.y)
    for rounds, tolerance in enumerate(_TOLERANCES, 1):
        rows, columns, flows, f, g, hung = solve_all_pairs(
            level.x, level.y, level.x_masses, level.y_masses, p, tolerance
        )
        if hung != 0:
            return None
        info = {"levels": 0, "rounds": rounds, "arcs": arcs, "looked": arcs, "checked": arcs}
        found = evaluate(level, p, (rows, columns, flows), f, g, info)
        if found.gap <= _GAP * found.value:
            return found
    return None
