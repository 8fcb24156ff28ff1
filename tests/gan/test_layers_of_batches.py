"""Layers that look at more than one point, against their definitions."""

from __future__ import annotations

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from divkit import InvalidInput  # noqa: E402
from divkit.gan.dcgan import dcgan_generator  # noqa: E402
from divkit.gan.layers import (  # noqa: E402
    MinibatchDiscrimination,
    VirtualBatchNorm,
    minibatch_discriminator,
    with_virtual_batch_norm,
)
from divkit.gan.nets import mlp_pair, values_at  # noqa: E402
from divkit.gan.settings import Settings  # noqa: E402
from divkit.gan.trainer import Trainer  # noqa: E402


def test_closeness_in_the_batch_is_that_of_the_paper():
    torch.manual_seed(0)
    layer, points = MinibatchDiscrimination(3, kernels=2, dim=4), torch.randn(5, 3)
    found = layer(points).detach().numpy()
    rows = (points @ layer.project.weight.T).detach().numpy().reshape(5, 2, 4)
    expected = np.exp(-np.abs(rows[:, None] - rows[None]).sum(axis=3)).sum(axis=1)
    np.testing.assert_array_equal(found[:, :3], points.numpy())
    np.testing.assert_allclose(found[:, 3:], expected, rtol=1e-5)


def test_a_collapsed_batch_is_seen_as_such_and_each_kind_by_itself():
    net = minibatch_discriminator(2, width=8, depth=2, kernels=3, seed=1)
    same, spread = torch.zeros(6, 2), 50 * torch.randn(6, 2, generator=torch.Generator().manual_seed(0))
    layer = next(module for module in net if isinstance(module, MinibatchDiscrimination))
    hidden = [net[:4](points) for points in (same, spread)]
    near, far = (float(layer(h)[:, 8:].detach().mean()) for h in hidden)
    assert near == pytest.approx(6.0)  # all at distance 0
    assert 1 < far < 3
    torch.testing.assert_close(values_at(net, spread, same)[1], net(same))  # not mixed with the data


@pytest.mark.parametrize("shape", [(4,), (4, 3, 3)])
def test_virtual_batches_hold_the_reference_and_the_point(shape):
    torch.manual_seed(0)
    norm = nn.BatchNorm1d(4) if len(shape) == 1 else nn.BatchNorm2d(4)
    with torch.no_grad():
        norm.weight.normal_()
        norm.bias.normal_()
    reference, points = torch.randn(7, *shape), torch.randn(3, *shape)
    virtual = with_virtual_batch_norm(nn.Sequential(norm), reference)
    found = virtual(points)
    for i in range(3):
        together = copy.deepcopy(norm).train()(torch.cat([reference, points[i : i + 1]]))
        torch.testing.assert_close(found[i], together[-1], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(virtual(points[1:2])[0], found[1])  # whatever else is in the batch


def test_dcgan_trains_and_goes_on_with_virtual_batch_norm(tmp_path):
    points = torch.rand(40, 1, 8, 8) * 2 - 1
    settings = Settings(steps=6, batch=8, latent=4, look_every=3)

    def fresh():
        torch.manual_seed(0)
        plain = dcgan_generator(4, 1, 8, width=4)
        generator = with_virtual_batch_norm(plain, torch.randn(8, 4))
        assert not any(isinstance(m, nn.BatchNorm2d) for m in generator.modules())
        assert sum(isinstance(m, VirtualBatchNorm) for m in generator.modules()) == 2
        discriminator = nn.Sequential(nn.Flatten(), nn.Linear(64, 1), nn.Flatten(0))
        return Trainer(generator, discriminator, "non-saturating", points, settings)

    whole, first, later = fresh(), fresh(), fresh()
    whole.run()
    with pytest.raises(RuntimeError, match="stop"):
        first.run([stopping], checkpoint=tmp_path / "state")
    later.run(checkpoint=tmp_path / "state")
    assert torch.equal(whole.sample(3), later.sample(3))


def stopping(trainer, _):
    if trainer.step == 6:
        raise RuntimeError("stop")


def test_minibatch_discrimination_trains():
    generator, _ = mlp_pair(2, 2, width=8, depth=1)
    points = np.random.default_rng(0).normal(size=(50, 2))
    for objective in ("non-saturating", "wgan-gp"):
        trainer = Trainer(generator, minibatch_discriminator(2, width=8), objective, points, Settings(steps=3, batch=8))
        trainer.run()
        assert trainer.step == 3


def test_what_does_not_fit_is_refused():
    with pytest.raises(InvalidInput, match="net has no batch normalisation"):
        with_virtual_batch_norm(nn.Linear(2, 2), torch.zeros(4, 2))
    with pytest.raises(InvalidInput, match="reference must hold at least two points"):
        with_virtual_batch_norm(nn.BatchNorm1d(2), torch.zeros(1, 2))
    with pytest.raises(InvalidInput, match="has seen no reference"):
        VirtualBatchNorm(torch.ones(2), torch.zeros(2))(torch.zeros(3, 2))
    with pytest.raises(InvalidInput, match="kernels must be"):
        MinibatchDiscrimination(3, kernels=0)
