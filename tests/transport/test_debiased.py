"""The debiased Sinkhorn divergence against a dense solver and its own laws."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

import divkit
from divkit import InvalidInput, NotConverged
from divkit.transport.debiased import sinkhorn_divergence


def dense(x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray, p: float, epsilon: float) -> float:
    """The regularised cost, by thousands of plain steps on the whole matrix."""
    costs = cdist(x, y) ** p
    f, g = np.zeros(len(a)), np.zeros(len(b))
    for _ in range(3000):
        f = -epsilon * logsumexp((g - costs) / epsilon + np.log(b), axis=1)
        g = -epsilon * logsumexp((f - costs.T) / epsilon + np.log(a), axis=1)
    return float(a @ f + b @ g)


def debiased(x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray, p: float, epsilon: float) -> float:
    own = (dense(side, side, masses, masses, p, epsilon) for side, masses in ((x, a), (y, b)))
    return dense(x, y, a, b, p, epsilon) - sum(own) / 2


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("epsilon", [0.2, 1.0, 20.0])
def test_against_a_dense_solver(p: float, epsilon: float, rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(12, 2)), rng.normal(size=(9, 2)) + 1.0
    a, b = rng.dirichlet(np.ones(12)), rng.dirichlet(np.ones(9))
    found = sinkhorn_divergence(x, y, a, b, p=p, epsilon=epsilon)
    low, high = found.interval
    truth = debiased(x, y, a, b, p, epsilon)
    assert low - 1e-9 <= truth <= high + 1e-9
    assert high - low <= 1e-3 * high + 2e-5 * (cdist(x, y) ** p).mean()
    assert low <= found <= high
    assert found.info["epsilon"] == pytest.approx(epsilon)


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.sampled_from([1.0, 2.0]), st.floats(0.05, 5.0))
def test_laws(seed: int, p: float, epsilon: float) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(8, 2)), rng.normal(size=(6, 2))
    found = sinkhorn_divergence(x, y, p=p, epsilon=epsilon)
    assert found.interval[0] >= 0.0
    back = sinkhorn_divergence(y[::-1], x, p=p, epsilon=epsilon)
    assert back.interval[0] <= found.interval[1]
    assert found.interval[0] <= back.interval[1]
    scaled = sinkhorn_divergence(1e6 * x + 3e6, 1e6 * y + 3e6, p=p, epsilon=epsilon * 1e6**p)
    assert scaled == pytest.approx(float(found) * 1e6**p, rel=3e-3, abs=3e-4 * 1e6**p)
    same = sinkhorn_divergence(x, x[::-1], p=p, epsilon=epsilon)
    assert same.interval[0] == 0.0
    assert same < 1e-3


def test_a_shift_is_seen_whole_at_every_epsilon(rng: np.random.Generator) -> None:
    x = rng.normal(size=(30, 3))
    for epsilon in (0.1, 1.0, 10.0):
        assert sinkhorn_divergence(x, x + np.array([3.0, 4.0, 0.0]), epsilon=epsilon) == pytest.approx(25.0, rel=1e-3)


def test_between_transport_and_energy(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(15, 2)), 2.0 * rng.normal(size=(12, 2)) + 1.0
    near = sinkhorn_divergence(x, y, p=2, epsilon=0.01)
    assert near == pytest.approx(float(divkit.wasserstein(x, y, p=2)) ** 2, rel=0.02)
    far = sinkhorn_divergence(x, y, p=1, epsilon=1e4)
    energy = 2 * cdist(x, y).mean() - cdist(x, x).mean() - cdist(y, y).mean()
    assert far == pytest.approx(energy / 2, rel=2e-3)


@pytest.mark.parametrize("epsilon", [1e3, 1e6])
def test_the_interval_holds_where_rounding_of_the_entropy_is_most_of_it(
    epsilon: float, rng: np.random.Generator
) -> None:
    x, y = rng.normal(size=(15, 2)), rng.normal(size=(12, 2)) + 1.0
    low, high = sinkhorn_divergence(x, y, p=1, epsilon=epsilon).interval
    energy = 2 * cdist(x, y).mean() - cdist(x, x).mean() - cdist(y, y).mean()
    # The next term of the expansion is at most the largest variance of a cost over epsilon.
    assert low - 16 / epsilon <= energy / 2 <= high + 16 / epsilon


def test_weights_are_multiplicities(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(6, 2)), rng.normal(size=(5, 2))
    repeated = sinkhorn_divergence(np.repeat(x, [1, 2, 3, 1, 1, 1], axis=0), y, epsilon=0.5)
    weighted = sinkhorn_divergence(x, y, [1, 2, 3, 1, 1, 1], epsilon=0.5)
    assert weighted == pytest.approx(float(repeated), rel=5e-3)
    without = sinkhorn_divergence(np.concatenate([x, [[50.0, 50.0]]]), y, [1, 2, 3, 1, 1, 1, 0], epsilon=0.5)
    assert without == pytest.approx(float(repeated), rel=5e-3)


@pytest.mark.parametrize("scale", [1e-140, 1e140])
def test_any_scale_whose_costs_are_floats(scale: float, rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(8, 2)), rng.normal(size=(6, 2))
    found = sinkhorn_divergence(x * scale, y * scale)
    assert found == pytest.approx(float(sinkhorn_divergence(x, y)) * scale**2, rel=1e-9)


def test_one_point_and_equal_points() -> None:
    assert sinkhorn_divergence([1.0], [3.0]) == pytest.approx(4.0)
    assert sinkhorn_divergence([1.0, 1.0], [1.0]) == 0.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"p": math.inf}, "p must be finite"),
        ({"p": 0.5}, "p must be"),
        ({"epsilon": 0.0}, "epsilon must be a positive"),
        ({"tolerance": -1}, "tolerance must be a positive"),
        ({"max_iterations": 0}, "max_iterations"),
        ({"x_weights": [1.0]}, "weights"),
    ],
)
def test_bad_settings_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        sinkhorn_divergence([0.0, 1.0], [2.0, 3.0], **options)


def test_bad_points_are_refused() -> None:
    for x, y, message in (
        ([], [1.0], "empty"),
        ([math.nan], [1.0], "finite"),
        (np.zeros((2, 2)), np.zeros((2, 3)), "same number of columns"),
        ([1e300], [-1e300], "range of float64"),
    ):
        with pytest.raises(InvalidInput, match=message):
            sinkhorn_divergence(x, y)


def test_no_unconverged_number(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(30, 2)), rng.normal(size=(30, 2)) + 5.0
    with pytest.raises(NotConverged, match="max_iterations") as caught:
        sinkhorn_divergence(x, y, epsilon=1e-4, max_iterations=3)
    assert caught.value.info["lower"] <= caught.value.info["upper"]
