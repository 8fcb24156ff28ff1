"""What the files given to the command line hold: samples or probabilities."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from divkit._errors import InvalidInput
from divkit.measures import Discrete, Measure, Samples

__all__ = ["Kind", "file_measure", "kind_of"]


class Kind(StrEnum):
    """What the rows of a file are."""

    samples = "samples"
    probabilities = "probabilities"


def kind_of(paths: tuple[str, str], arrays: tuple[NDArray[Any], NDArray[Any]]) -> Kind:
    """Probabilities where both files can be nothing else; samples where they cannot be probabilities."""
    single = [array.ndim == 1 or 1 in array.shape for array in arrays]
    if not all(single):
        return Kind.samples
    vectors = [np.asarray(array, dtype=np.float64).ravel() for array in arrays]
    sums = [float(vector.sum()) for vector in vectors]
    positive = [bool(np.all(vector >= 0)) for vector in vectors]
    if all(positive) and all(abs(total - 1) <= 1e-5 for total in sums):
        return Kind.probabilities
    counts = all(positive) and all(np.all(vector == np.rint(vector)) for vector in vectors)
    if counts or any(ok and abs(total - 1) <= 0.05 for ok, total in zip(positive, sums, strict=True)):
        raise InvalidInput(
            f"{paths[0]} and {paths[1]} could hold probabilities, counts or samples (they sum to {sums[0]:.6g} and "
            f"{sums[1]:.6g}); say --kind samples or --kind probabilities, and divide counts by their sum first"
        )
    return Kind.samples


def file_measure(name: str, path: str, array: NDArray[Any], kind: Kind) -> Measure:
    """The measure that the contents of a file stand for; errors name the file."""
    try:
        if kind is Kind.samples:
            _check_rows(path, array)
            return Samples(array)
        if array.ndim == 2 and 1 in array.shape:
            array = array.ravel()
        if array.ndim != 1:
            raise InvalidInput(
                f"a probability vector is one row or one column, the file has shape {array.shape}; "
                f"for rows of draws use --kind samples"
            )
        return Discrete(array)
    except InvalidInput as error:
        raise InvalidInput(f"{name} ({path}): {error}") from error


def _check_rows(path: str, array: NDArray[Any]) -> None:
    if Path(path).suffix.lower() in (".csv", ".tsv") and array.ndim == 2 and len(array) == 1:
        raise InvalidInput(
            f"one line of {array.shape[1]} numbers could be one point or {array.shape[1]} points; write one point a "
            f"line, or a .npy file of shape {array.shape} for a single point"
        )
