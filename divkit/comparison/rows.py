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
_OFTEN: Final = 5  # rows
_DIGITS: Final = 7  # after the first one
_ROUNDING: Final = 1e-5  # of a number below 10^8, which a few operations in float64 change by 1e-7 at most


@dataclass(frozen=True)
class RepeatedRows:
    """How many rows are equal to others in all columns that are compared.

    Parameters
    ----------
    x_duplicates, y_duplicates : int
        Rows that an earlier row of the same sample equals.
    y_copies : int
        Rows of y that equal some row of x.
    marked : tuple of three ints
        Those of x, of y, and copies that have a number of more than eight digits which stands in no other row of its
        sample, and not often in that one: values that no two draws share by chance, unless the law repeats them.
    """

    x_duplicates: int
    y_duplicates: int
    y_copies: int
    marked: tuple[int, int, int]

    def to_dict(self) -> dict[str, Any]:
        """As plain Python values."""
        return {**asdict(self), "marked": list(self.marked)}


def repeated_rows(pair: Pair) -> RepeatedRows:
    """Count them; rows are equal if all values are, gaps included."""
    keys = _keys(pair)
    x, y = keys[: pair.n], keys[pair.n :]
    x_marks, y_marks = _marked(pair, x, 0), _marked(pair, y, 1)
    x_again, y_again = _again(x), _again(y)
    copies = np.isin(y, x)
    return RepeatedRows(
        int(x_again.sum()),
        int(y_again.sum()),
        int(copies.sum()),
        (int((x_again & x_marks).sum()), int((y_again & y_marks).sum()), int(np.isin(y, x[x_marks]).sum())),
    )


def _again(keys: _U) -> NDArray[np.bool_]:
    """Where an earlier row is the same."""
    found = np.ones(len(keys), dtype=bool)
    found[np.unique(keys, return_index=True)[1]] = False
    return found


def _marked(pair: Pair, keys: _U, side: int) -> NDArray[np.bool_]:
    """Rows with a number of many digits that occurs in rows of the same key only."""
    found = np.zeros(len(keys), dtype=bool)
    for feature in pair.features:
        if feature.kind != "number":  # times have digits that nobody wrote
            continue
        values = feature.y if side else feature.x
        order = np.argsort(values, kind="stable")
        ordered, own = values[order], keys[order]
        starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
        counts = np.diff(starts, append=len(ordered))
        in_one = np.minimum.reduceat(own, starts) == np.maximum.reduceat(own, starts)
        rare = in_one & (counts <= max(_OFTEN, len(values) // 100))
        found[order] |= np.repeat(rare, counts) & _has_many_digits(ordered)
    return found


def _has_many_digits(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether a number is more than its first eight digits."""
    found = np.isfinite(values) & (values != 0)
    sizes = np.abs(values[found])
    scaled = sizes / 10.0 ** np.clip(np.floor(np.log10(sizes)), -300, 300) * 10.0**_DIGITS
    found[found] = np.abs(scaled - np.rint(scaled)) > _ROUNDING
    return np.asarray(found)


def _keys(pair: Pair) -> _U:
    """A number for each row of both, equal where rows are.

    The bits of the values of a column are scrambled, which no two of them share, and the columns' numbers added with
    random odd factors, modulo 2^64: that any two different rows of a million get one key has a chance of about 1e-7.
    """
    factors = np.random.default_rng(_SEED).integers(2**62, size=len(pair.features), dtype=np.uint64) * 2 + 1
    total = np.zeros(pair.n + pair.m, dtype=np.uint64)
    for feature, factor in zip(pair.features, factors, strict=True):
        values = np.concatenate([feature.x, feature.y]) + 0.0  # no negative zero
        values[np.isnan(values)] = np.nan  # one kind of NaN
        total += _scrambled(values.view(np.uint64)) * factor
    return total


def _scrambled(bits: _U) -> _U:
    """Every bit depends on all others; one to one (Steele, Lea and Flood 2014)."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        bits = (bits ^ (bits >> np.uint64(shift))) * np.uint64(factor)
    return bits ^ (bits >> np.uint64(31))
