"""W_1 between laws, from both sides: limits that hold, units, and hostile samples."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import scipy.stats as st

from divkit import Bounds, InvalidInput, KRCritic, UnreliableEstimateWarning, wasserstein1, wasserstein1_bounds


def shifted(d, shift, n=200, m=150, seed=0):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, d)), rng.normal(size=(m, d))
    x[:, 0] += shift
    return x, y


@pytest.mark.parametrize("d", [1, 2, 8])
def test_the_truth_is_between_the_limits(d):
    bounds = wasserstein1_bounds(*shifted(d, 1.0), rng=0)
    assert isinstance(bounds, Bounds)
    assert bounds.lower.interval[0] < 1.0 < bounds.upper.interval[1]
    assert (bounds.lower.bound, bounds.upper.bound) == ("lower", "upper")
    assert bounds.lower.interval[1] == math.inf
    assert bounds.upper.interval[0] == 0.0
    assert bounds.lower.level == bounds.upper.level == pytest.approx(0.975)
    assert sum(bounds.lower.info["sources"].values()) == 4


def test_the_upper_bound_is_the_distance_between_the_samples():
    x, y = shifted(3, 0.5)
    upper = wasserstein1_bounds(x, y, rng=0).upper
    assert upper == pytest.approx(float(wasserstein1(x, y)), rel=1e-12)


def test_the_reference_is_what_equal_laws_would_show():
    x, y = shifted(5, 0.0, 400, 400)
    bounds = wasserstein1_bounds(x, y, rng=0)
    assert bounds.lower.interval[0] == 0.0
    # Halves have half as many points: their distance is the larger one.
    assert all(bounds.upper < null < 1.5 * bounds.upper for null in bounds.upper.info["null"])


def test_in_many_dimensions_the_bounds_tell_what_the_distance_of_the_samples_cannot():
    x, y = shifted(128, 1.0, 1000, 1000)
    bounds = wasserstein1_bounds(x, y, rng=0)
    assert bounds.upper > 10
    assert 0.5 < bounds.lower.interval[0] < 1.0


@pytest.mark.parametrize("factor", [2.0**990, 2.0**-1000, 2.0**20])
def test_bounds_have_the_units_of_the_data(factor):
    x, y = shifted(2, 1.0)
    plain, scaled = wasserstein1_bounds(x, y, rng=0), wasserstein1_bounds(factor * x, factor * y, rng=0)
    for before, after in zip(plain, scaled, strict=True):
        assert after == factor * before
        assert after.interval == tuple(factor * end for end in before.interval)
        assert after.stderr == factor * before.stderr
    assert scaled.upper.info["null"] == tuple(factor * null for null in plain.upper.info["null"])
    assert scaled.upper.info["n"] == plain.upper.info["n"]


def test_an_offset_and_constant_columns_change_nothing():
    x, y = (np.round(sample, 6) for sample in shifted(2, 1.0))
    elsewhere = (np.column_stack([sample + 2.0**30, np.full(len(sample), 7)]) for sample in (x, y))
    plain, moved = wasserstein1_bounds(x, y, rng=0), wasserstein1_bounds(*elsewhere, rng=0)
    assert moved == pytest.approx(plain, abs=1e-5)


def test_samples_on_the_line_may_be_flat():
    x, y = shifted(1, 1.0)
    assert wasserstein1_bounds(x, y, rng=0) == wasserstein1_bounds(x[:, 0], y[:, 0], rng=0)


def test_equal_seeds_give_equal_bounds():
    x, y = shifted(2, 1.0)
    assert wasserstein1_bounds(x, y, rng=3) == wasserstein1_bounds(x, y, rng=3)


def test_integers_and_single_precision_are_taken():
    x, y = shifted(2, 1.0)
    single = wasserstein1_bounds(x.astype(np.float32), y.astype(np.float32), rng=0)
    assert single.upper == pytest.approx(float(wasserstein1_bounds(x, y, rng=0).upper), rel=1e-6)
    whole = wasserstein1_bounds((4 * x).astype(int), (4 * y).astype(int), rng=0)
    assert whole.lower.interval[0] < 4 < whole.upper.interval[1]


def test_point_masses_are_told_apart_for_certain():
    lower, upper = wasserstein1_bounds(np.zeros(20), np.full(30, 2.5))
    assert (lower, upper) == pytest.approx((2.5, 2.5), rel=1e-14)
    assert max(lower.stderr, upper.stderr) < 1e-15
    assert wasserstein1_bounds(np.ones(20), np.ones(30)).upper == 0.0


def test_few_points_of_many_may_be_used_for_transport():
    x, y = shifted(2, 1.0, 500, 400)
    bounds = wasserstein1_bounds(x, y, points=100, rng=0)
    assert (bounds.upper.info["n"], bounds.upper.info["m"], bounds.lower.info["n"]) == (100, 100, 500)
    assert bounds.upper.interval[1] > 1.0


@pytest.mark.parametrize(
    ("x", "y", "settings", "message"),
    [
        (np.zeros(7), np.zeros(20), {}, "x must have at least 8 points for folds = 4, it has 7"),
        (np.zeros(20), np.zeros(7), {}, "y must have at least 8 points"),
        (np.zeros((20, 2)), np.zeros((20, 3)), {}, "same number of columns"),
        (np.full(20, np.nan), np.zeros(20), {}, "x must be finite"),
        (np.zeros((0, 2)), np.zeros((20, 2)), {}, "x is empty"),
        (np.zeros(20), np.zeros(20), {"folds": 2}, "folds"),
        (np.zeros(20), np.zeros(20), {"points": 1}, "points"),
        (np.zeros(20), np.zeros(20), {"level": 1.0}, "level"),
    ],
)
def test_what_cannot_be_bounded_is_refused(x, y, settings, message):
    with pytest.raises(InvalidInput, match=message):
        wasserstein1_bounds(x, y, **settings)


def test_distances_beyond_float64_are_refused():
    with pytest.raises(InvalidInput, match="range of float64"):
        wasserstein1_bounds(np.full(20, -1.7e308), np.full(20, 1.7e308))


def test_tails_without_a_variance_are_warned_of():
    rng = np.random.default_rng(0)
    with pytest.warns(UnreliableEstimateWarning, match=r"the tail of x falls like \|x\|"):
        wasserstein1_bounds(rng.standard_cauchy(1000), rng.normal(size=1000), rng=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wasserstein1_bounds(rng.normal(size=1000), rng.normal(size=1000), rng=0)


# ---- limits ----


def exponentials(n, m, rng):
    return rng.exponential(1.0, n), rng.exponential(2.0, m)


def gaussians(d, shift):
    return lambda n, m, rng: (rng.normal(size=(n, d)) + shift * np.eye(d)[0], rng.normal(size=(m, d)))


def scaled(d):
    return lambda n, m, rng: (1.5 * rng.normal(size=(n, d)), rng.normal(size=(m, d)))


PROBLEMS = {
    "exponentials": (exponentials, 1.0),
    "equal, d = 1": (gaussians(1, 0.0), 0.0),
    "equal, d = 4": (gaussians(4, 0.0), 0.0),
    "shift, d = 1": (gaussians(1, 1.0), 1.0),
    "shift, d = 2": (gaussians(2, 0.5), 0.5),
    "shift, d = 8": (gaussians(8, 1.0), 1.0),
    "scale, d = 3": (scaled(3), 0.5 * float(st.chi(3).mean())),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::divkit.UnreliableEstimateWarning")  # 4 of 100 such samples look heavy-tailed
@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
@pytest.mark.parametrize(("n", "m"), [(100, 100), (300, 150)])
def test_limits_hold_in_two_hundred_draws(problem, n, m):
    draw, truth = problem
    draws, above, below, values = 200, 0, 0, []
    for seed in range(draws):
        lower, upper = wasserstein1_bounds(*draw(n, m, np.random.default_rng(seed)), rng=seed)
        above += lower.interval[0] <= truth
        below += upper.interval[1] >= truth
        values.append((lower.info["raw"], float(upper)))
    # 97.5 % each: fewer than 186 of 200 has probability 4e-4.
    assert min(above, below) >= 186
    raw, empirical = np.array(values).T
    assert raw.mean() <= truth + 3 * raw.std() / math.sqrt(draws)
    assert empirical.mean() >= truth - 3 * empirical.std() / math.sqrt(draws)


def test_a_critic_is_taken_where_it_sees_more():
    pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 3000, 6))
    x[:, 0] += 2 * np.sign(x[:, 1] * x[:, 2])  # equal marginals in all directions of two coordinates
    y[:, 0] += 2 * rng.choice([-1, 1], 3000)
    critic = KRCritic(width=32, activation="abs", depth=3, steps=400)
    plain = wasserstein1_bounds(x, y, points=500, folds=1, rng=0).lower
    found = wasserstein1_bounds(x, y, points=500, folds=1, critic=critic, rng=0).lower
    assert found.info["sources"] == {"kr": 1}
    assert found.interval[0] > plain.interval[0]
    assert found.info["critics"][0]["lipschitz"] == pytest.approx(1.0, abs=1e-4)


def test_a_critic_is_left_where_a_simple_function_does_better():
    pytest.importorskip("torch")
    x, y = shifted(2, 1.0)
    critic = KRCritic(width=8, depth=2, activation="abs", steps=1)
    found = wasserstein1_bounds(x, y, folds=3, critic=critic, rng=0).lower
    assert "kr" not in found.info["sources"]
    assert len(found.info["critics"]) == 3
    with pytest.raises(InvalidInput, match=r"critic must be a divkit\.KRCritic or None, got str"):
        wasserstein1_bounds(x, y, critic="groupsort")


def test_a_fifth_judges_once():
    x, y = shifted(2, 1.0, 2000, 1500)
    bounds = wasserstein1_bounds(x, y, folds=1, rng=0)
    assert sum(bounds.lower.info["sources"].values()) == 1
    assert bounds.lower.interval[0] < 1.0 < bounds.upper.interval[1]
    assert bounds.lower.interval[0] > 0.7  # four standard errors of the 400 and 300 points that judge below 1
