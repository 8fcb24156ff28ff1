"""W_p on the line, for arrays: two sorts and one pass, batched over leading axes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from divkit._array import as_float_array
from divkit._checks import check_finite, check_order, normalize
from divkit._errors import InvalidInput
from divkit._threads import parallel_map, workers

__all__ = ["wasserstein"]

_F = NDArray[np.float64]
_PARALLEL = 1 << 16  # points below which a second thread costs more than it brings
_PACKED, _LARGEST_PACKED = 2048, 1 << 32  # sizes for which packed keys beat an index sort, and fit 32-bit indices
_CELLS = 2.0**31 - 1
_RUNS = 64
_HALF_RANGE = 4e307  # differences of numbers below this do not overflow
_MASS_ROUNDING = 1e-13  # pieces of mass below this are rounding when p = inf asks for the largest gap


def wasserstein(
    x: ArrayLike,
    y: ArrayLike,
    x_weights: ArrayLike | None = None,
    y_weights: ArrayLike | None = None,
    *,
    p: float = 1.0,
    axis: int = -1,
) -> Any:
    """W_p between point sets on the line: (integral of |F^-1 - G^-1|^p)^(1/p).

    Parameters
    ----------
    x, y : array_like, shape (..., n) and (..., m)
        Points along `axis`; other axes broadcast.
    x_weights, y_weights : array_like, shape (n,) and (m,), optional
        Masses, non-negative; only their ratios matter. Equal by default.
    p : float
        Order in [1, inf].
    axis : int
        The axis of the points.

    Returns
    -------
    float or ndarray
        In the units of x; shape of the broadcast leading axes.

    Raises
    ------
    InvalidInput
        For empty or non-finite points, weights that do not fit, p < 1 or axes that do not broadcast.

    Notes
    -----
    Equal sizes without weights cost two sorts (on two threads if large) and one pass. Otherwise the two sorted
    samples are merged: for p = 1 the area between the distribution functions, whose levels are exact integers
    (equal weights) or compensated sums; for other p the monotone coupling.

    Examples
    --------
    >>> from divkit import exact
    >>> exact.wasserstein([[0.0, 1.0], [0.0, 4.0]], [1.0, 2.0])
    array([1. , 1.5])
    """
    p = check_order(p)
    a, b = _rows("x", x, axis), _rows("y", y, axis)
    wa = None if x_weights is None else _masses("x_weights", x_weights, a.shape[-1])
    wb = None if y_weights is None else _masses("y_weights", y_weights, b.shape[-1])
    if a.ndim == b.ndim == 1:
        return _row(a, b, wa, wb, p)
    try:
        lead = np.broadcast_shapes(a.shape[:-1], b.shape[:-1])
    except ValueError:
        raise InvalidInput(
            f"x and y must have leading axes that broadcast, got {a.shape[:-1]} and {b.shape[:-1]}"
        ) from None
    if wa is None and wb is None and a.shape[-1] == b.shape[-1]:
        return _equal_rows(a, b, p)
    a = np.broadcast_to(a, (*lead, a.shape[-1])).reshape(-1, a.shape[-1])
    b = np.broadcast_to(b, (*lead, b.shape[-1])).reshape(-1, b.shape[-1])
    return np.array([_row(r, s, wa, wb, p) for r, s in zip(a, b, strict=True)]).reshape(lead)


def _rows(name: str, value: ArrayLike, axis: int) -> _F:
    array = as_float_array(name, value)
    if array.ndim == 0 or not -array.ndim <= axis < array.ndim:
        raise InvalidInput(f"{name} has shape {array.shape} and no axis {axis}")
    if array.size == 0:
        raise InvalidInput(f"{name} is empty (shape {array.shape}); a law needs at least one point")
    return np.asarray(array if axis in (-1, array.ndim - 1) else np.moveaxis(array, axis, -1), dtype=np.float64)


def _masses(name: str, value: ArrayLike, n: int) -> _F:
    weights = as_float_array(name, value)
    if weights.shape != (n,):
        raise InvalidInput(f"{name} must have shape ({n},), one weight a point, got {weights.shape}")
    return normalize(weights, name=name)


def _row(x: _F, y: _F, a: _F | None, b: _F | None, p: float) -> float:
    threads = workers() if x.size + y.size >= _PARALLEL else 1
    if a is None and b is None:
        x, y = _sort_checked([x, y], threads)
        return _merged(x, y, None, None, p)
    check_finite("x", x)
    check_finite("y", y)
    (x, a), (y, b) = parallel_map(lambda atoms: _sort_atoms(*atoms), [(x, a), (y, b)], threads)
    return _merged(x, y, a, b, p)


def _sorted(rows: _F) -> _F:
    return np.sort(rows, axis=-1)


def _sort_atoms(points: _F, masses: _F | None) -> tuple[_F, _F]:
    """Sorted points with their masses; atoms of mass 0 are left out."""
    if masses is None:
        return np.sort(points), np.full(points.size, 1.0 / points.size)
    if not masses.all():
        points, masses = points[masses > 0], masses[masses > 0]
    low, high = points.min(), points.max()
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        cells_per_unit = float(_CELLS / (high - low))
    if not _PACKED <= points.size <= _LARGEST_PACKED or not 0 < cells_per_unit < math.inf:
        return _index_sorted(points, masses)
    from divkit._kernels.sorting import pack_cells, unpack_atoms

    keys = pack_cells(points, low, cells_per_unit)
    keys.sort()
    runs = np.empty((_RUNS, 2), dtype=np.int64)
    x, w, count = unpack_atoms(keys, points, masses, runs)
    if count > _RUNS:  # most points share a few cells: a far outlier has stretched them
        return _index_sorted(points, masses)
    for start, end in runs[:count]:
        x[start:end], w[start:end] = _index_sorted(x[start:end], w[start:end])
    return x, w


def _index_sorted(points: _F, masses: _F) -> tuple[_F, _F]:
    order = np.argsort(points)
    return points[order], masses[order]


def _sort_checked(rows: list[_F], threads: int) -> list[_F]:
    """x and y sorted along the last axis; NaN and infinities end up at its ends, where a look is cheap."""
    ordered = parallel_map(_sorted, rows, threads)
    for name, before, after in zip(("x", "y"), rows, ordered, strict=True):
        if not (math.isfinite(after[0]) and math.isfinite(after[-1]) if after.ndim == 1 else _finite_ends(after)):
            check_finite(name, before)
    return ordered


def _finite_ends(rows: _F) -> bool:
    return bool(np.isfinite(rows[..., [0, -1]]).all())


def _merged(x: _F, y: _F, a: _F | None, b: _F | None, p: float) -> float:
    """W_p of sorted finite points, with masses for both or for neither."""
    if max(abs(x[0]), abs(x[-1]), abs(y[0]), abs(y[-1])) > _HALF_RANGE:
        return 8.0 * _merged(x / 8, y / 8, a, b, p)
    if a is None and x.size == y.size:
        return _mean_power(np.subtract(x, y), p)
    from divkit._kernels import quantile

    if p == 1:
        return float(
            quantile.area_between(x, y) if a is None or b is None else quantile.area_between_weighted(x, y, a, b)
        )
    unit = max(abs(x[0] - y[0]), abs(x[-1] - y[-1]), abs(x[0] - y[-1]), abs(x[-1] - y[0])) or 1.0
    if a is None or b is None:
        cost = quantile.quantile_cost(x, y, p, unit)
    else:
        cost = quantile.quantile_cost_weighted(x, y, a, b, p, unit, _MASS_ROUNDING)
    return float(cost if p == math.inf else unit * cost ** (1 / p))


def _mean_power(gaps: _F, p: float) -> float:
    """(mean of |gaps|^p)^(1/p); overwrites gaps."""
    np.abs(gaps, out=gaps)
    largest = float(gaps.max()) if p != 1 else 1.0
    if p == math.inf or largest == 0:
        return largest
    if p == 1:
        total = float(gaps.sum())
        return total / gaps.size if total < math.inf else float((gaps / gaps.size).sum())
    gaps /= largest
    np.square(gaps, out=gaps) if p == 2 else np.power(gaps, p, out=gaps)
    return float(largest * float(gaps.mean()) ** (1 / p))


def _equal_rows(x: _F, y: _F, p: float) -> _F:
    """Row by row for equal sizes without weights; sorts only the rows that there are, broadcasts the gaps."""
    xs, ys = _sort_checked([x, y], workers() if x.size >= _PARALLEL else 1)
    ends = max(float(np.abs(rows[..., [0, -1]]).max()) for rows in (xs, ys))
    unit = 8.0 if ends > _HALF_RANGE else 1.0
    gaps = xs / unit - ys / unit if unit != 1 else xs - ys  # (..., n)
    np.abs(gaps, out=gaps)
    if p == 1:
        return np.asarray(unit * (gaps / gaps.shape[-1]).sum(axis=-1) if unit != 1 else gaps.mean(axis=-1))
    largest = gaps.max(axis=-1)
    if p == math.inf:
        return np.asarray(unit * largest)
    gaps /= np.where(largest > 0, largest, 1.0)[..., None]
    return np.asarray(unit * largest * (gaps**p).mean(axis=-1) ** (1 / p))
