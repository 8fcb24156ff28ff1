"""P-values of columns where laws are equal, and the share of comparisons that report any."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

import divkit

DRAWS = 400


def drawn(n: int, rng: np.random.Generator) -> dict[str, Any]:
    """Numbers, ties, categories, gaps in numbers and in categories."""
    gone = rng.random(n) < 0.2
    towns = rng.choice(["a", "b", "c"], n, p=[0.6, 0.3, 0.1])
    return {
        "number": rng.lognormal(size=n),
        "tied": rng.integers(0, 3, n),
        "category": rng.choice([f"kind {k}" for k in range(6)], n),
        "gaps": np.where(gone, np.nan, rng.normal(size=n)),
        "town": [None if lost else str(town) for lost, town in zip(gone, towns, strict=True)],
    }


@pytest.mark.slow
def test_p_values_are_valid_and_few_comparisons_report_what_is_not_there(rng: np.random.Generator) -> None:
    p_values: dict[str, list[float]] = {}
    reported = 0
    for k in range(DRAWS):
        found = divkit.compare(drawn(40, rng), drawn(25, rng), parts=["test"], permutations=199, rng=k)
        reported += bool(found.changed)
        assert found.p_value is not None
        p_values.setdefault("whole rows", []).append(found.p_value)
        for column in found.columns:
            for name, p in ((column.name, column.p_value), (f"{column.name}, missing", column.missing_p_value)):
                if p is not None:
                    p_values.setdefault(name, []).append(p)
    assert len(p_values) == 8
    for name, own in p_values.items():
        for level in (0.01, 0.05, 0.2):
            assert np.mean(np.array(own) <= level) <= binom.ppf(0.9999, len(own), level) / len(own), (name, level)
    assert 0 < reported <= binom.ppf(0.9999, DRAWS, 0.05)
