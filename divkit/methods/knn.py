"""f-divergences between the laws of two samples by nearest neighbours."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from divkit._checks import check_integer
from divkit._errors import InvalidInput, NotConverged
from divkit.catalog import KL
from divkit.divergences import DerivedDivergence, Divergence, FDivergence
from divkit.measures import Law, Measure, Samples
from divkit.methods import Method
from divkit.methods._knn_diagnostics import (
    warn_of_drift,
    warn_of_few,
    warn_of_no_interval,
    warn_of_reading,
    warn_of_ties,
)
from divkit.methods._knn_interval import Spread, spread
from divkit.methods._knn_law import law_reading, law_rows
from divkit.methods._knn_local import Reading
from divkit.methods._knn_plan import LAW_PLAN, Plan, plan_for
from divkit.methods._knn_search import coordinates, tied_share
from divkit.methods._samples import sample_refusal
from divkit.result import Bound, Estimand, Estimate

__all__ = ["KNN"]

_F = NDArray[np.float64]
_WEIGHTED: Final = (
    "its estimates count points; resample the points by their weights (rng.choice(points, size, p=weights)), or use "
    "method 'crossfit'"
)


@dataclass(frozen=True)
class KNN(Method):
    """Nearest-neighbour estimates of KL, the power divergences and every bounded f-divergence.

    No model and no training: the local ratio p/q is read off the points of both samples near a point. Distances are
    Euclidean in standardised, uncorrelated coordinates.

    Parameters
    ----------
    k : int or None
        Number of neighbours. None takes 3 for KL, 10 for Hellinger, 6 for chi2, and 3 size^(1/3) for the bounded
        divergences (they use k and 2 k), where size is that of the smaller sample.
    interval : bool
        Whether to estimate a standard error and a lower limit, for a few times the price of the value.
    subsamples : int
        About how many subsamples these rest on, at least 2.

    Notes
    -----
    **KL, reverse KL, Jeffreys.** Wang, Kulkarni and Verdu (2009), "Divergence estimation for multidimensional
    densities via k-nearest-neighbor distances", equation (29): round each x the ball that reaches the k-th neighbour
    in x and in y. They put k = 1 and take the two radii of the outermost points inside, with a power d; here one
    radius serves both samples and only counts enter, so that neither the dimension of a curve nor radius 0
    matters: digamma(k) for the sample that sets the radius, digamma(1 + points inside) for the other. The errors
    are the same within a few per cent. The value cannot exceed log m - digamma(k) by more than log n/(n-1), and in
    five dimensions and more it is too low for laws that differ and have tails.

    **Power divergences.** Poczos and Schneider (2011), "On the estimation of alpha-divergences": the two k-th radii
    to the power d (a - 1), with their Gamma factors, averaged over x; over y where that needs the smaller power, over
    both for a = 1/2. Each contribution has a finite variance for k > 2 min(abs(a), abs(a - 1)) only; smaller k is
    refused. chi2 is much too low where the ratio has peaks, with a warning from 0.5 on.

    **Bounded divergences** (JSD, total variation, any of your own). One-step values from the labels of the nearest
    points of the pooled sample, extrapolated to no counting noise from k and 2 k.

    **Ties.** A law with a density gives none; `DegenerateDataWarning` has their share. Balls are closed, so that
    points at one place are counted as Gao, Kannan, Oh and Viswanath (2017) do, and samples of categories have
    nearly the divergence of their counts if each has more than k. An atom of P that Q lacks is compared with the
    nearest k points of Q: no sample shows that the model has no mass there, and inf would be a guess.

    **Interval.** Its lower end is a limit that D is above with probability `level` or more; its upper end is that of
    the range of D, since what the radii smear out no subsample shows. The limit is the lower end of
    ``info["subsample_interval"]``, two-sided, from disjoint subsamples of about size^(3/4) points, scaled to the full
    size, with a Student's t for their number; to the side to which the value moves between the two sizes it is widened
    by the bias that a decay like size^(-1/d) would leave. That interval is about what neighbours see of D.
    ``info["raw"]`` is the value before it is cut to the range of the divergence, ``info["bias"]`` the extrapolated
    bias, which is not subtracted.

    **Against a law with a density**, KL is the mean of log p by Kozachenko and Leonenko's neighbour distances less
    the mean of log q.

    Examples
    --------
    >>> import numpy as np
    >>> from divkit import Samples, estimate
    >>> from divkit.methods.knn import KNN
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(1.0, 1.0, (1000, 2)), rng.normal(0.0, 1.0, (1500, 2))
    >>> d = estimate(Samples(x), Samples(y), "kl", KNN(), rng=0)
    >>> d.bound, d.estimand, d.interval[0] < 1.0
    ('consistent', 'population', True)
    """

    k: int | None = None
    interval: bool = True
    subsamples: int = 50

    name: ClassVar[str] = "knn"
    measures: ClassVar[str] = "two Samples; Samples and a law (KL)"
    divergences: ClassVar[str] = "KL, reverse KL, Jeffreys, power divergences, bounded f-divergences"
    bound: ClassVar[Bound] = "consistent"
    estimand: ClassVar[Estimand] = "population"
    draws: ClassVar[bool] = True  # the subsamples of the interval

    def __post_init__(self) -> None:
        if self.k is not None:
            object.__setattr__(self, "k", check_integer("k", self.k, 1))
        object.__setattr__(self, "subsamples", check_integer("subsamples", self.subsamples, 2))

    def refusal(self, div: Divergence, P: Measure, Q: Measure) -> str | None:
        """Why these samples cannot be compared by neighbours, None if they can."""
        if isinstance(P, Samples) and isinstance(Q, Law):
            return self._law_refusal(div, P, Q)
        reason = sample_refusal(div, P, Q)
        if reason is not None:
            return reason
        for name, measure in (("P", P), ("Q", Q)):
            if isinstance(measure, Samples) and measure.weights is not None:
                return f"{name} has weights; {_WEIGHTED}"
        base = div.base if isinstance(div, DerivedDivergence) else div
        if isinstance(base, FDivergence) and plan_for(base) is None:
            return (
                "neighbours estimate KL, reverse KL, Jeffreys, power divergences and bounded f-divergences, and "
                "this is an unbounded one; use method 'crossfit'"
            )
        return None

    def _law_refusal(self, div: Divergence, P: Samples, Q: Law) -> str | None:
        if not (isinstance(div, FDivergence) and div.f is KL.f):
            return "against a law it estimates KL only; draw a sample from the law and compare two Samples"
        if P.dim != Q.dim:
            return f"P has {P.dim} and Q has {Q.dim} coordinates"
        if P.weights is not None:
            return f"P has weights; {_WEIGHTED}"
        if not (Q.base == "lebesgue" or (Q.base == "length" and Q.dim == 1)):
            return f"Q has a density per {Q.base}, not per volume; draw a sample from it and compare two Samples"
        return None

    def estimate(self, div: Divergence, P: Measure, Q: Measure, *, level: float, rng: np.random.Generator) -> Estimate:
        """The estimate of div(P || Q).

        Raises
        ------
        InvalidInput
            If a sample has too few points for k, or k is too small for a finite variance.
        NotConverged
            If a contribution is beyond float64.
        """
        self.demand(div, P, Q)
        if isinstance(div, DerivedDivergence):
            from divkit.methods._derived import derived

            return derived(div, self.estimate(div.base, P, Q, level=level, rng=rng))
        assert isinstance(div, FDivergence)  # demand has seen to it
        assert isinstance(P, Samples)
        if isinstance(Q, Law):
            return self._against_law(div, P, Q, level, rng)
        assert isinstance(Q, Samples)
        plan = plan_for(div)
        assert plan is not None
        return self._between(div, plan, P, Q, level, rng)

    def _between(
        self, div: FDivergence, plan: Plan, P: Samples, Q: Samples, level: float, rng: np.random.Generator
    ) -> Estimate:
        x, y = coordinates(P.points, Q.points)
        n, m, d = len(x), len(y), x.shape[1]
        k = self._neighbours(plan, {"P": n, "Q": m}, d)
        warn_of_ties(tied_share(x, y))
        reading = plan.read(x, y, k)
        warn_of_reading(div.name, reading, n, m, d, k)

        def read(parts: Sequence[_F]) -> float:
            x, y = parts
            return plan.read(x, y, self.k or plan.neighbours(min(len(x), len(y)), d)).value

        found = self._spread(read, (x, y), k, rng)
        return self._estimate(div, reading, found, level, {"n": n, "m": m, "d": d, "k": k})

    def _against_law(self, div: FDivergence, P: Samples, Q: Law, level: float, rng: np.random.Generator) -> Estimate:
        rows = law_rows(P, Q)
        if isinstance(rows, str):
            info: dict[str, Any] = {"gap": 0.0, "n": len(P.points), "reason": rows}
            known: dict[str, Any] = {"bound": "exact", "estimand": self.estimand, "level": 1.0}
            return Estimate(
                math.inf, divergence=div.name, method=self.name, interval=(math.inf, math.inf), info=info, **known
            )
        n, d = len(rows), rows.shape[1] - 1
        k = self._neighbours(LAW_PLAN, {"P": n}, d)
        warn_of_ties(tied_share(rows[:, :-1], rows[:0, :-1]))
        reading = law_reading(rows, k)
        warn_of_few(div.name, n, d)
        found = self._spread(lambda parts: law_reading(parts[0], k).value, (rows,), k, rng)
        return self._estimate(div, reading, found, level, {"n": n, "d": d, "k": k})

    def _neighbours(self, plan: Plan, sizes: Mapping[str, int], d: int) -> int:
        """The k to use for these sample sizes."""
        least = min(sizes.values())
        k = plan.neighbours(least, d) if self.k is None else self.k
        if self.k is not None and k < plan.least:
            raise InvalidInput(
                f"k must be at least {plan.least} for this divergence, or its estimate has no finite variance; "
                f"got k = {k}; pass k=None for the least that serves"
            )
        if self.k is None:
            k = max(min(k, least - 1), plan.least)
        for name, size in sizes.items():
            if size < k + 1:
                raise InvalidInput(
                    f"{name} must have at least k + 1 = {k + 1} points for {k} nearest neighbours, it has {size}; "
                    + (f"use k <= {least - 1}, or more points" if least > plan.least else "use more points")
                )
        return k

    def _spread(
        self, read: Callable[[Sequence[_F]], float], samples: Sequence[_F], k: int, rng: np.random.Generator
    ) -> Spread | None:
        if not self.interval:
            return None
        found = spread(read, samples, k, self.subsamples, rng)
        if found is None:
            warn_of_no_interval(min(len(sample) for sample in samples), k)
        return found

    def _estimate(
        self, div: FDivergence, reading: Reading, found: Spread | None, level: float, info: dict[str, Any]
    ) -> Estimate:
        """The reading, cut to the range of the divergence."""
        if not math.isfinite(reading.value):
            raise NotConverged(
                f"{div.name} has a contribution beyond float64: the laws differ too much for this divergence; "
                f"use one that is bounded or grows like the log ratio, such as jsd or kl"
            )
        low, high = div.f_one, div.upper
        info = {**info, "raw": reading.value, **reading.facts}
        interval = None
        if found is not None:
            warn_of_drift(div.name, reading.value, found)
            ends = found.interval(reading.value, info["d"], level)
            ends = min(max(ends[0], low), high), max(min(ends[1], high), low)
            interval = ends[0], high
            info |= {"bias": found.bias(reading.value, info["d"]), "subsamples": found.subsamples}
            info |= {"subsample_fraction": 1 / found.groups, "subsample_interval": ends}
        return Estimate(
            min(max(reading.value, low), high),
            divergence=div.name,
            method=self.name,
            bound=self.bound,
            estimand=self.estimand,
            stderr=None if found is None else found.stderr,
            interval=interval,
            level=None if interval is None else level,
            info=info,
        )
