"""The study of two parallel segments: exact rows are the lecture's, sampled ones obey what can be derived."""

from __future__ import annotations

import csv
import math
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from divkit import InvalidInput, datasets
from divkit.examples import shifted_uniform as study

APART = (math.inf, math.inf, math.log(2), math.inf, 2.0, 1.0)


@pytest.mark.parametrize("theta", [-1.0, -0.25, 1e-300, 0.5, 3.0, 1e8, 1e300])
def test_apart_the_exact_row_is_the_lectures(theta: float) -> None:
    assert astuple(study.exact(theta)) == (theta, "exact", *APART, abs(theta))
    assert astuple(study.lecture(theta)) == (theta, "lecture", *APART, abs(theta))


@pytest.mark.parametrize("theta", [0, 0.0, -0.0])
def test_on_top_of_each_other_everything_is_zero(theta: float) -> None:
    assert astuple(study.exact(theta))[2:] == astuple(study.lecture(theta))[2:] == (0.0,) * 7


@given(theta=st.floats(-3, 3), n=st.integers(1, 30), seed=st.integers(0, 2**32))
def test_the_sampled_distance_lies_between_its_bounds(theta: float, n: int, seed: int) -> None:
    _, row, _ = study.run([theta], n=n, rng=seed)
    x, y = datasets.shifted_uniform(theta).samples(n, seed)
    heights = np.abs(np.sort(x.points[:, 1]) - np.sort(y.points[:, 1]))  # their mean is W1 of the heights
    # Below: every coupling moves |theta| across and at least W1 of the heights along on average, and
    # h -> sqrt(theta^2 + h^2) is convex. Above: the coupling that keeps the order of the heights.
    low, high = math.hypot(theta, heights.mean()), np.hypot(theta, heights).mean()
    assert low * (1 - 1e-12) <= row.wasserstein1 <= high * (1 + 1e-12)
    assert abs(theta) * (1 - 1e-12) <= row.wasserstein1 <= abs(theta) + heights.mean() + 1e-12


@given(theta=st.floats(-3, 3).filter(lambda t: t != 0), seed=st.integers(0, 99))
def test_samples_of_disjoint_segments_have_the_lectures_divergences(theta: float, seed: int) -> None:
    row = study.run([theta], n=7, rng=seed)[1]
    assert astuple(row)[2:8] == pytest.approx(APART, rel=1e-15)  # sums of at most 14 masses


@pytest.mark.parametrize("n", [100, 1000])
def test_plug_in_values_of_equal_laws_are_small_and_fall_with_n(n: int) -> None:
    row = study.run([0.0], n=n, rng=1)[1]
    # Ten cells and two samples: n KL is about a chi2 law with 9 degrees of freedom, above 40 once in 100,000.
    assert 0 < row.kl < 40 / n
    assert 0 < row.jsd < row.kl
    # W1 of two empirical laws on [0, 1] is below sup |F - G|, which passes sqrt(20/n) once in 10^8 (Massart).
    assert 0 < row.wasserstein1 < math.sqrt(20 / n)


def test_the_table_has_three_rows_a_shift_in_the_given_order() -> None:
    rows = study.run([2.0, -1.0], n=3)
    assert [(row.theta, row.source) for row in rows] == [
        (theta, source) for theta in (2.0, -1.0) for source in ("exact", "samples", "lecture")
    ]
    assert study.as_table(rows)[0] == {
        "theta": 2.0,
        "source": "exact",
        **dict(zip(study.COLUMNS, (*APART, 2.0), strict=True)),
    }


def test_equal_seeds_give_equal_rows() -> None:
    first, second, other = (study.run([0.5, 0.0], n=20, rng=seed) for seed in (3, np.random.default_rng(3), 4))
    assert first == second != other


def test_no_shift_gives_no_rows() -> None:
    assert study.run([]) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"thetas": [math.nan]}, "theta must be a finite number, got nan"),
        ({"thetas": [math.inf]}, "theta must be a finite number, got inf"),
        ({"thetas": ["1"]}, "theta must be a finite number, got '1'"),
        ({"n": 0}, "n must be an integer >= 1, got 0"),
        ({"n": 2.5}, "n must be an integer"),
        ({"rng": -1}, "rng must be None"),
    ],
)
def test_a_study_without_sense_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        study.run(**arguments)


def test_a_written_table_is_read_back_as_it_was(tmp_path: Path) -> None:
    rows = study.run([0.1, 0.0], n=10)
    study.write_csv(rows, tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="") as file:
        read = [(float(r.pop("theta")), r.pop("source"), *map(float, r.values())) for r in csv.DictReader(file)]
    assert read == [astuple(row) for row in rows]


def test_the_picture_draws_what_the_rows_hold() -> None:
    pytest.importorskip("matplotlib")
    rows = study.run([-1.0, 0.0, 0.5], n=5)
    left, right = study.figure(rows).axes
    drawn = {line.get_label(): line.get_xydata().tolist() for line in left.lines}
    assert drawn["exact: $|\\theta|$"] == [[-1.0, 1.0], [0.0, 0.0], [0.5, 0.5]]
    assert drawn["from samples"] == [[row.theta, row.wasserstein1] for row in rows if row.source == "samples"]
    levels = {y for line in right.lines for y in line.get_ydata()}
    assert levels == {2.0, 1.0, math.log(2), 0.0}


@pytest.mark.parametrize("thetas", [[0.0], [1.0], [-2.0, -1.0]])
def test_the_picture_needs_no_samples_and_no_second_side(thetas: list[float]) -> None:
    pytest.importorskip("matplotlib")
    figure = study.figure([study.exact(theta) for theta in thetas])
    figure.draw_without_rendering()
    assert len(figure.axes[0].lines) == 1


def test_a_picture_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidInput, match="rows must have at least one exact row"):
        study.figure([study.lecture(1.0)])
