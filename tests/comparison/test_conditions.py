"""Conditions on the numbers of a comparison."""

from __future__ import annotations

import numpy as np
import pytest

import divkit
from divkit import InvalidInput, Unsupported
from divkit.comparison.conditions import Condition, parsed_condition


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p_value < 0.01", Condition("p_value", "<", 0.01)),
        ("jsd.lower>=5e-2", Condition("jsd.lower", ">=", 0.05)),
        ("columns[a\nb].jsd > 1e-3", Condition("columns[a\nb].jsd", ">", 0.001)),
        (" columns[a b.c < d].adjusted <= 1 ", Condition("columns[a b.c < d].adjusted", "<=", 1.0)),
        ("kl > inf", Condition("kl", ">", np.inf)),
    ],
)
def test_conditions_are_read(text: str, expected: Condition) -> None:
    assert parsed_condition(text) == expected


@pytest.mark.parametrize(
    "text", ["", "p_value", "p_value = 1", "p_value == 1", "< 1", "p_value < one", "a < nan", "a < 1_0"]
)
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="a condition is a name"):
        parsed_condition(text)


@pytest.fixture(scope="module")
def found() -> divkit.Comparison:
    return divkit.compare(
        {"a": np.arange(40.0), "b": np.arange(40.0) % 7}, {"a": np.arange(40.0) + 30, "b": np.arange(40.0) % 7}, rng=0
    )


def test_every_name_can_be_judged(found: divkit.Comparison) -> None:
    for name, value in found.figures().items():
        if value is None:
            with pytest.raises(Unsupported, match="cannot be judged"):
                Condition(name, "<", 1.0).holds(found)
        else:
            assert Condition(name, ">=", value).holds(found)
            assert Condition(name, "<=", value).holds(found)
            assert not Condition(name, "<", value).holds(found)
            assert not Condition(name, ">", value).holds(found)


def test_figures_are_those_of_the_comparison(found: divkit.Comparison) -> None:
    held = found.figures()
    assert held["p_value"] == found.p_value
    assert held["jsd.lower"] == found.divergences["jsd"].interval[0]
    assert held["wasserstein1.upper"] == found.bounds.upper.interval[1]
    assert held["changed"] == 1.0
    assert held["columns[a].adjusted"] == found.columns[0].adjusted


def test_unknown_names_are_refused_with_the_nearest(found: divkit.Comparison) -> None:
    with pytest.raises(InvalidInput, match="did you mean 'jsd'"):
        Condition("jds", "<", 1.0).holds(found)
    with pytest.raises(InvalidInput, match=r"columns\[NAME\]"):
        Condition("columns[z].adjusted", "<", 1.0).holds(found)
