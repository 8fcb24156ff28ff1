"""One column of a table, from an array, a list or Python objects: numbers, categories, times or durations."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Integral, Real
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from divkit._array import as_float_array, is_torch, to_numpy
from divkit._errors import InvalidInput
from divkit._table_times import days_of, days_of_objects, no_times_of_day

__all__ = ["Column", "Kind", "category", "column_of", "exact", "number", "objects"]

Kind = Literal["number", "category", "time", "duration", "empty", "refused"]
_EXACT_INTEGER: Final = 2**53  # beyond it not every integer is a float64
_TEXTS: Final = (str, np.str_)
_BOOLEANS: Final = (bool, np.bool_)
_TEMPORAL: Final[dict[Literal["time", "duration"], tuple[type, ...]]] = {
    "time": (dt.date, np.datetime64),  # a datetime is a date
    "duration": (dt.timedelta, np.timedelta64),
}
_HOLDS: Final = "columns hold real numbers, texts, booleans, times or durations"
_REMEDY: Final = "convert it, or leave it out with columns="


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a table.

    Parameters
    ----------
    name : str
    kind : {"number", "category", "time", "duration", "empty", "refused"}
        Times are days since 1970, durations days; a column is empty if all its values are missing, and refused if it
        holds what no column can.
    values : ndarray, shape (n,)
        Float64 with NaN where a value is missing; for categories str objects, and None where one is missing.
    aware : bool
        Whether times have a zone; they are those of UTC then.
    boolean : bool
        Whether the categories are True and False, not texts.
    refusal : str
        Why a column is refused, else empty.
    """

    name: str
    kind: Kind
    values: NDArray[Any]
    aware: bool = False
    boolean: bool = False
    refusal: str = ""

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Where no value is, (n,)."""
        if self.kind == "category":
            return np.array([value is None for value in self.values], dtype=bool)
        return np.asarray(np.isnan(self.values))


def column_of(table: str, name: str, values: Any) -> Column:
    """A column from an array, tensor or sequence (n,) of values of one kind, and of gaps.

    Parameters
    ----------
    table, name : str
        How messages call them.
    values : array_like, shape (n,)
        None, NaN, NaT, pandas' NA and masked values are gaps.

    Raises
    ------
    InvalidInput
        For anything else, and for mixtures such as of numbers and texts; the message names table and column.
    """
    what = f"column {name!r} of {table}"
    if is_torch(values):
        values = to_numpy(what, values)
    if not isinstance(values, np.ndarray):
        values = _array(what, values)
    if values.ndim != 1:
        remedy = "give each coordinate a column of its own" if values.ndim else "pass a list of values"
        raise InvalidInput(f"{what} must have shape (n,), got {values.shape}; {remedy}")
    if isinstance(values, np.ma.MaskedArray):
        return _of_masked(table, name, values)
    if values.dtype.kind in "OT":
        return _of_objects(table, name, values)
    if values.dtype.kind in "bU":
        return category(name, values.tolist())
    if values.dtype.kind in "mM":
        return _temporal(name, "time" if values.dtype.kind == "M" else "duration", days_of(what, values))
    if values.dtype.kind not in "iuf":
        raise InvalidInput(f"{what} has dtype {values.dtype}; {_HOLDS}: {_REMEDY}")
    if values.dtype.kind in "iu" and values.size:
        exact(table, name, int(values.min()), int(values.max()))
    return number(table, name, as_float_array(what, values))


def number(table: str, name: str, values: NDArray[np.floating[Any]]) -> Column:
    """A column of numbers from float64 with NaN for gaps.

    Raises
    ------
    InvalidInput
        For infinities.
    """
    values = np.ascontiguousarray(values, dtype=np.float64)
    infinite = np.isinf(values)
    if infinite.any():
        at = int(np.argmax(infinite))
        raise InvalidInput(
            f"column {name!r} of {table} must be finite or missing, but row {at} is {values[at]} "
            f"({int(infinite.sum())} such values); drop those rows, or mark them as missing (NaN)"
        )
    return Column(name, "empty" if np.isnan(values).all() else "number", values)


def category(name: str, values: Sequence[Any]) -> Column:
    """A column of categories by their texts, from values with None for gaps."""
    held = objects([None if value is None else str(value) for value in values])
    types = {type(value) for value in values} - {type(None)}
    if not types:
        return Column(name, "empty", np.full(len(values), np.nan))
    return Column(name, "category", held, boolean=types <= set(_BOOLEANS))


def exact(table: str, name: str, low: int, high: int) -> None:
    """Nothing if float64 holds all integers from low to high.

    Raises
    ------
    InvalidInput
        If not.
    """
    if max(-low, high) > _EXACT_INTEGER:
        raise InvalidInput(
            f"column {name!r} of {table} holds integers beyond 2**53 (from {_short(low)} to {_short(high)}), which "
            f"float64 cannot represent exactly; subtract a common offset in both tables first, or if they are names "
            f"of something make them texts, or leave them out with columns="
        )


def objects(values: Sequence[Any]) -> NDArray[np.object_]:
    """Values as an array (n,) of objects, whatever they are."""
    return np.fromiter(values, dtype=object, count=len(values))


def _short(value: int) -> str:
    return str(value) if abs(value) < 10**25 else f"{Decimal(value):.3e}"


def _array(what: str, values: Any) -> NDArray[Any]:
    """What is neither array nor tensor; the values of a list stay as they are, for NumPy would make texts of most."""
    if isinstance(values, str | bytes | bytearray):
        raise InvalidInput(f"{what} is one {type(values).__name__}, not a list of values; put it into a list")
    if isinstance(values, Sequence) and not isinstance(values, memoryview):
        found = objects(values)
        if any(hasattr(kind, "ndim") and not issubclass(kind, np.generic) for kind in set(map(type, found))):
            found = objects([_scalar(value) for value in found])
        return found
    if not isinstance(values, memoryview) and not hasattr(values, "__array__"):
        remedy = "pass list(...) of it" if hasattr(values, "__iter__") else "pass a list of values"
        raise InvalidInput(f"{what} must be a list or an array of shape (n,), got {type(values).__name__}; {remedy}")
    try:
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InvalidInput(f"{what} is no array (n,): {' '.join(str(error).split())}; {_REMEDY}") from error


def _scalar(value: Any) -> Any:
    """The number in an array or tensor without axes; all else as it is, above all what is masked."""
    if isinstance(value, np.ma.MaskedArray) or getattr(value, "ndim", 1) != 0:
        return value
    return value.item()


def _of_masked(table: str, name: str, values: np.ma.MaskedArray[Any, Any]) -> Column:
    """A column whose masked values are gaps."""
    held, gone = np.ma.getdata(values), np.ma.getmaskarray(values)
    if held.dtype.kind == "f":
        return column_of(table, name, np.where(gone, np.nan, held))
    found = column_of(table, name, held[~gone])
    if found.kind == "empty":
        return Column(name, "empty", np.full(len(held), np.nan))
    filled = np.full(len(held), None if found.kind == "category" else np.nan, dtype=found.values.dtype)
    filled[~gone] = found.values
    return Column(name, found.kind, filled, aware=found.aware, boolean=found.boolean)


def _of_objects(table: str, name: str, values: NDArray[Any]) -> Column:
    """Python objects of one kind, and gaps."""
    missing = np.fromiter(map(_is_gap, values), dtype=bool, count=len(values))
    held = values[~missing].tolist()
    types = set(map(type, held))
    if any(all(issubclass(kind, allowed) for kind in types) for allowed in (_TEXTS, _BOOLEANS)):
        return category(name, [None if gone else value for value, gone in zip(values, missing, strict=True)])
    what = f"column {name!r} of {table}"
    found = np.full(len(values), np.nan)
    if all(issubclass(kind, Real | Decimal) and not issubclass(kind, bool) for kind in types):
        found[~missing] = _floats(table, name, held, types)
        return number(table, name, found)
    for kind, allowed in _TEMPORAL.items():
        if all(issubclass(own, allowed) for own in types):
            found[~missing], aware = days_of_objects(what, held)
            return _temporal(name, kind, found, aware)
    if types == {dt.time}:
        raise no_times_of_day(what)
    if types & {list, tuple, np.ndarray}:
        raise InvalidInput(f"{what} must have shape (n,), but its values have parts; give each a column of its own")
    names = ", ".join(sorted(kind.__name__ for kind in types))
    raise InvalidInput(
        f"{what} holds {names}; a column holds only numbers, only texts, only booleans, only times or only durations, "
        f"and gaps: {_REMEDY}"
    )


def _is_gap(value: Any) -> bool:
    """None, NaN, NaT, pandas' NA or a masked value: what is unequal to itself, or to nothing at all."""
    kind = type(value)
    if kind in (str, int, bool):
        return False
    if value is None or value is np.ma.masked or kind.__name__ in ("NAType", "NaTType"):
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError, ArithmeticError, RuntimeError):
        return False


def _floats(table: str, name: str, held: list[Any], types: set[type]) -> NDArray[np.float64]:
    """Python's numbers as float64, (n,)."""
    whole = {kind for kind in types if issubclass(kind, Integral)}
    integers = [value for value in held if type(value) in whole] if whole else []
    integers += [value for value in held if _is_whole(value)] if Decimal in types else []
    if integers:
        exact(table, name, int(min(integers)), int(max(integers)))
    try:
        return np.array(held, dtype=np.float64)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise InvalidInput(
            f"column {name!r} of {table} holds a number that is no float64: {' '.join(str(error).split())}; {_REMEDY}"
        ) from error


def _is_whole(value: Any) -> bool:
    """Whether a decimal number is written without a point, as identifiers in databases are."""
    return isinstance(value, Decimal) and value.is_finite() and value.as_tuple().exponent == 0


def _temporal(name: str, kind: Literal["time", "duration"], days: NDArray[np.float64], aware: bool = False) -> Column:
    if np.isnan(days).all():
        return Column(name, "empty", days)
    return Column(name, kind, days, aware=aware)
