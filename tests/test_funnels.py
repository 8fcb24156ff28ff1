"""The public W_1 benchmark, rebuilt: draws move along rays of slope 1, so that the truth has two faces."""

from __future__ import annotations

import importlib
import sys

import numpy as np
import pytest
from fdiv_benchmark import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
try:
    funnels = importlib.import_module("_funnels")
finally:
    sys.path.remove(str(ROOT / "benchmarks"))

TASKS = funnels.funnels()


def u(task, points):
    return (np.linalg.norm(points[:, None] - task.centres, axis=2) + task.offsets).min(axis=1)


@pytest.mark.parametrize("name", TASKS)
def test_a_point_moves_as_far_as_the_potential_falls_and_stays_in_the_cube(name):
    task = TASKS[name]
    y = np.random.default_rng(0).uniform(-2.5, 2.5, (500, task.d))
    x, far = task.moved(y)
    assert far == pytest.approx(u(task, y) - u(task, x), abs=1e-9)
    assert far == pytest.approx(np.linalg.norm(x - y, axis=1), abs=1e-9)
    assert np.abs(x).max() <= 2.5 + 1e-9


# From 200,000 draws by other code, to three digits.
@pytest.mark.parametrize(("name", "known"), [("2_4", 0.822), ("16_4", 1.948), ("16_64", 1.548), ("2_64", 0.228)])
def test_the_truths_are_those_known(name, known):
    truth, error = TASKS[name].truth(20_000, np.random.default_rng(0))
    assert truth == pytest.approx(known, abs=4 * error + 1e-3)


def test_published_values_have_every_task():
    assert set(funnels.published()) == set(TASKS)
