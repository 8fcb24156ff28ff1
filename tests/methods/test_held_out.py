"""What is made of log ratios at held-out points: bounds, limits, windows and the plug-in value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from divkit import DIVERGENCES, FDivergence
from divkit.methods._critic_ratio import log_ratios_of
from divkit.methods._held_moments import HeldOut, Window
from divkit.methods._held_out import Bounded, bound_of, by_critic, lower_bound, plugged_in, pooled, unclipped

F_DIVERGENCES = {name: div for name, div in DIVERGENCES.items() if isinstance(div, FDivergence)}
SEEDS = st.integers(0, 2**32 - 1)


def held_out(seed, n=80, m=60, spread=1.5):
    rng = np.random.default_rng(seed)
    return HeldOut.of(*rng.normal(0, spread, (2, max(n, m)))[:, :n], rng.random(n), rng.random(n))


def exchanged(held):
    return HeldOut(-held.y, -held.x, held.y_shares, held.x_shares)


def known(seed, n, shift=1.0):
    """The true log ratios at draws of N(shift, 1) and N(0, 1)."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(shift, 1, n), rng.normal(0, 1, n)
    return HeldOut.of(*(shift * z - shift**2 / 2 for z in (x, y)), np.ones(n), np.ones(n))


@given(SEEDS, st.sampled_from(sorted(F_DIVERGENCES)))
def test_the_plug_in_value_is_in_the_range_of_the_divergence(seed, name):
    div = F_DIVERGENCES[name]
    value = plugged_in(div, held_out(seed))
    assert value >= div.f_one - 1e-15


@given(SEEDS, st.sampled_from(["kl", "reverse_kl", "pearson_chi2", "jsd", "jeffreys"]))
def test_exchanging_samples_and_sign_gives_the_reverse_divergence(seed, name):
    div = F_DIVERGENCES[name]
    assert div.reverse_name is not None
    reverse = F_DIVERGENCES[div.reverse_name]
    held = held_out(seed)
    for value in (plugged_in, lambda *args: unclipped(*args, 0.95).value):
        # sums of 160 terms up to e^(2 * 6)
        assert value(div, held) == pytest.approx(value(reverse, exchanged(held)), rel=1e-10, abs=1e-9)


@given(st.floats(8.0, 700.0), st.integers(5, 60))
def test_no_log_ratio_stands_for_less_than_a_third_of_a_point_of_the_other_sample(invented, n):
    l = np.concatenate([np.zeros(n - 1), [invented]])
    held = HeldOut.of(l, np.zeros(n), np.ones(n), np.ones(n))
    u = np.e * n
    assert plugged_in(F_DIVERGENCES["pearson_chi2"], held) == pytest.approx((u - 1) ** 2 / (1 + u) / n)
    assert plugged_in(F_DIVERGENCES["neyman_chi2"], exchanged(held)) == pytest.approx((u - 1) ** 2 / (1 + u) / n)


@given(SEEDS)
def test_log_ratios_of_zero_are_equal_laws(seed):
    held = held_out(seed, spread=0.0)
    for div in F_DIVERGENCES.values():
        assert plugged_in(div, held) == pytest.approx(div.f_one, abs=1e-15)
        assert unclipped(div, held, 0.95).value == pytest.approx(div.f_one, abs=1e-14)


@pytest.mark.parametrize("name", ["kl", "jsd", "squared_hellinger", "total_variation", "reverse_kl", "pearson_chi2"])
def test_with_the_true_log_ratio_both_values_are_the_divergence(name):
    import scipy.stats

    import divkit

    truth = float(divkit.estimate(scipy.stats.norm(1), scipy.stats.norm(0), name))
    held = known(0, 400_000)
    bound = unclipped(F_DIVERGENCES[name], held, 0.95)
    assert abs(bound.value - truth) <= 4 * bound.stderr
    # The plug-in value varies less than the bound does.
    assert abs(plugged_in(F_DIVERGENCES[name], held) - truth) <= 4 * bound.stderr


def test_the_plug_in_value_of_kl_varies_less_than_the_bound_where_laws_are_apart():
    values = [(plugged_in(F_DIVERGENCES["kl"], held), unclipped(F_DIVERGENCES["kl"], held, 0.95).value)
              for held in (known(seed, 300, 2.0) for seed in range(60))]  # fmt: skip
    spread = np.std(values, axis=0)
    assert spread[0] < spread[1] / 2


def test_bounds_worked_by_hand():
    # T = 1, 3 under P, f*(T) = 0, 1 under Q: means 2 and 1/2; variances of the means 2/2 and 1/2/2.
    found = bound_of(np.array([1.0, 3.0]), np.array([0.0, 1.0]), np.full(2, 0.5), np.full(2, 0.5), 0.95)
    assert (found.value, found.stderr) == pytest.approx((1.5, np.sqrt(1 + 0.25)), rel=1e-15)
    assert found.limit == pytest.approx(1.5 - 1.6448536269514722 * np.sqrt(1.25), rel=1e-12)  # no skewness


def test_skewness_of_the_ratios_lowers_the_limit():
    rng = np.random.default_rng(0)
    even, skewed = rng.normal(1, 1, 400), rng.lognormal(-0.5, 1, 400)
    skewed = (skewed - skewed.mean()) / skewed.std() * even.std() + even.mean()
    shares = np.full(400, 1 / 400)
    limits = [bound_of(np.zeros(400), part, shares, shares, 0.95).limit for part in (even, skewed)]
    assert limits[1] < limits[0] - 0.005


def test_a_window_keeps_one_huge_ratio_from_deciding():
    n = 500
    rng = np.random.default_rng(0)
    l_x, l_y = rng.normal(0.5, 1, n), rng.normal(-0.5, 1, n)
    wild = l_y.copy()
    wild[0] = 12.0
    seen = HeldOut.of(l_x, l_y, np.ones(n), np.ones(n))
    calm, hit = (
        lower_bound(F_DIVERGENCES["kl"], [(seen, HeldOut.of(l_x, part, np.ones(n), np.ones(n)))], 0.95)
        for part in (l_y, wild)
    )
    # Within the window, at most log n = 6.2, a single point adds at most e^6.2 / n = 1.
    assert calm.value - 1.0 <= hit.value < calm.value
    assert unclipped(F_DIVERGENCES["kl"], HeldOut.of(l_x, wild, np.ones(n), np.ones(n)), 0.95).value < -100


def test_weights_are_shares():
    held = held_out(1)
    assert held.x_shares.sum() == pytest.approx(1.0)
    assert Window(-1.0, 2.0) == (-1.0, 2.0)


@given(SEEDS, st.sampled_from(sorted(F_DIVERGENCES)))
def test_the_log_ratio_of_an_optimal_critic_is_found_again(seed, name):
    div = F_DIVERGENCES[name]
    l = np.random.default_rng(seed).uniform(-4, 4, 50)
    found = log_ratios_of(div, np.asarray(div.log_ratio.activation(l)), 5.0)
    if name == "total_variation":  # whose optimal critic has two levels
        np.testing.assert_array_equal(found, 5.0 * np.sign(l))
    else:
        np.testing.assert_allclose(found, l, atol=1e-9)


@given(st.integers(20, 400), st.floats(0, 700), st.sampled_from(["kl", "jsd", "total_variation", "squared_hellinger"]))
def test_samples_apart_prove_no_more_than_laws_that_meet_rarely_enough(n, invented, name):
    # With P(B) = Q(A) = 3/(2 n), n draws of each law are on A and on B alone with probability e^-3 = .05.
    div = F_DIVERGENCES[name]
    held = HeldOut.of(np.full(n, invented + 1), np.full(n, -invented - 1), np.ones(n), np.ones(n))
    rare = 1.5 / n
    common = 1 - rare
    least = rare * float(div.f(np.float64(common / rare))) + common * float(div.f(np.float64(rare / common)))
    assert lower_bound(div, [(held, held)], 0.95).limit <= least + 0.01
    l = np.concatenate([held.x, held.y])
    critic, conjugate = div.log_ratio.activation(l), div.log_ratio.conj_activation(l)
    assert by_critic(held, critic, conjugate, 0.95).limit <= least + 0.01


def test_pooled_folds_claim_nothing_where_the_value_is_within_its_doubled_variance():
    assert pooled(Bounded(2.3, 1.0, 2.3 - 1.645), 0.0).limit == 0.0
    assert pooled(Bounded(2.4, 1.0, 2.4 - 1.645), 0.0).limit == 2.4 - 1.645
    assert pooled(Bounded(-1.0, 1.0, -2.645), 0.0).limit == -2.645


@pytest.mark.parametrize("d", [1, 3, 30])
@pytest.mark.parametrize("distance", [0.0, 0.25, 0.5, 1.0, 3.0])
def test_limits_of_pooled_folds_hold_at_any_distance(d, distance):
    # Five folds, each judging the direction in which the means of the others differ: the critics of W_1 in small.
    rng = np.random.default_rng(0)
    gaps = np.sqrt(5) * rng.normal(size=(20_000, 5, d)) + distance * np.eye(d)[0]
    others = gaps.sum(axis=1, keepdims=True) - gaps
    values = (gaps * others / np.linalg.norm(others, axis=2, keepdims=True)).sum(axis=2).mean(axis=1)
    limits = np.array([pooled(Bounded(v, 1.0, v - 1.645), 0.0).limit for v in values])
    assert (limits <= distance).mean() > 0.945
