"""Column generation on one level: solve on few arcs, price all pairs, add the violated ones, until none is left."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from divkit._errors import NotConverged
from divkit.transport._bracket import FEASIBLE, Bracketed, Plan, evaluate, north_west_corner
from divkit.transport._kernels.pairs import pair_costs
from divkit.transport._levels import Level, extend, refine
from divkit.transport._pair_search import Violations, pair_search
from divkit.transport._restricted import RestrictedTransport
from divkit.transport._rounds import RELATIVE_GAP
from divkit.transport._sharpen import sharpen
from divkit.transport._start import candidates, diameter, far_points, first_price, joined, magnitude, tamed
from divkit.transport._watch import Watch

__all__ = ["Below", "LevelSolver", "Settings"]

_F = NDArray[np.float64]
_I = NDArray[np.int64]
Below = tuple[Level, _F, _F, Plan]  # a coarser level with its potentials (n,), (m,) and its plan

_TOLERANCE: Final = 1e-13  # of a reduced cost, relative to its two potentials: some hundred roundings of them
_GAP: Final = 1e-12  # relative to the cost; tighter tolerances are tried until it is reached
_ATTEMPTS: Final = 4
_ROUNDS: Final = 500
_MANY: Final = 4000  # points of both sides from which sharper potentials save more pivots than they cost
_SHARE: Final = 0.125  # of a requested gap that coarser levels, which are cheap, may use up
_BLUR: Final = 1e-9  # of typical costs: below this spread of slacks there is nothing to sharpen


@dataclass(frozen=True)
class Settings:
    """What steers the search, not what it finds.

    Parameters
    ----------
    p : int
        1 or 2.
    neighbours : int
        Candidate arcs a point.
    added : int
        Most violated arcs a row that a round adds.
    hub_price : float
        In units of the slack that nine tenths of the candidate arcs are below.
    threads : int
    tolerance : float
        The relative gap at which to stop; 0 to go on until the plan is optimal.
    """

    p: int
    neighbours: int = 10
    added: int = 5
    hub_price: float = 400.0
    threads: int = 1
    tolerance: float = 0.0


class LevelSolver:
    """One level: candidate arcs, the restricted problem, and its rounds."""

    def __init__(self, level: Level, settings: Settings, watch: Watch, info: dict[str, int]) -> None:
        self.level, self.settings, self.watch, self.info = level, settings, watch, info
        self.search = pair_search(level.x, level.y, settings.p, settings.threads)
        self.started, self._counted = False, 0
        self.f, self.g = np.zeros(len(level.x)), np.zeros(len(level.y))

    def start(self, below: Below | None) -> None:
        """Potentials from the level below, candidate arcs from them, better potentials from these, and again."""
        level, settings = self.level, self.settings
        if below is not None:
            self.f, self.g = tamed(*extend(below[0], level, below[1], below[2], settings.p, settings.threads))
        rows, columns, spread = self._candidates()
        costs = self._costs(rows, columns)
        self.watch.check()
        worth_it = len(self.f) + len(self.g) >= _MANY and settings.tolerance == 0
        if below is not None and worth_it and spread > _BLUR * float(np.median(costs)):
            masses = level.x_masses, level.y_masses
            self.f, self.g = sharpen(rows, columns, costs, masses, self.f, self.g, spread / 4, settings.threads)
            more_rows, more_columns, _ = self._candidates()
            rows, columns = joined((rows, columns), (more_rows, more_columns), len(self.g))
            costs = self._costs(rows, columns)
        if below is not None:
            # What carries the coarser plan, split among its points: with it the arcs can carry all mass.
            carriers = refine(below[3], level)
            rows, columns = joined((rows, columns), carriers[:2], len(self.g))
            costs = self._costs(rows, columns)
        self.watch.check()
        slacks = None if below is None else costs - self.f[rows] - self.g[columns]
        price = min(first_price(costs, slacks, settings.hub_price), *self._highest_prices())
        self.problem = RestrictedTransport(level.x_masses, level.y_masses, self.f, self.g, price)
        self.problem.add(rows, columns, costs)
        if self.far.any():  # they may hold the others together, who then count from one of their own
            self.problem.ground(int(np.argmin(self.far)), min(price, self.enough))
        self.started = True

    def _highest_prices(self) -> tuple[float, float]:
        """Prices above which nobody stays on the hub: for all points, and for those that are not far away."""
        level, p, size = self.level, self.settings.p, 1.01 * magnitude(self.f, self.g)
        self.far = far_points(level)
        self.highest_price = diameter(level, np.ones_like(self.far), p) + size
        self.enough = 4 * diameter(level, ~self.far, p) + size if self.far.any() else math.inf
        return self.highest_price, self.enough

    def _candidates(self) -> tuple[_I, _I, float]:
        return candidates(self.search, self.f, self.g, self.settings.neighbours, self.watch)

    def _costs(self, rows: _I, columns: _I) -> _F:
        costs: _F = pair_costs(self.level.x, self.level.y, rows, columns, self.settings.p)
        return costs

    def run(self, last: bool) -> None:
        """Rounds until no pair is violated and the hub is empty; on the last level until the gap is closed."""
        relative = _TOLERANCE
        for _ in range(_ATTEMPTS):
            self._rounds(relative, last)
            if not last or self.settings.tolerance > 0:
                return
            done = self.evaluate()
            if done.gap <= _GAP * done.value:
                return
            relative = max(relative / 16, FEASIBLE)
        if done.gap > RELATIVE_GAP * done.value:
            raise NotConverged(
                f"rounding keeps the gap at {done.gap / done.value:.3g} of the cost, {RELATIVE_GAP:g} is required; "
                f"the points span too many orders of magnitude: "
                f"remove common far-away points, or use method 'emd' if there are few",
                {"lower": done.value - done.gap, "upper": done.value},
            )

    def _rounds(self, relative: float, last: bool) -> None:
        settings, problem = self.settings, self.problem
        tolerance = settings.tolerance if last else _SHARE * settings.tolerance
        for turn in range(_ROUNDS):
            absolute, before = self._loose(tolerance), (problem.pivots, problem.price)
            self.info["arcs"] = len(problem.costs)
            problem.solve(relative, absolute, self.watch.check)
            self.refresh()
            found = self.search.violations(self.f, self.g, FEASIBLE, settings.added)
            hung = int(problem.on_hub[0].sum())
            self._record(found, hung)
            self.f_feasible = np.minimum(self.f, found.least)
            rounding = relative * problem.magnitudes(found.rows, found.columns)
            violated = found.slacks < -np.maximum(rounding, absolute)
            if tolerance > 0:
                now = self.evaluate()
                if now.gap <= tolerance * now.value:
                    return
            settled = turn > 0 and before == (problem.pivots, problem.price)  # what is left is rounding
            if not hung and (settled or not violated.any()):
                return
            if violated.any():
                rows, columns = found.rows[violated], found.columns[violated]
                problem.add(rows, columns, self._costs(rows, columns))
            if hung and problem.price < 4 * self.highest_price:
                problem.raise_price(4 * problem.price, self.far, self.enough)
            elif hung and not violated.any():  # every mass on the hub pays more than any arc: not a matter of price
                break
            self.watch.check()
        if not last:
            return  # potentials of a coarser level need not be optimal
        now = self.evaluate()
        raise NotConverged(
            f"column generation did not settle within {_ROUNDS} rounds: the points span too many orders of magnitude; "
            f"bring far-away points closer, or use method 'emd' if there are few points",
            {"lower": now.value - now.gap, "upper": now.value},
        )

    def _loose(self, tolerance: float) -> float:
        """The tolerance of reduced costs that a requested gap allows: a fifth of it."""
        if tolerance == 0.0:
            return 0.0
        total = float(self.level.x_masses.sum())
        dual = float(self.f @ (self.level.x_masses / total) + self.g @ (self.level.y_masses / total))
        return 0.2 * tolerance * max(dual, 0.0)

    def _record(self, found: Violations, hung: int) -> None:
        info = self.info
        info["rounds"] += 1
        info["looked"] += found.looked
        info["checked"] += found.checked
        self.watch.show(
            points=len(self.f), violated=len(found.rows), unrouted=f"{hung / float(self.level.x_masses.sum()):.1e}"
        )

    def refresh(self) -> None:
        """Take the potentials from the tree."""
        self.info["pivots"] += self.problem.pivots - self._counted
        self._counted = self.problem.pivots
        self.f, self.g = self.problem.potentials

    def plan(self) -> Plan:
        """The plan, with what is still on the hub routed by the north-west corner rule."""
        rows, columns, flows = self.problem.plan
        x_hung, y_hung = self.problem.on_hub
        if not x_hung.any():
            return rows, columns, flows
        i, j = np.flatnonzero(x_hung), np.flatnonzero(y_hung)
        more_rows, more_columns, more = north_west_corner(x_hung[i], y_hung[j])
        return (
            np.concatenate([rows, i[more_rows]]),
            np.concatenate([columns, j[more_columns]]),
            np.concatenate([flows, more]),
        )

    def evaluate(self) -> Bracketed:
        """The plan with potentials that the last round has made feasible."""
        return evaluate(self.level, self.settings.p, self.plan(), self.f_feasible, self.g, self.info)
