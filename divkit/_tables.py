"""Tables of named columns, from arrays, tensors, mappings and dataframes of any library."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from divkit._array import FloatArray, as_float_array, is_torch
from divkit._errors import InvalidInput, require
from divkit._table_columns import Column, Kind, category, column_of, exact, number, objects
from divkit._table_times import no_times_of_day
from divkit.measures import Samples

__all__ = ["Column", "Kind", "Table", "as_table", "held_column"]

_STREAM: Final = "__arrow_c_stream__"


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

    def column(self, name: str) -> Column:
        """The column of that name.

        Raises
        ------
        InvalidInput
            If it is refused.
        KeyError
            If there is none.
        """
        for column in self.columns:
            if column.name == name:
                if column.kind == "refused":
                    raise InvalidInput(column.refusal)
                return column
        raise KeyError(name)


def as_table(name: str, value: Any, *, strict: bool = True) -> Table:
    """What the caller has, as a table.

    Parameters
    ----------
    name : str
        How messages call it.
    value : array_like, shape (n,) or (n, d), torch tensor, mapping of columns, dataframe, series, or Samples
        NaN is a missing value, and so is what is masked.
    strict : bool
        Whether a column that cannot be held raises; if not, it is kept as refused, and `Table.column` raises.

    Raises
    ------
    InvalidInput
        For what is no table, has no rows or no columns, two columns of one name, infinities, integers beyond 2**53,
        values that are neither numbers nor texts nor times, and weights.
    """
    if isinstance(value, Table):
        return _checked(name, value, strict)
    if isinstance(value, Samples):
        if value.weights is not None:
            raise InvalidInput(
                f"{name} has weights, and a comparison holds all rows equally likely; draw rows with the weights as "
                f"probabilities first"
            )
        value = value.points
    if isinstance(value, str | bytes | os.PathLike):
        raise InvalidInput(
            f"{name} must be a table, got the {type(value).__name__} {value!r:.60}; if it is a path, read the file "
            f"first, or use the command: divkit compare A B"
        )
    if isinstance(value, np.ndarray) and value.dtype.names is not None:
        value = {field: value[field] for field in value.dtype.names}  # a structured array has named columns
    if isinstance(value, Mapping):
        return _checked(name, _of_mapping(name, value, strict), strict)
    frame = None if isinstance(value, np.ndarray | Sequence) or is_torch(value) else _frame(name, value)
    found = _of_array(name, value, strict) if frame is None else _of_frame(name, frame, strict)
    return _checked(name, found, strict)


def held_column(table: str, name: str, values: Any, strict: bool) -> Column:
    """A column from an array, a list or a series; one that cannot be held is refused, or if strict raises.

    Raises
    ------
    InvalidInput
        As `column_of`, if strict or if the values have no length.
    """
    try:
        series = None if isinstance(values, np.ndarray | list | tuple) else _series(values)
        return column_of(table, name, values) if series is None else _of_series(table, name, series)
    except InvalidInput as error:
        length = None if strict or isinstance(values, str | bytes) else _length(values)
        if length is None:
            raise
        return Column(name, "refused", np.full(length, np.nan), refusal=str(error))


def _length(values: Any) -> int | None:
    try:
        return len(values)
    except TypeError:
        return None


def _checked(name: str, table: Table, strict: bool) -> Table:
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
        if strict and column.kind == "refused":
            raise InvalidInput(column.refusal)
    return table


def _of_array(name: str, value: Any, strict: bool) -> Table:
    if isinstance(value, Iterable) and not isinstance(value, Sequence) and not hasattr(value, "__array__"):
        remedy = f"{name}.toarray()" if hasattr(value, "toarray") else f"a list, such as list({name})"
        raise InvalidInput(f"{name} must be a table, got {type(value).__name__}; pass {remedy}")
    array = _filled(name, value) if isinstance(value, np.ma.MaskedArray) else as_float_array(name, value)
    if array.ndim == 0:
        raise InvalidInput(f"{name} must have shape (n,) or (n, d), got the single value {array}; pass a list")
    if array.ndim == 1:
        return Table((held_column(name, "value", array, strict),), named=False)
    if array.ndim != 2:
        raise InvalidInput(
            f"{name} must have shape (n,) or (n, d), got {array.shape}; flatten each item first, for example "
            f"{name}.reshape(len({name}), -1)"
        )
    return Table(tuple(held_column(name, f"column {j}", own, strict) for j, own in enumerate(array.T)), named=False)


def _filled(name: str, value: np.ma.MaskedArray[Any, Any]) -> FloatArray:
    """Masked numbers as float64, with NaN where they are masked."""
    present = ~np.ma.getmaskarray(value)
    found = np.full(value.shape, np.nan)
    found[present] = as_float_array(name, np.ma.getdata(value)[present])
    return found


def _of_mapping(name: str, value: Mapping[Any, Any], strict: bool) -> Table:
    return Table(tuple(held_column(name, _label(key), held, strict) for key, held in value.items()), named=True)


def _label(key: Any) -> str:
    """The name of a column; of several levels, all of them."""
    return ", ".join(map(str, key)) if isinstance(key, tuple) else str(key)


def _native(value: Any) -> Any:
    """What narwhals knows: indices and arrays of pandas and of Arrow as series."""
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(value, pandas.Index):
        return value.to_series()
    if pandas is not None and isinstance(value, pandas.api.extensions.ExtensionArray):
        return pandas.Series(value)
    pyarrow = sys.modules.get("pyarrow")
    if pyarrow is not None and isinstance(value, pyarrow.Array):
        return pyarrow.chunked_array([value])
    return value


def _series(value: Any) -> Any:
    """The value as a series of narwhals, None if it is none."""
    import narwhals as nw

    found = nw.from_native(_native(value), pass_through=True, series_only=True)
    return found if isinstance(found, nw.Series) else None


def _frame(name: str, value: Any) -> Any:
    """The value as a dataframe or a series of narwhals, None if it is neither."""
    import narwhals as nw

    value = _native(value)
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
    return found if isinstance(found, nw.DataFrame | nw.Series) else None


def _of_frame(name: str, frame: Any, strict: bool) -> Table:
    """The columns of a dataframe by position, for pandas has names that are no texts; a series is one column."""
    import narwhals as nw

    if isinstance(frame, nw.Series):
        named = frame.name not in (None, "")
        label = _label(frame.name) if named else "value"
        return Table((held_column(name, label, frame, strict),), named)
    pairs = zip(frame.columns, frame.iter_columns(), strict=True)
    return Table(tuple(held_column(name, _label(key), series, strict) for key, series in pairs), named=True)


def _of_series(table: str, name: str, series: Any) -> Column:
    """A column of a dataframe, by what its library says its values are."""
    import narwhals as nw

    dtype = series.dtype
    if dtype.is_numeric():
        present = series.drop_nulls()
        if (dtype.is_integer() or getattr(dtype, "scale", None) == 0) and len(present):
            exact(table, name, int(present.min()), int(present.max()))
        return number(table, name, np.array(series.cast(nw.Float64).to_numpy(), dtype=np.float64))
    if isinstance(dtype, nw.Time):
        raise no_times_of_day(f"column {name!r} of {table}")
    if dtype.is_temporal():
        found = column_of(table, name, np.asarray(series.to_numpy()))  # in UTC if there is a zone
        zone = getattr(dtype, "time_zone", None)
        return replace(found, aware=True) if found.kind == "time" and zone is not None else found
    if isinstance(dtype, nw.Boolean | nw.String | nw.Categorical | nw.Enum):
        gone = np.asarray(series.is_null().to_numpy(), dtype=bool)
        return category(name, [None if no else value for value, no in zip(series.to_list(), gone, strict=True)])
    if isinstance(dtype, nw.Object | nw.Unknown):
        return column_of(table, name, objects(series.to_list()))
    raise InvalidInput(
        f"column {name!r} of {table} has dtype {dtype}; columns hold real numbers, texts, booleans, times or "
        f"durations: convert it, or leave it out with columns="
    )
