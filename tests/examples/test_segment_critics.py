"""What two critics learn between segments: one has a slope to follow, the other none."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from divkit import InvalidInput
from divkit.examples import segment_critics
from divkit.examples import shifted_uniform as study


@pytest.fixture(scope="module")
def critics() -> segment_critics.Critics:
    return segment_critics.train(0.5, n=200, steps=600, rng=0)


def test_the_certified_critic_falls_with_slope_one_and_the_discriminator_is_flat_at_the_points(critics) -> None:
    places = np.searchsorted(critics.at, [0.0, 0.5])
    assert np.allclose(critics.critic_slope[places], -1, atol=0.02)
    assert np.all(np.abs(critics.critic_slope) <= 1 + 1e-6)
    assert np.all(np.abs(critics.discriminator_slope[places]) < 0.05)
    assert np.abs(critics.discriminator_slope).max() > 2  # between them it is steep
    assert critics.discriminator[places] == pytest.approx([1.0, 0.0], abs=0.01)
    assert critics.critic[places] == pytest.approx([0.25, -0.25], abs=0.01)


def test_slopes_are_those_of_the_values(critics) -> None:
    for values, slopes in (
        (critics.critic, critics.critic_slope),
        (critics.discriminator, critics.discriminator_slope),
    ):
        middle = np.diff(values) / np.diff(critics.at)
        assert np.allclose(middle, (slopes[1:] + slopes[:-1]) / 2, atol=0.05 * np.abs(slopes).max())


def test_the_picture_has_both(critics) -> None:
    pytest.importorskip("matplotlib")
    left, right = segment_critics.figure(critics).axes
    assert np.array_equal(left.lines[0].get_ydata(), critics.critic)
    assert np.array_equal(right.lines[0].get_ydata(), critics.discriminator)


@pytest.mark.parametrize(
    ("theta", "settings", "message"),
    [(0.0, {}, "theta must not be 0"), (0.5, {"n": 3}, "n must be"), (0.5, {"steps": 0}, "steps must be")],
)
def test_nothing_to_learn_is_refused(theta, settings, message) -> None:
    with pytest.raises(InvalidInput, match=message):
        segment_critics.train(theta, **settings)


def test_rows_of_bounds_are_below_the_truth_and_finite() -> None:
    rows = study.run([0.5], n=200, bounds=True)
    assert [row.source for row in rows] == ["exact", "samples", "bounds", "lecture"]
    exact, bound = rows[0], rows[2]
    for name in study.COLUMNS:
        value = getattr(bound, name)
        assert 0 < value <= getattr(exact, name)
        assert np.isfinite(value)
    assert bound.wasserstein1 == pytest.approx(0.5, abs=0.06)  # a limit, from folds of 40 draws
    assert len(study.figure(rows).axes[0].lines) == 3


def test_at_one_place_nothing_is_proven() -> None:
    bound = study.run([0.0], n=100, bounds=True)[2]
    assert all(getattr(bound, name) == 0 for name in study.COLUMNS)


def test_bounds_take_more_draws() -> None:
    with pytest.raises(InvalidInput, match="n must be an integer >= 16"):
        study.run([0.5], n=15, bounds=True)
