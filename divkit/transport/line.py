"""W_p on the line, where the monotone coupling is optimal."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from divkit._errors import InvalidInput
from divkit._wasserstein_1d import distance
from divkit.divergences import Divergence, Wasserstein
from divkit.measures import Discrete, Law, Measure, Samples
from divkit.methods import Method
from divkit.result import Bound, Estimand, Estimate

__all__ = ["Line", "line_estimate", "point_masses"]

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
    if a is not None or b is not None or len(x) != len(y):
        gap += _LEVELS * span
    return Estimate(
        value,
        divergence=_name(p),
        method="line",
        bound="exact",
        interval=(max(value - gap, 0.0), value + gap),
        level=1.0,
        info={"gap": gap, "n": len(x), "m": len(y), "p": p},
    )
