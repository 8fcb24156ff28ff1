"""What the exact solvers share: measures to distances and masses, and solutions back to the caller's units."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from divkit._checks import check_order, check_points, check_same_dimension
from divkit._errors import InvalidInput, NotConverged, Unsupported
from divkit.divergences import Divergence, Wasserstein
from divkit.measures import Discrete, Measure, Samples
from divkit.result import Estimate
from divkit.transport import Coupling
from divkit.transport._frame import Distances, Masses, balance, distances
from divkit.transport._pairs import times_two_to
from divkit.transport._rounds import Solution, Solver, solve_transport

__all__ = ["couple_points", "mass_points", "point_masses", "point_refusal", "transport_estimate", "weighted_points"]

_F = NDArray[np.float64]


def point_refusal(div: Divergence, P: Measure, Q: Measure) -> str | None:
    """Why there is no transport between these two, in a clause; None if there is."""
    if not isinstance(div, Wasserstein):
        return "it computes Wasserstein distances only"
    for name, measure in (("P", P), ("Q", Q)):
        if not isinstance(measure, Discrete | Samples):
            return f"{name} is a law, not a point set; draw Samples from it"
        if measure.points is None:
            return f"{name} has no points; give Discrete(probs, points=...)"
    if P.dim != Q.dim:
        return f"P has {P.dim} and Q has {Q.dim} coordinates"
    return None


def weighted_points(measure: Measure) -> tuple[_F, _F | None]:
    """Points (n, d) and weights (n,) of a measure that `point_refusal` has let through."""
    if isinstance(measure, Samples):
        return measure.points, measure.weights
    if isinstance(measure, Discrete) and measure.points is not None:
        return measure.points, measure.probs
    raise InvalidInput(f"{measure!r} has no points")


def mass_points(points: _F, weights: _F | None) -> tuple[_F, _F]:
    """The points (n, d) that carry mass, and their masses (n,), of sum 1."""
    if weights is None:
        return points, np.full(len(points), 1 / len(points))
    kept = weights > 0
    return points[kept], weights[kept]


def point_masses(
    x: Any, y: Any, x_weights: Any, y_weights: Any, metric: str, max_pairs: int
) -> tuple[Distances, Masses]:
    """All distances and balanced masses of two weighted point sets.

    Raises
    ------
    InvalidInput
        For points or weights that are no points or weights.
    Unsupported
        If there are more pairs than allowed.
    """
    x, y = check_points("x", x), check_points("y", y)
    check_same_dimension(x, y)
    masses = balance(x_weights, y_weights, len(x), len(y))
    reason = too_many_pairs(len(x), len(y), max_pairs)
    if reason is not None:
        raise Unsupported(reason)
    return distances(x, y, metric, masses), masses


def too_many_pairs(n: int, m: int, max_pairs: int) -> str | None:
    """The clause that refuses a problem of too many pairs; None if it is small enough."""
    if n * m <= max_pairs:
        return None
    return (
        f"{n} x {m} points are {n * m:.3g} pairs, max_pairs is {max_pairs:.3g}; "
        f"sub-sample the points, or raise max_pairs if memory allows"
    )


def couple_points(ground: Distances, masses: Masses, p: float, solver: Solver, info: dict[str, Any]) -> Coupling:
    """The optimal coupling for the cost distance^p, in the caller's units.

    Raises
    ------
    InvalidInput
        If distance^p leaves the range of float64 there, or p is inf.
    NotConverged
        If optimality cannot be proved.
    """
    p = check_order(p)
    if math.isinf(p):
        raise InvalidInput("p must be finite for a coupling: there is no cost to add up at p = inf; use estimate")
    solution = _solve(ground, p, masses, solver, root=False)
    factor = times_two_to(solution.unit**p, ground.exponent, p)
    if not 0 < factor < math.inf:
        raise InvalidInput(
            f"the costs distance ** {p:g} leave the range of float64, as distances reach 2**{ground.exponent}; "
            f"divide x and y by 2.0**{ground.exponent} first, or use estimate, which takes the root in time"
        )
    plan = solution.plan
    upper = plan.value * factor
    gap = plan.gap * factor
    return Coupling(
        cost=upper,
        indices_x=plan.rows,
        indices_y=plan.columns,
        masses=plan.masses,
        x_potential=plan.u * factor,
        y_potential=plan.v * factor,
        lower=upper - gap,
        upper=upper,
        gap=gap,
        shape=(len(plan.u), len(plan.v)),
        info={**info, "p": p, "rounds": solution.rounds},
    )


def _solve(ground: Distances, p: float, masses: Masses, solver: Solver, *, root: bool) -> Solution:
    """`solve_transport`, with the bracket of a failure in the caller's units (of the cost, or of its root)."""
    try:
        return solve_transport(ground.values, p, masses, solver)
    except NotConverged as error:
        for end in ("lower", "upper"):
            if end in error.info:
                value = float(error.info[end])
                error.info[end] = (
                    times_two_to(value ** (1 / p), ground.exponent) if root else times_two_to(value, ground.exponent, p)
                )
        raise


def transport_estimate(
    ground: Distances, masses: Masses, div: Wasserstein, solver: Solver, *, method: str, info: dict[str, Any]
) -> Estimate:
    """W_p from the certified optimal cost, the root taken last and the bracket with it.

    Raises
    ------
    NotConverged
        If optimality cannot be proved.
    """
    solution = _solve(ground, div.p, masses, solver, root=True)
    n, m = ground.values.shape
    # Floating-point masses are balanced to an ulp of the total a point; that much may travel at most the distance 1.
    moved = 0.0 if masses.exact else (n + m) * np.finfo(float).eps / solution.unit**div.p
    low, value, high = (
        max(cost, 0.0) ** (1 / div.p) * solution.unit
        for cost in (
            solution.plan.value - solution.plan.gap - moved,
            solution.plan.value,
            solution.plan.value + moved,
        )
    )
    info = {**info, "n": n, "m": m, "rounds": solution.rounds}
    return estimate_between(div, value, (low, high), ground.exponent, method, info)


def estimate_between(
    div: Wasserstein, value: float, ends: tuple[float, float], exponent: int, method: str, info: dict[str, Any]
) -> Estimate:
    """The estimate `value * 2**exponent` with its certificate.

    Raises
    ------
    InvalidInput
        If the distance exceeds the range of float64.
    """
    value, lower, upper = (times_two_to(end, exponent) for end in (value, *ends))
    if math.isinf(upper):
        raise InvalidInput(f"{div.name} is about 2**{exponent}, beyond float64; divide x and y by a constant first")
    return Estimate(
        value,
        divergence=div.name,
        method=method,
        bound="exact",
        interval=(lower, upper),
        level=1.0,
        info={"gap": upper - lower, "p": div.p, **info},
    )
