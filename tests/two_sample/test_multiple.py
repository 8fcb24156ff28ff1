"""Corrections for many tests, and tests for many features."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from two_sample_oracles import ON_THE_LINE, some

import divkit
from divkit.two_sample.multiple import CORRECTIONS, benjamini_hochberg, feature_tests, holm

P_VALUES = st.lists(st.floats(0, 1) | st.sampled_from([0.01, 0.05, 1.0]), min_size=1, max_size=12)


@given(P_VALUES, st.sampled_from([0.01, 0.05, 0.1]))
def test_holm_rejects_what_its_steps_do(p: list[float], alpha: float) -> None:
    adjusted = holm(p)
    order = np.argsort(p, kind="stable")
    rejected = set()
    for i, index in enumerate(order):
        if p[index] * (len(p) - i) > alpha:
            break
        rejected.add(int(index))
    assert {i for i, own in enumerate(adjusted) if own <= alpha} == rejected


@given(P_VALUES)
def test_corrections_never_lower_a_p_value_and_keep_the_order(p: list[float]) -> None:
    for correction in CORRECTIONS.values():
        adjusted = correction(p)
        assert (adjusted >= np.array(p) - 1e-15).all()
        assert (adjusted <= 1).all()
        order = np.argsort(p, kind="stable")
        assert (np.diff(adjusted[order]) >= 0).all()
    assert (benjamini_hochberg(p) <= holm(p) + 1e-15).all()


@pytest.mark.parametrize("p", [[1.5], [-0.1], [[0.1]], [np.nan]])
def test_what_is_no_p_value_is_refused(p: Any) -> None:
    with pytest.raises(divkit.InvalidInput, match="p_values must be a vector of numbers in"):
        holm(p)


@pytest.mark.parametrize("name", ["wasserstein1", "ks", "cramer"])
def test_each_feature_has_the_test_that_it_would_have_alone(name: str, rng: np.random.Generator) -> None:
    x, y = some(rng, 4, 3) * [1.0, 1e8, 1e-8], some(rng, 4, 3) * [1.0, 1e8, 1e-8]
    found = feature_tests(x, y, name)  # all 70 arrangements
    for k in range(3):
        alone = divkit.two_sample_test(x[:, k], y[:, k], name)
        assert found.p_values[k] == pytest.approx(alone.p_value)
        assert found.statistics[k] == pytest.approx(alone.statistic, rel=1e-9)
        assert found.statistics[k] == pytest.approx(ON_THE_LINE[name](x[:, k : k + 1], y[:, k : k + 1]), rel=1e-6)
    assert found.permutations == 69


def test_features_that_moved_are_found_among_many(rng: np.random.Generator) -> None:
    x, y = some(rng, 150, 20), some(rng, 150, 20) + np.repeat([0.7, 0.0], [3, 17])
    for correction in CORRECTIONS:
        found = feature_tests(x, y, correction=correction, rng=1)
        assert (found.adjusted[:3] < 0.05).all()
        assert (found.adjusted[3:] < 0.05).sum() <= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"statistic": "energy"}, "statistic must be one of wasserstein1, cramer, ks for features"),
        ({"correction": "bonferroni"}, "correction must be one of holm, benjamini-hochberg"),
        ({"permutations": 0}, "permutations must be an integer >= 1"),
    ],
)
def test_unknown_names_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(divkit.InvalidInput, match=message):
        feature_tests([[1.0, 2.0]], [[1.0, 2.0]], **options)
