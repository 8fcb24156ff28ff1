"""The studies of GANs: the lectures' statements, as numbers."""

from __future__ import annotations

import importlib
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from divkit import InvalidInput  # noqa: E402
from divkit._cli_examples import STUDIES  # noqa: E402
from divkit.examples import (  # noqa: E402
    mode_collapse,
    mode_covering,
    optimal_discriminator,
    vanishing_gradients,
    wgan_loss,
)


def test_kl_covers_and_reverse_kl_seeks() -> None:
    found = mode_covering.run(("kl", "reverse_kl"))
    covering, seeking = found.rows
    # The f-GAN paper's table: mean, standard deviation and divergence of the best Gaussians.
    assert (covering["mean"], covering["std"]) == pytest.approx((1.0100, 1.8308), abs=5e-4)
    assert (seeking["mean"], seeking["std"]) == pytest.approx((1.5782, 1.6319), abs=1e-3)
    assert (covering["value"], seeking["value"]) == pytest.approx((0.2831, 0.2480), abs=5e-4)
    law = found.law
    mean = float(law.weights @ law.means[:, 0])
    variance = float(law.weights @ (law.covariances[:, 0, 0] + law.means[:, 0] ** 2)) - mean**2
    # Maximum likelihood: KL is least at the law's own mean and variance.
    assert (covering["mean"], covering["std"] ** 2) == pytest.approx((mean, variance), abs=1e-4)


@pytest.mark.parametrize("theta", [0.3, 1.0, 5.0])
def test_the_non_saturating_gradient_is_that_of_kl_minus_two_jsd(theta: float) -> None:
    row = vanishing_gradients.best(theta)
    assert row["non_saturating"] == pytest.approx(row["kl_minus_2_jsd"], abs=1e-5)
    assert row["saturating"] + row["non_saturating"] == pytest.approx(theta)  # D and 1 - D


def test_the_saturating_gradient_vanishes_as_laws_part_and_as_discriminators_learn() -> None:
    found = vanishing_gradients.run((1.0, 8.0), (50, 400), n=200)
    near, far, early, late = found.rows
    assert far["saturating"] < 1e-3 < near["saturating"]
    assert late["saturating"] < 0.5 * early["saturating"]
    assert late["non_saturating"] > early["non_saturating"]
    assert (early["wasserstein"], late["wasserstein"]) == pytest.approx((1.0, 1.0), abs=0.05)
    assert len(vanishing_gradients.figure(found).axes) == 2


def test_the_best_discriminator_has_the_value_of_jsd_and_the_learnt_one_no_more() -> None:
    found = optimal_discriminator.run((0.0, 1.0), n=1000, steps=400)
    for row in found.rows:
        assert row["value_at_best"] == pytest.approx(row["two_jsd_minus_two_log_2"], abs=1e-9)
        assert row["value_at_best"] - 0.05 < row["learnt"] < row["value_at_best"] + 4 * row["stderr"]
    assert found.rows[0]["value_at_best"] == pytest.approx(-2 * math.log(2))
    best, learnt = found.curves[1.0]
    middle = np.abs(found.at - 0.5) < 1.5
    assert np.abs(best - learnt)[middle].max() < 0.1
    assert len(optimal_discriminator.figure(found).axes) == 2


@pytest.mark.filterwarnings("ignore::divkit.UnreliableEstimateWarning")
def test_the_loss_falls_with_the_exact_distance() -> None:
    found = wgan_loss.run(300)
    first, last = found.rows[0], found.rows[-1]
    assert len(found.rows) == 12
    assert last["wasserstein1"] < 0.8 * first["wasserstein1"]
    assert last["bound"] < first["bound"]
    assert found.correlation > 0.75
    # The mean of a 1-Lipschitz function over a batch of 128 points of either curve has a standard error below 0.1.
    assert all(row["bound"] < row["wasserstein1"] + 0.1 and row["jsd_lower"] <= row["jsd"] for row in found.rows)
    assert len(wgan_loss.figure(found).axes) == 5


def test_every_recipe_of_mode_collapse_trains() -> None:
    found = mode_collapse.run(steps=5)
    assert [row["recipe"] for row in found.rows] == list(mode_collapse.RECIPES)
    assert all(points.shape == (2500, 2) for points in found.made.values())
    assert len(mode_collapse.figure(found).axes) == 6


def test_what_cannot_be_run_is_refused() -> None:
    with pytest.raises(InvalidInput, match="recipes must be of minimax"):
        mode_collapse.run(["luck"])
    with pytest.raises(InvalidInput, match="steps must be"):
        wgan_loss.run(3)
    with pytest.raises(InvalidInput, match="apart must be in"):
        vanishing_gradients.run((0.0,), ())
    with pytest.raises(InvalidInput, match="n must be"):
        optimal_discriminator.run(n=2)


def test_every_study_is_a_command_with_a_sentence() -> None:
    for name, study in STUDIES.items():
        module = importlib.import_module(f"divkit.examples.{name.replace('-', '_')}")
        assert {"run", "figure"} <= set(module.__all__)
        assert study.statement.endswith(".")


def test_examples_write_picture_and_table(tmp_path, capsys) -> None:
    from divkit.cli import run

    assert run(["example", "vanishing-gradients", "--save", str(tmp_path), "--seed", "1"]) == 0
    lines = (tmp_path / "vanishing_gradients.csv").read_text().splitlines()
    assert lines[0] == "steps,apart,saturating,non_saturating,wasserstein,kl_minus_2_jsd"
    assert len(lines) == 15
    assert (tmp_path / "vanishing_gradients.png").stat().st_size > 10_000
    assert "wrote" in capsys.readouterr().out
