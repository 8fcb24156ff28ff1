"""`compare` against the verbs it is made of, and on tables of every kind."""

from __future__ import annotations

import datetime as dt
import json
import math
import pickle
import warnings
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

import divkit
from divkit import InvalidInput
from divkit.comparison._pair import Feature, encoded, matched
from divkit.comparison.columns import gaps_p_value

ALL = {name for name in divkit.DIVERGENCES if name not in ("gan", "wasserstein1", "wasserstein2")}


def people(n: int, shift: float, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "height": rng.normal(170 + shift, 10, n),
        "town": rng.choice(["a", "b", "c"], n),
        "income": np.where(rng.random(n) < 0.1 + shift / 50, np.nan, rng.lognormal(8, 1, n)),
        "children": rng.poisson(1.5, n),
        "note": [f"text {i}" for i in range(n)],
    }


@pytest.fixture(scope="module")
def found() -> divkit.Comparison:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what a part warns of is a remark
        return divkit.compare(people(300, 5.0, 0), people(250, 0.0, 1), rng=0)


def test_points_are_compared_by_the_verbs(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(120, 3)), rng.normal([1.0, 0.0, 0.0], size=(90, 3))
    found = divkit.compare(x, y, rng=0)
    assert found.wasserstein1 == pytest.approx(divkit.wasserstein1(x, y), rel=1e-9)
    assert found.wasserstein1.bound == "exact"
    assert set(found.divergences) == ALL
    assert all(value.bound == "lower" for value in found.divergences.values())
    assert found.p_value == 0.001
    assert found.changed == ["column 0"]
    assert found.bounds.lower.interval[0] <= 1.0 <= found.bounds.upper.interval[1]
    for j in range(3):
        column = next(own for own in found.columns if own.name == f"column {j}")
        assert column.distance == pytest.approx(divkit.wasserstein1(x[:, j], y[:, j]), rel=1e-12)
        pooled = np.concatenate([x[:, j], y[:, j]]).std()
        assert column.relative == pytest.approx(column.distance / pooled, rel=1e-9)
        assert column.means == pytest.approx((x[:, j].mean(), y[:, j].mean()))
        assert column.spreads == pytest.approx((x[:, j].std(), y[:, j].std()))


def test_what_moved_is_found_and_said(found: divkit.Comparison) -> None:
    assert {"height", "income"} <= set(found.changed)
    by_name = {column.name: column for column in found.columns}
    assert by_name["income"].missing_p_value < 0.05 < by_name["income"].p_value
    assert by_name["income"].missing == pytest.approx(
        tuple(np.isnan(people(n, s, seed)["income"]).mean() for n, s, seed in ((300, 5.0, 0), (250, 0.0, 1)))
    )
    assert by_name["town"].kind == "category"
    assert by_name["town"].distance == pytest.approx(
        sum(abs(a - b) for a, b in by_name["town"].shares.values()) / 2, abs=1e-12
    )
    assert "note" not in by_name
    assert any("'note' holds 300 different texts" in remark for remark in found.remarks)
    assert any("missing in income" in remark for remark in found.remarks)
    assert "by more than chance" in found.verdict


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame, lambda held: pl.DataFrame(held).to_arrow()])
def test_every_library_gives_the_same_comparison(library: Any, found: divkit.Comparison) -> None:
    other = divkit.compare(library(people(300, 5.0, 0)), library(people(250, 0.0, 1)), rng=0)
    assert other.to_json() == found.to_json()


def test_columns_are_matched_by_name(found: divkit.Comparison) -> None:
    y = people(250, 0.0, 1)
    other = divkit.compare(people(300, 5.0, 0), dict(reversed(y.items())), rng=0)
    assert other.to_json() == found.to_json()


def test_some_columns() -> None:
    found = divkit.compare(people(60, 5.0, 0), people(50, 0.0, 1), columns=["town", "height"], rng=0)
    assert {column.name for column in found.columns} == {"town", "height"}


def test_json_is_json_and_pickles_stay(found: divkit.Comparison) -> None:
    held = json.loads(found.to_json(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert held["n"] == 300
    assert held["divergences"]["jsd"]["bound"] == "lower"
    assert pickle.loads(pickle.dumps(found)).to_json() == found.to_json()


def test_the_table_has_a_meaning_for_every_number(found: divkit.Comparison) -> None:
    rows = found.table()
    assert {"p_value", "jsd", "wasserstein1", "wasserstein1_lower", "wasserstein1_upper", "copies"} <= {
        row["quantity"] for row in rows
    }
    assert all(row["meaning"] and row["method"] and row["kind"] and row["of"] for row in rows)
    frame = pd.DataFrame(rows)
    assert len(frame) == len(rows)


def test_no_difference_is_no_proof_of_equality() -> None:
    found = divkit.compare(np.arange(40.0), np.arange(40.0) + 0.5, rng=0)
    assert found.p_value > 0.05
    assert "does not prove the laws equal" in found.verdict


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.floats(1e-12, 1e12), st.floats(-1e6, 1e6))
def test_standardised_points_have_no_unit(seed: int, scale: float, offset: float) -> None:
    rng = np.random.default_rng(seed)
    x, y = {"a": rng.normal(size=20)}, {"a": rng.normal(size=15)}
    rows = np.arange(20), np.arange(15)
    one = encoded(matched(x, y, None), *rows, standardize=True)
    moved = ({"a": (side["a"] + offset / 1e3) * scale} for side in (x, y))
    other = encoded(matched(*moved, None), *rows, standardize=True)
    np.testing.assert_allclose(other.x, one.x, atol=1e-9)
    np.testing.assert_allclose(other.y, one.y, atol=1e-9)


def test_categories_and_gaps_are_the_root_of_two_apart() -> None:
    x = {"c": ["u", "v", "w", None], "d": ["s", "t", "s", "t"], "e": [0.0, 1.0, math.nan, 2.0]}
    pair = matched(x, x, None)
    points = encoded(pair, np.arange(4), np.arange(4), standardize=True)
    owner = np.array(points.owners)
    for at in (0, 1):
        own = points.x[:, owner == at]
        apart = np.linalg.norm(own[:, None] - own[None], axis=2)
        different = np.array(x["cd"[at]], dtype=object)
        expected = np.sqrt(2.0) * (different[:, None] != different[None])
        np.testing.assert_allclose(apart, expected, atol=1e-12)
    marker = points.x[:, owner == 2][:, 1]
    np.testing.assert_allclose(marker, [0.0, 0.0, np.sqrt(2.0), 0.0])


def test_many_rows_are_drawn_from_and_all_count(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(3000, 2)), rng.normal(size=(2500, 2))
    found = divkit.compare(x, y, rows=200, rng=0)
    assert found.compared == (200, 200)
    assert any("200 of the 3,000 rows" in remark for remark in found.remarks)
    column = next(own for own in found.columns if own.name == "column 0")
    assert column.distance == pytest.approx(divkit.wasserstein1(x[:, 0], y[:, 0]))


def test_copies_and_repetitions_are_counted(rng: np.random.Generator) -> None:
    x = rng.normal(size=(50, 2))
    y = np.concatenate([x[:7], x[:1], rng.normal(size=(40, 2))])
    found = divkit.compare(x, y, rng=0)
    assert (found.rows.y_copies, found.rows.x_duplicates, found.rows.y_duplicates) == (8, 0, 1)
    assert found.rows.marked == (0, 1, 8)
    assert any("8 of 48 rows of y are copies" in remark for remark in found.remarks)
    assert any("1 of 48 rows of y repeat others" in remark for remark in found.remarks)


def test_a_sample_compared_with_itself_is_all_copies(rng: np.random.Generator) -> None:
    x = rng.normal(size=30)
    found = divkit.compare(x, x, rng=0)
    assert found.rows.marked == (0, 0, 30)
    assert any("do not hold" in remark for remark in found.remarks)


@pytest.mark.parametrize("kind", ["whole", "rounded", "zeros", "gaps", "hours", "float32 zeros"])
def test_values_that_repeat_by_nature_are_not_called_copies(kind: str, rng: np.random.Generator) -> None:
    def draw(n: int) -> dict[str, Any]:
        values = rng.normal(size=n)
        often = rng.random(n) < 0.4
        return {
            "whole": {"a": rng.integers(0, 3, n)},
            "rounded": {"a": np.round(values, 2)},
            "zeros": {"a": np.where(often, 0.0, values), "b": rng.integers(0, 2, n)},
            "gaps": {"a": np.where(often, np.nan, values)},
            "hours": {"a": np.datetime64("2026-01-01T00") + rng.integers(0, 300, n)},
            "float32 zeros": {"a": np.where(often, 0.1, values).astype(np.float32), "b": often},
        }[kind]

    found = divkit.compare(draw(200), draw(150), parts=[], rng=0)
    assert found.rows.y_copies > 0
    assert not any("copies" in remark or "repeat others" in remark for remark in found.remarks)


def test_rows_are_equal_if_all_values_are(rng: np.random.Generator) -> None:
    frames = [pd.DataFrame(rng.integers(0, 3, (n, 3)), columns=list("abc")) for n in (70, 50)]
    found = divkit.compare(*frames, parts=[], rng=0)
    x, y = ({tuple(row) for row in frame.to_numpy().tolist()} for frame in frames)
    assert found.rows.x_duplicates == 70 - len(x)
    assert found.rows.y_duplicates == 50 - len(y)
    assert found.rows.y_copies == sum(tuple(row) in x for row in frames[1].to_numpy().tolist())


def test_every_category_counts_in_its_column() -> None:
    common = [f"common {i}" for i in range(49)] * 20
    x, y = ([*common, *(f"{name} {i % 100}" for i in range(1000))] for name in "xy")
    found = divkit.compare({"c": x}, {"c": y}, parts=[], rng=0)
    assert found.columns[0].distance == pytest.approx(1000 / 1980)
    assert found.changed == ["c"]
    assert found.rows.y_copies == 980
    assert any("does not see what differs" in remark for remark in found.remarks)


def test_ids_that_both_tables_share_are_no_categories() -> None:
    names = [f"id {i}" for i in range(60)]
    found = divkit.compare({"id": names, "a": [1.0, 2.0] * 30}, {"id": names, "a": [1.0, 2.0] * 30}, parts=[], rng=0)
    assert [column.name for column in found.columns] == ["a"]


@given(st.integers(1, 30), st.integers(1, 30), st.data())
def test_the_test_of_gaps_is_fishers_for_equal_sizes_and_exact_always(n: int, m: int, data: st.DataObject) -> None:
    gone = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    sides = [np.where(np.arange(size) < k, np.nan, 1.0) for size, k in zip((n, m), gone, strict=True)]
    found = gaps_p_value(Feature("a", "number", *sides))
    total = sum(gone)
    if total in (0, n + m):
        assert found is None
        return
    ways = [math.comb(n, k) * math.comb(m, total - k) for k in range(total + 1)]
    observed = abs(gone[0] * m - gone[1] * n)
    expected = sum(way for k, way in enumerate(ways) if abs(k * m - (total - k) * n) >= observed) / sum(ways)
    assert found == pytest.approx(expected, rel=1e-9)
    if n == m:
        table = [[gone[0], n - gone[0]], [gone[1], m - gone[1]]]
        assert found == pytest.approx(scipy.stats.fisher_exact(table).pvalue, rel=1e-6)


def test_too_few_permutations_or_rows_for_so_many_columns_are_said(rng: np.random.Generator) -> None:
    found = divkit.compare(rng.normal(size=(4, 30)), rng.normal(size=(4, 30)), parts=[], rng=0)
    assert any("only several can be told from chance" in remark for remark in found.remarks)


def test_one_row_against_many_is_said_to_be_too_few(rng: np.random.Generator) -> None:
    found = divkit.compare(rng.normal(size=(60, 5)), rng.normal(size=(2, 5)), parts=[], level=0.999, rng=0)
    assert any("only several can be told from chance" in remark for remark in found.remarks)


def test_every_quantity_of_the_table_stands_once(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(60, 1)), rng.normal(size=(60, 1)) + 1.0
    for statistic in ("classifier", "wasserstein1", "energy"):
        names = [row["quantity"] for row in divkit.compare(x, y, statistic=statistic, rng=0).table()]
        assert "effect" in names
        assert len(names) == len(set(names))


def test_the_distance_is_of_all_rows_that_are_compared(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=20_500), rng.normal(size=20_100)
    found = divkit.compare(x, y, rows=30_000, parts=["wasserstein1"], rng=0)
    assert (found.wasserstein1.info["n"], found.wasserstein1.info["m"]) == (20_500, 20_100)
    assert found.wasserstein1.method == "line"
    assert found.wasserstein1 == pytest.approx(divkit.wasserstein1(x, y), rel=1e-9)


def test_nothing_tested_is_nothing_found() -> None:
    found = divkit.compare([[1.0, 2.0]], [[3.0, 4.0]], parts=[], rng=0)
    assert found.verdict == "Equal laws were not tested. No column was tested by itself."


def test_arrays_are_matched_by_position(rng: np.random.Generator) -> None:
    x = rng.normal(size=20)
    assert divkit.compare(x, x[:, None] + 1, parts=[], rng=0).columns[0].distance == pytest.approx(1.0)


def test_what_no_column_can_hold_may_be_left_out() -> None:
    x = {"a": [1.0, 2.0], "b": [1 + 2j, 2j], "c": [2**60, 1]}
    assert [own.name for own in divkit.compare(x, x, columns=["a"], parts=[], rng=0).columns] == ["a"]


def test_durations_are_days() -> None:
    x = {"a": [dt.timedelta(hours=12), dt.timedelta(days=1)]}
    y = {"a": [dt.timedelta(days=2), None]}
    column = divkit.compare(x, y, parts=[], rng=0).columns[0]
    assert (column.kind, column.distance, column.missing) == ("duration", 1.25, (0.0, 0.5))


def test_columns_may_be_any_iterable() -> None:
    frame = pd.DataFrame(np.arange(40.0).reshape(20, 2))
    for columns in (frame.columns, pd.Series([0, 1]), (name for name in (0, 1))):
        assert len(divkit.compare(frame, frame, columns=columns, parts=[], rng=0).columns) == 2


def test_dates_far_away_and_large_constants_are_shown(rng: np.random.Generator) -> None:
    for values in (np.array([-3000000, -2000000]).astype("M8[D]"), np.full(2, 1e17), np.array([-1e300, 1e300])):
        column = np.resize(values, 30)
        found = divkit.compare({"a": column}, {"a": column}, parts=[], rng=0)
        str(found)
        pytest.importorskip("matplotlib")
        found.to_html()


@pytest.mark.parametrize("scale", [1e-300, 1e-8, 1e8, 1e300])
def test_any_scale(scale: float, rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(30, 2)), rng.normal(size=(25, 2)) + 3.0
    one, other = divkit.compare(x, y, rng=0), divkit.compare(x * scale, y * scale, rng=0)
    assert other.p_value == one.p_value
    assert other.wasserstein1 == pytest.approx(float(one.wasserstein1) * scale, rel=1e-9)
    for a, b in zip(one.columns, other.columns, strict=True):
        assert (a.name, a.p_value) == (b.name, b.p_value)
        assert b.distance == pytest.approx(a.distance * scale, rel=1e-9)
        assert b.relative == pytest.approx(a.relative, rel=1e-9)


def test_an_offset_of_1e8(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(30, 2)), rng.normal(size=(25, 2)) + 3.0
    one, other = divkit.compare(x, y, rng=0), divkit.compare(x + 1e8, y + 1e8, rng=0)
    assert other.wasserstein1 == pytest.approx(float(one.wasserstein1), rel=1e-6)


@pytest.mark.parametrize(
    "rows",
    [(1, 1), (1, 30), (2, 2), (5, 40), (9, 9), (10, 10)],
)
def test_few_rows_give_what_they_can(rows: tuple[int, int], rng: np.random.Generator) -> None:
    x, y = (rng.normal(size=(count, 2)) for count in rows)
    found = divkit.compare(x, y, rng=0)
    assert found.wasserstein1 == pytest.approx(divkit.wasserstein1(x, y))
    if min(rows) < 10:
        assert found.divergences == {}
        assert any("could not be bounded" in remark for remark in found.remarks)
    json.loads(found.to_json())
    str(found)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ({"a": [1.0] * 30, "b": np.arange(30.0)}, {"a": [1.0] * 30, "b": np.arange(30.0)}),
        ({"a": [math.nan] * 30, "b": np.arange(30.0)}, {"a": np.arange(30.0), "b": np.arange(30.0)}),
        ({"a": ["u"] * 30}, {"a": ["v"] * 30}),
        ({"a": [None] * 30, "b": ["u"] * 30}, {"a": ["v", None] * 15, "b": ["u"] * 30}),
        ({"a": np.zeros(30)}, {"a": np.zeros(30)}),
        ({"a": np.zeros(30)}, {"a": np.ones(30)}),
        ({"a": pd.date_range("2020-01-01", periods=30)}, {"a": pd.date_range("2021-01-01", periods=30)}),
    ],
)
def test_degenerate_columns(x: dict[str, Any], y: dict[str, Any]) -> None:
    found = divkit.compare(x, y, rng=0)
    json.loads(found.to_json())
    str(found)
    for column in found.columns:
        if "b" in x:
            assert column.name == "a" or column.p_value == 1.0
    if x is y or np.array_equal(x["a"], y["a"], equal_nan=False):
        assert found.p_value == 1.0
        assert found.changed == []


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (np.zeros((3, 2)), np.zeros((3, 3)), {}, "same number of columns, got 2 and 3"),
        ({"a": [1.0], "b": [1.0]}, {"a": [1.0], "c": [1.0]}, {}, r"'b' only in x and 'c' only in y; .*columns=\['a'\]"),
        ({"a": [1.0]}, np.zeros((3, 1)), {}, "both have names of columns, or neither"),
        ({"a": [1.0]}, {"a": ["u"]}, {}, "numbers in x and texts in y"),
        ({"a": [True]}, {"a": ["True"]}, {}, "booleans in x and texts in y"),
        ({"a": [dt.timedelta(1)]}, {"a": [1.0]}, {}, "durations in x and numbers in y"),
        (
            {"a": pd.to_datetime(["2020-01-01"], utc=True)},
            {"a": pd.to_datetime(["2020-01-01"])},
            {},
            "times with a zone in x and times without a zone in y",
        ),
        ({"a": [1 + 2j], "b": [1.0]}, {"a": [1.0], "b": [1.0]}, {}, "column 'a' of x"),
        ({"a": [1.0]}, {"a": [1.0]}, {"columns": ["z"]}, "x has no column 'z'; it has 'a'"),
        ({"a": [1.0]}, {"a": [1.0]}, {"columns": "a"}, "list of names"),
        ({"a": [1.0]}, {"a": [1.0]}, {"columns": []}, "list of names"),
        ({"a": [None]}, {"a": [None]}, {}, "nothing is left"),
        ([1.0], [2.0], {"statistic": "energi"}, "statistic"),
        ([1.0], [2.0], {"correction": "none"}, "correction"),
        ([1.0], [2.0], {"standardize": 1}, "standardize"),
        ([1.0], [2.0], {"rows": 0}, "rows"),
        ([1.0], [2.0], {"parts": ["tests"]}, "parts"),
        ([1.0], [2.0], {"parts": "test"}, "parts"),
        ([1.0], [2.0], {"parts": [["test"]]}, "parts"),
        ([1.0], [2.0], {"correction": ["holm"]}, "correction"),
        ([1.0], [2.0], {"permutations": 0}, "permutations"),
        ([1.0], [2.0], {"level": 1.0}, "level"),
        ([1.0], [2.0], {"rng": "seed"}, "rng"),
        ([1.0, math.inf], [2.0], {}, "finite"),
    ],
)
def test_bad_input_is_refused(x: Any, y: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        divkit.compare(x, y, **options)


def test_statistics_without_an_effect_and_statistics_that_refuse(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(30, 2)), rng.normal(size=(25, 2))
    assert divkit.compare(x, y, statistic="knn", rng=0).test.name == "knn"
    refused = divkit.compare(x, y, statistic="ks", rng=0)
    assert refused.p_value is None
    assert any("could not be tested" in remark for remark in refused.remarks)
    str(refused)


def test_parts_are_those_of_the_whole(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(30, 2)), rng.normal(size=(25, 2)) + 1.0
    whole = divkit.compare(x, y, rng=0)
    test, columns = divkit.compare(x, y, parts=["test"], rng=0), divkit.compare(x, y, parts=[], rng=0)
    assert test.p_value == whole.p_value
    assert (test.divergences, test.wasserstein1, test.bounds) == ({}, None, None)
    assert columns.p_value is None
    for found in (test, columns):
        assert [own.to_dict() for own in found.columns] == [own.to_dict() for own in whole.columns]
    assert "not tested" in columns.verdict
    str(columns)
    columns.to_html()


def test_the_same_seed_gives_the_same_comparison(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(40, 2)), rng.normal(size=(30, 2))
    assert divkit.compare(x, y, rng=3).to_json() == divkit.compare(x, y, rng=3).to_json()


def test_very_many_columns_can_still_be_seen(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(60, 120)), rng.normal(size=(60, 120))
    y[:, 17] += 5.0
    found = divkit.compare(x, y, rng=0)
    assert found.changed == ["column 17"]


def test_a_bar_is_shown_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    divkit.compare(np.arange(12.0), np.arange(12.0), progress=True, rng=0)
    assert "divergences" in capsys.readouterr().err
