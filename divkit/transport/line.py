"""W_p on the line, where the monotone coupling is optimal."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from divkit._errors import InvalidInput
from divkit._wasserstein_1d import distance
from divkit.divergences import Divergence, Wasserstein
from divkit.measures import Discrete, Law, Measure, Samples
from divkit.methods import Method
from divkit.result import Bound, Estimand, Estimate
from divkit.transport import Coupling

__all__ = ["Line", "line_estimate", "moved", "point_masses"]

_F = NDArray[np.float64]
_ROUNDING: Final = 1e-14  # relative to the value: one pairwise sum and one root
_LEVELS: Final = 1e-15  # relative to the range of the points: rounding of the distribution functions


@dataclass(frozen=True)
class Line(Method):
    """Two sorts and one pass over the points."""

    name: ClassVar[str] = "line"
    measures: ClassVar[str] = "two point sets on the line (Samples, or Discrete with points)"
    divergences: ClassVar[str] = "W_p, 1 <= p <= inf"
    bound: ClassVar[Bound] = "exact"
    estimand: ClassVar[Estimand] = "given"

    def refusal(self, div: Divergence, P: Measure, Q: Measure) -> str | None:
        """See `Method.refusal`."""
        if not isinstance(div, Wasserstein):
            return f"{div.name} is no Wasserstein distance"
        if P.dim is None or Q.dim is None:
            return "a Discrete without points has no distances; give it points"
        if P.dim != 1 or Q.dim != 1:
            return f"the dimensions are {P.dim} and {Q.dim}, not 1"
        if isinstance(P, Law) and isinstance(Q, Law):
            return "it takes points; for two laws there are closed_form and quadrature"
        if isinstance(P, Law) or isinstance(Q, Law):
            return "it compares points with points; draw Samples from the law"
        return None

    def estimate(self, div: Divergence, P: Measure, Q: Measure, *, level: float, rng: np.random.Generator) -> Estimate:
        """See `Method.estimate`."""
        self.demand(div, P, Q)
        assert isinstance(div, Wasserstein)  # by the demand above
        assert not isinstance(P, Law)
        assert not isinstance(Q, Law)
        (x, a), (y, b) = point_masses(P), point_masses(Q)
        return line_estimate(x[:, 0], y[:, 0], a, b, div.p)

    def solve(self, x: Any, y: Any, x_weights: Any = None, y_weights: Any = None, p: float = 1.0) -> Coupling:
        """The optimal coupling of two point sets on the line for the cost |x - y|^p: masses matched in order.

        Parameters
        ----------
        x, y : array_like, shape (n,) or (n, 1), and (m,) or (m, 1)
        x_weights, y_weights : array_like, shape (n,) and (m,), optional
            Non-negative; only their ratios matter. Equal by default.
        p : float
            Finite, >= 1.

        Returns
        -------
        Coupling
            With at most n + m - 1 entries, and potentials for every point, those without mass included. The plan is
            optimal whatever its `gap`, which is the rounding of the potentials that prove it.

        Raises
        ------
        InvalidInput
            For arguments that do not meet these requirements, or costs beyond the range of float64.
        NotConverged
            If the costs span so many orders of magnitude that they underflow.

        Examples
        --------
        >>> from divkit.transport.line import Line
        >>> plan = Line().solve([0.0, 1.0, 5.0], [4.0, 2.0, 3.0], p=2)
        >>> plan.cost
        3.0
        >>> plan.indices_y
        array([1, 2, 0])
        """
        from divkit.transport._monotone import monotone_coupling

        return monotone_coupling(x, y, x_weights, y_weights, p)


def point_masses(measure: Discrete | Samples) -> tuple[_F, _F | None]:
    """Points (n, d) and masses (n,), None for equal ones, of a measure that has points."""
    if isinstance(measure, Samples):
        return measure.points, measure.weights
    assert measure.points is not None  # callers refuse measures without points
    return measure.points, measure.probs


@lru_cache
def _name(p: float) -> str:
    return Wasserstein(p).name


def line_estimate(x: _F, y: _F, a: _F | None, b: _F | None, p: float) -> Estimate:
    """W_p of points x (n,) and y (m,) with optional weights, certified to rounding."""
    value, span = distance(x, y, a, b, p)
    if value == np.inf:
        raise InvalidInput(
            "the distance is beyond the range of float64; divide the points by a power of two and multiply the result"
        )
    gap = _ROUNDING * value
    low, high = max(value - gap, 0.0), value + gap
    if a is not None or b is not None or len(x) != len(y):
        low, high = moved(low, high, span, p)
    return Estimate(
        value,
        divergence=_name(p),
        method="line",
        bound="exact",
        interval=(low, high),
        level=1.0,
        info={"gap": high - low, "n": len(x), "m": len(y), "p": p},
    )


def moved(low: float, high: float, span: float, p: float) -> tuple[float, float]:
    """What is left of the interval when rounded levels may send a mass of _LEVELS through the span.

    Powers are added, in units of the larger of both, so that nothing overflows: W_p^p is what changes by mass.
    """
    span = min(span, np.finfo(float).max)  # it may be beyond the floats where the value is not
    unit = min(max(high, span), np.finfo(float).max)
    if unit == 0.0 or p == np.inf:
        return max(low - _LEVELS * span, 0.0), high + _LEVELS * span
    mass = _LEVELS * (span / unit) ** p
    return max((low / unit) ** p - mass, 0.0) ** (1 / p) * unit, ((high / unit) ** p + mass) ** (1 / p) * unit
