"""Exact transport without the cost matrix: column generation on a sparse network simplex."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from divkit._checks import check_points
from divkit._errors import InvalidInput, NotConverged
from divkit.divergences import Divergence, Wasserstein
from divkit.measures import Measure
from divkit.methods import Method
from divkit.result import Bound, Estimand, Estimate
from divkit.transport import Coupling, _found
from divkit.transport._found import Found, Limits, OnLimit
from divkit.transport._points import point_refusal, weighted_points

if TYPE_CHECKING:
    from divkit.transport.emd import EMD

__all__ = ["ColumnGeneration", "OnLimit"]

_T = TypeVar("_T", Estimate, Coupling)


@dataclass(frozen=True)
class ColumnGeneration(Method):
    """W_1 and W_2 between point sets, exact and certified, in memory of the order of the points.

    Few candidate pairs make a sparse transport problem, which a network simplex solves; its potentials then price all
    n m pairs, the violated ones join, and so on until none is left: the plan is optimal, and the potentials prove it.
    Coarser versions of the point sets give the first potentials.

    Parameters
    ----------
    tolerance : float
        Relative gap at which to stop: (upper - lower) / upper of the cost d^p. 0 solves to optimality.
    max_seconds : float or None
        Limit on the time, looked at between steps.
    on_limit : {"raise", "bracket"}
        What to do at the limit: raise `NotConverged` with the bracket in its info, or return the bracket.
    progress : bool
        Show level, round and unrouted mass on stderr.

    Examples
    --------
    >>> from divkit.transport.column_generation import ColumnGeneration
    >>> ColumnGeneration().solve([[0.0, 0.0], [1.0, 0.0]], [[0.0, 3.0], [1.0, 1.0]]).cost
    2.0
    """

    name: ClassVar[str] = "column_generation"
    measures: ClassVar[str] = "two point sets (Samples, or Discrete with points)"
    divergences: ClassVar[str] = "W_1, W_2"
    bound: ClassVar[Bound] = "exact"
    estimand: ClassVar[Estimand] = "given"

    tolerance: float = 0.0
    max_seconds: float | None = None
    on_limit: OnLimit = "raise"
    progress: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.tolerance, int | float) or not 0 <= self.tolerance < 1:
            raise InvalidInput(f"tolerance must be a number in [0, 1), a relative gap; got {self.tolerance!r}")
        limit = self.max_seconds
        if limit is not None and (not isinstance(limit, int | float) or not 0 < limit < math.inf):
            raise InvalidInput(f"max_seconds must be a positive number, or None for no limit; got {limit!r}")
        if self.on_limit not in ("raise", "bracket"):
            raise InvalidInput(f"on_limit must be 'raise' or 'bracket', got {self.on_limit!r}")

    def refusal(self, div: Divergence, P: Measure, Q: Measure) -> str | None:
        """Why this method cannot compute div(P || Q), in a clause; None if it can."""
        reason = point_refusal(div, P, Q)
        if reason is None and isinstance(div, Wasserstein) and div.p not in (1, 2):
            return f"p must be 1 or 2, got {div.p:g}; use method 'emd'"
        return reason

    def estimate(self, div: Divergence, P: Measure, Q: Measure, *, level: float, rng: np.random.Generator) -> Estimate:
        """W_p between the given point sets; `level` and `rng` are not used, the bracket is certain.

        Raises
        ------
        Unsupported
            If `refusal` is not None.
        NotConverged
            At the time limit, unless a bracket is asked for, or if rounding keeps the gap open.
        """
        self.demand(div, P, Q)
        assert isinstance(div, Wasserstein)
        (x, x_weights), (y, y_weights) = weighted_points(P), weighted_points(Q)
        return self._or_emd(
            len(x) * len(y),
            lambda: self._estimate(div, Found(x, y, x_weights, y_weights, int(div.p), self._limits)),
            lambda emd: emd.estimate(div, P, Q, level=level, rng=rng),
        )

    def _estimate(self, div: Wasserstein, found: Found) -> Estimate:
        lower, upper = found.distance_bracket()
        if math.isinf(upper):
            raise InvalidInput(f"{div.name} is beyond the range of float64; divide x and y by a constant first")
        return Estimate(
            found.distance(found.value) if found.exact else upper,
            divergence=div.name,
            method=self.name,
            bound="exact" if found.exact else "upper",
            interval=(lower, upper),
            level=1.0,
            info={"gap": upper - lower, "p": div.p, **found.info},
        )

    def solve(self, x: Any, y: Any, x_weights: Any = None, y_weights: Any = None, p: float = 1.0) -> Coupling:
        """The optimal coupling of two point sets for the cost |x - y|^p.

        Parameters
        ----------
        x, y : array_like, shape (n,) or (n, d), and (m,) or (m, d)
        x_weights, y_weights : array_like, shape (n,) and (m,), optional
            Non-negative; only their ratios matter. Equal by default.
        p : {1, 2}

        Returns
        -------
        Coupling
            Its `cost` is the sum of plan * |x - y|^p: W_p is ``cost ** (1 / p)``. `lower` and `upper` hold the optimum.

        Raises
        ------
        InvalidInput
            For arguments that do not meet these requirements, or costs beyond the range of float64.
        NotConverged
            At the time limit, unless a bracket is asked for, or if rounding keeps the gap open.
        """
        if isinstance(p, bool) or not isinstance(p, int | float) or p not in (1, 2):
            raise InvalidInput(f"p must be 1 or 2 for column generation, got {p!r}; for other orders use method 'emd'")
        x, y = check_points("x", x), check_points("y", y)
        return self._or_emd(
            len(x) * len(y),
            lambda: Found(x, y, x_weights, y_weights, int(p), self._limits).coupling(),
            lambda emd: emd.solve(x, y, x_weights, y_weights, p),
        )

    @property
    def _limits(self) -> Limits:
        return Limits(self.tolerance, self.max_seconds, self.on_limit, self.progress)

    def _or_emd(self, pairs: int, ours: Callable[[], _T], theirs: Callable[[EMD], _T]) -> _T:
        """Ours; where it fails between few points, the solver that tries further scales, and can afford to there."""
        try:
            return ours()
        except NotConverged:
            if self.max_seconds is not None or pairs > _found.FEW_PAIRS:
                raise
            from divkit.transport.emd import EMD

            return theirs(EMD())
