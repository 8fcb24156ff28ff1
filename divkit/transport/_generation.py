"""Column generation: solve on few arcs, price all pairs, add the violated ones, until none is left."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from divkit._errors import NotConverged
from divkit.transport._kernels.pairs import pair_costs
from divkit.transport._levels import Level, extend, levels, refine
from divkit.transport._pair_search import PairSearch, Violations, pair_search
from divkit.transport._restricted import RestrictedTransport
from divkit.transport._sharpen import sharpen
from divkit.transport._watch import OutOfTime, Watch

__all__ = ["Bracketed", "Settings", "solve_points"]

_F = NDArray[np.float64]
_I = NDArray[np.int64]

_TOLERANCE: Final = 1e-13  # of a reduced cost, relative to its two potentials: some hundred roundings of them
_FEASIBLE: Final = 2.0**-50  # the same for the potentials that are returned: some roundings
_GAP: Final = 1e-12  # relative to the cost; tighter tolerances are tried until it is reached
_ATTEMPTS: Final = 4
_OUT: Final = 256.0
_RANGE: Final = 2.0**12  # potentials start within this many typical costs: a far pair must not cost the others digits
_NEAR: Final = (
    64  # a coarser level's plan and potentials are tried on all points if they have at most so many times more
)
_ROUNDS: Final = 500
_BLUR: Final = 1e-9  # of typical costs: below this spread of slacks there is nothing to sharpen
_DENSE: Final = 40_000  # pairs up to here are all candidates


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


def solve_points(finest: Level, settings: Settings, watch: Watch) -> Bracketed:
    """The optimal plan between the points of `finest`, or a bracket of its cost if the watch or the tolerance says so.

    From the coarsest level to the finest: each gives potentials, and a plan, to the next.

    Raises
    ------
    NotConverged
        If rounding keeps the gap open.
    """
    hierarchy = levels(finest, np.random.default_rng(0))
    below: tuple[Level, _F, _F, tuple[_I, _I, _I]] | None = None
    info = {"levels": len(hierarchy), "rounds": 0, "pivots": 0, "arcs": 0, "looked": 0, "checked": 0}
    for depth, level in enumerate(hierarchy):
        solver = _LevelSolver(level, settings, watch, info)
        try:
            solver.start(below)
            solver.run(last=level is finest)
        except OutOfTime:
            return _carried(hierarchy[depth:], solver, below, settings, info)
        if level is finest:
            return solver.bracketed(finished=True)
        below = level, solver.f, solver.g, solver.plan()
        if settings.tolerance > 0 and len(finest.x) * len(finest.y) <= _NEAR**2 * len(level.x) * len(level.y):
            early = _carried(hierarchy[depth + 1 :], None, below, settings, info)
            if early.gap <= settings.tolerance * early.value:
                return early._replace(finished=True)
    raise AssertionError("unreachable: the last level is the finest")


def _carried(
    remaining: list[Level],
    solver: _LevelSolver | None,
    below: tuple[Level, _F, _F, tuple[_I, _I, _I]] | None,
    settings: Settings,
    info: dict[str, int],
) -> Bracketed:
    """A bracket for the last of the remaining levels from an unfinished solve of the first, or from the level below."""
    finest = remaining[-1]
    if solver is not None and solver.started:
        if solver.level is finest:
            return solver.bracketed(finished=False)
        solver.refresh()
        below, remaining = (solver.level, solver.f, solver.g, solver.plan()), remaining[1:]
    if below is None:  # not even the coarsest level was begun
        f, g = np.zeros(len(finest.x)), np.zeros(len(finest.y))
        plan = _corner(finest.x_masses, finest.y_masses)
    else:
        coarse, f, g, plan = below
        for level in remaining:
            plan = refine(plan, level)
        f, g = extend(coarse, finest, f, g, settings.p, settings.threads)
    search = pair_search(finest.x, finest.y, settings.p, settings.threads)
    return _bracket(finest, search, settings, plan, f, g, info)._replace(finished=False)


def _corner(x_masses: _I, y_masses: _I) -> tuple[_I, _I, _I]:
    """The north-west corner plan."""
    ends_x, ends_y = np.cumsum(x_masses), np.cumsum(y_masses)
    ends = np.union1d(ends_x, ends_y)
    flows = np.diff(ends, prepend=0)
    rows, columns = np.searchsorted(ends_x, ends), np.searchsorted(ends_y, ends)
    moved = flows > 0
    return rows[moved], columns[moved], flows[moved]


def _bracket(
    level: Level, search: PairSearch, settings: Settings, plan: tuple[_I, _I, _I], f: _F, g: _F, info: dict[str, int]
) -> Bracketed:
    """The bracket of a plan and of potentials that need not be feasible: one pass over all pairs lowers f to be so."""
    found = search.violations(f, g, _FEASIBLE, 1)
    info["looked"] += found.looked
    info["checked"] += found.checked
    return _evaluated(level, settings.p, plan, np.minimum(f, found.least), g, info)


def _evaluated(level: Level, p: int, plan: tuple[_I, _I, _I], f: _F, g: _F, info: dict[str, int]) -> Bracketed:
    """The value of a plan and its gap to feasible potentials, as the plan's reduced cost so that nothing cancels."""
    rows, columns, flows = plan
    shares = flows / float(level.x_masses.sum())
    paid = pair_costs(level.x, level.y, rows, columns, p)
    value = math.fsum(shares * paid)
    if value == 0.0:  # costs are not negative: nothing to prove, and zero potentials prove it without rounding
        return Bracketed(rows, columns, flows, np.zeros_like(f), np.zeros_like(g), 0.0, 0.0, True, dict(info))
    gap = max(math.fsum(shares * (paid - f[rows] - g[columns])), 0.0)
    return Bracketed(rows, columns, flows, f, g, value, gap, True, dict(info))


def _magnitude(f: _F, g: _F) -> float:
    return float(np.abs(f).max() + np.abs(g).max())


class _LevelSolver:
    """One level: candidate arcs, the restricted problem, and its rounds."""

    def __init__(self, level: Level, settings: Settings, watch: Watch, info: dict[str, int]) -> None:
        self.level, self.settings, self.watch, self.info = level, settings, watch, info
        self.search = pair_search(level.x, level.y, settings.p, settings.threads)
        self.started, self._counted = False, 0
        self.f, self.g = np.zeros(len(level.x)), np.zeros(len(level.y))

    def start(self, below: tuple[Level, _F, _F, tuple[_I, _I, _I]] | None) -> None:
        """Potentials from the level below, candidate arcs from them, better potentials from these, and again."""
        level, settings = self.level, self.settings
        if below is not None:
            f, g = extend(below[0], level, below[1], below[2], settings.p, settings.threads)
            self.f, self.g = self._tamed(f, g)
        rows, columns, spread = self._candidates()
        costs = self._costs(rows, columns)
        self.watch.check()
        if below is not None and spread > _BLUR * float(np.median(costs)):
            masses = level.x_masses, level.y_masses
            self.f, self.g = sharpen(rows, columns, costs, masses, self.f, self.g, spread / 4, settings.threads)
            more_rows, more_columns, _ = self._candidates()
            rows, columns = self._joined(rows, columns, more_rows, more_columns)
            costs = self._costs(rows, columns)
        self.watch.check()
        magnitude = 1.01 * _magnitude(self.f, self.g)
        self.far = self._far()
        self.highest_price = self._diameter(np.ones_like(self.far)) + magnitude
        self.enough = 4 * self._diameter(~self.far) + magnitude if self.far.any() else math.inf
        price = min(self._hub_price(rows, columns, costs, cold=below is None), self.highest_price, self.enough)
        self.problem = RestrictedTransport(level.x_masses, level.y_masses, self.f, self.g, price)
        self.problem.add(rows, columns, costs)
        self.started = True

    def _hub_price(self, rows: _I, columns: _I, costs: _F, *, cold: bool) -> float:
        """Dear enough that mass leaves the hub wherever arcs allow it, cheap enough to keep the potentials small."""
        typical, largest = float(np.median(costs)), float(costs.max())
        if cold:
            price = 4 * min(largest, _RANGE * typical if typical > 0 else math.inf)
        else:
            slack = costs - self.f[rows] - self.g[columns]
            price = max(self.settings.hub_price * float(np.quantile(slack, 0.9)), 4 * typical)
        return price if price > 0 else math.inf

    def _tamed(self, f: _F, g: _F) -> tuple[_F, _F]:
        """Potentials within a range beside which typical ones keep their digits: only far-away points are concerned."""
        typical = float(np.median(np.abs(f)) + np.median(np.abs(g)))
        if typical == 0.0:
            return f, g
        return np.clip(f, -_RANGE * typical, _RANGE * typical), np.clip(g, -_RANGE * typical, _RANGE * typical)

    def _candidates(self) -> tuple[_I, _I, float]:
        """Arcs to the partners of least slack from both sides, and the median spread of a row's five least slacks."""
        n, m = len(self.f), len(self.g)
        if n * m <= _DENSE:
            return np.repeat(np.arange(n), m), np.tile(np.arange(m), n), 0.0
        forward, slacks = self.search.nearest(self.f, self.g, self.settings.neighbours)
        self.watch.check()
        backward, _ = self.search.transposed.nearest(self.g, self.f, self.settings.neighbours)
        keys = np.concatenate(
            [(np.arange(n)[:, None] * m + forward).ravel(), (backward * m + np.arange(m)[:, None]).ravel()]
        )
        rows, columns = np.divmod(np.unique(keys), m)
        fifth = min(4, slacks.shape[1] - 1)
        return rows, columns, float(np.median(slacks[:, fifth] - slacks[:, 0]))

    def _joined(self, rows: _I, columns: _I, more_rows: _I, more_columns: _I) -> tuple[_I, _I]:
        m = len(self.g)
        keys = np.unique(np.concatenate([rows * m + columns, more_rows * m + more_columns]))
        return np.divmod(keys, m)

    def _costs(self, rows: _I, columns: _I) -> _F:
        costs: _F = pair_costs(self.level.x, self.level.y, rows, columns, self.settings.p)
        return costs

    def _far(self) -> NDArray[np.bool_]:
        """Which of the n + m points lie hundreds of times further out than nine tenths of them."""
        points = np.concatenate([self.level.x, self.level.y])
        out = np.abs(points - np.median(points, axis=0)).max(axis=1)  # (n + m,)
        return np.asarray(out > _OUT * float(np.quantile(out, 0.9)))

    def _diameter(self, which: NDArray[np.bool_]) -> float:
        """A bound on the costs between the chosen of the n + m points; 1 if all are one point."""
        points = np.concatenate([self.level.x, self.level.y])[which]
        diameter = float(np.sqrt((np.ptp(points, axis=0) ** 2).sum())) ** self.settings.p
        return diameter * 1.01 if diameter > 0 else 1.0

    def run(self, last: bool) -> None:
        """Rounds until no pair is violated and the hub is empty; on the last level until the gap is closed."""
        relative = _TOLERANCE
        for _ in range(_ATTEMPTS):
            self._rounds(relative, last)
            if not last or self.settings.tolerance > 0:
                return
            done = self._evaluate()
            if done.gap <= _GAP * done.value:
                return
            relative = max(relative / 16, _FEASIBLE)
        if done.gap > 1e-9 * done.value:
            raise NotConverged(
                f"rounding keeps the gap at {done.gap / done.value:.3g} of the cost, 1e-9 is required; the points span "
                f"too many orders of magnitude: remove common far-away points, or use method 'emd' if there are few",
                {"lower": done.value - done.gap, "upper": done.value},
            )

    def _rounds(self, relative: float, last: bool) -> None:
        settings, problem = self.settings, self.problem
        for turn in range(_ROUNDS):
            absolute, before = self._loose(), (problem.pivots, problem.price)
            self.info["arcs"] = len(problem.costs)
            problem.solve(relative, absolute, self.watch.check)
            self.refresh()
            found = self.search.violations(self.f, self.g, _FEASIBLE, settings.added)
            hung = int(problem.on_hub[0].sum())
            self._record(found, hung)
            self.f_feasible = np.minimum(self.f, found.least)
            rounding = relative * problem.magnitudes(found.rows, found.columns)
            violated = found.slacks < -np.maximum(rounding, absolute)
            if settings.tolerance > 0:
                now = self._evaluate()
                if now.gap <= settings.tolerance * now.value:
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
        raise NotConverged(
            f"column generation did not settle within {_ROUNDS} rounds: the points span too many orders of magnitude; "
            f"bring far-away points closer, or use method 'emd' if there are few points"
        )

    def _loose(self) -> float:
        """The tolerance of reduced costs that a requested gap allows: a fifth of it."""
        if self.settings.tolerance == 0.0:
            return 0.0
        total = float(self.level.x_masses.sum())
        dual = float(self.f @ (self.level.x_masses / total) + self.g @ (self.level.y_masses / total))
        return 0.2 * self.settings.tolerance * max(dual, 0.0)

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

    def plan(self) -> tuple[_I, _I, _I]:
        """The plan, with what is still on the hub routed by the north-west corner rule."""
        rows, columns, flows = self.problem.plan
        x_hung, y_hung = self.problem.on_hub
        if not x_hung.any():
            return rows, columns, flows
        i, j = np.flatnonzero(x_hung), np.flatnonzero(y_hung)
        more_rows, more_columns, more = _corner(x_hung[i], y_hung[j])
        return (
            np.concatenate([rows, i[more_rows]]),
            np.concatenate([columns, j[more_columns]]),
            np.concatenate([flows, more]),
        )

    def _evaluate(self) -> Bracketed:
        return _evaluated(self.level, self.settings.p, self.plan(), self.f_feasible, self.g, self.info)

    def bracketed(self, finished: bool) -> Bracketed:
        """What is known now."""
        if finished:
            return self._evaluate()
        self.refresh()
        return _bracket(self.level, self.search, self.settings, self.plan(), self.f, self.g, self.info)._replace(
            finished=False
        )
