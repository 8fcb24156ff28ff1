"""Discrete, Samples and Law: what they accept, what they refuse, and that nothing changes them afterwards."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import F, masses, point_sets, probabilities, read_only

import divkit
from divkit import Discrete, InvalidInput, Law, Samples
from divkit.measures import checked_samples


@given(p=probabilities())
def test_discrete_keeps_its_probabilities_to_the_last_bit(p: F) -> None:
    np.testing.assert_array_equal(Discrete(p).probs, p)


@given(x=point_sets(2), data=st.data())
def test_weights_count_by_their_ratios(x: F, data: st.DataObject) -> None:
    weights = data.draw(masses(len(x)))
    held = Samples(x, weights).weights
    assert held is not None
    rounding = 2.0**-52 * (len(x) + 2)  # of a division and of two sums, whose order depends on where the array lies
    assert held.sum() == pytest.approx(1, abs=rounding)
    np.testing.assert_allclose(held, weights / weights.sum(), rtol=rounding)
    for scale in (2.0**-1000, 2.0**1000):  # powers of two: the ratios are the same numbers
        np.testing.assert_allclose(Samples(x, weights * scale).weights, held, rtol=rounding)


@pytest.mark.parametrize("make", [lambda a: Discrete(a), lambda a: Samples(a).points, lambda a: Samples([1, 2], a)])
def test_measures_are_copies_that_nobody_can_write_to(make: Any) -> None:
    mine = np.array([0.5, 0.5])
    made = make(mine)
    mine[0] = 9.0
    held = made if isinstance(made, np.ndarray) else made.probs if isinstance(made, Discrete) else made.weights
    assert held.ravel()[0] == 0.5
    with pytest.raises(ValueError, match="read-only"):
        held[0] = 1.0
    with pytest.raises(AttributeError):
        (made if not isinstance(made, np.ndarray) else Samples([1.0])).points = None


@pytest.mark.parametrize(("shape", "dim"), [((3,), 1), ((3, 1), 1), ((3, 4), 4)])
def test_a_vector_of_points_lies_on_the_line(shape: tuple[int, ...], dim: int) -> None:
    x = np.ones(shape)
    assert Samples(x).dim == Discrete(np.full(3, 1 / 3), x).dim == dim
    assert Samples(x).points.shape == (3, dim)


def test_a_discrete_law_without_points_has_no_dimension() -> None:
    assert Discrete([1.0]).dim is None


@pytest.mark.parametrize(
    ("measure", "text"),
    [
        (Discrete([0.5, 0.5]), "Discrete(n=2)"),
        (Discrete([0.5, 0.5], [[1, 2, 3]] * 2), "Discrete(n=2, d=3)"),
        (Samples([1, 2]), "Samples(n=2, d=1)"),
        (Samples([1, 2], [1, 3]), "Samples(n=2, d=1, weighted)"),
        (Law(2, lambda x: x[:, 0], name="mine"), "Law(mine, d=2)"),
    ],
)
def test_representations_say_what_it_is(measure: object, text: str) -> None:
    assert repr(measure) == text


@pytest.mark.parametrize(
    ("probs", "slack"), [(np.float64, 5e-9), (np.float32, 4e-6), (np.float64, -5e-9)], ids=["64", "32", "below"]
)
def test_a_sum_may_miss_one_by_the_rounding_of_its_type(probs: type, slack: float) -> None:
    p = np.array([0.5, 0.5 + slack], dtype=probs)
    assert Discrete(p).probs.sum() == pytest.approx(1 + slack, abs=1e-7)


@pytest.mark.parametrize(
    ("probs", "message"),
    [
        ([], r"probs must be a non-empty vector, got shape \(0,\)"),
        ([[0.5, 0.5]], r"got shape \(1, 2\); for samples use divkit\.Samples, for batches of laws divkit\.exact"),
        (1.0, r"got shape \(\)"),
        ([0.5, 0.6], r"probs sums to 1\.1; a probability vector sums to 1.*divkit\.normalize\(probs\)"),
        ([0.5, 0.5 + 3e-8], "sums to 1.00000003"),
        (np.array([0.5, 0.5001], np.float32), "sums to 1.0001"),
        ([1.5, -0.5], r"probs must be non-negative, but probs\[1\] is -0\.5"),
        ([math.nan, 1.0], r"probs must be finite, but probs\[0\] is nan"),
        ([math.inf, 0.0], r"probs\[0\] is inf"),
        ([3, 1], "sums to 4"),
        (["1"], "real numbers"),
        (None, "real numbers"),
    ],
)
def test_what_is_no_probability_vector_is_refused(probs: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        Discrete(probs)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([1.0], "points must have one row a probability: 1 rows, 2 probs"),
        ([1.0, math.nan], r"points must be finite, but points\[1\] is nan"),
        ([[1, 2], [3]], "rectangular"),
        (np.ones((2, 2, 2)), r"shape \(n,\) or \(n, d\), got \(2, 2, 2\); flatten each item"),
        (np.ones((2, 0)), "no coordinates"),
    ],
)
def test_points_that_do_not_fit_are_refused(points: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        Discrete([0.5, 0.5], points)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "points is empty; a law needs at least one point"),
        (([[1, math.inf]],), r"points\[\(0, 1\)\] is inf \(1 such values\)"),
        (([1, 2], [1]), r"weights must have shape \(2,\), one weight a point, got \(1,\)"),
        (([1, 2], [[1], [1]]), r"got \(2, 1\)"),
        (([1, 2], [0, 0]), "weights sums to 0"),
        (([1, 2], [-1, 2]), r"weights\[0\] is -1"),
        (([1, 2], [1, math.nan]), r"weights\[1\] is nan"),
        ((1.0,), r"got \(\)"),
        ((None,), "real numbers"),
    ],
)
def test_samples_that_make_no_sense_are_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        Samples(*arguments)


def test_points_may_be_as_large_as_floats_get() -> None:
    extremes = read_only([1.7e308, -1.7e308, 5e-324])
    np.testing.assert_array_equal(Samples(extremes).points[:, 0], extremes)


def test_a_law_has_a_bound_for_each_coordinate() -> None:
    law = Law(3, lambda x: x[:, 0], low=np.array([0.0]))
    np.testing.assert_array_equal((law.low, law.high), [[0.0] * 3, [math.inf] * 3])


def test_draws_on_the_line_may_come_as_a_vector(rng: np.random.Generator) -> None:
    law = Law(1, lambda x: x[:, 0], sample=lambda n, rng: rng.random(n))
    assert law.draw(4, rng).shape == (4, 1)


def test_draws_of_another_number_are_refused(rng: np.random.Generator) -> None:
    law = Law(2, lambda x: x[:, 0], name="odd", sample=lambda n, rng: rng.random((2, n)))
    with pytest.raises(InvalidInput, match=r"sample\(3, rng\) of odd must return shape \(3, 2\), it returned \(2, 3\)"):
        law.draw(3, rng)


@given(x=point_sets(1), y=point_sets(1))
def test_atoms_at_one_place_are_one_atom(x: F, y: F) -> None:
    p, q = (np.full(len(v), 1 / len(v)) for v in (x, y))
    doubled = Discrete(np.repeat(p / 2, 2), np.repeat(x, 2, axis=0))
    once, twice = (divkit.total_variation(P, Discrete(q, y)) for P in (Discrete(p, x), doubled))
    assert twice == pytest.approx(once, abs=1e-15)  # sums of at most 12 masses below 1


def test_checked_samples_are_those_of_the_same_points_without_a_copy(rng: np.random.Generator) -> None:
    points = rng.normal(size=(20, 3))
    found, usual = checked_samples(points, np.arange(20.0)), Samples(points, np.arange(20.0))
    np.testing.assert_array_equal(found.points, usual.points)
    np.testing.assert_array_equal(found.weights, usual.weights)
    assert found.dim == 3
    assert np.shares_memory(found.points, points)
    assert points.flags.writeable
    assert not found.points.flags.writeable
    assert not np.shares_memory(checked_samples(points[::2]).points, points)  # compact, as kernels take them
