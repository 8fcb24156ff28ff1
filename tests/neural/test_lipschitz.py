"""Proven constants: nothing ever exceeds them, and what breaks a layer breaks the proof."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from divkit import InvalidInput, Unsupported  # noqa: E402
from divkit.neural.lipschitz import proven_lipschitz, proven_lipschitz_of_each  # noqa: E402
from divkit.neural.nets import CONSTRAINTS, Residual, critic_stack  # noqa: E402

CERTIFIED = ["groupsort", "aol", "sll"]


def trained(constraint, activation="maxmin", copies=2, steps=20):
    """Critics after some rough steps, so that nothing is as it was at the start."""
    generator = torch.Generator().manual_seed(0)
    critics = critic_stack(
        3, width=8, depth=3, constraint=constraint, activation=activation, copies=copies, generator=generator
    )
    adam = torch.optim.Adam(critics.parameters(), lr=0.02)
    for _ in range(steps):
        z = torch.randn((copies, 64, 3), generator=generator)
        adam.zero_grad()
        (critics(z) * z[..., 0].sin()).mean().neg().backward()
        adam.step()
        critics.project()
    return critics.double()


def steepest(critics, trials=4000):
    """The largest slope between random points, near and far, of each critic."""
    generator = torch.Generator().manual_seed(1)
    a = 3 * torch.randn((trials, 3), generator=generator, dtype=torch.float64)
    reach = torch.logspace(-6, 1, trials, dtype=torch.float64)[:, None]
    b = a + reach * torch.randn((trials, 3), generator=generator, dtype=torch.float64)
    with torch.no_grad():
        return ((critics(a) - critics(b)).abs() / (a - b).norm(dim=1)).max(dim=1).values


@pytest.mark.parametrize("constraint", [*CONSTRAINTS, "sll", "cones"])
@pytest.mark.parametrize("activation", ["maxmin", "sort", "half", "relu"])
def test_no_slope_exceeds_the_proven_constant(constraint, activation):
    critics = trained(constraint, activation)
    proven = torch.tensor(proven_lipschitz_of_each(critics), dtype=torch.float64)
    assert torch.all(steepest(critics) <= proven * (1 + 1e-9))  # a difference over 1e-6 has lost six digits
    assert proven_lipschitz(critics) == proven.max()


@pytest.mark.parametrize("constraint", CERTIFIED)
def test_certified_layers_are_proven_to_be_1_lipschitz(constraint):
    # Matrices are orthogonal to the rounding of float32 and what two iterations leave of a step of 0.02.
    assert proven_lipschitz(trained(constraint)) <= 1 + 2e-3


@pytest.mark.parametrize("constraint", CERTIFIED)
def test_a_broken_layer_is_caught(constraint):
    critics = trained(constraint)
    with torch.no_grad():
        critics.parts[-1].weight[1] *= 3.0
    constants = proven_lipschitz_of_each(critics)
    if constraint == "aol":  # which rescales whatever it is given
        assert max(constants) <= 1 + 1e-9
    else:
        assert constants[1] == pytest.approx(3 * constants[0], rel=5e-3)  # both within 2e-3 of 1, as above


def test_a_residual_layer_whose_scales_are_off_is_caught(monkeypatch):
    layer = Residual(1, 6, torch.Generator().manual_seed(0)).double()
    assert proven_lipschitz(layer) == 1.0
    scales = layer.scales()
    monkeypatch.setattr(layer, "scales", lambda: 0.5 * scales)
    assert proven_lipschitz(layer) > 2


def test_the_norm_of_a_linear_layer_is_exact():
    layer = torch.nn.Linear(4, 3, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.diag(torch.tensor([2.0, 7.0, 1.0]))[:, [0, 1, 2, 0]])
        layer.weight[0, 3] = 0.0
    assert proven_lipschitz(layer) == pytest.approx(7.0, rel=1e-12)
    assert proven_lipschitz(layer) >= 7.0


@pytest.mark.parametrize(
    "activation",
    [
        torch.nn.ReLU(),
        torch.nn.Tanh(),
        torch.nn.Sigmoid(),
        torch.nn.SiLU(),
        torch.nn.GELU(),
        torch.nn.GELU(approximate="tanh"),
        torch.nn.LeakyReLU(-3.0),
        torch.nn.ELU(2.5),
        torch.nn.Softplus(),
        torch.nn.LogSigmoid(),
        torch.nn.Hardtanh(),
        torch.nn.Softsign(),
        torch.nn.ReLU6(),
    ],
    ids=repr,
)
def test_the_slope_of_an_activation_is_its_largest(activation):
    z = torch.linspace(-8, 8, 400_001, dtype=torch.float64)
    slopes = torch.diff(activation(z)).abs() / torch.diff(z)
    found = proven_lipschitz(activation)
    assert float(slopes.max()) <= found * (1 + 1e-9)
    assert float(slopes.max()) >= 0.99 * found


def test_layers_in_sequence_multiply():
    net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Sigmoid(), torch.nn.Linear(2, 1)).double()
    parts = [proven_lipschitz(layer) for layer in net]
    assert proven_lipschitz(net) == pytest.approx(math.prod(parts))


def test_what_is_not_known_is_not_guessed():
    with pytest.raises(Unsupported, match="no Lipschitz constant is known for a layer BatchNorm1d"):
        proven_lipschitz(torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2)))
    with pytest.raises(InvalidInput, match=r"net must be a torch\.nn\.Module"):
        proven_lipschitz(torch.relu)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_parameters_that_are_not_finite_have_no_constant(value):
    net = torch.nn.Linear(2, 2)
    with torch.no_grad():
        net.weight[0, 0] = value
    assert proven_lipschitz(net) == math.inf
