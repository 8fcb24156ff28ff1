"""W_p in closed form against quantile integrals, assignments and the trace formula."""

from __future__ import annotations

import itertools
import math

import mpmath as mp
import numpy as np
import pytest
from closed_form_oracles import (
    EPS,
    W1,
    W2,
    WINF,
    gaussian,
    gaussian_pairs,
    value,
    within_gap,
)
from hypothesis import assume, given
from hypothesis import strategies as st

from divkit import families as fam
from divkit._errors import Unsupported
from divkit.divergences import Wasserstein


def mp_wasserstein1(quantile_difference):
    with mp.workdps(20):
        return mp.quad(lambda u: abs(quantile_difference(u)), [0, 0.01, 0.1, 0.5, 0.9, 0.99, 1])


PAIRS_1D = [
    (gaussian(0.5, 4.0), gaussian(0.0, 1.0), "norm", ()),
    (fam.Laplace(0.5, 2.0), fam.Laplace(0.0, 1.0), "laplace", ()),
    (fam.Exponential(0.5, -0.4), fam.Exponential(1.0, 0.0), "expon", ()),
    (fam.Gamma(2.5, 2.0, -1.0), fam.Gamma(2.5, 1.0, 0.0), "gamma", (2.5,)),
    (fam.Beta(2.0, 3.0, -0.5, 2.0), fam.Beta(2.0, 3.0, 0.0, 1.0), "beta", (2.0, 3.0)),
    (fam.Uniform(-0.5, 2.0), fam.Uniform(0.0, 1.0), "uniform", ()),
]


@pytest.mark.parametrize("order", [1.0, 2.0])
@pytest.mark.parametrize(("p", "q", "name", "shapes"), PAIRS_1D, ids=[x[2] for x in PAIRS_1D])
def test_w_of_rescaled_laws_is_the_integral_of_the_quantile_difference(p, q, name, shapes, order):
    from scipy import integrate, stats

    def frozen(f):
        match f:
            case fam.Gaussian():
                return stats.norm(f.mean[0], math.sqrt(f.cov[0, 0]))
            case fam.Exponential():
                return stats.expon(f.loc, 1 / f.rate)
            case fam.Uniform():
                return stats.uniform(f.low, f.high - f.low)
            case _:
                return getattr(stats, name)(*shapes, f.loc, f.scale)

    a, b = frozen(p), frozen(q)

    def integrand(u):
        return abs(a.ppf(u) - b.ppf(u)) ** order

    edges = [0, 1e-6, 1e-3, 0.05, 0.3, 0.7, 0.95, 1 - 1e-3, 1 - 1e-6, 1]
    want = sum(integrate.quad(integrand, *e, limit=200, epsabs=1e-11)[0] for e in itertools.pairwise(edges))
    # quad's nine pieces are each accurate to 1e-10 or so, the kink where the quantiles cross included.
    assert float(value(Wasserstein(order), p, q)) == pytest.approx(want ** (1 / order), rel=1e-7)


@given(first=st.floats(-5, 5), last=st.floats(-5, 5), order=st.floats(1, 8))
def test_w_of_uniform_laws_is_the_integral_for_every_order(first, last, order):
    p, q = fam.Uniform(10.0, 30.0), fam.Uniform(10.0 - first, 30.0 - last)
    y0, y1 = mp.mpf(p.low) - mp.mpf(q.low), mp.mpf(p.high) - mp.mpf(q.high)
    assume(y0 != y1)
    with mp.workdps(60):

        def primitive(y):
            return mp.sign(y) * abs(y) ** (mp.mpf(order) + 1) / (mp.mpf(order) + 1)

        truth = ((primitive(y1) - primitive(y0)) / (y1 - y0)) ** (1 / mp.mpf(order))
    assert float(value(Wasserstein(order), p, q)) == pytest.approx(float(truth), rel=1e-13)


@pytest.mark.parametrize("order", [1.0, 1.7, 2.0, math.inf])
@pytest.mark.parametrize("shift", [0.0, 1e-12, 3.0, 1e8])
def test_translates_are_as_far_apart_as_the_shift(order, shift):
    cov = np.array([[2.0, 0.5], [0.5, 1.0]])
    pairs = [
        (gaussian(shift, 2.0), gaussian(0.0, 2.0)),
        (gaussian([shift, 0], cov), gaussian([0, 0], cov)),
        (fam.Exponential(2.0, shift), fam.Exponential(2.0)),
        (fam.Beta(2.0, 3.0, shift), fam.Beta(2.0, 3.0)),
        (fam.LocationScale(("scipy.stats.t", 3.0), shift, 2.0), fam.LocationScale(("scipy.stats.t", 3.0), 0.0, 2.0)),
    ]
    for p, q in pairs:
        assert value(Wasserstein(order), p, q) == pytest.approx(shift, rel=4 * EPS)


def test_w_infinity_of_rescaled_unbounded_laws_is_infinite():
    assert value(WINF, gaussian(0, 1), gaussian(0, 4)) == math.inf
    assert value(WINF, fam.Exponential(1.0), fam.Exponential(2.0)) == math.inf


def test_w_infinity_of_rescaled_bounded_laws_is_the_larger_end():
    assert value(WINF, fam.Beta(2, 2, 0.0, 1.0), fam.Beta(2, 2, -3.0, 5.0)) == 3.0
    assert value(WINF, fam.Uniform(0.0, 1.0), fam.Uniform(-3.0, 2.0)) == 3.0


@pytest.mark.parametrize("scale", [1e-150, 1e150])
@pytest.mark.parametrize("order", [1.0, 2.0])
def test_w_scales_with_the_unit(scale, order):
    p, q = gaussian([1, 2], [[2, 0.5], [0.5, 1]]), gaussian([1, 2.5], [[2, 0.5], [0.5, 1]])
    if order == 2:
        q = gaussian([0, 2.5], [[2.2, 0.3], [0.3, 1.5]])
    p_scaled, q_scaled = (gaussian(f.mean * scale, f.cov * scale**2) for f in (p, q))
    assert value(Wasserstein(order), p_scaled, q_scaled) == pytest.approx(
        scale * value(Wasserstein(order), p, q), rel=1e-11
    )


@given(gaussian_pairs())
def test_w2_of_gaussians_is_the_trace_formula_within_the_gap(pair):
    p, q = pair
    with mp.workdps(60):
        sp, sq = mp.matrix(p.cov.tolist()), mp.matrix(q.cov.tolist())
        values, vectors = mp.eigsy(sq)
        root = vectors * mp.diag([mp.sqrt(x) for x in values]) * vectors.T
        inner = root * sp * root
        cross = sum(mp.sqrt(x) for x in mp.eigsy((inner + inner.T) / 2, eigvals_only=True))
        gap = sum((mp.mpf(x) - mp.mpf(y)) ** 2 for x, y in zip(p.mean.tolist(), q.mean.tolist(), strict=True))
        squared = gap + sum(sp[i, i] + sq[i, i] for i in range(len(p.mean))) - 2 * cross
        truth = mp.sqrt(max(squared, mp.mpf(0)))
    assert within_gap(value(W2, p, q), truth)


def test_w2_of_gaussians_on_two_lines_needs_no_inverse():
    p, q = gaussian([0, 0], [[1, 0], [0, 0]]), gaussian([0, 0], [[0, 0], [0, 4]])
    # Orthogonal supports leave nothing to correlate: sqrt(1 + 4).
    assert value(W2, p, q) == pytest.approx(math.sqrt(5), rel=1e-15)


def test_w2_to_a_point_is_the_root_of_the_trace():
    p, q = gaussian([0, 0, 0], [[2, 1, 0], [1, 2, 1], [0, 1, 2]]), gaussian([0, 0, 0], np.zeros((3, 3)))
    assert value(W2, p, q) == pytest.approx(math.sqrt(6), rel=1e-13)


def test_w1_of_differently_shaped_gaussians_is_refused():
    p, q = gaussian([0, 0], np.eye(2)), gaussian([0, 0], 2 * np.eye(2))
    with pytest.raises(Unsupported, match="p = 2 or equal covariances only"):
        value(W1, p, q)
