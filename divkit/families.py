"""Parametric families that have closed forms: their parameters and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Bernoulli",
    "Beta",
    "Categorical",
    "Exponential",
    "Family",
    "Gamma",
    "Gaussian",
    "Laplace",
    "LocationScale",
    "Poisson",
    "Uniform",
    "UniformSegment",
    "normal",
]

_F = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Gaussian:
    """N(mean, cov): mean (d,), cov (d, d) positive semi-definite."""

    mean: _F
    cov: _F


@dataclass(frozen=True)
class Exponential:
    """Density rate exp(-rate (x - loc)) on x >= loc."""

    rate: float
    loc: float = 0.0


@dataclass(frozen=True)
class Laplace:
    """Density exp(-|x - loc| / scale) / (2 scale)."""

    loc: float
    scale: float


@dataclass(frozen=True)
class Uniform:
    """Uniform on [low, high]."""

    low: float
    high: float


@dataclass(frozen=True)
class Gamma:
    """Density proportional to (x - loc)^(shape - 1) exp(-(x - loc)/scale) on x > loc."""

    shape: float
    scale: float
    loc: float = 0.0


@dataclass(frozen=True)
class Beta:
    """Density proportional to z^(a - 1) (1 - z)^(b - 1), z = (x - loc)/scale in [0, 1]."""

    a: float
    b: float
    loc: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True)
class Bernoulli:
    """P(X = 1) = prob, P(X = 0) = 1 - prob."""

    prob: float


@dataclass(frozen=True, eq=False)
class Categorical:
    """P(X = k) = probs[k], k = 0, 1, ...; probs (n,)."""

    probs: _F


@dataclass(frozen=True)
class Poisson:
    """P(X = k) = exp(-rate) rate^k / k!."""

    rate: float


@dataclass(frozen=True)
class LocationScale:
    """Any other univariate family loc + scale Z: `standard` identifies the law of Z with its shapes."""

    standard: tuple[object, ...]
    loc: float
    scale: float


@dataclass(frozen=True, eq=False)
class UniformSegment:
    """Uniform on the straight segment from start (d,) to end (d,)."""

    start: _F
    end: _F


Family = (
    Gaussian
    | Exponential
    | Laplace
    | Uniform
    | Gamma
    | Beta
    | Bernoulli
    | Categorical
    | Poisson
    | LocationScale
    | UniformSegment
)


def normal(loc: float, scale: float) -> Gaussian | LocationScale:
    """N(loc, scale^2) in one dimension; a location-scale law where the variance leaves the range of floats."""
    if 1e-150 < scale < 1e150:
        return Gaussian(np.array([loc]), np.array([[scale**2]]))
    return LocationScale(("normal",), loc, scale)
