"""Points and weights for the tests of losses, and the value and gradients of the loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from strategies import F, masses, point_sets

from divkit import losses

torch = pytest.importorskip("torch")

# A dozen roundings of 1e-16 in differences, norms, powers and sums of at most 15 terms without cancellation.
RTOL = 1e-12


def t(values: Any, grad: bool = False) -> Any:
    """A float64 tensor of its own."""
    return torch.tensor(np.array(np.asarray(values, dtype=np.float64), order="C"), requires_grad=grad)


def value_and_gradients(
    x: Any, y: Any, p: float = 1.0, x_weights: Any = None, y_weights: Any = None
) -> tuple[float, list[F]]:
    """W_p and its gradients in the arguments that are given, in their order."""
    arguments = [None if value is None else t(value, grad=True) for value in (x, y, x_weights, y_weights)]
    loss = losses.wasserstein(arguments[0], arguments[1], p, x_weights=arguments[2], y_weights=arguments[3])
    gradients = torch.autograd.grad(loss, [argument for argument in arguments if argument is not None])
    return loss.item(), [gradient.numpy() for gradient in gradients]


def weighted(x: Any, y: Any, a: Any, b: Any, p: float) -> Any:
    return losses.wasserstein(x, y, p, x_weights=a, y_weights=b)


def general_position(rng: np.random.Generator) -> list[Any]:
    """x, y and weights for which one plan is optimal, and stays so under small moves."""
    return [t(rng.normal(size=(5, 3))), t(rng.normal(size=(7, 3))), t(rng.random(5)), t(3 * rng.random(7))]


@st.composite
def problems(draw: st.DrawFn, d: int | None = None) -> tuple[F, F, F, F]:
    """x, y and weights on the line or in the plane, with ties, duplicates, shared atoms and zero weights."""
    d = draw(st.integers(1, 2)) if d is None else d
    x, y = draw(point_sets(d)), draw(point_sets(d))
    return x, y, draw(masses(len(x))), draw(masses(len(y)))


orders = pytest.mark.parametrize("p", [1, 2, 3])
