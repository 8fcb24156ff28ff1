"""Hostile samples for the nearest-neighbour estimates: ties, scales, offsets, disjoint supports, too few points."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from knn_oracles import normal_pair
from scipy import stats
from strategies import read_only

from divkit._errors import DegenerateDataWarning, InvalidInput, NotConverged, UnreliableEstimateWarning, Unsupported
from divkit.adapters import as_measure
from divkit.catalog import JSD, KL, PEARSON_CHI2, REVERSE_KL, SQUARED_HELLINGER, TOTAL_VARIATION
from divkit.measures import Law, Samples
from divkit.methods.knn import KNN

EVERY = [KL, REVERSE_KL, JSD, TOTAL_VARIATION, SQUARED_HELLINGER, PEARSON_CHI2]


def value(div, x, y, k=None, interval=False):
    return KNN(k, interval=interval).estimate(div, Samples(x), Samples(y), level=0.95, rng=np.random.default_rng(0))


def quiet(div, x, y, k=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return value(div, x, y, k)


# ---- atoms and copies ----

CELLS_P, CELLS_Q = np.array([0.2, 0.3, 0.1, 0.4]), np.array([0.4, 0.1, 0.3, 0.2])


def categories(n):
    """Samples of n points whose shares are the cells exactly."""
    return (read_only(np.repeat(np.arange(4.0), (cells * n).round().astype(int))) for cells in (CELLS_P, CELLS_Q))


@pytest.mark.parametrize("div", EVERY, ids=lambda d: d.name)
def test_samples_of_categories_have_nearly_the_divergence_of_their_counts(div):
    from divkit import exact

    x, y = categories(2000)
    truth = float(exact.fdivergence(div, CELLS_P, CELLS_Q))
    # A cell counts 200 points or more; leaving the centre out, digamma for log and a pseudo-count move each ratio
    # by less than 1/100, and no divergence here moves by more than twice that.
    assert quiet(div, x, y) == pytest.approx(truth, rel=0.02)


def test_copies_are_warned_of_with_their_share():
    x, y = normal_pair(1, 200, 200, 0)
    doubled = np.concatenate([x[:50], x[:150]])
    with pytest.warns(DegenerateDataWarning, match=r"knn: 0\.25 of the points coincide"):
        value(KL, doubled, y)


@pytest.mark.parametrize("div", EVERY, ids=lambda d: d.name)
def test_a_sample_against_itself_is_at_distance_zero(div):
    x, _ = normal_pair(2, 300, 1, 0)
    with pytest.warns(DegenerateDataWarning, match="1 of the points coincide"):
        found = value(div, x, x)
    # The copy in y of each centre makes the own ratios a little too small, so that the raw value is negative.
    assert found == pytest.approx(0.0, abs=0.01)


def test_an_atom_that_the_model_lacks_costs_what_the_nearest_model_points_say():
    # Half of x sits at 5; the 3 nearest points of y, in a ball round 5 that reaches them, bound the ratio.
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.standard_normal(500), np.full(500, 5.0)])
    y = rng.standard_normal(1000)
    found = quiet(KL, x, y)
    # 500 of 1000 points against 3 of 1000, with digamma(3) = 0.923 for log 3; the rest has half the mass it has
    # under Q. The other terms differ by the sampling error.
    assert found == pytest.approx((math.log(500) - 0.923 + math.log(0.5)) / 2, abs=0.15)


def test_all_points_at_one_place_have_divergence_zero():
    assert quiet(KL, np.zeros(40), np.zeros(50)) == 0


# ---- scales, offsets, columns ----


@pytest.mark.parametrize("div", EVERY, ids=lambda d: d.name)
@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_the_unit_of_the_data_does_not_matter(div, scale):
    x, y = normal_pair(2, 200, 240, 1, shift=0.5)
    assert value(div, x * scale, y * scale).info["raw"] == pytest.approx(value(div, x, y).info["raw"], abs=1e-9)


def test_an_offset_of_a_hundred_million_does_not_matter():
    x, y = normal_pair(2, 200, 240, 1)
    # Offset points are rounded to 1.5e-8, so single points may change sides of a ball: 1/200 of digamma steps < 1/4.
    assert value(KL, x + 1e8, y + 1e8) == pytest.approx(value(KL, x, y), abs=2e-3)


def test_constant_and_repeated_columns_do_not_matter():
    x, y = normal_pair(2, 200, 240, 1)

    def wide(s):
        return np.column_stack([s, np.full(len(s), 3.0), s[:, 0], s @ [1.0, 2.0]])

    for div in (KL, SQUARED_HELLINGER):
        # The repeated columns weigh in the standardisation, so that radii change a little: 2 % of values near 0.4.
        assert value(div, wide(x), wide(y)) == pytest.approx(value(div, x, y), abs=0.02)
    assert value(KL, wide(x), wide(y)).info["d"] == 2


def test_a_column_of_another_unit_does_not_matter():
    x, y = normal_pair(2, 200, 240, 1)
    scale = np.array([1e-12, 1e9])
    assert value(KL, x * scale, y * scale).info["raw"] == pytest.approx(value(KL, x, y).info["raw"], abs=1e-9)


def test_correlated_coordinates_are_compared_as_uncorrelated_ones():
    # KL is that of the shift by 1 in the first coordinate of independent normals, whatever the linear map.
    x, y = normal_pair(4, 1500, 1500, 2)
    mixing = np.array([[1, 0.99, 0, 0], [0, 0.1, 0.9, 0], [0, 0, 0.3, 1], [0, 0, 0, 0.05]])
    plain, mixed = value(KL, x, y), value(KL, x @ mixing, y @ mixing)
    assert mixed == pytest.approx(plain, abs=0.03)  # the coordinates agree up to a rotation and sampling error


def test_a_gap_along_a_direction_without_spread_is_kept():
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.standard_normal(100), np.zeros(100)])
    y = np.column_stack([rng.standard_normal(100), np.ones(100)])
    assert quiet(JSD, x, y) > 0.6  # of log 2 = 0.69


@pytest.mark.parametrize("dtype", [np.int64, np.float32, bool])
def test_other_number_types_are_taken_as_floats(dtype):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 2, 60).astype(dtype), rng.integers(0, 2, 60).astype(dtype)
    assert quiet(KL, x, y) == quiet(KL, x.astype(float), y.astype(float))


def test_one_column_is_a_line():
    x, y = normal_pair(1, 60, 80, 0)
    assert value(KL, x[:, 0], y[:, 0]) == value(KL, x, y)


def test_heavy_tails_leave_the_value_finite():
    rng = np.random.default_rng(0)
    x, y = rng.standard_cauchy((2, 500, 3))
    assert 0 <= value(KL, x, y) < 0.3  # equal laws


def test_an_outlier_at_the_end_of_float64_leaves_the_value_finite():
    x, y = normal_pair(2, 200, 200, 0)
    far = np.concatenate([x, [[1e300, -1e300]]])
    # One point of 201 moves digamma differences by at most log(200) / 201 = 0.03, and the scale by its rank.
    assert value(KL, far, y) == pytest.approx(value(KL, x, y), abs=0.05)


# ---- too few points, too far apart ----


@pytest.mark.parametrize(("x", "y"), [([0.0], [1.0, 2.0]), ([1.0, 2.0], [0.0])])
def test_one_point_is_refused(x, y):
    with pytest.raises(InvalidInput, match=r"must have at least k \+ 1 = 2 points .* it has 1"):
        value(KL, x, y)


def test_more_neighbours_than_points_are_refused():
    with pytest.raises(InvalidInput, match=r"Q must have at least k \+ 1 = 8 points .* it has 3; use k <= 2"):
        value(KL, np.arange(9.0), np.arange(3.0) + 0.5, k=7)


def test_chi2_needs_four_points():
    with pytest.raises(InvalidInput, match="use more points"):
        value(PEARSON_CHI2, np.arange(3.0), np.arange(3.0) + 0.5)


@pytest.mark.parametrize("bad", [[], [np.nan, 1.0], [np.inf, 1.0]])
def test_empty_and_non_finite_samples_are_refused(bad):
    with pytest.raises(InvalidInput):
        value(KL, bad, [1.0, 2.0])


def test_samples_of_other_dimensions_are_refused():
    with pytest.raises(Unsupported, match="P has 1 and Q has 2 coordinates"):
        value(KL, np.zeros((3, 1)), np.zeros((3, 2)))


def test_disjoint_supports_are_warned_of():
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 1, 300), rng.uniform(100, 101, 300)
    with pytest.warns(UnreliableEstimateWarning, match="supports look disjoint"):
        found = value(KL, x, y)
    # All 299 others of x lie nearer than the third of y: digamma(300) - digamma(3) + log(300/299), where
    # digamma(300) = log 300 - 1/600 to 1e-6.
    assert found == pytest.approx(2 * math.log(300) - 1 / 600 - 0.92278434 - math.log(299), abs=2e-6)


@pytest.mark.parametrize(("div", "highest"), [(JSD, math.log(2)), (TOTAL_VARIATION, 1.0), (SQUARED_HELLINGER, 2.0)])
def test_disjoint_supports_have_nearly_the_supremum_of_a_bounded_divergence(div, highest):
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 1, 2000), rng.uniform(100, 101, 2000)
    # The pseudo-count leaves 1/(2k) of 1 beside it, at k near 45; the power integral a ratio of radii below 1/100.
    assert quiet(div, x, y) == pytest.approx(highest, rel=0.05)


def test_a_value_above_the_ceiling_is_warned_of():
    x, y = normal_pair(1, 100, 100, 0, shift=3.5)
    with pytest.warns(UnreliableEstimateWarning, match=r"above log\(min\(n, m\)\) - 2 = 2\.61"):
        value(KL, x, y)


def test_too_few_points_for_the_dimension_are_warned_of():
    x, y = normal_pair(10, 300, 300, 0)
    with pytest.warns(UnreliableEstimateWarning, match=r"300 points in 10 dimensions are fewer than 2\^10"):
        value(KL, x, y)


@pytest.mark.filterwarnings("ignore:.*still changes with their number")
def test_a_large_chi2_is_warned_of():
    x, y = normal_pair(1, 1000, 1000, 0, shift=1.0)  # truth e - 1 = 1.72
    with pytest.warns(UnreliableEstimateWarning, match="far too low"):
        assert value(PEARSON_CHI2, x, y) < 1.72


@pytest.mark.filterwarnings("ignore:.*far too low")
def test_a_value_that_grows_with_the_sample_is_warned_of():
    # chi2(N(0, 3) || N(0, 1)) is infinite: the ratio grows like exp(x^2 / 3).
    rng = np.random.default_rng(0)
    x, y = math.sqrt(3) * rng.standard_normal(2000), rng.standard_normal(2000)
    with pytest.warns(UnreliableEstimateWarning, match="still changes with their number"):
        value(PEARSON_CHI2, x, y, interval=True)


# ---- against a law ----


def against(points, law):
    return KNN(interval=False).estimate(KL, Samples(points), law, level=0.95, rng=np.random.default_rng(0))


@pytest.mark.filterwarnings("ignore::divkit._errors.DegenerateDataWarning")
def test_repeated_points_have_no_density_to_compare():
    points = np.concatenate([np.zeros(7), [1.0, 2.0, 3.0]])
    with pytest.raises(InvalidInput, match="7 of the 10 points of P coincide with 3 or more others"):
        against(points, as_measure(stats.norm()))


@pytest.mark.parametrize(
    ("points", "match"),
    [
        (np.column_stack([np.arange(9.0) ** 2, np.zeros(9)]), "1 constant of 2 coordinates"),
        (np.column_stack([np.arange(9.0) ** 2, 3 * np.arange(9.0) ** 2]), "linearly dependent"),
    ],
)
def test_flat_samples_have_no_density_to_compare(points, match):
    with pytest.raises(InvalidInput, match=match):
        against(points, as_measure(stats.multivariate_normal(np.zeros(2), np.eye(2))))


@pytest.mark.parametrize(
    ("log_density", "error", "match"),
    [
        (lambda x: np.full(len(x), np.nan), InvalidInput, "NaN at 9 of 9"),
        (lambda x: np.zeros((len(x), 2)), InvalidInput, "must return shape"),
        (lambda x: np.full(len(x), np.inf), NotConverged, "infinite at a point"),
    ],
)
def test_log_densities_that_are_none_are_refused(log_density, error, match):
    with pytest.raises(error, match=match):
        against(np.arange(9.0) ** 2, Law(1, log_density))


def test_a_law_on_the_integers_is_refused():
    reason = KNN().refusal(KL, Samples([1.0, 2.0]), as_measure(stats.poisson(2.0)))
    assert reason is not None
    assert "counting" in reason


@pytest.mark.slow
def test_a_million_points_fit_into_memory():
    x, y = normal_pair(3, 10**6, 10**6, 0, shift=0.5)
    # The standard error is about sqrt(0.25 + 0.28 + 2/5)/1000 < 0.002, the bias at a million points less.
    assert value(KL, x, y) == pytest.approx(0.125, abs=0.01)
