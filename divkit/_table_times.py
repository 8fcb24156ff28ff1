"""Dates, times and durations of NumPy, Python and pandas as days."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from divkit._errors import InvalidInput

__all__ = ["days_of", "days_of_objects", "no_times_of_day"]

_PARTS: Final = {"us": 10**6, "ns": 10**9, "ps": 10**12, "fs": 10**15, "as": 10**18}  # of a second


def no_times_of_day(what: str) -> InvalidInput:
    """The error for times without a date."""
    return InvalidInput(
        f"{what} holds times of day, which are not supported; convert them to seconds since midnight (hour * 3600 + "
        f"minute * 60 + second), or leave it out with columns="
    )


def days_of(what: str, values: NDArray[Any]) -> NDArray[np.float64]:
    """Days of datetime64 or timedelta64, (n,); equal times give equal numbers, whatever their units."""
    found = np.full(len(values), np.nan)
    present = ~np.isnat(values)
    held = values[present]
    if not len(held):
        return found
    unit, _ = np.datetime_data(held.dtype)
    if unit == "generic" or (held.dtype.kind == "m" and unit in "YM"):
        of = "have no unit" if unit == "generic" else "are years or months, which have no fixed length"
        raise InvalidInput(f"{what} has durations that {of}; convert them to days, such as timedelta64[D]")
    finer = unit if unit in _PARTS else "us"
    counts = held.astype(f"{held.dtype.kind}8[{finer}]")
    if (counts.astype(held.dtype) != held).any():  # NumPy wraps around
        raise InvalidInput(
            f"{what} has times beyond what 64 bits hold in units of {finer}, from {held.min()} to {held.max()} (in "
            f"microseconds they hold 292,000 years); mark them as missing (NaT)"
        )
    counts, a_day = counts.astype(np.int64), 86_400 * _PARTS[finer]
    if a_day > np.iinfo(np.int64).max:
        found[present] = counts / float(a_day)
        return found
    rest = np.fmod(counts, a_day)  # towards zero, so that short durations keep their digits
    found[present] = (counts - rest) // a_day + rest / a_day
    return found


def days_of_objects(what: str, held: list[Any]) -> tuple[NDArray[np.float64], bool]:
    """Days of Python's dates, times and durations, (n,), and whether they have a zone."""
    zones = {isinstance(value, dt.datetime) and value.utcoffset() is not None for value in held}
    if len(zones) > 1:
        raise InvalidInput(f"{what} has times with a zone and others without; give all of them one, or none")
    if zones == {False} and set(map(type, held)) <= {dt.date, dt.datetime}:
        return days_of(what, np.array(held, dtype="datetime64[us]")), False
    try:
        stamps = [_stamp(value) for value in held]
    except (OverflowError, ValueError) as error:
        raise InvalidInput(f"{what} has a time that cannot be converted: {error}; mark it as missing (None)") from error
    units = np.array([stamp.dtype.str for stamp in stamps])
    found = np.empty(len(held))
    for unit in np.unique(units):
        chosen = np.flatnonzero(units == unit)
        found[chosen] = days_of(what, np.array([stamps[at] for at in chosen], dtype=unit))
    return found, zones == {True}


def _stamp(value: Any) -> Any:
    """A date, time or duration of Python or pandas as NumPy's, in UTC if it has a zone."""
    if isinstance(value, np.datetime64 | np.timedelta64):
        return value
    for method in ("to_datetime64", "to_timedelta64"):  # of pandas, with nanoseconds
        if hasattr(value, method):
            return getattr(value, method)()
    if isinstance(value, dt.timedelta):
        return np.timedelta64(value // dt.timedelta(microseconds=1), "us")
    if isinstance(value, dt.datetime) and value.utcoffset() is not None:
        value = value.astimezone(dt.UTC).replace(tzinfo=None)
    return np.datetime64(value)
