"""Reading arrays from .csv, .tsv, .npy and .npz files, with errors that name the file, the place and the remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from divkit._errors import InvalidInput

__all__ = ["DELIMITERS", "read_array"]

DELIMITERS = {".csv": ",", ".tsv": "\t"}


def read_array(name: str) -> NDArray[Any]:
    """The array in a file.

    Parameters
    ----------
    name : str
        A path; the ending decides the format. ``FILE.npz:KEY`` picks one array of an archive. A first line of
        text files without any number is a header; a single column becomes a vector.

    Returns
    -------
    ndarray, shape (n,) or (n, d), or whatever an .npy holds

    Raises
    ------
    InvalidInput
        If the file is missing, of another kind, ragged, empty, or holds something that is no number.
    """
    path, key = _split(name)
    if not path.is_file():
        raise InvalidInput(f"there is no file {str(path)!r}")
    suffix = path.suffix.lower()
    if suffix in DELIMITERS:
        return _read_text(path, DELIMITERS[suffix])
    if suffix in (".npy", ".npz"):
        return _read_numpy(path, key)
    raise InvalidInput(f"{str(path)!r} must end in .csv, .tsv, .npy or .npz; convert it first, for example with pandas")


def _split(name: str) -> tuple[Path, str | None]:
    head, separator, key = name.rpartition(":")
    if separator and head.lower().endswith(".npz"):
        return Path(head), key
    return Path(name), None


def _read_numpy(path: Path, key: str | None) -> NDArray[Any]:
    try:
        with path.open("rb") as file:  # np.load leaves a file that it opened itself open if it is no archive
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return loaded
            with loaded:
                return np.asarray(loaded[_member(path, list(loaded.files), key)])
    except InvalidInput:
        raise
    except (ValueError, OSError, EOFError, BadZipFile) as error:
        reason = " ".join(str(error).split())
        raise InvalidInput(f"{str(path)!r} cannot be read as a plain NumPy array: {reason}") from error


def _member(path: Path, names: list[str], key: str | None) -> str:
    """The array of an archive that was asked for, or its only one."""
    if key is None and len(names) == 1:
        return names[0]
    if key not in names:
        raise InvalidInput(f"{str(path)!r} holds the arrays {', '.join(names) or '(none)'}; pick one as {path}:NAME")
    return key


def _read_text(path: Path, delimiter: str) -> NDArray[np.float64]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{str(path)!r} is not UTF-8 text: {error}") from error
    rows = [(number, line) for number, line in enumerate(lines, start=1) if line.strip() and not line.startswith("#")]
    head = rows[0][1].split(delimiter) if rows else []
    if not any(_is_number(cell) for cell in head):
        rows = rows[1:]  # a header
        if len(head) > 1 and head[0].strip(" \"'") == "":
            raise InvalidInput(
                f"{str(path)!r} has a first column without a name, as row numbers have; write the file without it "
                f"(in pandas: to_csv(..., index=False)), or name it if it is a coordinate"
            )
    if not rows:
        raise InvalidInput(f"{str(path)!r} holds no numbers")
    try:
        table = np.loadtxt([line for _, line in rows], delimiter=delimiter, comments=None, ndmin=2)
    except ValueError as error:
        raise InvalidInput(_complaint(path, rows, delimiter, str(error))) from error
    return np.asarray(table[:, 0] if table.shape[1] == 1 else table, dtype=np.float64)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _complaint(path: Path, rows: list[tuple[int, str]], delimiter: str, reason: str) -> str:
    """Which cell of which line is the first that cannot be read."""
    width = len(rows[0][1].split(delimiter))
    for number, line in rows:
        cells = line.split(delimiter)
        if len(cells) != width:
            return f"{str(path)!r} line {number} has {len(cells)} cells, the first has {width}; every row needs as many"
        for column, cell in enumerate(cells, start=1):
            if not _is_number(cell):
                return (
                    f"{str(path)!r} line {number}, column {column} is {cell.strip()!r}, not a number; "
                    f"drop or encode that column, or fill the gap, first"
                )
    return f"{str(path)!r} cannot be read: {reason}"
