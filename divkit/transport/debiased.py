"""The debiased Sinkhorn divergence: a smooth number of its own between a transport cost and a kernel distance."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from divkit._checks import check_integer, check_order, check_points, check_same_dimension
from divkit._errors import InvalidInput, NotConverged
from divkit._threads import one_blas_thread
from divkit._unit import in_unit
from divkit.measures import Samples
from divkit.result import Estimate
from divkit.transport._entropic import Entropic
from divkit.transport._points import mass_points, weighted_points
from divkit.transport._streamed import Streamed

__all__ = ["sinkhorn_divergence"]

_SHARE: Final = 0.05  # of the mean cost that epsilon is by itself
_RESOLVED: Final = 1e-5  # of the mean cost; a difference of costs that are nearly equal would take very many steps


def sinkhorn_divergence(
    x: Any,
    y: Any,
    x_weights: Any = None,
    y_weights: Any = None,
    *,
    p: float = 2.0,
    epsilon: float | None = None,
    tolerance: float = 1e-3,
    max_iterations: int = 2000,
) -> Estimate:
    """OT(x, y) - [OT(x, x) + OT(y, y)]/2 with OT = min over plans of <P, C> + epsilon KL(P || a x b), C = |x - y|^p.

    A number of its own: 0 for equal sets, positive otherwise for p = 1 and 2, W_p^p as epsilon goes to 0, and an energy
    distance as it grows. It is no bound of W_p; `Sinkhorn` gives those.

    Parameters
    ----------
    x, y : array_like, shape (n,) or (n, d) and (m,) or (m, d)
    x_weights, y_weights : array_like, shape (n,) and (m,), optional
        Non-negative masses; only their ratios matter.
    p : float
        Of the cost, in [1, inf).
    epsilon : float, optional
        In units of the cost; by default 5 % of the mean cost between the sets.
    tolerance : float
        How wide the interval may be, relative to the value; or 1e-5 of the mean cost if that is more.
    max_iterations : int
        Steps for each of the three problems.

    Returns
    -------
    Estimate
        In units of the cost, not its root; exact for the given points and ``info["epsilon"]``: the interval holds it
        for certain.

    Raises
    ------
    InvalidInput
        For points, weights or settings that are none.
    NotConverged
        If the interval is wider than the tolerance after all steps; info has its ends.

    Notes
    -----
    Genevay, Peyre and Cuturi (2018), "Learning generative models with Sinkhorn divergences"; Feydy et al. (2019),
    "Interpolating between optimal transport and MMD using Sinkhorn divergences". Libraries differ in the cost: some
    have |x - y|^2/2, which halves value and epsilon.

    Examples
    --------
    >>> import numpy as np
    >>> from divkit.transport.debiased import sinkhorn_divergence
    >>> x = np.random.default_rng(0).normal(size=(200, 2))
    >>> d = sinkhorn_divergence(x, x + [1.0, 0.0])  # a shift is seen whole: W_2^2 = 1
    >>> round(d, 3), d.bound, sinkhorn_divergence(x, x) < 1e-4
    (1.0, 'exact', True)
    """
    p = check_order(p)
    if math.isinf(p):
        raise InvalidInput("p must be finite, got inf")
    for name, value in (("epsilon", epsilon), ("tolerance", tolerance)):
        if value is not None and not (isinstance(value, int | float) and 0 < value < math.inf):
            raise InvalidInput(f"{name} must be a positive number, got {value!r}")
    most = check_integer("max_iterations", max_iterations, 1)
    points = check_points("x", x), check_points("y", y)
    check_same_dimension(*points)
    sides = (Samples(own, weights) for own, weights in zip(points, (x_weights, y_weights), strict=True))
    (a, a_masses), (b, b_masses) = (mass_points(*weighted_points(side)) for side in sides)
    together, unit = in_unit(np.concatenate([a, b]))
    far = math.sqrt(float((np.ptp(together, axis=0) ** 2).sum())) or 1.0
    a, b = together[: len(a)] / far, together[len(a) :] / far  # no distance is above 1
    cost_unit = _power(unit * far, p)
    problem = Streamed(a, b, a_masses, b_masses, p)
    mean = problem.mean_cost() or 1.0
    size = _SHARE * mean if epsilon is None else epsilon / cost_unit
    if not 0 < size < math.inf:
        raise InvalidInput(f"epsilon = {epsilon!r} is beyond float64 beside costs of about {mean * cost_unit:.3g}")
    own = Streamed(a, a, a_masses, a_masses, p), Streamed(b, b, b_masses, b_masses, p)
    return _between(problem, own, size, mean, cost_unit, tolerance, most)


def _between(
    problem: Streamed,
    own: tuple[Streamed, Streamed],
    size: float,
    mean: float,
    cost_unit: float,
    tolerance: float,
    most: int,
) -> Estimate:
    """All three problems, to narrower ends until those of the divergence are narrow enough."""
    both = Entropic(problem, size, same=False)
    alone = [Entropic(side, size, same=True) for side in own]
    slack = _rounding(problem, size)
    width, floor = 1e-2 * mean, _RESOLVED * mean
    with one_blas_thread():  # the threads are those of the blocks
        while True:
            for part in (both, *alone):
                part.narrow(width, most)
            low = both.lower - sum(side.upper for side in alone) / 2 - slack
            high = both.upper - sum(side.lower for side in alone) / 2 + slack
            goal = max(tolerance * max(abs(low), abs(high)), floor) if math.isfinite(high - low) else 0.0
            if high - low <= goal or width <= floor / 4 or max(part.width for part in (both, *alone)) > width:
                break
            width = max(min(width / 4, goal / 3), floor / 4)
    info = {
        "p": problem.p,
        "epsilon": size * cost_unit,
        "iterations": (both.steps, *(side.steps for side in alone)),
        "gap": (high - low) * cost_unit,
    }
    if not high - low <= goal:
        ends = low * cost_unit, high * cost_unit
        raise NotConverged(
            f"the Sinkhorn divergence is between {ends[0]:.6g} and {ends[1]:.6g} after {both.steps} steps, wider than "
            f"tolerance = {tolerance:g} allows; raise it, max_iterations or epsilon = {info['epsilon']:.3g}",
            info={**info, "lower": ends[0], "upper": ends[1]},
        )
    low = max(low, 0.0) if problem.p <= 2 else low
    return Estimate(
        max((low + high) / 2, low) * cost_unit,
        divergence="sinkhorn_divergence",
        method="sinkhorn_divergence",
        bound="exact",
        interval=(low * cost_unit, high * cost_unit),
        level=1.0,
        info=info,
    )


def _rounding(problem: Streamed, epsilon: float) -> float:
    """What float64 may add to or take from either end.

    That of costs for the three problems, which count as two; each of its terms may come with one of the entropy, which
    is epsilon times the log of a density of at most 1/(a b), and some 1 for masses.
    """
    most = 1.0 - math.log(float(problem.a.min())) - math.log(float(problem.b.min()))
    return 2 * (problem.rounding() + problem.strayed(epsilon)) * (1 + epsilon * most)


def _power(length: float, p: float) -> float:
    """length ** p, if that is a float."""
    try:
        found = length**p
    except OverflowError:
        found = math.inf
    if not 0 < found < math.inf:
        raise InvalidInput(f"costs of distances of about {length:.3g} to the power {p:g} leave the range of float64")
    return float(found)
