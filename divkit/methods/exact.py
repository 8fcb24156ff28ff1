"""f-divergences of finite laws, to rounding."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from divkit.catalog import DIVERGENCES, GAN
from divkit.divergences import DerivedDivergence, Divergence, FDivergence
from divkit.measures import Discrete, Measure
from divkit.methods import Method
from divkit.result import Bound, Estimand, Estimate

__all__ = ["Exact", "align", "certified"]

_F = NDArray[np.float64]
_ROUNDING: Final = 1e-14  # relative; the tests measure below 1e-15 against multiprecision sums
_CANCELLED: Final = 1e-15  # absolute, where f(1) or a generator written in u cancels near equality


@dataclass(frozen=True)
class Exact(Method):
    """The sum over atoms, in one pass; laws with points are first brought onto their common atoms."""

    name: ClassVar[str] = "exact"
    measures: ClassVar[str] = "two Discrete"
    divergences: ClassVar[str] = "every f-divergence"
    bound: ClassVar[Bound] = "exact"
    estimand: ClassVar[Estimand] = "given"

    def refusal(self, div: Divergence, P: Measure, Q: Measure) -> str | None:
        """See `Method.refusal`."""
        if not isinstance(div, FDivergence | DerivedDivergence):
            return f"{div.name} is no f-divergence"
        if not (isinstance(P, Discrete) and isinstance(Q, Discrete)):
            return "it needs two Discrete laws"
        if (P.points is None) != (Q.points is None):
            return "one law has points and the other has none"
        if P.points is None and len(P.probs) != len(Q.probs):
            return f"the laws have {len(P.probs)} and {len(Q.probs)} atoms and no points to match them by"
        if P.dim != Q.dim:
            return f"the points have dimensions {P.dim} and {Q.dim}"
        return None

    def estimate(self, div: Divergence, P: Measure, Q: Measure, *, level: float, rng: np.random.Generator) -> Estimate:
        """See `Method.estimate`."""
        from divkit import exact

        self.demand(div, P, Q)
        assert isinstance(div, FDivergence | DerivedDivergence)  # by the demand above
        assert isinstance(P, Discrete)
        assert isinstance(Q, Discrete)
        p, q = align(P, Q)
        return certified(div, exact.fdivergence(div, p, q), len(p))


def align(P: Discrete, Q: Discrete) -> tuple[_F, _F]:
    """The probabilities of both laws on the union of their atoms; index by index without points."""
    if P.points is None or Q.points is None:
        return P.probs, Q.probs
    both = np.concatenate([P.points, Q.points]) + 0.0  # + 0.0 makes -0.0 the atom 0.0
    atoms, index = np.unique(both, axis=0, return_inverse=True)
    index, split = index.ravel(), len(P.points)
    p, q = (np.zeros(len(atoms)) for _ in range(2))
    np.add.at(p, index[:split], P.probs)
    np.add.at(q, index[split:], Q.probs)
    return p, q


def certified(div: FDivergence | DerivedDivergence, value: float, atoms: int) -> Estimate:
    """An exact sum as an estimate whose interval is its rounding bound."""
    base = div.base if isinstance(div, DerivedDivergence) else div
    written_in_logs = DIVERGENCES.get(base.name) is base and base is not GAN
    gap = 0.0 if math.isinf(value) else _ROUNDING * abs(value) + (0.0 if written_in_logs else _CANCELLED)
    return Estimate(
        value,
        divergence=div.name,
        method="exact",
        bound="exact",
        interval=(max(value - gap, base.f_one), min(value + gap, div.upper)),
        level=1.0,
        info={"gap": gap, "atoms": atoms},
    )
