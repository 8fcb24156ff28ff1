"""How many threads the compiled and sorting parts may use, and a map over them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from divkit._errors import InvalidInput

__all__ = ["one_blas_thread", "parallel_map", "workers"]

_T = TypeVar("_T")
_R = TypeVar("_R")


def workers() -> int:
    """Threads to use: `DIVKIT_NUM_THREADS`, else `OMP_NUM_THREADS`, else the cores this process may use.

    Raises
    ------
    InvalidInput
        If `DIVKIT_NUM_THREADS` is set to something that is not a positive integer.
    """
    own = os.environ.get("DIVKIT_NUM_THREADS")
    if own is not None:
        if not own.isdecimal() or int(own) < 1:
            raise InvalidInput(f"DIVKIT_NUM_THREADS must be a positive integer, got {own!r}")
        return int(own)
    shared = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(int(shared), cores) if shared.isdecimal() and int(shared) > 0 else cores


def one_blas_thread() -> AbstractContextManager[Any]:
    """Inside, BLAS has one thread: for small matrices, where several wait for each other, and within maps."""
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[Any] = threadpool_limits(1)
    return limits


def parallel_map(function: Callable[[_T], _R], items: Sequence[_T], threads: int) -> list[_R]:
    """`[function(item) for item in items]` on threads; for functions that release the GIL."""
    if threads <= 1 or len(items) <= 1:
        return [function(item) for item in items]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(threads, len(items))) as pool:
        return list(pool.map(function, items))
