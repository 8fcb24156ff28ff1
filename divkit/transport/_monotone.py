"""The optimal coupling on the line: two sorts, the north-west corner plan, and potentials along its staircase."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from divkit._checks import check_order, check_points
from divkit._errors import InvalidInput, NotConverged
from divkit.transport import Coupling
from divkit.transport._frame import Masses, balance, power_of_two
from divkit.transport._pairs import times_two_to

__all__ = ["monotone_coupling"]

_F = NDArray[np.float64]
_HIGHEST: Final = 900.0  # costs stay below 2**900


@dataclass(frozen=True, eq=False)
class _Sorted:
    """Points in increasing order with their masses, and where they came from: points = given[order]."""

    points: _F
    masses: _F
    order: NDArray[np.intp]

    @property
    def heavy(self) -> NDArray[np.intp]:
        """Places of the points with mass."""
        return np.flatnonzero(self.masses)

    def given(self, values: _F) -> _F:
        """Values (n,) of the sorted points in the order of the given ones."""
        out = np.empty_like(values)
        out[self.order] = values
        return out


@dataclass(frozen=True, eq=False)
class _Plan:
    """The entries of a monotone plan, as places in the sorted points; flows in units of mass."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    flows: _F


def monotone_coupling(x: Any, y: Any, x_weights: Any, y_weights: Any, p: float) -> Coupling:
    """The monotone coupling of points (n,) or (n, 1) and (m,) or (m, 1) for the cost |x - y|^p, with its certificate.

    Raises
    ------
    InvalidInput
        For points that are not on the line, p = inf, or costs beyond the range of float64.
    NotConverged
        If the costs span more orders of magnitude than float64 has.
    """
    p = check_order(p)
    if math.isinf(p):
        raise InvalidInput("p must be finite for a coupling: there is no cost to add up at p = inf; use estimate")
    x, y = _on_the_line("x", x), _on_the_line("y", y)
    masses = balance(x_weights, y_weights, len(x), len(y))
    first, second = _sort(x, masses.x), _sort(y, masses.y)
    plan = _north_west(first, second)
    moved = bool(np.any(first.points[plan.rows] != second.points[plan.columns]))
    exponent = _cost_exponent(first, second, plan, p)
    first, second = _framed(first, second, exponent, p), _framed(second, first, exponent, p)
    paid = np.abs(first.points[plan.rows] - second.points[plan.columns]) ** p  # (k,), at most 1
    value = math.fsum(plan.flows * paid) / masses.total
    if value == 0.0 and moved:
        raise NotConverged(f"the costs underflow at p = {p:g}; use a smaller p", {"lower": 0.0, "upper": math.inf})
    if value == 0.0:  # costs are non-negative: zero potentials prove it without rounding
        u, v = np.zeros(len(x)), np.zeros(len(y))
    else:
        u, v = _potentials(first, second, plan, p)
    gap = _gap(first, second, plan, paid - u[plan.rows] - v[plan.columns], (u, v), masses)
    return _in_units(first, second, plan, (u, v), (value, gap), (exponent, p, masses.total))


def _on_the_line(name: str, value: Any) -> _F:
    points = check_points(name, value)
    if points.shape[1] != 1:
        raise InvalidInput(
            f"{name} must be on the line, with shape (n,) or (n, 1), got {points.shape}; "
            f"in more dimensions use method 'emd'"
        )
    return points[:, 0]


def _sort(points: _F, masses: _F) -> _Sorted:
    order = np.argsort(points, kind="stable")
    return _Sorted(points[order], masses[order], order)


def _north_west(first: _Sorted, second: _Sorted) -> _Plan:
    from divkit.transport._kernels.monotone import north_west

    x_heavy, y_heavy = first.heavy, second.heavy
    rows, columns, flows = north_west(first.masses[x_heavy], second.masses[y_heavy])
    kept = flows > 0
    return _Plan(x_heavy[rows[kept]], y_heavy[columns[kept]], flows[kept])


def _cost_exponent(first: _Sorted, second: _Sorted, plan: _Plan, p: float) -> int:
    """The power of two to divide the points by: the longest move becomes at most 1, and no cost overflows."""
    moves = np.abs(np.ldexp(first.points[plan.rows], -1) - np.ldexp(second.points[plan.columns], -1))
    farthest = float(moves.max())
    if farthest == 0.0:
        return 0  # nothing moves: there are no costs to bring into range
    low, high = _range(first, second)
    longest = math.ldexp(high, -1) - math.ldexp(low, -1)  # halves, as above: differences may be beyond float64
    return 1 + max(power_of_two(farthest), power_of_two(longest) - math.floor(_HIGHEST / p))


def _range(first: _Sorted, second: _Sorted) -> tuple[float, float]:
    """The smallest and the largest point with mass."""
    ends = [side.points[side.heavy[[0, -1]]] for side in (first, second)]
    return float(min(end[0] for end in ends)), float(max(end[1] for end in ends))


def _framed(side: _Sorted, other: _Sorted, exponent: int, p: float) -> _Sorted:
    """The points divided by 2**exponent; those without mass are brought so near that no cost overflows.

    That shortens their distances: potentials that are feasible for these are feasible for the true ones.
    """
    low, high = (math.ldexp(end, -exponent) for end in _range(side, other))
    reach = max(2.0 ** (_HIGHEST / p), high - low)
    with np.errstate(over="ignore"):
        points = np.ldexp(side.points, -exponent)
    return _Sorted(np.clip(points, low - reach, high + reach), side.masses, side.order)


def _potentials(first: _Sorted, second: _Sorted, plan: _Plan, p: float) -> tuple[_F, _F]:
    """Potentials u (n,) and v (m,) on the sorted points, tight on the plan and feasible for every pair."""
    from divkit.transport._kernels import monotone

    if p == 1.0:
        on_x, on_y = monotone.kantorovich(first.points, second.points, first.masses, second.masses)
        return on_x, -on_y
    x_heavy, y_heavy = first.heavy, second.heavy
    x, y = first.points[x_heavy], second.points[y_heavy]
    rows = np.searchsorted(x_heavy, plan.rows)
    columns = np.searchsorted(y_heavy, plan.columns)
    start = monotone.staircase(x, y, rows, columns, p)
    # c-transforms: what the staircase has accumulated in rounding goes into the gap, not into feasibility.
    inner = monotone.envelope(x, start, y, p)
    u = monotone.envelope(y, inner, first.points, p)
    v = inner if len(y_heavy) == len(second.points) else monotone.envelope(first.points, u, second.points, p)
    v[y_heavy] = inner
    return u, v


def _gap(first: _Sorted, second: _Sorted, plan: _Plan, reduced: _F, potentials: tuple[_F, _F], masses: Masses) -> float:
    """Plan cost minus dual value: plan times reduced costs, less what the potentials earn on mass that it misses."""
    u, v = potentials
    gap = math.fsum(plan.flows * reduced)
    if not masses.exact:
        x_excess = first.masses - np.bincount(plan.rows, plan.flows, len(u))  # (n,)
        y_excess = second.masses - np.bincount(plan.columns, plan.flows, len(v))  # (m,)
        gap -= float(x_excess @ u + y_excess @ v)
    return max(gap / masses.total, 0.0)


def _in_units(
    first: _Sorted,
    second: _Sorted,
    plan: _Plan,
    potentials: tuple[_F, _F],
    bracket: tuple[float, float],
    units: tuple[int, float, float],
) -> Coupling:
    """The coupling in the caller's units and order."""
    exponent, p, total = units
    factor = times_two_to(1.0, exponent, p)
    with np.errstate(over="ignore", invalid="ignore"):  # refused below
        u, v = (np.asarray(part * factor) for part in potentials)
    if not 0 < factor < math.inf or not (np.isfinite(u).all() and np.isfinite(v).all()):
        raise InvalidInput(
            f"the costs |x - y| ** {p:g} leave the range of float64, as moves reach 2**{exponent}; "
            f"divide x and y by 2.0**{exponent} first, or use estimate, which takes the root in time"
        )
    upper, gap = bracket[0] * factor, bracket[1] * factor
    return Coupling(
        cost=upper,
        indices_x=first.order[plan.rows],
        indices_y=second.order[plan.columns],
        masses=plan.flows / total,
        x_potential=first.given(u),
        y_potential=second.given(v),
        lower=upper - gap,
        upper=upper,
        gap=gap,
        shape=(len(u), len(v)),
        info={"method": "line", "p": p},
    )
