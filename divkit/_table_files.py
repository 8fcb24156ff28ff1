"""Reading tables from .csv, .tsv, .parquet, .npy and .npz files: numbers, texts, and gaps."""

from __future__ import annotations

import csv
import math
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from divkit._errors import InvalidInput, require
from divkit._files import DELIMITERS, read_array
from divkit._tables import Column, Table, as_table, held_column

__all__ = ["GAPS", "read_table"]

GAPS: Final = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "NaT"})  # cells without a value


def read_table(name: str, path: str, *, strict: bool = True) -> Table:
    """The table in a file.

    Parameters
    ----------
    name : str
        How messages call the table.
    path : str
        The ending decides the format; ``FILE.npz:KEY`` picks one array of an archive. The first line of a text file
        names the columns unless it has a number. A column of text files is numbers if all its cells are, but for the
        gaps of `GAPS`. Blank lines are skipped; in a file of one column those between others are gaps.
    strict : bool
        As in `as_table`.

    Raises
    ------
    InvalidInput
        If the file is missing, of another kind, ragged, empty, or holds what no table does.
    MissingDependency
        For .parquet without pyarrow.
    """
    suffix = Path(path).suffix.lower()
    if Path(path).is_dir():
        raise InvalidInput(f"{path!r} is a directory; give one file")
    if suffix in (".csv", ".tsv", ".parquet") and not Path(path).is_file():
        raise InvalidInput(f"there is no file {path!r}")
    label = f"{name} ({path})"
    if suffix == ".parquet":
        return as_table(label, _of_parquet(path), strict=strict)
    if suffix in DELIMITERS:
        return as_table(label, _of_text(label, path, DELIMITERS[suffix], strict), strict=strict)
    if suffix not in (".npy", ".npz") and ".npz:" not in path.lower():
        raise InvalidInput(f"{path!r} must end in .csv, .tsv, .parquet, .npy or .npz; convert it first")
    return as_table(label, read_array(path), strict=strict)


def _of_parquet(path: str) -> Any:
    pyarrow = require("pyarrow", "tables")
    try:
        return require("pyarrow.parquet", "tables").read_table(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise InvalidInput(f"{path!r} cannot be read as Parquet: {' '.join(str(error).split())}") from error


def _of_text(table: str, path: str, delimiter: str, strict: bool) -> Table:
    """All cells of a text file, column by column."""
    lines = _lines(path, delimiter)
    head = [cell.strip() for cell in lines[0][1]]
    _refuse_other_delimiters(path, delimiter, head)
    width = len(head)
    for number, cells in lines:
        if len(cells) != width:
            raise InvalidInput(
                f"{path!r} line {number} has {len(cells)} cells, the first has {width}; every row needs as many"
            )
    named = not any(_is_finite(cell) for cell in head)
    rows = [cells for _, cells in lines[1 if named else 0 :]]
    if not rows:
        raise InvalidInput(f"{path!r} has names of columns, and no rows")
    if named and "" in head:
        raise InvalidInput(
            f"{path!r} has a column without a name (number {head.index('') + 1}); name it, or if it holds row numbers "
            f"write the file without them (in pandas: to_csv(..., index=False))"
        )
    columns = [[cell.strip() for cell in cells] for cells in zip(*rows, strict=True)]
    if not named:
        _refuse_half_names(path, columns)
    names = head if named else [f"column {j}" for j in range(width)]
    return Table(tuple(_column(table, *own, strict) for own in zip(names, columns, strict=True)), named)


def _lines(path: str, delimiter: str) -> list[tuple[int, list[str]]]:
    """The cells of each line, with its number; without blank lines, but for gaps of a single column."""
    lines: list[tuple[int, list[str]]] = []
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            lines.extend((reader.line_num, cells) for cells in reader)
        except UnicodeDecodeError as error:
            raise InvalidInput(f"{path!r} is not UTF-8 text: {error}") from error
        except csv.Error as error:
            last = lines[-1][0] + 1 if lines else 1
            raise InvalidInput(
                f"{path!r} cannot be read from line {last} on: {error}; a cell that begins with a quote ends with one, "
                f"and quotes inside it are doubled"
            ) from error
    filled = [at for at, (_, cells) in enumerate(lines) if not _is_blank(cells)]
    if not filled:
        raise InvalidInput(f"{path!r} is empty")
    if len(lines[filled[0]][1]) > 1:
        return [lines[at] for at in filled]
    kept = lines[filled[0] : filled[-1] + 1]
    return [(number, [""] if _is_blank(cells) else cells) for number, cells in kept]  # as polars writes a gap


def _is_blank(cells: list[str]) -> bool:
    """Whether a line has nothing but spaces; a quoted empty cell is something."""
    return not cells or (len(cells) == 1 and cells[0] != "" and not cells[0].strip())


def _refuse_other_delimiters(path: str, delimiter: str, head: list[str]) -> None:
    """One cell in the first line, with what separates cells in other files, is no column."""
    others = {";": "semicolons", "\t": "tabs", ",": "commas"}
    found = [word for other, word in others.items() if other in head[0] and other != delimiter]
    if len(head) == 1 and found:
        raise InvalidInput(
            f"{path!r} seems to have {found[0]} between its cells, and its ending says {others[delimiter]}; save it "
            f"with commas as .csv or with tabs as .tsv, or if it has one column rename that"
        )


def _refuse_half_names(path: str, columns: list[list[str]]) -> None:
    """A first line of numbers and texts, with a text above numbers, is names of columns of which some are numbers."""
    for cells in columns:
        first, below = cells[0], [cell for cell in cells[1:] if cell not in GAPS]
        if (
            first not in GAPS
            and not _is_finite(first)
            and below
            and all(_number_in(cell) is not None for cell in below)
        ):
            number = next(own[0] for own in columns if _is_finite(own[0]))
            raise InvalidInput(
                f"the first line of {path!r} looks like names of columns, for {first!r} stands above numbers, but "
                f"{number!r} is a number; rename it, such as to 'c{number}', or if the line is a row write its gaps "
                f"as NA"
            )


def _column(table: str, name: str, cells: list[str], strict: bool) -> Column:
    """Numbers if all cells are numbers or gaps, else texts."""
    numbers = [math.nan if cell in GAPS else _number_in(cell) for cell in cells]
    if None in numbers:
        return held_column(table, name, [None if cell in GAPS else cell for cell in cells], strict)
    values: NDArray[Any] = np.array(numbers, dtype=np.float64)
    large = np.flatnonzero(np.isfinite(values) & (np.abs(values) >= 2.0**53))
    whole = [at for at in large if cells[at].lstrip("+-").isdecimal()]
    if whole:  # as integers, for the column to say which of them float64 cannot hold
        values = values.astype(object)
        values[whole] = [Decimal(cells[at]) for at in whole]
    return held_column(table, name, values, strict)


def _number_in(cell: str) -> float | None:
    if "_" in cell:  # which float() takes for a separator of digits
        return None
    try:
        found = float(cell)
    except ValueError:
        return None
    return None if math.isnan(found) else found


def _is_finite(cell: str) -> bool:
    """Whether a cell is a number and no infinity, which as a name of a column is a text."""
    found = _number_in(cell)
    return found is not None and math.isfinite(found)
