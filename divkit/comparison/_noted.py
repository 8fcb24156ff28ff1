"""Warnings and failures of parts of a comparison, as sentences."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TypeVar

from divkit._errors import DivkitError, DivkitWarning

__all__ = ["noted", "sentence"]

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
            messages.append(sentence(f"{failure}: {error}" if failure else str(error)))
    for warning in caught:
        if issubclass(warning.category, DivkitWarning):
            messages.append(sentence(str(warning.message)))
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return found, list(dict.fromkeys(messages))


def sentence(text: str) -> str:
    """On one line, with a capital and a full stop."""
    text = " ".join(text.split())
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"
