"""Compiling loops with numba, kept on disk between runs wherever a cache can be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

__all__ = ["compiled"]


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit` with these options and the compiled code cached on disk, or in memory only if it cannot be.

    With `cache=True`, numba raises while a module is being imported if neither the folder of its source nor the
    user's cache folder can be written, as in a read-only installation without a home. Compiling anew in every
    process then is the price, not an error. NUMBA_CACHE_DIR names a folder that can be written.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError as error:
            if "no locator available" not in str(error):
                raise
            return njit(**options)(function)

    return decorate
