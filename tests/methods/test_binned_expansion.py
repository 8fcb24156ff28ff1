"""The expansion in counting noise against exact moments, and the limits that follow from it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from divkit import exact
from divkit.catalog import DIVERGENCES, KL, PEARSON_CHI2, TOTAL_VARIATION
from divkit.divergences import FDivergence
from divkit.methods._binned_cells import Cells
from divkit.methods._binned_cut import best_cut, cut_bounds
from divkit.methods._binned_expansion import expand, lower_limit, plug_in
from divkit.power_divergences import alpha_divergence

CATALOGUE = [d for d in DIVERGENCES.values() if isinstance(d, FDivergence)]
LE_CAM = FDivergence.from_generator(
    "le_cam",
    f=lambda u: (u - 1) ** 2 / (u + 1),
    df=lambda u: (u - 1) * (u + 3) / (u + 1) ** 2,
    f_zero=1.0,
    slope_inf=1.0,
)
EVERY = [*CATALOGUE, LE_CAM, alpha_divergence(1.5), alpha_divergence(-0.5)]
SMOOTH = [d for d in EVERY if d is not TOTAL_VARIATION]

count_vectors = st.integers(1, 10).flatmap(
    lambda size: st.tuples(*(st.lists(st.integers(0, 60), min_size=size, max_size=size) for _ in range(2)))
)


@pytest.mark.parametrize("div", EVERY, ids=lambda d: d.name)
@given(pair=count_vectors)
def test_the_plug_in_is_the_exact_divergence_of_the_frequencies(div, pair):
    x, y = (np.array(counts) + (np.arange(len(counts)) == 0) for counts in pair)
    p, q = x / x.sum(), y / y.sum()
    # Both sums have at most ten non-negative terms, correct to some 1e-15 relatively, or absolutely where f(1) or a
    # generator written in u cancels.
    assert plug_in(div, p, q) == pytest.approx(exact.fdivergence(div, p, q), rel=1e-12, abs=1e-14)


# ---- the bias against sums over all counts ----


def exact_mean(div, p, q, n, m):
    """E D(p-hat || q-hat) for two categories, summed over all counts that leave no cell empty."""
    a, b = np.arange(1, n), np.arange(1, m)
    weight = np.outer(stats.binom.pmf(a, n, p), stats.binom.pmf(b, m, q))
    rows, columns = np.stack([a, n - a], axis=1) / n, np.stack([b, m - b], axis=1) / m
    values = exact.fdivergence(div, rows[:, None, :], columns[None, :, :])  # (n - 1, m - 1)
    return float((weight * values).sum() / weight.sum())


@pytest.mark.parametrize("div", SMOOTH, ids=lambda d: d.name)
def test_the_bias_is_that_of_all_possible_counts_to_second_order(div):
    p, q, n, m = 0.4, 0.5, 80, 120
    truth = plug_in(div, np.array([p, 1 - p]), np.array([q, 1 - q]))
    bias = expand(div, np.array([32, 48]), np.array([60, 60])).bias
    # The next order is of relative size 1/(n p) = 1/32 with coefficients of up to 4 for these generators (f'' of
    # Neyman's grows like u^-3), and what is added shifts the point of expansion by 1/640: 13 percent.
    assert bias == pytest.approx(exact_mean(div, p, q, n, m) - truth, rel=0.13)


def test_the_bias_of_kl_between_two_categories_by_hand():
    # u f''(u) = 1, so bias = 1/2 [(1 - p1 + 1 - p2)/n + (u1 (1 - q1) + u2 (1 - q2))/m] with n = 3 and m = 2. Each
    # cell gets 1/16 more: p = (33, 17)/50, q = (1, 1)/2, u = 2 p, and 1/2 [1/3 + (33/50 + 17/50)/2] = 5/12.
    x, y = np.array([2, 1]), np.array([1, 1])
    # Central differences of a linear function: rounding alone, 1e-16 of its values over the step 1e-4.
    assert expand(KL, x, y).bias == pytest.approx(5 / 12, rel=1e-11)


def test_the_bias_of_kl_is_that_of_miller_and_madow_where_q_is_known():
    x, y = np.array([30, 20, 50]), np.array([10**9, 10**9, 10**9])
    # (K - 1)/(2n) = 0.01; what y adds is of order 1e-9.
    assert expand(KL, x, y).bias == pytest.approx(0.01, rel=1e-6)


def test_the_variance_at_equal_laws_is_that_of_chi_square():
    # Pearson's divergence is c chi2 with K - 1 = 3 degrees of freedom, c = 1/n + 1/m: variance 6 c^2, mean 3 c, third
    # cumulant 8 * 3 c^3. What is added to counts changes nothing, as all frequencies are equal.
    e, c = expand(PEARSON_CHI2, np.full(4, 100), np.full(4, 300)), 1 / 400 + 1 / 1200
    # Central differences of 2 (e^l - 1) err by h^2/6 = 2e-9.
    assert [e.bias, e.variance, e.linear_third + e.quadratic_third] == pytest.approx(
        [3 * c, 6 * c**2, 24 * c**3], rel=1e-7
    )


@pytest.mark.parametrize("div", EVERY, ids=lambda d: d.name)
def test_the_standard_error_is_the_spread_over_multinomial_draws(div):
    rng = np.random.default_rng(0)
    p, q, n, m = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.2, 0.2, 0.3, 0.3]), 2000, 3000
    x, y = rng.multinomial(n, p, 2000), rng.multinomial(m, q, 2000)
    values = exact.fdivergence(div, x / n, y / m)  # (2000,)
    stderr = math.sqrt(expand(div, (n * p).astype(int), (m * q).astype(int)).variance)
    # The spread of 2,000 draws has a relative error of 1.6 percent; five of those.
    assert stderr == pytest.approx(np.std(values), rel=0.08)


def test_a_kink_is_corrected_for_at_least_its_mean_effect_wherever_it_lies():
    # Two categories of 40 draws each, p = (1 + mu)/2, q = (1 - mu)/2: total variation mu, standard error s = 0.11. The
    # mean over all possible counts is exact.
    n = 40
    table = np.array(
        [
            [expand(TOTAL_VARIATION, np.array([a, n - a]), np.array([b, n - b])).corrected for b in range(n + 1)]
            for a in range(n + 1)
        ]
    )
    for mu in (0.0, 0.05, 0.11, 0.22, 0.5):
        weight = np.outer(*(stats.binom.pmf(np.arange(n + 1), n, p) for p in ((1 + mu) / 2, (1 - mu) / 2)))
        # The counts lie on a lattice of step 1/40, a quarter of s: a tenth of s for what falls on the ends of |Z| < 1.
        assert (weight * table).sum() <= mu + 0.011


# ---- limits ----


def test_the_limit_leaves_the_floor_where_the_chi_square_test_rejects():
    n, categories = 4000, 5
    base = np.full(categories, n // categories)
    for shift, rejected in ((50, False), (95, True)):
        x = base + np.array([shift, -shift, 0, 0, 0])
        # D/c with c = 2/n is chi2 with 4 degrees of freedom, whose 95 percent point is 9.49. Here D is two terms of
        # (shift/n)^2 / (1/5), so that the statistic is shift^2/800: 3.1 for 50 and 11.3 for 95.
        statistic = 5 * 2 * (shift / n) ** 2 * n / 2
        assert (statistic > stats.chi2(4).ppf(0.95)) == rejected
        assert (lower_limit(expand(PEARSON_CHI2, x, base), 0.95, 0.0) > 0) == rejected


@pytest.mark.parametrize("div", EVERY, ids=lambda d: d.name)
@given(pair=count_vectors, level=st.sampled_from([0.6, 0.9, 0.99]))
def test_the_limit_is_between_the_floor_and_the_value(div, pair, level):
    x, y = (np.array(counts) + 4 for counts in pair)
    e = expand(div, x, y)
    limit = lower_limit(e, level, div.f_one)
    assert div.f_one <= limit <= max(e.corrected, div.f_one)


@given(pair=count_vectors)
def test_a_higher_level_has_a_lower_limit(pair):
    x, y = (np.array(counts) + 4 for counts in pair)
    limits = [lower_limit(expand(KL, x, y), level, 0.0) for level in (0.6, 0.8, 0.95, 0.999)]
    assert limits == sorted(limits, reverse=True)


def test_a_far_limit_is_the_normal_one():
    x, y = np.array([60_000, 40_000]), np.array([40_000, 60_000])
    e = expand(KL, x, y)
    # Skewness and curvature move it by a relative 1/sqrt(n), 1/300, of the distance.
    normal = e.corrected - 1.6448536 * math.sqrt(e.variance)
    assert lower_limit(e, 0.95, 0.0) - e.corrected == pytest.approx(normal - e.corrected, rel=0.02)


# ---- one cut ----


def test_the_limit_of_a_cut_without_overlap_by_hand():
    # n draws in a cell and none of m: masses above (a/2)^(1/n) and below 1 - (a/2)^(1/m) at the error a = 0.05.
    cut = best_cut(Cells(np.array([50, 0]), np.array([0, 80]), np.array([0.0])), ordered=True)
    p, q = 0.025 ** (1 / 50), 1 - 0.025 ** (1 / 80)
    by_hand = p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
    # betaincinv is accurate to about 1e-13; log(p/q) amplifies little.
    assert cut_bounds(KL, cut, 0.95)[1] == pytest.approx(by_hand, rel=1e-10)


def test_the_value_of_a_cut_without_overlap_by_hand():
    # Half a point more in each cell: p = 50.5/51, q = 0.5/81.
    cut = best_cut(Cells(np.array([50, 0]), np.array([0, 80]), np.array([0.0])), ordered=True)
    p, q = 50.5 / 51, 0.5 / 81
    by_hand = p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
    assert cut_bounds(KL, cut, 0.95)[0] == pytest.approx(by_hand, rel=1e-12)


def test_a_choice_among_more_cuts_lowers_the_limit():
    few = Cells(np.array([40, 0]), np.array([0, 40]), np.array([0.0]))
    many = Cells(np.array([40, 0, 0, 0]), np.array([0, 20, 10, 10]), np.array([0.0, 1, 2]))
    limits = [
        cut_bounds(KL, best_cut(cells, ordered=ordered), 0.95)[1]
        for cells, ordered in ((few, True), (many, True), (many, False))
    ]
    assert limits[0] > limits[1] > limits[2] > 0


def test_the_best_cut_is_where_the_distribution_functions_differ_most():
    # Partial sums of x/30 - y/30: 1/3, 2/3, 1/3, 0: after the second cell.
    cells = Cells(np.array([10, 20, 0, 0]), np.array([0, 10, 10, 10]), np.array([1.0, 2, 3]))
    cut = best_cut(cells, ordered=True)
    assert (cut.x, cut.y, cut.edge) == (30, 10, 2.0)


def test_a_cut_that_shows_nothing_has_the_trivial_limit():
    cells = Cells(np.array([10, 10]), np.array([10, 11]), np.array([0.0]))
    assert cut_bounds(KL, best_cut(cells, ordered=True), 0.95)[1] == 0.0
