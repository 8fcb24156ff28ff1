"""The lectures' piles: 5 by the plan, by the prices, and by the cumulative heights."""

from __future__ import annotations

import numpy as np
import pytest

from divkit.examples import earth_mover_piles


def test_the_least_cost_is_five_from_three_sides() -> None:
    found = earth_mover_piles.run()
    totals = {row["from"]: row["total"] for row in found.rows if "total" in row}
    assert totals == pytest.approx({"plan": 5.0, "potential": 5.0, "cumulative heights": 5.0}, abs=1e-9)
    moves = [row for row in found.rows if "blocks" in row]
    assert sum(row["blocks"] for row in moves) == pytest.approx(10.0)
    assert sum(row["cost"] for row in moves) == pytest.approx(5.0)


def test_the_plan_turns_one_row_into_the_other() -> None:
    found = earth_mover_piles.run()
    dense = found.plan.to_dense()
    assert dense.sum(axis=1) == pytest.approx(np.array([3, 2, 1, 4]) / 10)
    assert dense.sum(axis=0) == pytest.approx(np.array([1, 2, 4, 3]) / 10)


def test_no_price_is_steeper_than_the_way() -> None:
    assert (np.abs(np.diff(earth_mover_piles.run().potential)) <= 1 + 1e-12).all()


def test_the_picture_has_the_plan_and_the_prices() -> None:
    pytest.importorskip("matplotlib")
    assert len(earth_mover_piles.figure(earth_mover_piles.run()).axes) == 2
