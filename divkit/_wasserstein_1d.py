"""W_p on the line, for arrays: two sorts and one pass, batched over leading axes."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from divkit._array import as_float_array
from divkit._checks import check_finite, check_order, normalize
from divkit._errors import InvalidInput
from divkit._threads import parallel_map, workers

__all__ = ["distance", "equal_rows", "wasserstein"]

_F = NDArray[np.float64]
_PARALLEL = 1 << 20  # points below which a second thread costs more than it brings
_PARALLEL_ROWS = 1 << 18  # likewise for rows, whose sorts are most of what is done
_PACKED, _LARGEST_PACKED = 2048, 1 << 32  # sizes for which packed keys beat an index sort, and fit 32-bit indices
_CELLS = 2.0**31 - 1
_RUNS = 64
_KEPT = 1 << 19  # points whose sorted copies stay allocated, 4 MiB a thread
_LARGE, _SHRINK = 1e285, 2.0**64  # points beyond _LARGE are shrunk, or sums of their differences might overflow
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
    if a.ndim == b.ndim == 1:
        return distance(a, b, x_weights, y_weights, p)[0]
    wa = None if x_weights is None else _masses("x_weights", x_weights, a.shape[-1])
    wb = None if y_weights is None else _masses("y_weights", y_weights, b.shape[-1])
    try:
        lead = np.broadcast_shapes(a.shape[:-1], b.shape[:-1])
    except ValueError:
        raise InvalidInput(
            f"x and y must have leading axes that broadcast, got {a.shape[:-1]} and {b.shape[:-1]}"
        ) from None
    if wa is None and wb is None and a.shape[-1] == b.shape[-1]:
        return equal_rows(a, b, p)
    a = np.broadcast_to(a, (*lead, a.shape[-1])).reshape(-1, a.shape[-1])
    b = np.broadcast_to(b, (*lead, b.shape[-1])).reshape(-1, b.shape[-1])
    return np.array([_row(r, s, wa, wb, p)[0] for r, s in zip(a, b, strict=True)]).reshape(lead)


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


def distance(x: _F, y: _F, x_weights: ArrayLike | None, y_weights: ArrayLike | None, p: float) -> tuple[float, float]:
    """(`wasserstein`, range of the points) for one pair of non-empty float64 vectors and a valid order."""
    a = None if x_weights is None else _masses("x_weights", x_weights, x.size)
    b = None if y_weights is None else _masses("y_weights", y_weights, y.size)
    return _row(x, y, a, b, p)


def _row(x: _F, y: _F, a: _F | None, b: _F | None, p: float) -> tuple[float, float]:
    threads = workers() if x.size + y.size >= _PARALLEL else 1
    given = x, y
    if a is None and b is None:
        x, y = _sorted_pair(x, y, threads)
    else:
        check_finite("x", x)
        check_finite("y", y)
        (x, a), (y, b) = parallel_map(_sort_atoms, ((x, a), (y, b)), threads)
    ends = float(x[0]), float(x[-1]), float(y[0]), float(y[-1])
    if not math.isfinite(sum(ends)):  # sorting has put NaN and infinities there; or the sum has overflowed
        check_finite("x", given[0])
        check_finite("y", given[1])
    low, high = min(ends), max(ends)
    if high <= _LARGE and low >= -_LARGE:
        return _merged(x, y, a, b, p, high - low), high - low
    span = high / _SHRINK - low / _SHRINK
    return _SHRINK * _merged(x / _SHRINK, y / _SHRINK, a, b, p, span), _SHRINK * span


class _Scratch(threading.local):
    """Memory for the sorted copies of moderate samples, kept for each thread: fresh pages cost as much as sorting."""

    def __init__(self) -> None:
        self.memory = np.empty(0)

    def take(self, size: int) -> _F:
        if self.memory.size < size:
            self.memory = np.empty(size)
        return self.memory[:size]


_scratch = _Scratch()


def _sorted_pair(x: _F, y: _F, threads: int) -> tuple[_F, _F]:
    """Sorted copies of both, to be used up before the next call on this thread."""
    size = x.size + y.size
    if size > _KEPT:
        a, b = parallel_map(_sorted, (x, y), threads)
        return a, b
    memory = _scratch.take(size)
    a, b = memory[: x.size], memory[x.size :]
    a[:], b[:] = x, y
    a.sort()
    b.sort()
    return a, b


def _sorted(rows: _F) -> _F:
    return np.sort(rows, axis=-1)


def _sort_atoms(atoms: tuple[_F, _F | None]) -> tuple[_F, _F]:
    """Sorted points with their masses; atoms of mass 0 are left out."""
    points, masses = atoms
    if masses is None:
        return np.sort(points), np.full(points.size, 1.0 / points.size)
    if not masses.all():
        points, masses = points[masses > 0], masses[masses > 0]
    if not _PACKED <= points.size <= _LARGEST_PACKED:
        return _index_sorted(points, masses)
    low, high = points.min(), points.max()
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        cells_per_unit = float(_CELLS / (high - low))
    if not 0 < cells_per_unit < math.inf:
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


def _merged(x: _F, y: _F, a: _F | None, b: _F | None, p: float, span: float) -> float:
    """W_p of sorted finite points within `span`, with masses for both or for neither; overwrites x."""
    if a is None and x.size == y.size:
        return _mean_power(np.subtract(x, y, out=x), p)
    from divkit._kernels import quantile

    if a is None or b is None:
        if p == 1:
            return float(quantile.area_between(x, y))
        cost = quantile.quantile_cost(x, y, p, span or 1.0)
    else:
        if p == 1:
            return float(quantile.area_between_weighted(x, y, a, b))
        cost = quantile.quantile_cost_weighted(x, y, a, b, p, span or 1.0, _MASS_ROUNDING)
    return float(cost if p == math.inf else span * cost ** (1 / p))


def _mean_power(gaps: _F, p: float) -> float:
    """(mean of |gaps|^p)^(1/p); overwrites gaps."""
    np.abs(gaps, out=gaps)
    largest = float(gaps.max()) if p != 1 else 1.0
    if p == math.inf or largest == 0:
        return largest
    if p == 1:
        return float(gaps.sum()) / gaps.size
    gaps /= largest
    np.square(gaps, out=gaps) if p == 2 else np.power(gaps, p, out=gaps)
    return float(largest * float(gaps.mean()) ** (1 / p))


def _sorted_in_place(rows: _F) -> _F:
    rows.sort(axis=-1)
    return rows


def equal_rows(x: _F, y: _F, p: float, *, spent: bool = False) -> _F:
    """Row by row for equal sizes without weights; sorts only the rows that there are, broadcasts the gaps.

    `spent` rows are nobody's any more: they are sorted where they are.
    """
    xs, ys = parallel_map(_sorted_in_place if spent else _sorted, (x, y), workers() if x.size >= _PARALLEL_ROWS else 1)
    largest = max(float(np.abs(rows[..., [0, -1]]).max()) for rows in (xs, ys))  # NaN is sorted to the end
    if not largest < math.inf:
        check_finite("x", x)
        check_finite("y", y)
    unit = _SHRINK if largest > _LARGE else 1.0
    if unit != 1:
        xs, ys = xs / unit, ys / unit
    gaps = np.subtract(xs, ys, out=xs if xs.shape == np.broadcast_shapes(xs.shape, ys.shape) else None)  # (..., n)
    np.abs(gaps, out=gaps)
    if p == 1:
        return np.asarray(unit * gaps.mean(axis=-1))
    tops = gaps.max(axis=-1)
    if p == math.inf:
        return np.asarray(unit * tops)
    gaps /= np.where(tops > 0, tops, 1.0)[..., None]
    return np.asarray(unit * tops * (gaps**p).mean(axis=-1) ** (1 / p))
