"""Objectives: their gradients at the best discriminator are those of the divergences; signs, names, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

torch = pytest.importorskip("torch")

import divkit  # noqa: E402
from divkit import DIVERGENCES, FDivergence, InvalidInput  # noqa: E402
from divkit.gan.objectives import OBJECTIVES, f_gan, resolve_objective, smoothed  # noqa: E402

F_DIVERGENCES = [name for name, div in DIVERGENCES.items() if isinstance(div, FDivergence)]
SMOOTH = [name for name in F_DIVERGENCES if name != "total_variation"]  # whose best discriminator is a step


def on_a_grid(mean=0.7):
    """Points, their weights under P = N(0, 1) and Q = N(mean, 1), and the log ratio."""
    z = torch.linspace(-9, 10, 1901, dtype=torch.float64)
    step = float(z[1] - z[0])
    p, q = (torch.exp(-((z - m) ** 2) / 2) * step / np.sqrt(2 * np.pi) for m in (0.0, mean))
    return z, p, q, (mean**2 - 2 * mean * z) / 2


def raw_output(div, log_ratio):
    """The v with activation(v) = f'(e^l), by bisection."""
    low, high = torch.full_like(log_ratio, -5000.0), torch.full_like(log_ratio, 5000.0)
    target = div.log_ratio.activation(log_ratio)
    for _ in range(90):
        middle = (low + high) / 2
        above = div.variational.activation(middle) < target
        low, high = torch.where(above, middle, low), torch.where(above, high, middle)
    return (low + high) / 2


@pytest.mark.parametrize("name", SMOOTH)
def test_at_the_best_discriminator_the_game_has_the_value_of_the_divergence(name):
    div = DIVERGENCES[name]
    _, p, q, l = on_a_grid()
    bound, zero = f_gan(div).bound, torch.zeros(1, dtype=torch.float64)
    v = raw_output(div, l)
    # A mean over one point is its term: bound(v, 0) + bound(0, v) - bound(0, 0) are both terms of v.
    under_p = torch.stack([bound(u, zero) for u in v[:, None]])
    under_q = torch.stack([bound(zero, u) for u in v[:, None]])
    value = float(p @ under_p + q @ under_q - bound(zero, zero))
    laws = scipy.stats.norm(0, 1), scipy.stats.norm(0.7, 1)
    assert value == pytest.approx(float(divkit.estimate(*laws, div)), abs=2e-6)


@pytest.mark.parametrize("name", SMOOTH)
def test_the_generator_goes_down_the_gradient_of_the_divergence(name):
    # dD(P || Q_m)/dm at fixed best discriminator T is -d/dm E_Q[f*(T)]: the envelope theorem.
    div, mean = DIVERGENCES[name], 0.7
    z, _, q, l = on_a_grid(mean)
    v = raw_output(div, l).numpy()
    conj = np.asarray(div.variational.conj_activation(v))
    slope = float(-(q.numpy() * (z.numpy() - mean)) @ conj)  # by the score of Q
    step = 1e-3
    ends = [float(divkit.estimate(scipy.stats.norm(0, 1), scipy.stats.norm(mean + s, 1), div)) for s in (-step, step)]
    assert slope == pytest.approx((ends[1] - ends[0]) / (2 * step), rel=1e-3)
    loss = f_gan(div).generator_loss(torch.zeros(3), torch.as_tensor(v[900:903]))
    assert float(loss) == pytest.approx(-conj[900:903].mean())


def test_minimax_is_the_objective_of_goodfellow():
    v_p, v_q = torch.tensor([0.3, -1.0]), torch.tensor([2.0, -0.5])
    d_p, d_q = torch.sigmoid(v_p), torch.sigmoid(v_q)
    game = OBJECTIVES["minimax"]
    assert torch.allclose(game.discriminator_loss(v_p, v_q), -(d_p.log().mean() + (1 - d_q).log().mean()))
    assert torch.allclose(game.generator_loss(v_p, v_q), (1 - d_q).log().mean())
    other = OBJECTIVES["non-saturating"]
    assert torch.allclose(other.discriminator_loss(v_p, v_q), game.discriminator_loss(v_p, v_q))
    assert torch.allclose(other.generator_loss(v_p, v_q), -d_q.log().mean())


def test_smoothed_labels_are_matched_by_the_smoothed_ratio():
    _, p, q, _ = on_a_grid()
    label = 0.9
    ratio = label * p / (p + q)
    v = torch.logit(ratio).requires_grad_()
    # The loss with these weights: stationary at D = label p/(p + q).
    softplus = torch.nn.functional.softplus
    loss = p @ (label * softplus(-v) + (1 - label) * softplus(v)) + q @ softplus(v)
    (slope,) = torch.autograd.grad(loss, v)
    assert float(slope.abs().max()) < 1e-12
    for x, y in ((0.3, -0.7), (2.0, 1.0)):
        v_p, v_q = torch.tensor([x]), torch.tensor([y])
        by_hand = label * softplus(-v_p) + (1 - label) * softplus(v_p) + softplus(v_q)
        assert torch.allclose(smoothed(label).discriminator_loss(v_p, v_q), by_hand)
    with pytest.raises(InvalidInput, match=r"label must be in \(0, 1\], got 1.5"):
        smoothed(1.5)


def test_relativistic_players_have_opposite_views_of_pairs():
    v_p, v_q = torch.tensor([1.0, 2.0]), torch.tensor([0.5, 3.0])
    game = OBJECTIVES["relativistic"]
    assert torch.allclose(game.discriminator_loss(v_p, v_q), game.generator_loss(v_q, v_p))
    assert torch.allclose(game.discriminator_loss(v_p, v_q), -torch.sigmoid(v_p - v_q).log().mean())
    assert torch.allclose(game.discriminator_loss(v_p + 7, v_q + 7), game.discriminator_loss(v_p, v_q))


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
def test_players_pull_in_opposite_directions(name):
    objective = OBJECTIVES[name]
    v_p, v_q = torch.tensor([0.1], requires_grad=True), torch.tensor([-0.2], requires_grad=True)
    up, down = torch.autograd.grad(objective.discriminator_loss(v_p, v_q), (v_p, v_q))
    assert up < 0 < down  # data up, model down
    (pulled,) = torch.autograd.grad(objective.generator_loss(v_p, v_q), v_q)
    assert pulled < 0


@pytest.mark.parametrize("name", ["wgan", "wgan-gp", "wgan-lp", "wgan-spectral", "wgan-groupsort"])
def test_the_bound_of_wasserstein_games_is_the_difference_of_means(name):
    objective = OBJECTIVES[name]
    assert float(objective.bound(torch.tensor([2.0, 4.0]), torch.tensor([1.0]))) == 2.0
    assert objective.critic_steps == 5


def test_objectives_are_found_by_name_object_and_divergence():
    assert resolve_objective("wgan-gp") is OBJECTIVES["wgan-gp"]
    assert resolve_objective(OBJECTIVES["minimax"]) is OBJECTIVES["minimax"]
    assert resolve_objective(DIVERGENCES["kl"]).name == "f-gan-kl"
    with pytest.raises(InvalidInput, match=r"one of minimax, non-saturating, wgan, .*; got 'w-gan'"):
        resolve_objective("w-gan")
    with pytest.raises(InvalidInput, match="W_1 takes a constraint"):
        resolve_objective(divkit.Wasserstein(1))
    with pytest.raises(InvalidInput, match="must be an FDivergence"):
        f_gan("kl")
