"""Exact divergences between two laws of one known parametric family."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from divkit._errors import NotConverged
from divkit.divergences import DerivedDivergence, Divergence, FDivergence, Wasserstein
from divkit.families import (
    Bernoulli,
    Beta,
    Categorical,
    Exponential,
    Family,
    Gamma,
    Gaussian,
    Laplace,
    LocationScale,
    Poisson,
    Uniform,
    UniformSegment,
)
from divkit.measures import Law, Measure
from divkit.methods import Method
from divkit.methods._exponential_family import beta, exponential, gamma, laplace, poisson
from divkit.methods._forms import EPS, Answer, Forms, Number, answer
from divkit.methods._intervals import (
    interval,
    overlap_divergence,
    segment_wasserstein,
    segments,
    support_verdict,
)
from divkit.methods._parameters import invalid_parameter, one_family
from divkit.result import Bound, Estimand, Estimate

__all__ = ["ClosedForm"]


@dataclass(frozen=True)
class ClosedForm(Method):
    """The formula, where two laws belong to one known family and it exists.

    Families: Gaussian in any dimension (singular covariances included), exponential, Laplace, uniform (also on
    segments in R^d), gamma, beta, Bernoulli, categorical, Poisson; for Wasserstein distances of translates
    every location-scale family. An exponential law counts as a gamma law beside one, a uniform law as a beta
    law, a Bernoulli law as a categorical one.

    f-divergences: KL, reverse KL, Jeffreys, both chi2, squared Hellinger (and the metric) and every
    alpha-divergence for all families; total variation where the densities cross in closed form; every f-divergence,
    your own included, for uniform, Bernoulli and categorical laws and wherever the supports alone decide.
    W_p: translations for every p; W1, W2 and W_inf of rescaled copies on the line; W2 of all Gaussians.

    Notes
    -----
    ``info["gap"]`` bounds the rounding error of the evaluation, for the parameters as they are. Differences of
    parameters enter as such, so that nearly equal laws keep their relative accuracy. A value that is finite
    but above the largest float is inf with an interval that starts there.

    Examples
    --------
    >>> import numpy as np
    >>> from divkit.catalog import KL
    >>> from divkit.families import Poisson
    >>> from divkit.measures import Law
    >>> from divkit.methods.closed_form import ClosedForm
    >>> p, q = (Law(1, lambda x: x[:, 0], base="counting", family=Poisson(rate)) for rate in (2.0, 1.0))
    >>> round(ClosedForm().estimate(KL, p, q, level=0.95, rng=np.random.default_rng(0)), 9)
    0.386294361
    """

    name: ClassVar[str] = "closed_form"
    measures: ClassVar[str] = "two laws of one known family"
    divergences: ClassVar[str] = "KL, chi2, Hellinger, alpha, Jeffreys; all f for uniform and categorical; some TV, W_p"
    bound: ClassVar[Bound] = "exact"
    estimand: ClassVar[Estimand] = "given"

    def refusal(self, div: Divergence, P: Measure, Q: Measure) -> str | None:
        """Why there is no formula, None if there is one."""
        with np.errstate(all="ignore"):
            found = _formula(div, P, Q)
        return found if isinstance(found, str) else None

    def estimate(self, div: Divergence, P: Measure, Q: Measure, *, level: float, rng: np.random.Generator) -> Estimate:
        """The value of the formula; level and rng are not needed.

        Raises
        ------
        NotConverged
            If float64 cannot tell a finite value from an infinite one, or an intermediate result leaves its range.
        InvalidInput
            If a covariance is not positive semi-definite.
        """
        self.demand(div, P, Q)
        if isinstance(div, DerivedDivergence):
            from divkit.methods._derived import derived

            return derived(div, self.estimate(div.base, P, Q, level=level, rng=rng))
        assert isinstance(P, Law)  # demand has seen to it
        number = _evaluated(div, P, Q)
        low, high = (div.f_one, div.upper) if isinstance(div, FDivergence) else (0.0, math.inf)
        value = float(np.clip(number.value, low, high))
        info: dict[str, Any] = {"gap": number.gap, "formula": f"{type(P.family).__name__}, {div.name}"}
        if value == math.inf and number.gap > 0:
            info["reason"] = "finite, but above the largest float"
        return Estimate(
            value,
            divergence=div.name,
            method=self.name,
            bound="exact",
            interval=_interval(value, number.gap, low, high),
            level=1.0,
            info=info,
        )


def _evaluated(div: Divergence, P: Measure, Q: Measure) -> Number:
    """The formula's number, or `NotConverged` where an intermediate result leaves float64."""
    with np.errstate(all="ignore"):
        formula = _formula(div, P, Q)
        assert not isinstance(formula, str)  # demand has seen to it
        try:
            number = formula()
        except ArithmeticError:  # of Python floats, which raise where NumPy's give inf or NaN
            number = Number(math.nan, math.nan)
    if math.isnan(number.value) or math.isnan(number.gap):
        raise NotConverged(
            f"the formula for {div.name} leaves the range of float64 on its way: the parameters of P and Q differ by "
            f"too many orders of magnitude; try method 'quadrature'"
        )
    return number


def _interval(value: float, gap: float, low: float, high: float) -> tuple[float, float]:
    if math.isinf(value):
        return (value, value) if gap == 0 else (sys.float_info.max, value)
    return max(low, value - gap), max(min(high, value + gap), value)


def _formula(div: Divergence, P: Measure, Q: Measure) -> Answer | str:
    """The one place that decides: the formula, or why there is none."""
    if not (isinstance(P, Law) and isinstance(Q, Law)):
        return "it takes two laws of a known family"
    for name, law in (("P", P), ("Q", Q)):
        if law.family is None:
            return f"{name} ({law.name}) belongs to no family that it knows"
        wrong = invalid_parameter(law.family)
        if wrong is not None:
            return f"{name} ({law.name}) has a parameter out of range, {wrong}"
    if P.dim != Q.dim:
        return f"P lives in {P.dim} dimensions and Q in {Q.dim}"
    assert P.family is not None
    assert Q.family is not None
    p, q = one_family(P.family, Q.family)
    if type(p) is not type(q):
        return f"P is {type(p).__name__} and Q is {type(q).__name__}, two families"
    if isinstance(div, DerivedDivergence):
        return _f_divergence(div.base, p, q)
    if isinstance(div, FDivergence):
        return _f_divergence(div, p, q)
    if isinstance(div, Wasserstein):
        return _wasserstein(div.p, p, q)
    return f"{div.name} is no divergence that it has formulas for"


def _f_divergence(div: FDivergence, p: Family, q: Family) -> Answer | str:
    match p, q:
        case Gaussian(), Gaussian():
            return _gaussian(div, p, q)
        case (Bernoulli(), Bernoulli()) | (Categorical(), Categorical()):
            return lambda: _finite(div, p, q)
        case UniformSegment(), UniformSegment():
            return lambda: _segments(div, p, q)
        case LocationScale(), LocationScale():
            return f"no formula for {div.name} in this family"
        case _:
            return _on_the_line(div, p, q)


def _gaussian(div: FDivergence, p: Gaussian, q: Gaussian) -> Answer | str:
    from divkit.methods import _gaussian as gaussian

    found = answer(div, gaussian.forms(p, q))
    singular_possible = len(p.mean) > 1 or p.cov[0, 0] == 0 or q.cov[0, 0] == 0
    if isinstance(found, str):
        if singular_possible and gaussian.mutually_singular(p, q):
            return lambda: Number(div.upper, 0.0)
        return found
    formula = found
    return lambda: Number(div.upper, 0.0) if gaussian.mutually_singular(p, q) else formula()


def _on_the_line(div: FDivergence, p: Family, q: Family) -> Answer | str:
    """Laws on the line: first what the supports decide, then the family's own forms."""
    p_support, q_support = interval(p), interval(q)
    if p_support is not None and q_support is not None:
        verdict = support_verdict(div, p_support, q_support)
        if verdict is not None:
            return lambda: verdict
        if isinstance(p, Uniform):
            return lambda: overlap_divergence(div, p_support, q_support)
        if p_support != q_support and not isinstance(p, Exponential):
            return f"the supports start or end at different points, and {div.name} has no formula there"
    table: dict[type, Callable[..., Forms]] = {
        Exponential: exponential,
        Laplace: laplace,
        Gamma: gamma,
        Beta: beta,
        Poisson: poisson,
    }
    return answer(div, table[type(p)](p, q))


def _finite(div: FDivergence, p: Family, q: Family) -> Number:
    """Any f-divergence of two laws on 0, 1, 2, ..., the shorter one padded with zeros."""
    from divkit import exact

    vectors = [np.array([1 - f.prob, f.prob]) if isinstance(f, Bernoulli) else f.probs for f in (p, q)]  # type: ignore[union-attr]
    n = max(map(len, vectors))
    first, second = (np.pad(v, (0, n - len(v))) for v in vectors)
    value = float(exact.fdivergence(div, first, second))
    # The terms of the centred generator are >= 0 and accurate; f(1) = -log 4 of `gan` is all that can cancel.
    return Number(value, 0.0 if math.isinf(value) else 16 * EPS * (abs(value) + 2 * abs(div.f_one)))


def _segments(div: FDivergence, p: UniformSegment, q: UniformSegment) -> Number:
    intervals = segments(p, q)
    return Number(div.upper, 0.0) if intervals is None else overlap_divergence(div, *intervals)


def _wasserstein(order: float, p: Family, q: Family) -> Answer | str:
    from divkit.methods import _bures, _location_scale

    if isinstance(p, UniformSegment) and isinstance(q, UniformSegment):
        return _segment_wasserstein(order, p, q)
    if isinstance(p, Gaussian) and isinstance(q, Gaussian) and len(p.mean) > 1:
        if np.array_equal(p.cov, q.cov):
            gap = float(np.hypot.reduce(p.mean - q.mean))
            return lambda: Number(gap, 4 * len(p.mean) * EPS * gap)
        if order == 2:
            return lambda: _bures.wasserstein2(p, q)
        return f"W_{order:g} of Gaussians in {len(p.mean)} dimensions has a formula for p = 2 or equal covariances only"
    return _location_scale.wasserstein(p, q, order)


def _segment_wasserstein(order: float, p: UniformSegment, q: UniformSegment) -> Answer | str:
    from divkit.methods._location_scale import wasserstein

    found = segment_wasserstein(p, q, order)
    if found is not None:
        return lambda: found
    intervals = segments(p, q)
    if intervals is None:
        return f"W_{order:g} of two segments has a formula for translates, on one line, or for p = 2 only"
    first, second = (Uniform(side.low, side.high) for side in intervals)
    return wasserstein(first, second, order)
