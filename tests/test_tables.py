"""Tables from arrays, mappings and dataframes."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import sparse

from divkit import InvalidInput, Samples
from divkit._tables import Column, as_table

pa = pytest.importorskip("pyarrow")
_COLUMNS = {
    "whole": [1, 2, 3],
    "real": [1.5, None, -2.0],
    "text": ["a", None, "b"],
    "flag": [True, False, None],
    "day": [dt.date(2020, 1, 1), None, dt.date(2020, 1, 3)],
    "time": [dt.datetime(2020, 1, 1, 12), None, dt.datetime(2020, 1, 3)],
    "span": [dt.timedelta(days=1), None, dt.timedelta(hours=6)],
    "nothing": [None, None, None],
}
_EXPECTED = {
    "whole": ("number", [1.0, 2.0, 3.0]),
    "real": ("number", [1.5, None, -2.0]),
    "text": ("category", ["a", None, "b"]),
    "flag": ("category", ["True", "False", None]),
    "day": ("time", [18262.0, None, 18264.0]),
    "time": ("time", [18262.5, None, 18264.0]),
    "span": ("duration", [1.0, None, 0.25]),
    "nothing": ("empty", [None, None, None]),
}


def held(column: Column) -> list[Any]:
    return [None if gone else value for value, gone in zip(column.values.tolist(), column.missing, strict=True)]


def frames() -> dict[str, Any]:
    whole = pd.DataFrame({name: pd.Series(values) for name, values in _COLUMNS.items()})
    whole["day"] = pd.to_datetime(whole["day"])
    polars = pl.DataFrame(_COLUMNS)
    return {
        "pandas": whole,
        "pandas, nullable": whole.convert_dtypes(),
        "polars": polars,
        "arrow": polars.to_arrow(),
        "a stream of Arrow": Stream(polars),
    }


class Stream:
    """What has the Arrow interface and nothing else."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._frame.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize("library", ["pandas", "pandas, nullable", "polars", "arrow", "a stream of Arrow"])
def test_every_library_gives_the_same_table(library: str) -> None:
    table = as_table("x", frames()[library])
    assert table.named
    assert {column.name: (column.kind, held(column)) for column in table.columns} == _EXPECTED


def test_categories_of_pandas_and_polars() -> None:
    for frame in (
        pd.DataFrame({"c": pd.Categorical(["u", None, "v"])}),
        pl.DataFrame({"c": pl.Series(["u", None, "v"], dtype=pl.Categorical)}),
        pl.DataFrame({"c": pl.Series(["u", None, "v"], dtype=pl.Enum(["u", "v"]))}),
    ):
        (column,) = as_table("x", frame).columns
        assert (column.kind, held(column)) == ("category", ["u", None, "v"])


def test_times_with_a_zone_are_those_of_utc() -> None:
    times = pd.to_datetime(pd.Series(["2020-01-01 02:00+02:00", None]), utc=True).dt.tz_convert("Europe/Berlin")
    (column,) = as_table("x", pd.DataFrame({"t": times})).columns
    assert (column.kind, held(column)) == ("time", [18262.0, None])


def test_series_are_tables_of_one_column() -> None:
    for series in (pd.Series([1.0, 2.0], name="a"), pl.Series("a", [1.0, 2.0])):
        (column,) = as_table("x", series).columns
        assert (column.name, held(column)) == ("a", [1.0, 2.0])


@given(arrays(np.float64, array_shapes(min_dims=2, max_dims=2), elements=st.floats(-1e300, 1e300) | st.just(math.nan)))
def test_arrays_keep_their_values(points: np.ndarray) -> None:
    table = as_table("x", points)
    assert not table.named
    assert len(table) == len(points)
    for column, own in zip(table.columns, points.T, strict=True):
        np.testing.assert_array_equal(column.values, own)
        assert column.kind == ("empty" if np.isnan(own).all() else "number")


def test_tensors_samples_lists_and_mappings() -> None:
    torch = pytest.importorskip("torch")
    points = [[1.0, 2.0], [3.0, 4.0]]
    for value in (points, torch.tensor(points), Samples(np.array(points)), np.array(points, dtype=np.float32)):
        assert [held(column) for column in as_table("x", value).columns] == [[1.0, 3.0], [2.0, 4.0]]
    mapping = as_table("x", {"a": [1, 2], "b": ["u", None], "c": np.array(["2020-01-02", "NaT"], "M8[D]")})
    assert [column.kind for column in mapping.columns] == ["number", "category", "time"]
    assert held(mapping.columns[2]) == [18263.0, None]


def test_names_that_are_no_texts() -> None:
    points = np.arange(4.0).reshape(2, 2)
    levels = pd.MultiIndex.from_tuples([("a", "b"), ("a", 1)])
    for names, expected in ((None, ["0", "1"]), (levels, ["a, b", "a, 1"])):
        table = as_table("x", pd.DataFrame(points, columns=names))
        assert table.named
        assert [(column.name, held(column)) for column in table.columns] == [
            (expected[0], [0.0, 2.0]),
            (expected[1], [1.0, 3.0]),
        ]


def test_series_without_a_name_are_arrays() -> None:
    for series in (pd.Series([1.0, 2.0]), pl.Series([1.0, 2.0]), pd.Index([1.0, 2.0]), pa.array([1.0, 2.0])):
        table = as_table("x", series)
        assert (table.named, held(table.columns[0])) == (False, [1.0, 2.0])


def test_categories_of_numbers_are_categories_in_frames_and_mappings() -> None:
    values = pd.Categorical([1, 2, None])
    for value in (pd.DataFrame({"a": values}), {"a": values}, {"a": pd.Series(values)}):
        (column,) = as_table("x", value).columns
        assert (column.kind, column.boolean, held(column)) == ("category", False, ["1", "2", None])


def test_fields_of_structured_arrays_are_columns() -> None:
    table = as_table("x", np.array([(1, "u"), (2, "v")], dtype=[("a", int), ("b", "U1")]))
    assert table.named
    assert [(column.name, held(column)) for column in table.columns] == [("a", [1.0, 2.0]), ("b", ["u", "v"])]


def test_without_strict_columns_that_cannot_be_held_are_refused_when_asked_for() -> None:
    value = {"a": [1, "u"], "b": [1, 2], "c": [[1], [1, 2]], "d": pl.Series([[1], [2]])}
    table = as_table("x", value, strict=False)
    assert [column.kind for column in table.columns] == ["refused", "number", "refused", "refused"]
    assert held(table.column("b")) == [1.0, 2.0]
    for name, message in (("a", "holds int, str"), ("c", "shape"), ("d", "dtype List")):
        with pytest.raises(InvalidInput, match=f"column '{name}' of x .*{message}"):
            table.column(name)
    with pytest.raises(InvalidInput, match="holds int, str"):
        as_table("y", table)
    with pytest.raises(KeyError):
        table.column("e")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (pl.DataFrame({"a": [1]}).lazy(), r"pass x\.collect\(\)"),
        (object(), "real numbers"),
        ("text", "if it is a path, read the file first, or use the command: divkit compare A B"),
        (Path("a.csv"), "if it is a path"),
        ({1.0, 2.0}, r"got set; pass a list, such as list\(x\)"),
        ((i for i in [1.0]), r"got generator; pass a list, such as list\(x\)"),
        (sparse.eye_array(2), r"pass x\.toarray\(\)"),
        (5, "single value 5.0; pass a list"),
        ([], "no rows"),
        ({}, "no columns"),
        ({"a": [1], "b": [1, 2]}, "one length"),
        (pd.DataFrame(), "no columns"),
        (pd.DataFrame({"a": []}), "no rows"),
        ([[1.0, math.inf]], r"column 'column 1' of x must be finite or missing, but row 0 is inf"),
        (pd.DataFrame({"a": [1.0, -math.inf]}), r"row 1 is -inf"),
        (pl.DataFrame({"a": [[1, 2], [3]]}), r"column 'a' of x has dtype List"),
        (pd.DataFrame({"a": [1, "x"]}), r"column 'a' of x holds int, str"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "unique"),
        (pd.DataFrame({"a": [1 + 2j]}), "complex"),
        (pd.DataFrame({"a": [2**60, 1]}), r"beyond 2\*\*53"),
        (pd.DataFrame({"a": pd.interval_range(0, 2)}), "holds Interval"),
        (pa.table({"a": pa.array([pa.MonthDayNano([1, 2, 3])])}), "holds MonthDayNano"),
        (pd.DataFrame([[1, 2]], columns=[0, "0"]), "two columns named '0'"),
        (pl.DataFrame({"a": pl.Series([2**31 - 1], dtype=pl.Int32).cast(pl.Date)}), "beyond what 64 bits hold"),
        (pl.DataFrame({"a": pl.Series([2**62]).cast(pl.Duration("ms"))}), "beyond what 64 bits hold"),
        (pl.DataFrame({"a": [dt.time(1)]}), "times of day, which are not supported; convert them to seconds"),
        ({1: [1], "1": [2]}, "two columns named '1'"),
        (np.zeros((2, 2, 2)), "shape"),
        (Samples(np.zeros(2), np.ones(2)), "weights"),
    ],
)
def test_what_is_no_table_is_refused(value: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        as_table("x", value)
