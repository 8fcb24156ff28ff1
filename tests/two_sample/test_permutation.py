"""The engine: arrangements, p-values, pairs, strata, early stops, and what it refuses."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, chisquare, nbinom
from two_sample_oracles import ON_THE_LINE, energy, exact_p_value, some

import divkit
from divkit.two_sample import STATISTICS, Pooled
from divkit.two_sample._arrangements import Arrangements
from divkit.two_sample.result import TestResult

ANY_DIMENSION = [name for name in STATISTICS if name not in ("ks", "cramer")]


@pytest.mark.parametrize("name", ON_THE_LINE)
@given(
    x=st.lists(st.integers(-3, 3), min_size=2, max_size=4),
    y=st.lists(st.integers(-3, 3), min_size=2, max_size=4),
)
def test_where_all_arrangements_are_visited_p_is_their_share_even_with_ties(
    name: str, x: list[int], y: list[int]
) -> None:
    a, b = (np.array(side, dtype=float)[:, None] for side in (x, y))
    found = divkit.two_sample_test(a, b, name, permutations=999)
    assert found.info["arrangements"] == "all"
    assert len(found.null) == math.comb(len(x) + len(y), len(x)) - 1
    assert found.p_value == pytest.approx(exact_p_value(a, b, ON_THE_LINE[name]), abs=1e-12)
    assert found.p_interval() == (found.p_value, found.p_value)


def test_drawn_permutations_come_near_the_share_of_all_arrangements(rng: np.random.Generator) -> None:
    x, y = some(rng, 5, 2), some(rng, 5, 2) + 0.7
    truth = exact_p_value(x, y, energy)
    found = divkit.two_sample_test(x, y, permutations=200, rng=0)  # of 252
    assert found.info["arrangements"] == "drawn"
    low, high = found.p_interval(0.999)
    assert low <= truth <= high


def test_every_arrangement_is_drawn_equally_often() -> None:
    pooled = Pooled(np.zeros((5, 1)), np.array([True, True, False, False, False]))
    rows = Arrangements(pooled).draw(6000, np.random.default_rng(1))
    counts = Counter(map(bytes, rows))
    assert len(counts) == math.comb(5, 2) == Arrangements(pooled).count
    assert chisquare(list(counts.values())).pvalue > 1e-3


def test_labels_stay_within_their_groups() -> None:
    groups = np.array([0, 0, 0, 1, 1, 1, 1])
    labels = np.array([True, False, False, True, True, True, False])
    arrangements = Arrangements(Pooled(np.zeros((7, 1)), labels, groups))
    assert arrangements.count == math.comb(3, 1) * math.comb(4, 3)
    for rows in (arrangements.draw(500, np.random.default_rng(0)), arrangements.others()):
        assert (rows[:, groups == 0].sum(axis=1) == 1).all()
        assert (rows[:, groups == 1].sum(axis=1) == 3).all()
    assert len({bytes(row) for row in arrangements.others()}) == arrangements.count - 1


def test_pairs_change_places_and_nothing_else(rng: np.random.Generator) -> None:
    x = some(rng, 6, 1)
    y = x + 0.1 + 0.01 * some(rng, 6, 1)  # a small shift of every pair: hopeless for the unpaired test

    def gap(a: Any, b: Any) -> float:
        return float(abs(a.mean() - b.mean()))

    found = divkit.two_sample_test(x, y, gap, paired=True)
    swaps = [np.array(signs) for signs in itertools.product([1, -1], repeat=6)]
    differences = (x - y)[:, 0]
    values = [abs((signs * differences).mean()) for signs in swaps]
    assert found.p_value == np.mean(np.array(values) >= values[0] - 1e-12) == 2 / 64
    assert divkit.two_sample_test(x, y, gap, rng=0).p_value > 0.5


def test_strata_take_out_what_differs_between_them(rng: np.random.Generator) -> None:
    # Sites have other means, and x comes from them in other shares: within each site the laws are equal.
    at_x, at_y = np.repeat(["a", "b"], [80, 20]), np.repeat(["a", "b"], [20, 80])
    x, y = (some(rng, 100) + 5.0 * (at == "b") for at in (at_x, at_y))
    assert divkit.two_sample_test(x, y, rng=0).p_value == 0.001
    assert divkit.two_sample_test(x, y, strata=(at_x, at_y), rng=0).p_value > 0.05


@pytest.mark.parametrize("name", ANY_DIMENSION)
def test_equal_points_have_p_one(name: str) -> None:
    x = np.ones((15, 2))
    p_value = divkit.two_sample_test(x, x, name, permutations=50, rng=0).p_value
    assert p_value > 0.05 if name == "knn" else p_value == 1.0  # its ties are broken at random


@pytest.mark.parametrize("name", ANY_DIMENSION)
def test_disjoint_laws_are_told_apart(name: str, rng: np.random.Generator) -> None:
    x, y = some(rng, 40, 2), some(rng, 50, 2) + 10.0
    found = divkit.two_sample_test(x, y, name, permutations=99, rng=0)
    assert found.p_value == 0.01
    assert (found.null < found.statistic).all()


@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_units_do_not_change_the_outcome(name: str, scale: float, rng: np.random.Generator) -> None:
    x, y = some(rng, 30, 1), some(rng, 25, 1) + 0.5
    plain, scaled = (divkit.two_sample_test(s * x, s * y, name, permutations=99, rng=3) for s in (1.0, scale))
    assert abs(plain.p_value - scaled.p_value) <= 0.02  # ties may be rounded another way
    assert math.isfinite(scaled.statistic)


@pytest.mark.parametrize("name", STATISTICS)
def test_a_far_offset_and_a_constant_column_change_nothing(name: str, rng: np.random.Generator) -> None:
    x, y = np.round(some(rng, 30, 1), 3), np.round(some(rng, 25, 1) + 0.5, 3)
    plain, moved = (divkit.two_sample_test(x + by, y + by, name, permutations=99, rng=3) for by in (0.0, 2.0**27))
    assert abs(plain.p_value - moved.p_value) <= 0.02
    if name not in ("ks", "cramer"):
        wide = [np.hstack([side, np.full_like(side, 7.0)]) for side in (x, y)]
        assert 0 < divkit.two_sample_test(*wide, name, permutations=19, rng=3).p_value <= 1


def test_kinds_of_numbers_and_shapes_are_alike(rng: np.random.Generator) -> None:
    x, y = rng.integers(0, 5, 20), rng.integers(0, 6, 25)
    first = divkit.two_sample_test(x, y, rng=1)
    for a, b in ((x[:, None], y[:, None]), (x.astype(np.float32), y.tolist()), (divkit.Samples(x), divkit.Samples(y))):
        again = divkit.two_sample_test(a, b, rng=1)
        assert (again.p_value, again.statistic) == (first.p_value, first.statistic)


def test_one_generator_gives_one_result(rng: np.random.Generator) -> None:
    x, y = some(rng, 30, 2), some(rng, 30, 2)
    for name in ANY_DIMENSION:
        first, second = (divkit.two_sample_test(x, y, name, permutations=99, rng=5) for _ in range(2))
        assert (first.null == second.null).all()


def test_an_early_end_keeps_the_rule_of_besag_and_clifford(rng: np.random.Generator) -> None:
    x, y = some(rng, 50, 1), some(rng, 50, 1)
    whole = divkit.two_sample_test(x, y, rng=7)
    short = divkit.two_sample_test(x, y, stop_after=10, rng=7)
    assert short.info["stopped"]
    assert len(short.null) < len(whole.null)
    above = (short.null >= short.statistic * (1 - 1e-9)).sum()
    assert above == short.exceedances == 10
    assert short.null[-1] >= short.statistic * (1 - 1e-9)
    assert short.p_value == 10 / len(short.null)
    low, high = short.p_interval(0.99)
    assert low < whole.p_value < high
    clear = divkit.two_sample_test(x, y + 5, stop_after=10, rng=7)
    assert not clear.info["stopped"]
    assert clear.p_value == 0.001


@pytest.mark.parametrize("p", [0.02, 0.3, 0.9])
def test_the_interval_of_p_holds_the_share_of_all_arrangements_as_often_as_it_says(p: float) -> None:
    # Summed over all outcomes: b of 99 permutations, and the number of them at which the fifth was reached.
    def found(b: int, count: int, stopped: bool) -> TestResult:
        info = {"arrangements": "drawn", "stopped": stopped}
        return TestResult("s", 0.0, 1.0, np.zeros(count), 5, 5, None, b, info)

    def holds(result: TestResult) -> bool:
        low, high = result.p_interval(0.9)
        return low <= p <= high

    fixed = sum(binom.pmf(b, 99, p) for b in range(100) if holds(found(b, 99, False)))
    ended = sum(nbinom.pmf(k - 5, 5, p) for k in range(5, 3000) if holds(found(5, k, True)))
    assert fixed >= 0.9
    assert ended >= 0.9


def test_early_ends_keep_the_level() -> None:
    # A statistic of one draw: p is then a function of ranks alone, and 400 repetitions are cheap.
    rejected = 0
    for seed in range(400):
        draws = np.random.default_rng(seed).normal(size=(2, 12))
        found = divkit.two_sample_test(
            draws[0], draws[1], lambda a, b: float(a.mean() - b.mean()), permutations=99, stop_after=10, rng=seed
        )
        rejected += found.p_value <= 0.1
    assert rejected <= binom.ppf(0.999, 400, 0.1)


def test_a_divergence_can_be_the_statistic(rng: np.random.Generator) -> None:
    x, y = some(rng, 60, 1), some(rng, 60, 1) + 1.5
    found = divkit.two_sample_test(x, y, divkit.DIVERGENCES["jsd"], permutations=19, rng=0)
    assert found.p_value == 0.05
    assert found.effect is not None
    assert found.effect.divergence == "jsd"
    far = divkit.two_sample_test(x, y, divkit.Wasserstein(2), permutations=19, rng=0)
    assert far.effect == pytest.approx(float(divkit.wasserstein(x, y, p=2)))


def test_results_explain_themselves(rng: np.random.Generator) -> None:
    found = divkit.two_sample_test(some(rng, 10, 1), some(rng, 12, 1), permutations=99, rng=0)
    assert "energy" in repr(found)
    record = found.to_dict()
    assert record["n"] == 10
    assert record["m"] == 12
    assert record["permutations"] == 99
    with pytest.raises(ValueError, match="read-only"):
        found.null[0] = 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], [1.0]), "x is empty"),
        (([1.0, np.nan], [1.0]), r"x must be finite, but x\[1\] is nan"),
        (([1.0], [np.inf]), r"y must be finite"),
        (([[1.0, 2.0]], [1.0]), "same number of columns, got 2 and 1"),
        ((divkit.Samples([1.0, 2.0], [1, 2]), [1.0]), "x has weights, and a permutation test holds all points equally"),
    ],
)
def test_samples_that_are_none_are_refused(arguments: tuple[Any, Any], message: str) -> None:
    with pytest.raises(divkit.InvalidInput, match=message):
        divkit.two_sample_test(*arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"statistic": "t"}, "statistic must be one of energy, mmd,"),
        ({"statistic": 3}, "statistic must be one of"),
        ({"permutations": 0}, "permutations must be an integer >= 1"),
        ({"stop_after": 0}, "stop_after must be an integer >= 1"),
        ({"paired": True}, "paired takes as many points in y as in x, got 3 and 2"),
        ({"paired": True, "strata": ([1], [2])}, "paired and strata exclude each other"),
        ({"strata": [1, 2, 3]}, "strata must be a pair of arrays"),
        ({"strata": ([1, 1], [1, 1])}, r"strata of x must have shape \(3,\)"),
        ({"strata": ([1, 1, np.nan], [1, 1])}, "strata must not be NaN"),
        ({"strata": (["a", "a", "b"], [1, 2])}, "strata of x and y must be of one kind"),
        ({"level": 2}, "level must be a number between 0 and 1"),
        ({"rng": -1}, "rng must be None, a non-negative integer"),
        ({"statistic": lambda x, y: math.nan}, "statistic must return finite numbers"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(divkit.InvalidInput, match=message):
        divkit.two_sample_test([1.0, 2.0, 3.0], [1.0, 4.0], **options)


@pytest.mark.parametrize(
    ("name", "x", "y", "reason"),
    [
        ("ks", np.zeros((5, 2)), np.zeros((5, 2)), "it is for points on the line, these have 2 coordinates"),
        ("mmd", [1.0], [1.0, 2.0], "it takes pairs within each sample"),
        ("mmd_aggregated", [1.0], [1.0, 2.0], "it takes pairs within each sample"),
        ("knn", [1.0, 2.0], [1.0, 2.0], "4 points have no 5 neighbours each"),
        ("classifier", [1.0, 2.0], [1.0, 2.0], "it trains on half of the points"),
        ("energy", np.zeros((60_000, 2)), np.zeros((60_000, 2)), "120000 points are too many pairs; take wasserstein1"),
    ],
)
def test_what_a_statistic_cannot_compare_is_said(name: str, x: Any, y: Any, reason: str) -> None:
    with pytest.raises(divkit.Unsupported, match=reason):
        divkit.two_sample_test(x, y, name)


def test_one_point_each_is_never_a_reason_to_reject() -> None:
    found = divkit.two_sample_test([1.0], [5.0])
    assert found.p_value == 1.0
    assert len(found.null) == 1


def test_a_million_points_on_the_line(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=500_000), rng.normal(size=500_000) + 0.01
    found = divkit.two_sample_test(x, y, permutations=99, rng=0)
    assert found.p_value == 0.01
