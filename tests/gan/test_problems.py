"""Problems: units that can be undone, files, and refusals."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from divkit import InvalidInput  # noqa: E402
from divkit._gan_names import objective_names  # noqa: E402
from divkit.gan.objectives import OBJECTIVES  # noqa: E402
from divkit.gan.pictures import drawn  # noqa: E402
from divkit.gan.problems import PROBLEMS, load_problem  # noqa: E402


def test_the_names_in_help_texts_are_those_of_the_table():
    assert objective_names() == list(OBJECTIVES)


@pytest.mark.parametrize("name", sorted(PROBLEMS))
def test_points_are_of_the_size_of_the_networks_units_and_come_back(name):
    problem = load_problem(name, draws=500)
    again = load_problem(name, draws=500)
    np.testing.assert_array_equal(problem.points, again.points)
    assert len(problem.points) == 500
    assert len(problem.held_out) >= 400
    assert (problem.labels is not None) == (name == "digits")
    generator, discriminator = problem.players("minimax", width=8, depth=1)
    made = generator(torch.randn(4, problem.latent))
    assert made.shape[1:] == problem.points.shape[1:]
    assert discriminator(made).shape == (4,)
    assert 0.3 < problem.points.std() < 1.2
    if problem.law is not None:
        original = problem.law.sample(500, 0)
        np.testing.assert_allclose(problem.restored(problem.points), original, atol=1e-12)


@pytest.mark.parametrize("name", ["ring", "digits"])
def test_pictures_are_drawn(name):
    problem = load_problem(name, draws=100)
    figure = drawn(problem.points, problem.points[:20], title="a title")
    assert figure.get_suptitle() == "a title"
    assert drawn(np.zeros((5, 1)) + np.arange(5)[:, None], np.ones((3, 1))).axes


def test_files_are_read(tmp_path):
    rng = np.random.default_rng(0)
    for name, array, shape in (
        ("flat", rng.normal(5, 3, 40), (40, 1)),
        ("table", rng.normal(5, 3, (40, 3)), (40, 3)),
        ("images", rng.integers(0, 255, (6, 28, 28)), (6, 1, 28, 28)),
        ("colours", rng.random((6, 3, 32, 32)), (6, 3, 32, 32)),
    ):
        np.save(tmp_path / f"{name}.npy", array)
        problem = load_problem(str(tmp_path / f"{name}.npy"))
        assert len(problem.held_out) == shape[0] // 10
        back = problem.restored(np.concatenate([problem.points, problem.held_out]))
        # Nothing is lost, in another order.
        np.testing.assert_allclose(np.sort(back, axis=0), np.sort(array.reshape(shape), axis=0), atol=1e-12)
        assert sorted(back.reshape(shape[0], -1).sum(axis=1)) == pytest.approx(
            sorted(array.reshape(shape[0], -1).sum(axis=1))
        )
        assert np.abs(problem.points).max() <= (1.0 + 1e-12 if len(shape) == 4 else 10.0)


def test_constant_columns_are_kept_as_they_are(tmp_path):
    np.save(tmp_path / "a.npy", np.column_stack([np.arange(5.0), np.full(5, 7.0)]))
    problem = load_problem(str(tmp_path / "a.npy"))
    np.testing.assert_array_equal(problem.points[:, 1], 0.0)
    np.testing.assert_allclose(problem.restored(problem.points)[:, 1], 7.0)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.full((5, 2), np.nan), "a"),
        (np.zeros((5, 16, 16)), "must be square with side 8, 28, 32, 64, got shape"),
        (np.zeros((2, 2, 2, 2, 2)), "must hold two points or more"),
    ],
)
def test_files_that_hold_no_points_are_refused(tmp_path, array, message):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(InvalidInput, match=message):
        load_problem(str(tmp_path / "a.npy"))


def test_unknown_problems_are_refused_with_the_names():
    with pytest.raises(InvalidInput, match="problem must be one of ring, grid, fgan-mixture, swissroll, digits or a f"):
        load_problem("circle")


def test_images_take_no_constraint_of_perceptrons():
    with pytest.raises(InvalidInput, match="have no constraint 'groupsort'"):
        load_problem("digits", draws=10).players("wgan-groupsort")


@pytest.mark.parametrize(("objective", "norm"), [("non-saturating", "BatchNorm2d"), ("wgan-gp", "GroupNorm")])
def test_discriminators_of_images_normalise_as_the_objective_allows(objective, norm):
    _, discriminator = load_problem("digits", draws=10).players(objective, width=8)
    names = [type(module).__name__ for module in discriminator.modules()]
    assert {name for name in names if "Norm" in name} == {norm}


def test_codes_are_noise_besides_and_images_take_none():
    ring, plain = load_problem("ring", draws=10), load_problem("ring", draws=10, codes=0)
    assert (ring.latent, ring.codes, plain.latent, plain.codes) == (14, 12, 2, 0)
    assert load_problem("swissroll", draws=10, codes=3).latent == 5
    for option in ("codes", "waves"):
        with pytest.raises(InvalidInput, match=f"{option} must be 0 for images"):
            load_problem("digits", draws=10, **{option: 2})


def test_waves_are_for_discriminators_without_a_constraint():
    grid = load_problem("grid", draws=10)
    assert grid.waves == 32
    _, free = grid.players("relativistic", width=8)
    _, proven = grid.players("wgan-groupsort", width=8)
    assert free.waves is not None
    assert proven.waves is None


def test_a_problem_names_what_suits_it():
    ring, grid = load_problem("ring", draws=100), load_problem("grid", draws=100)
    assert ring.objective().name == "relativistic"
    assert ring.objective().penalty_end == 1.0
    assert ring.penalties == (0.1, 1.0)
    assert grid.objective().name == "relativistic"
    assert grid.penalties == (0.5, 0.04)
    assert ring.settings(steps=100).rates == (1e-3, 2e-3)
    assert grid.settings(steps=100, learning_rate=1e-4).rates == (1e-4, 1e-4)
