"""Monte Carlo divergences against known values, their error bars, and the statistics they rest on."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from divkit import _stats
from divkit._errors import InvalidInput, NotConverged, UnreliableEstimateWarning, Unsupported
from divkit.adapters import as_measure
from divkit.catalog import (
    GAN,
    HELLINGER,
    JEFFREYS,
    JSD,
    KL,
    NEYMAN_CHI2,
    PEARSON_CHI2,
    REVERSE_KL,
    SQUARED_HELLINGER,
    TOTAL_VARIATION,
    WASSERSTEIN1,
)
from divkit.datasets import shifted_uniform, uniform_segment
from divkit.measures import Discrete, Law, Samples
from divkit.methods.closed_form import ClosedForm
from divkit.methods.monte_carlo import MonteCarlo

KNOWN = [KL, REVERSE_KL, JEFFREYS, SQUARED_HELLINGER, TOTAL_VARIATION, HELLINGER]
SHIFTED = as_measure(stats.norm(0.5, 1.0)), as_measure(stats.norm(0.0, 1.0))


def estimate(div, p, q, n=20_000, seed=0, level=0.95):
    return MonteCarlo(n).estimate(div, p, q, level=level, rng=np.random.default_rng(seed))


def exact(div, p, q):
    return ClosedForm().estimate(div, p, q, level=0.95, rng=np.random.default_rng(0))


# ---- values ----

PAIRS = {
    "shifted normal": SHIFTED,
    "poisson": (as_measure(stats.poisson(2.0)), as_measure(stats.poisson(2.5))),
    "exponential": (as_measure(stats.expon(scale=1.0)), as_measure(stats.expon(scale=0.8))),
    "normal in 5-D": (
        as_measure(stats.multivariate_normal(np.full(5, 0.2), np.eye(5))),
        as_measure(stats.multivariate_normal(np.zeros(5), np.eye(5))),
    ),
}


@pytest.mark.parametrize("div", KNOWN, ids=lambda d: d.name)
@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_estimates_are_within_five_standard_errors_of_the_closed_form(div, pair):
    reason = ClosedForm().refusal(div, *pair)
    if reason is not None:
        pytest.skip(reason)
    found = estimate(div, *pair)
    # |Z| > 5 has probability 6e-7; the seed is fixed.
    assert abs(found - exact(div, *pair)) < 5 * found.stderr
    assert found.bound == "consistent"
    assert found.stderr < 0.1


def covered(div, seeds, n, level):
    truth = exact(div, *SHIFTED)
    intervals = [estimate(div, *SHIFTED, n=n, seed=seed, level=level).interval for seed in range(seeds)]
    return sum(low <= truth <= high for low, high in intervals)


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_intervals_cover_at_their_level_in_sixty_seeds(level):
    hits = covered(KL, 60, 2000, level)
    # Two-sided binomial test at 1e-4: the seeds are fixed, so this passes always or never.
    assert stats.binomtest(hits, 60, level).pvalue > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("div", [KL, REVERSE_KL, SQUARED_HELLINGER, TOTAL_VARIATION], ids=lambda d: d.name)
def test_intervals_cover_at_their_level_in_a_thousand_seeds(div):
    hits = covered(div, 1000, 5000, 0.9)
    assert stats.binomtest(hits, 1000, 0.9).pvalue > 1e-3


def test_error_bar_shrinks_with_the_root_of_the_draws():
    coarse, fine = (estimate(JSD, *SHIFTED, n=n) for n in (2000, 200_000))
    # A ratio of two sample deviations with 2000 and 200 000 draws: 10 to within five times 3 %.
    assert coarse.stderr / fine.stderr == pytest.approx(10.0, rel=0.15)


@pytest.mark.parametrize("div", [*KNOWN, JSD, PEARSON_CHI2, NEYMAN_CHI2], ids=lambda d: d.name)
def test_equal_laws_are_at_distance_zero_without_error(div):
    found = estimate(div, SHIFTED[0], SHIFTED[0], n=500)
    assert found == 0.0
    assert found.interval == (0.0, 0.0)


def test_gan_value_of_equal_laws_is_minus_log_four():
    assert estimate(GAN, SHIFTED[0], SHIFTED[0], n=500) == pytest.approx(-math.log(4), rel=1e-15)


def test_nearly_equal_laws_have_a_small_error_too():
    p, q = as_measure(stats.norm(1e-6, 1.0)), as_measure(stats.norm(0.0, 1.0))
    found = estimate(KL, p, q)
    # KL = 5e-13; the centred generator is quadratic, so that the noise is of the size of the value.
    assert found == pytest.approx(5e-13, rel=0.1)
    assert found.stderr < 2e-14


@pytest.mark.parametrize("scale", [1e-150, 1e150])
def test_the_unit_of_the_points_does_not_matter(scale):
    p, q = as_measure(stats.norm(0.5 * scale, scale)), as_measure(stats.norm(0.0, scale))
    assert estimate(KL, p, q, n=2000) == pytest.approx(estimate(KL, *SHIFTED, n=2000), rel=1e-9)


def test_jsd_of_far_apart_laws_is_its_supremum():
    p, q = as_measure(stats.norm(1e4, 1.0)), as_measure(stats.norm(0.0, 1.0))
    found = estimate(JSD, p, q, n=500)
    assert found == pytest.approx(math.log(2), rel=1e-14)
    assert found.interval[1] <= JSD.upper


def test_kl_of_far_apart_laws_is_large_and_finite():
    p, q = as_measure(stats.norm(1e4, 1.0)), as_measure(stats.norm(0.0, 1.0))
    found = estimate(KL, p, q, n=2000)
    assert abs(found - 5e7) < 5 * found.stderr


# ---- supports ----


@pytest.mark.parametrize("div", [KL, JSD, TOTAL_VARIATION], ids=lambda d: d.name)
def test_shifted_segments_are_at_the_supremum(div):
    pair = shifted_uniform(0.25)
    assert estimate(div, pair.p, pair.q, n=300) == pytest.approx(div.upper, rel=1e-15)


def test_overlapping_segments_are_compared_along_their_length():
    p, q = uniform_segment([0, 0], [1, 1]), uniform_segment([0.5, 0.5], [1.5, 1.5])
    found = estimate(TOTAL_VARIATION, p, q)
    assert abs(found - 0.5) < 5 * found.stderr


def test_a_draw_outside_the_other_support_makes_kl_certainly_infinite():
    p, q = as_measure(stats.uniform(0, 2)), as_measure(stats.uniform(0, 1))
    found = estimate(KL, p, q)
    assert found == math.inf
    assert found.bound == "exact"
    assert "draws of P fell where the density of Q is 0" in found.info["reason"]
    assert estimate(REVERSE_KL, q, p).bound == "exact"


def test_uniform_inside_a_wider_one_is_found_from_both_sides():
    p, q = as_measure(stats.uniform(0, 1)), as_measure(stats.uniform(0, 2))
    for div in (KL, TOTAL_VARIATION, SQUARED_HELLINGER, PEARSON_CHI2):
        found = estimate(div, p, q)
        assert abs(found - exact(div, p, q)) < 5 * found.stderr


@pytest.mark.parametrize("div", [KL, JSD, HELLINGER], ids=lambda d: d.name)
def test_a_density_and_a_mass_function_are_mutually_singular(div):
    p, q = as_measure(stats.norm()), as_measure(stats.poisson(1.0))
    found = estimate(div, p, q)
    assert found == div.upper
    assert found.bound == "exact"
    assert "mutually singular" in found.info["reason"]


# ---- reports ----


def test_heavy_contributions_are_announced_with_their_tail_index():
    p, q = as_measure(stats.norm(0, 1.6)), as_measure(stats.norm(0, 1.0))
    with pytest.warns(UnreliableEstimateWarning, match=r"pearson_chi2 from draws of P have tail index k = .*jsd"):
        found = estimate(PEARSON_CHI2, p, q)
    assert found.info["tail_index"]["P"] > 0.5


def test_bounded_contributions_are_not_announced():
    p, q = as_measure(stats.cauchy(0, 1)), as_measure(stats.norm())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = estimate(JSD, p, q)
    # Where the normal density is negligible all contributions of P are equal: a tail without exceedances.
    assert found.info["tail_index"]["P"] is None


def test_report_counts_draws_and_evaluations():
    found = estimate(KL, *SHIFTED, n=1000)
    assert (found.info["n"], found.info["evaluations"]) == (1000, 4000)
    assert 1 <= found.info["effective_size"]["P"] <= 1000
    assert found.estimand == "given"
    assert found.to_dict()["info"]["tail_index"].keys() == {"P", "Q"}


def test_equal_seeds_give_equal_results():
    first, second, other = (estimate(KL, *SHIFTED, n=1000, seed=s) for s in (1, 1, 2))
    assert (float(first), first.stderr) == (float(second), second.stderr)
    assert first != other


def test_draws_in_blocks_keep_the_count():
    d, n = 3000, 3001  # 2^22 coordinates are 1398 draws
    law = as_measure(stats.multivariate_normal(np.zeros(1), np.eye(1)))
    sizes = []

    def sample(m, rng):
        sizes.append(m)
        return rng.standard_normal((m, d))

    wide = Law(d, lambda x: law.log_density(x[:, :1]), sample=sample)
    estimate(KL, wide, wide, n=n)
    assert sum(sizes) == 2 * n
    assert max(sizes) <= 2**22 // d


def test_hellinger_has_a_transformed_error_bar():
    base, found = (estimate(div, *SHIFTED) for div in (SQUARED_HELLINGER, HELLINGER))
    assert found == math.sqrt(base / 2)
    assert found.stderr == pytest.approx(base.stderr / (4 * found), rel=1e-12)


# ---- refusals ----


@pytest.mark.parametrize("n", [0, 1, -5, 2.5, "many", True])
def test_fewer_than_two_draws_are_refused(n):
    with pytest.raises(InvalidInput, match="n must be an integer >= 2"):
        MonteCarlo(n)


@pytest.mark.parametrize(
    ("div", "p", "q", "message"),
    [
        (WASSERSTEIN1, *SHIFTED, "f-divergences only"),
        (KL, Samples([1.0]), SHIFTED[0], "two laws with a log density"),
        (KL, SHIFTED[0], Discrete([1.0]), "two laws with a log density"),
        (KL, SHIFTED[0], Law(1, lambda x: x[:, 0], name="mine"), r"Q \(mine\) cannot be sampled"),
    ],
)
def test_refusal_names_the_reason_and_estimate_repeats_it(div, p, q, message):
    with pytest.raises(Unsupported, match=message):
        estimate(div, p, q)
    assert MonteCarlo().refusal(div, p, q) is not None


def test_different_dimensions_are_refused():
    with pytest.raises(InvalidInput, match="dimensions 1 and 5"):
        estimate(KL, SHIFTED[0], PAIRS["normal in 5-D"][0])


def test_sampler_that_leaves_its_own_support_is_refused():
    def log_density(x):
        return np.where(x[:, 0] > 0.5, -math.inf, math.log(2.0))

    liar = Law(1, log_density, sample=lambda n, rng: rng.random((n, 1)))
    with pytest.raises(InvalidInput, match="sampler and its density must describe one law"):
        estimate(KL, liar, as_measure(stats.uniform()))


def test_nan_in_a_log_density_is_refused():
    law = Law(1, lambda x: np.full(len(x), math.nan), sample=lambda n, rng: rng.random((n, 1)))
    with pytest.raises(InvalidInput, match=r"Q\.log_density is NaN at 20000 of 20000 draws"):
        estimate(KL, SHIFTED[0], law)


def test_draw_on_a_pole_of_the_density_is_no_number():
    law = Law(1, lambda x: np.full(len(x), math.inf), sample=lambda n, rng: rng.random((n, 1)))
    with pytest.raises(NotConverged, match="a density is infinite at a draw of Q"):
        estimate(KL, SHIFTED[0], law)


def test_contribution_beyond_float64_is_no_number():
    p, q = as_measure(stats.norm(1e3, 1.0)), as_measure(stats.norm(0.0, 1.0))
    with pytest.raises(NotConverged, match="pearson_chi2 has a contribution beyond float64"):
        estimate(PEARSON_CHI2, p, q)


# ---- the statistics ----


@given(st.floats(1e-6, 1 - 1e-12))
def test_normal_quantile_is_the_central_one(level):
    # erfinv has no cancellation for small levels, NormalDist a relative accuracy of about 1e-15 in its tails.
    from scipy.special import erfinv

    assert _stats.normal_quantile(level) == pytest.approx(math.sqrt(2) * erfinv(level), rel=1e-9)


def test_normal_interval_of_95_percent_reaches_196_standard_errors():
    low, high = _stats.clt_interval(10.0, 2.0, 0.95)
    assert (high - 10.0) / 2.0 == pytest.approx(1.959963984540054, rel=1e-12)
    assert 10.0 - low == pytest.approx(high - 10.0, rel=1e-12)


def test_normal_interval_is_cut_to_the_range():
    assert _stats.clt_interval(0.1, 1.0, 0.95, low=0.0, high=0.5) == (0.0, 0.5)


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_effective_size_is_the_number_of_equal_contributions(scale):
    w = np.concatenate([np.full(7, scale), np.zeros(5)])
    assert _stats.effective_size(w) == pytest.approx(7.0, rel=1e-14)


def test_effective_size_of_nothing_is_zero():
    assert _stats.effective_size(np.zeros(4)) == 0.0


@pytest.mark.parametrize("k", [0.1, 0.3, 0.5, 0.8, 1.5])
@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e150])
def test_tail_index_of_pareto_draws_is_their_shape(k, scale, rng):
    draws = scale * (rng.random(100_000) ** -k)
    # 949 exceedances of an exact Pareto law: standard error (1 + k)/sqrt(949), here four of them.
    assert _stats.pareto_tail(draws) == pytest.approx(k, abs=4 * (1 + k) / math.sqrt(949))


def test_tail_index_of_uniform_draws_is_negative(rng):
    # The uniform law is the generalised Pareto law of shape -1, where the estimator is not regular.
    assert _stats.pareto_tail(rng.random(100_000)) < -0.5


def test_tail_index_of_exponential_draws_is_near_zero(rng):
    assert abs(_stats.pareto_tail(rng.exponential(size=100_000))) < 4 / math.sqrt(949)


@pytest.mark.parametrize("draws", [np.ones(1000), np.zeros(1000), np.arange(50.0)])
def test_tail_index_of_too_few_exceedances_is_none(draws):
    assert _stats.pareto_tail(draws) is None


def test_tail_index_leaves_its_argument_alone(rng):
    draws = rng.random(1000)
    draws.flags.writeable = False
    copy = draws.copy()
    _stats.pareto_tail(draws)
    np.testing.assert_array_equal(draws, copy)
