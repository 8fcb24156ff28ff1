"""Validation of arguments: each check returns the clean value or raises `InvalidInput` with the remedy."""

from __future__ import annotations

import math
import numbers
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from divkit._array import FloatArray, as_float_array, to_numpy
from divkit._errors import InvalidInput

__all__ = [
    "check_finite",
    "check_integer",
    "check_level",
    "check_line_or_points",
    "check_order",
    "check_points",
    "check_rng",
    "check_same_dimension",
    "check_seed",
    "check_vector",
    "check_weights",
    "normalize",
    "sum_tolerance",
    "undrawn",
]


def check_finite(name: str, array: FloatArray) -> None:
    """Raise if the array holds NaN or infinities, naming the first one."""
    # One inner product instead of a boolean array: NaN and inf survive it, as may an overflow, told apart below.
    if math.isfinite(np.vdot(array, array)):
        return
    bad = ~np.isfinite(array)
    if not bad.any():
        return
    first = tuple(int(i) for i in np.argwhere(bad)[0])
    at = first[0] if array.ndim == 1 or array.shape[1:] == (1,) else first
    rows = "" if isinstance(at, int) else ".all(1)"
    raise InvalidInput(
        f"{name} must be finite, but {name}[{at}] is {array[first]} ({int(bad.sum())} such values); "
        f"drop or impute them first, for example {name}[np.isfinite({name}){rows}]"
    )


def check_points(name: str, value: Any) -> NDArray[np.float64]:
    """Points as a finite float64 array of shape (n, d); shape (n,) means d = 1."""
    points = as_float_array(name, value)
    if points.ndim == 1:
        points = points[:, None]  # (n, 1)
    if points.ndim != 2:
        raise InvalidInput(
            f"{name} must have shape (n,) or (n, d), got {points.shape}; "
            f"flatten each item first, for example {name}.reshape(len({name}), -1)"
        )
    if points.shape[0] == 0:
        raise InvalidInput(f"{name} is empty; a law needs at least one point")
    if points.shape[1] == 0:
        raise InvalidInput(f"{name} has shape {points.shape}: its points have no coordinates")
    check_finite(name, points)
    return np.asarray(points, dtype=np.float64)


def check_line_or_points(name: str, value: Any) -> NDArray[np.float64]:
    """Points on the line, (n,) or (n, 1), as (n,) with their finiteness unchecked; others as `check_points`."""
    points = as_float_array(name, value)
    if points.ndim == 1 and points.size:
        return np.asarray(points, dtype=np.float64)
    checked = check_points(name, points)
    return checked[:, 0] if checked.shape[1] == 1 else checked


def check_vector(name: str, value: Any) -> None:
    """Raise unless the array has one axis, as a probability vector has."""
    shape = getattr(value, "shape", None)
    shape = to_numpy(name, value).shape if shape is None else tuple(shape)
    if len(shape) != 1:
        raise InvalidInput(
            f"{name} must be a probability vector of shape (n,), got shape {shape}; wrap draws in "
            f"divkit.Samples({name}), or use divkit.exact for a batch of vectors"
        )


def check_same_dimension(x: FloatArray, y: FloatArray, x_name: str = "x", y_name: str = "y") -> None:
    """Raise if two point sets (n, d) and (m, e) have d != e."""
    if x.shape[1] != y.shape[1]:
        raise InvalidInput(
            f"{x_name} and {y_name} must have the same number of columns, got {x.shape[1]} and {y.shape[1]}"
        )


def check_weights(name: str, value: Any, n: int) -> NDArray[np.float64] | None:
    """Weights (n,) scaled to sum 1, or None for equal weights; only their ratios matter."""
    if value is None:
        return None
    weights = as_float_array(name, value)
    if weights.shape != (n,):
        raise InvalidInput(f"{name} must have shape ({n},), one weight a point, got {weights.shape}")
    return normalize(weights, name=name)


def normalize(weights: Any, *, name: str = "weights") -> NDArray[np.float64]:
    """Probabilities proportional to non-negative weights or counts.

    Parameters
    ----------
    weights : array_like, shape (n,)
        Finite, non-negative, not all zero.
    name : str
        How error messages call the argument.

    Returns
    -------
    ndarray, shape (n,)
        Float64, sum 1 to rounding.

    Raises
    ------
    InvalidInput
        For an empty, negative, non-finite or all-zero argument.

    Examples
    --------
    >>> import divkit
    >>> divkit.normalize([2, 0, 2])
    array([0.5, 0. , 0.5])
    """
    array = as_float_array(name, weights)
    if array.ndim != 1 or array.size == 0:
        raise InvalidInput(f"{name} must be a non-empty one-dimensional array, got shape {array.shape}")
    smallest, largest = float(array.min()), float(array.max())
    if not (smallest >= 0 and largest < math.inf):
        check_finite(name, array)
        at = int(np.argmin(array))
        raise InvalidInput(f"{name} must be non-negative, but {name}[{at}] is {smallest:g}")
    if largest == 0:
        raise InvalidInput(f"{name} sums to 0; at least one weight must be positive")
    if not 1e-200 < largest < 1e200:  # or the sum would overflow, or quotients lose digits
        array = array / largest
    total = array.sum(dtype=np.longdouble)  # so that permuted weights get the same total
    return np.asarray(array / np.float64(total), dtype=np.float64)


def sum_tolerance(dtype: np.dtype[Any]) -> float:
    """How far from 1 a probability vector of this dtype may sum: about the square root of its rounding."""
    return {np.dtype(np.float16): 1e-2, np.dtype(np.float32): 1e-5}.get(dtype, 1e-8)


def check_level(level: Any) -> float:
    """The confidence level as a float inside (0, 1)."""
    if type(level) is float and 0 < level < 1:
        return level
    if isinstance(level, numbers.Real) and not isinstance(level, bool) and 0 < float(level) < 1:
        return float(level)
    raise InvalidInput(f"level must be a number between 0 and 1, such as 0.95, got {level!r}")


def check_order(p: Any) -> float:
    """The order of a Wasserstein distance as a float in [1, inf]."""
    if type(p) is float and p >= 1:
        return p
    if isinstance(p, numbers.Real) and not isinstance(p, bool) and float(p) >= 1:
        return float(p)
    raise InvalidInput(f"p must be a number >= 1 (np.inf included), got {p!r}")


def check_integer(name: str, value: Any, minimum: int) -> int:
    """An integer argument, not below its minimum."""
    if isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) >= minimum:
        return int(value)
    raise InvalidInput(f"{name} must be an integer >= {minimum}, got {value!r}")


def check_seed(rng: Any) -> None:
    """Raise unless `check_rng` would accept the value; makes no generator, which takes 20 microseconds."""
    if rng is None or isinstance(rng, np.random.Generator):
        return
    if isinstance(rng, numbers.Integral) and not isinstance(rng, bool) and int(rng) >= 0:
        return
    raise InvalidInput(
        f"rng must be None, a non-negative integer or a numpy.random.Generator, got {rng!r}; "
        f"use np.random.default_rng(seed)"
    )


def check_rng(rng: Any) -> np.random.Generator:
    """A NumPy generator from a seed, a generator, or None (fresh entropy)."""
    check_seed(rng)
    return np.random.default_rng(rng if rng is None or isinstance(rng, np.random.Generator) else int(rng))


@cache
def undrawn() -> np.random.Generator:
    """A generator for methods that draw nothing: making one takes longer than solving a small problem."""
    return np.random.default_rng(0)
