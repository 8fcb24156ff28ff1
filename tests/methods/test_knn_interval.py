"""The subsampling error bar of the nearest-neighbour estimates."""

from __future__ import annotations

import math

import numpy as np
import pytest
from knn_oracles import normal_pair
from scipy import stats
from strategies import read_only

from divkit._errors import UnreliableEstimateWarning
from divkit.catalog import HELLINGER, JSD, KL, PEARSON_CHI2, SQUARED_HELLINGER
from divkit.measures import Samples
from divkit.methods._knn_interval import spread
from divkit.methods.knn import KNN


def estimate(div, x, y, seed=0, level=0.95, **settings):
    return KNN(**settings).estimate(div, Samples(x), Samples(y), level=level, rng=np.random.default_rng(seed))


def test_the_error_bar_of_a_mean_is_its_standard_error():
    # Blocks without a common point: for a mean, the expected variance among g block means over g is s^2/n exactly.
    sample = np.random.default_rng(1).standard_normal((1000, 1))
    found = spread(lambda parts: float(parts[0].mean()), [sample], 1, 4000, np.random.default_rng(0))
    assert found is not None
    # 667 cuts of 6 blocks: the relative error of a variance from 667 x 5 degrees of freedom is sqrt(2/3335) = 2.4 %,
    # that of its root 1.2 %; four of these.
    assert found.stderr == pytest.approx(float(sample.std(ddof=1)) / math.sqrt(1000), rel=0.05)


def test_the_error_bar_of_a_difference_of_means_counts_both_sample_sizes():
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((1000, 1)), 3 * rng.standard_normal((8000, 1))
    found = spread(lambda p: float(p[0].mean() - p[1].mean()), [x, y], 1, 4000, np.random.default_rng(0))
    assert found is not None
    truth = math.hypot(float(x.std(ddof=1)) / math.sqrt(1000), float(y.std(ddof=1)) / math.sqrt(8000))
    assert found.stderr == pytest.approx(truth, rel=0.05)  # as above


def test_a_bias_of_one_over_the_size_is_found_exactly():
    # The mean plus 5/n: blocks of a sixth (of 6^4) have the bias 30/n, so that the extrapolation returns 5/n.
    sample = np.arange(1296.0)[:, None]

    def read(parts):
        return float(parts[0].mean()) + 5 / len(parts[0])

    found = spread(read, [sample], 1, 100, np.random.default_rng(0))
    assert found is not None
    assert found.bias(read([sample]), 1) == pytest.approx(5 / 1296, rel=1e-9)


def test_equal_seeds_give_equal_intervals():
    x, y = normal_pair(2, 300, 300, 0)
    assert estimate(KL, x, y, seed=4).interval == estimate(KL, x, y, seed=4).interval


def test_the_value_does_not_depend_on_the_seed():
    x, y = normal_pair(2, 300, 300, 0)
    assert estimate(KL, x, y, seed=4) == estimate(KL, x, y, seed=5)


def test_a_higher_level_gives_a_wider_interval():
    x, y = normal_pair(2, 300, 300, 0)
    found = [estimate(KL, x, y, level=level) for level in (0.5, 0.99)]
    (low, high), (lower, higher) = (each.info["subsample_interval"] for each in found)
    assert lower < low < high < higher
    assert [each.interval for each in found] == [(low, math.inf), (lower, math.inf)]


def test_the_interval_stays_in_the_range_of_the_divergence():
    x, y = normal_pair(1, 300, 300, 0, shift=0.0)
    found = estimate(JSD, x, y)
    low, high = found.info["subsample_interval"]
    assert 0 <= low <= high <= math.log(2)
    assert found.interval == (low, math.log(2))


def test_without_an_interval_there_is_no_standard_error():
    x, y = normal_pair(1, 100, 100, 0)
    found = estimate(KL, x, y, interval=False)
    assert found.interval is None
    assert found.stderr is None
    assert found.level is None


def test_too_few_points_for_subsamples_are_warned_of():
    x, y = normal_pair(1, 12, 12, 0, shift=0.0)
    with pytest.warns(UnreliableEstimateWarning, match="too few for an interval"):
        found = estimate(KL, x, y)
    assert found.interval is None


def test_the_hellinger_metric_has_an_interval_too():
    x, y = normal_pair(1, 400, 400, 0)
    squared, metric = estimate(SQUARED_HELLINGER, x, y), estimate(HELLINGER, x, y)
    assert metric.interval == pytest.approx([math.sqrt(end / 2) for end in squared.interval])
    ends = squared.info["subsample_interval"]
    assert metric.info["subsample_interval"] == pytest.approx([math.sqrt(end / 2) for end in ends])


@pytest.mark.parametrize("div", [KL, JSD, SQUARED_HELLINGER, PEARSON_CHI2], ids=lambda d: d.name)
@pytest.mark.parametrize("d", [1, 2, 5])
def test_the_interval_of_equal_laws_contains_zero(div, d):
    x, y = normal_pair(d, 400, 450, 11, shift=0.0)
    found = estimate(div, x, y, subsamples=40)
    assert found.interval == (0, div.upper)
    assert found.info["subsample_interval"][0] == 0


# ---- coverage ----


def held(div, truth, draw, draws):
    """How often the lower limit is below the truth, and how often what the subsamples show contains it."""
    limits = both = 0
    for seed in range(draws):
        x, y = draw(np.random.default_rng(seed))
        found = estimate(div, read_only(x), read_only(y), seed=seed)
        low, high = found.info["subsample_interval"]
        limits += found.interval[0] <= truth
        both += low <= truth <= high
    return limits, both


def shifted(d, n, m):
    return lambda rng: (rng.standard_normal((n, d)) + np.eye(d)[0], rng.standard_normal((m, d)))


PROBLEMS = {
    "kl, shift, d = 1": (KL, 0.5, shifted(1, 400, 800)),
    "kl, shift, d = 2": (KL, 0.5, shifted(2, 500, 500)),
    "kl, shift, d = 5": (KL, 0.5, shifted(5, 500, 500)),
    "kl, exponentials": (
        KL,
        math.log(2) - 0.5,
        lambda rng: (rng.exponential(0.5, (500, 1)), rng.exponential(1.0, (500, 1))),
    ),
    "squared hellinger, shift, d = 2": (SQUARED_HELLINGER, 2 - 2 * math.exp(-1 / 8), shifted(2, 500, 500)),
}


@pytest.mark.slow
@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_limits_hold_at_their_level_in_two_hundred_draws(problem):
    div, truth, draw = problem
    limits, both = held(div, truth, draw, 200)
    assert limits >= stats.binom.ppf(1e-3, 200, 0.95)
    # Fewer hits than this have probability 1e-3 at a coverage of 90 %: the bias of finite samples may cost 5 %.
    assert both >= stats.binom.ppf(1e-3, 200, 0.90)
