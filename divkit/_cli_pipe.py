"""A standard output whose reader may leave: a command goes on, and ends with its own exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["patient_output"]


class _Patient:
    """A stream that says nothing to a closed pipe, where others raise.

    A command line takes that for a failure and exits with 1, which to a gate means that its condition holds.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """All of it, if somebody reads."""
        try:
            return int(self._stream.write(text))
        except BrokenPipeError:
            self._leave()
            return len(text)

    def flush(self) -> None:
        """To whoever reads."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._leave()

    def _leave(self) -> None:
        """Everything further goes nowhere, that which Python flushes at its end too."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)


@contextmanager
def patient_output() -> Iterator[None]:
    """Inside, the reader of standard output may leave."""
    before = sys.stdout
    patient: Any = _Patient(before)
    sys.stdout = patient
    try:
        yield
    finally:
        patient.flush()
        sys.stdout = before
