"""Further attempts are made only while none is good enough, and the best is what comes back."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")

from divkit._errors import InvalidInput, NotConverged
from divkit.gan.attempts import best_attempt
from divkit.gan.nets import mlp_pair
from divkit.gan.settings import Settings
from divkit.gan.trainer import Trainer


@given(st.lists(st.floats(0.5, 9.0), min_size=1, max_size=6), st.integers(1, 6), st.floats(0.5, 9.0))
def test_it_stops_at_the_first_that_is_good_enough_and_takes_the_least(
    values: list[float], attempts: int, enough: float
) -> None:
    values = [*values, *[9.5] * 6]
    made: list[int] = []

    def train(k: int) -> Any:
        made.append(k)
        return SimpleNamespace(best_value=values[k], number=k)

    found: Any = best_attempt(train, attempts=attempts, enough=enough)
    good = [k for k in range(attempts) if values[k] <= enough]
    last = good[0] if good else attempts - 1
    assert made == list(range(last + 1))
    assert found.values == tuple(values[: last + 1])
    assert found.chosen == found.trainer.number == int(np.argmin(found.values))


@given(st.lists(st.sampled_from([None, 1.0, 2.0, 3.0]), min_size=1, max_size=5))
def test_an_attempt_that_is_not_finite_is_one_that_went_wrong(values: list[float | None]) -> None:
    def train(k: int) -> Any:
        if values[k] is None:
            raise NotConverged(f"attempt {k}")
        return SimpleNamespace(best_value=values[k], number=k)

    if all(value is None for value in values):
        with pytest.raises(NotConverged, match=f"attempt {len(values) - 1}"):
            best_attempt(train, attempts=len(values))
        return
    found: Any = best_attempt(train, attempts=len(values))
    seen = [math.inf if value is None else value for value in values]
    last = seen.index(1.0) if 1.0 in seen else len(seen) - 1
    assert found.values == tuple(seen[: last + 1])
    assert found.chosen == found.trainer.number == int(np.argmin(found.values))


def test_the_value_of_a_trainer_is_that_of_the_look_it_keeps() -> None:
    values = iter([4.0, 2.0, 2.9, 8.0])
    settings = Settings(steps=4, batch=8, look_every=1, keep_best="quality")
    points = np.random.default_rng(0).normal(size=(20, 2))
    trainer = Trainer(*mlp_pair(2, 2, width=4, depth=1), "minimax", points, settings)
    with pytest.raises(InvalidInput, match="no generator was kept"):
        _ = trainer.best_value
    trainer.run([lambda _, metrics: metrics.update(quality=next(values))])
    assert trainer.best_value == 2.9  # as good as 2, and later


@pytest.mark.parametrize(
    ("options", "message"),
    [({"attempts": 0}, "attempts must be an integer >= 1"), ({"enough": float("nan")}, "enough must be a number")],
)
def test_settings_that_are_none_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        best_attempt(lambda k: pytest.fail("trained"), **options)
