"""Divergences between laws with densities, by adaptive quadrature that reports its error."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from divkit._checks import check_integer
from divkit._errors import InvalidInput
from divkit.divergences import DerivedDivergence, Divergence, FDivergence, Wasserstein
from divkit.measures import Law, Measure
from divkit.methods import Method
from divkit.methods._derived import derived
from divkit.result import Bound, Estimand, Estimate

__all__ = ["Quadrature"]


@dataclass(frozen=True)
class Quadrature(Method):
    """Adaptive Gauss-Kronrod quadrature of laws with densities in one and two dimensions; sums on the integers.

    It finds where the mass lies, works in logarithms at any scale, splits panels at kinks and singular points,
    follows tails in logarithmic coordinates, and says ``inf`` where the integral diverges. That both densities
    integrate to 1 on the same panels is checked. Where rounding of the densities (a location of 1e8, say) limits
    the accuracy, the interval is as wide as that and ``info["limited_by"]`` says so.

    Parameters
    ----------
    rtol : float
        Relative error that is aimed at, at least 1e-14; two-dimensional integrals stop at 1e-8 if this is smaller.
    max_panels : int
        Panels or boxes after which to give up.
    """

    rtol: float = 1e-10
    max_panels: int = 20_000

    name: ClassVar[str] = "quadrature"
    measures: ClassVar[str] = "two laws, d <= 2"
    divergences: ClassVar[str] = "every f-divergence; W_p in 1-D"
    bound: ClassVar[Bound] = "exact"
    estimand: ClassVar[Estimand] = "given"

    def __post_init__(self) -> None:
        valid = isinstance(self.rtol, numbers.Real) and not isinstance(self.rtol, bool)
        if not valid or not 1e-14 <= float(self.rtol) < 1:
            raise InvalidInput(f"rtol must be a number in [1e-14, 1), such as 1e-10, got {self.rtol!r}")
        check_integer("max_panels", self.max_panels, 100)

    def refusal(self, div: Divergence, P: Measure, Q: Measure) -> str | None:
        """See `Method.refusal`."""
        if not isinstance(P, Law) or not isinstance(Q, Law):
            return "it needs two laws with densities"
        if isinstance(div, Wasserstein):
            from divkit.methods._transport_1d import transport_refusal

            return transport_refusal(P, Q, div.p)
        if not isinstance(div, FDivergence | DerivedDivergence):
            return f"{div.name} is neither an f-divergence nor a Wasserstein distance"
        if {P.base, Q.base} - {"lebesgue", "counting"}:
            return "a density along a curve or surface cannot be integrated over the space"
        if max(P.dim, Q.dim) > 2:
            return f"the dimension is {max(P.dim, Q.dim)}, above 2"
        if P.dim == 2 and "counting" in (P.base, Q.base):
            return "laws on the integer plane are not summed"
        return None

    def estimate(self, div: Divergence, P: Measure, Q: Measure, *, level: float, rng: np.random.Generator) -> Estimate:
        """See `Method.estimate`."""
        if isinstance(P, Law) and isinstance(Q, Law) and P.dim != Q.dim:
            raise InvalidInput(f"P and Q must live in one space, but their dimensions are {P.dim} and {Q.dim}")
        self.demand(div, P, Q)
        assert isinstance(P, Law)  # by the demand above
        assert isinstance(Q, Law)
        assert isinstance(div, FDivergence | DerivedDivergence | Wasserstein)
        if isinstance(div, DerivedDivergence):
            return derived(div, self.estimate(div.base, P, Q, level=level, rng=rng))
        value, error, info = self._computed(div, P, Q)
        floor = div.f_one if isinstance(div, FDivergence) else 0.0
        return Estimate(
            value,
            divergence=div.name,
            method=self.name,
            bound="exact",
            interval=(max(value - error, floor), value + error),
            level=1.0,
            info={**info, "gap": error},
        )

    def _computed(self, div: FDivergence | Wasserstein, P: Law, Q: Law) -> tuple[float, float, dict[str, Any]]:
        """Value, error and info, by the kind of the laws."""
        if isinstance(div, Wasserstein):
            from divkit.methods._transport_1d import wasserstein_laws

            return wasserstein_laws(P, Q, div.p, self.rtol, self.max_panels)
        if P.base != Q.base:
            return div.upper, 0.0, {"singular": "one law is on the integers, the other has a density"}
        if P.base == "counting":
            from divkit.methods._lattice import lattice_divergence

            return lattice_divergence(div, P, Q, self.rtol)
        if P.dim == 1:
            from divkit.methods._density_1d import divergence_1d

            return divergence_1d(div, P, Q, self.rtol, self.max_panels)
        from divkit.methods._density_2d import divergence_2d

        return divergence_2d(div, P, Q, max(self.rtol, 1e-8), self.max_panels)
