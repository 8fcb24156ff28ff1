"""Laws of the gradients of `divkit.losses`: homogeneity, convexity, symmetries, and where there is no derivative."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from losses_problems import RTOL, general_position, orders, problems, value_and_gradients
from strategies import F, masses

import divkit
from divkit.transport._rounds import RELATIVE_GAP


@pytest.fixture
def problem(rng: np.random.Generator) -> list[Any]:
    return general_position(rng)


# At ties and duplicates too


@orders
@given(problem=problems())
def test_eulers_identities_hold(p: float, problem: tuple[F, F, F, F]) -> None:
    x, y, a, b = problem
    value, (gx, gy, ga, gb) = value_and_gradients(x, y, p, a, b)
    # W_p is homogeneous of degree 1 in the points, of degree 0 in each weight vector, and does not feel a common
    # shift. Absolute rounding is that of the terms that cancel.
    size = 1 + np.abs(x).max() + np.abs(y).max()
    assert math.isclose((gx * x).sum() + (gy * y).sum(), value, rel_tol=RTOL, abs_tol=RTOL * size)
    np.testing.assert_allclose(gx.sum(axis=0), -gy.sum(axis=0), rtol=0, atol=RTOL)
    for weights, gradient in ((a, ga), (b, gb)):
        assert abs(weights @ gradient) <= RTOL * (np.abs(weights) @ np.abs(gradient) + size)


@orders
@given(problem=problems(), data=st.data())
def test_the_gradient_in_the_weights_supports_the_convex_cost(
    p: float, problem: tuple[F, F, F, F], data: st.DataObject
) -> None:
    x, y, a, b = problem
    a, b = divkit.normalize(a), divkit.normalize(b)
    other = divkit.normalize(data.draw(masses(len(a)))), divkit.normalize(data.draw(masses(len(b))))
    value, (_, _, ga, gb) = value_and_gradients(x, y, p, a, b)
    # The cost W_p^p is convex in the normalised weights, with gradient p W_p^(p-1) times that of W_p.
    linear = p * value ** (p - 1) * (ga @ (other[0] - a) + gb @ (other[1] - b))
    cost = value_and_gradients(x, y, p, *other)[0] ** p
    # The solver's certificate leaves a relative gap; the potentials, of the size of the largest cost, are rounded.
    largest = np.linalg.norm(x[:, None] - y, axis=2).max() ** p
    assert cost >= value**p + linear - RELATIVE_GAP * value**p - RTOL * (1 + largest)


@given(problem=problems(), data=st.data())
def test_the_gradient_in_the_points_bounds_the_squared_w2_from_above(
    problem: tuple[F, F, F, F], data: st.DataObject
) -> None:
    x, y, a, b = problem
    move = data.draw(st.floats(0.1, 3)) * np.sin(np.arange(x.size) + data.draw(st.floats(0, 6))).reshape(x.shape)
    value, gradients = value_and_gradients(x, y, 2, a, b)
    moved = value_and_gradients(x + move, y, 2, a, b)[0]
    # The old plan still is a plan: it costs W^2 + 2 W <gradient, move> + sum a |move|^2.
    bound = value**2 + 2 * value * (gradients[0] * move).sum() + divkit.normalize(a) @ (move**2).sum(axis=1)
    # Sums of a dozen terms of at most |x - y|^2 < 1000.
    assert moved**2 <= bound * (1 + RELATIVE_GAP) + 1000 * RTOL


@orders
def test_the_gradient_turns_with_the_points(p: float, problem: list[Any], rng: np.random.Generator) -> None:
    x, y, a, b = (argument.numpy() for argument in problem)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    value, (gx, *_) = value_and_gradients(x, y, p, a, b)
    turned, (turned_gx, *_) = value_and_gradients(x @ turn, y @ turn, p, a, b)
    assert math.isclose(value, turned, rel_tol=RTOL)
    np.testing.assert_allclose(turned_gx, gx @ turn, rtol=0, atol=RTOL)


@orders
def test_the_gradient_is_permuted_with_the_points(p: float, problem: list[Any], rng: np.random.Generator) -> None:
    x, y, a, b = (argument.numpy() for argument in problem)
    order = rng.permutation(len(x))
    _, (gx, _, ga, _) = value_and_gradients(x, y, p, a, b)
    _, (permuted_gx, _, permuted_ga, _) = value_and_gradients(x[order], y, p, a[order], b)
    np.testing.assert_allclose(permuted_gx, gx[order], rtol=0, atol=RTOL)
    np.testing.assert_allclose(permuted_ga, ga[order], rtol=0, atol=RTOL)


@pytest.mark.parametrize("p", [1, 2, 3, 7.5])
@pytest.mark.parametrize("exponent", [-996, -500, 500, 1020])
def test_scaling_the_points_scales_the_value_and_leaves_the_gradient(
    p: float, exponent: int, problem: list[Any]
) -> None:
    x, y, a, b = (argument.numpy() for argument in problem)
    scale = 2.0**exponent
    value, (gx, gy, ga, _) = value_and_gradients(x, y, p, a, b)
    scaled, (scaled_gx, scaled_gy, scaled_ga, _) = value_and_gradients(scale * x, scale * y, p, a, b)
    # Powers of two round nothing.
    assert scaled == scale * value
    np.testing.assert_allclose(scaled_gx, gx, rtol=RTOL)
    np.testing.assert_allclose(scaled_gy, gy, rtol=RTOL)
    np.testing.assert_allclose(scaled_ga / scale, ga, rtol=RTOL)


@orders
def test_an_offset_of_1e8_changes_nothing_but_the_rounding_of_the_input(p: float, problem: list[Any]) -> None:
    x, y, a, b = (argument.numpy() for argument in problem)
    x, y = np.round(x, 3) * 1.024, np.round(y, 3) * 1.024  # no more than a handful of bits, so that
    x, y = np.rint(x * 2**16) / 2**16, np.rint(y * 2**16) / 2**16  # adding 1e8 is exact
    near, far = value_and_gradients(x, y, p, a, b), value_and_gradients(x + 1e8, y + 1e8, p, a, b)
    assert near[0] == far[0]
    for gradient, shifted in zip(near[1], far[1], strict=True):
        np.testing.assert_allclose(shifted, gradient, rtol=RTOL)


@orders
def test_scaling_the_weights_scales_their_gradient_back(p: float, problem: list[Any]) -> None:
    x, y, a, b = (argument.numpy() for argument in problem)
    value, (_, _, ga, _) = value_and_gradients(x, y, p, a, b)
    for scale in (2.0**-500, 2.0**500):
        scaled, (_, _, scaled_ga, _) = value_and_gradients(x, y, p, scale * a, b)
        assert scaled == value
        np.testing.assert_allclose(scaled_ga * scale, ga, rtol=RTOL)


@pytest.mark.parametrize("p", [1, 2, 3, 40])
def test_a_point_without_mass_changes_neither_value_nor_gradient(p: float, problem: list[Any]) -> None:
    x, y, a, b = (argument.numpy() for argument in problem)
    value, (gx, *_) = value_and_gradients(x, y, p, a, b)
    far = np.vstack([x, np.full((1, 3), 1e300)])
    with_far, (far_gx, _, far_ga, _) = value_and_gradients(far, y, p, np.append(a, 0.0), b)
    assert math.isclose(with_far, value, rel_tol=RTOL)
    np.testing.assert_allclose(far_gx, np.vstack([gx, np.zeros((1, 3))]), rtol=0, atol=RTOL)
    # Its own slope is cut where the cost of the far point would overflow, at a distance of at most 2**400.
    assert far_ga[-1] > 1e100


# Where there is no derivative


@orders
def test_equal_sets_have_the_subgradient_0(p: float) -> None:
    x = np.array([[0.0, 1.0], [2.0, 3.0], [2.0, 3.0]])
    value, gradients = value_and_gradients(x, x[::-1], p, [1.0, 2.0, 1.0], [1.0, 2.0, 1.0])
    assert value == 0
    for gradient in gradients:
        np.testing.assert_array_equal(gradient, 0.0)


@orders
def test_pairs_at_distance_0_contribute_nothing(p: float) -> None:
    value, (gx, gy) = value_and_gradients([[0.0, 0.0], [5.0, 0.0]], [[0.0, 0.0], [5.0, 2.0]], p)
    assert math.isclose(value, 2 * 0.5 ** (1 / p), rel_tol=RTOL)
    # W_p = (|move|^p / 2)^(1/p), so its slope in the one move is 2^(-1/p).
    np.testing.assert_allclose(gx, [[0.0, 0.0], [0.0, -(0.5 ** (1 / p))]], rtol=RTOL)
    np.testing.assert_allclose(gy, -gx, rtol=RTOL)


@orders
@given(problem=problems())
def test_gradients_are_finite_at_ties_and_duplicates(p: float, problem: tuple[F, F, F, F]) -> None:
    for gradient in value_and_gradients(problem[0], problem[1], p, problem[2], problem[3])[1]:
        assert np.isfinite(gradient).all()


def test_a_tiny_move_beside_an_enormous_one_keeps_its_direction() -> None:
    # Distances 1e150 and 3e-150: squared in a common unit, the small one would vanish.
    x, y = [[0.0, 0.0], [0.0, 0.0]], [[0.0, 3e-150], [1e150, 0.0]]
    _, (gx, _) = value_and_gradients(x, y, 1)
    np.testing.assert_allclose(gx[np.argsort(gx[:, 0])], [[-0.5, 0.0], [0.0, -0.5]], rtol=RTOL)
