"""Closed forms between Gaussians in any dimension, singular ones included."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from divkit._errors import InvalidInput, NotConverged
from divkit._generators import exp_excess
from divkit.families import Gaussian
from divkit.methods._double_double import congruence
from divkit.methods._forms import EPS, Forms, Number, power_excess

__all__ = ["forms", "mutually_singular"]

_F = NDArray[np.float64]
_DOUBLE_DOUBLE = 128  # up to this dimension the elimination is done in double-double arithmetic
_WIDE = math.log(1e3)  # ratio of relative variances from which both pencils are solved


@dataclass(frozen=True)
class _Pair:
    """Both laws in common coordinates of the subspace that they live on: means (r,), covariances (r, r)."""

    p_mean: _F
    p_cov: _F
    q_mean: _F
    q_cov: _F


@dataclass(frozen=True)
class _Spectrum:
    """P in coordinates where Q is N(0, I) and P has independent components.

    `excess` (r,) holds the variances minus 1, `log_ratio` (r,) their logarithms, `delta` (r,) the means,
    `error` (r,) bounds the error of each variance, and `distance` is the Mahalanobis distance of the means.
    """

    excess: _F
    log_ratio: _F
    delta: _F
    error: _F
    distance: float


def mutually_singular(p: Gaussian, q: Gaussian) -> bool:
    """Whether the supports, affine subspaces, differ.

    An eigenvalue of the correlation matrix below 16 d eps counts as 0, and so does a distance between
    subspaces below 64 d eps of the size of the means and standard deviations.
    """
    return _common(p, q) is None


def forms(p: Gaussian, q: Gaussian) -> Forms:
    """The closed forms of two Gaussians that are not mutually singular."""

    @cache
    def solved(turned: bool) -> _Spectrum:
        pair = _common(q, p) if turned else _common(p, q)
        assert pair is not None  # the caller has asked
        return _relative_spectrum(pair)

    equal = bool(np.array_equal(p.cov, q.cov))
    return Forms(
        kl=lambda: _kl(solved(False)),
        reverse_kl=lambda: _kl(solved(True)),
        log_power=lambda a: _log_power(solved(False), a),
        total_variation=(lambda: _total_variation(solved(False))) if equal or len(p.mean) == 1 else None,
    )


def _rank(cov: _F) -> int:
    """Rank of a covariance without zero variances, from the eigenvalues of its correlation matrix."""
    d = len(cov)
    if d <= 1:
        return d
    root = np.sqrt(np.diagonal(cov))
    eigenvalues = np.linalg.eigvalsh(cov / root / root[:, None])
    if eigenvalues[0] < -64 * d * EPS:
        raise InvalidInput(
            f"a covariance must be positive semi-definite, but its correlation matrix has the eigenvalue "
            f"{eigenvalues[0]:.3g}; project it onto the semi-definite matrices first"
        )
    return int((eigenvalues > 16 * d * EPS).sum())


def _common(p: Gaussian, q: Gaussian) -> _Pair | None:
    """The pair inside its common support, coordinates scaled to unit size; None if the supports differ."""
    constant, q_constant = np.diagonal(p.cov) == 0, np.diagonal(q.cov) == 0
    if (constant != q_constant).any() or (p.mean != q.mean)[constant].any():
        return None
    kept = ~constant
    p_cov, q_cov = p.cov[np.ix_(kept, kept)], q.cov[np.ix_(kept, kept)]
    ranks = _rank(p_cov), _rank(q_cov)
    if ranks[0] != ranks[1]:
        return None
    exponent = np.frexp(np.sqrt(np.diagonal(q_cov)))[1]  # powers of two: scaling without rounding
    p_cov, q_cov = (np.ldexp(c, -exponent - exponent[:, None]) for c in (p_cov, q_cov))
    p_mean, q_mean = (np.ldexp(m[kept], -exponent) for m in (p.mean, q.mean))
    lost = not np.diagonal(p_cov).all()
    if lost or not all(np.isfinite(part).all() for part in (p_cov, p_mean, q_mean)):
        raise NotConverged(
            "P's means and variances, in units of Q's standard deviations, leave the range of float64; a divergence of "
            "laws that far apart has no closed form to rely on"
        )
    pair = _Pair(p_mean, p_cov, q_mean, q_cov)
    return pair if ranks[0] == len(q_cov) else _inside(pair, ranks[0])


def _inside(pair: _Pair, rank: int) -> _Pair | None:
    """The pair in an orthonormal basis of Q's subspace, None if P leaves it."""
    d = len(pair.q_cov)
    _, vectors = np.linalg.eigh(pair.q_cov)
    normal, basis = vectors[:, : d - rank], vectors[:, d - rank :]  # (d, d - r), (d, r)
    gap = pair.p_mean - pair.q_mean
    small = 64 * d * EPS
    spread = np.abs(pair.p_cov).max() + np.abs(pair.q_cov).max()
    size = math.sqrt(spread) + np.abs(pair.p_mean).max() + np.abs(pair.q_mean).max()
    if np.abs(normal.T @ pair.p_cov @ normal).max() > small * spread or np.abs(normal.T @ gap).max() > small * size:
        return None
    return _Pair(basis.T @ gap, basis.T @ pair.p_cov @ basis, np.zeros(rank), basis.T @ pair.q_cov @ basis)


def _whitened(pair: _Pair) -> tuple[_F, _F]:
    """Sq^(-1/2) (Sp - Sq) Sq^(-1/2) and Sq^(-1/2) (mean gap) for some root of Sq."""
    if len(pair.q_cov) <= _DOUBLE_DOUBLE:
        return congruence(pair.q_cov, pair.p_cov, pair.q_mean, pair.p_mean)
    from scipy.linalg import solve_triangular

    factor = np.linalg.cholesky(pair.q_cov)
    half = solve_triangular(factor, pair.p_cov - pair.q_cov, lower=True)
    full = solve_triangular(factor, half.T, lower=True)
    gap = solve_triangular(factor, pair.p_mean - pair.q_mean, lower=True)
    return (full + full.T) / 2, np.asarray(gap)


def _relative_spectrum(pair: _Pair) -> _Spectrum:
    """Eigenvalues of Sp relative to Sq, as 1 + eigenvalues of the whitened difference: accurate near 1.

    Small eigenvalues beside large ones come from the pencil with P and Q exchanged, where they are the large ones.
    """
    if len(pair.q_mean) == 0:
        empty = np.zeros(0)
        return _Spectrum(empty, empty, empty, empty, 0.0)
    ahead = _one_way(pair)
    back = _exchanged(_one_way(_Pair(pair.q_mean, pair.q_cov, pair.p_mean, pair.p_cov)))
    top, bottom = ahead.log_ratio[-1], back.log_ratio[0]
    if top - bottom <= _WIDE:
        return ahead if top <= -bottom else replace(back, distance=ahead.distance)
    middle = np.where(ahead.log_ratio > (top + bottom) / 2, ahead.log_ratio, back.log_ratio)
    places = (middle[1:] + middle[:-1]) / 2
    central = np.abs(places - (top + bottom) / 2) <= (top - bottom) / 6
    widths = np.where(central, np.diff(middle), -1.0)
    cut = int(np.argmax(widths)) + 1 if central.any() else int((middle <= (top + bottom) / 2).sum())
    first = np.arange(len(middle)) < cut
    return _Spectrum(
        np.where(first, back.excess, ahead.excess),
        np.where(first, back.log_ratio, ahead.log_ratio),
        np.where(first, back.delta, ahead.delta),
        np.where(first, back.error, ahead.error),
        ahead.distance,
    )


def _one_way(pair: _Pair) -> _Spectrum:
    """The spectrum from Q's whitening alone, ascending."""
    d = len(pair.q_mean)
    difference, gap = _whitened(pair)
    excess, vectors = np.linalg.eigh(difference)
    # Rounding can push a variance of relative size 1e-17 below 0; the other pencil has its value.
    excess = np.maximum(excess, -1 + EPS / 2)
    log_ratio = np.log1p(excess)
    conditioning = 1.0
    if d > _DOUBLE_DOUBLE:
        conditioning = float(np.linalg.cond(pair.q_cov)) * (1 + np.exp(log_ratio[-1]))
    error = np.full(d, 8 * d * EPS * (np.abs(excess).max() if conditioning == 1.0 else conditioning))
    return _Spectrum(excess, log_ratio, vectors.T @ gap, error, float(np.hypot.reduce(gap)))


def _exchanged(spectrum: _Spectrum) -> _Spectrum:
    """The spectrum of (Q, P) from that of (P, Q), in ascending order again."""
    variance = 1 / (1 + spectrum.excess)
    delta = spectrum.delta * np.sqrt(variance)
    return _Spectrum(
        (-spectrum.excess * variance)[::-1],
        -spectrum.log_ratio[::-1],
        delta[::-1],
        (spectrum.error * variance**2)[::-1],
        float(np.hypot.reduce(delta)),
    )


def _kl(s: _Spectrum) -> Number:
    square = s.distance**2
    value = 0.5 * (float(np.sum(exp_excess(s.log_ratio))) + square)
    # d/dv of (v - 1 - log v)/2 is (1 - 1/v)/2; second order as well, for differences of the size of the error.
    slope = np.abs(np.expm1(-s.log_ratio)) + s.error * np.exp(-2 * s.log_ratio)
    d = len(s.delta)
    lost = float(np.sum(slope * s.error)) + (square * float(s.error.max()) if d > _DOUBLE_DOUBLE else 0.0)
    return Number(value, 0.5 * lost + (8 + 8 * d) * EPS * value)


def _log_power(s: _Spectrum, a: float) -> Number:
    """log int p^a q^(1-a) = -1/2 sum [log(a + (1-a) v) - (1-a) log v] - a (1-a)/2 sum delta^2 / (a + (1-a) v)."""
    if not s.excess.any() and not s.delta.any():
        return Number(0.0, 0.0)
    mixed = 1 + (1 - a) * s.excess
    if (mixed <= 0).any():
        return Number(math.inf, 0.0)
    v, squares = 1 + s.excess, s.delta**2
    error = abs(1 - a) * s.error + 2 * EPS * (abs(a) + abs(1 - a) * v)  # of mixed
    blurred = bool((error >= mixed / 2).any())
    if blurred and not 0 <= a <= 1:
        raise NotConverged(
            f"the integral of p^{a:g} q^{1 - a:g} is finite or not by the last digits of the covariances: the form "
            f"that must be positive definite has an eigenvalue {mixed.min():.3g} with error {error.max():.3g}; move a "
            f"covariance by more than its rounding, or use a divergence without that border, such as kl"
        )
    excess, rounding = power_excess(1 - a, s.log_ratio)
    spread = -0.5 * excess
    shift = -0.5 * a * (1 - a) * squares / mixed
    size = float(np.sum(np.abs(spread)) + np.sum(np.abs(shift)))
    slope = np.abs(a * (1 - a) * s.excess / (v * mixed))
    # Rounding turns the eigenvectors, too: delta' h(V) delta moves by the divided differences of h = 1/mixed.
    turned = abs(a) * (1 - a) ** 2 * float(np.sum(np.sqrt(s.error) * np.abs(s.delta) / mixed)) ** 2
    curvature = error / mixed**2 + s.error / v**2
    lost = float(np.sum(slope * s.error + curvature * error + np.abs(shift) * s.error / v + rounding)) + turned
    gap = lost + (8 + 8 * len(v)) * EPS * size
    return Number(float(np.sum(spread) + np.sum(shift)), math.inf if blurred else gap)


def _total_variation(s: _Spectrum) -> Number:
    if not s.log_ratio.any():
        return Number(math.erf(s.distance / math.sqrt(8)), (8 + 4 * len(s.delta)) * EPS * min(s.distance, 1.0))
    return _crossings(float(s.log_ratio[0]), float(s.delta[0]))


def _crossings(log_ratio: float, m: float) -> Number:
    """Total variation of N(m, v) and N(0, 1), v = exp(log_ratio) != 1: the wider law wins on both tails.

    The tail differences at the two points of equal density are both positive; each is an integral of the
    standard density over the interval between the two standardised points.
    """
    if log_ratio < 0:  # exchange the laws, so that P is the wider one
        std = math.exp(log_ratio / 2)
        return _crossings(-log_ratio, -m / std)
    std, excess = math.exp(log_ratio / 2), math.expm1(log_ratio)
    # (x - m)^2 / v + log v = x^2  <=>  excess x^2 + 2 m x - (m^2 + v log v) = 0
    root = math.sqrt(m * m * math.exp(log_ratio) + excess * math.exp(log_ratio) * log_ratio)
    constant = m * m + math.exp(log_ratio) * log_ratio
    outer = -(m + math.copysign(root, m))  # no cancellation; the other root from the product of the roots
    points = (outer / excess, -constant / outer)
    total, scale = 0.0, 0.0
    for x in points:
        narrow, wide = abs(x), math.copysign(1.0, x) * (x - m) / std
        step = (x * -math.expm1(log_ratio / 2) - m) / std * math.copysign(1.0, x)  # wide - narrow, <= 0
        if abs(wide + narrow) > 1:
            step = -log_ratio / (wide + narrow)  # from wide^2 - narrow^2 = -log v
        total += _mass(narrow + step, -step)
        scale += abs(step) + narrow * math.exp(-min(narrow, 30.0))
    return Number(min(total, 1.0), 64 * EPS * max(total, min(scale, 1.0) * EPS**0.5))


def _mass(start: float, length: float) -> float:
    """Standard Gaussian mass of [start, start + length], with relative accuracy for short intervals."""
    if length > 0.5:
        return 0.5 * (math.erfc(start / math.sqrt(2)) - math.erfc((start + length) / math.sqrt(2)))
    nodes, weights = np.polynomial.legendre.leggauss(12)
    x = start + 0.5 * length * (nodes + 1)
    return 0.5 * length * float(weights @ np.exp(-0.5 * x * x)) / math.sqrt(2 * math.pi)
