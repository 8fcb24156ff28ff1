"""The methods that train networks: splits that keep judges unseen, units, labels, refusals; limits in the slow part."""

from __future__ import annotations

import math

import numpy as np
import pytest

import divkit
from divkit import InvalidInput, KRCritic, NeuralBound, Samples, Unsupported, wasserstein1
from divkit.methods._critics import splits_of
from divkit.methods._kr_critics import fitted_critics

pytest.importorskip("torch")

SMALL = {"width": 8, "depth": 2, "steps": 60, "batch": 64}


def shifted(d, shift, n=120, m=100, seed=0):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, d)), rng.normal(size=(m, d))
    x[:, 0] += shift
    return x, y


@pytest.mark.parametrize(("n", "m"), [(100, 100), (103, 61), (20, 500)])
@pytest.mark.parametrize("folds", [None, 1, 3, 7])
def test_no_critic_has_seen_the_points_that_judge_it(n, m, folds):
    splits = splits_of(n, m, folds, np.random.default_rng(0))
    copies = len(splits.held)
    assert copies == (folds or 5)
    for side, size in enumerate((n, m)):
        judges = [held[side] for held in splits.held]
        for k in range(copies):
            parts = splits.train[side][k], splits.validation[side][k], judges[k]
            together = np.concatenate(parts)
            assert len(np.unique(together)) == len(together)
            assert min(map(len, parts)) > 0
            # At most one point is left out for equal sizes.
            assert size - len(together) <= 1
        if copies > 1:
            assert np.array_equal(np.sort(np.concatenate(judges)), np.arange(size))


def test_very_many_points_are_held_out_once():
    splits = splits_of(20_000, 30_000, None, np.random.default_rng(0))
    assert [len(held) for held in splits.held[0]] == [4000, 6000]
    assert len(splits.held) == 1


@pytest.mark.parametrize("constraint", ["auto", "groupsort", "cones", "aol", "sll", "spectral", "clip"])
def test_proven_critics_give_lower_bounds(constraint):
    x, y = shifted(2, 1.0)
    d = wasserstein1(x, y, method=KRCritic(constraint, **SMALL), rng=0)
    assert (d.bound, d.method, d.estimand, d.divergence) == ("lower", "kr", "population", "wasserstein1")
    assert 0 <= d.interval[0] <= d <= 1.6
    assert d.interval[1] == math.inf
    assert len(d.info["lipschitz"]) == d.info["folds"] == 5


@pytest.mark.parametrize("constraint", ["gp", "lp"])
def test_penalised_critics_prove_nothing_and_say_so(constraint):
    x, y = shifted(2, 1.0)
    d = wasserstein1(x, y, method=KRCritic(constraint, **SMALL), rng=0)
    assert (d.bound, d.interval, d.level) == ("heuristic", None, None)
    assert 0 <= d.info["certified"] < 1.0
    assert min(d.info["lipschitz"]) > 1.0


@pytest.mark.parametrize("factor", [2.0**60, 2.0**-900])
def test_a_critic_has_the_units_of_the_data(factor):
    x, y = shifted(2, 1.0)
    method = KRCritic(**SMALL)
    plain, scaled = wasserstein1(x, y, method=method, rng=0), wasserstein1(factor * x, factor * y, method=method, rng=0)
    assert scaled == factor * plain
    assert scaled.interval[0] == factor * plain.interval[0]
    assert scaled.info["lipschitz"] == plain.info["lipschitz"]


def test_distances_beyond_float64_are_refused():
    x, y = np.full(40, -1.7e308), np.full(40, 1.7e308)
    with pytest.raises(InvalidInput, match="range of float64"):
        wasserstein1(x, y, method=KRCritic("aol", **{**SMALL, "steps": 200, "learning_rate": 0.05}), rng=0)


def test_equal_seeds_give_equal_critics():
    x, y = shifted(2, 1.0)
    first, second = (wasserstein1(x, y, method=KRCritic(**SMALL), rng=7) for _ in range(2))
    assert (first, first.interval) == (second, second.interval)


def test_points_at_one_place_are_no_distance_apart():
    d = wasserstein1(np.ones((60, 2)), np.ones((50, 2)), method=KRCritic(**SMALL), rng=0)
    assert d == 0
    assert d.interval[0] == 0


@pytest.mark.parametrize("name", ["kl", "jsd", "squared_hellinger", "hellinger", "total_variation", "pearson_chi2"])
def test_a_network_gives_a_lower_bound_of_every_f_divergence(name):
    x, y = shifted(2, 0.5, 300, 250)
    d = divkit.estimate(Samples(x), Samples(y), name, NeuralBound(**SMALL), rng=0)
    truth = float(divkit.estimate(*(divkit_law(shift) for shift in (0.5, 0.0)), name))
    assert (d.bound, d.method, d.estimand) == ("lower", "neural", "population")
    assert 0 <= d.interval[0] <= truth
    assert d.interval[0] <= d
    if name != "hellinger":  # whose raw value is that of its base
        low, high = d.info["critic_interval"]
        assert low < d.info["raw"] < high


@pytest.mark.parametrize(("name", "most"), [("kl", 5.3), ("total_variation", 0.99), ("jsd", 0.66)])
def test_a_network_proves_of_separate_samples_what_their_sizes_allow(name, most):
    # Laws that put 3/400 of their mass on the other's side are separate in 200 draws of each once in twenty times.
    rng = np.random.default_rng(0)
    x, y = 5 + 0.3 * rng.normal(size=200), -5 + 0.3 * rng.normal(size=200)
    d = divkit.estimate(Samples(x), Samples(y), name, NeuralBound(16, 2, steps=400, learning_rate=0.02), rng=0)
    assert 0.6 * most < d.interval[0] < most


def divkit_law(shift):
    from scipy import stats

    return stats.norm(shift, 1)


@pytest.mark.parametrize(
    ("method", "divergence", "message"),
    [
        (KRCritic(), "kl", "it estimates W_1 only"),
        (NeuralBound(), "wasserstein1", "it estimates f-divergences only"),
    ],
)
def test_divergences_of_the_other_kind_are_refused(method, divergence, message):
    x, y = shifted(2, 1.0)
    with pytest.raises(Unsupported, match=message):
        divkit.estimate(Samples(x), Samples(y), divergence, method)


@pytest.mark.parametrize("method", [KRCritic(**SMALL), NeuralBound(**SMALL)])
def test_weights_and_few_points_are_refused(method):
    x, y = shifted(2, 1.0)
    divergence = "wasserstein1" if method.name == "kr" else "kl"
    with pytest.raises(Unsupported, match="P has weights"):
        divkit.estimate(Samples(x, np.arange(1.0, 121)), Samples(y), divergence, method)
    with pytest.raises(InvalidInput, match="x must have at least 16 points"):
        divkit.estimate(Samples(x[:15]), Samples(y), divergence, method)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"constraint": "hope"}, "constraint must be one of auto, groupsort, cones, aol, sll, spectral, clip, gp, lp"),
        ({"steps": 0}, "steps"),
        ({"steps": None}, "steps"),
        ({"width": 2.5}, "width"),
        ({"depth": 0}, "depth"),
        ({"activation": "hope"}, "activation must be one of auto, abs"),
        ({"width": 7}, "width must be divisible by 2 for activation 'abs'"),
        ({"width": 10, "activation": "half"}, "width must be divisible by 4"),
        ({"folds": 0}, "folds"),
        ({"penalty": -1.0}, "penalty"),
    ],
)
def test_settings_of_a_critic_are_checked(settings, message):
    with pytest.raises(InvalidInput, match=message):
        KRCritic(**settings)


@pytest.mark.slow
@pytest.mark.parametrize(("d", "shift"), [(1, 0.0), (2, 1.0), (8, 0.5)])
def test_limits_of_critics_hold_in_a_hundred_draws(d, shift):
    held = 0
    for seed in range(100):
        x, y = shifted(d, shift, 200, 200, seed)
        held += wasserstein1(x, y, method=KRCritic(**SMALL), rng=seed).interval[0] <= shift
    assert held >= 95  # of 100, as the limit is one for what small networks see


@pytest.mark.parametrize("d", [2, 16])
def test_layers_win_the_race_where_the_best_critic_is_flat(d):
    x, y = shifted(d, 1.0, n=4000, m=4000)
    info = wasserstein1(x, y, method=KRCritic(width=32, steps=300, folds=1), rng=0).info
    (race,) = info["race"]
    assert max(race["abs"], race["half"]) > race["cones"] + 0.05
    assert info["constraint"] == ("groupsort",)


def test_kinds_of_critics_race_on_validation_points_and_the_winner_is_named():
    x, y = shifted(3, 1.0, 300, 300, 0)
    method = KRCritic(width=8, steps=60, batch=64)
    raced, scaled = (wasserstein1(factor * x, factor * y, method=method, rng=0).info for factor in (1.0, 1024.0))
    made_of = {"abs": ("groupsort", "abs", 7), "half": ("groupsort", "half", 4), "cones": ("cones", "none", 1)}
    for k in range(5):
        own = raced["race"][k]
        assert set(own) == set(made_of)
        kind = made_of[max(own, key=own.get)]
        assert (raced["constraint"][k], raced["activation"][k], raced["depth"][k]) == kind
        assert scaled["race"][k] == {name: 1024 * value for name, value in own.items()}


def test_what_is_named_does_not_race():
    x, y = shifted(3, 1.0, 300, 300, 0)
    told = wasserstein1(x, y, method=KRCritic("groupsort", activation="maxmin", **SMALL), rng=0).info
    assert (set(told["activation"]), set(told["depth"]), told["race"]) == ({"maxmin"}, {2}, ({},) * 5)
    pairs = wasserstein1(x, y, method=KRCritic("groupsort", width=10, depth=2, steps=20), rng=0).info
    assert set(pairs["activation"]) == {"abs"}  # half of the channels sorted would need fours
    cones = wasserstein1(x, y, method=KRCritic("cones", width=9, steps=20), rng=0).info
    assert (set(cones["constraint"]), cones["race"]) == ({"cones"}, ({},) * 5)


@pytest.mark.parametrize("d", [1, 2, 32])
def test_a_point_and_the_sphere_round_it_are_told_apart_by_a_cone(d):
    y = np.random.default_rng(0).standard_normal((2000, d))
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    found = wasserstein1(np.zeros_like(y), y, method=KRCritic("cones", width=16, steps=300), rng=0)
    assert 0.999 < found <= 1.0


def test_points_that_are_held_out_do_not_choose_what_judges_them():
    method = KRCritic(width=8, steps=60, batch=64)
    rng = np.random.default_rng(0)
    samples = tuple(np.ascontiguousarray(sample) for sample in shifted(3, 1.0, 300, 300, 0))
    splits = splits_of(300, 300, 5, rng)
    before = fitted_critics(method, samples, splits, np.random.default_rng(1))
    for k in (0, 4):
        moved = tuple(sample.copy() for sample in samples)
        for sample, rows in zip(moved, splits.held[k], strict=True):
            sample[rows] += 5.0
        after = fitted_critics(method, moved, splits, np.random.default_rng(1))
        assert (after[k].kind, after[k].race) == (before[k].kind, before[k].race)
        assert any(after[j].race != before[j].race for j in range(5) if j != k)
