"""divkit is right, or says that there is no answer, in every corner of benchmarks/corners.py."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path

import pytest

from divkit._errors import InvalidInput

pytest.importorskip("mpmath")
_PATH = Path(__file__).parents[2] / "benchmarks" / "corners.py"
_SPEC = importlib.util.spec_from_file_location("corners", _PATH)
assert _SPEC is not None
assert _SPEC.loader is not None
corners = importlib.util.module_from_spec(_SPEC)
sys.modules["corners"] = corners
_SPEC.loader.exec_module(corners)

_ALL = list(corners.corners())
_SOLVABLE = [corner for corner in _ALL if not math.isnan(corner.truth)]
_VOID = [corner for corner in _ALL if math.isnan(corner.truth)]


def _name(corner) -> str:
    return f"{corner.call} - {corner.problem}"


@pytest.mark.parametrize("corner", _SOLVABLE, ids=_name)
def test_divkit_finds_the_known_value(corner):
    # Inputs are exact and the values have no cancellation: some ten roundings, each 1.1e-16. (Probability vectors
    # sum to 1 only to 1e-16, a relative 1e-16 / 1e-10 of their difference; it enters the value squared.)
    assert corner.value() == pytest.approx(corner.truth, rel=2e-15, abs=0)


@pytest.mark.parametrize("corner", _VOID, ids=_name)
def test_divkit_refuses_what_has_no_answer(corner):
    with pytest.raises(InvalidInput, match=r"must hold finite|must be non-negative|uses forbidden pairs"):
        corner.value()


@pytest.mark.parametrize("corner", _VOID, ids=_name)
def test_a_row_carries_the_message_of_the_refusal(corner):
    row = corners.measure(corner)
    assert row["value"] is None
    assert row["message"].startswith("InvalidInput: ")


def test_the_planted_assignment_is_optimal_by_an_independent_algorithm():
    from scipy.optimize import linear_sum_assignment

    cost, truth = corners.planted_assignment(1.0)
    # integers throughout: exact
    assert cost[linear_sum_assignment(cost)].mean() == truth


def test_two_clusters_are_matched_by_the_translation():
    from scipy.optimize import linear_sum_assignment

    cost, truth = corners.two_clusters(2.0**16)
    # multiples of 2**-8 below 2**34: exact
    assert cost[linear_sum_assignment(cost)].mean() == truth


def test_exact_kl_agrees_with_the_two_point_formula():
    import numpy as np

    # KL((1/2, 1/2) || (1/4, 3/4)) = log(4/3)/2, correctly rounded logarithm
    value = corners.exact_kl(np.array([0.5, 0.5]), np.array([0.25, 0.75]))
    assert value == pytest.approx(math.log(4 / 3) / 2, rel=4e-16)
