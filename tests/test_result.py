"""`Estimate` is a float with a memory."""

from __future__ import annotations

import copy
import json
import math
import pickle
from typing import Any

import numpy as np
import pytest
import torch

import divkit
from divkit.result import Estimate


def make(value: float = 0.25, **changes: Any) -> Estimate:
    return Estimate(value, **{"divergence": "kl", "method": "exact", "bound": "exact", **changes})


def test_it_is_its_value_wherever_a_float_is_wanted() -> None:
    d = make()
    assert d == 0.25
    assert d < 0.3
    assert f"{d:.3f} {d}" == "0.250 0.25"
    assert json.dumps({"d": d}) == '{"d": 0.25}'
    assert np.asarray([d]).dtype == np.float64
    assert torch.tensor([d]).item() == 0.25
    assert d == pytest.approx(0.25)
    assert hash(d) == hash(0.25)


def test_arithmetic_forgets_the_interval() -> None:
    for result in (make() + 1, 2 * make(), -make(), abs(make()), make() ** 2, sum([make(), make()])):
        assert type(result) is float


@pytest.mark.parametrize("move", [copy.copy, copy.deepcopy, lambda d: pickle.loads(pickle.dumps(d))])
def test_copies_keep_everything(move: Any) -> None:
    d = make(stderr=0.1, interval=(0.1, 0.4), level=0.9, info={"n": 3}, estimand="population")
    moved = move(d)
    assert moved == d
    assert moved.to_dict() == d.to_dict()


def test_it_cannot_be_changed() -> None:
    d = make(info={"n": 3})
    with pytest.raises(AttributeError, match="immutable"):
        d.bound = "lower"
    with pytest.raises(AttributeError, match="immutable"):
        del d.bound
    with pytest.raises(TypeError, match="does not support item assignment"):
        d.info["n"] = 4  # type: ignore[index]


def test_to_dict_is_plain() -> None:
    d = make(math.inf, interval=(1, math.inf), level=1, info={"a": np.arange(2), "b": np.float64(2), "c": None})
    assert d.to_dict() == {
        "value": math.inf,
        "divergence": "kl",
        "method": "exact",
        "bound": "exact",
        "estimand": "given",
        "stderr": None,
        "interval": [1.0, math.inf],
        "level": 1.0,
        "info": {"a": [0, 1], "b": 2.0, "c": None},
    }
    json.dumps(d.to_dict())


def test_repr_shows_what_kind_of_number_it_is() -> None:
    shown = repr(make(interval=(0.1, 0.4), level=0.9, estimand="population", bound="lower"))
    assert shown == (
        "Estimate(0.25, kl, method='exact', bound='lower', estimand='population', interval=(0.1, 0.4), level=0.9)"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": math.nan}, "cannot be NaN"),
        ({"bound": "sharp"}, "bound must be one of"),
        ({"estimand": "sample"}, "estimand must be one of"),
        ({"interval": (1.0, 0.0)}, "interval must be ordered"),
        ({"interval": (math.nan, 0.0)}, "interval must be ordered"),
    ],
)
def test_nonsense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(divkit.InvalidInput, match=message):
        make(**changes)


def test_errors_carry_their_facts_through_pickling() -> None:
    error = pickle.loads(pickle.dumps(divkit.NotConverged("no", {"lower": 1.0})))
    assert (str(error), error.info) == ("no", {"lower": 1.0})
