"""From what the caller has (lists, arrays, frames, tensors) to float64 NumPy arrays, or a clear refusal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from divkit._errors import InvalidInput

__all__ = ["FloatArray", "as_float_array", "is_array", "is_torch", "namespace", "to_numpy"]

FloatArray = NDArray[np.floating[Any]]

_EXACT_INTEGER = 2**53  # largest n such that every integer in [-n, n] is a float64


def is_torch(value: object) -> bool:
    """Whether the value is a torch tensor; never imports torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def is_array(value: object) -> bool:
    """Whether the value is a bare array: a sequence of numbers, an ndarray, tensor or frame."""
    if isinstance(value, str | bytes | bytearray):
        return False
    return isinstance(value, np.ndarray | Sequence) or is_torch(value) or hasattr(value, "__array__")


def namespace(*values: object) -> ModuleType:
    """The module (numpy or torch) whose functions act on these values."""
    return sys.modules["torch"] if any(is_torch(v) for v in values) else np


def to_numpy(name: str, value: Any) -> NDArray[Any]:
    """The value as an ndarray of any numeric dtype; tensors are detached and brought to the CPU.

    Raises
    ------
    InvalidInput
        If the value is ragged, masked, complex, text, or holds Python objects.
    """
    if is_torch(value):
        if value.is_meta or str(value.layout) != "torch.strided":
            raise InvalidInput(f"{name} must be a dense tensor with values; for a sparse one pass {name}.to_dense()")
        value = value.detach().cpu().resolve_conj().resolve_neg()
        value = (value.double() if str(value.dtype) == "torch.bfloat16" else value).numpy()
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise InvalidInput(
            f"{name} has {int(np.ma.getmaskarray(value).sum())} masked entries; divkit needs every value: "
            f"drop the masked rows first ({name}.compressed() in 1-D)"
        )
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:  # torch raises the latter for tensors inside a list
        raise InvalidInput(f"{name} must be a rectangular array of numbers, but: {error}") from error
    if array.dtype.kind not in "biuf":
        raise InvalidInput(
            f"{name} must hold real numbers, but its dtype is {array.dtype}; "
            f"convert it first, for example np.asarray({name}, dtype=float)"
        )
    return array


def as_float_array(name: str, value: Any, *, keep_float32: bool = False) -> FloatArray:
    """The value as a float64 array (float32 is kept on request), without a copy where none is needed.

    Raises
    ------
    InvalidInput
        As `to_numpy`, and for integers that float64 cannot hold.
    """
    if type(value) is np.ndarray and value.dtype == np.float64:
        return value
    array = to_numpy(name, value)
    if keep_float32 and array.dtype == np.float32:
        return array
    if array.dtype == np.float64:
        return array
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8 and array.size:
        low, high = int(array.min()), int(array.max())
        if max(-low, high) > _EXACT_INTEGER:
            raise InvalidInput(
                f"{name} holds integers beyond 2**53 (from {low} to {high}), which float64 cannot represent "
                f"exactly; subtract a common offset from both inputs first"
            )
    return array.astype(np.float64)
