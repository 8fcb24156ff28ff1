"""What counting noise does to an f-divergence of frequencies: bias, variance, skewness, and limits from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from divkit.divergences import FDivergence

__all__ = ["Expansion", "expand", "lower_limit", "plug_in"]

_F = NDArray[np.float64]
_I = NDArray[np.int64]

_STEP: Final = 1e-4  # in the log ratio: central differences err by 2e-9 (truncation) and 1e-12 (rounding), relative
_NODES: Final = np.linspace(-1.0, 1.0, 16)  # an even number, so that the estimate itself is no node
_HALF: Final = 0.5  # counts added to each cell, so that one that is empty on a side has derivatives
# For the bias of a root (Hellinger): at counts a of mean t = 0.5, 1, 2, 4, sqrt(t) - E sqrt(a) is 0.27, 0.23, 0.145,
# 0.078; the mean of 1/(8 sqrt(a + c)), its second order, is 0.35, 0.25, 0.145, 0.076 for c = 1/16 and for 1/2 only
# 0.15, 0.12, 0.09, 0.07: too little would be removed for the value to stay a lower bound.
_SIXTEENTH: Final = 0.0625
_RIGHT: Final = 1e-9  # a log ratio of exactly 0 at a kink takes the derivative on its right, not the mean of both
_JUMP: Final = 4  # times the next largest of 15 increments of f' that the largest has only at a kink
# At a kink of height J, with s the standard error of p - u q: the mean of J s (|Z|/2 - b 1{|Z| < 1}) is 0 for a
# standard normal Z if b = (2 phi(0))/2 / P(|Z| < 1) = 0.3989 / 0.6827, and below J |mu|/2 for Z of any mean mu.
_KINK_BIAS: Final = 1.03 * 0.3989422804014327 / 0.6826894921370859  # 3 percent for the lattice of counts
# Its variance is 1/4 - 2 b (phi(0) - phi(1)) + b^2 P(|Z| < 1) = 0.2997 and its third moment 0.137; the first-order
# variance has 1/4 of the former.
_KINK_VARIANCE: Final = 0.0497
_KINK_THIRD: Final = 0.137
_TAIL: Final = 3  # standard errors from a kink within which it widens the limit, which is decided in that tail


@dataclass(frozen=True)
class Expansion:
    """The first two orders of D(p + noise || q + noise) in multinomial noise.

    Parameters
    ----------
    value : float
        D of the frequencies as they are.
    bias : float
        The mean of the second-order term.
    linear, quadratic : float
        Variances of the first- and second-order terms, the former without what noise alone contributes to it.
    linear_third, quadratic_third : float
        The parts of the third cumulant that vanish at equal laws, and the one that does not.
    smooth : bool
        Whether f has a second derivative at 1 and at the ratios of all cells.
    """

    value: float
    bias: float
    linear: float
    quadratic: float
    linear_third: float
    quadratic_third: float
    smooth: bool

    @property
    def corrected(self) -> float:
        """The value with its leading bias removed."""
        return self.value - self.bias

    @property
    def variance(self) -> float:
        """Of both orders together; they are uncorrelated up to the third moments of the counts."""
        return self.linear + self.quadratic

    @property
    def skewness(self) -> float:
        """The standardised third cumulant; 0 without variance."""
        return 0.0 if self.variance == 0 else (self.linear_third + self.quadratic_third) / self.variance**1.5


def plug_in(div: FDivergence, p: _F, q: _F) -> float:
    """D of two probability vectors (K,), by the centred integrands."""
    at_zero, at_infinity = div.centred_limits
    both = (p > 0) & (q > 0)
    a, b = p[both], q[both]
    l = np.log(a / b)
    with np.errstate(all="ignore"):  # each integrand is used on its own side of 0 only
        terms = np.where(l <= 0, b * div.integrand_q(np.minimum(l, 0)), a * div.integrand_p(np.maximum(l, 0)))
    total = math.fsum(terms)  # exact, so that the order of the cells does not show
    for limit, mass in ((at_infinity, math.fsum(p[q == 0])), (at_zero, math.fsum(q[p == 0]))):
        if mass > 0:
            total += limit * mass
    return min(div.f_one + total, div.upper)


def expand(div: FDivergence, x: _I, y: _I) -> Expansion:
    """The expansion at the frequencies of two count vectors (K,).

    Notes
    -----
    With D = sum q f(p/q) over K cells, u = p/q and l = log u, the gradient is f'(u) in p and f(u) - u f'(u) in q, and
    the Hessian in cell k is f''(u)/q times (1, -u)(1, -u)^T: the second-order term is
    1/2 sum (f''(u)/q) (dp - u dq)^2. Multinomial noise gives dp - u dq the covariance
    diag(v) - c p p^T, v = p (1/n + u/m), c = 1/n + 1/m, hence

        bias = 1/2 sum [u f''(u) (1 - p)/n + u^2 f''(u) (1 - q)/m],

    which is Miller and Madow's (K - 1)/(2n) for KL if m is infinite. Traces of powers of Hessian times covariance are
    the further cumulants. Derivatives are taken at frequencies with a little added to each count, finite for cells
    that are empty on one side; u f''(u) is the derivative of f'(e^l) in l.
    """
    n, m = int(x.sum()), int(y.sum())
    p, q = _smoothed(x, _HALF), _smoothed(y, _HALF)  # (K,)
    l = np.log(p / q)
    spread = np.sqrt((1 - p) / (n * p) + (1 - q) / (m * q))  # (K,): standard errors of l
    jump = _jumps(div, l, spread)
    bias = _smooth_bias(div, x, y, jump > 0) + _KINK_BIAS * float(np.sum(jump * p * spread))
    # Errors of K cells that add up to 0 have correlations -1/(K - 1), and these terms are even in them: for two cells,
    # whose errors are one, the variance is twice the sum over the cells, for many it is the sum.
    near, tied = _jumps(div, l, _TAIL * spread) * p * spread, len(x) / max(len(x) - 1, 1)
    noise2, noise3 = _traces(div, l, np.sqrt(p * q), jump > 0, n, m)
    power2, power3 = _traces(div, _shrunk(l, 2 * spread), np.sqrt(p * q), _jumps(div, l, 2 * spread) > 0, n, m)
    linear, third, coupled = _gradient_moments(div, p, q, np.where(jump > 0, 0.0, _slope(div, l)), n, m)
    return Expansion(
        value=plug_in(div, x / n, y / m),
        bias=bias,
        linear=_beyond(noise2, linear),
        quadratic=power2 / 2 + _KINK_VARIANCE * tied * float(np.sum(near**2)),
        linear_third=third + _beyond(3 * noise3, coupled),
        quadratic_third=power3 + _KINK_THIRD * tied**2 * float(np.sum(near**3)),
        smooth=not (jump > 0).any() and bool(_jumps(div, np.zeros(1), np.full(1, 0.1))[0] == 0),
    )


def _smoothed(counts: _I, added: float) -> _F:
    """Frequencies (K,) with the same number added to each count."""
    return np.asarray((counts + added) / (counts.sum() + len(counts) * added), dtype=np.float64)


def _smooth_bias(div: FDivergence, x: _I, y: _I, kinked: NDArray[np.bool_]) -> float:
    """Half the trace of Hessian times covariance, over the cells where f has a second derivative."""
    p, q = _smoothed(x, _SIXTEENTH), _smoothed(y, _SIXTEENTH)
    slope = np.where(kinked, 0.0, _slope(div, np.log(p / q)))
    return 0.5 * float(np.sum(slope * ((1 - p) / x.sum() + p / q * (1 - q) / y.sum())))


def _beyond(noise: float, found: float) -> float:
    """What was found less what noise alone gives in the mean near equality; far from it the two do not add."""
    return found * max(0.0, 1 - (noise / found) ** 2) if found > 0 else 0.0


def _slope(div: FDivergence, l: _F) -> _F:
    """u f''(u), the derivative of f'(e^l), at log ratios (K,)."""
    activation = div.log_ratio.activation
    rise = np.asarray(activation(l + _STEP) - activation(l - _STEP), dtype=np.float64)
    return np.maximum(rise / (2 * _STEP), 0.0)


def _jumps(div: FDivergence, l: _F, reach: _F) -> _F:
    """Heights (K,) of jumps of f'(e^l) within the reach (K,) of each log ratio (K,), 0 where it is smooth."""
    values = np.asarray(div.log_ratio.activation(l[:, None] + reach[:, None] * _NODES))  # (K, 16)
    steps = np.partition(np.diff(values, axis=1), -2, axis=1)
    largest, total = steps[:, -1], values[:, -1] - values[:, 0]
    # Without a rise there is nothing to correct; rounding alone makes rises of some 1e-16 of the values.
    rising = total > 1e-12 * (1 + np.abs(values[:, 0]))
    return np.where(rising & (largest > _JUMP * steps[:, -2]), largest, 0.0)


def _shrunk(l: _F, reach: _F) -> _F:
    """Log ratios (K,) shrunk as James and Stein do, to 0 within the reach: near equality noise alone makes them."""
    size = np.abs(l)
    return np.sign(l) * np.maximum(0.0, size - reach**2 / np.maximum(size, reach + 1e-300))


def _traces(div: FDivergence, l: _F, between: _F, kinked: NDArray[np.bool_], n: int, m: int) -> tuple[float, float]:
    """Traces of (H C)^2 and (H C)^3, H the Hessian in dp - u dq and C its covariance: diagonal less rank one.

    The frequencies are the geometric means (K,) of both laws with the log ratios l. Kinks have no second derivative.
    """
    c, p = 1 / n + 1 / m, between * np.exp(l / 2)  # (K,)
    slope = np.where(kinked, 0.0, _slope(div, l))
    d = slope * (1 / n + np.exp(l) / m)  # (K,): the diagonal
    one, two, three = (c * float(np.sum(p * slope * d**k)) for k in range(3))
    squares = float(np.sum(d * d)) - 2 * two + one**2
    cubes = float(np.sum(d**3)) - 3 * three + 3 * two * one - one**3
    return max(squares, 0.0), max(cubes, 0.0)


def _gradient_moments(div: FDivergence, p: _F, q: _F, slope: _F, n: int, m: int) -> tuple[float, float, float]:
    """Variance and third cumulant of the first-order term, and 3 g'C H C g, its coupling with the second."""
    l = np.log(p / q) + _RIGHT
    in_p, in_q = div.log_ratio.activation(l), -div.log_ratio.conj_activation(l)  # (K,): f'(u), f(u) - u f'(u)
    in_p, in_q = in_p - p @ in_p, in_q - q @ in_q
    variance = float(p @ in_p**2) / n + float(q @ in_q**2) / m
    third = float(p @ in_p**3) / n**2 + float(q @ in_q**3) / m**2
    coupled = 3 * float(np.sum(slope * p * (in_p / n - in_q / m) ** 2))
    return variance, third, coupled


# ---- limits ----


def lower_limit(expansion: Expansion, level: float, floor: float) -> float:
    """The D from which on the corrected value is not surprisingly large at the level, one-sided; at least `floor`.

    The corrected value at a true D is taken for a gamma law with the mean D and the variance and third cumulant of
    the expansion. At equal laws that is the chi-square law of the quadratic term; far from them, the normal law with
    its skewness. In between, the first-order part of the variance grows from 0 with D: it is taken as the share
    r (2 - r) of what the estimate shows, r the part that D is of the value, where f is smooth at 1.
    """
    value = expansion.corrected
    if value <= floor:
        return floor

    def excess(limit: float) -> float:
        r = (limit - floor) / (value - floor)
        share = r * (2 - r) if expansion.smooth else 1.0
        variance = expansion.quadratic + share * expansion.linear
        third = expansion.quadratic_third + share * expansion.linear_third
        return limit + _upper_deviation(variance, third, level) - value

    if excess(floor) >= 0:
        return floor
    low, high = floor, value
    while high - low > 1e-12 * (value - floor):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        low, high = (middle, high) if excess(middle) < 0 else (low, middle)
    return low


def _upper_deviation(variance: float, third: float, level: float) -> float:
    """How far above its mean a statistic with this variance and third cumulant is at most, at the level.

    A right-skew one has the quantile of the gamma law with these cumulants. A left-skew one has a standard error that
    shrinks as the value grows: the quantile z becomes z + |skewness| (2 z^2 + 1)/6 (Johnson 1978, Hall 1992).
    """
    from scipy.special import gammaincinv, ndtri

    if variance <= 0:
        return 0.0
    spread, z = math.sqrt(variance), float(ndtri(level))
    skewness = third / spread**3
    if skewness < 1e-4:
        return spread * (z + abs(skewness) * (2 * z * z + 1) / 6)
    shape = 4 / skewness**2
    return spread * (float(gammaincinv(shape, level)) - shape) / math.sqrt(shape)
