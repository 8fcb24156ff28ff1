"""Rows that repeat: within a sample, and from one to the other."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from divkit.comparison._pair import Pair

__all__ = ["RepeatedRows", "repeated_rows"]

_U = NDArray[np.uint64]
_SEED: Final = 0x5EED


@dataclass(frozen=True)
class RepeatedRows:
    """How many rows are equal to others in all columns.

    Parameters
    ----------
    x_duplicates, y_duplicates : int
        Rows that an earlier row of the same sample equals.
    y_copies : int
        Rows of y that equal some row of x.
    expected : bool
        Whether values are few or whole, so that equal rows say nothing.
    """

    x_duplicates: int
    y_duplicates: int
    y_copies: int
    expected: bool

    def to_dict(self) -> dict[str, Any]:
        """As plain Python values."""
        return asdict(self)


def repeated_rows(pair: Pair) -> RepeatedRows:
    """Count them; rows are equal if all values are, gaps included."""
    keys = _keys(pair)
    x, y = keys[: pair.n], keys[pair.n :]
    known = np.unique(x)
    continuous = any(_is_continuous(feature.x, feature.y) for feature in pair.features if feature.kind != "category")
    return RepeatedRows(
        len(x) - len(known),
        len(y) - len(np.unique(y)),
        int(np.isin(y, known).sum()),
        not continuous,
    )


def _keys(pair: Pair) -> _U:
    """A number for each row of both, equal where rows are.

    Sums of the bits of values times random odd numbers, modulo 2^64, mixed in between: that two different rows of a
    million get one number has a chance of about 1e-7.
    """
    factors = np.random.default_rng(_SEED).integers(2**62, size=(len(pair.features), 2), dtype=np.uint64) * 2 + 1
    total = np.zeros(pair.n + pair.m, dtype=np.uint64)
    for feature, (first, second) in zip(pair.features, factors, strict=True):
        values = np.concatenate([feature.x, feature.y]) + 0.0  # no negative zero
        values[np.isnan(values)] = np.nan  # one kind of NaN
        bits = values.view(np.uint64) * first
        bits ^= bits >> np.uint64(32)
        total += bits * second
    return total


def _is_continuous(x: NDArray[np.float64], y: NDArray[np.float64]) -> bool:
    """Whether most values of a sample differ, not all of them whole."""
    for values in (x[~np.isnan(x)], y[~np.isnan(y)]):
        if len(np.unique(values)) > len(values) / 2 and not np.array_equal(values, np.rint(values)):
            return True
    return False
