"""1-Lipschitz functions fitted to two samples: what each says on fresh points is a lower bound of W_1."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from divkit._wasserstein_1d import wasserstein
from divkit.transport.dual import LipschitzPotential

__all__ = ["WITNESSES", "Witness", "line_potential"]

_F = NDArray[np.float64]
Witness = Callable[[_F], _F]  # points (k, d) to values (k,), 1-Lipschitz in the Euclidean norm
Fit = Callable[[_F, _F, np.random.Generator], Witness]
_STARTS: Final = 24  # random directions that a search for the best one starts from
_CLIMBERS: Final = 3  # directions that are improved
_STEPS: Final = 20


def mean_gap(x: _F, y: _F, rng: np.random.Generator) -> Witness:
    """The coordinate along the difference of the means: its gap is |E x - E y|."""
    return _linear(_unit(x.mean(axis=0) - y.mean(axis=0)))


def radius(x: _F, y: _F, rng: np.random.Generator) -> Witness:
    """The optimal function of the distance from the centre of both samples."""
    centre = (x.mean(axis=0) + y.mean(axis=0)) / 2
    from_x, from_y = (np.linalg.norm(points - centre, axis=1) for points in (x, y))
    knots, values = line_potential(from_x, from_y)
    return lambda points: np.interp(np.linalg.norm(points - centre, axis=1), knots, values)


def marginals(x: _F, y: _F, rng: np.random.Generator) -> Witness:
    """sum_i c_i f_i(z_i) with the optimal f_i of each coordinate and |c|_2 = 1.

    With c_i in proportion to the W_1 of the i-th marginals its value is the root of the sum of their squares.
    """
    potentials = [line_potential(x[:, i], y[:, i]) for i in range(x.shape[1])]
    weights = _unit(wasserstein(x, y, axis=0))

    def witness(points: _F) -> _F:
        total = np.zeros(len(points))
        for i, (weight, (knots, values)) in enumerate(zip(weights, potentials, strict=True)):
            if weight > 0:
                total += weight * np.interp(points[:, i], knots, values)
        return total

    return witness


def projection(x: _F, y: _F, rng: np.random.Generator) -> Witness:
    """The optimal function of one coordinate u . z, in a direction u in which W_1 is large (max-sliced)."""
    trials = [(float(wasserstein(x @ u, y @ u)), u) for u in _directions(x, y, rng)]
    trials.sort(key=lambda trial: -trial[0])
    _, u = max((_climbed(*trial, x, y) for trial in trials[:_CLIMBERS]), key=lambda trial: trial[0])
    knots, values = line_potential(x @ u, y @ u)
    return lambda points: np.interp(points @ u, knots, values)


def transport(x: _F, y: _F, rng: np.random.Generator) -> Witness:
    """The optimal potentials between the points, extended to all of space (McShane 1934).

    Halfway between the largest and the smallest 1-Lipschitz function that has their values on y and on x.
    """
    from divkit.transport.coupling import optimal_transport

    found = optimal_transport(x, y)
    above = LipschitzPotential(y, -found.y_potential)  # min_j |z - y_j| - v_j
    below = LipschitzPotential(x, -found.x_potential)  # - max_i u_i - |z - x_i|
    return lambda points: 0.5 * (above(points) - below(points))


# In the order of their flexibility.
WITNESSES: Final[Mapping[str, Fit]] = MappingProxyType(
    {
        "mean gap": mean_gap,
        "radius": radius,
        "marginals": marginals,
        "projection": projection,
        "transport": transport,
    }
)


def line_potential(x: _F, y: _F) -> tuple[_F, _F]:
    """An optimal f between x (n,) and y (m,) on the line, by its values at knots, constant beyond them.

    The slope of f is the sign of G - F, the distribution functions of y and of x.
    """
    knots = np.unique(np.concatenate([x, y]))  # (k,)
    below_x = np.searchsorted(np.sort(x), knots[:-1], side="right") / len(x)
    below_y = np.searchsorted(np.sort(y), knots[:-1], side="right") / len(y)
    return knots, np.concatenate([[0.0], np.cumsum(np.sign(below_y - below_x) * np.diff(knots))])


def _linear(direction: _F) -> Witness:
    return lambda points: points @ direction


def _unit(vector: _F) -> _F:
    """The vector at length 1; 0 stays 0."""
    length = float(np.linalg.norm(vector))
    return vector / length if length > 0 else vector


def _directions(x: _F, y: _F, rng: np.random.Generator) -> list[_F]:
    """The axes, the difference of the means, principal axes of the difference of the covariances, and random ones."""
    d = x.shape[1]
    spreads = np.linalg.eigh(_scatter(x) - _scatter(y))[1].T
    random = rng.standard_normal((_STARTS if d > 1 else 0, d))
    candidates = [*np.eye(d), x.mean(axis=0) - y.mean(axis=0), *spreads[[0, -1]], *random]
    return [_unit(u) for u in candidates if np.any(u)]


def _scatter(points: _F) -> _F:
    gaps = points - points.mean(axis=0)
    return np.asarray(gaps.T @ gaps / len(points))


def _climbed(value: float, u: _F, x: _F, y: _F) -> tuple[float, _F]:
    """A direction at least as good: that of the gradient, as long as it is better."""
    for _ in range(_STEPS):
        along = x @ u, y @ u
        knots, values = line_potential(*along)
        from_x, from_y = (
            _slopes(knots, values, at) @ points / len(points) for at, points in zip(along, (x, y), strict=True)
        )
        trial = _unit(from_x - from_y)
        found = float(wasserstein(x @ trial, y @ trial))
        if not found > value * (1 + 1e-6):
            break
        value, u = found, trial
    return value, u


def _slopes(knots: _F, values: _F, points: _F) -> _F:
    """The mean of the slopes on either side of each of the points, all of which are knots, (k,)."""
    if len(knots) < 2:
        return np.zeros(len(points))
    slopes = np.sign(np.diff(values))
    at = np.searchsorted(knots, points)
    return 0.5 * (slopes[np.maximum(at - 1, 0)] + slopes[np.minimum(at, len(slopes) - 1)])
