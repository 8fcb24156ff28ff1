"""The gradient penalty: hand-worked slopes, the penalty of the package's own critics, and second derivatives."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from divkit import InvalidInput, losses  # noqa: E402
from divkit.neural.nets import critic_stack  # noqa: E402
from divkit.neural.penalties import slope_penalty  # noqa: E402


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def points(*shape, seed=0):
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


@pytest.mark.parametrize(
    ("slope", "two", "one"), [(0.0, 10.0, 0.0), (0.5, 2.5, 0.0), (1.0, 0.0, 0.0), (3.0, 40.0, 40.0)]
)
def test_the_penalty_of_a_plane_is_worked_by_hand(slope, two, one):
    x, y = points(6, 3), points(6, 3, seed=1)
    for expected, one_sided in ((two, False), (one, True)):
        found = losses.gradient_penalty(lambda z: slope * z[:, 1], x, y, one_sided=one_sided)
        assert found.item() == pytest.approx(expected)


@pytest.mark.parametrize("one_sided", [False, True])
def test_it_is_the_penalty_of_the_critics_with_slopes_written_out(one_sided):
    critics = critic_stack(3, width=8, depth=2, constraint="none", activation="relu", generator=seeded(4)).double()
    x, y = points(40, 3), points(40, 3, seed=1)
    ours = losses.gradient_penalty(lambda z: critics(z)[0], x, y, one_sided=one_sided, generator=seeded(7))
    theirs = slope_penalty(one_sided=one_sided)(critics, x[None], y[None], seeded(7))
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-12)
    matrices = [layer.weight for layer in critics.parts]  # biases move slopes nowhere
    pairs = zip(torch.autograd.grad(ours, matrices), torch.autograd.grad(theirs.sum(), matrices), strict=True)
    assert all(torch.allclose(first, second, atol=1e-12) for first, second in pairs)


def test_a_critic_that_says_the_same_everywhere_has_slope_zero():
    b = torch.ones((), dtype=torch.float64, requires_grad=True)
    assert losses.gradient_penalty(lambda z: b.expand(len(z)), points(5, 2), points(5, 2)).item() == pytest.approx(10.0)


def test_images_are_points_too():
    x, y = points(5, 1, 4, 4), points(5, 1, 4, 4, seed=1)
    assert losses.gradient_penalty(lambda z: z.sum(dim=(1, 2, 3)), x, y).item() == pytest.approx(10 * 3.0**2)


def test_the_second_derivative_is_right():
    x, y = points(4, 2), points(4, 2, seed=1)

    def value(w):
        return losses.gradient_penalty(lambda z: torch.tanh(z @ w).sum(dim=1), x, y, generator=seeded(1))

    assert torch.autograd.gradcheck(value, points(2, 3, seed=2).requires_grad_())


def test_points_get_no_gradient_and_none_is_needed_around():
    x, y = points(4, 2).requires_grad_(), points(4, 2, seed=1).requires_grad_()
    w = torch.ones(2, dtype=torch.float64, requires_grad=True)
    losses.gradient_penalty(lambda z: z @ w, x, y).backward()
    assert x.grad is None
    assert w.grad is not None
    with torch.no_grad():
        assert losses.gradient_penalty(lambda z: 2 * z[:, 0], x, y).item() == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f, x: losses.gradient_penalty(f, x, x[:2]), "one shape"),
        (lambda f, x: losses.gradient_penalty(f, x[:, 0], x[:, 0]), "one shape"),
        (lambda f, x: losses.gradient_penalty(f, x[:0], x[:0]), "one shape"),
        (lambda f, x: losses.gradient_penalty(f, x, x, factor=-1.0), "factor must be"),
        (lambda f, x: losses.gradient_penalty(lambda z: z, x, x), "one number a point"),
        (lambda f, x: losses.gradient_penalty(f, x.long(), x.long()), "float32"),
        (lambda f, x: losses.gradient_penalty(lambda z: f(z).detach(), x, x), "have no gradient"),
    ],
)
def test_what_has_no_penalty_is_refused(call, message):
    with pytest.raises(InvalidInput, match=message):
        call(lambda z: z[:, 0], points(4, 2))
