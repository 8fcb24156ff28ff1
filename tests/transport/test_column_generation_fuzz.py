"""Thousands of random small problems against HiGHS, and the machinery of large problems forced upon small ones."""

from __future__ import annotations

import numpy as np
import pytest
from transport_problems import (
    KINDS,
    Problem,
    assert_bracket,
    assert_optimal,
    highs,
    problem,
    small_problem,
    within,
)

from divkit.transport import _found, _level_solver, _levels, _pair_search, _start
from divkit.transport._watch import OutOfTime, Watch
from divkit.transport.column_generation import ColumnGeneration

_SECONDS = 20.0  # a problem of 12 x 12 points takes milliseconds


@pytest.fixture
def in_small(monkeypatch):
    """What large problems need - levels, candidates, rounds, many blocks - for problems of a dozen points."""
    monkeypatch.setattr(_found, "FEW_PAIRS", 0)
    monkeypatch.setattr(_level_solver, "_MANY", 0)
    monkeypatch.setattr(_start, "_DENSE", 0)
    monkeypatch.setattr(_levels, "_SMALL", 4)
    monkeypatch.setattr(_levels, "_FEWEST", 2)
    for module in (_pair_search, _levels):
        monkeypatch.setattr(module, "block_size", lambda d: 4)
    settings = _level_solver.Settings

    def scarce(*args, **kwargs):
        return settings(*args, **{**kwargs, "neighbours": 1, "added": 1, "hub_price": 0.5})

    monkeypatch.setattr(_level_solver, "Settings", scarce)


def assert_right(seed):
    given, p, scale = small_problem(seed)
    found = within(_SECONDS, lambda: ColumnGeneration().solve(*given.arguments, p=p))
    # Beside a far point of tiny mass other potentials may be differences of numbers as large as the largest cost;
    # 2**-50 of it are eight roundings. Whatever that is, a number that is called exact has a gap of 1e-9 at most.
    assert_optimal(found, given, p, absolute=2.0**-50 * float(given.costs(p).max()))
    assert found.gap <= 1e-9 * found.cost
    # HiGHS keeps equations to 1e-10 absolute, at costs up to the largest
    largest = float((given.costs(p) / scale**p).max())
    assert found.cost / scale**p == pytest.approx(highs(given, p, scale), rel=1e-9, abs=1e-10 * largest)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("part", range(20))
def test_a_hundred_random_problems_are_solved_as_by_highs(route, part):
    for seed in range(100 * part, 100 * part + 100):
        try:
            assert_right(seed)
        except BaseException as error:
            error.add_note(f"problem {seed}")
            raise


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_fifty_random_problems_are_solved_as_by_highs_through_levels_and_rounds(in_small, part):
    for seed in range(50 * part, 50 * part + 50):
        try:
            assert_right(10_000 + seed)
        except BaseException as error:
            error.add_note(f"problem {10_000 + seed}")
            raise


@pytest.mark.parametrize("seed", range(40))
def test_small_problems_are_solved_through_levels_and_rounds(in_small, seed):
    assert_right(20_000 + seed)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("d", [2, 6])
def test_every_kind_is_solved_through_levels_and_rounds(in_small, kind, d):
    given = problem(kind, 70, 90, d)
    found = within(_SECONDS, lambda: ColumnGeneration().solve(*given.arguments))
    assert_optimal(found, given, 1)


def test_levels_and_rounds_do_happen(in_small):
    # so that the tests above test what they say
    given = problem("one law twice", 70, 90, 2)
    info = ColumnGeneration().solve(*given.arguments).info
    assert info["levels"] >= 3
    assert info["rounds"] >= 3 * info["levels"]
    assert info["arcs"] < 70 * 90 / 2


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100))
def test_every_stop_of_a_small_problem_with_levels_leaves_a_valid_bracket(in_small, monkeypatch, seed):
    given, p, _ = small_problem(30_000 + seed)
    given = Problem(np.tile(given.x, (3, 1)) + 1e-3, given.y, None, given.y_weights)
    truth = ColumnGeneration().solve(*given.arguments, p=p).cost
    for k in range(1, 60):
        looks = iter(range(1, 10_000))

        def check(self, looks=looks, k=k):
            if next(looks) >= k:
                raise OutOfTime

        with monkeypatch.context() as patch:
            patch.setattr(Watch, "check", check)
            found = ColumnGeneration(on_limit="bracket").solve(*given.arguments, p=p)
        assert_bracket(found, given, p, truth)
        if next(looks) < k:  # it ended by itself
            return


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("d", [2, 5, 64])
@pytest.mark.parametrize("p", [1, 2])
def test_three_thousand_points_of_every_kind_are_optimal(kind, d, p):
    given = problem(kind, 3000, 2500, d)
    assert_optimal(ColumnGeneration(max_seconds=120.0).solve(*given.arguments, p=p), given, p)
