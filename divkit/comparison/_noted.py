"""Warnings and failures of parts of a comparison, and lists of names, in words."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TypeVar

from divkit._errors import DivkitError, DivkitWarning

__all__ = ["listed", "noted"]

_T = TypeVar("_T")


def noted(step: Callable[[], _T], failure: str = "") -> tuple[_T | None, list[str]]:
    """What a step returns, None if it cannot be done, and what it warned of or failed for.

    Parameters
    ----------
    step : callable
    failure : str
        What to say before the reason.
    """
    found, messages = None, []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = step()
        except DivkitError as error:
            messages.append(_sentence(f"{failure}: {error}" if failure else str(error)))
    for warning in caught:
        if issubclass(warning.category, DivkitWarning):
            messages.append(_sentence(str(warning.message)))
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return found, list(dict.fromkeys(messages))


def _sentence(text: str) -> str:
    """On one line, with a capital and a full stop."""
    text = " ".join(text.split())
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def listed(names: Sequence[str], most: int) -> str:
    """So many of the names, and how many more there are."""
    text = ", ".join(names[:most])
    return text if len(names) <= most else f"{text} and {len(names) - most} more"
