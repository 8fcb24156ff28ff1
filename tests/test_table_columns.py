"""Columns of tables, from lists, arrays, and series: the same values are the same column however they come."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from divkit import InvalidInput
from divkit._tables import Column, as_table

pa = pytest.importorskip("pyarrow")


def held(column: Column) -> list[Any]:
    return [None if gone else value for value, gone in zip(column.values.tolist(), column.missing, strict=True)]


_DATES = st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31))
_DRAWN = {
    "number": st.floats(-1e300, 1e300) | st.integers(-(2**53), 2**53),
    "category": st.text(st.characters(codec="utf-8"), max_size=3),
    "boolean": st.booleans(),
    "time": _DATES,
    "zoned": _DATES.map(lambda time: time.replace(tzinfo=dt.UTC)),
    "duration": st.timedeltas(dt.timedelta(days=-10_000), dt.timedelta(days=10_000)),
}
_TYPES = {
    "number": pl.Float64,
    "category": pl.String,
    "boolean": pl.Boolean,
    "time": pl.Datetime("us"),
    "zoned": pl.Datetime("us", "UTC"),
    "duration": pl.Duration("us"),
}


@pytest.mark.parametrize("kind", sorted(_DRAWN))
@given(data=st.data())
def test_a_column_is_the_same_from_a_list_and_from_every_library(kind: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(_DRAWN[kind] | st.none(), min_size=1, max_size=5).filter(any))
    series = pl.Series("a", values, dtype=_TYPES[kind], strict=False)
    ways = {
        "list": values,
        "tuple": tuple(values),
        "objects": np.array(values, dtype=object),
        "pandas objects": pd.Series(values, dtype=object),
        "polars": series,
        "arrow": series.to_arrow(),
        "chunks": pa.chunked_array([series.to_arrow()]),
    }
    own = "category" if kind == "boolean" else "time" if kind == "zoned" else kind
    for way, given_values in ways.items():
        (column,) = as_table("x", {"a": given_values}).columns
        assert (column.kind, column.aware, column.boolean) == (own, kind == "zoned", kind == "boolean"), way
        assert held(column) == held(as_table("x", {"a": values}).columns[0]), way
        assert column.missing.tolist() == [value is None for value in values], way


@pytest.mark.parametrize("missing", [None, math.nan, pd.NA, pd.NaT, np.ma.masked, np.float64("nan"), Decimal("NaN")])
@pytest.mark.parametrize("value", ["nan", True, 2.5, dt.date(2020, 1, 1), dt.timedelta(1)])
def test_gaps_of_every_library_are_gaps_in_lists_of_every_kind(value: object, missing: object) -> None:
    (column,) = as_table("x", {"a": [value, missing]}).columns
    assert column.missing.tolist() == [False, True]
    assert held(column) == held(as_table("x", {"a": [value, None]}).columns[0])


@pytest.mark.parametrize(
    "values",
    [
        np.array([1, 2**60, 3]),
        np.array([1.0, math.inf, 3.0]),
        np.array(["u", "v", "w"]),
        np.array([True, False, True]),
        np.array(["2020-01-01", "2020-01-02", "2020-01-03"], "M8[D]"),
        np.array([1, 2, 3], "m8[h]"),
        np.array(["u", 2, None], dtype=object),
    ],
)
def test_what_is_masked_does_not_count(values: np.ndarray) -> None:
    masked = np.ma.array(values, mask=[False, True, False])
    without = as_table("x", {"a": values[[0, 2]]}).columns[0]
    (column,) = as_table("x", {"a": masked}).columns
    assert (column.kind, column.boolean) == (without.kind, without.boolean)
    assert held(column) == [held(without)[0], None, held(without)[1]]
    assert as_table("x", {"a": np.ma.array(values, mask=True)}).columns[0].kind == "empty"


def test_masked_numbers_of_bare_arrays_are_gaps() -> None:
    table = as_table("x", np.ma.array([[1, 2**60], [3, 4]], mask=[[False, True], [False, False]]))
    assert [held(column) for column in table.columns] == [[1.0, 3.0], [None, 4.0]]


@pytest.mark.parametrize("kind", ["M8", "m8"])
@given(st.lists(st.integers(-290 * 365 * 24, 290 * 365 * 24), min_size=1, max_size=5))
def test_equal_times_are_equal_numbers_in_all_units(kind: str, hours: list[int]) -> None:
    times = np.array(hours).astype(f"{kind}[h]")
    for unit in ("h", "m", "s", "ms", "us", "ns"):
        (column,) = as_table("x", {"a": times.astype(f"{kind}[{unit}]")}).columns
        np.testing.assert_allclose(column.values, np.array(hours) / 24, rtol=1e-15)
        np.testing.assert_array_equal(column.values, as_table("x", {"a": times}).columns[0].values)


def test_short_durations_keep_their_digits() -> None:
    for values in (np.array([5, -5], "m8[ns]"), [pd.Timedelta(5, "ns"), pd.Timedelta(-5, "ns")]):
        (column,) = as_table("x", {"a": values}).columns
        np.testing.assert_allclose(column.values, [5e-9 / 86_400, -5e-9 / 86_400], rtol=1e-15)


def test_times_in_other_units_are_days_since_1970() -> None:
    units = {"Y": 365.0, "M": 31.0, "W": 7.0, "D": 1.0, "ps": 1e-12 / 86_400, "fs": 1e-15 / 86_400}
    for unit, days in units.items():
        (column,) = as_table("x", {"a": np.array([1], f"M8[{unit}]")}).columns
        np.testing.assert_allclose(column.values, [days], rtol=1e-15)


@pytest.mark.parametrize(
    "values",
    [
        [2**53 + 1, None],
        [0.5, -(2**60)],
        [10**400],
        [Decimal(2**60)],
        [np.int64(2**60)],
        np.array([2**60]),
        pd.Series([2**60, None], dtype="Int64"),
        pd.Series([2**60, None], dtype="int64[pyarrow]"),
        pd.Series([2**70, 1]),
        pd.array([2**60, None]),
        pd.Index([2**60]),
        pl.Series([2**60, None]),
        pl.Series([2**64 - 1, None], dtype=pl.UInt64),
        pl.Series([2**70, None], dtype=pl.Int128),
        pl.Series([str(2**70)]).cast(pl.Decimal(38, 0)),
        pa.array([2**60, None]),
    ],
)
def test_integers_that_float64_cannot_hold_are_refused_however_they_come(values: Any) -> None:
    with pytest.raises(
        InvalidInput, match=r"column 'a' of x holds integers beyond 2\*\*53 .* subtract a common offset"
    ):
        as_table("x", {"a": values})


def test_integers_that_float64_holds_are_kept_beside_gaps() -> None:
    for values in (
        [2**53, None],
        pd.Series([2**53, None], dtype="Int64"),
        pl.Series([2**53, None]),
        pl.Series([2**53, None], dtype=pl.Int128),
    ):
        assert held(as_table("x", {"a": values}).columns[0]) == [2.0**53, None]


def test_times_with_a_zone_are_aware_however_they_come() -> None:
    times = pd.date_range("2020-01-01", periods=2, tz="Europe/Berlin")
    for value in (times, pd.Series(times), list(times), times.to_pydatetime(), pl.Series(times.to_series())):
        (column,) = as_table("x", {"a": value}).columns
        assert (column.kind, column.aware) == ("time", True)
        np.testing.assert_array_equal(column.values, np.array([18262, 18263]) - 1 / 24)


def test_tensors_in_mappings() -> None:
    torch = pytest.importorskip("torch")
    one = torch.ones(2, requires_grad=True)
    table = as_table("x", {"a": one, "b": one.bfloat16(), "c": list(one), "d": one > 0})
    assert [held(column) for column in table.columns] == [[1.0, 1.0]] * 3 + [["True", "True"]]
    assert table.columns[3].boolean


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [[1, 2]]}, "shape"),
        ({"a": [[1], [1, 2]]}, "shape"),
        ({"a": np.eye(2)}, "shape"),
        ({"a": "text"}, "is one str, not a list of values"),
        ({"a": 1}, "got int; pass a list of values"),
        ({"a": (i for i in [1])}, r"got generator; pass list\(\.\.\.\) of it"),
        ({"a": [1, "u"]}, "holds int, str"),
        ({"a": [1, "2"]}, "holds int, str"),
        ({"a": [True, "u"]}, "holds bool, str"),
        ({"a": [True, 1]}, "holds bool, int"),
        ({"a": [b"u"]}, "holds bytes"),
        ({"a": [Decimal("sNaN"), 1]}, "column 'a' of x holds a number that is no float64"),
        ({"a": [Fraction(10**400)]}, "column 'a' of x holds a number that is no float64"),
        ({"a": pd.MultiIndex.from_tuples([(1, 2)])}, "shape"),
        ({"a": pd.DataFrame([[1, 2]], columns=["a", "a"])}, "shape"),
        ({"a": [dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.datetime(2020, 1, 1)]}, "with a zone and others without"),
        ({"a": [dt.datetime.min.replace(tzinfo=dt.timezone(dt.timedelta(hours=2)))]}, "out of range"),
        ({"a": [dt.timedelta.max]}, "cannot be converted"),
        ({"a": np.array([1, 2], "m8")}, "no unit"),
        ({"a": np.array([1, 2], "m8[Y]")}, "no fixed length"),
        ({"a": np.array([1, 2], "m8[M]")}, "no fixed length"),
        ({"a": np.array([300_000 - 1970, 31]).astype("M8[Y]")}, "from 2001 to 300000"),
        ({"a": np.array([2**62], "M8[s]")}, "beyond what 64 bits hold"),
        ({"a": np.array([2**62], "m8[h]")}, "beyond what 64 bits hold"),
        ({"a": [dt.time(1)]}, "times of day, which are not supported; convert them to seconds"),
    ],
)
def test_what_is_no_column_is_refused(value: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        as_table("x", value)
