"""Closed forms between two laws of one univariate exponential family."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from divkit._generators import exp_excess
from divkit.families import Beta, Exponential, Gamma, Laplace, Poisson
from divkit.methods._forms import EPS, Forms, Number, power_excess
from divkit.methods._path_integral import Curvature, Path, bregman, curvature_beyond, jensen

__all__ = ["beta", "exponential", "gamma", "laplace", "poisson"]

_F = NDArray[np.float64]
_INFINITE = Number(math.inf, 0.0)


def _log_ratio(p: float, q: float) -> float:
    """log(p / q) with relative accuracy near p = q."""
    return math.log1p((p - q) / q) if q / 2 < p < 2 * q else math.log(p) - math.log(q)


def _excess(x: float) -> float:
    return float(exp_excess(np.array(x)))


def _positive(value: float, factor: float = 32.0) -> Number:
    """A sum of non-negative terms: relative error a few roundings."""
    return Number(value, factor * EPS * value)


def _rates(a: float, x: float) -> Number:
    """log int p^a q^(1-a) of two exponential densities, x the log ratio of their rates."""
    excess, error = power_excess(a, np.array(x))
    if np.isinf(excess):
        return _INFINITE
    scale = math.exp(-max(x, 0.0))
    argument = a * math.exp(min(x, 0.0)) + (1 - a) * scale  # over e^max(x, 0)
    slope = abs(a * (1 - a) * math.expm1(-abs(x))) / argument
    return Number(-float(excess), float(error) + 4 * EPS * slope * abs(x))


def exponential(p: Exponential, q: Exponential) -> Forms:
    """The closed forms of two exponential laws, their starting points included."""
    shift, x = p.loc - q.loc, _log_ratio(p.rate, q.rate)

    def kl() -> Number:
        if shift < 0:
            return _INFINITE
        return _positive(_excess(-x) + q.rate * shift)

    def log_power(a: float) -> Number:
        if (a > 1 and shift < 0) or (a < 0 and shift > 0):
            return _INFINITE
        common = -(1 - a) * q.rate * shift if shift > 0 else a * p.rate * shift
        base = _rates(a, x)
        return Number(base.value + common, base.gap + 4 * EPS * abs(common))

    def reverse() -> Number:
        return exponential(q, p).kl()

    return Forms(kl, reverse, log_power, (lambda: _rate_variation(x)) if shift == 0 else None)


def _rate_variation(x: float) -> Number:
    """Total variation of two exponential laws: the tails differ most where the densities cross."""
    if x == 0:
        return Number(0.0, 0.0)
    x = abs(x)
    return _positive(math.exp(-x / math.expm1(x) if x < 700 else 0.0) * -math.expm1(-x))


def laplace(p: Laplace, q: Laplace) -> Forms:
    """The closed forms of two Laplace laws."""
    shift, x = abs(p.loc - q.loc), _log_ratio(q.scale, p.scale)

    def kl() -> Number:
        return _positive(_excess(-x) + p.scale / q.scale * _excess(-shift / p.scale))

    def log_power(a: float) -> Number:
        base = _rates(a, x)
        if shift == 0 or math.isinf(base.value):
            return base
        moved = _moved(a * shift / p.scale, (1 - a) * shift / q.scale)
        return Number(base.value + moved.value, base.gap + moved.gap)

    def reverse() -> Number:
        return laplace(q, p).kl()

    variation: Callable[[], Number] | None = None
    if shift == 0:
        variation = lambda: _rate_variation(x)  # noqa: E731
    elif p.scale == q.scale:
        variation = lambda: _positive(-math.expm1(-shift / (2 * p.scale)))  # noqa: E731
    return Forms(kl, reverse, log_power, variation)


def _moved(alpha: float, beta: float) -> Number:
    """log of int exp(-alpha |y| - beta |1 - y|) dy over its value for both kinks at one point.

    With m = (alpha + beta)/2 > 0 and h = (alpha - beta)/2 that is -m + log(cosh h + m sinh(h)/h).
    """
    m, h = (alpha + beta) / 2, abs(alpha - beta) / 2
    if h > 1:
        shrunk = math.exp(-2 * h)
        value = h - m + math.log((1 + shrunk) / 2 + m * (1 - shrunk) / (2 * h))
        return Number(value, 8 * EPS * (1 + h + m + abs(value)))
    series, term = 0.0, 1.0  # sinh(h)/h - 1
    for k in range(1, 10):
        term *= h * h / (2 * k * (2 * k + 1))
        series += term
    first = -_excess(math.log1p(m))
    second = math.log1p((2 * math.sinh(h / 2) ** 2 + m * series) / (1 + m))
    return Number(first + second, 16 * EPS * (abs(first) + abs(second)))


def gamma(p: Gamma, q: Gamma) -> Forms:
    """The closed forms of two gamma laws on one half-line."""

    def along(start: Gamma, end: Gamma) -> tuple[Path, Path]:
        # The rate is taken relative to start's.
        rate = Path(1.0, start.scale / end.scale, (start.scale - end.scale) / end.scale)
        return Path(start.shape, end.shape, end.shape - start.shape), rate

    def forms(shape: Path, rate: Path) -> tuple[Curvature, list[Path]]:
        def curvature(values: list[_F]) -> tuple[_F, _F]:
            k, relative = values[0], shape.slope / values[0]
            total = k * (relative - rate.slope / values[1]) ** 2 + curvature_beyond(k) * relative**2
            return total, total

        return curvature, [shape, rate]

    return _by_paths(forms(*along(q, p)), forms(*along(p, q)))


def beta(p: Beta, q: Beta) -> Forms:
    """The closed forms of two beta laws on one interval."""

    def forms(start: Beta, end: Beta) -> tuple[Curvature, list[Path]]:
        rise_a, rise_b = end.a - start.a, end.b - start.b

        def curvature(values: list[_F]) -> tuple[_F, _F]:
            a, b = values
            relative_a, relative_b, relative = rise_a / a, rise_b / b, (rise_a + rise_b) / (a + b)
            leading = a / (a + b) * b * (relative_a - relative_b) ** 2
            beyond = curvature_beyond(a) * relative_a**2 + curvature_beyond(b) * relative_b**2
            # Where a or b is small, what the sum a + b takes off is nearly all of it.
            taken = curvature_beyond(a + b) * relative**2
            return leading + (beyond - taken), leading + beyond + taken

        return curvature, [Path(start.a, end.a, rise_a), Path(start.b, end.b, rise_b)]

    return _by_paths(forms(q, p), forms(p, q))


def _by_paths(ahead: tuple[Curvature, list[Path]], back: tuple[Curvature, list[Path]]) -> Forms:
    """KL and power integrals from the paths Q to P and P to Q."""

    def log_power(a: float) -> Number:
        return jensen(*ahead, a) if a > 0 else jensen(*back, 1 - a)

    return Forms(lambda: bregman(*ahead), lambda: bregman(*back), log_power)


def poisson(p: Poisson, q: Poisson) -> Forms:
    """The closed forms of two Poisson laws, rate 0 (the point 0) included."""
    return Forms(
        lambda: _poisson_kl(p.rate, q.rate),
        lambda: _poisson_kl(q.rate, p.rate),
        lambda a: _poisson_power(a, p.rate, q.rate) if a > 0 else _poisson_power(1 - a, q.rate, p.rate),
        lambda: _poisson_variation(min(p.rate, q.rate), max(p.rate, q.rate)),
    )


def _poisson_kl(p: float, q: float) -> Number:
    if p == 0:
        return Number(q, 0.0)
    if q == 0:
        return _INFINITE
    x = _log_ratio(p, q)
    return _positive(p * _excess(-x) if abs(x) <= 1 else (q - p) + p * x)


def _poisson_power(a: float, p: float, q: float) -> Number:
    """p^a q^(1-a) - a p - (1-a) q, for a > 0."""
    if p == 0 or q == 0:
        return _INFINITE if q == 0 < p and a > 1 else Number(-a * p - (1 - a) * q, 2 * EPS * (a * p + abs(1 - a) * q))
    x = _log_ratio(p, q)
    if a * max(x, -x) <= 1 and a < 1:
        inner = math.expm1(float(power_excess(a, np.array(x))[0])) * math.exp(a * x)
        return Number(-q * inner, 32 * EPS * q * inner)
    if abs(x) <= 1 and a * abs(x) <= 700:
        terms = (q * _excess(a * x), -q * a * _excess(x))
    else:
        log_product = math.log(q) + a * x
        if log_product > 709:
            return Number(math.inf, math.inf)
        terms = (math.exp(log_product), -(a * p + (1 - a) * q))
    size = abs(terms[0]) * (1 + a * abs(x) + abs(math.log(q))) + abs(terms[1])
    return Number(terms[0] + terms[1], 16 * EPS * size)


def _poisson_variation(low: float, high: float) -> Number:
    """F_low(k) - F_high(k) at the largest k where the smaller rate has the larger mass."""
    from scipy.special import gammaln, pdtr

    if low == 0 or low == high:
        return _positive(-math.expm1(-high) if low < high else 0.0)
    k = math.floor((high - low) / _log_ratio(high, low))
    if high - low > 0.5 * math.sqrt(high):
        value = float(pdtr(k, low)) - float(pdtr(k, high))
        return Number(value, 64 * EPS * (1 + math.log1p(high)))
    # The derivative of F_t(k) in t is -exp(-t) t^k / k!: smooth over half a standard deviation.
    nodes, weights = np.polynomial.legendre.leggauss(20)
    t = low + 0.5 * (high - low) * (nodes + 1)
    exponent = k * np.log(t) - t - float(gammaln(k + 1.0))
    value = 0.5 * (high - low) * float(weights @ np.exp(exponent))
    return Number(value, 16 * EPS * value * (1 + 2 * k * abs(math.log(high)) + high))
