"""Two tables with the same columns, and their rows as points."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from divkit._errors import InvalidInput
from divkit._tables import Column, Kind, Table, as_table
from divkit._unit import in_unit
from divkit.comparison._noted import listed

__all__ = ["Encoded", "Feature", "Pair", "encoded", "matched"]

_F = NDArray[np.float64]
_LEVELS: Final = 50  # categories of a column that count by themselves in whole rows
_REPEATED: Final = 0.5  # share of different texts in a sample above which a column is no category
_FEW: Final = 20  # so many different texts are categories, however seldom each is


@dataclass(frozen=True, eq=False)
class Feature:
    """A column of both tables.

    Parameters
    ----------
    name : str
    kind : {"number", "category", "time", "duration"}
    x, y : ndarray, shape (n,) and (m,)
        Numbers, or the codes of categories; NaN where a value is missing.
    levels : tuple of str
        Names of the categories, the most frequent first; empty for numbers.
    """

    name: str
    kind: Kind
    x: _F
    y: _F
    levels: tuple[str, ...] = ()

    @property
    def has_gaps(self) -> bool:
        """Whether a value is missing anywhere."""
        return bool(np.isnan(self.x).any() or np.isnan(self.y).any())

    @cached_property
    def present(self) -> tuple[_F, _F]:
        """The values that are there."""
        return self.x[~np.isnan(self.x)], self.y[~np.isnan(self.y)]

    @cached_property
    def counts(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """How often each category is there, (k,)."""
        x, y = (np.bincount(side.astype(np.intp), minlength=len(self.levels)) for side in self.present)
        return x, y

    @property
    def shares(self) -> tuple[_F, _F]:
        """Shares of the categories among the values that are there, (k,); 0 where there are none."""
        x, y = (own / max(int(own.sum()), 1) for own in self.counts)
        return x, y

    @cached_property
    def spread(self) -> float:
        """Standard deviation of the pooled values; 0 where they are constant, or none."""
        together = np.concatenate(self.present)
        if len(together) == 0:
            return 0.0
        scaled, unit = in_unit(together[:, None])
        return float(scaled.std()) * unit


@dataclass(frozen=True, eq=False)
class Pair:
    """Two tables, column by column.

    Parameters
    ----------
    features : tuple of Feature
    n, m : int
    named : bool
        Whether the columns have names of the caller's.
    remarks : tuple of str
        What was left out or gathered, in words.
    """

    features: tuple[Feature, ...]
    n: int
    m: int
    named: bool
    remarks: tuple[str, ...]


def matched(x: Any, y: Any, columns: Iterable[Any] | None) -> Pair:
    """Both tables with the columns in the order of x, or those asked for.

    Raises
    ------
    InvalidInput
        As `as_table`, and for columns that are in one of them only, or numbers in one and texts in the other.
    """
    a, b = as_table("x", x, strict=False), as_table("y", y, strict=False)
    if not a.named and not b.named and len(a.columns) == len(b.columns):
        b = Table(tuple(replace(own, name=other.name) for own, other in zip(b.columns, a.columns, strict=True)), False)
    if a.named != b.named:
        raise InvalidInput(
            "x and y must both have names of columns, or neither: one of them is a dataframe or a mapping, the other "
            "an array; pass both as arrays (such as frame.to_numpy()), or both as dataframes"
        )
    features, remarks = [], []
    for name in _names(a, b, columns):
        feature, remark = _feature(a.column(name), b.column(name))
        if feature is not None:
            features.append(feature)
        if remark:
            remarks.append(remark)
    if not features:
        raise InvalidInput(f"nothing is left to compare: {' '.join(remarks)}")
    return Pair(tuple(features), len(a), len(b), a.named, tuple(remarks))


def _names(a: Table, b: Table, columns: Iterable[Any] | None) -> list[str]:
    """Which columns are compared, in order."""
    own, other = ([column.name for column in table.columns] for table in (a, b))
    if columns is not None:
        wanted = [] if isinstance(columns, str) else list(dict.fromkeys(str(name) for name in columns))
        if not wanted:
            raise InvalidInput(f"columns must be a non-empty list of names, got {columns!r}")
        for name in wanted:
            for table, names in (("x", own), ("y", other)):
                if name not in names:
                    raise InvalidInput(f"columns: {table} has no column {name!r}; it has {_quoted(names)}")
        return wanted
    if not a.named and len(own) != len(other):
        raise InvalidInput(f"x and y must have the same number of columns, got {len(own)} and {len(other)}")
    only = [name for name in own if name not in other], [name for name in other if name not in own]
    if any(only):
        parts = [f"{_quoted(names)} only in {side}" for side, names in zip("xy", only, strict=True) if names]
        shared = [name for name in own if name in other]
        remedy = f"columns={shared[:8]!r}" if shared else "the same names"
        raise InvalidInput(
            f"x and y must have the same columns, but {' and '.join(parts)}; compare those that both have with {remedy}"
        )
    return own


def _quoted(names: Sequence[str]) -> str:
    return listed([repr(name) for name in names], 8)


def _feature(own: Column, other: Column) -> tuple[Feature | None, str]:
    """The column of both, or why it is left out; and what was done to it."""
    held = [column for column in (own, other) if column.kind != "empty"]
    kinds = {column.kind for column in held}
    if not kinds:
        return None, f"Column {own.name!r} has no values in either sample and was left out."
    if len({_holds(column) for column in held}) > 1:
        raise InvalidInput(
            f"column {own.name!r} holds {_holds(own)} in x and {_holds(other)} in y; convert one of them, or leave it "
            f"out with columns="
        )
    (kind,) = kinds
    if kind == "category":
        return _categories(own, other)
    remark = ""
    gone = [side for side, column in zip("xy", (own, other), strict=True) if column.kind == "empty"]
    if gone:
        remark = f"Column {own.name!r} has no values in {gone[0]}: only how many values are missing is compared."
    return Feature(own.name, kind, own.values, other.values), remark


def _holds(column: Column) -> str:
    """What the values of a column are."""
    if column.kind == "category":
        return "booleans" if column.boolean else "texts"
    if column.kind == "time":
        return "times with a zone" if column.aware else "times without a zone"
    return {"number": "numbers", "duration": "durations"}.get(column.kind, "nothing")


def _categories(own: Column, other: Column) -> tuple[Feature | None, str]:
    """Codes of the categories of both, rare ones in one; free text is no category."""
    both = own, other
    sides = [side.values if side.kind == "category" else np.full(len(side.values), None) for side in both]
    counts: dict[str, int] = {}
    for value in np.concatenate(sides):
        if value is not None:
            counts[value] = counts.get(value, 0) + 1
    for name, side in zip("xy", sides, strict=True):
        held = [value for value in side if value is not None]
        different = len(set(held))
        if different > max(_FEW, _REPEATED * len(held)):
            return None, (
                f"Column {own.name!r} holds {different:,} different texts in {len(held):,} rows of {name}: texts that "
                f"hardly repeat are no categories, and the column was left out."
            )
    levels = sorted(counts, key=lambda level: (-counts[level], level))
    remark = ""
    if len(levels) > _LEVELS:
        remark = (
            f"Column {own.name!r} has {len(levels):,} categories: by itself, each of them counts; in whole rows the "
            f"{_LEVELS - 1} most frequent do and the others are one, so that W1 of whole rows does not see what "
            f"differs among these."
        )
    codes = {level: float(code) for code, level in enumerate(levels)}
    x, y = (np.array([np.nan if value is None else codes[value] for value in side]) for side in sides)
    return Feature(own.name, "category", x, y, tuple(levels)), remark


@dataclass(frozen=True, eq=False)
class Encoded:
    """Rows as points.

    Parameters
    ----------
    x, y : ndarray, shape (n, D) and (m, D)
    owners : tuple of int
        Of each coordinate, the index of the feature that it stems from.
    """

    x: _F
    y: _F
    owners: tuple[int, ...]


def encoded(pair: Pair, x_rows: NDArray[np.intp], y_rows: NDArray[np.intp], *, standardize: bool) -> Encoded:
    """Some rows of both tables as points.

    A number is itself or, standardised, in units of its deviation from the median of the pooled values; a missing one
    is that median, and a coordinate of its own says so. A category has a coordinate of 0 and 1, and categories are the
    root of 2 apart, as two draws of a standardised number are in the square mean; so is a gap from a number.
    """
    blocks: list[tuple[_F, _F]] = []
    owners: list[int] = []
    for at, feature in enumerate(pair.features):
        sides = feature.x[x_rows], feature.y[y_rows]
        found = _one_hot(feature, sides) if feature.kind == "category" else _numeric(feature, sides, standardize)
        blocks.append(found)
        owners += [at] * found[0].shape[1]
    x, y = (np.concatenate([block[side] for block in blocks], axis=1) for side in (0, 1))
    return Encoded(x, y, tuple(owners))


def _one_hot(feature: Feature, sides: tuple[_F, _F]) -> tuple[_F, _F]:
    """A coordinate for each category, and one for gaps if there are any; a single one for two categories."""
    kept = min(len(feature.levels), _LEVELS)  # the last one stands for itself and all that are less frequent
    count = kept + int(feature.has_gaps)
    codes = [np.where(np.isnan(side), count - 1, np.minimum(side, kept - 1)).astype(np.intp) for side in sides]
    if count == 2:
        return codes[0][:, None] * np.sqrt(2.0), codes[1][:, None] * np.sqrt(2.0)
    found = [np.eye(count)[side] for side in codes]
    return found[0], found[1]


def _numeric(feature: Feature, sides: tuple[_F, _F], standardize: bool) -> tuple[_F, _F]:
    """The numbers, and whether they are there if some are not."""
    together = np.concatenate(feature.present)
    centre, spread = float(np.median(together)), feature.spread
    height = np.sqrt(2.0) * (1.0 if standardize or spread == 0 else spread)
    found = []
    for side in sides:
        gone = np.isnan(side)
        filled = np.where(gone, centre, side)
        if standardize:
            halves = filled / 2 - centre / 2  # the difference itself may be beyond float64
            filled = halves / (spread / 2) if spread > 0 else np.zeros(len(side))
        found.append(np.stack([filled, gone * height], axis=1) if feature.has_gaps else filled[:, None])
    return found[0], found[1]
