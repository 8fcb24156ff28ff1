"""Likelihood and samples: what is within log 100 of the law at every point, and what copies."""

from __future__ import annotations

import math

import numpy as np
import pytest

from divkit import InvalidInput
from divkit.datasets import GaussianMixture
from divkit.examples import likelihood_vs_samples as study

LOG_100 = math.log(100)
DIMENSIONS = (3, 20)


@pytest.fixture(scope="module")
def found() -> study.Judged:
    return study.run(DIMENSIONS, n=200, repeats=10)


def of(found: study.Judged, model: str) -> list[dict[str, float]]:
    """All quantities of a model, one dict a dimension."""
    return [{row["quantity"]: row[model] for row in found.rows if row["d"] == d} for d in found.dimensions]


@pytest.mark.parametrize("d", [2, 20, 100])
@pytest.mark.parametrize("reach", [0.0, 1.0, 30.0, 1000.0])
def test_one_percent_of_the_law_is_within_log_100_of_it_at_every_point(d: int, reach: float) -> None:
    points = reach * np.random.default_rng(0).standard_normal((500, d))
    law = GaussianMixture(np.ones(1), np.zeros((1, d)), np.ones(1))
    own = law.log_density(points)
    # Rounding of the two logarithms, which are as large as the squares of the points.
    assert (study.noisy(d).log_density(points) >= own - LOG_100 - 1e-14 * (1 + np.abs(own))).all()


def test_the_held_out_points_of_the_study_keep_to_it(found: study.Judged) -> None:
    for row in of(found, "noisy"):
        assert row["worst"] >= -LOG_100 - 1e-12
        assert row["gap"] >= -LOG_100
        assert row["kl"] <= LOG_100 + 5 * (row["kl_high"] - row["kl"]) / 1.96


def test_where_noise_and_law_do_not_meet_the_divergences_have_a_closed_form(found: study.Judged) -> None:
    row = of(found, "noisy")[1]  # d = 20: the density of the noise is below 1e-15 of that of the law at its draws
    assert row["gap"] == pytest.approx(-LOG_100, abs=1e-9)
    share = 0.01
    mixture = (1 + share) / 2  # of the law in the middle of the two
    jsd = -math.log(mixture) / 2 + (share * math.log(share / mixture) + (1 - share) * math.log(2)) / 2
    # Contributions of 4,000 draws, between 0 and 1 in size, have a standard error below 0.01.
    assert row["jsd"] == pytest.approx(jsd, abs=0.03)


def test_kl_is_what_the_model_lacks_in_likelihood(found: study.Judged) -> None:
    for row in of(found, "kernels") + of(found, "noisy"):
        stderr = math.hypot(row["stderr"], (row["kl_high"] - row["kl_low"]) / (2 * 1.96))
        assert abs(row["kl"] + row["gap"]) <= 5 * stderr


def test_kernels_draw_copies_that_look_like_data_and_have_no_likelihood(found: study.Judged) -> None:
    for row in of(found, "kernels"):
        assert row["gap"] < -100 * LOG_100
        assert row["jsd"] > 0.95 * math.log(2)
        assert row["copies"] > 0.99
        assert row["outlying"] < 0.03  # 0.01 of 2,000 draws in expectation
        assert row["wasserstein1"] < 1.25 * row["null"]


def test_the_noisy_model_draws_noise(found: study.Judged) -> None:
    for row in of(found, "noisy"):
        assert row["outlying"] > 0.95
        assert row["copies"] < 0.01
        assert row["wasserstein1"] > 5 * row["null"]
        assert row["rejected"] == row["rejected_of_few"] == 1.0


def test_the_law_is_its_own_null(found: study.Judged) -> None:
    for row in of(found, "law"):
        assert (row["gap"], row["kl"], row["jsd"]) == (0.0, 0.0, 0.0)
        assert row["wasserstein1"] == row["null"]
        assert row["rejected"] <= 0.3  # 10 tests at .05 reject more than 3 times with a probability of 0.1 %


def test_the_density_of_kernels_is_that_of_the_mixture_of_gaussians() -> None:
    rng = np.random.default_rng(0)
    points, at = rng.standard_normal((7, 3)), rng.standard_normal((20, 3))
    mixture = GaussianMixture(np.full(7, 1 / 7), points, np.full(7, 0.3**2))
    # Exponents are of the size of squared distances over 2 width^2, some hundreds.
    np.testing.assert_allclose(study.Kernels(points, 0.3).log_density(at), mixture.log_density(at), rtol=1e-12)


def test_draws_of_kernels_stay_at_the_points() -> None:
    rng = np.random.default_rng(0)
    points = np.array([[0.0, 0.0], [5.0, 5.0]])
    draws = study.Kernels(points).sample(1000, rng)
    near = np.abs(draws[:, None] - points).max(axis=2) < 6 * 0.01  # (1000, 2)
    assert near.any(axis=1).all()
    assert 400 < near[:, 0].sum() < 600


def test_what_cannot_be_run_is_refused() -> None:
    with pytest.raises(InvalidInput, match="n must be"):
        study.run(n=10)
    with pytest.raises(InvalidInput, match="dimensions must be"):
        study.run((0,))


def test_the_picture_has_likelihood_samples_and_tests(found: study.Judged) -> None:
    pytest.importorskip("matplotlib")
    assert len(study.figure(found).axes) == 3
