"""Uniform and finite laws, for which every f-divergence has a closed form, and supports that decide."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest
from closed_form_oracles import (
    DIVS,
    METHOD,
    ORACLE,
    OWN,
    W1,
    W2,
    law,
    value,
)
from hypothesis import assume, given
from hypothesis import strategies as st

from divkit import families as fam
from divkit.catalog import (
    GAN,
    HELLINGER,
    JEFFREYS,
    JSD,
    KL,
    PEARSON_CHI2,
    SQUARED_HELLINGER,
    TOTAL_VARIATION,
)
from divkit.datasets import shifted_uniform, uniform_segment
from divkit.divergences import Wasserstein


def test_categorical_laws_of_different_length_are_padded_with_zeros():
    short, long = fam.Categorical(np.array([0.5, 0.5])), fam.Categorical(np.array([0.25, 0.25, 0.5]))
    assert value(KL, short, long) == pytest.approx(math.log(2), rel=1e-14)
    assert value(KL, long, short) == math.inf
    assert value(TOTAL_VARIATION, short, long) == 0.5


def test_bernoulli_is_a_categorical_law():
    p = fam.Bernoulli(0.25)
    q = fam.Categorical(np.array([0.5, 0.5]))
    assert value(JSD, p, q) == value(JSD, fam.Categorical(np.array([0.75, 0.25])), q)


@pytest.mark.parametrize(
    ("div", "want"), [(KL, math.inf), (TOTAL_VARIATION, 1.0), (SQUARED_HELLINGER, 2.0), (JSD, math.log(2))]
)
def test_certain_and_impossible_events_are_mutually_singular(div, want):
    assert value(div, fam.Bernoulli(0.0), fam.Bernoulli(1.0)) == pytest.approx(want, rel=1e-15)


def test_kl_of_tiny_probabilities_keeps_its_digits():
    found = value(KL, fam.Bernoulli(1e-20), fam.Bernoulli(2e-20))
    with mp.workdps(60):
        p, q = mp.mpf(1e-20), mp.mpf(2e-20)
        truth = p * mp.log(p / q) + (1 - p) * mp.log((1 - p) / (1 - q))
    assert float(found) == pytest.approx(float(truth), rel=1e-12)


@given(
    ends=st.lists(st.integers(-100_000, 100_000).map(lambda k: k / 1000), min_size=4, max_size=4),
    div=st.sampled_from([*DIVS[:6], JSD, GAN, OWN]),
)
def test_every_f_divergence_of_uniform_laws_is_the_sum_over_three_pieces(ends, div):
    a, b, c, d = ends
    a, b = sorted((a, b))
    c, d = sorted((c, d))
    assume(b - a > 1e-3)
    assume(d - c > 1e-3)
    common = max(min(b, d) - max(a, c), 0.0)
    p_only, q_only = 1 - common / (b - a), 1 - common / (d - c)
    pieces = [
        common / (d - c) * float(div.f(np.float64((d - c) / (b - a)))) if common else 0.0,
        div.f_zero * q_only if q_only > 1e-12 else 0.0,
        div.slope_inf * p_only if p_only > 1e-12 else 0.0,
    ]
    assume(all(piece == 0.0 or piece > 1e-12 for piece in (p_only, q_only)))
    found = value(div, fam.Uniform(a, b), fam.Uniform(c, d))
    # The oracle cancels to 1 - common/length, of relative error eps/1e-12 at worst in pieces of size up to 1e5.
    assert float(found) == pytest.approx(sum(pieces), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("div", [KL, TOTAL_VARIATION, JSD, PEARSON_CHI2], ids=lambda d: d.name)
def test_nearly_equal_uniform_laws_keep_their_digits(div):
    extra = 2.0**-30
    found = value(div, fam.Uniform(0.0, 1.0), fam.Uniform(0.0, 1.0 + extra))
    with mp.workdps(50):
        e = mp.mpf(extra)
        m = (1 + 1 / (1 + e)) / 2  # of the mixture on [0, 1]
        truth = {
            "kl": mp.log1p(e),
            "total_variation": e / (1 + e),
            "pearson_chi2": e,
            "jsd": (-mp.log(m)) / 2 + (mp.log(1 / (1 + e) / m) / (1 + e) + e / (1 + e) * mp.log(2)) / 2,
        }[div.name]
    assert float(found) == pytest.approx(float(truth), rel=1e-13)
    assert abs(mp.mpf(float(found)) - truth) <= found.info["gap"] + ORACLE


def test_uniform_laws_that_touch_are_mutually_singular():
    assert value(JSD, fam.Uniform(0, 1), fam.Uniform(1, 2)) == JSD.upper


def test_uniform_laws_over_the_whole_float_range():
    big = 1.7e308
    assert value(KL, fam.Uniform(0.0, big), fam.Uniform(-big, big)) == pytest.approx(math.log(2), rel=1e-14)


def test_offset_costs_no_more_than_the_rounding_of_the_ends():
    p, q = fam.Uniform(1e8, 1e8 + 1), fam.Uniform(1e8, 1e8 + 2)
    assert value(KL, p, q) == math.log(2)


@pytest.mark.parametrize("div", [KL, JSD, TOTAL_VARIATION, SQUARED_HELLINGER, HELLINGER], ids=lambda d: d.name)
@pytest.mark.parametrize("theta", [1e-17, -0.5, 1e8])
def test_shifted_segments_are_at_the_supremum_and_their_w_at_the_shift(div, theta):
    pair = shifted_uniform(theta)
    call = {"level": 0.95, "rng": np.random.default_rng(0)}
    assert METHOD.estimate(div, pair.p, pair.q, **call) == div.upper
    for order in (1.0, 1.5, 2.0, math.inf):
        assert METHOD.estimate(Wasserstein(order), pair.p, pair.q, **call) == abs(theta)


def test_segments_on_one_line_overlap_like_intervals():
    p = fam.UniformSegment(np.array([0.0, 0.0]), np.array([3.0, 4.0]))
    q = fam.UniformSegment(np.array([6.0, 8.0]), np.array([-1.5, -2.0]))
    for div in (KL, JSD, TOTAL_VARIATION):
        assert value(div, p, q) == pytest.approx(value(div, fam.Uniform(0, 5), fam.Uniform(-2.5, 10)), rel=1e-14)
    assert value(W1, p, q) == pytest.approx(value(W1, fam.Uniform(0, 5), fam.Uniform(-2.5, 10)), rel=1e-14)


def test_crossing_segments_share_a_null_set():
    p, q = uniform_segment([-1, 0], [1, 0]), uniform_segment([0, -1], [0, 1])
    assert METHOD.estimate(TOTAL_VARIATION, p, q, level=0.95, rng=np.random.default_rng(0)) == 1.0


@given(st.integers(0, 10**6))
def test_w2_of_two_segments_is_that_of_their_discretisations(seed):
    from scipy.optimize import linear_sum_assignment

    rng = np.random.default_rng(seed)
    ends = rng.normal(size=(2, 2, 3))
    p, q = (fam.UniformSegment(a, b) for a, b in ends)
    n = 30
    t = ((np.arange(n) + 0.5) / n)[:, None]
    x, y = (a + t * (b - a) for a, b in ends)
    cost = ((x[:, None] - y[None]) ** 2).sum(axis=2)
    rows, columns = linear_sum_assignment(cost)
    # The middles have variance 1/12 - 1/(12 n^2) along each segment: W2^2 changes by at most |a - b|^2 / (12 n^2).
    bend = min(np.sum((ends[0, 1] - ends[0, 0] - s * (ends[1, 1] - ends[1, 0])) ** 2) for s in (-1, 1))
    want = cost[rows, columns].mean()
    assert value(W2, p, q) ** 2 == pytest.approx(want + bend / (12 * n * n), rel=1e-9)


@pytest.mark.parametrize("div", [KL, JSD, TOTAL_VARIATION, OWN], ids=lambda d: d.name)
def test_beta_laws_on_disjoint_intervals_are_mutually_singular(div):
    assert value(div, fam.Beta(2, 2, 0, 1), fam.Beta(2, 2, 1, 1)) == div.upper


def test_gamma_law_that_starts_earlier_is_infinitely_far():
    early, late = fam.Gamma(2.0, 1.0, 0.0), fam.Gamma(2.0, 1.0, 0.5)
    assert value(KL, early, late) == math.inf
    assert value(JEFFREYS, late, early) == math.inf
    assert "different points" in METHOD.refusal(KL, law(late), law(early))
