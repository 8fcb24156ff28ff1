"""Histogram estimates of hostile data: separated, degenerate, huge, refused."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from divkit._errors import InvalidInput, UnreliableEstimateWarning, Unsupported
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
from divkit.measures import Discrete, Samples
from divkit.methods.binned import Binned, automatic_bins, fdivergence_from_counts
from divkit.power_divergences import alpha_divergence

INFINITE = [KL, REVERSE_KL, JEFFREYS, PEARSON_CHI2, NEYMAN_CHI2, alpha_divergence(3.0)]
FINITE = [JSD, SQUARED_HELLINGER, HELLINGER, TOTAL_VARIATION, GAN]


def sample(points):
    points = np.array(points)
    points.flags.writeable = False
    return Samples(points)


def estimate(div, x, y, bins="auto"):
    return Binned(bins).estimate(div, sample(x), sample(y), level=0.95, rng=np.random.default_rng(0))


def normals(n, m, shift=0.5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(shift, 1, n), rng.normal(0, 1, m)


# ---- separated and degenerate samples ----


@pytest.mark.parametrize("div", FINITE, ids=lambda d: d.name)
def test_a_finite_divergence_of_separated_samples_comes_near_its_supremum(div):
    rng = np.random.default_rng(0)
    d = estimate(div, rng.uniform(0, 1, 1000), rng.uniform(2, 3, 1000))
    floor = 0.0 if div is HELLINGER else div.f_one
    # Half a point of 1,000 on either side; a root of it, 0.045, for Hellinger's.
    assert d - floor == pytest.approx(div.upper - floor, rel=0.05)


@pytest.mark.parametrize("div", INFINITE, ids=lambda d: d.name)
def test_an_infinite_divergence_of_separated_samples_has_a_finite_bound_and_a_warning(div):
    rng = np.random.default_rng(0)
    with pytest.warns(UnreliableEstimateWarning, match=f"{div.name.split('(')[0]}.* may be infinite"):
        d = estimate(div, rng.uniform(0, 1, 1000), rng.uniform(2, 3, 1000))
    assert 0 < d.interval[0] < d < math.inf


def test_the_limit_of_separated_samples_by_hand():
    # Cells with none of 100 points have at most 1 - 0.025^(1/100) of the mass, each at half of the error.
    with pytest.warns(UnreliableEstimateWarning):
        d = estimate(KL, np.arange(100.0), np.arange(100.0) + 200)
    p, q = 0.025**0.01, 1 - 0.025**0.01
    assert d.interval[0] == pytest.approx(p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q)), rel=1e-10)


def test_categories_without_a_common_one_are_separated():
    with pytest.warns(UnreliableEstimateWarning, match="may be infinite"):
        d = fdivergence_from_counts("kl", [100, 100, 0], [0, 0, 300])
    assert d.info["one_cut"]
    assert d.interval[0] > 1


def test_samples_with_little_overlap_warn_of_an_infinite_divergence():
    with pytest.warns(UnreliableEstimateWarning, match=r"of x lies where y has no point: kl may be infinite"):
        estimate(KL, *normals(500, 500, shift=3.0))


def test_samples_with_little_overlap_do_not_warn_for_a_finite_divergence():
    assert 0.4 < estimate(JSD, *normals(500, 500, shift=3.0)) < JSD.upper


@pytest.mark.parametrize("div", [KL, JSD, TOTAL_VARIATION, HELLINGER], ids=lambda d: d.name)
def test_one_point_shows_nothing_and_says_so(div):
    with pytest.warns(UnreliableEstimateWarning, match="x has 1 and y has 1 points, but two cells take at least 20"):
        d = estimate(div, [0.0], [1.0])
    assert (float(d), d.interval) == (0.0, (0.0, div.upper))


@pytest.mark.parametrize("bins", ["auto", "atoms", 10, [0.0, 1.0]])
def test_points_that_are_all_equal_are_one_cell(bins):
    d = estimate(KL, np.full(50, 3.0), np.full(70, 3.0), bins)
    assert (float(d), d.interval[0], d.info["bins"]) == (0.0, 0.0, 1)


def test_equal_samples_have_a_value_below_zero_and_the_limit_zero():
    x, _ = normals(1000, 1)
    d = estimate(KL, x, x)
    assert d < 0 == d.interval[0]


def test_two_distinct_values_are_two_cells():
    x, y = np.repeat([0.0, 1.0], [300, 100]), np.repeat([0.0, 1.0], [200, 200])
    assert float(estimate(KL, x, y)) == float(fdivergence_from_counts("kl", [300, 100], [200, 200]))


def test_an_atom_within_continuous_data_is_not_split():
    rng = np.random.default_rng(0)
    x = np.concatenate([np.zeros(600), rng.exponential(1, 400)])
    y = np.concatenate([np.zeros(500), rng.exponential(1, 500)])
    info = estimate(KL, x, y).info
    assert (info["x_counts"][0], info["y_counts"][0], info["edges"][0]) == (600, 500, 0.0)


def test_a_small_sample_against_a_large_one_keeps_the_cells_that_it_can_fill():
    x, y = normals(200, 100_000, shift=2.0)
    d = estimate(JSD, x, y)
    assert d.info["bins"] >= 8
    # JSD of normals two apart is 0.2999 by quadrature; four standard errors, and a twentieth lost to the cells.
    assert 0.95 * 0.2999 - 4 * d.stderr < d < 0.2999 + 4 * d.stderr


def test_a_million_points_take_less_than_two_seconds():
    x, y = normals(10**6, 10**6)
    P, Q = sample(x), sample(y)
    start = time.perf_counter()
    Binned().estimate(KL, P, Q, level=0.95, rng=np.random.default_rng(0))
    assert time.perf_counter() - start < 2.0


# ---- settings and refusals ----


def test_edges_make_right_closed_cells():
    x, y = np.repeat([0.0, 1.0, 2.0], 100), np.repeat([0.0, 1.0, 2.0], [50, 100, 150])
    info = estimate(KL, x, y, [0.0, 1.0]).info
    assert (info["x_counts"], info["y_counts"]) == ([100, 100, 100], [50, 100, 150])


def test_edges_are_kept_as_a_hashable_setting():
    assert hash(Binned(np.array([0.0, 1.0]))) == hash(Binned([0, 1]))


def test_the_number_of_bins_is_what_was_asked_for():
    assert estimate(KL, *normals(1000, 1000), 17).info["bins"] == 17


@pytest.mark.parametrize("smaller", [1, 10, 20, 99, 200, 1000, 10**6])
def test_automatic_bins_expect_ten_points_each(smaller):
    assert automatic_bins(smaller, 10**7) == 1 or smaller / automatic_bins(10**7, smaller) >= 10


@pytest.mark.parametrize(
    ("bins", "message"),
    [
        ("fd", "bins must be 'auto', 'atoms', a number of cells or a sequence of edges, got 'fd'"),
        (0, "bins must be an integer >= 1, got 0"),
        (2.5, "bins must be an integer >= 1, got 2.5"),
        (True, "bins must be an integer >= 1, got True"),
        (None, "bins must be an integer >= 1, got None"),
        ([], "bins as edges must be finite and ascending, at least one"),
        ([1.0, 1.0], "sort with np.unique"),
        ([0.0, np.inf], "leave infinite edges out"),
        ([0.0, np.nan], "bins as edges must be finite"),
        ([[0.0, 1.0]], "bins as edges must be finite and ascending"),
    ],
)
def test_bins_that_make_no_sense_are_refused(bins, message):
    with pytest.raises(InvalidInput, match=message):
        Binned(bins)


def test_points_in_the_plane_are_refused_with_the_remedy():
    x = np.random.default_rng(0).normal(size=(100, 2))
    with pytest.raises(Unsupported, match=r"2 coordinates.*columns one at a time, pass Binned\('atoms'\)"):
        estimate(KL, x, x)


@pytest.mark.parametrize("bins", [5, [0.0]])
def test_repeated_rows_are_refused_where_cells_of_the_line_are_asked_for(bins):
    with pytest.raises(Unsupported, match="a histogram has one"):
        estimate(KL, np.zeros((100, 2)), np.zeros((100, 2)), bins)


def test_weights_are_refused_with_the_remedy():
    weighted = Samples([1.0, 2.0], weights=[1.0, 2.0])
    with pytest.raises(Unsupported, match=r"Q has weights.*draw points in proportion to the weights, or use method"):
        Binned().estimate(KL, Samples([1.0]), weighted, level=0.95, rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    ("div", "P", "Q", "message"),
    [
        (WASSERSTEIN1, Samples([1.0]), Samples([1.0]), "it estimates f-divergences only"),
        (KL, Discrete([1.0]), Samples([1.0]), "P is no sample"),
        (KL, Samples([1.0]), Samples([[1.0, 2.0]]), "P has 1 and Q has 2 coordinates"),
    ],
)
def test_what_is_no_pair_of_samples_is_refused(div, P, Q, message):
    with pytest.raises(Unsupported, match=message):
        Binned().estimate(div, P, Q, level=0.95, rng=np.random.default_rng(0))


@pytest.mark.parametrize("points", [[], [np.nan, 1.0], [np.inf, 1.0]])
def test_empty_and_infinite_samples_are_refused(points):
    with pytest.raises(InvalidInput, match="points"):
        Samples(points)


def test_counts_of_different_lengths_are_refused():
    with pytest.raises(InvalidInput, match="got 2 and 3 of them; put 0 where"):
        fdivergence_from_counts("kl", [1, 2], [1, 2, 3])


def test_the_counts_function_takes_f_divergences_only():
    with pytest.raises(InvalidInput, match="div must be an f-divergence, got wasserstein1"):
        fdivergence_from_counts("wasserstein1", [1, 2], [1, 2])


def test_the_counts_function_checks_its_level():
    with pytest.raises(InvalidInput, match="level must be a number between 0 and 1"):
        fdivergence_from_counts("kl", [1, 2], [1, 2], level=95)
