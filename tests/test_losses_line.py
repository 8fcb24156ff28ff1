"""Losses on the line, in slices, and the terms of variational bounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import point_sets

torch = pytest.importorskip("torch")

import divkit  # noqa: E402
from divkit import InvalidInput, Unsupported, losses  # noqa: E402
from divkit.catalog import DIVERGENCES, resolve_divergence  # noqa: E402


def tensor(array, **settings):
    return torch.tensor(np.array(array), dtype=torch.float64, **settings)


@settings(max_examples=60, deadline=None)
@given(x=point_sets(1, 7), y=point_sets(1, 7), p=st.sampled_from([1.0, 1.5, 2.0, 3.0]))
def test_the_value_is_that_of_the_verb(x, y, p):
    found = losses.wasserstein_1d(tensor(x[:, 0]), tensor(y[:, 0]), p)
    assert float(found) == pytest.approx(float(divkit.wasserstein(x, y, p=p)), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("n", "m"), [(5, 5), (6, 4), (3, 7), (1, 4)])
@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_the_gradient_is_that_of_differences(n, m, p):
    rng = np.random.default_rng(0)
    x, y = tensor(rng.normal(size=n), requires_grad=True), tensor(rng.normal(size=m) + 0.3, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b: losses.wasserstein_1d(a, b, p), (x, y))


def test_leading_axes_are_batches():
    rng = np.random.default_rng(0)
    x, y = tensor(rng.normal(size=(2, 3, 6))), tensor(rng.normal(size=(3, 4)))
    found = losses.wasserstein_1d(x, y, 2)
    assert found.shape == (2, 3)
    assert float(found[1, 2]) == pytest.approx(float(losses.wasserstein_1d(x[1, 2], y[2], 2)))


@pytest.mark.parametrize("scale", [1e-300, 1e300])
@pytest.mark.parametrize("p", [1.0, 2.0, 5.0])
def test_powers_neither_overflow_nor_vanish(scale, p):
    x = tensor(np.array([0.0, 1.0, 3.0]) * scale, requires_grad=True)
    loss = losses.wasserstein_1d(x, tensor(np.array([1.0, 2.0]) * scale), p)
    plain = losses.wasserstein_1d(tensor([0.0, 1.0, 3.0]), tensor([1.0, 2.0]), p)
    assert float(loss.detach()) == pytest.approx(scale * float(plain), rel=1e-12)
    loss.backward()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("p", [1.0, 2.0])
def test_equal_points_have_no_gradient(p):
    x = tensor([0.0, 1.0], requires_grad=True)
    losses.wasserstein_1d(x, tensor([1.0, 0.0]), p).backward()
    assert x.grad.tolist() == [0.0, 0.0]


@settings(max_examples=30, deadline=None)
@given(x=point_sets(2), y=point_sets(2), p=st.sampled_from([1.0, 2.0]))
def test_slices_are_never_further_apart_than_the_points(x, y, p):
    generator = torch.Generator().manual_seed(0)
    found = losses.sliced_wasserstein(tensor(x), tensor(y), p, projections=20, generator=generator)
    assert float(found) <= float(divkit.wasserstein(x, y, p=p)) * (1 + 1e-9) + 1e-12


def test_slices_of_two_points_have_the_mean_of_a_projection():
    x, y = torch.zeros(1, 3, dtype=torch.float64), tensor([[0.0, 0.0, 2.0]])
    generator = torch.Generator().manual_seed(0)
    found = losses.sliced_wasserstein(x, y, projections=20_000, generator=generator)
    assert float(found) == pytest.approx(1.0, rel=0.02)  # E |u_3| is 1/2 on the sphere, 0.29 its deviation


def test_slices_have_a_gradient_that_moves_points_together():
    x = torch.zeros(5, 2, dtype=torch.float64, requires_grad=True)
    losses.sliced_wasserstein(x, tensor([[3.0, 4.0]]), 2, generator=torch.Generator().manual_seed(0)).backward()
    assert torch.all(x.grad @ tensor([3.0, 4.0]) < 0)


def test_equal_seeds_give_equal_slices():
    x, y = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(0))
    first, second = (losses.sliced_wasserstein(x, y, generator=torch.Generator().manual_seed(4)) for _ in range(2))
    assert torch.equal(first, second)


FORMS = [name for name, div in DIVERGENCES.items() if isinstance(div, divkit.FDivergence)] + ["wasserstein1"]


@pytest.mark.parametrize("name", FORMS)
def test_the_terms_are_those_of_the_form(name):
    div = resolve_divergence(name)
    v_p, v_q = torch.randn(2, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    form = div.dual.variational if isinstance(div, divkit.Wasserstein) else div.variational
    first, second = losses.variational_terms(name, v_p, v_q[:, None])
    assert float(first) == pytest.approx(float(np.mean(form.activation(v_p.numpy()))))
    assert float(second) == pytest.approx(float(np.mean(form.conj_activation(v_q.numpy()))))


def test_a_generator_gets_a_gradient_through_the_second_term():
    v_q = tensor([0.1, -0.4], requires_grad=True)
    first, second = losses.variational_terms("jsd", tensor([0.3]), v_q)
    (first - second).backward()
    assert v_q.grad.abs().min() > 0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: losses.wasserstein_1d(torch.zeros(0), torch.zeros(3)), InvalidInput, "x must have shape"),
        (lambda: losses.wasserstein_1d(np.zeros(3), torch.zeros(3)), InvalidInput, r"x must be a torch\.Tensor"),
        (lambda: losses.wasserstein_1d(torch.zeros(3), torch.zeros(3), math.inf), InvalidInput, "p must be finite"),
        (lambda: losses.wasserstein_1d(torch.zeros(3, dtype=torch.int64), torch.zeros(3)), InvalidInput, "float32"),
        (lambda: losses.sliced_wasserstein(torch.zeros(3), torch.zeros(3, 1)), InvalidInput, r"shape \(n, d\)"),
        (lambda: losses.sliced_wasserstein(torch.zeros(3, 2), torch.zeros(3, 1)), InvalidInput, "same number"),
        (
            lambda: losses.sliced_wasserstein(torch.zeros(3, 2), torch.zeros(3, 2), projections=0),
            InvalidInput,
            "projections",
        ),
        (lambda: losses.variational_terms("kl", torch.zeros(3, 2), torch.zeros(3)), InvalidInput, "one number a point"),
        (lambda: losses.variational_terms("kl", torch.zeros(0), torch.zeros(3)), InvalidInput, "one number a point"),
        (lambda: losses.variational_terms("hellinger", torch.zeros(3), torch.zeros(3)), Unsupported, "of its base"),
    ],
)
def test_what_is_no_loss_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
