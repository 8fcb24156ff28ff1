"""Laws with known divergences: the Gaussian mixture against SciPy, the shifted segments, the piles."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from divkit import datasets
from divkit._errors import InvalidInput
from divkit.adapters import as_measure
from divkit.measures import Law

EPS = float(np.finfo(np.float64).eps)


@st.composite
def line_mixtures(draw):
    k = draw(st.integers(1, 4))
    weights = np.array(draw(st.lists(st.floats(0.05, 1.0), min_size=k, max_size=k)))
    means = np.array(draw(st.lists(st.floats(-50, 50), min_size=k, max_size=k)))
    stds = np.array(draw(st.lists(st.floats(1e-2, 1e2), min_size=k, max_size=k)))
    return datasets.GaussianMixture(weights / weights.sum(), means, stds**2)


@given(law=line_mixtures(), x=st.floats(-200, 200))
def test_log_density_on_the_line_is_the_log_of_scipys_weighted_densities(law, x):
    from scipy import stats

    parts = stats.norm.logpdf(x, law.means[:, 0], np.sqrt(law.covariances[:, 0, 0])) + np.log(law.weights)
    # Each part has relative error of a few eps in z^2/2 <= |parts|, log-sum-exp adds none.
    want = np.logaddexp.reduce(parts)
    assert law.log_density([[x]])[0] == pytest.approx(want, rel=1e-12, abs=1e-12)


def test_log_density_in_space_is_scipys(rng):
    from scipy import stats

    roots = rng.normal(size=(3, 4, 4))
    covariances = roots @ roots.mT + 0.1 * np.eye(4)
    means = rng.normal(size=(3, 4))
    law = datasets.GaussianMixture([0.2, 0.3, 0.5], means, covariances)
    x = 3 * rng.normal(size=(50, 4))
    want = sum(
        w * stats.multivariate_normal(m, c).pdf(x) for w, m, c in zip(law.weights, means, covariances, strict=True)
    )
    # Condition numbers of a few hundred and squared radii of a few hundred: 1e-11 relative to |log density|.
    np.testing.assert_allclose(law.log_density(x), np.log(want), rtol=1e-10)


@given(law=line_mixtures(), q=st.floats(1e-300, 1.0 - 1e-16))
def test_quantile_inverts_the_cdf_in_both_tails(law, q):
    x = law.quantile(q)
    # One rounding of x moves the cdf by density * eps * |x|; the density relative to a tail of relative height
    # z * cdf, z < 40, over the smallest std 1e-2 and |x| < 4000.
    low, high = (side * 8 * EPS * (1 + abs(float(x))) for side in (-1, 1))
    assert law.cdf(x + low) <= q * (1 + 1e-9)
    assert law.cdf(x + high) >= q * (1 - 1e-9)


@given(law=line_mixtures(), q=st.floats(1e-300, 0.5))
def test_isf_is_the_quantile_of_the_mirrored_law(law, q):
    mirrored = datasets.GaussianMixture(law.weights, -law.means[:, 0], law.covariances)
    assume(np.array_equal(mirrored.weights, law.weights))  # scaling to sum 1 a second time can change a last digit
    assert law.isf(q) == -mirrored.quantile(q)


@given(law=line_mixtures(), x=st.floats(-200, 200))
def test_cdf_and_sf_sum_to_one(law, x):
    assert law.cdf(x) + law.sf(x) == pytest.approx(1.0, abs=8 * EPS)


def test_quantile_finds_components_far_apart_and_of_very_different_width():
    law = datasets.GaussianMixture([0.25, 0.5, 0.25], [-1e8, 0.0, 1e8], [1e-12, 1.0, 1e4])
    # The outer quarters are the halves of their components, whose medians are the means.
    np.testing.assert_allclose(law.quantile([0.125, 0.5, 0.875]), [-1e8, 0.0, 1e8], rtol=1e-15, atol=1e-15)


def test_quantile_ends_at_the_infinities():
    law = datasets.fgan_mixture()
    assert list(law.quantile([0.0, 1.0])) == [-math.inf, math.inf]
    assert list(law.isf([0.0, 1.0])) == [math.inf, -math.inf]


def test_quantile_keeps_the_shape_of_its_argument():
    law = datasets.fgan_mixture()
    assert law.quantile(0.3).shape == ()
    assert law.quantile([[0.1, 0.6, 0.9]]).shape == (1, 3)


def test_component_without_weight_changes_nothing():
    law = datasets.GaussianMixture([0.4, 0.6, 0.0], [0.0, 3.0, 1e6], [1.0, 2.0, 1e-20])
    plain = datasets.GaussianMixture([0.4, 0.6], [0.0, 3.0], [1.0, 2.0])
    x = np.linspace(-5, 9, 31)
    np.testing.assert_array_equal(law.cdf(x), plain.cdf(x))
    np.testing.assert_array_equal(law.log_density(x[:, None]), plain.log_density(x[:, None]))
    np.testing.assert_array_equal(law.quantile([0.01, 0.5, 0.99]), plain.quantile([0.01, 0.5, 0.99]))


@pytest.mark.parametrize("scale", [1e-150, 1e-3, 1e150])
def test_scaling_the_line_scales_the_quantiles(scale):
    base = datasets.fgan_mixture()
    scaled = datasets.GaussianMixture(base.weights, base.means * scale, base.covariances * scale**2)
    q = np.array([1e-12, 0.2, 0.5, 0.9])
    # The inverse is found to a rounding or two of x, in a density that is nowhere below 1e-3 at these q.
    np.testing.assert_allclose(scaled.quantile(q), base.quantile(q) * scale, rtol=1e-12)
    np.testing.assert_allclose(scaled.log_density([[scale]]), base.log_density([[1.0]]) - math.log(scale), rtol=1e-12)


def test_log_density_is_finite_where_the_density_underflows():
    law = datasets.GaussianMixture([0.5, 0.5], [0.0, 1.0], [1.0, 1.0])
    want = -0.5 * (1e6 - 1) ** 2 - 0.5 * math.log(2 * math.pi) + math.log(0.5)
    assert law.log_density([[1e6]])[0] == pytest.approx(want, rel=1e-15)


def test_log_density_is_minus_infinity_at_distances_beyond_float64():
    assert datasets.fgan_mixture().log_density([[1e300]])[0] == -math.inf


def test_sample_moments_agree_with_the_mixture(rng):
    law = datasets.GaussianMixture([0.3, 0.7], [[0.0, 1.0], [4.0, -1.0]], [[2.0, 0.5], [0.5, 1.0]])
    x = law.sample(40_000, rng)
    mean = law.weights @ law.means
    between = (law.means - mean).T @ np.diag(law.weights) @ (law.means - mean)
    want = law.covariances[0] + between
    # Means and covariances have standard errors below 3 / sqrt(n) = 0.015 and 12 / sqrt(n) = 0.06; five of them.
    np.testing.assert_allclose(x.mean(axis=0), mean, atol=0.075)
    np.testing.assert_allclose(np.cov(x.T), want, atol=0.3)


def test_sample_follows_the_cdf(rng):
    from scipy import stats

    law = datasets.fgan_mixture()
    draws = law.sample(5000, rng)[:, 0]
    assert stats.kstest(draws, law.cdf).pvalue > 1e-4


def test_equal_seeds_draw_equal_samples():
    law = datasets.ring_mixture()
    np.testing.assert_array_equal(law.sample(50, 3), law.sample(50, np.random.default_rng(3)))


def test_shared_covariance_means_that_covariance_for_every_component():
    shared = [[2.0, 0.3], [0.3, 1.0]]
    law = datasets.GaussianMixture([0.5, 0.5], [[0, 0], [1, 1]], shared)
    np.testing.assert_array_equal(law.covariances, [shared, shared])


def test_mixture_enters_as_a_law_with_all_it_offers():
    law = as_measure(datasets.fgan_mixture())
    assert isinstance(law, Law)
    assert law.dim == 1
    assert law.base == "lebesgue"
    assert all(f is not None for f in (law.sample, law.cdf, law.sf, law.quantile, law.isf))


def test_mixture_of_one_component_is_recognised_as_gaussian():
    family = datasets.GaussianMixture([0.0, 1.0], [5.0, 2.0], [1.0, 9.0]).family
    assert family is not None
    assert (family.mean[0], family.cov[0, 0]) == (2.0, 9.0)
    assert datasets.fgan_mixture().family is None


def test_mixture_cannot_be_changed_through_its_arrays_or_its_arguments():
    means = np.array([0.0, 1.0])
    law = datasets.GaussianMixture([0.5, 0.5], means, [1.0, 1.0])
    means[0] = 7.0
    assert law.means[0, 0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        law.means[0, 0] = 1.0


@pytest.mark.parametrize(
    ("weights", "means", "covariances", "message"),
    [
        ([0.5, 0.6], [0, 1], [1, 1], r"sums to 1\.1"),
        ([-0.5, 1.5], [0, 1], [1, 1], "non-negative"),
        ([], [], [], "non-empty"),
        ([1.0], [0.0, 1.0], [1.0], r"means must have shape \(1,\)"),
        ([1.0], [math.nan], [1.0], "means must be finite"),
        ([1.0], [0.0], [math.inf], "covariances must be finite"),
        ([1.0], [0.0], [0.0], "positive definite"),
        ([1.0], [0.0], [-1.0], "smallest eigenvalue -1"),
        ([1.0], [[0.0, 0.0]], [[1.0, 0.5], [0.4, 1.0]], "symmetric"),
        ([1.0], [[0.0, 0.0]], [[1.0, 1.0], [1.0, 1.0]], "positive definite"),
        ([0.5, 0.5], [0, 1], [1.0, 1.0, 1.0], r"covariances must have shape \(2,\)"),
        (["a"], [0], [1], "real numbers"),
    ],
)
def test_mixture_refuses_parameters_that_define_no_law(weights, means, covariances, message):
    with pytest.raises(InvalidInput, match=message):
        datasets.GaussianMixture(weights, means, covariances)


def test_cdf_needs_one_dimension():
    with pytest.raises(InvalidInput, match="this mixture has d = 2"):
        datasets.ring_mixture().cdf(0.0)


@pytest.mark.parametrize("q", [-0.1, 1.5, math.nan])
def test_quantile_refuses_what_is_no_probability(q):
    with pytest.raises(InvalidInput, match="between 0 and 1"):
        datasets.fgan_mixture().quantile([0.5, q])


def test_log_density_refuses_points_of_another_dimension():
    with pytest.raises(InvalidInput, match=r"shape \(n, 1\), got \(2, 2\)"):
        datasets.fgan_mixture().log_density([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize("n", [0, -1, 1.5, True])
def test_sample_refuses_sizes_that_are_no_counts(n):
    with pytest.raises(InvalidInput, match="n must be an integer >= 1"):
        datasets.fgan_mixture().sample(n, 0)


# f-GAN's table, KL(P || N(mu, sigma^2)) at its optimum mu*, sigma*: printed to four digits.
def test_fgan_mixture_has_the_published_moment_matched_kl():
    law = datasets.fgan_mixture()
    mean = float(law.weights @ law.means[:, 0])
    std = math.sqrt(float(law.weights @ (law.covariances[:, 0, 0] + (law.means[:, 0] - mean) ** 2)))
    # The optimum of KL(P || Gaussian) matches the moments exactly.
    assert (mean, std) == pytest.approx((1.0100, 1.8308), abs=7e-4)
    x = np.linspace(-30, 30, 60_001)
    logs = law.log_density(x[:, None])
    model = datasets.GaussianMixture([1.0], [mean], [std**2]).log_density(x[:, None])
    # The trapezoidal rule is exact to rounding for a smooth integrand that vanishes at both ends.
    assert np.trapezoid(np.exp(logs) * (logs - model), x) == pytest.approx(0.2831, abs=7e-4)


def test_ring_has_distinct_means_on_the_circle():
    means = datasets.ring_mixture(8, radius=2.0).means
    np.testing.assert_allclose(np.hypot(*means.T), 2.0, rtol=4 * EPS)
    assert len(np.unique(means.round(9), axis=0)) == 8


def test_grid_is_the_usual_one_by_default():
    means = datasets.grid_mixture().means
    assert sorted(set(means.ravel())) == [-4.0, -2.0, 0.0, 2.0, 4.0]
    assert len(np.unique(means, axis=0)) == 25


@pytest.mark.parametrize("std", [0.0, -1.0, math.nan, math.inf, "a"])
def test_ring_refuses_a_width_that_is_none(std):
    with pytest.raises(InvalidInput, match="std must be a positive finite number"):
        datasets.ring_mixture(std=std)


@pytest.mark.parametrize("theta", [0.0, 1e-17, -0.5, 1e8, 1e300])
def test_draws_of_a_segment_lie_on_it(theta):
    pair = datasets.shifted_uniform(theta)
    _, y = pair.samples(500, 1)
    assert (pair.q.log_density(y.points) == 0.0).all()  # length 1


@pytest.mark.parametrize("theta", [1e-300, 1e-17, -0.5, 1e8])
def test_shifted_segments_never_share_a_point(theta):
    pair = datasets.shifted_uniform(theta)
    x, y = pair.samples(200, 1)
    assert (pair.p.log_density(y.points) == -math.inf).all()
    assert (pair.q.log_density(x.points) == -math.inf).all()


@given(
    start=st.tuples(*[st.floats(-1e3, 1e3)] * 3),
    step=st.tuples(*[st.floats(-1e3, 1e3)] * 3).filter(lambda v: np.abs(v).max() > 1e-3),
    t=st.floats(0, 1),
)
def test_points_between_the_ends_are_on_a_slanted_segment(start, step, t):
    a, b = np.array(start), np.array(start) + np.array(step)
    law = datasets.uniform_segment(a, b)
    assert law.log_density((a + t * (b - a))[None, :])[0] == -math.log(np.hypot.reduce(b - a))


def test_points_beyond_the_ends_are_off_the_segment():
    law = datasets.uniform_segment([0.0, 1.0], [3.0, 5.0])
    beyond = np.array([[-0.003, 0.996], [3.003, 5.004], [1.5, 3.0001]])
    assert (law.log_density(beyond) == -math.inf).all()


def test_segment_at_a_far_place_contains_its_draws(rng):
    law = datasets.uniform_segment([1e8, 0.0], [1e8 + 1, 1.0])
    assert np.isfinite(law.log_density(law.draw(500, rng))).all()


def test_samples_of_the_two_segments_are_independent_and_of_the_sizes_asked_for():
    x, y = datasets.shifted_uniform(2.0).samples(40, 5, m=30)
    assert (len(x.points), len(y.points)) == (40, 30)
    assert not np.isin(x.points[:, 1], y.points[:, 1]).any()
    assert (y.points[:, 0] == 2.0).all()


def test_discrete_segments_have_equal_atoms_in_the_cells_middles():
    p, q = datasets.shifted_uniform(-3.0).discrete(4)
    np.testing.assert_array_equal(p.points, [[0, 0.125], [0, 0.375], [0, 0.625], [0, 0.875]])
    np.testing.assert_array_equal(q.points - p.points, np.tile([-3.0, 0.0], (4, 1)))
    np.testing.assert_array_equal(p.probs, 0.25)


@pytest.mark.parametrize("theta", [math.nan, math.inf, "1", None, True])
def test_shifted_uniform_refuses_a_shift_that_is_no_number(theta):
    with pytest.raises(InvalidInput, match="theta must be a finite number"):
        datasets.shifted_uniform(theta)


def test_discrete_refuses_no_atoms():
    with pytest.raises(InvalidInput, match="n must be an integer >= 1, got 0"):
        datasets.shifted_uniform(1.0).discrete(0)


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ([0, 0], [0, 0], "two different points"),
        ([0, 0], [1, 1, 1], "two different points"),
        ([0, math.nan], [1, 1], "start must be finite"),
        ([[0, 0]], [1, 1], r"start must be one point of shape \(d,\)"),
        ([-1e308, 0], [1e308, 0], "float64 can hold"),
    ],
)
def test_segment_refuses_ends_that_define_none(start, end, message):
    with pytest.raises(InvalidInput, match=message):
        datasets.uniform_segment(start, end)


def test_piles_are_five_moves_of_a_tenth_apart():
    p, q = datasets.earth_mover_piles()
    np.testing.assert_array_equal(p.points[:, 0], [1, 2, 3, 4])
    assert np.abs(np.cumsum(p.probs - q.probs)).sum() == pytest.approx(0.5, abs=8 * EPS)
