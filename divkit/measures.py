"""What can be compared: probability vectors, samples, and laws with a log density."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from divkit._array import as_float_array
from divkit._checks import check_finite, check_points, check_weights, sum_tolerance
from divkit._errors import InvalidInput
from divkit.families import Family

__all__ = ["Density", "Discrete", "Law", "Measure", "Samples", "checked_samples"]

_F = NDArray[np.float64]
Base = str


def _frozen(array: _F) -> _F:
    """A read-only copy, so that a measure cannot change behind its owner's back."""
    copy = np.array(array)
    copy.flags.writeable = False
    return copy


@dataclass(frozen=True, eq=False)
class Discrete:
    """A law on finitely many atoms.

    Parameters
    ----------
    probs : array_like, shape (n,)
        Non-negative, sum 1 (to 1e-8; to 1e-5 for float32). `divkit.normalize` makes counts into one.
    points : array_like, shape (n,) or (n, d), optional
        Where the atoms are. Two laws without points are compared index by index; Wasserstein distances need
        points. Repeated points are allowed, their masses add.

    Raises
    ------
    InvalidInput
        If probs is no probability vector, or points does not fit it.

    Examples
    --------
    >>> import divkit
    >>> divkit.Discrete([0.5, 0.5], points=[0.0, 1.0])
    Discrete(n=2, d=1)
    """

    probs: _F
    points: _F | None = None

    def __post_init__(self) -> None:
        raw = as_float_array("probs", self.probs, keep_float32=True)
        if raw.ndim != 1 or raw.size == 0:
            raise InvalidInput(
                f"probs must be a non-empty vector, got shape {raw.shape}; "
                f"for samples use divkit.Samples, for batches of laws divkit.exact"
            )
        check_finite("probs", raw)
        probs = raw.astype(np.float64)
        if probs.min() < 0:
            at = int(np.argmin(probs))
            raise InvalidInput(f"probs must be non-negative, but probs[{at}] is {probs[at]:g}")
        total = float(probs.sum())
        if abs(total - 1) > sum_tolerance(raw.dtype):
            raise InvalidInput(
                f"probs sums to {total:.12g}; a probability vector sums to 1. "
                f"For samples use divkit.Samples(probs); for counts divkit.normalize(probs)."
            )
        object.__setattr__(self, "probs", _frozen(probs))
        if self.points is not None:
            points = check_points("points", self.points)
            if len(points) != len(probs):
                raise InvalidInput(f"points must have one row a probability: {len(points)} rows, {len(probs)} probs")
            object.__setattr__(self, "points", _frozen(points))

    @property
    def dim(self) -> int | None:
        """Dimension of the points, None without points."""
        return None if self.points is None else int(self.points.shape[1])

    def __repr__(self) -> str:
        return f"Discrete(n={len(self.probs)}{'' if self.dim is None else f', d={self.dim}'})"


@dataclass(frozen=True, eq=False)
class Samples:
    """Independent draws from an unknown law; the law is the estimand, or the points themselves for W_p.

    Parameters
    ----------
    points : array_like, shape (n,) or (n, d)
        Finite.
    weights : array_like, shape (n,), optional
        Non-negative importance weights; only their ratios matter.

    Raises
    ------
    InvalidInput
        For empty, ragged or non-finite points and for weights that do not fit.
    """

    points: _F
    weights: _F | None = None

    def __post_init__(self) -> None:
        points = check_points("points", self.points)
        weights = check_weights("weights", self.weights, len(points))
        object.__setattr__(self, "points", _frozen(points))
        object.__setattr__(self, "weights", None if weights is None else _frozen(weights))

    @property
    def dim(self) -> int:
        """Dimension of the points."""
        return int(self.points.shape[1])

    def __repr__(self) -> str:
        return f"Samples(n={len(self.points)}, d={self.dim}{'' if self.weights is None else ', weighted'})"


def checked_samples(points: _F, weights: Any = None) -> Samples:
    """Samples of points (n, d) that `divkit._checks.check_points` has let through: neither read again nor copied.

    For as long as the points do not change: within a call.
    """
    found = object.__new__(Samples)
    masses = check_weights("weights", weights, len(points))
    own = points.view() if points.flags.c_contiguous else np.array(points)
    own.flags.writeable = False
    object.__setattr__(found, "points", own)
    object.__setattr__(found, "weights", None if masses is None else _frozen(masses))
    return found


@runtime_checkable
class Density(Protocol):
    """What a law of your own must offer: its dimension and its log density.

    Optional attributes that methods use when present: ``sample(n, rng) -> (n, d)``,
    ``support -> (low, high)``, ``cdf``, ``sf``, ``quantile``, ``isf`` (1-D, arrays to arrays),
    ``breakpoints`` (1-D: where the density has kinks or jumps), ``family``.
    """

    @property
    def dim(self) -> int:
        """Dimension of the space."""
        ...

    def log_density(self, points: _F, /) -> _F:
        """Log density at points (n, d), shape (n,); -inf outside the support."""
        ...


Univariate = Callable[[_F], _F]


@dataclass(frozen=True, eq=False)
class Law:
    """A law with a known log density, as methods see it; made by `divkit.as_measure`.

    Parameters
    ----------
    dim : int
    log_density : callable
        (n, d) to (n,), -inf where the density is 0.
    name : str
        For messages.
    sample : callable or None
        (n, Generator) to (n, d).
    low, high : ndarray, shape (d,)
        A box that contains the support; infinite where unbounded.
    base : str
        What the density is per: "lebesgue" (volume), "counting" (a mass function, on integers if d = 1), "length"
        (along a curve), "simplex" (volume of all coordinates but the last), or another name for a surface.
        Laws with different bases are mutually singular.
    cdf, sf, quantile, isf : callable or None
        For d = 1, (n,) to (n,).
    breakpoints : tuple of float
        For d = 1: interior kinks and jumps of the density, as far as they are known.
    family : Family or None
        The parametric family, if it is a known one.
    """

    dim: int
    log_density: Callable[[_F], _F]
    name: str = "law"
    sample: Callable[[int, np.random.Generator], _F] | None = None
    low: _F = field(default_factory=lambda: np.array([-np.inf]))
    high: _F = field(default_factory=lambda: np.array([np.inf]))
    base: Base = "lebesgue"
    cdf: Univariate | None = None
    sf: Univariate | None = None
    quantile: Univariate | None = None
    isf: Univariate | None = None
    breakpoints: tuple[float, ...] = ()
    family: Family | None = None

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            object.__setattr__(self, name, np.broadcast_to(np.asarray(getattr(self, name), np.float64), (self.dim,)))

    def __repr__(self) -> str:
        return f"Law({self.name}, d={self.dim})"

    def draw(self, n: int, rng: np.random.Generator) -> _F:
        """n independent draws, shape (n, d).

        Raises
        ------
        InvalidInput
            If this law cannot be sampled, or its `sample` returns something of another shape.
        """
        if self.sample is None:
            raise InvalidInput(f"{self.name} has a log density but no sample(n, rng); give it one")
        draws: Any = np.asarray(self.sample(n, rng), dtype=np.float64)
        if draws.shape != (n, self.dim) and not (self.dim == 1 and draws.shape == (n,)):
            raise InvalidInput(
                f"sample({n}, rng) of {self.name} must return shape ({n}, {self.dim}), it returned {draws.shape}"
            )
        return np.asarray(draws.reshape(n, self.dim))


Measure = Discrete | Samples | Law
