"""Stacks of critics: what their layers keep, and that each critic of a stack is one of its own."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from divkit import InvalidInput  # noqa: E402
from divkit._activation_widths import WIDTHS  # noqa: E402
from divkit.neural._ascent import orthogonalised  # noqa: E402
from divkit.neural.nets import ACTIVATIONS, CONSTRAINTS, CriticStack, critic_stack, mlp  # noqa: E402

CERTIFIED = ["groupsort", "aol", "sll"]


def seeded(seed: int = 0):
    return torch.Generator().manual_seed(seed)


def normals(*shape, seed=0):
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_1_lipschitz_and_keep_the_number_of_channels(name):
    act = ACTIVATIONS[name]
    a, b = normals(500, 8, seed=1), normals(500, 8, seed=2)
    assert act(a).shape == a.shape
    assert torch.all((act(a) - act(b)).norm(dim=1) <= (a - b).norm(dim=1) * (1 + 1e-12))


@pytest.mark.parametrize("name", ["maxmin", "sort", "half"])
def test_activations_that_permute_keep_all_values(name):
    a = normals(200, 8)
    assert torch.equal(ACTIVATIONS[name](a).sort(dim=1).values, a.sort(dim=1).values)


@pytest.mark.parametrize("constraint", [*CONSTRAINTS, "sll", "cones"])
def test_values_have_one_row_a_critic(constraint):
    critics = critic_stack(3, width=8, depth=2, constraint=constraint, copies=4, generator=seeded()).double()
    z = normals(10, 3)
    assert critics(z).shape == (4, 10)
    assert torch.allclose(critics(z), critics(z.expand(4, 10, 3)), atol=1e-12)


@pytest.mark.parametrize("constraint", CERTIFIED)
def test_one_of_a_stack_says_what_it_says_among_the_others(constraint):
    critics = critic_stack(2, width=8, depth=2, constraint=constraint, copies=3, generator=seeded()).double()
    z = normals(6, 2)
    assert torch.allclose(critics.one(1)(z)[0], critics(z)[1], atol=1e-14)


def test_residual_layers_take_an_odd_width_with_activations_that_need_no_pairs():
    assert critic_stack(2, width=7, depth=1, constraint="sll", activation="sort")(torch.zeros(3, 2)).shape == (1, 3)


@pytest.mark.parametrize("constraint", CERTIFIED)
def test_critics_of_a_stack_do_not_touch_one_another(constraint):
    critics = critic_stack(2, width=8, depth=2, constraint=constraint, copies=3, generator=seeded()).double()
    z = normals(5, 2)
    critics(z)[1].sum().backward()
    for parameter in critics.parameters():
        if parameter.grad is not None:
            assert not parameter.grad[[0, 2]].any()


@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize("depth", [1, 3])
def test_slopes_written_out_are_those_of_autograd(copies, depth):
    critics = critic_stack(
        4, width=8, depth=depth, constraint="none", activation="relu", copies=copies, generator=seeded()
    ).double()
    z = normals(copies, 20, 4).requires_grad_()
    (automatic,) = torch.autograd.grad(critics(z).sum(), z)
    assert torch.allclose(critics.slopes(z), automatic, atol=1e-12)


def test_slopes_are_not_written_out_for_other_activations():
    with pytest.raises(InvalidInput, match="relu between linear layers only"):
        critic_stack(2, width=8, constraint="none", activation="maxmin").slopes(torch.zeros(1, 3, 2))


@pytest.mark.parametrize("shape", [(8, 8), (3, 8), (8, 3), (1, 8)])
def test_orthogonal_matrices_come_back_after_a_step(shape):
    full = torch.linalg.svd(normals(2, *shape), full_matrices=False)
    weight = full.U @ full.Vh + 0.02 * normals(2, *shape, seed=3)
    one = torch.ones((), dtype=torch.float64)
    for _ in range(3):
        error = (torch.linalg.svdvals(weight) - one).abs().amax()
        CONSTRAINTS["groupsort"].project(weight)
        assert (torch.linalg.svdvals(weight) - one).abs().amax() <= 2 * error**2 + 1e-14


@pytest.mark.parametrize("shape", [(8, 8), (3, 8), (8, 3), (1, 8), (128, 16)])
def test_orthogonalised_matrices_turn_as_the_polar_factor_does(shape):
    given = normals(2, *shape) * torch.tensor([1e-6, 1e6], dtype=torch.float64)[:, None, None]
    found, full = orthogonalised(given), torch.linalg.svd(given, full_matrices=False)
    along = full.U.mT @ found @ full.Vh.mT  # (2, k, k): diagonal, near 1
    diagonal = torch.diagonal(along, dim1=1, dim2=2)
    assert torch.allclose(along, torch.diag_embed(diagonal), atol=1e-9)
    assert diagonal.min() >= 0.6
    assert diagonal.max() <= 1.3
    assert torch.equal(orthogonalised(torch.zeros(1, *shape)), torch.zeros(1, *shape))


def test_absolute_values_of_half_of_the_channels_are_maxmin_in_rotated_coordinates():
    z = normals(50, 8)
    eye = torch.eye(4, dtype=torch.float64)
    turn = torch.cat([torch.cat([eye, eye], 1), torch.cat([eye, -eye], 1)]) * math.sqrt(0.5)
    assert torch.allclose(ACTIVATIONS["abs"](z @ turn) @ turn, ACTIVATIONS["maxmin"](z), atol=1e-14)


def test_every_activation_has_a_width():
    assert set(WIDTHS) == set(ACTIVATIONS)


def test_maxmin_hands_gradients_to_where_values_came_from():
    z = normals(50, 8).requires_grad_()
    assert torch.autograd.gradcheck(ACTIVATIONS["maxmin"], z)


def test_equal_generators_give_equal_critics():
    first, second = (critic_stack(3, width=8, generator=seeded(5)).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"d": 0}, "d must be at least 1"),
        ({"width": 7}, "width must be divisible by 2"),
        ({"width": 6, "activation": "half"}, "width must be divisible by 4"),
        ({"activation": "swish"}, "activation must be one of"),
        ({"constraint": "none of these"}, "constraint must be one of"),
        ({"copies": 0}, "copies must be at least 1"),
    ],
)
def test_what_makes_no_stack_is_refused(settings, message):
    with pytest.raises(InvalidInput, match=message):
        critic_stack(**{"d": 2, **settings})


def test_a_perceptron_has_the_layers_asked_for():
    net = mlp(3, 2, width=16, depth=2)
    assert net(torch.zeros(5, 3)).shape == (5, 2)
    assert sum(isinstance(layer, torch.nn.Linear) for layer in net) == 3


def test_a_stack_is_a_module_that_saves_and_loads():
    one = critic_stack(2, width=8, copies=2, generator=seeded(1))
    other = critic_stack(2, width=8, copies=2, generator=seeded(2))
    assert isinstance(one, CriticStack)
    other.load_state_dict(one.state_dict())
    z = torch.ones(3, 2)
    assert torch.equal(one(z), other(z))
