"""The verbs for samples: critics of one's own, and the Donsker-Varadhan form beside the f-GAN one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import divkit
from divkit import InvalidInput, UnreliableEstimateWarning, Unsupported, donsker_varadhan, fdiv_lower_bound

ANY = pytest.mark.filterwarnings("ignore::divkit.UnreliableEstimateWarning")
# To six digits: e^l is 1 in float64 for smaller ones, whose sign total variation goes by.
LOG_RATIOS = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).normal(size=60).round(6))
NAMES = ("kl", "reverse_kl", "jsd", "pearson_chi2", "neyman_chi2", "squared_hellinger", "total_variation", "jeffreys")


def same(z):
    return z[:, 0]


@ANY
def test_a_known_critic_gives_the_means_worked_by_hand():
    # KL: E_P[1 + l] - E_Q[e^l] with l = 0, log 2 on x and 0, -log 2 on y: 1 + log(2)/2 - (1 + 1/2)/2.
    d = fdiv_lower_bound([0.0, math.log(2)], [0.0, -math.log(2)], "kl", critic=same)
    assert d == pytest.approx(1 + math.log(2) / 2 - 0.75, rel=1e-14)


@ANY
@given(LOG_RATIOS, LOG_RATIOS, st.sampled_from(NAMES))
def test_the_critic_may_be_given_as_log_ratio_or_as_t(x, y, name):
    div = divkit.DIVERGENCES[name]
    by_ratio = fdiv_lower_bound(x, y, name, critic=same)
    by_critic = fdiv_lower_bound(x, y, name, critic=lambda z: div.df(np.exp(z[:, 0])), critic_output="T")
    assert by_critic.info["raw"] == pytest.approx(by_ratio.info["raw"], rel=1e-9, abs=1e-9)


@ANY
@given(LOG_RATIOS, LOG_RATIOS)
def test_reversing_is_exchanging_the_samples_and_the_sign(x, y):
    forward = fdiv_lower_bound(x, y, "reverse_kl", critic=same)
    backward = fdiv_lower_bound(y, x, "kl", critic=lambda z: -z[:, 0])
    assert forward.info["raw"] == pytest.approx(backward.info["raw"], rel=1e-12, abs=1e-12)


@ANY
@given(LOG_RATIOS, LOG_RATIOS)
def test_donsker_varadhan_is_never_below_the_f_gan_form(x, y):
    # log s <= s - 1
    assert donsker_varadhan(x, y, critic=same).info["raw"] >= fdiv_lower_bound(x, y, critic=same).info["raw"] - 1e-12


@ANY
@given(LOG_RATIOS, LOG_RATIOS, st.floats(-5, 5))
def test_a_constant_does_not_matter_to_donsker_varadhan(x, y, c):
    shifted = donsker_varadhan(x, y, critic=lambda z: z[:, 0] + c)
    assert shifted.info["raw"] == pytest.approx(donsker_varadhan(x, y, critic=same).info["raw"], abs=1e-12)


@ANY
def test_any_critic_stays_below_the_truth_in_the_mean():
    rng = np.random.default_rng(0)
    values = [
        fdiv_lower_bound(rng.normal(1, 1, 200), rng.normal(0, 1, 200), "kl", critic=lambda z: 0.7 * z[:, 0]).info["raw"]
        for _ in range(100)
    ]
    assert np.mean(values) <= 0.5 + 3 * np.std(values) / 10


def test_donsker_varadhan_is_labelled_as_no_bound():
    rng = np.random.default_rng(0)
    d = donsker_varadhan(rng.normal(1, 1, 1000), rng.normal(0, 1, 1000), critic="linear", rng=0)
    assert (d.bound, d.method, d.estimand) == ("consistent", "donsker_varadhan", "population")
    low, high = d.info["critic_interval"]
    assert low < 0.5 < high
    assert d.interval == (low, math.inf)


def test_the_true_log_ratio_gives_unbiased_values_and_their_standard_error():
    rng = np.random.default_rng(0)
    found = [
        fdiv_lower_bound(rng.normal(1, 1, 400), rng.normal(0, 1, 300), "jsd", critic=lambda z: z[:, 0] - 0.5)
        for _ in range(200)
    ]
    truth = float(divkit.estimate(*map(_normal, (1, 0)), "jsd"))
    spread = float(np.std(found))
    assert abs(np.mean(found) - truth) <= 4 * spread / math.sqrt(200)
    # The spread of 200 values is known to 5 %; four of these.
    assert np.mean([d.stderr for d in found]) == pytest.approx(spread, rel=0.2)


def _normal(mean):
    import scipy.stats

    return scipy.stats.norm(mean, 1)


@pytest.mark.parametrize(
    ("critic", "output", "message"),
    [
        (lambda z: z, "log_ratio", r"critic\(x\) must have shape \(3,\)"),
        (lambda z: np.full(len(z), np.nan), "log_ratio", r"critic\(x\) must be finite"),
        (lambda z: z[:, 0] * -1e4, "log_ratio", "clip its output"),
        (lambda z: z[:, 0], "T", r"critic\(x\) must be in \[-inf, 0\]"),
        (lambda z: z[:, 0], "logit", "critic_output must be"),
    ],
)
def test_a_useless_critic_is_named(critic, output, message):
    points = np.array([[1.0, 2.0], [2.0, 0.0], [3.0, 1.0]])
    with pytest.raises(InvalidInput, match=message):
        fdiv_lower_bound(points, points, "reverse_kl", critic=critic, critic_output=output)


def test_a_divergence_without_conjugate_needs_a_log_ratio():
    div = divkit.FDivergence.from_generator(
        "own", f=lambda u: (u - 1) ** 2, df=lambda u: 2 * (u - 1), f_zero=1.0, slope_inf=math.inf
    )
    with pytest.raises(Unsupported, match="give the critic as a log ratio"):
        fdiv_lower_bound(np.zeros(3), np.zeros(3), div, critic=same, critic_output="T")


def test_one_huge_ratio_is_named():
    y = np.zeros(500)
    y[0] = 9.0
    with pytest.warns(UnreliableEstimateWarning, match=r"one point of y carries \d+% of all density ratios"):
        fdiv_lower_bound(np.zeros(500), y, "kl", critic=same)
