"""Envelopes of cones: gradients against autograd, slopes, apices among the points, what has to be finite."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from divkit.neural._cones import Cones  # noqa: E402
from divkit.neural.lipschitz import proven_lipschitz, proven_lipschitz_of_each  # noqa: E402
from divkit.neural.nets import critic_stack  # noqa: E402


def some_cones(copies=2, d=3, count=5, softness=0.3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    cones = Cones(copies, d, count, generator).double()
    with torch.no_grad():
        for parameter in (cones.peak_offsets, cones.pit_offsets, cones.balance):
            parameter.normal_(generator=generator)
        cones.balance += 1.5
        cones.log_softness.fill_(math.log(softness))
    return cones


def plain(cones, z):
    """The formula as it stands."""

    def softmin(anchors, offsets, t):
        heights = (z[:, :, None, :] - anchors[:, None]).norm(dim=3) + offsets[:, None]
        return -t[:, None] * torch.logsumexp(-heights / t[:, None, None], dim=2)

    t = cones.log_softness.exp()
    share = cones.shares()[:, None]
    below, above = softmin(cones.peaks, cones.peak_offsets, t[:, 0]), softmin(cones.pits, cones.pit_offsets, t[:, 1])
    return share * -below + (1 - share) * above


@pytest.mark.parametrize("softness", [1.0, 0.1, 0.01])
def test_values_and_gradients_are_those_of_the_formula(softness):
    cones = some_cones(softness=softness)
    z = torch.randn((2, 7, 3), generator=torch.Generator().manual_seed(1), dtype=torch.float64, requires_grad=True)
    weights = torch.randn((2, 7), generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    inputs = [z, *cones.parameters()]
    ours, theirs = cones(z).squeeze(2), plain(cones, z)
    assert torch.allclose(ours, theirs, atol=1e-12)
    for own, other in zip(
        torch.autograd.grad((weights * ours).sum(), inputs),
        torch.autograd.grad((weights * theirs).sum(), inputs),
        strict=True,
    ):
        assert torch.allclose(own, other, atol=1e-10)


def test_single_precision_is_near():
    cones = some_cones()
    z = torch.randn((2, 50, 3), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert torch.allclose(some_cones().float()(z.float()).double(), cones(z), atol=1e-5)


@pytest.mark.parametrize("softness", [1.0, 0.01, 0.0])
def test_no_slope_exceeds_one(softness):
    cones = some_cones(softness=max(softness, 1e-300))
    rng = np.random.default_rng(0)
    a = torch.from_numpy(3 * rng.normal(size=(2, 3000, 3)))
    b = a + torch.from_numpy(10 ** rng.uniform(-5, 1, (2, 3000, 1)) * rng.normal(size=(2, 3000, 3)))
    slopes = (cones(a) - cones(b)).squeeze(2).abs() / (a - b).norm(dim=2)
    assert slopes.max() <= 1 + 1e-9
    assert proven_lipschitz(cones) == pytest.approx(1.0, abs=1e-14)


def test_apices_begin_among_the_points():
    stack = critic_stack(2, width=6, constraint="cones", copies=2)
    x, y = torch.arange(40.0).reshape(2, 10, 2), -torch.arange(12.0).reshape(2, 3, 2)
    stack.place(x, y, torch.Generator().manual_seed(0))
    (cones,) = stack.parts
    for anchors, points in ((cones.peaks, x), (cones.pits, y)):
        for own, seen in zip(anchors.tolist(), points.tolist(), strict=True):
            assert all(apex in seen for apex in own)
    assert len({tuple(apex) for apex in cones.peaks[0].tolist()}) == 6  # none twice while there are enough


def test_shares_out_of_range_are_caught_and_put_right():
    cones = some_cones()
    with torch.no_grad():
        cones.balance += torch.tensor([-100.0, 100.0])
    assert min(proven_lipschitz_of_each(critic_of(cones))) > 5
    cones.project()
    assert cones.shares().tolist() == [0.0, 1.0]
    assert proven_lipschitz(cones) == pytest.approx(1.0, abs=1e-14)


def critic_of(cones):
    stack = critic_stack(3, width=5, constraint="cones", copies=2).double()
    stack.layers[0] = cones
    return stack


def test_what_is_not_finite_is_not_proven():
    stack = critic_stack(2, width=4, constraint="cones", copies=3)
    with torch.no_grad():
        stack.parts[0].balance[1] = math.nan
        stack.parts[0].peaks[2, 0, 0] = math.inf
    assert [math.isinf(k) for k in proven_lipschitz_of_each(stack)] == [False, True, True]
