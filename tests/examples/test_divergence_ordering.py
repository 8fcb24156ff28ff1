"""Sequences that separate the divergences, by their closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from divkit.examples import divergence_ordering
from divkit.examples.divergence_ordering import SEQUENCES

N = np.array([2.0, 8.0, 128.0])


@pytest.fixture(scope="module")
def found() -> divergence_ordering.Ordering:
    return divergence_ordering.run(list(N))


def test_a_mean_that_shrinks_is_seen_by_all(found: divergence_ordering.Ordering) -> None:
    name = "a mean that shrinks"
    assert found.column(name, "kl") == pytest.approx(1 / (2 * N**2), rel=1e-9)
    assert found.column(name, "wasserstein1") == pytest.approx(1 / N, rel=1e-9)
    assert np.array(found.column(name, "jsd")) == pytest.approx(
        1 / (8 * N**2), rel=0.05
    )  # a quarter of KL, to 2nd order


def test_any_mass_where_q_has_none_is_infinite_in_kl_alone(found: divergence_ordering.Ordering) -> None:
    name = "mass where Q has none"
    assert found.column(name, "kl") == [math.inf] * 3
    assert found.column(name, "wasserstein1") == pytest.approx(1 / N, rel=1e-12)
    assert found.column(name, "total_variation") == pytest.approx(1 / N, rel=1e-12)
    jsd = found.column(name, "jsd")
    assert jsd[0] > jsd[1] > jsd[2]
    assert jsd[2] < 0.01


def test_two_points_are_at_log_two_however_near(found: divergence_ordering.Ordering) -> None:
    name = "a point that comes near"
    assert found.column(name, "jsd") == pytest.approx([math.log(2)] * 3)
    assert found.column(name, "wasserstein1") == pytest.approx(1 / N, rel=1e-12)


def test_w1_minds_little_mass_far_out(found: divergence_ordering.Ordering) -> None:
    name = "little mass far out"
    assert found.column(name, "wasserstein1") == pytest.approx([1.0] * 3)
    assert found.column(name, "total_variation") == pytest.approx(1 / N, rel=1e-12)


def test_the_known_inequalities_hold_along_all_sequences(found: divergence_ordering.Ordering) -> None:
    for row in found.rows:
        assert 2 * row["total_variation"] ** 2 <= row["kl"] + 1e-12  # Pinsker
        assert row["jsd"] <= math.log(2) * row["total_variation"] + 1e-12  # Lin 1991


def test_the_picture_has_a_panel_for_every_sequence(found: divergence_ordering.Ordering) -> None:
    pytest.importorskip("matplotlib")
    assert len(divergence_ordering.figure(found).axes) == len(SEQUENCES)
