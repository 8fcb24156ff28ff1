"""Modes that points have reached: counted by hand, and for perfect samplers."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from divkit import InvalidInput  # noqa: E402
from divkit.datasets import GaussianMixture, grid_mixture, ring_mixture  # noqa: E402
from divkit.gan.evaluate import modes  # noqa: E402


@pytest.mark.parametrize(("law", "count"), [(ring_mixture(), 8), (grid_mixture(), 25)])
def test_a_perfect_sampler_reaches_all_modes(law, count):
    found = modes(law.sample(20_000, 0), law)
    assert (found.captured, found.components) == (count, count)
    assert found.high_quality == pytest.approx(1 - math.exp(-4.5), abs=4 * 0.00074)  # four standard errors
    # 2 n KL is about chi2 with count - 1 degrees of freedom.
    assert found.reverse_kl < (count - 1 + 5 * math.sqrt(2 * (count - 1))) / (2 * 20_000)


def test_modes_are_counted_by_hand():
    law = GaussianMixture([0.5, 0.5], means=[[0.0, 0.0], [10.0, 0.0]], covariances=[1.0, 4.0])
    points = [[0.0, 0.0], [2.9, 0.0], [0.0, 3.1], [10.0, 5.9], [10.0, 6.1]]
    found = modes(points, law)
    assert found.counts == (2, 1)
    assert (found.captured, found.high_quality) == (2, 0.6)
    assert found.reverse_kl == pytest.approx(2 / 3 * math.log(4 / 3) + 1 / 3 * math.log(2 / 3))


def test_correlated_components_have_elliptic_modes():
    law = GaussianMixture([1.0], means=[[0.0, 0.0]], covariances=[[[1.0, 0.9], [0.9, 1.0]]])
    assert modes([[2.0, 2.0]], law).captured == 1
    assert modes([[2.0, -2.0]], law).captured == 0


def test_points_that_reach_nothing_are_infinitely_far():
    found = modes(np.full((5, 2), 100.0), ring_mixture())
    assert (found.captured, found.high_quality, found.reverse_kl) == (0, 0.0, math.inf)


@pytest.mark.parametrize(
    ("points", "message"), [(np.zeros((3, 3)), "must have 2 columns"), ([[math.nan, 0.0]], "points")]
)
def test_other_points_are_refused(points, message):
    with pytest.raises(InvalidInput, match=message):
        modes(points, ring_mixture())
