"""Networks of GANs: shapes, the rules of DCGAN, seeds."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from divkit import InvalidInput  # noqa: E402
from divkit.gan.dcgan import dcgan_discriminator, dcgan_generator  # noqa: E402
from divkit.gan.nets import (  # noqa: E402
    FourierFeatures,
    MLPDiscriminator,
    SignedNoise,
    mlp_pair,
    values_at,
)
from divkit.neural.lipschitz import proven_lipschitz  # noqa: E402


@pytest.mark.parametrize("side", [8, 28, 32, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_dcgan_makes_and_judges_images_of_every_size(side, channels):
    images = dcgan_generator(10, channels, side, width=4)(torch.randn(2, 10))
    assert images.shape == (2, channels, side, side)
    assert float(images.detach().abs().max()) <= 1
    assert dcgan_discriminator(channels, side, width=4)(images).shape == (2,)


def test_dcgan_normalises_everywhere_but_at_the_images():
    made, judged = dcgan_generator(10, 1, 32, width=4), dcgan_discriminator(1, 32, width=4)
    kinds = [type(layer) for layer in made]
    assert kinds[-2:] == [nn.ConvTranspose2d, nn.Tanh]
    assert kinds.count(nn.BatchNorm2d) == kinds.count(nn.ReLU) == kinds.count(nn.ConvTranspose2d) - 1
    kinds = [type(layer) for layer in judged]
    assert kinds[:3] == [nn.Conv2d, nn.LeakyReLU, nn.Conv2d]
    assert not any(issubclass(kind, nn.modules.pooling._MaxPoolNd) for kind in kinds)
    assert all(layer.negative_slope == 0.2 for layer in judged if isinstance(layer, nn.LeakyReLU))


def test_what_is_said_of_the_models_points_does_not_depend_on_those_of_the_data():
    # The generator learns from batches of the model alone; the discriminator has to be trained on such ones.
    x, y = torch.randn((2, 6, 1, 8, 8))
    for normalise in ("batch", "layer"):
        net = dcgan_discriminator(1, 8, width=4, normalise=normalise)
        for of_x, of_y in (values_at(net, x, y), values_at(net, 9 * x, y)):
            torch.testing.assert_close(of_y, net(y))
            assert of_x.shape == (6,)
        own = dict(net.named_parameters())
        torch.testing.assert_close(values_at(net, x, y, own)[0], net(x))


def test_layers_are_normalised_by_the_image_where_slopes_are_penalised():
    net = dcgan_discriminator(1, 32, width=4, normalise="layer")
    images = torch.randn(6, 1, 32, 32)
    torch.testing.assert_close(net(images)[:2], net(images[:2]))
    with pytest.raises(InvalidInput, match="normalise must be one of batch, layer, got 'none'"):
        dcgan_discriminator(1, 32, normalise="none")


def test_other_sides_are_refused():
    with pytest.raises(InvalidInput, match="side must be one of 8, 28, 32, 64, got 16"):
        dcgan_generator(10, 1, 16)


@pytest.mark.parametrize("constraint", ["none", "clip", "spectral", "groupsort"])
def test_pairs_have_the_shapes_of_the_data(constraint):
    generator, discriminator = mlp_pair(4, 3, width=8, depth=2, constraint=constraint)
    assert discriminator(generator(torch.randn(5, 4))).shape == (5,)


def test_seeds_decide_and_leave_the_generator_of_torch_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, second, other = (mlp_pair(2, 2, width=8, depth=1, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    z = torch.randn(3, 2)
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a(z), b(z))
    assert not torch.equal(first[0](z), other[0](z))


def test_groupsort_discriminators_have_a_proven_slope():
    critic = MLPDiscriminator(2, 8, 2, "groupsort", torch.Generator().manual_seed(0))
    assert proven_lipschitz(critic.stack) <= 1 + 1e-3


@pytest.mark.parametrize("sizes", [{"latent": 0}, {"d": 0}, {"width": 0}, {"depth": 0}])
def test_sizes_are_checked(sizes):
    with pytest.raises(InvalidInput, match=next(iter(sizes))):
        mlp_pair(**{"latent": 2, "d": 2, **sizes})


def test_signs_let_a_generator_jump():
    noise = torch.tensor([[0.3, -2.0, 0.0], [-0.1, 1e-9, -1e-9]])
    assert SignedNoise(2)(noise).tolist() == [[pytest.approx(0.3), -1.0, 1.0], [pytest.approx(-0.1), 1.0, -1.0]]
    generator, _ = mlp_pair(3, 2, width=8, depth=1, codes=1)
    at = torch.tensor([[0.5, 0.5, -1e-6], [0.5, 0.5, 1e-6], [0.5, 0.5, 2.0]])
    left, right, same = generator(at)
    assert not torch.allclose(left, right)
    assert torch.equal(right, same)


def test_codes_are_fewer_than_the_noise():
    with pytest.raises(InvalidInput, match="codes must be fewer than latent = 2, got 2"):
        mlp_pair(2, 2, codes=2)


def test_slopes_with_waves_are_those_of_autograd():
    _, net = mlp_pair(2, 3, width=16, depth=2, waves=5, scale=2.0)
    x = torch.randn(7, 3, generator=torch.Generator().manual_seed(1)).requires_grad_()
    (expected,) = torch.autograd.grad(net(x).sum(), x)
    torch.testing.assert_close(net.values_and_slopes(x.detach())[1], expected, atol=1e-5, rtol=1e-4)
    assert net.features(x).shape == (7, 16)


def test_waves_are_cosines_and_sines_beside_the_points():
    waves = FourierFeatures(2, 3, 4.0, torch.Generator().manual_seed(0))
    x = torch.randn(5, 2)
    found = waves(x)
    assert torch.equal(found[:, :2], x)
    torch.testing.assert_close(found[:, 2:5] ** 2 + found[:, 5:] ** 2, torch.ones(5, 3))
    with pytest.raises(InvalidInput, match="scale must be positive"):
        FourierFeatures(2, 3, 0.0)
    with pytest.raises(InvalidInput, match="no constraint 'groupsort' would hold"):
        mlp_pair(2, 2, waves=3, constraint="groupsort")
