"""Modes that points have reached: counted by hand, and for perfect samplers."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from divkit import InvalidInput, wasserstein1  # noqa: E402
from divkit.datasets import GaussianMixture, grid_mixture, ring_mixture  # noqa: E402
from divkit.gan.evaluate import classes, modes, quality  # noqa: E402


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


def normal(n, seed, shift=0.0):
    return np.random.default_rng(seed).normal(shift, 1.0, (n, 3))


def test_equal_laws_are_as_far_apart_as_data_are():
    report = quality(normal(400, 0), normal(300, 1), normal(600, 2), rng=0)
    assert report.wasserstein1 == pytest.approx(float(wasserstein1(normal(400, 0), normal(300, 1))))
    assert 0.85 < report.excess < 1.15
    assert report.nearest == pytest.approx(report.nearest_null, rel=0.2)
    assert report.copies == 0
    assert all(d.interval[0] < 0.02 for d in report.divergences.values())


def test_a_shift_is_seen_by_all_that_measure_distance():
    report = quality(normal(400, 0, 0.6), normal(300, 1), normal(600, 2), rng=0)
    assert report.excess > 1.4
    assert 0.3 < report.divergences["kl"].interval[0] < 0.54  # of normal laws 0.6 sqrt(3) apart
    assert report.divergences["jsd"].interval[0] > 0.07
    assert (report.wasserstein1.bound, report.divergences["kl"].bound) == ("exact", "lower")


def test_a_generator_that_repeats_its_training_points_is_found_out():
    seen = normal(500, 0)
    report = quality(seen[:200], normal(200, 1), seen, rng=0)
    assert (report.copies, report.nearest) == (200, 0.0)
    assert report.nearest_null > 0.1
    noisy = quality(seen[:200] + 1e-3 * normal(200, 2), normal(200, 1), seen, rng=0)
    assert noisy.copies == 0
    assert noisy.nearest < 0.05 * noisy.nearest_null


def test_images_are_compared_pixel_by_pixel():
    rng = np.random.default_rng(0)
    made, held_out, seen = (rng.normal(size=(80, 1, 3, 3)) for _ in range(3))
    images, flat = (
        quality(*(a.reshape(shape) for a in (made, held_out, seen)), rng=0) for shape in (made.shape, (80, 9))
    )
    assert images.wasserstein1 == flat.wasserstein1


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (np.zeros((20, 2)), "made and held_out must have the same number of columns, got 2 and 3"),
        (np.full((20, 3), np.nan), "made must be finite"),
        (np.zeros((0, 3)), "made is empty"),
    ],
)
def test_points_that_cannot_be_judged_are_refused(made, message):
    with pytest.raises(InvalidInput, match=message):
        quality(made, normal(20, 0), normal(20, 1))


def test_classes_are_counted_by_a_classifier_of_the_data():
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(0)
    labels = np.repeat(["a", "b", "c"], 60)
    centres = {"a": (-5.0, 0.0), "b": (5.0, 0.0), "c": (0.0, 8.0)}
    data = np.array([centres[k] for k in labels]) + rng.normal(size=(180, 2))
    everywhere = classes(data + 0.1 * rng.normal(size=data.shape), data, labels)
    assert (everywhere.covered, everywhere.classes) == (3, 3)
    assert everywhere.accuracy > 0.98
    assert everywhere.confidence == pytest.approx(everywhere.confidence_null, abs=0.02)
    assert everywhere.reverse_kl < 0.01
    one = classes(data[labels == "b"], data, labels)
    assert (one.covered, one.shares) == (1, (0.0, 1.0, 0.0))
    assert one.reverse_kl == pytest.approx(math.log(3))
    with pytest.raises(InvalidInput, match="labels must name one of at least two classes"):
        classes(data, data, ["a"] * 180)
    with pytest.raises(InvalidInput, match="got shape"):
        classes(data, data, labels[:50])
