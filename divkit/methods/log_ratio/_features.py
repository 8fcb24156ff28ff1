"""Features of points from which logistic models are made, and the coordinates they are computed in."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Whitening", "covariance", "natural_splines", "products", "some_rows", "squared_distances", "tamed"]

_F = NDArray[np.float64]
_CALM: Final = 8.0  # standard deviations up to which coordinates enter features as they are
_NEGLIGIBLE: Final = 1e-10  # of the largest eigenvalue: directions in which the points do not extend


def tamed(z: _F) -> _F:
    """Coordinates that grow logarithmically beyond 8: one far point must not be the only one that a square sees.

    The identity up to there, and continuously differentiable.
    """
    size = np.abs(z)
    if size.max(initial=0.0) <= _CALM:
        return z
    return np.where(size <= _CALM, z, np.sign(z) * _CALM * (1 + np.log(np.maximum(size, _CALM) / _CALM)))


def products(z: _F, cross: bool = True) -> _F:
    """All squares and, if `cross`, products z_i z_j with i < j: (k, d) to (k, d(d+1)/2) or (k, d)."""
    if not cross:
        return z * z
    rows, columns = np.triu_indices(z.shape[1])
    return z[:, rows] * z[:, columns]


def natural_splines(z: _F, knots: _F) -> _F:
    """Cubic splines, linear beyond the outer knots, without their linear part: (k,) and (q,) to (k, q - 2).

    The basis of Hastie, Tibshirani and Friedman (2009), "The Elements of Statistical Learning", equations (5.4) and
    (5.5), in units of the spread of the knots.
    """
    reach = knots[-1] - knots[0]
    beyond = np.maximum((z[:, None] - knots) / reach, 0.0)
    cubes = beyond * beyond * beyond  # (k, q); ** 3 would call a power function
    last = cubes[:, -1:]
    slopes = (cubes[:, :-1] - last) / ((knots[-1] - knots[:-1]) / reach)  # (k, q - 1)
    return np.asarray(slopes[:, :-1] - slopes[:, -1:])


def squared_distances(z: _F, spots: _F) -> _F:
    """(k, c) and (s, c) to (k, s), never below 0."""
    squares = (z**2).sum(axis=1)[:, None] + (spots**2).sum(axis=1) - 2 * z @ spots.T
    return np.asarray(np.maximum(squares, 0.0))


def some_rows(points: _F, count: int, rng: np.random.Generator) -> _F:
    """At most `count` of the points (k, c), without repetition."""
    return points if len(points) <= count else points[rng.choice(len(points), count, replace=False)]


class Whitening:
    """Coordinates in which the covariance within the two samples, averaged, is the identity.

    Directions in which the points do not extend are left out.
    """

    def __init__(self, x: _F, y: _F, x_weights: _F, y_weights: _F) -> None:
        self._centre = (_mean(x, x_weights) + _mean(y, y_weights)) / 2
        within = (covariance(x, x_weights) + covariance(y, y_weights)) / 2
        between = _mean(x, x_weights) - _mean(y, y_weights)
        values, vectors = np.linalg.eigh(within)
        # A direction without spread in which the means differ separates the samples: it must stay in.
        total = values + (vectors.T @ between) ** 2
        kept = total > _NEGLIGIBLE * max(float(total.max()), 1e-300)
        floor = np.maximum(values[kept], _NEGLIGIBLE * float(total.max()))
        self._map = vectors[:, kept] / np.sqrt(floor)  # (d, c)

    def __call__(self, points: _F) -> _F:
        """Points (k, d) to (k, c)."""
        return np.asarray((points - self._centre) @ self._map) if self._map.size else np.zeros((len(points), 1))


def _mean(points: _F, weights: _F) -> _F:
    return np.asarray(weights @ points / weights.sum())


def covariance(points: _F, weights: _F) -> _F:
    """Weighted covariance matrix (d, d) of points (k, d)."""
    centred = points - _mean(points, weights)
    return np.asarray((centred * weights[:, None]).T @ centred / weights.sum())
