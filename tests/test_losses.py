"""Values of `divkit.losses`, and gradients against finite differences and closed forms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from losses_problems import RTOL, general_position, orders, problems, t, torch, value_and_gradients, weighted
from strategies import F, point_sets

import divkit
from divkit import losses


@pytest.fixture
def problem(rng: np.random.Generator) -> list[Any]:
    return general_position(rng)


# Values


@orders
@given(problem=problems(d=2))
def test_the_value_is_that_of_the_verb(p: float, problem: tuple[F, F, F, F]) -> None:
    x, y, a, b = problem
    expected = float(divkit.wasserstein(x, y, a, b, p))
    assert math.isclose(value_and_gradients(x, y, p, a, b)[0], expected, rel_tol=RTOL)


@orders
@given(x=point_sets(2, max_size=5), data=st.data())
def test_the_value_is_the_best_of_all_matchings(p: float, x: F, data: st.DataObject) -> None:
    y = data.draw(point_sets(2, max_size=5).filter(lambda y: len(y) == len(x)))
    assert math.isclose(value_and_gradients(x, y, p)[0], oracles.assignment(x, y, p), rel_tol=RTOL)


@orders
def test_points_on_the_line_may_have_one_axis_or_two(p: float, rng: np.random.Generator) -> None:
    x, y = rng.normal(size=4), rng.normal(size=6)
    flat, column = value_and_gradients(x, y, p), value_and_gradients(x[:, None], y, p)
    assert flat[0] == column[0]
    np.testing.assert_array_equal(flat[1][0], column[1][0][:, 0])


@orders
@given(problem=problems(d=1))
def test_the_value_on_the_line_is_that_of_the_quantile_functions(p: float, problem: tuple[F, F, F, F]) -> None:
    x, y, a, b = problem
    expected = oracles.line(x[:, 0], y[:, 0], a, b, p)
    # The oracle's levels are rounded at 1e-16 of mass, over a range of at most 20: that is an error of the cost.
    loss = value_and_gradients(x, y, p, a, b)[0]
    assert math.isclose(loss**p, expected**p, rel_tol=RTOL, abs_tol=1e-14 * 20**p)


@pytest.mark.parametrize("method", ["line", "emd", "lp"])
def test_every_method_serves_on_the_line(method: str) -> None:
    x, y, a = t([0.0, 1.0, 5.0], grad=True), t([4.0, 2.0]), t([1.0, 2.0, 1.0], grad=True)
    loss = losses.wasserstein(x, y, 2, x_weights=a, method=method)
    gradients = torch.autograd.grad(loss, (x, a))
    # 0 -> 2, 1 -> 2 and 4 in equal parts, 5 -> 4; W_2^2 = (4 + 1 + 9 + 1) / 4, and the slopes are plan * move / W_2.
    assert math.isclose(loss.item(), math.sqrt(15 / 4), rel_tol=RTOL)
    np.testing.assert_allclose(gradients[0], np.array([-2.0, -4.0, 1.0]) / 4 / math.sqrt(15 / 4), rtol=RTOL)
    # u + v is the cost of each of the four moves: u = (4, 1, -7), v = (0, 8), up to a constant.
    potentials = np.array([4.0, 1.0, -7.0])
    slopes = (potentials - potentials @ [0.25, 0.5, 0.25]) / 4 / (2 * math.sqrt(15 / 4))
    np.testing.assert_allclose(gradients[1], slopes, rtol=RTOL)


@pytest.mark.parametrize("method", ["emd", "lp", divkit.EMD(max_iterations=10_000)])
def test_the_method_is_a_choice(problem: list[Any], method: Any) -> None:
    x, y, a, b = problem
    loss = losses.wasserstein(x, y, 2, x_weights=a, y_weights=b, method=method)
    assert math.isclose(loss.item(), weighted(*problem, 2).item(), rel_tol=RTOL)


# Gradients against finite differences. `gradcheck` compares to 1e-5 relative + 1e-6 with steps of 1e-6, in float64.


@pytest.mark.parametrize("p", [1, 1.5, 2, 3, 10])
def test_gradients_in_points_and_raw_weights_are_finite_differences(p: float, problem: list[Any]) -> None:
    arguments = [argument.requires_grad_() for argument in problem]
    assert torch.autograd.gradcheck(lambda *given: weighted(*given, p), arguments)


@orders
@pytest.mark.parametrize("side", ["x_weights", "y_weights"])
def test_the_gradient_in_the_weights_of_one_side_is_a_finite_difference(
    p: float, side: str, rng: np.random.Generator
) -> None:
    x, y = t(rng.normal(size=(4, 2))), t(rng.normal(size=(5, 2)))
    weights = t(rng.random(4 if side == "x_weights" else 5), grad=True)
    assert torch.autograd.gradcheck(lambda w: losses.wasserstein(x, y, p, **{side: w}), [weights])


@orders
def test_the_gradient_on_the_line_is_a_finite_difference(p: float, rng: np.random.Generator) -> None:
    points = t(rng.normal(size=4), grad=True), t(rng.normal(size=6), grad=True)
    assert torch.autograd.gradcheck(lambda x, y: losses.wasserstein(x, y, p), points)


@orders
def test_second_derivatives_in_the_points_are_finite_differences(p: float, problem: list[Any]) -> None:
    x, y, a, b = problem
    points = x.requires_grad_(), y.requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x, y: weighted(x, y, a, b, p), points)


@orders
def test_second_derivatives_in_the_weights_are_finite_differences(p: float, problem: list[Any]) -> None:
    x, y, a, b = problem
    weights = a.requires_grad_(), b.requires_grad_()
    assert torch.autograd.gradgradcheck(lambda a, b: weighted(x, y, a, b, p), weights)


# Gradients in closed form


@orders
@pytest.mark.parametrize("shift", [0.01, 5.0])
def test_the_derivative_in_the_length_of_a_shift_is_1(p: float, shift: float, rng: np.random.Generator) -> None:
    x, length = t(rng.normal(size=(8, 3))), t(shift, grad=True)
    loss = losses.wasserstein(x + length * t([0.6, 0.0, 0.8]), x, p)
    loss.backward()
    # Here and below coordinates near 1 are rounded by 1e-16, which is 1e-14 of the shortest shift.
    assert math.isclose(loss.item(), shift, rel_tol=RTOL)
    assert math.isclose(length.grad.item(), 1.0, rel_tol=RTOL)


@orders
def test_every_point_of_a_shifted_set_pulls_back_equally(p: float, rng: np.random.Generator) -> None:
    y = rng.normal(size=(8, 3))
    direction = np.array([0.6, 0.0, 0.8])
    # Far below the distances inside the set, so that each point goes to its own image also for p = 1.
    _, (x_gradient, y_gradient) = value_and_gradients(y + 1e-2 * direction, y, p)
    np.testing.assert_allclose(x_gradient, np.tile(direction / 8, (8, 1)), rtol=0, atol=RTOL)
    np.testing.assert_allclose(y_gradient, np.tile(-direction / 8, (8, 1)), rtol=0, atol=RTOL)


@orders
def test_the_gradient_in_raw_weights_of_two_atoms_and_one_is_the_closed_form(p: float) -> None:
    # W_p^p = c(w) = (w0 1^p + w1 2^p) / (w0 + w1), for atoms at 0 and 1 and all mass of the other side at -1.
    w = np.array([3.0, 4.5])
    total = w.sum()
    cost = (w[0] + w[1] * 2**p) / total
    slope = np.array([1 - 2**p, 2**p - 1]) * w[::-1] / total**2
    _, gradients = value_and_gradients([0.0, 1.0], [-1.0], p, w)
    np.testing.assert_allclose(gradients[2], cost ** (1 / p - 1) / p * slope, rtol=RTOL)


@orders
def test_an_atom_without_mass_has_the_slope_of_its_first_mass(p: float) -> None:
    _, gradients = value_and_gradients([0.0, 1.0], [-1.0], p, [2.0, 0.0])
    # The formula above at w = (2, 0), where the cost is 1.
    np.testing.assert_allclose(gradients[2], [0.0, (2**p - 1) / (2 * p)], rtol=RTOL)
    np.testing.assert_array_equal(gradients[0][1], 0.0)


# In use


def test_gradient_descent_on_w2_squared_halves_the_distance_at_every_step(rng: np.random.Generator) -> None:
    n = 12
    x, y = t(rng.normal(size=(n, 2)), grad=True), t(rng.normal(size=(n, 2)) + 3)
    start = losses.wasserstein(x, y, 2).item()
    # The gradient of W_2^2 is 2/n (x - T(x)): a step of n/4 goes half of the way, and along the way T stays optimal.
    optimiser = torch.optim.SGD([x], lr=n / 4)
    for _ in range(20):
        optimiser.zero_grad()
        losses.wasserstein(x, y, 2).square().backward()
        optimiser.step()
    # 20 halvings; each leaves coordinates rounded at 1e-15, absolute.
    assert math.isclose(losses.wasserstein(x, y, 2).item(), start / 2**20, rel_tol=1e-8)


def test_gradient_descent_on_w1_in_the_weights_finds_the_masses() -> None:
    points, goal = t([0.0, 1.0, 3.0]), t([0.5, 0.2, 0.3])
    logits = t([0.0, 0.0, 0.0], grad=True)
    rate = 0.5
    for step in range(400):
        loss = losses.wasserstein(points, points, 1, x_weights=logits.softmax(0), y_weights=goal)
        (gradient,) = torch.autograd.grad(loss, logits)
        with torch.no_grad():
            logits -= rate / (1 + 0.1 * step) * gradient
    # The subgradient does not vanish near the goal, so the last step overshoots: potentials differ by at most 3, a step
    # r = 0.5 / 41 moves each logit by at most 3 r, a fraction 3 r / 2 of the mass, and W1 by 3 times that.
    reached = losses.wasserstein(points, points, 1, x_weights=logits.softmax(0), y_weights=goal).item()
    assert reached < 3 * (3 * rate / 41) / 2
