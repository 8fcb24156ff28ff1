"""Histogram estimates of f-divergences: values, invariances, warnings, refusals and hostile data."""

from __future__ import annotations

import math
import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from divkit import exact
from divkit._errors import UnreliableEstimateWarning
from divkit.catalog import (
    DIVERGENCES,
    GAN,
    HELLINGER,
    JSD,
    KL,
    REVERSE_KL,
    SQUARED_HELLINGER,
    TOTAL_VARIATION,
)
from divkit.divergences import DerivedDivergence, FDivergence
from divkit.measures import Samples
from divkit.methods.binned import Binned, fdivergence_from_counts
from divkit.power_divergences import alpha_divergence

LE_CAM = FDivergence.from_generator(
    "le_cam",
    f=lambda u: (u - 1) ** 2 / (u + 1),
    df=lambda u: (u - 1) * (u + 3) / (u + 1) ** 2,
    f_zero=1.0,
    slope_inf=1.0,
)
CATALOGUE = [d for d in DIVERGENCES.values() if isinstance(d, FDivergence | DerivedDivergence)]
EVERY = [*CATALOGUE, LE_CAM, alpha_divergence(1.5), alpha_divergence(-0.5)]


def sample(points):
    points = np.array(points)
    points.flags.writeable = False
    return Samples(points)


def estimate(div, x, y, bins="auto", level=0.95):
    return Binned(bins).estimate(div, sample(x), sample(y), level=level, rng=np.random.default_rng(0))


def quiet(div, x, y, bins="auto"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnreliableEstimateWarning)
        return estimate(div, x, y, bins)


def normals(n, m, shift=0.5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(shift, 1, n), rng.normal(0, 1, m)


# ---- values ----


def test_kl_between_two_categories_by_hand():
    # p = 60/100, q = 40/100: plug-in 0.6 log(3/2) + 0.4 log(2/3) = 0.2 log(3/2).
    d = fdivergence_from_counts("kl", [60, 40], [40, 60])
    assert d.info["plug_in"] == pytest.approx(0.2 * math.log(1.5), rel=1e-14)


def test_the_bias_between_two_categories_by_hand():
    # u f''(u) = 1: 1/2 sum (1 - p)/n + u (1 - q)/m; with 1/16 more in each cell p = 60.0625/100.125 = 1 - q.
    p, q = 60.0625 / 100.125, 40.0625 / 100.125
    by_hand = 0.5 * (1 / 100 + (p / q * p + q / p * q) / 100)
    # Central differences of a function that is linear in l leave rounding alone: 1e-16 over the step of 1e-4.
    assert fdivergence_from_counts("kl", [60, 40], [40, 60]).info["bias"] == pytest.approx(by_hand, rel=1e-11)


@pytest.mark.parametrize("div", EVERY, ids=lambda d: d.name)
def test_value_and_bias_add_up_to_the_exact_divergence_of_the_frequencies(div):
    x, y = np.array([50, 70, 80]), np.array([110, 100, 90])
    d = fdivergence_from_counts(div, x, y)
    base = div.base if isinstance(div, DerivedDivergence) else div
    value = d.info["base"] if isinstance(div, DerivedDivergence) else float(d)
    # Three terms, each to 1e-15.
    assert value + d.info["bias"] == pytest.approx(exact.fdivergence(base, x / 200, y / 300), rel=1e-12)


@pytest.mark.parametrize("div", [d for d in CATALOGUE if d is not GAN], ids=lambda d: d.name)
def test_the_value_comes_near_the_truth_from_below_for_many_points(div):
    # Exponential laws of rates 1 and 1.25: in u = e^(-t/4)/1.25 all divergences are one-dimensional integrals.
    t = np.linspace(0, 60, 600_001)
    p, q = np.exp(-t), 1.25 * np.exp(-1.25 * t)
    truth = exact.fdivergence(div, p / p.sum(), q / q.sum())
    rng = np.random.default_rng(3)
    d = estimate(div, rng.exponential(1.0, 200_000), rng.exponential(0.8, 200_000))
    # 264 cells lose less than one percent; four standard errors of sampling.
    assert 0.97 * truth - 4 * d.stderr < d < truth + 4 * d.stderr


def test_the_estimate_says_what_it_is():
    d = estimate(JSD, *normals(300, 400))
    assert (d.method, d.bound, d.estimand, d.level) == ("binned", "lower", "population", 0.95)


def test_the_interval_reaches_to_the_supremum():
    d = estimate(JSD, *normals(300, 400))
    assert d.interval[0] < d < d.interval[1] == JSD.upper


def test_counts_and_edges_in_info_describe_one_table():
    x, y = normals(300, 400)
    info = estimate(KL, x, y).info
    edges = np.array([-np.inf, *info["edges"], np.inf])
    for points, name in ((x, "x_counts"), (y, "y_counts")):
        expected = [int(((points > a) & (points <= b)).sum()) for a, b in pairwise(edges)]
        assert info[name] == expected
    assert info["bins"] == len(info["x_counts"])


def test_a_two_sided_interval_for_the_binned_laws_lies_around_the_value_far_from_equality():
    low, high = estimate(KL, *normals(2000, 2000, shift=1.0)).info["binned_interval"]
    assert low < estimate(KL, *normals(2000, 2000, shift=1.0)) < high


def test_there_is_no_two_sided_interval_near_equality():
    assert estimate(KL, *normals(2000, 2000, shift=0.0)).info["binned_interval"] is None


def test_the_hellinger_metric_is_the_root_of_half_the_squared_one():
    x, y = normals(1000, 1000)
    root, squared = estimate(HELLINGER, x, y), estimate(SQUARED_HELLINGER, x, y)
    ends = [root.info["binned_interval"][0], root.interval[0], float(root)]
    halves = [squared.info["binned_interval"][0], squared.interval[0], float(squared)]
    # One square root each.
    assert ends == pytest.approx([math.sqrt(v / 2) for v in halves], rel=1e-14)


def test_reverse_kl_is_kl_with_the_samples_exchanged():
    x, y = normals(500, 800)
    there, back = estimate(KL, x, y), estimate(REVERSE_KL, y, x)
    # The same terms; f' is taken in e^-l for the one and in e^l for the other, by differences good to 2e-9.
    assert [there, *there.interval[:1]] == pytest.approx([back, *back.interval[:1]], rel=1e-6)


# ---- invariances ----

small_samples = arrays(np.float64, st.integers(20, 60), elements=st.integers(-30, 30).map(lambda k: k / 7))


@given(small_samples, small_samples, st.sampled_from([JSD, KL, TOTAL_VARIATION]))
def test_an_increasing_map_changes_nothing(x, y, div):
    # Quotients of small integers stay distinct under exp, so ranks and ties are the same.
    assert float(quiet(div, x, y)) == float(quiet(div, np.exp(x), np.exp(y)))


@given(small_samples, small_samples, st.randoms(use_true_random=False))
def test_the_order_of_the_points_does_not_matter(x, y, random):
    shuffled = x.copy()
    random.shuffle(shuffled)
    assert float(quiet(KL, x, y)) == float(quiet(KL, shuffled, y))


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=8), st.randoms())
def test_the_order_of_the_categories_does_not_matter(pairs, random):
    pairs = [(20, 30), *pairs]
    shuffled = list(pairs)
    random.shuffle(shuffled)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnreliableEstimateWarning)
        there, back = (fdivergence_from_counts("kl", *zip(*rows, strict=True)) for rows in (pairs, shuffled))
    # Sums of at most ten terms in another order; the bias has a relative error of 1e-9 by differences.
    assert [there, there.interval[0]] == pytest.approx([back, back.interval[0]], rel=1e-6, abs=1e-12)


def test_a_column_and_a_vector_are_the_same_sample():
    x, y = normals(300, 300)
    assert float(estimate(KL, x[:, None], y)) == float(estimate(KL, x, y[:, None]))


def test_float32_and_integers_are_taken_as_they_are():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 1000, 500), rng.integers(100, 1100, 500)
    values = {float(quiet(KL, x.astype(kind), y.astype(kind))) for kind in (np.int64, np.float32, np.float64)}
    assert len(values) == 1


@pytest.mark.parametrize(("scale", "offset"), [(1e-300, 0.0), (1e300, 0.0), (1.0, 1e8)])
def test_scale_and_offset_do_not_matter(scale, offset):
    x, y = normals(500, 700)
    x, y = np.round(x, 6), np.round(y, 6)  # an offset of 1e8 keeps seven decimals: ranks and ties stay
    assert float(estimate(JSD, x * scale + offset, y * scale + offset)) == float(estimate(JSD, x, y))


# ---- categories ----


def test_rows_that_repeat_are_categories():
    rng = np.random.default_rng(0)
    x, y = (rng.integers(0, 2, (400, 3)).astype(float) for _ in range(2))
    assert estimate(KL, x, y).info["bins"] == 8


def test_few_repeated_values_on_the_line_are_categories():
    rng = np.random.default_rng(0)
    x, y = rng.choice([1.0, 2.0, 5.0], 500, p=[0.2, 0.3, 0.5]), rng.choice([1.0, 2.0, 5.0], 400)
    counts = [np.array([(v == k).sum() for k in (1.0, 2.0, 5.0)]) for v in (x, y)]
    assert float(estimate(KL, x, y)) == float(fdivergence_from_counts("kl", *counts))


def test_atoms_of_the_line_are_its_counts():
    rng = np.random.default_rng(0)
    x, y = rng.poisson(3, 2000).astype(float), rng.poisson(4, 2000).astype(float)
    counts = [np.bincount(v.astype(int), minlength=20) for v in (x, y)]
    assert float(estimate(KL, x, y, "atoms")) == float(fdivergence_from_counts("kl", *counts))


def test_many_repeated_values_on_the_line_are_binned_in_their_order():
    rng = np.random.default_rng(0)
    x, y = rng.poisson(200, 5000).astype(float), rng.poisson(203, 5000).astype(float)
    assert len(estimate(KL, x, y).info["edges"]) > 10


def test_sparse_categories_are_gathered_and_reported():
    x, y = [500, 400, *[1] * 50], [400, 500, *[1] * 50]
    info = fdivergence_from_counts("kl", x, y).info
    assert (info["bins"], info["other"], info["merged"]) == (3, 50, 49)


def test_a_new_category_keeps_kl_finite_and_below_its_infinite_truth():
    d = fdivergence_from_counts("kl", [400, 400, 40], [500, 500, 0])
    assert math.isfinite(d)
    assert d.interval[0] >= 0


def test_identifiers_that_occur_once_show_no_difference():
    x, y = np.arange(1000.0)[:, None].repeat(2, 1), np.arange(1000.0, 2000.0)[:, None].repeat(2, 1)
    d = estimate(JSD, x, y, "atoms")
    assert (float(d), d.interval[0], d.info["bins"]) == (0.0, 0.0, 1)


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), min_size=2, max_size=8), st.sampled_from(EVERY))
def test_any_counts_have_a_finite_value_and_a_limit_below_it(pairs, div):
    pairs = [(20, 30), *pairs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnreliableEstimateWarning)
        d = fdivergence_from_counts(div, *zip(*pairs, strict=True))
    floor = (div.base.f_one if isinstance(div, FDivergence) is False else div.f_one) if div is not HELLINGER else 0.0
    assert math.isfinite(d)
    assert floor <= d.interval[0] <= max(float(d), floor)
