"""Callbacks: what they add is what the estimators say of the generator's points at that look."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from divkit import InvalidInput, wasserstein1
from divkit.gan.callbacks import HeldOutDistance, ModesHeld, Pictures
from divkit.gan.evaluate import modes
from divkit.gan.problems import load_problem
from divkit.gan.trainer import Trainer

SMALL = {"steps": 6, "batch": 16, "look_every": 2}


def trainer_of(problem):
    return Trainer(
        *problem.players("non-saturating", width=8, depth=1), "non-saturating", problem.points, settings_of(problem)
    )


def settings_of(problem):
    return problem.settings(**SMALL)


def test_the_distance_is_exact_and_in_original_units():
    ring = load_problem("ring", draws=500, rng=0)
    running, seen = trainer_of(ring), []

    def by_hand(own, metrics):
        x, y = (ring.restored(points) for points in (own.sample(80).numpy(), ring.held_out[:80]))
        seen.append((metrics["wasserstein1"], float(wasserstein1(x, y))))

    running.run([HeldOutDistance(ring.held_out, ring.restored, 80), by_hand])
    assert len(seen) == 3
    assert all(added == pytest.approx(own, rel=1e-12) for added, own in seen)
    with pytest.raises(InvalidInput, match="count"):
        HeldOutDistance(ring.held_out, count=0)


def test_points_astray_are_seen_where_the_distance_hardly_notices():
    grid = load_problem("grid", draws=5000, rng=0)

    class Drawn:
        """Points of the law, a few of them half way to the next mode."""

        def __init__(self, astray):
            self.points = grid.held_out[1000:2000].copy()
            self.points[: int(1000 * astray)] += 0.35  # times 2.8, the scale, is 1: half of what modes are apart

        def sample(self, count):
            import torch

            return torch.tensor(self.points[:count])

    watch, found = HeldOutDistance(grid.held_out, grid.restored, seen=grid.points), {}
    for astray in (0.0, 0.05):
        watch(Drawn(astray), metrics := {})
        found[astray] = metrics
    assert found[0.0]["stray"] < 0.03
    assert found[0.0]["excess"] < 2
    assert found[0.05]["stray"] == pytest.approx(0.05 + found[0.0]["stray"], abs=0.005)
    assert found[0.05]["excess"] == pytest.approx((found[0.05]["stray"] + 0.01) / 0.02)
    assert found[0.05]["wasserstein1"] < 2 * found[0.0]["wasserstein1"]


def test_images_are_compared_pixel_by_pixel():
    digits = load_problem("digits", draws=64, rng=0)
    running, metrics = trainer_of(digits), {}
    HeldOutDistance(digits.held_out, count=20)(running, metrics)
    x, y = running.sample(20).numpy().reshape(20, -1), digits.held_out[:20].reshape(20, -1)
    assert metrics["wasserstein1"] == pytest.approx(float(wasserstein1(x, y)), rel=1e-12)


def test_modes_are_counted_at_each_look():
    ring = load_problem("ring", draws=500, rng=0)
    running, metrics = trainer_of(ring), {}
    ModesHeld(ring.law, ring.restored, 300)(running, metrics)
    report = modes(ring.restored(running.sample(300).numpy()), ring.law)
    assert (metrics["captured"], metrics["high_quality"]) == (report.captured, report.high_quality)
    assert ("reverse_kl" in metrics) == (report.captured > 0)


@pytest.mark.parametrize("name", ["ring", "fgan-mixture", "digits"])
def test_pictures_are_drawn_after_equal_parts_of_the_training(tmp_path, name):
    problem = load_problem(name, draws=100, rng=0)
    trainer_of(problem).run([Pictures(problem.points, tmp_path, problem.restored, name, count=3)])
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"step-{step:07d}.png" for step in (2, 4, 6)]


def test_flattened_images_go_to_perceptrons_and_back():
    digits = load_problem("digits", draws=64, rng=0)
    flat = digits.flattened()
    assert flat.points.shape == (64, 64)
    assert np.array_equal(flat.restored(flat.held_out).reshape(digits.held_out.shape), digits.restored(digits.held_out))
    running = trainer_of(flat)
    running.run()
    assert running.sample(3).shape == (3, 64)
