"""Coordinates of the plane in which two laws have their mass near the origin and tails decay exponentially."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from divkit.measures import Law
from divkit.methods._mesh import common_mesh, graded

__all__ = ["Axis", "Plane", "plane_of"]

_F = NDArray[np.float64]
_SEED: Final = 0  # of the draws that place the coordinates; the value does not depend on them
_DRAWS: Final = 4096
_LEVELS: Final = (0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.999)


@dataclass(frozen=True)
class Axis:
    """One coordinate t of the real line: sinh t on an unbounded axis, e^t and a logistic t on bounded ones.

    limit is where t stops: beyond, squares overflow or distances from a finite end are lost to rounding.
    """

    kind: Literal["line", "above", "below", "segment"]
    low: float = -math.inf
    high: float = math.inf
    width: float = 1.0

    @property
    def limits(self) -> tuple[float, float]:
        """Range of t that floats resolve."""
        if self.kind == "line":
            return -300.0, 300.0
        if self.kind == "segment":
            near_high = 36.0 - math.log(max(1.0, abs(self.high) / (self.high - self.low)))
            near_low = 36.0 - math.log(max(1.0, abs(self.low) / (self.high - self.low))) if self.low else 690.0
            return -near_low, near_high
        end = self.low if self.kind == "above" else self.high
        return (-36.0 + math.log(abs(end) / self.width) if end else -300.0), 300.0

    def x(self, t: _F) -> _F:
        """The coordinate itself, (n,)."""
        if self.kind == "line":
            return np.asarray(np.sinh(t))
        if self.kind == "segment":
            size = self.high - self.low
            return np.where(t < 0, self.low + size / (1 + np.exp(-t)), self.high - size / (1 + np.exp(t)))
        distance = self.width * np.exp(t)
        return np.asarray(self.low + distance if self.kind == "above" else self.high - distance)

    def t(self, x: _F) -> _F:
        """The inverse of `x`, inside the limits."""
        with np.errstate(all="ignore"):
            if self.kind == "line":
                t = np.arcsinh(x)
            elif self.kind == "segment":
                t = np.log(x - self.low) - np.log(self.high - x)
            else:
                t = np.log((x - self.low if self.kind == "above" else self.high - x) / self.width)
        return np.clip(t, *self.limits)

    def log_jacobian(self, t: _F) -> _F:
        """log |dx/dt|, (n,)."""
        if self.kind == "line":
            return np.asarray(np.abs(t) + np.log1p(np.exp(-2 * np.abs(t))) - math.log(2.0))
        if self.kind == "segment":
            t = np.abs(t)
            return np.asarray(math.log(self.high - self.low) - t - 2 * np.log1p(np.exp(-t)))
        return np.asarray(math.log(self.width) + t)


@dataclass(frozen=True, eq=False)
class Plane:
    """points = centre + matrix (axis coordinates); lines resolve the mass, per axis in t."""

    axes: tuple[Axis, Axis]
    centre: _F
    matrix: _F
    lines: tuple[_F, _F]

    def points(self, t: _F) -> _F:
        """Points (n, 2) at coordinates t (n, 2)."""
        y = np.stack([axis.x(t[:, j]) for j, axis in enumerate(self.axes)], axis=1)
        return np.asarray(self.centre + y @ self.matrix.T)

    @property
    def rounding(self) -> float:
        """How far rounding of points moves t where the mass is."""
        return 2.2e-16 * float(np.abs(self.centre).max() * np.abs(np.linalg.inv(self.matrix)).max())

    def log_jacobian(self, t: _F) -> _F:
        """log of the volume element, (n,)."""
        scale = float(np.log(np.abs(np.linalg.det(self.matrix))))
        return scale + sum((axis.log_jacobian(t[:, j]) for j, axis in enumerate(self.axes)), np.zeros(len(t)))


def plane_of(P: Law, Q: Law) -> Plane:
    """Coordinates for two laws of the plane, from draws with a fixed seed.

    Laws without any end of support get principal axes; otherwise the axes stay as they are, and ends of one support
    inside the other become lines.
    """
    rng = np.random.default_rng(_SEED)
    samples = [law.draw(_DRAWS, rng) for law in (P, Q) if law.sample is not None]
    ends = np.stack([P.low, P.high, Q.low, Q.high])  # (4, 2)
    axes: list[Axis] = [Axis("line"), Axis("line")]
    if np.isinf(ends).all():
        centre, matrix = _principal(samples)
    else:
        centre, matrix = np.zeros(2), np.eye(2)
        for j in (0, 1):
            low, high = float(ends[::2, j].min()), float(ends[1::2, j].max())
            middle, scale = _location(samples, j, low, high)
            if math.isinf(low) and math.isinf(high):
                centre[j], matrix[j, j] = middle, scale
            elif math.isinf(high):
                axes[j] = Axis("above", low=low, width=max(middle - low, scale))
            elif math.isinf(low):
                axes[j] = Axis("below", high=high, width=max(high - middle, scale))
            else:
                axes[j] = Axis("segment", low, high)
    flat = [(sample - centre) @ np.linalg.inv(matrix).T for sample in samples]
    lines = []
    for j, axis in enumerate(axes):
        soft = [_cells(axis.t(y[:, j])) for y in flat]
        fixed = axis.t((ends[np.isfinite(ends[:, j]), j] - centre[j]) / matrix[j, j])
        lines.append(common_mesh(fixed[np.abs(fixed) < axis.limits[1]], [*soft, np.linspace(-2.0, 2.0, 5)]))
    return Plane((axes[0], axes[1]), centre, matrix, (lines[0], lines[1]))


def _cells(t: _F) -> _F:
    """Cells that resolve draws t (n,): their quantiles, doubling steps beyond the outer ones, and grading between."""
    points = np.unique(np.quantile(t, _LEVELS))
    if len(points) < 2:
        return points
    steps = 2.0 ** np.arange(1, 5) - 1
    left, right = points[1] - points[0], points[-1] - points[-2]
    return graded(np.unique(np.concatenate([points[0] - left * steps, points, points[-1] + right * steps])))


def _location(samples: list[_F], j: int, low: float, high: float) -> tuple[float, float]:
    """Median and interquartile range of all draws in coordinate j, or the box's where there are none."""
    if not samples:
        return low / 2 + high / 2, high - low
    first, middle, third = np.quantile(np.concatenate(samples)[:, j], (0.25, 0.5, 0.75))
    return float(middle), float(third - first) or 1.0


def _principal(samples: list[_F]) -> tuple[_F, _F]:
    """Centre (2,) and scaled principal axes (2, 2) of draws, from their central 90 % in either coordinate."""
    centres, covariances = [], []
    for sample in samples:
        low, middle, high = np.quantile(sample, (0.05, 0.5, 0.95), axis=0)
        central = sample[((sample >= low) & (sample <= high)).all(axis=1)]
        centres.append(middle)
        covariances.append(np.cov(central.T))
    covariance = np.mean(covariances, axis=0) + np.cov(np.array(centres).T, bias=True)
    values, vectors = np.linalg.eigh(covariance)
    return np.mean(centres, axis=0), vectors * np.sqrt(np.maximum(values, 1e-12 * values[-1]))
