"""Closed forms that only need the supports: uniform laws, and divergences that supports alone decide."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from divkit._segment import along
from divkit.divergences import FDivergence
from divkit.families import Beta, Exponential, Family, Gamma, Uniform, UniformSegment
from divkit.methods._forms import EPS, Number

__all__ = ["Interval", "interval", "overlap_divergence", "segment_wasserstein", "segments", "support_verdict"]


@dataclass(frozen=True)
class Interval:
    """The support [low, high] of a law on the line; high may be inf."""

    low: float
    high: float


def interval(family: Family) -> Interval | None:
    """The support of a law that does not fill the line, None for the others."""
    match family:
        case Exponential() | Gamma():
            return Interval(family.loc, math.inf)
        case Beta():
            return Interval(family.loc, family.loc + family.scale)
        case Uniform():
            return Interval(family.low, family.high)
        case _:
            return None


def support_verdict(div: FDivergence, p: Interval, q: Interval) -> Number | None:
    """The divergence where the supports decide it: mutually singular laws, and infinite limits."""
    if p.high <= q.low or q.high <= p.low:
        return Number(div.upper, 0.0)
    if (p.low < q.low or p.high > q.high) and div.slope_inf == math.inf:
        return Number(math.inf, 0.0)
    if (q.low < p.low or q.high > p.high) and div.f_zero == math.inf:
        return Number(math.inf, 0.0)
    return None


def overlap_divergence(div: FDivergence, p: Interval, q: Interval) -> Number:
    """Any f-divergence of two uniform laws; p and q are bounded.

    D = f(1) + Q(common) g(|B|/|A|) + g(0) Q(B minus A) + slope P(A minus B) with the centred generator g >= 0, so
    that nothing cancels when the intervals nearly agree.
    """
    if max(map(abs, (p.low, p.high, q.low, q.high))) > 2.0**1020:  # lengths would overflow
        p, q = (Interval(side.low / 16, side.high / 16) for side in (p, q))
    p_length, q_length = p.high - p.low, q.high - q.low
    common = min(p.high, q.high) - max(p.low, q.low)
    if common <= 0:
        return Number(div.upper, 0.0)
    p_alone = max(q.low - p.low, 0.0) + max(p.high - q.high, 0.0)
    q_alone = max(p.low - q.low, 0.0) + max(q.high - p.high, 0.0)
    relative = (q_alone - p_alone) / p_length  # = |B|/|A| - 1
    l = np.array([math.log1p(relative) if abs(relative) < 0.5 else math.log(q_length) - math.log(p_length)])
    if l[0] <= 0:
        shared = common / q_length * float(np.asarray(div.integrand_q(l))[0])
    else:
        shared = common / p_length * float(np.asarray(div.integrand_p(l))[0])
    zero, slope = div.centred_limits
    only_q = zero * (q_alone / q_length) if q_alone > 0 else 0.0
    only_p = slope * (p_alone / p_length) if p_alone > 0 else 0.0
    value = div.f_one + shared + only_q + only_p
    if math.isinf(value):
        certain = math.isinf(only_q) or math.isinf(only_p)
        return Number(math.inf, 0.0 if certain else math.inf)
    # Lengths are rounded once; l errs by the rounding of `relative`, at most eps of the parts that p and q have alone.
    error = 8 * (abs(div.f_one) + shared + only_q + only_p) + 8 * (p_alone / p_length + q_alone / q_length) * _slope(
        div, float(l[0])
    )
    return Number(value, EPS * error)


def _slope(div: FDivergence, l: float) -> float:
    """How strongly the shared term reacts to a relative change of the ratio of the lengths, from its difference."""
    step = np.array([l - 2.0**-20, l + 2.0**-20])
    with np.errstate(all="ignore"):
        values = np.asarray(div.integrand_q(step) if l <= 0 else div.integrand_p(step), dtype=np.float64)
    change = float(abs(values[1] - values[0])) * 2.0**19
    return change + float(values.max()) if math.isfinite(change) else math.inf


def segments(p: UniformSegment, q: UniformSegment) -> tuple[Interval, Interval] | None:
    """Two segments of one line as intervals of it (0 at P's start); None if the lines differ."""
    position, on_line, _ = along(p.start, p.end, np.stack([p.start, p.end, q.start, q.end]))
    if not on_line.all():
        return None
    p_low, p_high, first, second = (float(t) for t in position)
    return Interval(p_low, p_high), Interval(min(first, second), max(first, second))


def segment_wasserstein(p: UniformSegment, q: UniformSegment, order: float) -> Number | None:
    """W_p of two segments: of translates for every order, of any two for order 2; None otherwise.

    The segments are middle + direction (U - 1/2). For order 2 the cost of a coupling depends on it through
    E (U - 1/2)(V - 1/2) alone, so U = V is optimal once the directions form no obtuse angle.
    """
    p_along, q_along = p.end - p.start, q.end - q.start
    same_way = float(p_along @ q_along) >= 0
    q_start, q_end = (q.start, q.end) if same_way else (q.end, q.start)
    first, last = p.start - q_start, p.end - q_end
    bend = float(np.hypot.reduce(first - last))
    middle = float(np.hypot.reduce(first / 2 + last / 2))
    size = max(float(np.abs(end).max()) for end in (p.start, p.end, q.start, q.end))
    if bend <= 16 * EPS * size:
        # |mean gap| <= W_1 <= W_p <= the longest displacement, and these agree to `bend`.
        return Number(middle, bend + 4 * EPS * middle)
    if order == 2:
        value = math.hypot(middle, bend / math.sqrt(12))
        return Number(value, 8 * EPS * value)
    return None
