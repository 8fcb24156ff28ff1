"""A trained discriminator as a test: its level, its accuracy, and what it sees that distances do not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom

from divkit import InvalidInput
from divkit.examples import two_sample_discriminator as study

REPEATS, NULLS = 12, 50


@pytest.fixture(scope="module")
def found() -> study.Power:
    return study.run((5,), repeats=REPEATS, nulls=NULLS)


def rejected(found: study.Power, change: str) -> dict[str, float]:
    return {row["test"]: row["rejected"] for row in found.rows if row["change"] == change}


@pytest.mark.parametrize("test", study.TESTS)
def test_no_test_exceeds_its_level(found: study.Power, test: str) -> None:
    share, low, high = found.level(test)
    assert share * NULLS <= binom.ppf(1 - 1e-4, NULLS, 0.05)
    assert low <= share <= high


def test_a_discriminator_of_equal_laws_tells_half_of_them(found: study.Power) -> None:
    (row,) = (row for row in found.rows if (row["change"], row["test"]) == ("none", "accuracy"))
    assert abs(row["accuracy"] - 0.5) <= 4 * row["stderr"]
    # Shares of 200 held-out points have a standard deviation of 0.035 or, where nothing is learnt, 0.
    assert row["stderr"] <= 0.05 / math.sqrt(NULLS)


def test_where_nothing_is_worth_learning_nothing_is_rejected(found: study.Power) -> None:
    shares = {row["test"]: row["silent"] for row in found.rows if row["change"] == "none"}
    assert shares["accuracy"] > 0.3
    assert shares["energy"] < 0.2


def test_all_tests_see_a_shift_in_five_dimensions(found: study.Power) -> None:
    shares = rejected(found, "shift")
    assert shares["energy"] >= 0.75  # 0.97 in the long run
    assert min(shares.values()) >= 0.25  # that of accuracy: 0.6


def test_the_discriminator_sees_a_correlation_that_distances_miss(found: study.Power) -> None:
    shares = rejected(found, "correlation")
    assert min(shares["accuracy"], shares["log loss"]) >= 0.8
    assert shares["energy"] < shares["log loss"]


def test_the_changes_are_what_they_say() -> None:
    y = np.random.default_rng(0).standard_normal((200_000, 3))
    moved, correlated = study.CHANGES["shift"](y), study.CHANGES["correlation"](y)
    assert (moved - y).tolist()[0] == pytest.approx([0.5, 0.0, 0.0])
    # Standard errors of covariances of so many points are below 0.004.
    assert np.cov(correlated.T) == pytest.approx(np.array([[1, 0.9, 0], [0.9, 1, 0], [0, 0, 1]]), abs=0.02)
    assert study.CHANGES["none"](y) is y


def test_equal_seeds_give_equal_tables() -> None:
    first, second = (study.run((2,), n=40, repeats=2, nulls=2, seed=3).rows for _ in range(2))
    assert first == second


def test_what_cannot_be_tested_is_refused() -> None:
    with pytest.raises(InvalidInput, match="n must be"):
        study.run(n=10)
    with pytest.raises(InvalidInput, match="dimensions must be"):
        study.run((1,), repeats=2, nulls=2)


def test_the_picture_has_a_panel_for_every_change(found: study.Power) -> None:
    pytest.importorskip("matplotlib")
    assert len(study.figure(found).axes) == len(study.CHANGES)


@pytest.mark.slow
@pytest.mark.parametrize("test", study.TESTS)
def test_the_level_is_kept_over_many_draws_in_many_dimensions(test: str, many: study.Power) -> None:
    share, _, _ = many.level(test)
    assert share * 600 <= binom.ppf(1 - 1e-4, 600, 0.05)


@pytest.fixture(scope="module")
def many() -> study.Power:
    return study.run((2, 5, 20), repeats=2, nulls=200, seed=1)
