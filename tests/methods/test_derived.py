"""Estimates pushed through an increasing function."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from divkit.catalog import HELLINGER
from divkit.methods._derived import derived
from divkit.result import Estimate


def _squared(value: float, interval: tuple[float, float] | None = None, stderr: float | None = None) -> Estimate:
    return Estimate(
        value,
        divergence="squared_hellinger",
        method="monte_carlo",
        bound="consistent",
        stderr=stderr,
        interval=interval,
        level=None if interval is None else 0.9,
        info={"n": 7, "gap": 0.1},
    )


@given(low=st.floats(0, 2), value=st.floats(0, 2), high=st.floats(0, 2))
def test_interval_and_value_keep_their_order(low, value, high):
    low, value, high = sorted((low, value, high))
    result = derived(HELLINGER, _squared(value, (low, high)))
    assert result.interval[0] <= result <= result.interval[1]
    # the square root is exact to half an ulp, its square to two
    assert 2 * result**2 == pytest.approx(value, rel=1e-15)


def test_what_the_transform_does_not_concern_is_kept():
    result = derived(HELLINGER, _squared(0.5, (0.4, 0.6)))
    kept = (result.divergence, result.method, result.bound, result.level, result.info["n"], result.info["base"])
    assert kept == ("hellinger", "monte_carlo", "consistent", 0.9, 7, 0.5)


def test_values_beyond_the_range_are_clipped_to_it():
    result = derived(HELLINGER, _squared(-0.01, (-0.2, 2.5)))
    assert (float(result), result.interval) == (0.0, (0.0, 1.0))


def test_the_standard_error_follows_the_derivative():
    # d sqrt(D/2) / dD = 1 / (4 sqrt(D/2)) = 1/2 at D = 1/2
    assert derived(HELLINGER, _squared(0.5, stderr=0.02)).stderr == pytest.approx(0.01, rel=1e-15)


def test_at_zero_there_is_no_linear_error_bar():
    assert derived(HELLINGER, _squared(0.0, (0.0, 0.02), stderr=0.01)).stderr is None


def test_the_gap_is_the_half_width_of_the_new_interval():
    result = derived(HELLINGER, _squared(0.5, (0.32, 0.5)))
    # sqrt(0.25) - sqrt(0.16), correct to a few ulp of 0.5
    assert math.isclose(result.info["gap"], 0.1, rel_tol=1e-14)
