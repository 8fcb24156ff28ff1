"""Cells of histograms: equal masses, ties, and what merging does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from divkit._errors import InvalidInput
from divkit.catalog import DIVERGENCES
from divkit.divergences import FDivergence
from divkit.methods._binned_cells import (
    Cells,
    category_counts,
    check_counts,
    count_between,
    equal_mass_edges,
    merge_categories,
    merge_neighbours,
)
from divkit.methods._binned_expansion import plug_in

FINITE = [d for d in DIVERGENCES.values() if isinstance(d, FDivergence)]

samples = st.lists(st.integers(-4, 4).map(float) | st.floats(-5, 5), min_size=1, max_size=30).map(
    lambda values: np.sort(np.array(values))
)
counts = st.lists(st.integers(0, 40), min_size=1, max_size=12)


@st.composite
def tables(draw):
    size = draw(st.integers(1, 12))
    x, y = (np.array(draw(st.lists(st.integers(0, 40), min_size=size, max_size=size))) for _ in range(2))
    x[draw(st.integers(0, size - 1))] += 1
    y[draw(st.integers(0, size - 1))] += 1
    seen = x + y > 0
    x, y = x[seen], y[seen]
    return Cells(x, y, np.arange(len(x) - 1.0))


@given(samples, samples, st.integers(1, 12))
def test_a_cell_of_equal_mass_is_short_of_its_share_by_no_more_than_the_ties_at_its_start(x, y, bins):
    edges = equal_mass_edges(x, y, bins)

    def mass(t):
        return np.mean(x <= t) / 2 + np.mean(y <= t) / 2

    # Every edge is the first point that reaches some multiple of 1/bins: before it the multiple was not reached.
    for edge in edges:
        before = np.mean(x < edge) / 2 + np.mean(y < edge) / 2
        assert np.floor(mass(edge) * bins + 1e-9) > np.ceil(before * bins - 1e-9) - 1


@given(samples, samples, st.integers(1, 12))
def test_edges_are_points_of_the_data_below_the_largest(x, y, bins):
    edges = equal_mass_edges(x, y, bins)
    pooled = np.concatenate([x, y])
    assert np.isin(edges, pooled).all()
    assert (edges < pooled.max()).all()
    assert (np.diff(edges) > 0).all()


@pytest.mark.parametrize(("n", "m"), [(1000, 1000), (1000, 100), (20, 1000)])
def test_without_ties_every_cell_has_its_share_of_the_balanced_mixture(n, m):
    rng = np.random.default_rng(0)
    x, y = np.sort(rng.normal(size=n)), np.sort(rng.normal(1, 1, m))
    cells = count_between(x, y, equal_mass_edges(x, y, 10))
    # Each end of a cell overshoots by less than the mass of a point, 1/(2 min(n, m)).
    assert np.abs((cells.x / n + cells.y / m) / 2 - 0.1).max() <= 1 / min(n, m)


def test_equal_mass_edges_of_eight_points_by_hand():
    # x = 1 3 5 7 and y = 2 4 6 8, each point of mass 1/8: four cells end at the second, fourth and sixth point.
    edges = equal_mass_edges(np.array([1.0, 3, 5, 7]), np.array([2.0, 4, 6, 8]), 4)
    assert edges.tolist() == [2.0, 4.0, 6.0]


def test_balanced_edges_of_unequal_samples_by_hand():
    # x = 0 0.5 (mass 1/4 each), y = 1 2 3 4 (mass 1/8 each): half of the mass is x's, so the cut is at 0.5.
    assert equal_mass_edges(np.array([0.0, 0.5]), np.array([1.0, 2, 3, 4]), 2).tolist() == [0.5]


@given(samples, samples, st.lists(st.integers(-6, 6).map(float), min_size=1, max_size=6, unique=True).map(sorted))
def test_counts_between_edges_are_those_of_a_plain_count(x, y, edges):
    cells = count_between(x, y, np.array(edges))
    low, high = np.concatenate([[-np.inf], cells.edges]), np.concatenate([cells.edges, [np.inf]])
    assert cells.x.tolist() == [int(((x > a) & (x <= b)).sum()) for a, b in zip(low, high, strict=True)]
    assert cells.y.tolist() == [int(((y > a) & (y <= b)).sum()) for a, b in zip(low, high, strict=True)]


@given(samples, samples, st.lists(st.integers(-6, 6).map(float), min_size=1, max_size=6, unique=True).map(sorted))
def test_no_cell_between_given_edges_is_empty_of_both_samples(x, y, edges):
    cells = count_between(x, y, np.array(edges))
    assert (cells.x + cells.y > 0).all()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=30), st.integers(1, 29))
def test_category_counts_are_those_of_a_dictionary(rows, split):
    points = np.array(rows, dtype=float)
    x, y = points[: min(split, len(rows))], points[: max(1, len(rows) // 2)]
    cells = category_counts(x, y)
    expected = sorted(
        (int((x == row).all(axis=1).sum()), int((y == row).all(axis=1).sum()))
        for row in np.unique(np.concatenate([x, y]), axis=0)
    )
    assert sorted(zip(cells.x.tolist(), cells.y.tolist(), strict=True)) == expected


def test_minus_zero_is_the_category_zero():
    cells = category_counts(np.array([[0.0], [-0.0]]), np.array([[-0.0]]))
    assert (cells.x.tolist(), cells.y.tolist()) == ([2], [1])


@pytest.mark.parametrize("merge", [merge_neighbours, merge_categories])
@given(table=tables(), x_least=st.sampled_from([0, 4]), y_least=st.sampled_from([0, 4]))
def test_merging_keeps_every_point(merge, table, x_least, y_least):
    assert merge(table, x_least, y_least).sizes == table.sizes


@pytest.mark.parametrize("merge", [merge_neighbours, merge_categories])
@given(table=tables(), x_least=st.sampled_from([0, 4]), y_least=st.sampled_from([0, 4]))
def test_merged_cells_have_the_points_asked_for_or_are_alone(merge, table, x_least, y_least):
    merged = merge(table, x_least, y_least)
    if len(merged.x) > 1:
        assert merged.x.min() >= x_least
        assert merged.y.min() >= y_least
        assert merged.expected.min() >= 9.5


@pytest.mark.parametrize("merge", [merge_neighbours, merge_categories])
@given(table=tables(), x_least=st.sampled_from([0, 4]), y_least=st.sampled_from([0, 4]))
def test_the_number_of_merged_cells_is_what_is_missing(merge, table, x_least, y_least):
    merged = merge(table, x_least, y_least)
    assert merged.merged == len(table.x) - len(merged.x)


@pytest.mark.parametrize("merge", [merge_neighbours, merge_categories])
@pytest.mark.parametrize("div", FINITE, ids=lambda d: d.name)
@given(table=tables(), x_least=st.sampled_from([0, 4]), y_least=st.sampled_from([0, 4]))
def test_merging_never_raises_the_divergence_of_the_frequencies(merge, div, table, x_least, y_least):
    merged, (n, m) = merge(table, x_least, y_least), table.sizes
    before, after = (plug_in(div, cells.x / n, cells.y / m) for cells in (table, merged))
    # Each term is >= 0 and correct to a few units in the last place, the log ratio to 1e-16 absolutely: a term of
    # size p |l| errs by 1e-15 at most with |l| < log(500).
    assert after <= before + abs(before) * 1e-12 + 1e-14


@given(tables(), st.randoms(use_true_random=False))
def test_merged_categories_do_not_depend_on_their_order(table, random):
    order = list(range(len(table.x)))
    random.shuffle(order)
    first = merge_categories(table, 4, 4)
    second = merge_categories(Cells(table.x[order], table.y[order]), 4, 4)
    pairs = [sorted(zip(c.x.tolist(), c.y.tolist(), strict=True)) for c in (first, second)]
    assert pairs[0] == pairs[1]


def test_neighbours_empty_on_one_side_become_one_cell():
    merged = merge_neighbours(Cells(np.array([30, 30, 0, 0]), np.array([0, 0, 30, 30]), np.array([1.0, 2, 3])), 0, 0)
    assert (merged.x.tolist(), merged.y.tolist(), merged.edges.tolist()) == ([60, 0], [0, 60], [2.0])


def test_rare_categories_are_gathered_in_other():
    # Four rare categories of 6 points together expect (3/83 + 3/83)/2 * 83 = 3: "other" takes the next one, 20 and 20.
    merged = merge_categories(Cells(np.array([1, 60, 1, 20, 1, 0]), np.array([1, 60, 1, 20, 0, 1])), 0, 0)
    assert (merged.x.tolist(), merged.y.tolist(), merged.other) == ([60, 23], [60, 23], 5)


# ---- counts as given ----


def test_whole_floats_are_counts():
    assert check_counts("x_counts", [3.0, 0.0]).tolist() == [3, 0]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([0.5, 0.5], r"x_counts must hold whole numbers .* x_counts\[0\] is 0.5; pass the counts themselves"),
        ([3, -1], r"x_counts\[1\] is -1"),
        ([3, np.nan], r"x_counts\[1\] is nan"),
        ([3, np.inf], r"x_counts\[1\] is inf"),
        ([0, 0], "x_counts sums to 0; a law needs at least one observation"),
        ([], r"one count a category, got shape \(0,\)"),
        ([[1, 2]], r"one count a category, got shape \(1, 2\)"),
        ([True, False], "got booleans; count first"),
        (["a"], "x_counts must hold real numbers"),
    ],
)
def test_what_is_no_count_is_refused(value, message):
    with pytest.raises(InvalidInput, match=message):
        check_counts("x_counts", value)
