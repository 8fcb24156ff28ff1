"""f-divergences and W_1 between laws on the integers: blocks of terms from the middle outwards."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from divkit._errors import NotConverged
from divkit.divergences import FDivergence
from divkit.measures import Law
from divkit.methods._log_integrand import ROUNDING, LogIntegrand
from divkit.methods._mesh import inverse, log_density, survival
from divkit.methods._summation import Diverges, Terms, sum_range, tail_sum

__all__ = ["lattice_divergence", "lattice_wasserstein"]

_F = NDArray[np.float64]
_MASS_LIMIT: Final = 1e-7
# Widths of the core at which W_1 stops asking for distribution functions: where a cdf is a sum from the lower end
# (as it is for several laws of scipy.stats), one far value costs as much as all before it.
_CDF_LIMIT: Final = 2.0**15


def lattice_divergence(div: FDivergence, P: Law, Q: Law, rtol: float) -> tuple[float, float, dict[str, Any]]:
    """D(P || Q) of two laws on the integers, its error, and how it was found.

    Raises
    ------
    NotConverged
        If a tail is too heavy to be summed to rtol, or the masses do not sum to 1.
    """
    log_integrand = LogIntegrand(div)

    def terms(k: _F) -> _F:
        log_p, log_q = (log_density(law, k) for law in (P, Q))
        value = log_integrand(log_p, log_q)
        shifts = [ROUNDING * (np.where(np.isfinite(log), np.abs(log), 0.0) + 4.0) for log in (log_p, log_q)]
        noise = log_integrand.sensitivity(log_p, log_q, value, *shifts)
        if (value > 709).any():
            raise Diverges(f"at x = {k[value > 709][0]:g}")
        masses = [log + np.log(shift) for log, shift in zip((log_p, log_q), shifts, strict=True)]
        return np.exp(np.stack([value, log_p, log_q, noise, *masses]))

    try:
        sums, doubts, count = _series(terms, 3, P, Q, f"{div.name} between {P.name} and {Q.name}")
    except Diverges as reason:
        return math.inf, 0.0, {"gap": 0.0, "diverges": str(reason)}
    defect = float(np.abs(sums[1:3] - 1).max())
    if defect > _MASS_LIMIT + 4 * float(doubts[1:3].max()):
        raise NotConverged(
            f"the masses of {P.name} and {Q.name} sum to {sums[1]:.10g} and {sums[2]:.10g} instead of 1; "
            f"check that log_density is a log mass on the integers",
            {"masses": (float(sums[1]), float(sums[2]))},
        )
    # A common factor missing from one law moves every log mass by the defect, as rounding does by 4 units.
    rounding = float(sums[3]) * (1 + defect / (4 * ROUNDING)) + 50 * ROUNDING * float(sums[0])
    value = div.f_one + float(sums[0])
    return _reported(div.name, value, float(doubts[0]), rounding, rtol * max(abs(value), float(sums[0])), count)


def lattice_wasserstein(P: Law, Q: Law, rtol: float) -> tuple[float, float, dict[str, Any]]:
    """W_1 of two laws on the integers: the sum of |F - G|.

    Raises
    ------
    NotConverged
        If a tail is too heavy to be summed to rtol.
    """
    (F, F_up), (G, G_up) = survival(P), survival(Q)

    def terms(k: _F) -> _F:
        lower, upper = (F(k), G(k)), (F_up(k), G_up(k))
        from_below = np.maximum(*lower) <= np.maximum(*upper)
        a, b = (np.where(from_below, i, j) for i, j in zip(lower, upper, strict=True))
        # A survival function that is 1 - cdf has the rounding of 1, however small it is.
        crude = [np.all(up == 1 - low) for low, up in zip(lower, upper, strict=True)]
        unit = np.where(from_below | (not any(crude)), a + b, 2.0)
        return np.stack([np.abs(a - b), 2 * ROUNDING * unit])

    try:
        sums, doubts, count = _series(terms, 1, P, Q, f"W_1 between {P.name} and {Q.name}", _CDF_LIMIT)
    except Diverges as reason:
        return math.inf, 0.0, {"gap": 0.0, "diverges": str(reason)}
    rounding = float(sums[1]) + 50 * ROUNDING * float(sums[0])
    return _reported("W_1", float(sums[0]), float(doubts[0]), rounding, rtol * float(sums[0]), count)


def _reported(
    name: str, value: float, doubt: float, rounding: float, goal: float, count: int
) -> tuple[float, float, dict[str, Any]]:
    info = {"gap": doubt + rounding, "rounding": rounding, "terms": count}
    if doubt > max(goal, 6 * rounding):
        raise NotConverged(
            f"the series of {name} reached {value:.12g} with error {doubt:.2g} after {count} terms; its tail is "
            f"too heavy: raise rtol, or truncate the laws to Discrete",
            {**info, "value": value},
        )
    return value, doubt + rounding, {**info, "limited_by": "rounding" if rounding > goal else "rtol"}


def _series(terms: Terms, controlled: int, P: Law, Q: Law, subject: str, limit: float = math.inf) -> tuple[_F, _F, int]:
    """Sums (m,) over all integers, their errors (m,), and the number of terms looked at."""
    low, high = float(min(P.low[0], Q.low[0])), float(max(P.high[0], Q.high[0]))
    first, last = _core(P, Q, low, high)
    total, error, looked = sum_range(terms, first, last - first + 1, controlled)
    for start, step, end in ((last + 1, 1.0, high), (first - 1, -1.0, low)):
        more, doubt, used = tail_sum(terms, start, step, end, total, controlled, subject, limit * (1 + last - first))
        total, error, looked = total + more, error + doubt, looked + used
    return total, error, looked


def _core(P: Law, Q: Law, low: float, high: float) -> tuple[float, float]:
    """The integers between the quartiles of both laws, or the whole support where it is short.

    Farther quantiles are not asked for: where a cdf is a sum from the lower end, those of heavy tails take forever.
    """
    if high - low < 2**16:
        return low, high
    points: list[float] = []
    for law in (P, Q):
        if law.quantile is not None or law.cdf is not None:
            points += inverse(law)[0](np.array([0.25, 0.5, 0.75])).tolist()
        elif law.sample is not None:
            points += np.quantile(law.draw(1000, np.random.default_rng(0))[:, 0], [0.25, 0.5, 0.75]).tolist()
    points = [x for x in points if math.isfinite(x)] or [max(low, 0.0)]
    return max(math.floor(min(points)), low), min(math.ceil(max(points)), high)
