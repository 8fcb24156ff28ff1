"""Directions along which two weighted point sets are far apart, by ascent."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["steepest_directions"]

_F = NDArray[np.float64]
_GAIN: Final = 1e-5  # relative; less is the end of an ascent
_SHARES: Final = (1.0, 0.5, 0.2, 0.05)  # of the way to the gradient that are tried
_AXES: Final = 3  # of either sign in which the spreads differ most


def steepest_directions(x: tuple[_F, _F], y: tuple[_F, _F], starts: _F, p: float, iterations: int) -> _F:
    """Unit vectors (k, d): local maxima of u -> W_p(u'x, u'y), one from each start and each likely direction.

    For a fixed coupling the transport cost along u is convex and homogeneous in u, so that its gradient, made a unit
    vector, is no worse; the coupling is then another one, which is why a step is only taken if it helps.

    Parameters
    ----------
    x, y : (ndarray, ndarray)
        Points (n, d) and masses (n,) of sum 1.
    starts : ndarray, shape (s, d)
    p : float
    iterations : int
    """
    found = []
    for start in np.concatenate([starts, _likely(x, y)]):
        u = start
        value, gradient = _cost_along(x, y, u, p)
        for _ in range(iterations):
            size = float(np.linalg.norm(gradient))
            if size == 0:
                break
            better = None
            for share in _SHARES:
                trial = (1 - share) * u + share * gradient / size
                trial /= np.linalg.norm(trial) or 1.0
                there = _cost_along(x, y, trial, p)
                if there[0] > value * (1 + _GAIN):
                    better = trial, *there
                    break
            if better is None:
                break
            u, value, gradient = better
        found.append(u)
    return np.array(found)


def _likely(x: tuple[_F, _F], y: tuple[_F, _F]) -> _F:
    """The difference of the means, and the axes in which second moments about them differ most."""
    means = [masses @ points for points, masses in (x, y)]
    difference = means[0] - means[1]
    spreads = [
        (points - mean).T @ ((points - mean) * masses[:, None])
        for (points, masses), mean in zip((x, y), means, strict=True)
    ]
    values, axes = np.linalg.eigh(spreads[0] - spreads[1])
    most = np.argsort(-np.abs(values))[: 2 * _AXES]
    size = float(np.linalg.norm(difference))
    return np.concatenate([axes[:, most].T, difference[None] / size]) if size > 0 else axes[:, most].T


def _cost_along(x: tuple[_F, _F], y: tuple[_F, _F], u: _F, p: float) -> tuple[float, _F]:
    """W_p^p along u (d,), and its gradient there."""
    (a, a_order, a_ends), (b, b_order, b_ends) = (_sorted_along(*side, u) for side in (x, y))
    ends = np.union1d(a_ends[:-1], b_ends[:-1])  # where the mass of a point ends, on either side
    pieces = np.diff(ends, prepend=0.0, append=1.0)  # (k + 1,)
    i, j = np.searchsorted(a_ends[:-1], ends, "right"), np.searchsorted(b_ends[:-1], ends, "right")
    i, j = np.append(0, i), np.append(0, j)
    gaps = a[i] - b[j]
    slopes = pieces * p * np.sign(gaps) * np.abs(gaps) ** (p - 1)
    to_x, to_y = (np.bincount(own, slopes, len(order)) for own, order in ((i, a_order), (j, b_order)))
    gradient = to_x @ x[0][a_order] - to_y @ y[0][b_order]
    return float(pieces @ np.abs(gaps) ** p), gradient


def _sorted_along(points: _F, masses: _F, u: _F) -> tuple[_F, NDArray[np.intp], _F]:
    """Places along u in order, the order, and where the mass of each ends."""
    places = points @ u
    order = np.argsort(places)
    return places[order], order, np.cumsum(masses[order])
