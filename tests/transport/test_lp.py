"""LinearProgram: an independent second opinion on EMD."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from divkit._errors import InvalidInput, Unsupported
from divkit.divergences import Wasserstein
from divkit.measures import Samples
from divkit.transport.emd import EMD
from divkit.transport.lp import LinearProgram


@settings(max_examples=30)
@given(
    st.integers(1, 15), st.integers(1, 15), st.integers(1, 4), st.integers(0, 10**6), st.sampled_from([1.0, 2.0, 6.0])
)
def test_two_independent_solvers_agree(n, m, d, seed, p):
    rng = np.random.default_rng(seed)
    x, y, w = rng.normal(size=(n, d)), rng.normal(size=(m, d)), rng.random(n)
    # each is certified to 1e-9 of the cost
    assert LinearProgram().solve(x, y, w, p=p).cost == pytest.approx(EMD().solve(x, y, w, p=p).cost, rel=2e-9)


@settings(max_examples=20)
@given(st.integers(1, 10), st.integers(1, 10), st.integers(0, 10**6))
def test_ties_and_zero_weights_do_not_disturb_the_agreement(n, m, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 3, size=(n, 2)), rng.integers(0, 3, size=(m, 2))
    w = rng.integers(0, 3, size=n) + (np.arange(n) == 0)
    # 1e-15: where the distance is 0 the two may differ by the rounding of the flows
    assert LinearProgram().solve(x, y, w).cost == pytest.approx(EMD().solve(x, y, w).cost, rel=2e-9, abs=1e-14)


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_the_scale_does_not_matter(rng, scale):
    x, y = rng.normal(size=(12, 2)), rng.normal(size=(9, 2))
    value = LinearProgram().estimate(Wasserstein(2), Samples(scale * x), Samples(scale * y), level=0.9, rng=rng)
    truth = scale * math.sqrt(EMD().solve(x, y, p=2).cost)
    assert value == pytest.approx(truth, rel=1e-9)  # half of the two certificates


def test_potentials_are_feasible_and_close_the_gap(rng):
    x, y = rng.normal(size=(15, 2)), rng.normal(size=(10, 2))
    coupling = LinearProgram().solve(x, y)
    cost = np.linalg.norm(x[:, None] - y, axis=-1)
    assert (cost - coupling.x_potential[:, None] - coupling.y_potential).min() >= -1e-14  # distances below 8
    assert coupling.gap <= 1e-9 * coupling.cost


def test_the_result_says_what_it_is(rng):
    value = LinearProgram().estimate(Wasserstein(1), Samples([0.0, 1.0]), Samples([3.0]), level=0.9, rng=rng)
    assert (float(value), value.method, value.bound, value.estimand) == (2.5, "lp", "exact", "given")


def test_large_problems_are_refused():
    with pytest.raises(Unsupported, match="max_pairs is 99"):
        LinearProgram(max_pairs=99).solve(np.arange(10.0), np.arange(10.0))


def test_an_infinite_order_is_refused_with_the_remedy():
    clause = LinearProgram().refusal(Wasserstein(math.inf), Samples([0.0]), Samples([1.0]))
    assert clause is not None
    assert clause.endswith("use method 'emd'")


def test_settings_are_checked_when_they_are_made():
    with pytest.raises(InvalidInput, match="max_pairs must be an integer >= 1"):
        LinearProgram(max_pairs=0)
