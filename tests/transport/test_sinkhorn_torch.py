"""Sinkhorn's bracket in torch holds the exact value too, by the same steps, and needs no array of all pairs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import masses, point_sets

import divkit
from divkit.transport.sinkhorn import Sinkhorn

torch = pytest.importorskip("torch")

from divkit.transport import _streamed_torch  # noqa: E402
from divkit.transport._streamed import Streamed  # noqa: E402
from divkit.transport._streamed_torch import StreamedTorch  # noqa: E402

ON_GPU = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")]
DEVICES = ["cpu", pytest.param("cuda", marks=ON_GPU)]


def pair_of(rng: np.random.Generator, n: int, m: int, d: int, p: float, device: str) -> tuple[Streamed, StreamedTorch]:
    """The same problem for both."""
    x, y = rng.uniform(-0.5, 0.5, (n, d)) / math.sqrt(d), rng.uniform(-0.5, 0.5, (m, d)) / math.sqrt(d)
    a, b = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))
    return Streamed(x, y, a, b, p), StreamedTorch(x, y, a, b, p, torch.device(device))


@pytest.mark.parametrize("device", DEVICES)
@given(st.data(), st.sampled_from([1.0, 2.0, 2.5]), st.sampled_from([1, 7, 60]))
def test_the_bracket_holds_the_exact_value_wherever_it_stops(
    device: str, data: st.DataObject, p: float, steps: int
) -> None:
    d = data.draw(st.integers(1, 3))
    x, y = data.draw(point_sets(d)), data.draw(point_sets(d))
    a, b = data.draw(masses(len(x))), data.draw(masses(len(y)))
    truth = divkit.wasserstein(x, y, a, b, p=p, method="emd")
    method = Sinkhorn(max_iterations=steps, on_limit="bracket", device=device)
    found = divkit.wasserstein(x, y, a, b, p=p, method=method)
    assert found.interval is not None
    low, high = found.interval
    # A certificate of float64 for distances up to that; p-th roots for values near 0.
    slack = 1e-12 ** (1 / p) * float(np.ptp(np.concatenate([x, y]), axis=0).max()) * math.sqrt(d)
    assert low <= truth + slack
    assert truth - slack <= high == found


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_steps_and_brackets_are_those_of_numpy(device: str, p: float, rng: np.random.Generator) -> None:
    plain, ours = pair_of(rng, 70, 50, 4, p, device)
    (f, g), (u, v) = plain.start(), ours.start()
    for _ in range(5):
        f, g = plain.half_steps(f, g, 0.05, 1.7)
        u, v = ours.half_steps(u, v, 0.05, 1.7)
    assert u.cpu().numpy() == pytest.approx(f, abs=1e-5)
    assert v.cpu().numpy() == pytest.approx(g, abs=1e-5)
    place = u.device
    same = ours.bracket(torch.as_tensor(f, device=place), torch.as_tensor(g, device=place), 0.05)
    assert same == pytest.approx(plain.bracket(f, g, 0.05), rel=1e-6, abs=ours.rounding())


@pytest.mark.parametrize("device", DEVICES)
def test_blocks_change_nothing(device: str, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(90, 3)), rng.normal(size=(40, 3)) + 0.5
    whole = divkit.wasserstein1(x, y, method=Sinkhorn(device=device))
    for name in ("ENTRIES", "_LAUNCHED"):
        monkeypatch.setattr(_streamed_torch, name, 7 * 40)
    cut = divkit.wasserstein1(x, y, method=Sinkhorn(device=device))
    assert cut.interval == pytest.approx(whole.interval, rel=1e-4)  # steps in float32, sums in another order
    assert cut.info["iterations"] == whole.info["iterations"]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_units_and_offsets_are_those_of_the_points(device: str, scale: float, rng: np.random.Generator) -> None:
    x, y = np.round(rng.normal(size=(40, 2)), 3), np.round(rng.normal(size=(50, 2)) + 1, 3)
    plain = float(divkit.wasserstein1(x, y, method="sinkhorn"))
    method = Sinkhorn(device=device)
    assert divkit.wasserstein1(scale * x, scale * y, method=method) / scale == pytest.approx(plain, rel=1e-3)
    assert divkit.wasserstein1(x + 2.0**27, y + 2.0**27, method=method) == pytest.approx(plain, rel=1e-3)


@pytest.mark.parametrize("device", DEVICES)
def test_points_that_meet_are_at_no_distance(device: str) -> None:
    x = np.random.default_rng(0).normal(size=(60, 3))
    method = Sinkhorn(device=device)
    same = divkit.wasserstein1(x, x[::-1], method=method)
    assert same.interval is not None
    assert same.interval[0] == 0.0
    assert same < 1e-3
    assert divkit.wasserstein1(np.ones((5, 2)), np.ones((4, 2)), method=method) == 0.0
    assert divkit.wasserstein1([[1.0, 1.0]], [[4.0, 5.0]], method=method) == pytest.approx(5.0, rel=1e-6)


def test_near_points_far_from_the_others_are_within_the_rounding_that_is_said(rng: np.random.Generator) -> None:
    near = rng.uniform(-1e-9, 1e-9, (30, 2)) + 0.35
    _, ours = pair_of(rng, 5, 5, 2, 1.0, "cpu")
    costs = next(ours._costs(*(torch.as_tensor(own) for own in (near, near[::-1].copy()))))[1].numpy()
    exact = np.linalg.norm(near[:, None] - near[::-1][None], axis=2)
    assert np.abs(costs - exact).max() <= ours.rounding() / 2
    assert np.abs(costs - exact).max() > 1e-12  # inner products do lose what differences keep


class Unsteady(StreamedTorch):
    """One whose third pass over all pairs finds the last column farther away than the others do."""

    passes = 0
    off = 1e-3

    def _costs(self, own: Any, other: Any) -> Any:
        self.passes += 1
        for rows, costs in super()._costs(own, other):
            if self.passes == 3:
                costs[:, -1] += self.off
            yield rows, costs


def test_a_device_that_does_not_repeat_itself_proves_nothing_wrong() -> None:
    x, y = np.array([[-0.2, 0.0]]), np.array([[-0.2, 0.0], [0.3, 0.0]])
    problem = Unsteady(x, y, np.ones(1), np.full(2, 0.5), 1.0, torch.device("cpu"))
    f = torch.zeros(1)
    g = torch.tensor([-1e-4, 0.5])  # whose plan is the one that there is, of cost 0.25, but for some of what stays
    kept, repaired = problem._from_above(f.double(), g.double(), problem.off)
    assert kept < 0.1  # most of what goes far has got lost
    assert kept + repaired >= 0.25


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_no_array_of_all_pairs_is_on_the_device() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60_000, 10)), rng.normal(size=(60_000, 10)) + 0.2
    torch.cuda.reset_peak_memory_stats()
    found = divkit.wasserstein1(x, y, method=Sinkhorn(device="cuda"))
    assert found.interval is not None
    assert found.interval[1] - found.interval[0] <= 0.0101 * found.interval[1]
    assert torch.cuda.max_memory_allocated() < 4e9  # a few blocks of half a gigabyte; all pairs are 14 in float32


@pytest.mark.parametrize("device", ["nowhere", "meta", 3])
def test_a_device_that_is_not_there_is_refused(device: Any) -> None:
    with pytest.raises(divkit.InvalidInput, match="device must be"):
        divkit.wasserstein1([[1.0]], [[2.0]], method=Sinkhorn(device=device))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is CUDA here")
def test_without_cuda_that_is_said() -> None:
    with pytest.raises(divkit.InvalidInput, match=r"device must be one on which torch can hold float64 here.*'cuda'"):
        divkit.wasserstein1([[1.0]], [[2.0]], method=Sinkhorn(device="cuda"))
