"""Penalties: of functions with known slopes."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from divkit import InvalidInput  # noqa: E402
from divkit.gan.nets import MLPDiscriminator, mlp_pair  # noqa: E402
from divkit.gan.penalties import between, judged, zero_centred  # noqa: E402


def draws():
    return torch.Generator().manual_seed(0)


def test_zero_centred_penalties_are_half_the_mean_squared_slopes():
    x, y = torch.tensor([[1.0], [3.0]]), torch.tensor([[2.0], [0.0]])
    penalty = zero_centred(0.5)(lambda z: z[:, 0] ** 2, x, y, draws()).detach()  # slopes 2 z
    assert float(penalty) == pytest.approx(0.25 * ((4 + 36) / 2 + (16 + 0) / 2))


@pytest.mark.parametrize(("one_sided", "value"), [(False, 2.5), (True, 0.0)])
def test_penalties_between_are_those_of_the_losses(one_sided, value):
    x, y = torch.zeros(4, 2), torch.ones(4, 2)
    assert float(between(10.0, one_sided=one_sided)(lambda z: 0.5 * z[:, 0], x, y, draws())) == value


def test_images_have_one_norm_over_all_pixels():
    x, y = torch.zeros(3, 1, 2, 2), torch.ones(3, 1, 2, 2)
    assert float(between(1.0)(lambda z: z.sum((1, 2, 3)), x, y, draws())) == pytest.approx(1.0)  # |(1, 1, 1, 1)| = 2
    assert float(zero_centred(1.0)(lambda z: z.sum((1, 2, 3)), x, y, draws())) == pytest.approx(4.0)


def test_penalties_reach_the_parameters():
    net = torch.nn.Linear(2, 1)
    zero_centred(1.0)(lambda z: net(z)[:, 0], torch.zeros(3, 2), torch.ones(3, 2), draws()).backward()
    assert torch.allclose(net.weight.grad, 2 * net.weight)


@pytest.mark.parametrize("penalty", [between(10.0), between(10.0, one_sided=True), zero_centred(1.0)])
def test_slopes_written_out_give_the_penalty_of_autograd(penalty):
    net = MLPDiscriminator(3, 8, 2).double()
    x, y = torch.randn((2, 20, 3), generator=draws(), dtype=torch.float64)
    found = []
    for discriminator in (net, lambda z: net(z)):  # the second one autograd alone can differentiate
        penalty(discriminator, x, y, draws()).backward()
        found.append([torch.zeros_like(own) if own.grad is None else own.grad for own in net.parameters()])
        net.zero_grad(set_to_none=True)
    for own, other in zip(*found, strict=True):
        assert torch.allclose(own, other, atol=1e-12)


def test_factors_are_checked():
    with pytest.raises(InvalidInput, match="factor must be finite and at least 0, got -1"):
        zero_centred(-1.0)


@pytest.mark.parametrize("waves", [0, 4])
@pytest.mark.parametrize("penalty", [None, between(10.0), zero_centred(1.0)])
def test_one_pass_for_values_and_penalty_gives_what_two_give(penalty, waves):
    _, net = mlp_pair(2, 3, width=8, depth=2, waves=waves, scale=1.0)
    net.double()
    x, y = torch.randn((2, 20, 3), generator=draws(), dtype=torch.float64)
    found = []
    for discriminator in (net, _Wrapped(net)):
        v_p, v_q, more = judged(discriminator, x, y, penalty, draws())
        loss = (v_p**2).mean() + v_q.sin().mean() + (0.0 if more is None else more)
        own = torch.autograd.grad(loss, list(net.parameters()), allow_unused=True, materialize_grads=True)
        found.append([v_p, v_q, loss, *own])
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, atol=1e-12)


class _Wrapped(torch.nn.Module):
    """A network whose slopes only autograd knows."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, points):
        return self.net(points)
