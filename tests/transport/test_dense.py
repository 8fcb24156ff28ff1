"""Few points: all pairs at once, by the kernel itself."""

from __future__ import annotations

import numpy as np
import pytest
from transport_problems import KINDS, assert_optimal, problem

from divkit.transport import _found
from divkit.transport._dense import solve_dense
from divkit.transport._kernels.dense import solve_all_pairs
from divkit.transport._levels import Level
from divkit.transport.column_generation import ColumnGeneration

ONES = np.ones(3, np.int64)


def test_the_plan_of_three_points_is_the_one_seen_by_eye():
    x, y = np.array([[0.0, 0.0], [4.0, 0.0], [8.0, 0.0]]), np.array([[8.0, 1.0], [0.0, 1.0], [4.0, 1.0]])
    rows, columns, flows, f, g, hung = solve_all_pairs(x, y, ONES, ONES, 1, 1e-13)
    assert sorted(zip(rows, columns, flows, strict=True)) == [(0, 1, 1), (1, 2, 1), (2, 0, 1)]
    assert hung == 0
    assert f[rows] + g[columns] == pytest.approx(np.ones(3), rel=1e-15)  # every partner is at distance 1


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_solved_as_the_certificate_says(kind, p):
    given = problem(kind, 60, 85, 3)
    assert_optimal(ColumnGeneration().solve(*given.arguments, p=p), given, p)


@pytest.mark.parametrize("p", [1, 2])
def test_both_ways_give_one_cost(monkeypatch, p):
    given = problem("shifted Gaussians", 300, 250, 4)
    all_pairs = ColumnGeneration().solve(*given.arguments, p=p)
    monkeypatch.setattr(_found, "FEW_PAIRS", 0)
    few_arcs = ColumnGeneration().solve(*given.arguments, p=p)
    assert (all_pairs.info["arcs"], few_arcs.info["arcs"] < 300 * 250) == (300 * 250, True)
    assert all_pairs.cost == pytest.approx(few_arcs.cost, rel=2e-12)  # gaps of 1e-12 at most


def test_a_far_pair_is_left_to_the_way_that_knows_scales():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 2)), rng.normal(size=(30, 2))
    x[0], y[0] = 1e12, 1e12
    masses = np.ones(30, np.int64)
    assert solve_dense(Level(x, y, masses, masses), 1) is None
    ours = ColumnGeneration().solve(x, y)
    alone = ColumnGeneration().solve(x[1:], y[1:])
    # The pair is matched to itself at distance 0; the others must be as good as without it.
    assert ours.cost * 30 == pytest.approx(alone.cost * 29, rel=1e-11)


def test_all_points_equal_cost_nothing():
    masses = np.ones(5, np.int64)
    found = solve_dense(Level(np.zeros((5, 2)), np.zeros((5, 2)), masses, masses), 2)
    assert found is not None
    assert (found.value, found.gap) == (0.0, 0.0)
