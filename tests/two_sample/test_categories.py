"""Shares of categories."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import divkit
from divkit.two_sample.categories import Categories

codes = st.lists(st.integers(0, 4), min_size=1, max_size=12)


@given(codes, codes)
def test_the_statistic_is_total_variation_between_shares(x: list[int], y: list[int]) -> None:
    shares = [np.bincount(side, minlength=5) / len(side) for side in (x, y)]
    expected = float(divkit.total_variation(*shares))
    found = divkit.two_sample_test(x, y, Categories(), permutations=19, rng=0)
    np.testing.assert_allclose(found.statistic, expected, atol=1e-14)
    assert found.effect is not None
    assert found.effect.divergence == "total_variation"


@given(codes, codes, st.permutations(range(5)))
def test_names_of_categories_do_not_matter(x: list[int], y: list[int], names: list[int]) -> None:
    found = [
        divkit.two_sample_test(a, b, Categories(), permutations=19, rng=0).p_value
        for a, b in ((x, y), ([names[i] for i in x], [names[i] for i in y]))
    ]
    assert found[0] == found[1]


def test_levels_over_null_draws(rng: np.random.Generator) -> None:
    draws = 400
    rejected = 0
    for _ in range(draws):
        x, y = rng.integers(0, 3, 40), rng.integers(0, 3, 25)
        rejected += divkit.two_sample_test(x, y, Categories(), permutations=99, rng=rng).p_value <= 0.05
    assert rejected <= 0.05 * draws + 3 * (0.05 * 0.95 * draws) ** 0.5
    assert rejected > 0


def test_points_of_a_law_without_atoms_are_all_different() -> None:
    x = np.random.default_rng(0).normal(size=(40, 2))
    assert divkit.two_sample_test(x[:20], x[20:], Categories(), permutations=99, rng=0).p_value == 1.0
