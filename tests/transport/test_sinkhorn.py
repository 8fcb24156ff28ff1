"""Sinkhorn's bracket holds the exact value whenever it stops, and is as narrow as asked for."""

from __future__ import annotations

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from strategies import masses, point_sets

import divkit
from divkit.transport._streamed import Streamed
from divkit.transport.sinkhorn import Sinkhorn


def normals(rng: np.random.Generator, *shape: int) -> Any:
    found = rng.normal(size=shape)
    found.flags.writeable = False
    return found


@given(st.data(), st.sampled_from([1.0, 2.0, 2.5]), st.sampled_from([1, 7, 60]))
def test_the_bracket_holds_the_exact_value_wherever_it_stops(data: st.DataObject, p: float, steps: int) -> None:
    d = data.draw(st.integers(1, 3))
    x, y = data.draw(point_sets(d)), data.draw(point_sets(d))
    a, b = data.draw(masses(len(x))), data.draw(masses(len(y)))
    truth = divkit.wasserstein(x, y, a, b, p=p, method="emd")
    found = divkit.wasserstein(x, y, a, b, p=p, method=Sinkhorn(max_iterations=steps, on_limit="bracket"))
    assert found.interval is not None
    low, high = found.interval
    # A c-transform and sums of costs in float64, of distances up to `far`; p-th roots for values near 0.
    far = float(np.ptp(np.concatenate([x, y]), axis=0).max()) * math.sqrt(d)
    slack = far * (1e-12 ** (1 / p) if truth < 1e-3 * far else 1e-9)
    assert low <= truth + slack
    assert truth - slack <= high == found
    assert found.bound == "upper"


@pytest.mark.parametrize("p", [1.0, 2.0])
@pytest.mark.parametrize(("n", "m", "d"), [(200, 200, 2), (150, 320, 10), (400, 50, 1)])
def test_it_is_as_narrow_as_asked_for(p: float, n: int, m: int, d: int, rng: np.random.Generator) -> None:
    x, y = normals(rng, n, d), normals(rng, m, d) + 0.5
    truth = divkit.wasserstein(x, y, p=p)
    found = divkit.wasserstein(x, y, p=p, method=Sinkhorn(tolerance=0.02))
    assert found.interval is not None
    low, high = found.interval
    assert low <= truth <= high
    assert high**p - low**p <= 0.02 * high**p


def test_a_step_is_what_dense_log_sums_give(rng: np.random.Generator) -> None:
    x, y = normals(rng, 30, 3) / 8, normals(rng, 40, 3) / 8
    a, b, g = rng.dirichlet(np.ones(30)), rng.dirichlet(np.ones(40)), 0.1 * normals(rng, 40)
    f, again = Streamed(x, y, a, b, 1.0).half_steps(np.zeros(30, np.float32), g.astype(np.float32), 0.05, 1.0)
    costs = cdist(x, y)
    expected = -0.05 * logsumexp((g - costs) / 0.05, b=b, axis=1)
    assert f == pytest.approx(expected, abs=1e-5)
    assert again == pytest.approx(-0.05 * logsumexp((expected[:, None] - costs) / 0.05, b=a[:, None], axis=0), abs=1e-5)


def test_what_is_repaired_vanishes_with_more_steps(rng: np.random.Generator) -> None:
    x, y = normals(rng, 100, 2) / 8, normals(rng, 90, 2) / 8
    problem = Streamed(x, y, np.full(100, 0.01), np.full(90, 1 / 90), 1.0)
    f, g = np.zeros(100, np.float32), np.zeros(90, np.float32)
    repaired = []
    for steps in (1, 10, 200):
        for _ in range(steps):
            f, g = problem.half_steps(f, g, 0.02, 1.0)
        repaired.append(problem.bracket(f, g, 0.02).repaired)
    assert repaired[0] > repaired[1] > repaired[2]
    assert repaired[2] < 1e-6  # float32


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_units_and_offsets_are_those_of_the_points(scale: float, rng: np.random.Generator) -> None:
    x, y = np.round(normals(rng, 40, 2), 3), np.round(normals(rng, 50, 2) + 1, 3)
    plain = divkit.wasserstein1(x, y, method="sinkhorn")
    assert divkit.wasserstein1(scale * x, scale * y, method="sinkhorn") / scale == pytest.approx(float(plain), rel=1e-3)
    assert divkit.wasserstein1(x + 2.0**27, y + 2.0**27, method="sinkhorn") == pytest.approx(float(plain), rel=1e-3)


def test_points_without_mass_change_nothing(rng: np.random.Generator) -> None:
    x, y = normals(rng, 30, 2), normals(rng, 30, 2)
    weights = rng.random(30) + 0.1
    padded = np.vstack([x, [[1e3, 1e3]]]), np.append(weights, 0.0)
    plain = divkit.wasserstein1(x, y, weights, method="sinkhorn")
    assert divkit.wasserstein1(padded[0], y, padded[1], method="sinkhorn") == float(plain)


def test_equal_sets_and_single_points_are_no_trouble() -> None:
    x = np.random.default_rng(0).normal(size=(60, 3))
    same = divkit.wasserstein1(x, x[::-1], method="sinkhorn")
    assert same.interval is not None
    assert same.interval[0] == 0.0
    assert same < 1e-3
    assert divkit.wasserstein1([[1.0, 1.0]], [[4.0, 5.0]], method="sinkhorn") == pytest.approx(5.0, rel=1e-9)
    assert divkit.wasserstein1(np.ones((5, 2)), np.ones((4, 2)), method="sinkhorn") == 0.0


def test_a_far_outlier_does_not_hide_the_others(rng: np.random.Generator) -> None:
    x, y = normals(rng, 50, 2), normals(rng, 50, 2)
    x, y = np.vstack([x, [[1e4, 0.0]]]), np.vstack([y, [[1e4, 0.0]]])
    truth = divkit.wasserstein1(x, y)
    found = divkit.wasserstein1(x, y, method=Sinkhorn(on_limit="bracket", max_iterations=300))
    assert found.interval is not None
    assert found.interval[0] <= truth <= found.interval[1]


def test_no_array_of_all_pairs_is_made(rng: np.random.Generator) -> None:
    x, y = normals(rng, 4000, 3), normals(rng, 4000, 3)
    problem = Streamed(x / 8, y / 8, np.full(4000, 1 / 4000), np.full(4000, 1 / 4000), 1.0)
    f = np.zeros(4000, np.float32)
    problem.half_steps(f, f, 0.1, 1.0)
    tracemalloc.start()
    f, g = problem.half_steps(f, f, 0.1, 1.0)
    problem.bracket(f, g, 0.1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4000 * 4000 * 4 / 1.2  # of float32; blocks of 2^20 pairs for each thread, a few at a time


def test_where_steps_run_out_the_bracket_is_in_the_error(rng: np.random.Generator) -> None:
    x, y = normals(rng, 50, 2), normals(rng, 50, 2)
    with pytest.raises(divkit.NotConverged, match=r"sinkhorn holds wasserstein1 between .* after 3 steps") as caught:
        divkit.wasserstein1(x, y, method=Sinkhorn(max_iterations=3))
    assert caught.value.info["lower"] <= divkit.wasserstein1(x, y) <= caught.value.info["upper"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tolerance": 0.0}, r"tolerance must be a number in \(0, 1\)"),
        ({"max_iterations": 0}, "max_iterations must be an integer >= 1"),
        ({"on_limit": "warn"}, "on_limit must be 'raise' or 'bracket'"),
    ],
)
def test_settings_that_are_none_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(divkit.InvalidInput, match=message):
        Sinkhorn(**options)


def test_what_it_cannot_do_is_said() -> None:
    with pytest.raises(divkit.Unsupported, match="p must be finite"):
        divkit.wasserstein([1.0], [2.0], p=np.inf, method="sinkhorn")
