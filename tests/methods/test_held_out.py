"""What is made of log ratios at held-out points: bounds, limits, windows and the plug-in value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from divkit import DIVERGENCES, FDivergence
from divkit.methods._held_out import HeldOut, Window, bound_of, lower_bound, plugged_in, unclipped

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
        lower_bound(F_DIVERGENCES["kl"], [(seen, HeldOut.of(l_x, part, np.ones(n), np.ones(n)))], 0.95, 1.0)
        for part in (l_y, wild)
    )
    # Within the window, at most log n = 6.2, a single point adds at most e^6.2 / n = 1.
    assert calm.value - 1.0 <= hit.value < calm.value
    assert unclipped(F_DIVERGENCES["kl"], HeldOut.of(l_x, wild, np.ones(n), np.ones(n)), 0.95).value < -100


def test_weights_are_shares():
    held = held_out(1)
    assert held.x_shares.sum() == pytest.approx(1.0)
    assert Window(-1.0, 2.0) == (-1.0, 2.0)
