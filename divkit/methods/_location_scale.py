"""W_p between two laws of one location-scale family on the line: the quantiles differ by a + b Z."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from divkit.families import Beta, Exponential, Family, Gamma, Gaussian, Laplace, LocationScale, Uniform
from divkit.methods._forms import EPS, Answer, Number

__all__ = ["wasserstein"]


@dataclass(frozen=True)
class _Standard:
    """The law of Z: moments, the ends of its support, and E|Z - c| with the size of the terms it came from."""

    mean: float
    variance: float
    low: float
    high: float
    absolute: Callable[[float], tuple[float, float]]


def wasserstein(p: Family, q: Family, order: float) -> Answer | str:
    """W_p of two laws on the line, or the reason why there is no formula here."""
    differences = _differences(p, q)
    if differences is None:
        return "the two laws are no rescaled copies of each other"
    shift, stretch = differences
    if stretch == 0:
        return lambda: Number(abs(shift), 2 * EPS * abs(shift))
    if isinstance(p, Uniform) and isinstance(q, Uniform):
        ends = (p.low - q.low, p.high - q.high)
        return lambda: _uniform(*ends, order)
    standard = _standard(p)
    if standard is None:
        return "the moments of this family are not known here"
    if order not in (1.0, 2.0, math.inf):
        return f"a formula for W_{order:g} is known for translations and uniform laws only"
    return lambda: _moment(shift, stretch, standard, order)


def _differences(p: Family, q: Family) -> tuple[float, float] | None:
    """(a, b) such that the quantile functions differ by a + b times that of the standard law."""
    match p, q:
        case Gaussian(), Gaussian() if len(p.mean) == len(q.mean) == 1:
            p_var, q_var = float(p.cov[0, 0]), float(q.cov[0, 0])
            roots = math.sqrt(p_var) + math.sqrt(q_var)
            return float(p.mean[0] - q.mean[0]), (p_var - q_var) / roots if roots > 0 else 0.0
        case Exponential(), Exponential():
            return p.loc - q.loc, (q.rate - p.rate) / p.rate / q.rate
        case Laplace(), Laplace():
            return p.loc - q.loc, p.scale - q.scale
        case Uniform(), Uniform():
            return p.low - q.low, (p.high - q.high) - (p.low - q.low)
        case Gamma(), Gamma() if p.shape == q.shape:
            return p.loc - q.loc, p.scale - q.scale
        case Beta(), Beta() if (p.a, p.b) == (q.a, q.b):
            return p.loc - q.loc, p.scale - q.scale
        case LocationScale(), LocationScale() if p.standard == q.standard:
            return p.loc - q.loc, p.scale - q.scale
        case _:
            return None


def _standard(family: Family) -> _Standard | None:
    inf = math.inf
    match family:
        case Gaussian():
            return _Standard(0.0, 1.0, -inf, inf, _normal)
        case Laplace():
            return _Standard(0.0, 2.0, -inf, inf, lambda c: (abs(c) + math.exp(-abs(c)),) * 2)
        case Exponential():
            return _Standard(1.0, 1.0, 0.0, inf, lambda c: (c - 1 + 2 * math.exp(-c), c + 1))
        case Gamma():
            k = family.shape
            return _Standard(k, k, 0.0, inf, lambda c: _gamma(k, c))
        case Beta():
            a, b = family.a, family.b
            mean = a / (a + b)
            return _Standard(mean, mean * (b / (a + b)) / (a + b + 1), 0.0, 1.0, lambda c: _beta(a, b, c))
        case _:
            return None


def _moment(shift: float, stretch: float, z: _Standard, order: float) -> Number:
    """(E |shift + stretch Z|^order)^(1/order) for order 1, 2 or inf."""
    middle = shift + stretch * z.mean
    size = abs(shift) + abs(stretch * z.mean)
    if order == 2:
        value = math.hypot(middle, stretch * math.sqrt(z.variance))
        return Number(value, 4 * EPS * (value + size))
    if order == math.inf:
        if math.isinf(z.low) or math.isinf(z.high):
            return Number(math.inf, 0.0)
        value = max(abs(shift + stretch * z.low), abs(shift + stretch * z.high))
        return Number(value, 4 * EPS * (value + abs(shift) + abs(stretch)))
    c = -shift / stretch
    if not z.low < c < z.high:  # a + b Z does not change sign
        return Number(abs(middle), 4 * EPS * size)
    mean, terms = z.absolute(c)
    value = max(abs(stretch) * mean, abs(middle))  # |E X| <= E|X|, which rounding could contradict
    return Number(value, 32 * EPS * (abs(stretch) * terms + size))


def _normal(c: float) -> tuple[float, float]:
    """E|Z - c| of the standard normal law; a sum of positive terms."""
    value = c * math.erf(c / math.sqrt(2)) + math.sqrt(2 / math.pi) * math.exp(-0.5 * c * c)
    return value, value


def _gamma(k: float, c: float) -> tuple[float, float]:
    """E|Z - c| = (c - k)(2 F(c) - 1) + 2 c^k e^(-c) / Gamma(k)."""
    from scipy.special import gammainc, gammaln

    powers = k * math.log(c), -c, -float(gammaln(k))
    peak = 2 * math.exp(sum(powers))
    first = (c - k) * (2 * float(gammainc(k, c)) - 1)
    return first + peak, abs(c - k) * (1 + k**0.5) + peak * (1 + sum(map(abs, powers)))


def _beta(a: float, b: float, c: float) -> tuple[float, float]:
    """E|Z - c| = (c - m)(2 F(c) - 1) + 2 m c^a (1 - c)^b / (a B(a, b)), m the mean."""
    from scipy.special import betainc, betaln

    mean = a / (a + b)
    powers = a * math.log(c), b * math.log1p(-c), -float(betaln(a, b)), -math.log(a)
    peak = 2 * mean * math.exp(sum(powers))
    first = (c - mean) * (2 * float(betainc(a, b, c)) - 1)
    return first + peak, abs(c - mean) * (1 + (a + b) ** 0.5) + peak * (1 + sum(map(abs, powers)) + a + b)


def _uniform(first: float, last: float, order: float) -> Number:
    """(int_0^1 |(1-t) first + t last|^order dt)^(1/order), first != last."""
    big, small = sorted((first, last), key=abs, reverse=True)
    size = abs(big)
    if order == math.inf:
        return Number(size, 4 * EPS * size)
    ratio = small / big  # in [-1, 1)
    if ratio <= 0:
        log_mean = math.log1p(abs(ratio) ** (order + 1)) - math.log1p(abs(ratio)) - math.log1p(order)
    else:
        apart = (big - small) / big  # 1 - ratio, where the ends nearly agree
        rest = -math.expm1((order + 1) * math.log1p(-apart)) if ratio > 0.5 else 1 - ratio ** (order + 1)
        log_mean = math.log(rest / ((order + 1) * apart))
    value = size * math.exp(log_mean / order)
    return Number(value, 16 * EPS * value)
