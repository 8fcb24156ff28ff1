"""Tables of named columns, from arrays, tensors, mappings and dataframes of any library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from divkit._array import as_float_array, is_torch
from divkit._errors import InvalidInput, require
from divkit.measures import Samples

__all__ = ["Column", "Kind", "Table", "as_table", "column_of"]

Kind = Literal["number", "category", "time", "empty"]
_DAY: Final = 86_400_000_000  # microseconds
_TEXTS: Final = (str, bool, np.str_, np.bool_)


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a table.

    Parameters
    ----------
    name : str
    kind : {"number", "category", "time", "empty"}
        Times are days since 1970; a column is empty if all its values are missing.
    values : ndarray, shape (n,)
        Float64 with NaN where a value is missing; for categories str objects, and None where one is missing.
    """

    name: str
    kind: Kind
    values: NDArray[Any]

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Where no value is, (n,)."""
        if self.kind == "category":
            return np.array([value is None for value in self.values], dtype=bool)
        return np.asarray(np.isnan(self.values))


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of one length.

    Parameters
    ----------
    columns : tuple of Column
    named : bool
        Whether the names are the caller's, as in a dataframe; those of arrays are made up.
    """

    columns: tuple[Column, ...]
    named: bool

    def __len__(self) -> int:
        return len(self.columns[0].values)


def as_table(name: str, value: Any) -> Table:
    """What the caller has, as a table.

    Parameters
    ----------
    name : str
        How messages call it.
    value : array_like, shape (n,) or (n, d), torch tensor, mapping of columns, dataframe, or Samples
        NaN is a missing value.

    Raises
    ------
    InvalidInput
        For what is no table, has no rows or no columns, two columns of one name, infinities, values that are neither
        numbers nor texts nor times, and weights.
    """
    if isinstance(value, Table):
        return _checked(name, value)
    if isinstance(value, Samples):
        if value.weights is not None:
            raise InvalidInput(
                f"{name} has weights, and a comparison holds all rows equally likely; draw rows with the weights as "
                f"probabilities first"
            )
        value = value.points
    if isinstance(value, Mapping):
        found = _of_mapping(name, value)
    else:
        frame = None if isinstance(value, np.ndarray | Sequence) or is_torch(value) else _frame(name, value)
        found = _of_array(name, value) if frame is None else _of_frame(name, frame)
    return _checked(name, found)


def _checked(name: str, table: Table) -> Table:
    if not table.columns:
        raise InvalidInput(f"{name} has no columns")
    lengths = {len(column.values) for column in table.columns}
    if len(lengths) > 1:
        raise InvalidInput(f"the columns of {name} must have one length, got {sorted(lengths)}")
    if lengths == {0}:
        raise InvalidInput(f"{name} has no rows; a law needs at least one point")
    seen: set[str] = set()
    for column in table.columns:
        if column.name in seen:
            raise InvalidInput(f"{name} has two columns named {column.name!r}; rename one of them")
        seen.add(column.name)
    return table


def _of_array(name: str, value: Any) -> Table:
    array = as_float_array(name, value)
    if array.ndim == 1:
        return Table((_number(name, "value", array),), named=False)
    if array.ndim != 2:
        raise InvalidInput(
            f"{name} must have shape (n,) or (n, d), got {array.shape}; flatten each item first, for example "
            f"{name}.reshape(len({name}), -1)"
        )
    return Table(tuple(_number(name, f"column {j}", column) for j, column in enumerate(array.T)), named=False)


def _of_mapping(name: str, value: Mapping[Any, Any]) -> Table:
    return Table(tuple(column_of(name, str(key), np.asarray(held)) for key, held in value.items()), named=True)


def column_of(table: str, name: str, values: NDArray[Any]) -> Column:
    """A column from an array (n,) of numbers, booleans, texts, times, or a mixture of texts and missing values.

    Raises
    ------
    InvalidInput
        For anything else; the message names table and column.
    """
    if values.ndim != 1:
        raise InvalidInput(f"column {name!r} of {table} must have shape (n,), got {values.shape}")
    if values.dtype.kind in "OT":
        return _of_objects(table, name, values)
    if values.dtype.kind in "bU":
        return _category(name, [str(value) for value in values])
    if values.dtype.kind in "mM":
        unit = "timedelta64[us]" if values.dtype.kind == "m" else "datetime64[us]"
        days = np.where(np.isnat(values), np.nan, values.astype(unit).astype(np.int64) / _DAY)
        return Column(name, "time" if values.dtype.kind == "M" else "number", days)
    if values.dtype.kind not in "iuf":
        raise InvalidInput(
            f"column {name!r} of {table} has dtype {values.dtype}; columns hold real numbers, texts, booleans or times"
        )
    return _number(table, name, np.asarray(as_float_array(f"column {name!r} of {table}", values)))


def _of_objects(table: str, name: str, values: NDArray[Any]) -> Column:
    """Python objects: all numbers, or texts and booleans, with None and NaN for what is missing."""
    missing = np.array([value is None or _is_nan(value) for value in values], dtype=bool)
    held = [value for value, gone in zip(values, missing, strict=True) if not gone]
    if held and all(isinstance(value, _TEXTS) for value in held):
        return _category(name, [None if gone else str(value) for value, gone in zip(values, missing, strict=True)])
    numbers = np.full(len(values), np.nan)
    try:
        numbers[~missing] = np.array(held, dtype=np.float64)
    except (TypeError, ValueError):
        kinds = sorted({type(value).__name__ for value in held})
        raise InvalidInput(
            f"column {name!r} of {table} holds {', '.join(kinds)}; a column holds numbers, or texts and booleans, or "
            f"times: convert it, or leave it out with columns="
        ) from None
    return _number(table, name, numbers)


def _is_nan(value: Any) -> bool:
    """NaN, NaT or pandas' NA, which compare unequal to themselves or to nothing at all."""
    if isinstance(value, _TEXTS):
        return False
    if type(value).__name__ in ("NAType", "NaTType"):
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):
        return False


def _number(table: str, name: str, values: NDArray[np.floating[Any]]) -> Column:
    values = np.ascontiguousarray(values, dtype=np.float64)
    infinite = np.isinf(values)
    if infinite.any():
        at = int(np.argmax(infinite))
        raise InvalidInput(
            f"column {name!r} of {table} must be finite or missing, but row {at} is {values[at]} "
            f"({int(infinite.sum())} such values); drop those rows, or mark them as missing (NaN)"
        )
    return Column(name, "empty" if np.isnan(values).all() else "number", values)


def _category(name: str, values: Sequence[str | None]) -> Column:
    held = np.empty(len(values), dtype=object)
    held[:] = values
    if all(value is None for value in values):
        return Column(name, "empty", np.full(len(values), np.nan))
    return Column(name, "category", held)


def _frame(name: str, value: Any) -> Any:
    """The value as a dataframe of narwhals, None if it is none."""
    import narwhals as nw

    try:
        found = nw.from_native(value, pass_through=True, allow_series=True)
    except ValueError as error:  # two columns of one name
        raise InvalidInput(f"{name} is no table: {' '.join(str(error).split())}") from error
    if found is value and hasattr(value, _STREAM):
        found = nw.from_native(require("pyarrow", "tables").table(value))
    elif found is value and hasattr(value, "__dataframe__"):
        found = nw.from_native(require("pyarrow.interchange", "tables").from_dataframe(value))
    if isinstance(found, nw.LazyFrame):
        raise InvalidInput(f"{name} is a lazy frame, whose rows are not there yet; pass {name}.collect()")
    if isinstance(found, nw.Series):
        return found.to_frame()
    return found if isinstance(found, nw.DataFrame) else None


_STREAM: Final = "__arrow_c_stream__"


def _of_frame(name: str, frame: Any) -> Table:
    return Table(tuple(_of_series(name, str(key), frame[key]) for key in frame.columns), named=True)


def _of_series(table: str, name: str, series: Any) -> Column:
    """A column of a dataframe, by what its library says its values are."""
    import narwhals as nw

    dtype = series.dtype
    if dtype.is_numeric():
        if dtype.is_integer() and len(series) and not series.is_null().any():
            return column_of(table, name, np.asarray(series.to_numpy()))
        return _number(table, name, np.array(series.cast(nw.Float64).to_numpy(), dtype=np.float64))
    if dtype.is_temporal() and not isinstance(dtype, nw.Time):
        return _of_times(table, name, series)
    if isinstance(dtype, nw.Boolean | nw.String | nw.Categorical | nw.Enum):
        values = series.to_list()
        return _category(name, [None if value is None or _is_nan(value) else str(value) for value in values])
    if isinstance(dtype, nw.Object | nw.Unknown):
        return column_of(table, name, np.array(series.to_list(), dtype=object))
    raise InvalidInput(
        f"column {name!r} of {table} has dtype {dtype}; columns hold real numbers, texts, booleans or times: convert "
        f"it, or leave it out with columns="
    )


def _of_times(table: str, name: str, series: Any) -> Column:
    """Dates and times as days since 1970, durations as days."""
    import narwhals as nw

    duration = isinstance(series.dtype, nw.Duration)
    if duration:
        counts = series.dt.total_microseconds()
    else:
        counts = (series.cast(nw.Datetime) if isinstance(series.dtype, nw.Date) else series).dt.timestamp("us")
    days = np.array(counts.cast(nw.Float64).to_numpy(), dtype=np.float64) / _DAY
    gone = np.asarray(series.is_null().to_numpy(), dtype=bool)
    found = _number(table, name, np.where(gone, np.nan, days))
    return Column(name, "time", found.values) if found.kind == "number" and not duration else found
