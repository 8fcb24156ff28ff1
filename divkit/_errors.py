"""Errors and warnings raised by divkit; every message says what came and what to do instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = [
    "DegenerateDataWarning",
    "DivkitError",
    "DivkitWarning",
    "InvalidInput",
    "MissingDependency",
    "NotConverged",
    "UnreliableEstimateWarning",
    "Unsupported",
    "require",
]


class DivkitError(Exception):
    """Base class of every error that divkit raises on purpose."""


class InvalidInput(DivkitError, ValueError):
    """An argument does not meet its requirement; the message names both and the remedy."""


class NotConverged(DivkitError, RuntimeError):
    """A computation ended without an answer it can vouch for.

    Attributes
    ----------
    info : dict
        What was known when it stopped (the best bracket, the error estimate, the iterations).
    """

    def __init__(self, message: str, info: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.info = dict(info or {})

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.args[0], self.info)


class MissingDependency(DivkitError, ImportError):
    """A part of divkit needs an optional package that is not installed."""


class Unsupported(DivkitError, NotImplementedError):
    """No method computes the requested quantity for the given measures."""


class DivkitWarning(UserWarning):
    """Base class of divkit's warnings; the number that comes with one stays valid."""


class DegenerateDataWarning(DivkitWarning):
    """The data are not what the method assumes (ties, duplicates, constant columns); what was done about it is said."""


class UnreliableEstimateWarning(DivkitWarning):
    """The estimate is valid in the limit, but this sample cannot support its error bar."""


def require(module: str, extra: str) -> Any:
    """Import an optional module, or say which extra brings it.

    Raises
    ------
    MissingDependency
        If the module cannot be imported.
    """
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingDependency(
            f"{module} is needed here and could not be imported ({error}); "
            f'install it with: python -m pip install "divkit[{extra}]"'
        ) from error
