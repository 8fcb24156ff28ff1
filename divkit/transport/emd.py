"""Exact transport by POT's network simplex, with the proof of optimality that POT leaves to its caller."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from divkit._array import as_float_array
from divkit._checks import check_integer
from divkit._errors import InvalidInput, Unsupported
from divkit.divergences import Divergence, Wasserstein
from divkit.measures import Measure
from divkit.methods import Method
from divkit.result import Bound, Estimand, Estimate
from divkit.transport import Coupling
from divkit.transport._bottleneck import bottleneck, bottleneck_refusal
from divkit.transport._certificate import Basis
from divkit.transport._frame import METRICS, balance, power_of_two
from divkit.transport._points import (
    couple_points,
    estimate_between,
    point_masses,
    point_refusal,
    too_many_pairs,
    transport_estimate,
    weighted_points,
)
from divkit.transport._rounds import Solver, Stopped, solve_transport

__all__ = ["EMD", "transport_from_cost"]

_F = NDArray[np.float64]
_MAX_PAIRS = 50_000_000
_OPTIMAL, _ITERATIONS = 1, 3  # POT's result codes


@dataclass(frozen=True)
class EMD(Method):
    """W_p between point sets by the network simplex of POT (`ot.emd`), every answer certified.

    POT compares costs with absolute tolerances and returns numbers where it found none: 0.0 for NaN and for masses
    that do not balance, a plan with a warning when the iterations run out. Here the distances are brought to
    [0, 1] by powers of two, masses become integers where they can, and the potentials are made feasible; what
    does not close the gap to 1e-9 of the cost is solved again in a better scale, or raises.

    Parameters
    ----------
    metric : str
        Ground distance: a name that `scipy.spatial.distance.cdist` takes. W_p then is the one of this metric.
    max_iterations : int or None
        Pivots of one solve; by default 100,000 + 10 n m, far more than a network simplex needs.
    max_pairs : int
        Larger problems are refused. A pair takes about 40 bytes, 48 if p is not 1: 5e7 pairs are 2.4 GB.

    Examples
    --------
    >>> from divkit.transport.emd import EMD
    >>> plan = EMD().solve([[0.0, 0.0], [1.0, 0.0]], [[0.0, 3.0], [1.0, 1.0]])
    >>> plan.cost
    2.0
    """

    name: ClassVar[str] = "emd"
    measures: ClassVar[str] = "two point sets (Samples, or Discrete with points)"
    divergences: ClassVar[str] = "W_p"
    bound: ClassVar[Bound] = "exact"
    estimand: ClassVar[Estimand] = "given"

    metric: str = "euclidean"
    max_iterations: int | None = None
    max_pairs: int = _MAX_PAIRS

    def __post_init__(self) -> None:
        if not isinstance(self.metric, str) or self.metric not in METRICS:
            raise InvalidInput(
                f"metric must be one of {', '.join(METRICS)}, got {self.metric!r}; "
                f"for another one build the cost matrix and pass it to transport_from_cost"
            )
        if self.max_iterations is not None:
            check_integer("max_iterations", self.max_iterations, 1)
        check_integer("max_pairs", self.max_pairs, 1)

    def refusal(self, div: Divergence, P: Measure, Q: Measure) -> str | None:
        """Why this method cannot compute div(P || Q), in a clause; None if it can."""
        reason = point_refusal(div, P, Q)
        if reason is not None:
            return reason
        (x, x_weights), (y, y_weights) = weighted_points(P), weighted_points(Q)
        reason = too_many_pairs(len(x), len(y), self.max_pairs)
        if reason is None and isinstance(div, Wasserstein) and math.isinf(div.p):
            reason = bottleneck_refusal(balance(x_weights, y_weights, len(x), len(y)))
        return reason

    def estimate(self, div: Divergence, P: Measure, Q: Measure, *, level: float, rng: np.random.Generator) -> Estimate:
        """W_p between the given point sets; `level` and `rng` are not used, the bracket is certain.

        Raises
        ------
        Unsupported
            If `refusal` is not None.
        NotConverged
            If optimality cannot be proved.
        """
        self.demand(div, P, Q)
        assert isinstance(div, Wasserstein)
        (x, x_weights), (y, y_weights) = weighted_points(P), weighted_points(Q)
        ground, masses = point_masses(x, y, x_weights, y_weights, self.metric, self.max_pairs)
        info: dict[str, Any] = {"metric": self.metric}
        if math.isinf(div.p):
            value = bottleneck(ground.values, masses)
            info |= {"n": len(x), "m": len(y)}
            return estimate_between(div, value, (value, value), ground.exponent, self.name, info)
        return transport_estimate(ground, masses, div, self._solver(), method=self.name, info=info)

    def solve(self, x: Any, y: Any, x_weights: Any = None, y_weights: Any = None, p: float = 1.0) -> Coupling:
        """The optimal coupling of two point sets for the cost d(x, y)^p.

        Parameters
        ----------
        x, y : array_like, shape (n,) or (n, d), and (m,) or (m, d)
        x_weights, y_weights : array_like, shape (n,) and (m,), optional
            Non-negative; only their ratios matter. Equal by default.
        p : float
            Finite, >= 1.

        Returns
        -------
        Coupling
            Its `cost` is the sum of plan * d^p: W_p is ``cost ** (1 / p)``.

        Raises
        ------
        InvalidInput
            For arguments that do not meet these requirements, or costs beyond the range of float64.
        Unsupported
            For more than `max_pairs` pairs.
        NotConverged
            If optimality cannot be proved.
        """
        ground, masses = point_masses(x, y, x_weights, y_weights, self.metric, self.max_pairs)
        return couple_points(ground, masses, p, self._solver(), {"method": self.name, "metric": self.metric})

    def _solver(self) -> Solver:
        return lambda cost, a, b: _network_simplex(cost, a, b, self.max_iterations)


def transport_from_cost(
    cost: Any,
    x_weights: Any = None,
    y_weights: Any = None,
    *,
    max_iterations: int | None = None,
    max_pairs: int = _MAX_PAIRS,
) -> Coupling:
    """The optimal coupling for a cost matrix of your own.

    Parameters
    ----------
    cost : array_like, shape (n, m)
        Any finite numbers, negative ones included; ``np.inf`` forbids a pair.
    x_weights, y_weights : array_like, shape (n,) and (m,), optional
        Non-negative; only their ratios matter. Equal by default.
    max_iterations, max_pairs : int
        As in `EMD`.

    Returns
    -------
    Coupling
        With potentials and gap in the units of `cost`. The gap is at most 1e-9 of ``coupling.cost - cost.min()``.

    Raises
    ------
    InvalidInput
        For a cost that is not a non-empty matrix, NaN or -inf in it, weights that do not fit it, or if no plan
        avoids the forbidden pairs.
    NotConverged
        If optimality cannot be proved.

    Examples
    --------
    >>> from divkit.transport.emd import transport_from_cost
    >>> transport_from_cost([[0.0, 1.0, 4.0], [4.0, 1.0, 0.0]])
    Coupling(cost=0.3333333333333333, gap=0, n=2, m=3, entries=4)
    """
    settings = EMD(max_iterations=max_iterations, max_pairs=max_pairs)
    matrix = _check_cost(cost)
    n, m = matrix.shape
    masses = balance(x_weights, y_weights, n, m)
    reason = too_many_pairs(n, m, max_pairs)
    if reason is not None:
        raise Unsupported(reason)
    framed, low, exponent = _unit_costs(matrix)
    solution = solve_transport(framed, 1.0, masses, settings._solver())
    plan = solution.plan
    scale = solution.unit * 2.0  # the halves of ldexp's argument below: 2**1024 is no float64
    u, v = (np.ldexp(part * scale, exponent - 1) + low / 2 for part in (plan.u, plan.v))
    upper = math.fsum(plan.masses * matrix[plan.rows, plan.columns])
    gap = math.ldexp(plan.gap * scale, exponent - 1)
    return Coupling(
        cost=upper,
        indices_x=plan.rows,
        indices_y=plan.columns,
        masses=plan.masses,
        x_potential=u,
        y_potential=v,
        lower=upper - gap,
        upper=upper,
        gap=gap,
        shape=(n, m),
        info={"method": "emd", "rounds": solution.rounds},
    )


def _check_cost(cost: Any) -> _F:
    matrix = np.asarray(as_float_array("cost", cost), dtype=np.float64)
    if matrix.ndim != 2 or matrix.size == 0:
        raise InvalidInput(f"cost must be a non-empty matrix of shape (n, m), got shape {matrix.shape}")
    lowest = float(matrix.min())  # NaN if there is any
    if math.isnan(lowest) or lowest == -math.inf:
        i, j = (int(k) for k in np.argwhere(np.isnan(matrix) | (matrix == -math.inf))[0])
        raise InvalidInput(
            f"cost must hold finite numbers, or inf for forbidden pairs, but cost[{i}, {j}] is {matrix[i, j]}"
        )
    if lowest == math.inf:
        raise InvalidInput("cost is inf for every pair: all of them are forbidden; allow some")
    return matrix


def _unit_costs(matrix: _F) -> tuple[_F, float, int]:
    """The costs (n, m) as low + 2**exponent * framed, with framed in [0, 1] or inf; low is the smallest cost."""
    finite = matrix[np.isfinite(matrix)]
    low, high = float(finite.min()), float(finite.max())
    first = max(power_of_two(abs(low)), power_of_two(abs(high)))
    framed = np.ldexp(matrix, -first - 1)  # halves: the spread of numbers near 1e308 would overflow
    framed -= math.ldexp(low, -first - 1)
    second = power_of_two(math.ldexp(high, -first - 1) - math.ldexp(low, -first - 1))
    return np.ldexp(framed, -second, out=framed), low, first + 1 + second


def _network_simplex(cost: _F, a: _F, b: _F, max_iterations: int | None) -> Basis:
    """One run of POT; `Stopped` for every end but an optimal one."""
    from ot.lp import emd

    limit = 100_000 + 10 * cost.size if max_iterations is None else max_iterations
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # POT warns where this function raises
        plan, log = emd(a, b, cost, numItermax=limit, log=True, center_dual=False)
    if log["result_code"] != _OPTIMAL:
        out = log["result_code"] == _ITERATIONS
        raise Stopped(
            f"POT's network simplex stopped after {limit} iterations" if out else f"POT reports: {log['warning']}",
            "raise max_iterations" if out else "rescale the costs, or drop points of negligible weight",
            log["u"],
            limit,
        )
    rows, columns = np.nonzero(plan)
    return Basis(rows, columns, plan[rows, columns], log["u"], log["v"])
