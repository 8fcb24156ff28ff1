"""Simulation of histogram estimates: limits hold at their level, values stay below in the mean, the bias falls."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from scipy import stats

from divkit import exact
from divkit._errors import UnreliableEstimateWarning
from divkit.adapters import as_measure
from divkit.catalog import DIVERGENCES, JSD, KL, PEARSON_CHI2, SQUARED_HELLINGER, TOTAL_VARIATION
from divkit.divergences import FDivergence
from divkit.measures import Samples
from divkit.methods.binned import Binned, fdivergence_from_counts
from divkit.methods.quadrature import Quadrature

DRAWS = 300
DIVERGENCES_OF_INTEREST = [d for d in DIVERGENCES.values() if isinstance(d, FDivergence) and d.name != "gan"]


def truth(div, shift):
    if shift == 0:
        return 0.0
    laws = as_measure(stats.norm(shift, 1.0)), as_measure(stats.norm(0.0, 1.0))
    return float(Quadrature().estimate(div, *laws, level=0.95, rng=np.random.default_rng(0)))


def draws(div, shift, n, m, bins="auto", count=DRAWS):
    found = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        x, y = Samples(rng.normal(shift, 1, n)), Samples(rng.normal(0, 1, m))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnreliableEstimateWarning)
            found.append(Binned(bins).estimate(div, x, y, level=0.95, rng=rng))
    return found


def holds(limits, value, level=0.95):
    """Whether so few limits above the value are not significant: a binomial test at one in a thousand."""
    failures = sum(limit > value for limit in limits)
    return bool(stats.binomtest(failures, len(limits), 1 - level, alternative="greater").pvalue > 1e-3)


@pytest.mark.parametrize("div", [KL, JSD, TOTAL_VARIATION], ids=lambda d: d.name)
@pytest.mark.parametrize("shift", [0.0, 0.3, 1.0])
def test_the_lower_limit_holds_in_a_hundred_draws(div, shift):
    limits = [d.interval[0] for d in draws(div, shift, 200, 300, count=100)]
    assert holds(limits, truth(div, shift))


@pytest.mark.slow
@pytest.mark.parametrize("div", DIVERGENCES_OF_INTEREST, ids=lambda d: d.name)
@pytest.mark.parametrize("shift", [0.0, 0.1, 0.5, 1.0, 2.0])
@pytest.mark.parametrize(("n", "m"), [(200, 200), (200, 2000), (10_000, 10_000)])
def test_the_lower_limit_holds_at_its_level(div, shift, n, m):
    assert holds([d.interval[0] for d in draws(div, shift, n, m)], truth(div, shift))


@pytest.mark.slow
@pytest.mark.parametrize("div", DIVERGENCES_OF_INTEREST, ids=lambda d: d.name)
@pytest.mark.parametrize("shift", [0.0, 0.1, 1.0])
def test_the_value_does_not_exceed_the_truth_in_the_mean(div, shift):
    values = np.array([float(d) for d in draws(div, shift, 1000, 1000)])
    # Four standard errors of the mean: one failure in 30,000 where the mean is the truth.
    assert values.mean() <= truth(div, shift) + 4 * values.std(ddof=1) / math.sqrt(DRAWS)


@pytest.mark.slow
@pytest.mark.parametrize("div", DIVERGENCES_OF_INTEREST, ids=lambda d: d.name)
@pytest.mark.parametrize("scale", [0.0, 0.05, 0.3])
def test_the_lower_limit_holds_for_a_hundred_categories(div, scale):
    rng = np.random.default_rng(5)
    q = np.full(100, 0.01)
    p = q * np.exp(scale * rng.normal(size=100))
    p /= p.sum()
    limits = [
        fdivergence_from_counts(div, rng.multinomial(2000, p), rng.multinomial(2000, q)).interval[0]
        for _ in range(DRAWS)
    ]
    assert holds(limits, exact.fdivergence(div, p, q))


@pytest.mark.slow
@pytest.mark.parametrize("div", [KL, JSD, SQUARED_HELLINGER], ids=lambda d: d.name)
def test_the_two_sided_interval_covers_the_divergence_of_the_binned_laws(div):
    edges = np.linspace(-2, 3, 15)
    p, q = (np.diff(np.concatenate([[0], stats.norm(mean).cdf(edges), [1]])) for mean in (1.0, 0.0))
    value = exact.fdivergence(div, p, q)
    found = [d.info["binned_interval"] for d in draws(div, 1.0, 2000, 2000, tuple(edges.tolist()))]
    inside = sum(low <= value <= high for low, high in found)
    # 95 percent of 300 draws, five standard deviations of 3.8 below.
    assert inside >= 0.95 * DRAWS - 19


@pytest.mark.slow
@pytest.mark.parametrize(
    ("div", "shift"),
    [(KL, 0.0), (JSD, 0.0), (PEARSON_CHI2, 0.0), (TOTAL_VARIATION, 0.0), (KL, 0.3), (JSD, 0.3), (PEARSON_CHI2, 0.3)],
)
def test_removing_the_bias_leaves_less_than_a_third_of_the_mean_error(div, shift):
    # Not so for total variation between laws that are close but not equal: what is removed keeps it a lower bound.
    edges = tuple(np.linspace(-2, 2, 19).tolist())
    p, q = (np.diff(np.concatenate([[0], stats.norm(mean).cdf(edges), [1]])) for mean in (shift, 0.0))
    value = exact.fdivergence(div, p, q)
    found = draws(div, shift, 1000, 1000, edges)
    raw = abs(np.mean([d.info["plug_in"] for d in found]) - value)
    corrected = abs(np.mean([float(d) for d in found]) - value)
    assert corrected < raw / 3
