"""The neighbour searches and the coordinates they work in."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from knn_oracles import normal_pair

from divkit.methods._knn_dense import DenseNeighbours
from divkit.methods._knn_search import TreeNeighbours, balls, coordinates, mapped, neighbours, tied_share, whitener

SEARCHES = pytest.mark.parametrize("search", [TreeNeighbours, DenseNeighbours])


# ---- searches ----


@SEARCHES
@given(st.integers(0, 2**16), st.integers(1, 4), st.integers(1, 5))
def test_radii_are_sorted_distances(search, seed, d, k):
    points, queries, apart = problem(seed, d)
    found = search(points).radii(queries, k)
    np.testing.assert_allclose(found, apart[:, [0, k - 1, k]].T, rtol=1e-12)


@SEARCHES
@given(st.integers(0, 2**16), st.integers(1, 4))
def test_counts_are_those_of_all_distances(search, seed, d):
    points, queries, apart = problem(seed, d)
    radii = np.random.default_rng(seed).uniform(0, 3, len(queries))
    np.testing.assert_array_equal(search(points).count(queries, radii), (apart <= radii[:, None]).sum(axis=1))


@SEARCHES
@given(st.integers(0, 2**16), st.integers(1, 4), st.integers(1, 6))
def test_the_nearest_are_where_the_distances_say(search, seed, d, count):
    points, queries, _ = problem(seed, d)
    distances, index = search(points).nearest(queries, count)
    assert (np.diff(distances, axis=1) >= 0).all()
    np.testing.assert_allclose(np.linalg.norm(points[index] - queries[:, None], axis=-1), distances, rtol=1e-12)


def problem(seed, d):
    """Points (12, d), queries (7, d), of which one is a point, and the sorted distances (7, 12)."""
    rng = np.random.default_rng(seed)
    points, queries = rng.standard_normal((12, d)), rng.standard_normal((7, d))
    queries[3] = points[5]
    return points, queries, np.sort(np.linalg.norm(queries[:, None] - points[None], axis=-1), axis=1)


@SEARCHES
def test_distances_beyond_the_last_neighbour_are_infinite(search):
    nearest, last, following = search(np.zeros((2, 1))).radii(np.ones((1, 1)), 2)
    assert (nearest[0], last[0], following[0]) == (1.0, 1.0, math.inf)


@SEARCHES
def test_copies_are_at_distance_zero_and_in_the_ball_of_radius_zero(search):
    rng = np.random.default_rng(0)
    points = 100 * rng.standard_normal((50, 20))
    points[[7, 31]] = points[11]
    found = search(points)
    assert [float(radius[0]) for radius in found.radii(points[[11]], 2)[:2]] == [0.0, 0.0]
    assert found.count(points[[11]], np.zeros(1)) == [3]


@SEARCHES
def test_no_queries_have_no_counts(search):
    assert search(np.zeros((2, 1))).count(np.empty((0, 1)), np.empty(0)).shape == (0,)


def test_many_dimensions_are_searched_by_all_distances_unless_a_point_is_far_out():
    points = np.random.default_rng(0).standard_normal((30, 40))
    assert isinstance(neighbours(points), DenseNeighbours)
    points[0] = 1e9  # its squared norm would swamp the distances of the others
    assert isinstance(neighbours(points), TreeNeighbours)


def test_both_searches_find_the_same_balls(monkeypatch):
    x, y = coordinates(*normal_pair(5, 300, 200, 0))
    by_tree = balls(x, y, 4)
    monkeypatch.setattr("divkit.methods._knn_search._DENSE", 1)
    dense = balls(x, y, 4)
    assert sorted(zip(by_tree.own, by_tree.other, strict=True)) == sorted(zip(dense.own, dense.other, strict=True))


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 6), st.sampled_from([0.0, 0.6, 3.0, 50.0]))
def test_balls_are_those_of_all_distances(seed, d, k, shift):
    rng = np.random.default_rng(seed)
    n, m = rng.integers(k + 1, 150, 2)
    x, y = rng.normal(size=(n, d)), rng.normal(size=(m, d))
    if seed % 2:
        x, y = np.rint(2 * x), np.rint(2 * y)  # ties and copies
    x[: n // 2, 0] += shift
    own = np.linalg.norm(x[:, None] - x, axis=2)
    other = np.linalg.norm(x[:, None] - y, axis=2)
    own_radius, other_radius = np.sort(own, axis=1)[:, k], np.sort(other, axis=1)[:, k - 1]
    radius = np.maximum(own_radius, other_radius)[:, None] * (1 + 1e-9)
    truth = [own_radius, other_radius, (own <= radius).sum(axis=1) - 1, (other <= radius).sum(axis=1)]
    found = balls(x, y, k)
    listed = [found.own_radius, found.other_radius, found.own, found.other]
    np.testing.assert_allclose(*(sorted(map(tuple, np.stack(side, axis=1))) for side in (listed, truth)), rtol=1e-12)
    assert found.separate == bool((other.min(axis=1) > own_radius).all())


# ---- coordinates ----


def test_whitening_gives_unit_covariances():
    x, y = normal_pair(3, 3000, 3000, 3, shift=0.0)
    mixing = np.array([[1, 0.9, 0], [0, 0.2, 0.5], [0, 0, 0.1]])
    x, y = x @ mixing, y @ mixing
    matrix = whitener(x, y)
    white = np.concatenate([mapped(x, matrix), mapped(y, matrix)])
    # Drawn-in points (3 sigma per root of d: a per mille of them) and the trace of the total covariance: 1 %.
    np.testing.assert_allclose(np.cov(white.T), np.eye(3), atol=0.02)


def test_equal_rows_stay_equal_when_mapped():
    rng = np.random.default_rng(0)
    points = rng.standard_normal((1003, 7))
    points[1002] = points[3]
    image = mapped(points, rng.standard_normal((7, 7)))
    assert (image[1002] == image[3]).all()


@given(st.lists(st.integers(0, 3), min_size=2, max_size=8), st.lists(st.integers(0, 3), min_size=2, max_size=8))
def test_the_tied_share_is_the_count_of_points_with_an_equal(a, b):
    pooled = a + b
    x, y = np.array(a, dtype=float)[:, None], np.array(b, dtype=float)[:, None]
    assert tied_share(x, y) == pytest.approx(sum(pooled.count(v) > 1 for v in pooled) / len(pooled))


def test_points_that_share_one_coordinate_only_are_not_tied():
    assert tied_share(np.array([[0.0, 1.0], [0.0, 2.0]]), np.array([[1.0, 1.0]])) == 0


def test_balls_that_hold_thousands_are_counted_in_a_part_of_the_points():
    rng = np.random.default_rng(0)
    points, queries = rng.normal(size=(40_000, 2)), rng.normal(size=(300, 2))
    search = TreeNeighbours(points)
    radii = rng.choice([0.001, 0.1, 0.5, 2.0, 50.0], 300)
    exact, rough = search.count(queries, radii), search.rough_count(queries, radii)
    few = exact < 1000
    np.testing.assert_array_equal(rough[few], exact[few])
    assert np.abs(rough[~few] / exact[~few] - 1).max() < 5 * 0.06
    np.testing.assert_array_equal(rough[radii == 50.0], 40_000)
    assert abs((rough[~few] / exact[~few]).mean() - 1) < 0.01
    np.testing.assert_array_equal(rough, TreeNeighbours(points).rough_count(queries, radii))


def test_laws_far_apart_cost_no_more_than_a_few_thousand_points_a_ball():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20_000, 2)), 60 + rng.normal(size=(20_000, 2))
    found = balls(x, y, 3)
    assert (found.own == 20_000 - 1).mean() > 0.9  # every ball that reaches y holds all of x
    np.testing.assert_array_equal(found.other, 3)
