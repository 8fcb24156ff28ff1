"""Reading tables from .csv, .tsv, .parquet, .npy and .npz files: numbers, texts, and gaps."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Final

import numpy as np

from divkit._errors import InvalidInput, require
from divkit._files import DELIMITERS, read_array
from divkit._tables import Column, Table, as_table, column_of

__all__ = ["GAPS", "read_table"]

GAPS: Final = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "NaT"})  # cells without a value


def read_table(name: str, path: str) -> Table:
    """The table in a file.

    Parameters
    ----------
    name : str
        How messages call the table.
    path : str
        The ending decides the format; ``FILE.npz:KEY`` picks one array of an archive. The first line of a text file
        names the columns unless it has a number. A column of text files is numbers if all its cells are, but for the
        gaps of `GAPS`.

    Raises
    ------
    InvalidInput
        If the file is missing, of another kind, ragged, empty, or holds what no table does.
    MissingDependency
        For .parquet without pyarrow.
    """
    suffix = Path(path).suffix.lower()
    if suffix in (".csv", ".tsv", ".parquet") and not Path(path).is_file():
        raise InvalidInput(f"there is no file {path!r}")
    if suffix == ".parquet":
        return _of_parquet(name, path)
    if suffix in DELIMITERS:
        return as_table(f"{name} ({path})", _of_text(name, path, DELIMITERS[suffix]))
    if suffix not in (".npy", ".npz") and ".npz:" not in path.lower():
        raise InvalidInput(f"{path!r} must end in .csv, .tsv, .parquet, .npy or .npz; convert it first")
    return as_table(f"{name} ({path})", read_array(path))


def _of_parquet(name: str, path: str) -> Table:
    pyarrow = require("pyarrow", "tables")
    try:
        found = require("pyarrow.parquet", "tables").read_table(path)
    except (OSError, pyarrow.ArrowInvalid) as error:
        raise InvalidInput(f"{path!r} cannot be read as Parquet: {' '.join(str(error).split())}") from error
    return as_table(f"{name} ({path})", found)


def _of_text(name: str, path: str, delimiter: str) -> Table:
    """All cells of a text file, column by column."""
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            lines = [(number, cells) for number, cells in enumerate(csv.reader(file, delimiter=delimiter), 1) if cells]
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path!r} is not UTF-8 text: {error}") from error
    except csv.Error as error:
        raise InvalidInput(f"{path!r} cannot be read: {error}") from error
    if not lines:
        raise InvalidInput(f"{path!r} is empty")
    width = len(lines[0][1])
    for number, cells in lines:
        if len(cells) != width:
            raise InvalidInput(
                f"{path!r} row {number} has {len(cells)} cells, the first has {width}; every row needs as many"
            )
    head = [cell.strip() for cell in lines[0][1]]
    named = not any(_number_in(cell) is not None for cell in head)
    rows = [cells for _, cells in lines[1 if named else 0 :]]
    if not rows:
        raise InvalidInput(f"{path!r} has names of columns, and no rows")
    if named and "" in head:
        raise InvalidInput(
            f"{path!r} has a column without a name (number {head.index('') + 1}); name it, or if it holds row numbers "
            f"write the file without them (in pandas: to_csv(..., index=False))"
        )
    names = head if named else [f"column {j}" for j in range(width)]
    columns = zip(names, zip(*rows, strict=True), strict=True)
    return Table(tuple(_column(f"{name} ({path})", own, cells) for own, cells in columns), named)


def _column(table: str, name: str, cells: tuple[str, ...]) -> Column:
    """Numbers if all cells are numbers or gaps, else texts."""
    stripped = [cell.strip() for cell in cells]
    numbers = [math.nan if cell in GAPS else _number_in(cell) for cell in stripped]
    if None not in numbers:
        return column_of(table, name, np.array(numbers, dtype=np.float64))
    return column_of(table, name, np.array([None if cell in GAPS else cell for cell in stripped], dtype=object))


def _number_in(cell: str) -> float | None:
    if "_" in cell:  # which float() takes for a separator of digits
        return None
    try:
        found = float(cell)
    except ValueError:
        return None
    return None if math.isnan(found) else found
