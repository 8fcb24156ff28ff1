"""Problems for the closed forms, and the textbook formulas in 60 to 80 digits, cancellation and all."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
from hypothesis import strategies as st

from divkit import families as fam
from divkit.catalog import (
    HELLINGER,
    JEFFREYS,
    KL,
    NEYMAN_CHI2,
    PEARSON_CHI2,
    REVERSE_KL,
    SQUARED_HELLINGER,
)
from divkit.divergences import FDivergence, Wasserstein
from divkit.measures import Law
from divkit.methods.closed_form import ClosedForm
from divkit.power_divergences import alpha_divergence

EPS = float(np.finfo(np.float64).eps)
ORACLE = mp.mpf(10) ** -50  # what 60 to 80 digits leave of terms up to 1e10
METHOD = ClosedForm()
W1, W2, WINF = Wasserstein(1.0), Wasserstein(2.0), Wasserstein(math.inf)
POWERS = {"pearson_chi2": (2, 1), "neyman_chi2": (-1, 1), "squared_hellinger": (mp.mpf(1) / 2, -2)}


def law(family):
    d = len(family.mean) if isinstance(family, fam.Gaussian) else 1
    d = len(family.start) if isinstance(family, fam.UniformSegment) else d
    return Law(d, lambda x: np.zeros(len(x)), family=family)


def value(div, p, q):
    return METHOD.estimate(div, law(p), law(q), level=0.95, rng=np.random.default_rng(0))


def gaussian(mean, cov):
    return fam.Gaussian(np.atleast_1d(np.array(mean, dtype=float)), np.atleast_2d(np.array(cov, dtype=float)))


def within_gap(estimate, truth):
    """Whether the truth is inside the error bound, and the bound says something."""
    error = abs(mp.mpf(float(estimate)) - truth)
    return error <= estimate.info["gap"] + ORACLE and estimate.info["gap"] < 1e-3 * (1 + abs(truth))


def mp_gaussian_log_power(p, q, a):
    with mp.workdps(80):
        sp, sq = mp.matrix(p.cov.tolist()), mp.matrix(q.cov.tolist())
        d = mp.matrix([mp.mpf(x) - mp.mpf(y) for x, y in zip(p.mean.tolist(), q.mean.tolist(), strict=True)])
        mixed = (1 - a) * sp + a * sq
        if any(mp.det(mixed[:k, :k]) <= 0 for k in range(1, len(d) + 1)):
            return mp.inf
        logs = (1 - a) * mp.log(mp.det(sp)) + a * mp.log(mp.det(sq)) - mp.log(mp.det(mixed))
        return logs / 2 - a * (1 - a) * (d.T * mp.lu_solve(mixed, d))[0] / 2


def mp_gaussian_kl(p, q):
    with mp.workdps(80):
        sp, sq = mp.matrix(p.cov.tolist()), mp.matrix(q.cov.tolist())
        d = mp.matrix([mp.mpf(x) - mp.mpf(y) for x, y in zip(p.mean.tolist(), q.mean.tolist(), strict=True)])
        trace = sum((mp.inverse(sq) * sp)[i, i] for i in range(len(d)))
        return (trace + (d.T * mp.lu_solve(sq, d))[0] - len(d) + mp.log(mp.det(sq) / mp.det(sp))) / 2


def mp_partition(family):
    """(natural parameters, log partition, its gradient) of an exponential family, in mpmath."""
    match family:
        case fam.Exponential():
            return [mp.mpf(family.rate)], lambda t: -mp.log(t[0]), lambda t: [-1 / t[0]]
        case fam.Poisson():
            return [mp.log(mp.mpf(family.rate))], lambda t: mp.exp(t[0]), lambda t: [mp.exp(t[0])]
        case fam.Gamma():
            theta = [mp.mpf(family.shape), 1 / mp.mpf(family.scale)]
            return (
                theta,
                lambda t: mp.loggamma(t[0]) - t[0] * mp.log(t[1]),
                lambda t: [mp.digamma(t[0]) - mp.log(t[1]), -t[0] / t[1]],
            )
        case fam.Beta():

            def gradient(t):
                return [mp.digamma(x) - mp.digamma(t[0] + t[1]) for x in t]

            theta = [mp.mpf(family.a), mp.mpf(family.b)]
            return theta, lambda t: mp.loggamma(t[0]) + mp.loggamma(t[1]) - mp.loggamma(t[0] + t[1]), gradient
        case _:
            raise AssertionError(family)


def mp_family_kl(p, q):
    with mp.workdps(80):
        (tp, log_partition, gradient), (tq, _, _) = mp_partition(p), mp_partition(q)
        # A's sign: gamma and exponential laws have natural parameter minus the rate.
        signs = [1, -1] if isinstance(p, fam.Gamma) else [-1] if isinstance(p, fam.Exponential) else [1, 1]
        slope = gradient(tp)
        if isinstance(p, fam.Gamma):
            slope = [slope[0], -slope[1]]
        if isinstance(p, fam.Exponential):
            slope = [-slope[0]]
        inner = sum(s * (y - x) * g for s, x, y, g in zip(signs, tp, tq, slope, strict=False))
        return log_partition(tq) - log_partition(tp) - inner


def mp_family_log_power(p, q, a):
    with mp.workdps(80):
        (tp, log_partition, _), (tq, _, _) = mp_partition(p), mp_partition(q)
        mixed = [a * x + (1 - a) * y for x, y in zip(tp, tq, strict=True)]
        if not isinstance(p, fam.Poisson) and min(mixed) <= 0:
            return mp.inf
        return log_partition(mixed) - a * log_partition(tp) - (1 - a) * log_partition(tq)


def mp_from_log_power(log_power, factor):
    return mp.inf if log_power == mp.inf else factor * mp.expm1(log_power)


def positive(low=-3.0, high=3.0):
    return st.floats(low, high).map(lambda x: 10.0**x)


SINGLE = {
    "exponential": st.builds(fam.Exponential, positive()),
    "poisson": st.builds(fam.Poisson, positive(-2, 2)),
    "gamma": st.builds(fam.Gamma, positive(-2, 3), positive()),
    "beta": st.builds(fam.Beta, positive(-2, 3), positive(-2, 3)),
}
PARAMETERS = {"exponential": ["rate"], "poisson": ["rate"], "gamma": ["shape", "scale"], "beta": ["a", "b"]}


@st.composite
def family_pairs(draw):
    """Two laws of one family: unrelated, or with parameters that differ by as little as 1e-14 relative."""
    kind = draw(st.sampled_from(sorted(SINGLE)))
    p = draw(SINGLE[kind])
    if draw(st.booleans()):
        return p, draw(SINGLE[kind])
    size = 10.0 ** draw(st.floats(-14, -1))
    moved = {k: getattr(p, k) * (1 + size * draw(st.floats(-1, 1))) for k in PARAMETERS[kind]}
    return p, type(p)(**moved)


@st.composite
def gaussian_pairs(draw):
    """Two Gaussians with condition numbers up to 1e6: unrelated, or close."""
    d = draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    covariances = []
    for _ in range(2):
        basis = np.linalg.qr(rng.normal(size=(d, d)))[0]
        half = basis * 10.0 ** rng.uniform(-1.5, 1.5, size=d)
        cov = half @ half.T
        covariances.append((cov + cov.T) / 2)
    mean = rng.normal(size=d)
    if draw(st.booleans()):
        return gaussian(mean, covariances[0]), gaussian(rng.normal(size=d), covariances[1])
    size = 10.0 ** draw(st.floats(-12, -2))
    close = covariances[0] * (1 + size * rng.normal()) + size * np.diag(np.diagonal(covariances[0]))
    return gaussian(mean, covariances[0]), gaussian(mean + size * rng.normal(size=d), close)


EXAMPLES = [
    (gaussian([0, 1], [[1, 0.2], [0.2, 2]]), gaussian([0.5, 1], [[1.3, 0.1], [0.1, 1.7]])),
    (fam.Exponential(1.0), fam.Exponential(1.5)),
    (fam.Laplace(0.0, 1.0), fam.Laplace(0.5, 1.3)),
    (fam.Gamma(2.0, 1.0), fam.Gamma(2.5, 0.9)),
    (fam.Beta(2.0, 3.0), fam.Beta(2.5, 2.5)),
    (fam.Poisson(2.0), fam.Poisson(3.0)),
    (fam.Bernoulli(0.3), fam.Bernoulli(0.6)),
    (fam.Categorical(np.array([0.2, 0.8])), fam.Categorical(np.array([0.3, 0.3, 0.4]))),
    (fam.Uniform(0.0, 1.0), fam.Uniform(-0.5, 1.5)),
]
IDS = [type(p).__name__ for p, _ in EXAMPLES]
DIVS = [KL, REVERSE_KL, JEFFREYS, PEARSON_CHI2, NEYMAN_CHI2, SQUARED_HELLINGER, HELLINGER, alpha_divergence(0.3)]

OWN = FDivergence.from_generator(
    "le_cam",
    f=lambda u: (u - 1) ** 2 / (u + 1),
    df=lambda u: (u - 1) * (u + 3) / (u + 1) ** 2,
    f_zero=1.0,
    slope_inf=1.0,
)
