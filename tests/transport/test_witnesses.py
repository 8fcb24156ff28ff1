"""Functions fitted to two samples are 1-Lipschitz everywhere, and each is best at what it is made for."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats as st
from hypothesis import given, settings
from hypothesis import strategies as hyp
from strategies import point_sets

from divkit.transport._witnesses import WITNESSES, line_potential


def rng():
    return np.random.default_rng(0)


def told_apart(witness, x, y):
    return float(witness(x).mean() - witness(y).mean())


@pytest.mark.parametrize("name", WITNESSES)
@settings(max_examples=40, deadline=None)
@given(data=hyp.data(), d=hyp.integers(1, 3))
def test_no_slope_exceeds_one_whatever_it_was_fitted_to(name, data, d):
    x, y = data.draw(point_sets(d)), data.draw(point_sets(d))
    witness = WITNESSES[name](x, y, rng())
    places = np.concatenate([x, y, 20 * rng().standard_normal((30, d)), x[:1] + 1e-3 * rng().standard_normal((10, d))])
    values = witness(places)
    distances = np.linalg.norm(places[:, None] - places, axis=2)
    assert np.all(np.abs(values[:, None] - values) <= distances + 1e-12 * (1 + np.abs(values).max()))


@settings(max_examples=60, deadline=None)
@given(x=point_sets(1, 8), y=point_sets(1, 8))
def test_the_potential_on_the_line_has_the_value_of_the_distance(x, y):
    knots, values = line_potential(x[:, 0], y[:, 0])
    gap = np.interp(x[:, 0], knots, values).mean() - np.interp(y[:, 0], knots, values).mean()
    assert gap == pytest.approx(st.wasserstein_distance(x[:, 0], y[:, 0]), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(x=point_sets(2), y=point_sets(2))
def test_the_potentials_of_transport_give_the_distance_between_the_points(x, y):
    from divkit import wasserstein1

    witness = WITNESSES["transport"](x, y, rng())
    assert told_apart(witness, x, y) == pytest.approx(float(wasserstein1(x, y)), abs=1e-10)


@settings(max_examples=40, deadline=None)
@given(x=point_sets(3), y=point_sets(3))
def test_marginals_together_have_the_root_of_their_squared_distances(x, y):
    each = [st.wasserstein_distance(x[:, i], y[:, i]) for i in range(3)]
    witness = WITNESSES["marginals"](x, y, rng())
    assert told_apart(witness, x, y) == pytest.approx(np.linalg.norm(each), abs=1e-12)


def test_a_projection_finds_the_direction_in_which_the_laws_differ():
    x, y = rng().normal(size=(2, 2000, 20))
    u = np.full(20, 20**-0.5)
    x = x + np.outer(np.where(rng().uniform(size=2000) < 0.5, 3.0, -3.0), u)  # equal means, two clusters
    x -= x.mean(axis=0)
    truth = st.wasserstein_distance(x @ u, y @ u)
    assert told_apart(WITNESSES["projection"](x, y, rng()), x, y) > 0.98 * truth


def test_a_radius_sees_a_change_of_scale_in_many_dimensions():
    x, y = rng().normal(size=(2, 2000, 50))
    witness = WITNESSES["radius"](2 * x[:1000], y[:1000], rng())
    truth = st.chi(50).mean()  # W_1 between N(0, 4 I) and N(0, I): points move along their rays
    assert told_apart(witness, 2 * x[1000:], y[1000:]) == pytest.approx(truth, rel=0.02)
