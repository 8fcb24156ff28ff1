"""Noise on two segments: JSD and its slope against closed forms and integrals, and the bound it gives of W1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.integrate import quad

import divkit
from divkit import InvalidInput
from divkit.examples import noise_smoothing as study
from divkit.methods.monte_carlo import MonteCarlo

LOG_2 = math.log(2)


@pytest.fixture(scope="module")
def found() -> study.Smoothed:
    return study.run()


def triangle(x: float) -> float:
    return max(0.0, 1 - abs(x))


@pytest.mark.parametrize("width", [0.1, 0.49, 0.51, 1.0, 7.0])
def test_uniform_noise_makes_jsd_a_straight_line(width: float) -> None:
    theta = 0.3
    row = study.smoothed("uniform", theta, width * theta)
    overlap = max(0.0, 1 - 1 / (2 * width))
    assert row["jsd"] == pytest.approx(LOG_2 * (1 - overlap), rel=1e-12)
    # Differences of numbers with errors of 1e-16, over a step of 2e-4 widths.
    assert row["jsd_slope"] == pytest.approx(LOG_2 / (2 * width * theta) if overlap else 0.0, rel=1e-9)


@pytest.mark.parametrize("shift", [0.05, 0.7, 1.3, 1.9])
def test_triangular_noise_is_integrated(shift: float) -> None:
    def term(x: float) -> float:
        p, q = triangle(x), triangle(x - shift)
        middle = (p + q) / 2
        return sum(each * math.log(each / middle) / 2 for each in (p, q) if each > 0)

    kinks = sorted({-1.0, 0.0, 1.0, shift - 1, shift, shift + 1})
    jsd = sum(quad(term, a, b, epsabs=1e-13)[0] for a, b in pairwise(kinks))
    # Q moves: dJSD/dtheta = 1/2 of the integral of -q' log(2 q/(p + q)), and q' is 1 before its middle and -1 after it.
    slope = 0.0
    for low, high, sign in ((shift - 1, shift, -1.0), (shift, shift + 1, 1.0)):
        inner = [low, *(k for k in kinks if low < k < high), high]
        for a, b in pairwise(inner):
            slope += sign / 2 * quad(lambda x: math.log(2 / (1 + triangle(x) / triangle(x - shift))), a, b)[0]
    row = study.smoothed("triangular", shift, 1.0)
    assert row["jsd"] == pytest.approx(jsd, abs=1e-11)
    assert row["jsd_slope"] == pytest.approx(slope, abs=1e-6)  # steps of 1e-4, whose squares count


def test_jsd_says_nothing_before_the_noise_bridges_the_gap(found: study.Smoothed) -> None:
    before = [row for row in found.rows if row["width"] < row["theta"] / 2]
    after = [row for row in found.rows if row["width"] > row["theta"] / 2]
    assert len(before) == 20
    assert all((row["jsd"], row["jsd_slope"]) == (LOG_2, 0.0) for row in before)
    assert all(row["jsd"] < LOG_2 and row["jsd_slope"] > 0 for row in after)


def test_the_bound_holds_at_every_width(found: study.Smoothed) -> None:
    assert all(row["bound"] > row["wasserstein1"] == row["theta"] for row in found.rows)


def test_which_width_gives_the_least_bound_depends_on_the_distance(found: study.Smoothed) -> None:
    for noise in study.NOISES:
        near, far = (np.array(found.column(noise, theta, "bound")) for theta in (0.02, 0.5))
        assert 0 < near.argmin() < len(near) - 1
        assert far.argmin() == 0


@pytest.mark.parametrize("noise", study.NOISES)
def test_two_points_without_noise_have_the_least_ratio(noise: str) -> None:
    row = study.smoothed(noise, 1.0, 1e-9, 0.0)
    assert row["bound"] / row["wasserstein1"] == pytest.approx(2 * math.sqrt(LOG_2), rel=1e-8)


def test_the_variance_is_that_of_both_coordinates() -> None:
    for noise, law in (("uniform", stats.uniform(-2, 4)), ("triangular", stats.triang(0.5, -2, 4))):
        assert study.smoothed(noise, 1.0, 2.0)["deviation"] == pytest.approx(math.sqrt(2 * law.var()))


@dataclass(frozen=True)
class Plane:
    """Uniform noise on a square of half-width w <= 1/2, on the segment from (at, 0) to (at, 1)."""

    at: float
    w: float
    dim: int = 2

    def log_density(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        across = np.abs(points[:, 0] - self.at) <= self.w
        along = np.clip(np.minimum(points[:, 1] + self.w, 1 + self.w - points[:, 1]) / (2 * self.w), 0, 1)
        with np.errstate(divide="ignore"):
            return np.where(across, np.log(along / (2 * self.w)), -np.inf)

    def sample(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        noise = rng.uniform(-self.w, self.w, (n, 2))
        return noise + np.column_stack([np.full(n, self.at), rng.random(n)])


def test_in_the_plane_it_is_the_same_number() -> None:
    p, q = Plane(0.0, 0.2), Plane(0.25, 0.2)
    jsd = divkit.estimate(p, q, "jsd", MonteCarlo(20_000), rng=0)
    assert abs(jsd - study.smoothed("uniform", 0.25, 0.2)["jsd"]) < 5 * jsd.stderr


def test_what_cannot_be_smoothed_is_refused() -> None:
    with pytest.raises(InvalidInput, match="noise must be one of uniform, triangular"):
        study.smoothed("gaussian", 1.0, 1.0)
    with pytest.raises(InvalidInput, match="must be positive"):
        study.run((0.0,))
    with pytest.raises(InvalidInput, match="must be finite"):
        study.run((1.0,), (math.nan,))


def test_the_picture_has_jsd_its_slope_and_the_bound(found: study.Smoothed) -> None:
    pytest.importorskip("matplotlib")
    assert len(study.figure(found).axes) == 3
