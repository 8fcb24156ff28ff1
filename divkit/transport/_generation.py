"""From the coarsest level to the finest, or as far as time and tolerance say."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from divkit.transport._bracket import Bracketed, bracket, north_west_corner
from divkit.transport._kernels.pairs import pair_costs
from divkit.transport._level_solver import Below, LevelSolver, Settings
from divkit.transport._levels import Level, extend, levels, refine, spread
from divkit.transport._pair_search import pair_search
from divkit.transport._watch import OutOfTime, Watch

__all__ = ["solve_points"]

_HOPEFUL: Final = 1.5  # tolerances: a gap that is predicted to be wider is not worth the look


def solve_points(finest: Level, settings: Settings, watch: Watch) -> Bracketed:
    """The optimal plan between the points of `finest`, or a bracket of its cost if the watch or the tolerance says so.

    From the coarsest level to the finest: each gives potentials, and a plan, to the next.

    Raises
    ------
    NotConverged
        If rounding keeps the gap open.
    """
    hierarchy = levels(finest, np.random.default_rng(0))
    below: Below | None = None
    info = {"levels": len(hierarchy), "rounds": 0, "pivots": 0, "arcs": 0, "looked": 0, "checked": 0}
    for depth, level in enumerate(hierarchy):
        solver = LevelSolver(level, settings, watch, info)
        try:
            solver.start(below)
            solver.run(last=level is finest)
        except OutOfTime:
            return _carried(hierarchy[depth:], solver, below, settings, info)
        if level is finest:
            return solver.evaluate()
        below = level, solver.f, solver.g, solver.plan()
        if settings.tolerance > 0 and _predicted_gap(below, finest, settings.p) <= _HOPEFUL * settings.tolerance:
            early = _carried(hierarchy[depth + 1 :], None, below, settings, info)
            if early.gap <= settings.tolerance * early.value:
                return early._replace(finished=True)
    raise AssertionError("unreachable: the last level is the finest")


def _predicted_gap(below: Below, finest: Level, p: int) -> float:
    """About the relative gap that the plan and the potentials of a coarser level will have on all points.

    The square of how far points are from their representatives, relative to how far mass travels: shifts of first
    order cancel within groups. It only decides whether the gap is computed.
    """
    coarse, _, _, (rows, columns, flows) = below
    travelled = float(flows @ pair_costs(coarse.x, coarse.y, rows, columns, p)) / float(flows.sum())
    if travelled <= 0:
        return math.inf
    blur = sum(
        float(masses @ np.linalg.norm(points - spread(means, len(points)), axis=1)) / float(masses.sum())
        for means, points, masses in ((coarse.x, finest.x, finest.x_masses), (coarse.y, finest.y, finest.y_masses))
    )
    return float((blur / travelled ** (1 / p)) ** 2)


def _carried(
    remaining: list[Level], solver: LevelSolver | None, below: Below | None, settings: Settings, info: dict[str, int]
) -> Bracketed:
    """A bracket for the last of the remaining levels from an unfinished solve of the first, or from the level below."""
    finest = remaining[-1]
    if solver is not None and solver.started:
        solver.refresh()
        if solver.level is finest:
            return bracket(finest, solver.search, solver.plan(), solver.f, solver.g, info)
        below, remaining = (solver.level, solver.f, solver.g, solver.plan()), remaining[1:]
    if below is None:  # not even the coarsest level was begun
        f, g = np.zeros(len(finest.x)), np.zeros(len(finest.y))
        plan = north_west_corner(finest.x_masses, finest.y_masses)
    else:
        coarse, f, g, plan = below
        for level in remaining:
            plan = refine(plan, level)
        f, g = extend(coarse, finest, f, g, settings.p, settings.threads)
    search = pair_search(finest.x, finest.y, settings.p, settings.threads)
    return bracket(finest, search, plan, f, g, info)
