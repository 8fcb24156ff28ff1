"""Straight segments in R^d: which points lie on one, up to the rounding of their coordinates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["along"]

_F = NDArray[np.float64]
_ROUNDING = 8 * float(np.finfo(np.float64).eps)


def along(start: _F, end: _F, points: _F) -> tuple[_F, NDArray[np.bool_], float]:
    """Positions of points along a line, and which of them lie on it.

    Parameters
    ----------
    start, end : ndarray, shape (d,)
        Two distinct points of the line.
    points : ndarray, shape (n, d)

    Returns
    -------
    position : ndarray, shape (n,)
        Signed length from start of each point's projection.
    on_line : ndarray of bool, shape (n,)
        Whether every coordinate agrees with the projection to 8 roundings of that coordinate's size on the
        segment. A coordinate that is constantly 0 must therefore be 0 exactly: a parallel segment at distance
        1e-17 is another line.
    tolerance : float
        The rounding of a position.
    """
    along_ = end - start
    direction = along_ / np.hypot.reduce(along_)  # hypot: no overflow of squares at 1e200
    size = np.where(along_ != 0, np.maximum(np.abs(start), np.abs(end)), 0.0)
    tolerance = _ROUNDING * float(np.hypot.reduce(size))
    position = (points - start) @ direction  # (n,)
    residual = np.abs(points - start - position[:, None] * direction)  # (n, d)
    allowed = _ROUNDING * np.maximum(np.abs(start), np.abs(end)) + np.abs(direction) * tolerance
    allowed = allowed + np.where(along_ != 0, float(np.finfo(np.float64).tiny), 0.0)  # subnormal steps
    return position, np.asarray((residual <= allowed).all(axis=1)), tolerance
