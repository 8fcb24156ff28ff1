"""A problem solved by column generation: everything between the caller's points and units and those of the solver."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from divkit._checks import check_same_dimension
from divkit._errors import InvalidInput, NotConverged
from divkit._threads import workers
from divkit.transport import Coupling
from divkit.transport._frame import balance, power_of_two
from divkit.transport._pairs import Extent, envelope, extent, times_two_to
from divkit.transport._rounds import RELATIVE_GAP

if TYPE_CHECKING:
    from divkit.transport._bracket import Bracketed

__all__ = ["FEW_PAIRS", "Found", "Limits", "OnLimit"]

_F = NDArray[np.float64]
_I = NDArray[np.int64]
_Rows = NDArray[np.intp]

FEW_PAIRS: Final = 120_000  # as many arcs at once take less time than finding out which of them matter
_GRID: Final = 2.0**60  # integer masses of laws whose weights span too much for 2**52
_FAR: Final = 2.0**400  # beside distances of at most 2**55
_LIFT: Final = 55
_UNDERFLOW: Final = 1e-140  # distances below it lose terms when squared


OnLimit = Literal["raise", "bracket"]


@dataclass(frozen=True)
class Limits:
    """When to stop, what to do at the time limit, and whether to show progress; see `ColumnGeneration`."""

    tolerance: float
    max_seconds: float | None
    on_limit: OnLimit
    progress: bool


class Found:
    """A solved problem: everything between the caller's points and units and those of the solver."""

    def __init__(self, x: _F, y: _F, x_weights: Any, y_weights: Any, p: int, limits: Limits) -> None:
        from divkit.transport._atoms import spread_over

        check_same_dimension(x, y)
        self.shape, self.p = (len(x), len(y)), p
        self.masses = balance(x_weights, y_weights, len(x), len(y))
        rows, columns = self.masses.rows, self.masses.columns
        frame = extent(x[rows], y[columns])
        a, b = _integers(self.masses.x[rows], self.masses.y[columns], self.masses.exact)
        solved: Bracketed | None = None
        if len(rows) * len(columns) <= FEW_PAIRS:
            self._place(frame, x, y, 0)
            solved = self._solve_dense(rows, columns, a, b)
        if solved is None:
            self._place(frame, x, y, _lift(frame, x[rows], y[columns]))
            solved = self._solve_sparse(rows, columns, a, b, limits)
        self._solved, self._total = solved, float(a.sum())
        self._rows, self._columns, self._flows = spread_over(self._x_side, self._y_side, solved)
        self._check_underflow()
        self.exact = solved.gap <= RELATIVE_GAP * solved.value
        self.info: Mapping[str, Any] = {"n": len(x), "m": len(y), **solved.info}
        if not (solved.finished or self.exact) and limits.on_limit == "raise":
            lower, upper = self.distance_bracket()
            raise NotConverged(
                f"max_seconds = {limits.max_seconds:g} are over, W_{p} is known to be in [{lower:.6g}, {upper:.6g}]; "
                f"raise max_seconds, or pass on_limit='bracket' to get the bracket, or a tolerance",
                {"lower": lower, "upper": upper, **self.info},
            )

    def _place(self, frame: Extent, x: _F, y: _F, lift: int) -> None:
        """Choose the solver's unit of length, and the extent in it."""
        self.exponent, self._reach = frame.exponent - lift, lift
        self._x, self._y = (
            _placed(frame, points, lift, bool(masses.all()))
            for points, masses in ((x, self.masses.x), (y, self.masses.y))
        )

    def _solve_dense(self, rows: _Rows, columns: _Rows, a: _I, b: _I) -> Bracketed | None:
        from divkit.transport._atoms import Atoms
        from divkit.transport._dense import solve_dense
        from divkit.transport._levels import Level

        self._x_side, self._y_side = Atoms.each(self._x, rows, a), Atoms.each(self._y, columns, b)
        return solve_dense(Level(self._x_side.points, self._y_side.points, a, b), self.p)

    def _solve_sparse(self, rows: _Rows, columns: _Rows, a: _I, b: _I, limits: Limits) -> Bracketed:
        from divkit.transport._atoms import Atoms
        from divkit.transport._generation import solve_points
        from divkit.transport._level_solver import Settings
        from divkit.transport._levels import Level
        from divkit.transport._watch import Watch

        self._x_side, self._y_side = Atoms.of(self._x, rows, a), Atoms.of(self._y, columns, b)
        level = Level(self._x_side.points, self._y_side.points, self._x_side.masses, self._y_side.masses)
        watch = Watch(limits.max_seconds, limits.progress)
        try:
            return solve_points(level, Settings(self.p, threads=workers(), tolerance=limits.tolerance), watch)
        except NotConverged as error:
            self._to_units(error)
            raise
        finally:
            watch.close()

    @property
    def value(self) -> float:
        """The cost of the plan, in the solver's units."""
        return self._solved.value

    def _bracket(self) -> tuple[float, float]:
        """What the optimal cost is between, in the solver's units.

        Masses on a grid of 2**-60: what rounding has moved travels at most through the extent.
        """
        moved = 0.0 if self.masses.exact else sum(self.shape) / _GRID * 2.0 ** (self._reach * self.p)
        return max(self.value - self._solved.gap - moved, 0.0), self.value + moved

    def distance(self, cost: float) -> float:
        """W_p, in the caller's units, for a cost in those of the solver."""
        return times_two_to(cost ** (1 / self.p), self.exponent)

    def distance_bracket(self) -> tuple[float, float]:
        """What W_p is between, the rounding of cost and potentials included: those are feasible to FEASIBLE only."""
        from divkit.transport._bracket import FEASIBLE

        low, high = self._bracket()
        f, g = (
            float(np.abs(potential) @ (side.masses / self._total))
            for side, potential in ((self._x_side, self._solved.f), (self._y_side, self._solved.g))
        )
        low = max(low - FEASIBLE * (f + g + self.value), 0.0)
        return self.distance(low), self.distance(high * (1 + FEASIBLE))

    def coupling(self) -> Coupling:
        """The plan, the potentials and the bracket."""
        solved = self._solved

        def scale(value: float) -> float:
            return times_two_to(value, self.exponent, self.p)

        lower, upper = (scale(end) for end in self._bracket())
        factor = scale(1.0)
        if not 0 < factor < math.inf or math.isinf(upper):
            raise InvalidInput(
                f"the costs |x - y| ** {self.p} leave the range of float64, as distances reach "
                f"2**{self.exponent + self._reach}; divide x and y by 2.0**{self.exponent + self._reach} first, or use "
                f"estimate, which takes the root in time"
            )
        f, g = self._potentials()
        return Coupling(
            cost=scale(solved.value),
            indices_x=self._rows,
            indices_y=self._columns,
            masses=self._flows / self._total,
            x_potential=f * factor,
            y_potential=g * factor,
            lower=lower,
            upper=upper,
            gap=upper - lower if not self.masses.exact else solved.gap * factor,
            shape=self.shape,
            info={"method": "column_generation", "metric": "euclidean", "p": float(self.p), **self.info},
        )

    def _potentials(self) -> tuple[_F, _F]:
        """Potentials of all points; those without mass take part last, by c-transforms."""
        n, m = self.shape
        if (len(self._x_side.points), len(self._y_side.points)) == (n, m) and self._solved.info["levels"] == 0:
            return self._solved.f, self._solved.g  # each point is an atom, in its own place
        f, g = np.zeros(n), np.zeros(m)
        f[self._x_side.members], g[self._y_side.members] = (
            side.to_members(potential)
            for side, potential in ((self._x_side, self._solved.f), (self._y_side, self._solved.g))
        )
        light = np.flatnonzero(self.masses.x == 0)
        if light.size:
            f[light] = envelope(self._y_side.points, self._solved.g, self._x[light], float(self.p), 1.0)
        light = np.flatnonzero(self.masses.y == 0)
        if light.size:
            g[light] = envelope(self._x, f, self._y[light], float(self.p), 1.0)
        return f, g

    def _check_underflow(self) -> None:
        """Squares of distances below 1e-154 of the extent vanish; that may only happen to distances that are 0."""
        if self._solved.value >= _UNDERFLOW**self.p:
            return
        if not np.array_equal(self._x[self._rows], self._y[self._columns]):
            raise NotConverged(
                "all mass travels less than 1e-140 of the extent of the points, which squares cannot resolve; "
                "remove the far-away points that both sets share, or use method 'emd'",
                {"lower": 0.0, "upper": times_two_to(_UNDERFLOW, self.exponent)},
            )

    def _to_units(self, error: NotConverged) -> None:
        """The bracket of a failure as one of W_p in the caller's units."""
        for end in ("lower", "upper"):
            if end in error.info:
                error.info[end] = self.distance(max(float(error.info[end]), 0.0))


def _lift(frame: Extent, x: _F, y: _F) -> int:
    """How far a typical spread is below the extent, in powers of two: single far points must not set the scale.

    At most 2**55, so that squares of the extent stay in the range of float32.
    """
    if not frame.columns.any():
        return 0
    points = np.ldexp(np.concatenate([x, y])[:, frame.columns], -frame.exponent)
    typical = float(np.median(np.abs(points - np.median(points, axis=0)).max(axis=1)))
    return min(_LIFT, max(0, -power_of_two(typical))) if typical > 0 else 0


def _placed(frame: Extent, points: _F, lift: int, everyone: bool) -> _F:
    """The points in the solver's unit; those without mass that lie far outside are moved to the edge of a box."""
    if not frame.columns.any():
        return np.zeros((len(points), 1))
    if everyone:
        return frame.place(points, lift)
    with np.errstate(over="ignore"):
        return np.clip(frame.place(points, lift), -_FAR, _FAR)


def _integers(x: _F, y: _F, exact: bool) -> tuple[_I, _I]:
    """Positive integer masses of equal totals from balanced ones."""
    if exact or (float(x.sum()) > 1.0 and np.all(x == np.rint(x)) and np.all(y == np.rint(y))):
        return x.astype(np.int64), y.astype(np.int64)
    a, b = (np.maximum(np.rint(part / part.sum() * _GRID).astype(np.int64), 1) for part in (x, y))
    surplus = int(a.sum()) - int(b.sum())
    side = b if surplus > 0 else a
    side[np.argmax(side)] += abs(surplus)
    return a, b
