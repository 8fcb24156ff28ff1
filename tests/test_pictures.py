"""The pictures of exact-transport.md show what their captions say."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "docs" / "pictures.py"


@pytest.fixture(scope="module")
def pictures() -> dict[str, Any]:
    """The names of the script, which draws nothing until it is asked to."""
    pytest.importorskip("matplotlib")
    return runpy.run_path(str(SCRIPT), run_name="pictures")


def test_the_violated_pairs_in_the_picture_of_a_round_are_no_candidates(pictures: dict[str, Any]) -> None:
    found = pictures["first_round"]()
    candidates = set(zip(*(part.tolist() for part in found.candidates), strict=True))
    violated = set(zip(found.violated.rows.tolist(), found.violated.columns.tolist(), strict=True))
    assert violated
    assert not violated & candidates


def test_the_plan_in_the_picture_of_a_round_uses_candidates_only(pictures: dict[str, Any]) -> None:
    found = pictures["first_round"]()
    candidates = set(zip(*(part.tolist() for part in found.candidates), strict=True))
    assert candidates.issuperset(zip(found.plan[0].tolist(), found.plan[1].tolist(), strict=True))


def test_what_the_picture_of_a_round_does_not_route_waits_on_the_hub(pictures: dict[str, Any]) -> None:
    found = pictures["first_round"]()
    routed = np.bincount(found.plan[0], found.plan[2], minlength=len(found.x))
    np.testing.assert_array_equal(routed + found.waiting[0], 1)


def test_the_picture_of_times_joins_the_small_problems_to_the_large_ones(pictures: dict[str, Any]) -> None:
    common = {"case": "shifted Gaussians", "p": 1, "masses": "equal", "d": 2}
    raced = [{**common, "n": n, "divkit_ms": float(n), "pot_ms": 2.0 * n} for n in (10, 100, 1000)]
    alone = [{**common, "n": n, "seconds": n / 1e3} for n in (1000, 5000)]
    others = [
        {**common, "n": 7, "divkit_ms": 1.0, "pot_ms": 1.0, "seconds": 1.0, **part}
        for part in ({"p": 2}, {"masses": "random"})
    ]
    race = {"rows": [*raced, *others], "exponents": {"pot": {"2": 2.0}}}
    figure = pictures["time_picture"](race, {"rows": [*alone, *others], "exponents": {"2": None}})
    drawn = {line.get_label(): np.array(line.get_data()).T.tolist() for line in figure.axes[0].lines}
    assert drawn == {
        "POT, d = 2: $n^{2.00}$": [[10.0, 0.02], [100.0, 0.2], [1000.0, 2.0]],
        "divkit, d = 2": [[10.0, 0.01], [100.0, 0.1], [1000.0, 1.0], [5000.0, 5.0]],
    }
