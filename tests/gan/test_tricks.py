"""Tricks: each against its definition."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from divkit import InvalidInput  # noqa: E402
from divkit.gan.nets import MLPDiscriminator  # noqa: E402
from divkit.gan.objectives import OBJECTIVES  # noqa: E402
from divkit.gan.tricks import (  # noqa: E402
    FeatureMatching,
    HistoricalAveraging,
    InstanceNoise,
    Packing,
    Unrolling,
    feature_gap,
)


def draws():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(("time", "std"), [(0.0, 0.4), (0.25, 0.2), (0.5, 0.0), (0.9, 0.0)])
def test_instance_noise_falls_to_nothing(time, std):
    seen = InstanceNoise(0.4, until=0.5).seen(torch.zeros(20_000, 2), time, draws())
    assert float(seen.std()) == pytest.approx(std, rel=0.02)


def test_packs_hold_points_of_one_kind_side_by_side():
    points = torch.arange(12.0).reshape(6, 2)
    packs = Packing(3).seen(points, 0.0, draws())
    assert packs.tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]
    assert Packing(2).seen(torch.zeros(4, 3, 8, 8), 0.0, draws()).shape == (2, 6, 8, 8)
    with pytest.raises(InvalidInput, match="batch of a process must be divisible by m = 4 of Packing, got 10"):
        Packing(4).check(10, torch.nn.Identity())


def test_features_are_matched_in_their_means_not_in_single_points():
    x, y = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [1.0]])
    assert float(feature_gap(lambda z: z, x, y)) == 0.0
    assert float(feature_gap(lambda z: z, x, y + 3)) == 9.0
    assert float(feature_gap(lambda z: torch.cat([z, z**2], 1), x, y)) == 1.0  # means of squares 2 and 1


def test_feature_matching_reads_the_last_hidden_layer():
    net = MLPDiscriminator(2, 5, 2)
    x, y = torch.randn((2, 7, 2), generator=draws())
    features = net.features(x)
    assert features.shape == (7, 5)
    assert torch.allclose(net.stack.parts[-1](features[None])[0, :, 0], net(x))
    expected = (features.mean(0) - net.features(y).mean(0)).square().sum()
    assert torch.allclose(FeatureMatching().generator_loss(net, x, y), expected)
    with pytest.raises(InvalidInput, match="needs a discriminator with a method features"):
        FeatureMatching().check(8, torch.nn.Linear(2, 1))


def test_historical_averaging_pulls_to_the_mean_of_all_parameters_so_far():
    net, trick = torch.nn.Linear(1, 1, bias=False), HistoricalAveraging(0.5)
    assert trick.own_loss("generator", net) is None
    for value in (1.0, 2.0, 6.0):
        with torch.no_grad():
            net.weight.fill_(value)
        trick.after_step("generator", net)
    loss = trick.own_loss("generator", net)
    assert loss.item() == pytest.approx(0.5 * (6 - 3) ** 2)
    loss.backward()
    assert net.weight.grad.item() == pytest.approx(2 * 0.5 * (6 - 3))
    assert trick.own_loss("discriminator", net) is None  # each player has its own history


def test_historical_averaging_goes_on_from_its_state():
    net, first, second = torch.nn.Linear(1, 1), HistoricalAveraging(), HistoricalAveraging()
    first.after_step("generator", net)
    second.load_state_dict(first.state_dict())
    with torch.no_grad():
        net.weight.add_(1.0)
    assert torch.equal(first.own_loss("generator", net), second.own_loss("generator", net))


def test_unrolling_is_gradient_descent_with_its_history():
    # D(z) = w z with the Wasserstein loss: w_1 = w + rate (mean x - mean y), and d w_1/dy = -rate/n each.
    net = torch.nn.Sequential(torch.nn.Linear(1, 1, bias=False), torch.nn.Flatten(0))
    x, y = torch.tensor([[1.0], [3.0]]), torch.tensor([[0.0], [1.0]], requires_grad=True)
    loss = OBJECTIVES["wgan"].discriminator_loss
    before = net[0].weight.item()
    for k in (1, 4):
        found = Unrolling(k, rate=0.1).opponent(net, loss, x, y)
        assert found["0.weight"].item() == pytest.approx(before + k * 0.1 * (2.0 - 0.5), rel=1e-5)
        (slope,) = torch.autograd.grad(found["0.weight"].sum(), y)
        assert torch.allclose(slope, torch.full((2, 1), -k * 0.1 / 2))
    assert net[0].weight.item() == before
    assert net[0].weight.grad is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: InstanceNoise(-1.0), "std must be finite and at least 0"),
        (lambda: InstanceNoise(0.1, until=0.0), r"until must be in \(0, 1\]"),
        (lambda: Packing(1), "m"),
        (lambda: HistoricalAveraging(math.inf), "factor must be finite"),
        (lambda: Unrolling(0), "k"),
        (lambda: Unrolling(1, rate=0.0), "rate must be positive"),
    ],
)
def test_settings_of_tricks_are_checked(make, message):
    with pytest.raises(InvalidInput, match=message):
        make()
