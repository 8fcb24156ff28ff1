"""The truths of the benchmark of estimates from samples are true, and its formulas are those of the papers."""

from __future__ import annotations

import importlib.util
import math
from typing import Any

import numpy as np
import pytest
from fdiv_benchmark import peers, problems
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import digamma, gamma
from scipy.stats import norm

from divkit import as_measure

TASKS = problems.tasks()
every_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
GAUSSIAN_SHIFTS = [task for task in TASKS if "Gaussian" in task.kind and "correlated" not in task.kind]


def value(task: Any, divergence: str) -> float:
    """The truth, from few draws where it comes from draws."""
    return float(problems.truth(task, divergence, draws=100_000).value)


@every_task
def test_kl_is_the_mean_log_ratio_under_p(task: Any) -> None:
    p, q = (as_measure(law) for law in task.laws())
    x = p.draw(100_000, np.random.default_rng(1))
    ratios = p.log_density(x) - q.log_density(x)
    # Five standard errors of the mean: 6e-7 for each of some twenty tasks. Equal laws have log ratios of exactly 0.
    assert abs(value(task, "kl") - ratios.mean()) <= 5 * ratios.std() / math.sqrt(len(x))


@every_task
def test_squared_hellinger_is_a_mean_of_the_log_ratio_under_the_mixture(task: Any) -> None:
    p, q = (as_measure(law) for law in task.laws())
    rng = np.random.default_rng(2)
    x = np.concatenate([p.draw(50_000, rng), q.draw(50_000, rng)])
    l = p.log_density(x) - q.log_density(x)
    # (sqrt p - sqrt q)^2 over (p + q)/2 is 2 - 2 sech(l/2).
    terms = 2 - 2 / np.cosh(l / 2)
    assert abs(value(task, "squared_hellinger") - terms.mean()) <= 5 * terms.std() / math.sqrt(len(x))


@every_task
def test_the_truths_of_a_task_obey_the_inequalities_between_divergences(task: Any) -> None:
    kl, jsd, square, tv = (value(task, name) for name in ("kl", "jsd", "squared_hellinger", "total_variation"))
    chi2 = value(task, "pearson_chi2")
    # Values from 100,000 draws are off by 0.002 at most; no inequality is as tight as that but for equal laws, where
    # all are 0 exactly.
    assert square / 2 <= tv <= math.sqrt(square)
    assert 2 * tv**2 <= kl <= math.log1p(chi2)
    assert jsd <= math.log(2) * tv


@pytest.mark.parametrize("task", GAUSSIAN_SHIFTS, ids=lambda task: task.name)
def test_total_variation_of_shifted_gaussians_is_the_known_function_of_kl(task: Any) -> None:
    half = math.sqrt(2 * value(task, "kl")) / 2  # half the shift
    assert value(task, "total_variation") == pytest.approx(2 * norm.cdf(half) - 1, abs=1e-12)


def test_the_chi2_of_a_laplace_law_against_a_normal_one_is_infinite() -> None:
    assert value(problems.task_of("Laplace against normal, d = 3"), "pearson_chi2") == math.inf


@pytest.mark.parametrize("d", [4, 10])
def test_the_reduction_of_correlated_gaussians_keeps_the_hellinger_distance(d: int) -> None:
    task = problems.task_of(f"correlated Gaussians, d = {d}")
    plain, summed = problems._closed_form(task, "squared_hellinger"), problems._in_the_plane(task, "squared_hellinger")
    assert summed.value == pytest.approx(plain.value, rel=1e-10)  # 801^2 positive terms, rounding only


@every_task
def test_draws_are_read_only_and_repeat_themselves(task: Any) -> None:
    x, y = task.draw(30, 20, 1)
    again, _ = task.draw(30, 20, 1)
    assert (x.shape, y.shape) == ((30, task.d), (20, task.d))
    assert not x.flags.writeable
    assert not y.flags.writeable
    np.testing.assert_array_equal(x, again)


def test_two_draws_of_a_task_differ() -> None:
    assert not np.array_equal(TASKS[0].draw(30, 30, 0)[0], TASKS[0].draw(30, 30, 1)[0])


def test_the_half_cube_is_undone_by_its_inverse() -> None:
    z = np.linspace(-3, 3, 13)
    image = problems._half_cube(z)
    # |image| = |z|^(3/2); a handful of roundings of numbers below 6.
    np.testing.assert_allclose(np.sign(image) * np.abs(image) ** (2 / 3), z, atol=1e-14)


samples = st.integers(0, 2**32 - 1).map(
    lambda seed: tuple(np.random.default_rng([seed, side]).normal(side / 3, 1, (12 + 3 * side, 2)) for side in (0, 1))
)


def sorted_distances(x: Any, y: Any, norm: float) -> Any:
    return np.sort(np.linalg.norm(x[:, None] - y, ord=norm, axis=2), axis=1)  # (n, m)


@given(samples)
def test_the_knn_kl_of_npeet_and_ite_is_the_papers_formula(pair: Any) -> None:
    x, y = pair
    for order in (2.0, math.inf):
        own, other = sorted_distances(x, x, order)[:, 3], sorted_distances(x, y, order)[:, 2]  # own starts with 0
        expected = 2 / len(x) * np.log(other / own).sum() + math.log(len(y) / (len(x) - 1))
        assert peers.knn_kl(peers.Pair(x, y), order) == pytest.approx(expected, abs=1e-12)


@given(samples)
def test_the_adaptive_knn_kl_is_the_papers_equation(pair: Any) -> None:
    x, y = pair
    own, other = sorted_distances(x, x, 2), sorted_distances(x, y, 2)
    total = 0.0
    for mine, theirs in zip(own, other, strict=True):
        reach = max(mine[1], theirs[0]) * (1 + 1e-9)
        l, k = int((mine <= reach).sum()) - 1, int((theirs <= reach).sum())
        total += 2 * math.log(theirs[k - 1] / mine[l]) + digamma(l) - digamma(k)
    expected = total / len(x) + math.log(len(y) / (len(x) - 1))
    assert peers.knn_kl_adaptive(peers.Pair(x, y)) == pytest.approx(expected, abs=1e-11)


@given(samples, st.sampled_from([-0.5, 1.0]))
def test_the_power_integral_is_a_ratio_of_two_density_estimates(pair: Any, a: float) -> None:
    x, y = pair
    own, other = sorted_distances(x, x, 2)[:, 3], sorted_distances(x, y, 2)[:, 2]
    p, q = 1 / ((len(x) - 1) * math.pi * own**2), 1 / (len(y) * math.pi * other**2)  # without their factor k
    expected = np.mean((p / q) ** a) * gamma(3) ** 2 / (gamma(3 - a) * gamma(3 + a))
    assert peers.knn_power(peers.Pair(x, y), a) == pytest.approx(expected, rel=1e-12)


def test_the_knn_entropy_of_evenly_spaced_points_is_that_of_the_formula() -> None:
    # Ten points at distance 1 on a line: the third neighbour is 3 away at both ends, 2 away next to the ends
    # (1, 1, 2) and everywhere else (1, 1, 2).
    points = np.arange(10.0)[:, None]
    logs = (2 * math.log(3) + 8 * math.log(2)) / 10
    assert peers.knn_entropy(points) == pytest.approx(math.log(9) - digamma(3) + math.log(2) + logs, abs=1e-14)


def test_the_entropy_formula_finds_the_entropy_of_a_normal_law() -> None:
    points = np.random.default_rng(0).standard_normal((20_000, 2))
    # Standard error of the mean of -log p, sqrt(d/2), and of log radii, sqrt(psi'(3)), each over sqrt n: 0.009.
    assert peers.knn_entropy(points) == pytest.approx(1 + math.log(2 * math.pi), abs=0.04)


@pytest.mark.skipif(importlib.util.find_spec("universal_divergence") is None, reason="the peer is not installed")
def test_universal_divergence_follows_the_adaptive_equation() -> None:
    x, y = (np.random.default_rng(side).normal(side / 2, 1, (60, 3)) for side in (0, 1))
    pair = peers.Pair(x, y)
    assert peers._universal(pair) == pytest.approx(peers.knn_kl_adaptive(pair), abs=1e-9)


@pytest.mark.parametrize("peer", [peer for peer in peers.PEERS if peer.package is None], ids=lambda peer: peer.name)
def test_reverse_kl_of_a_formula_is_its_kl_with_the_samples_exchanged(peer: Any) -> None:
    x, y = TASKS[1].draw(50, 40, 0)
    assert peer.offers["reverse_kl"](peers.Pair(x, y)) == peer.offers["kl"](peers.Pair(y, x))
