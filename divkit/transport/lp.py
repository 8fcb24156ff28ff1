"""Exact transport as a linear program for HiGHS: slow, and independent of the network simplex."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from divkit._checks import check_integer
from divkit.divergences import Divergence, Wasserstein
from divkit.measures import Measure
from divkit.methods import Method
from divkit.result import Bound, Estimand, Estimate
from divkit.transport import Coupling
from divkit.transport._certificate import Basis
from divkit.transport._frame import power_of_two
from divkit.transport._points import (
    couple_points,
    point_masses,
    point_refusal,
    too_many_pairs,
    transport_estimate,
    weighted_points,
)
from divkit.transport._rounds import Stopped

__all__ = ["LinearProgram"]

_F = NDArray[np.float64]
_TOLERANCE = 1e-10  # the tightest that HiGHS accepts, absolute
# Costs are multiplied by this, so that the tolerance is 1e-13 of the largest one.
_COST_SCALE = 2.0**10


@dataclass(frozen=True)
class LinearProgram(Method):
    """W_p between point sets by SciPy's HiGHS simplex, every answer certified.

    The program has n m variables and n + m equations. Use it to check other methods, which are far faster.

    Parameters
    ----------
    max_pairs : int
        Larger problems are refused; a pair takes about 300 bytes.

    Examples
    --------
    >>> from divkit.transport.lp import LinearProgram
    >>> LinearProgram().solve([0.0, 1.0], [0.0, 3.0]).cost
    1.0
    """

    name: ClassVar[str] = "lp"
    measures: ClassVar[str] = "two point sets (Samples, or Discrete with points), small"
    divergences: ClassVar[str] = "W_p, p finite"
    bound: ClassVar[Bound] = "exact"
    estimand: ClassVar[Estimand] = "given"

    max_pairs: int = 250_000

    def __post_init__(self) -> None:
        check_integer("max_pairs", self.max_pairs, 1)

    def refusal(self, div: Divergence, P: Measure, Q: Measure) -> str | None:
        """Why this method cannot compute div(P || Q), in a clause; None if it can."""
        reason = point_refusal(div, P, Q)
        if reason is not None:
            return reason
        if isinstance(div, Wasserstein) and math.isinf(div.p):
            return "at p = inf the distance is no linear program; use method 'emd'"
        return too_many_pairs(len(weighted_points(P)[0]), len(weighted_points(Q)[0]), self.max_pairs)

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
        ground, masses = point_masses(x, y, x_weights, y_weights, "euclidean", self.max_pairs)
        return transport_estimate(ground, masses, div, _highs, method=self.name, info={"metric": "euclidean"})

    def solve(self, x: Any, y: Any, x_weights: Any = None, y_weights: Any = None, p: float = 1.0) -> Coupling:
        """The optimal coupling of two point sets for the cost |x - y|^p; arguments and errors as `EMD.solve`."""
        ground, masses = point_masses(x, y, x_weights, y_weights, "euclidean", self.max_pairs)
        return couple_points(ground, masses, p, _highs, {"method": self.name, "metric": "euclidean"})


def _highs(cost: _F, a: _F, b: _F) -> Basis:
    """One linear program; `Stopped` for every end but an optimal one."""
    from scipy import optimize
    from scipy.sparse import csc_array

    linprog: Any = optimize.linprog
    n, m = cost.shape
    rows, columns = np.divmod(np.arange(n * m), m)
    entries = np.stack([rows, n + columns], axis=1).ravel()  # (2 n m,): the two equations of each variable
    both = csc_array((np.ones(2 * n * m), entries, 2 * np.arange(n * m + 1)), shape=(n + m, n * m))
    # The last equation follows from the others; with it, totals that differ by an ulp could be found infeasible.
    equations = both.tocsr()[:-1]
    # A power of two, so that nothing is rounded: some thousand a point, as the tolerance is absolute.
    unit = 2.0 ** (power_of_two(float(a.sum()) / max(n, m)) - 12)
    result = linprog(
        cost.ravel() * _COST_SCALE,
        A_eq=equations,
        b_eq=np.concatenate([a, b[:-1]]) / unit,
        bounds=(0, None),
        method="highs-ds",
        options={"primal_feasibility_tolerance": _TOLERANCE, "dual_feasibility_tolerance": _TOLERANCE},
    )
    if result.status != 0:
        raise Stopped(f"HiGHS reports: {result.message}", "use method 'emd', or drop points of negligible weight")
    used = np.flatnonzero(result.x > 0)
    dual = result.eqlin.marginals / _COST_SCALE  # (n + m - 1,)
    return Basis(rows[used], columns[used], result.x[used] * unit, dual[:n], np.append(dual[n:], 0.0))
