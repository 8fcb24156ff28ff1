"""Sliced and max-sliced distances: below W_p for certain, and what they are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance
from strategies import masses, point_sets

import divkit
from divkit._unit import unit_as_they_are
from divkit.transport._directions import _cost_along
from divkit.transport.sliced import MaxSliced, Sliced, along

BOTH = ("sliced", "max_sliced")


def normals(rng: np.random.Generator, *shape: int) -> Any:
    found = rng.normal(size=shape)
    found.flags.writeable = False
    return found


@given(st.data(), st.sampled_from([1.0, 2.0, 3.0]))
def test_no_line_shows_more_than_the_distance(data: st.DataObject, p: float) -> None:
    x, y = data.draw(point_sets(2)), data.draw(point_sets(2))
    a, b = data.draw(masses(len(x))), data.draw(masses(len(y)))
    truth = divkit.wasserstein(x, y, a, b, p=p, method="emd")
    for method in (Sliced(20), MaxSliced(2, 10)):
        found = divkit.wasserstein(x, y, a, b, p=p, method=method, rng=0)
        assert found.bound == "lower"
        assert found.level == 1.0
        assert found.interval is not None
        assert found.interval[0] <= truth * (1 + 1e-9) + 1e-12
        assert math.isinf(found.interval[1])


@pytest.mark.parametrize("p", [1.0, 2.0, 3.5])
@pytest.mark.parametrize("d", [2, 10])
def test_a_shift_is_seen_as_large_as_it_is_along_itself_and_as_theory_says_on_average(p: float, d: int) -> None:
    rng = np.random.default_rng(1)
    x, v = normals(rng, 200, d), normals(rng, d)
    size = float(np.linalg.norm(v))
    assert divkit.wasserstein(x, x + v, p=p, method="max_sliced", rng=0) == pytest.approx(size, rel=1e-9)
    found = divkit.wasserstein(x, x + v, p=p, method=Sliced(2000), rng=0)
    # E|u_1|^p on the sphere, by the Beta law of u_1^2.
    moment = math.gamma((p + 1) / 2) * math.gamma(d / 2) / (math.sqrt(math.pi) * math.gamma((d + p) / 2))
    assert found.stderr is not None
    assert abs(found - size * moment ** (1 / p)) < 4 * found.stderr
    assert found.stderr < 0.03 * found


def test_each_line_is_what_scipy_finds_there(rng: np.random.Generator) -> None:
    x, y = normals(rng, 30, 3), normals(rng, 41, 3) + 0.5
    a, b = rng.random(30), rng.random(41)
    directions = normals(rng, 7, 3)
    found = along((x, a / a.sum()), (y, b / b.sum()), directions, 1.0)
    expected = [wasserstein_distance(x @ u, y @ u, a, b) for u in directions]
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("p", [1.0, 2.0, 2.5])
def test_the_gradient_is_that_of_differences(p: float, rng: np.random.Generator) -> None:
    x = normals(rng, 12, 3), rng.dirichlet(np.ones(12))
    y = normals(rng, 9, 3) + 1.0, rng.dirichlet(np.ones(9))
    u = normals(rng, 3)
    value, gradient = _cost_along(x, y, u, p)
    assert value == pytest.approx(float(along(x, y, u[None], p)[0] ** p), rel=1e-10)
    for k in range(3):
        step = 1e-6 * np.eye(3)[k]
        slope = (_cost_along(x, y, u + step, p)[0] - _cost_along(x, y, u - step, p)[0]) / 2e-6
        assert gradient[k] == pytest.approx(slope, rel=1e-4, abs=1e-7)


def test_ascent_finds_a_difference_of_spreads_in_a_hidden_direction(rng: np.random.Generator) -> None:
    # Along one of 20 axes, turned away from the coordinates, y is three times as wide.
    turn, _ = np.linalg.qr(normals(rng, 20, 20))
    x, y = normals(rng, 2000, 20), normals(rng, 2000, 20) * np.array([3.0, *np.ones(19)])
    found = divkit.wasserstein1(x @ turn, y @ turn, method="max_sliced", rng=0)
    truth = divkit.wasserstein1(x[:, 0], y[:, 0])
    assert 0.98 * truth <= found  # the samples differ a little more along some line near it
    assert found < 1.2 * truth
    assert divkit.wasserstein1(x @ turn, y @ turn, method="sliced", rng=0) < 0.2 * truth


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_units_and_offsets_are_those_of_the_points(name: str, scale: float, rng: np.random.Generator) -> None:
    x, y = np.round(normals(rng, 20, 2), 3), np.round(normals(rng, 25, 2) + 1, 3)
    plain = divkit.wasserstein1(x, y, method=name, rng=0)
    assert divkit.wasserstein1(scale * x, scale * y, method=name, rng=0) / scale == pytest.approx(float(plain))
    assert divkit.wasserstein1(x + 2.0**27, y + 2.0**27, method=name, rng=0) == pytest.approx(float(plain), rel=1e-6)


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("unit", [2.0**-250, 2.0**-3, 1.0, 2.0**7, 2.0**250])
@pytest.mark.parametrize("offset", [0.0, 1.0, 64.0])
def test_points_that_are_taken_as_they_lie_give_what_moved_ones_do(
    name: str, unit: float, offset: float, rng: np.random.Generator
) -> None:
    x, y = np.round(normals(rng, 30, 3), 6), np.round(normals(rng, 30, 3) + 0.5, 6)
    plain = divkit.wasserstein1(x, y, method=name, rng=0)
    found = divkit.wasserstein1(unit * (x + offset), unit * (y + offset), method=name, rng=0)
    assert found / unit == pytest.approx(float(plain), rel=1e-9)
    assert found.interval is not None
    assert plain.interval is not None
    assert 0 < found - found.interval[0] < 1e-12 * unit
    assert found.info["gap"] == found - found.interval[0]
    assert (unit_as_they_are(unit * (x + offset), unit * (y + offset)) is None) == (
        offset == 64 or not 1e-9 < unit < 1e9
    )


@pytest.mark.parametrize("name", BOTH)
def test_weights_are_multiplicities(name: str, rng: np.random.Generator) -> None:
    x, y = normals(rng, 10, 3), normals(rng, 12, 3)
    counts = rng.integers(0, 4, 10)
    weighted = divkit.wasserstein1(x, y, counts, method=name, rng=0)
    repeated = divkit.wasserstein1(np.repeat(x, counts, axis=0), y, method=name, rng=0)
    assert weighted == pytest.approx(float(repeated), rel=1e-6 if name == "sliced" else 0.02)


@pytest.mark.parametrize("name", BOTH)
def test_equal_points_are_at_no_distance_and_one_point_is_a_set(name: str) -> None:
    x = np.random.default_rng(0).normal(size=(50, 2))
    assert divkit.wasserstein1(x, x[::-1], method=name, rng=0) == pytest.approx(0.0, abs=1e-14)
    assert 0 < divkit.wasserstein1([[0.0, 0.0]], [[3.0, 4.0]], method=name, rng=0) <= 5.0


@pytest.mark.parametrize("name", BOTH)
def test_one_generator_gives_one_result(name: str, rng: np.random.Generator) -> None:
    x, y = normals(rng, 30, 3), normals(rng, 30, 3)
    assert divkit.wasserstein1(x, y, method=name, rng=3) == divkit.wasserstein1(x, y, method=name, rng=3)


@pytest.mark.parametrize("name", BOTH)
def test_what_it_cannot_do_is_said(name: str) -> None:
    with pytest.raises(divkit.Unsupported, match="on the line there is one direction; use method 'line'"):
        divkit.wasserstein1([1.0], [2.0], method=name)
    with pytest.raises(divkit.Unsupported, match="p must be finite"):
        divkit.wasserstein([[1.0, 2.0]], [[2.0, 2.0]], p=np.inf, method=name)
    with pytest.raises(divkit.Unsupported, match="it computes Wasserstein distances only"):
        divkit.estimate(divkit.Samples([[1.0, 2.0]]), divkit.Samples([[2.0, 1.0]]), "kl", name)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sliced(0), "projections must be an integer >= 1"),
        (lambda: MaxSliced(0), "starts must be an integer >= 1"),
        (lambda: MaxSliced(iterations=0), "iterations must be an integer >= 1"),
    ],
)
def test_settings_that_are_none_are_refused(make: Any, message: str) -> None:
    with pytest.raises(divkit.InvalidInput, match=message):
        make()
