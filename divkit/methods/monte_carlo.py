"""f-divergences between laws that can be sampled, by Monte Carlo from both sides."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from divkit._checks import check_integer
from divkit._errors import InvalidInput, NotConverged, UnreliableEstimateWarning
from divkit._stats import clt_interval, effective_size, pareto_tail
from divkit.divergences import DerivedDivergence, Divergence, FDivergence
from divkit.measures import Law, Measure
from divkit.methods import Method
from divkit.result import Bound, Estimand, Estimate

__all__ = ["MonteCarlo"]

_F = NDArray[np.float64]
_BLOCK = 2**22  # coordinates drawn at a time
_HEAVY = 0.5  # tail index from which the variance is infinite


@dataclass(frozen=True)
class MonteCarlo(Method):
    """Sample means of the centred generator, under Q where p <= q and under P where p > q.

    With u = p/q and the centred generator g(u) = f(u) - f(1) - f'(1)(u - 1) >= 0,
    D = f(1) + E_Q[g(u); u <= 1] + E_P[g(u)/u; u > 1]: every term is non-negative, and both integrands are bounded
    for the Jensen-Shannon, total variation and Hellinger divergences and grow like a log ratio for KL.

    Parameters
    ----------
    n : int
        Draws from each law, at least 2.

    Notes
    -----
    The interval is the normal one of two independent sample means, at the level asked for in the limit of many
    draws. ``info`` has the numbers of draws and density evaluations, and for each side the effective number of
    contributions and their tail index. An index above 1/2 means a contribution of infinite variance, for which
    no normal interval holds: `UnreliableEstimateWarning`. What no draw meets, the interval cannot know: a set of
    probability below 1/n in which the densities differ wildly stays unseen.

    A draw of Q where the density of P is 0 shows that Q(p = 0) > 0; if f(0+) is infinite the divergence is, and
    the estimate says so with bound "exact". Likewise for P.

    Examples
    --------
    >>> import numpy as np
    >>> from divkit.adapters import as_measure
    >>> from divkit.catalog import JSD
    >>> from divkit.datasets import GaussianMixture, fgan_mixture
    >>> from divkit.methods.monte_carlo import MonteCarlo
    >>> p, q = as_measure(fgan_mixture()), as_measure(GaussianMixture([1.0], [1.0], [4.0]))
    >>> d = MonteCarlo(n=20_000).estimate(JSD, p, q, level=0.95, rng=np.random.default_rng(0))
    >>> d.bound, bool(d.stderr < 0.002)
    ('consistent', True)
    """

    n: int = 100_000

    name: ClassVar[str] = "monte_carlo"
    measures: ClassVar[str] = "two laws that can be sampled"
    divergences: ClassVar[str] = "every f-divergence"
    bound: ClassVar[Bound] = "consistent"
    estimand: ClassVar[Estimand] = "given"
    draws: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", check_integer("n", self.n, 2))

    def refusal(self, div: Divergence, P: Measure, Q: Measure) -> str | None:
        """Why this pair cannot be sampled, None if it can."""
        if not isinstance(div, FDivergence | DerivedDivergence):
            return "it computes f-divergences only"
        if not (isinstance(P, Law) and isinstance(Q, Law)):
            return "it takes two laws with a log density"
        for name, law in (("P", P), ("Q", Q)):
            if law.sample is None:
                return f"{name} ({law.name}) cannot be sampled; give it sample(n, rng)"
        return None

    def estimate(self, div: Divergence, P: Measure, Q: Measure, *, level: float, rng: np.random.Generator) -> Estimate:
        """The estimate from n draws of each law.

        Raises
        ------
        InvalidInput
            If the dimensions differ, or a law's sampler and density contradict each other.
        NotConverged
            If a contribution is too large for float64, or the density is infinite at a draw.
        """
        self.demand(div, P, Q)
        if isinstance(div, DerivedDivergence):
            from divkit.methods._derived import derived

            return derived(div, self.estimate(div.base, P, Q, level=level, rng=rng))
        assert isinstance(div, FDivergence)  # demand has seen to it
        assert isinstance(P, Law)
        assert isinstance(Q, Law)
        if P.dim != Q.dim:
            raise InvalidInput(f"P and Q must live in one space, got dimensions {P.dim} and {Q.dim}")
        if _incomparable(P, Q):
            reason = f"densities with respect to {P.base} and {Q.base}: mutually singular laws"
            return self._certain(div, div.upper, reason)
        from_q = self._side(div, Q, P, rng, "Q")
        from_p = self._side(div, P, Q, rng, "P")
        for side in (from_q, from_p):
            if isinstance(side, str):
                return self._certain(div, math.inf, side)
        assert not isinstance(from_q, str)
        assert not isinstance(from_p, str)
        return self._combined(div, from_q, from_p, level)

    def _side(
        self, div: FDivergence, law: Law, other: Law, rng: np.random.Generator, side: Literal["P", "Q"]
    ) -> _F | str:
        """Contributions (n,) of one law's draws, or why the divergence is certainly infinite."""
        block = max(1, _BLOCK // law.dim)
        sign = 1.0 if side == "P" else -1.0
        limit = div.centred_limits[1 if side == "P" else 0]
        parts = []
        for start in range(0, self.n, block):
            l = sign * _log_ratio(law, other, law.draw(min(block, self.n - start), rng), side)
            values = np.zeros(len(l))
            empty = np.isinf(l)  # the other density vanishes there: l is inf for P, -inf for Q
            if empty.any() and limit == math.inf:
                name = "Q" if side == "P" else "P"
                return f"{int(empty.sum())} of {len(l)} draws of {side} fell where the density of {name} is 0"
            values[empty] = limit
            ours = ~empty & (l > 0 if side == "P" else l <= 0)
            with np.errstate(over="ignore"):
                values[ours] = (div.integrand_p if side == "P" else div.integrand_q)(l[ours])
            parts.append(values)
        contributions = np.concatenate(parts)
        if not np.isfinite(contributions).all():
            raise NotConverged(
                f"{div.name} has a contribution beyond float64 at {int((~np.isfinite(contributions)).sum())} of "
                f"{self.n} draws of {side}: the densities differ too much for this divergence; use one that is "
                f"bounded or grows like the log ratio, such as jsd or kl"
            )
        return contributions

    def _combined(self, div: FDivergence, from_q: _F, from_p: _F, level: float) -> Estimate:
        value = div.f_one + math.fsum((float(from_q.mean()), float(from_p.mean())))
        stderr = math.hypot(_standard_error(from_q), _standard_error(from_p))
        tails = {"P": pareto_tail(from_p), "Q": pareto_tail(from_q)}
        for side, k in tails.items():
            if k is not None and k > _HEAVY:
                warnings.warn(
                    f"monte_carlo: the contributions to {div.name} from draws of {side} have tail index k = {k:.2f}; "
                    f"above 0.5 their variance is infinite and the interval does not hold. More draws do not mend "
                    f"that: use method 'quadrature' or 'closed_form', or a bounded divergence such as jsd",
                    UnreliableEstimateWarning,
                    stacklevel=4,
                )
        value = min(max(value, div.f_one), div.upper)
        info: dict[str, Any] = {
            "n": self.n,
            "evaluations": 4 * self.n,
            "effective_size": {"P": effective_size(from_p), "Q": effective_size(from_q)},
            "tail_index": tails,
        }
        return Estimate(
            value,
            divergence=div.name,
            method=self.name,
            bound="consistent",
            stderr=stderr,
            interval=clt_interval(value, stderr, level, div.f_one, div.upper),
            level=level,
            info=info,
        )

    def _certain(self, div: FDivergence, value: float, reason: str) -> Estimate:
        return Estimate(
            value,
            divergence=div.name,
            method=self.name,
            bound="exact",
            interval=(value, value),
            level=1.0,
            info={"gap": 0.0, "n": self.n, "reason": reason},
        )


def _incomparable(P: Law, Q: Law) -> bool:
    """Whether the densities refer to mutually singular measures; on the line, length is Lebesgue measure."""
    bases = {"lebesgue" if law.base == "length" and law.dim == 1 else law.base for law in (P, Q)}
    return len(bases) > 1


def _log_ratio(law: Law, other: Law, draws: _F, side: str) -> _F:
    """log density of the law minus that of the other at the law's own draws, (n,); inf where the other is 0."""
    name = "Q" if side == "P" else "P"
    own, foreign = np.asarray(law.log_density(draws)), np.asarray(other.log_density(draws))
    for label, logs in ((side, own), (name, foreign)):
        if np.isnan(logs).any():
            raise InvalidInput(f"{label}.log_density is NaN at {int(np.isnan(logs).sum())} of {len(logs)} draws")
    if (own == -np.inf).any():
        raise InvalidInput(
            f"{side}.log_density is -inf at {int((own == -np.inf).sum())} of its own {len(own)} draws; "
            f"its sampler and its density must describe one law"
        )
    if (own == np.inf).any() or (foreign == np.inf).any():
        raise NotConverged(
            f"a density is infinite at a draw of {side}: Monte Carlo has no ratio there; use 'closed_form', or draw "
            f"with more precision near the pole"
        )
    return np.asarray(own - foreign, dtype=np.float64)


def _standard_error(contributions: _F) -> float:
    largest = float(contributions.max())
    if largest == 0:
        return 0.0
    return largest * float((contributions / largest).std(ddof=1)) / math.sqrt(len(contributions))
