"""Progress and time limits of long solves."""

from __future__ import annotations

import time
from typing import Any

__all__ = ["OutOfTime", "Watch"]


class OutOfTime(Exception):
    """The time limit has passed."""


class Watch:
    """Looks at the clock, and shows a line of progress.

    Parameters
    ----------
    max_seconds : float or None
    progress : bool
    """

    def __init__(self, max_seconds: float | None, progress: bool) -> None:
        self._end = None if max_seconds is None else time.monotonic() + max_seconds
        self._bar: Any = None
        if progress:
            from tqdm.auto import tqdm

            self._bar = tqdm(desc="optimal transport", unit=" rounds")

    def check(self) -> None:
        """Raise `OutOfTime` if the limit has passed."""
        if self._end is not None and time.monotonic() > self._end:
            raise OutOfTime

    def show(self, **facts: Any) -> None:
        """One round is done."""
        if self._bar is not None:
            self._bar.set_postfix(facts, refresh=False)
            self._bar.update()

    def close(self) -> None:
        """Leave the line as it is."""
        if self._bar is not None:
            self._bar.close()
