"""W_p along lines: its mean over random directions, and its largest value, both at most W_p."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from divkit._checks import check_integer
from divkit._unit import in_unit, unit_as_they_are
from divkit._wasserstein_1d import equal_rows, wasserstein
from divkit.divergences import Divergence, Wasserstein
from divkit.measures import Measure
from divkit.methods import Method
from divkit.result import Bound, Estimand, Estimate
from divkit.transport._directions import steepest_directions
from divkit.transport._points import mass_points, point_refusal, weighted_points
from divkit.transport.line import moved

__all__ = ["MaxSliced", "Sliced", "along", "uniform_directions"]

_F = NDArray[np.float64]
_ENTRIES: Final = 2**23  # projected points at a time, 64 MiB
_LEARNED: Final = 5000  # points of each set that directions are sought with
_Weighted = tuple[_F, _F | None]  # points (n, d), and weights (n,) unless all are equal


@dataclass(frozen=True)
class _Along(Method):
    """What both have in common: which measures they take, and W_p along given directions."""

    measures: ClassVar[str] = "two point sets (Samples, or Discrete with points), two dimensions or more"
    divergences: ClassVar[str] = "W_p, 1 <= p < inf"
    bound: ClassVar[Bound] = "lower"
    estimand: ClassVar[Estimand] = "given"
    draws: ClassVar[bool] = True

    def refusal(self, div: Divergence, P: Measure, Q: Measure) -> str | None:
        """Why this method cannot compute div(P || Q), in a clause; None if it can."""
        reason = point_refusal(div, P, Q)
        if reason is not None:
            return reason
        if P.dim == 1:
            return "on the line there is one direction; use method 'line', which is exact"
        if isinstance(div, Wasserstein) and math.isinf(div.p):
            return "p must be finite"
        return None

    def estimate(self, div: Divergence, P: Measure, Q: Measure, *, level: float, rng: np.random.Generator) -> Estimate:
        """A lower bound of W_p between the given point sets, certain at any `level`.

        Raises
        ------
        Unsupported
            If `refusal` is not None.
        """
        self.demand(div, P, Q)
        assert isinstance(div, Wasserstein)
        (x, a), (y, b) = weighted_points(P), weighted_points(Q)
        unit = unit_as_they_are(x, y)
        scale = unit or 1.0  # of the points that are projected
        if unit is None:
            points, unit = in_unit(np.concatenate([x, y]))
            x, y = points[: len(x)], points[len(x) :]
        found, spread = self._value((x, a), (y, b), div.p, rng)
        value, stderr = found / scale, None if spread is None else spread / scale
        low = max(value - _rounding(len(x) + len(y), x.shape[1]), 0.0)
        if a is not None or b is not None or len(x) != len(y):
            low = moved(low, low, 4 * math.sqrt(x.shape[1]), div.p)[0]
        return Estimate(
            unit * value,
            divergence=div.name,
            method=self.name,
            bound="lower",
            stderr=None if stderr is None else unit * stderr,
            interval=(unit * low, math.inf),
            level=1.0,
            info={"gap": unit * (value - low), "p": div.p},
        )

    @abstractmethod
    def _value(self, x: _Weighted, y: _Weighted, p: float, rng: np.random.Generator) -> tuple[float, float | None]:
        """What is shown along some lines, and its standard error."""


def _rounding(count: int, d: int) -> float:
    """What float64 may add to W_p along a line, for so many points with coordinates in [-2, 2].

    A projection has d roundings of terms of at most 2, as has the length of the direction; a distance along a line is
    at most 4 sqrt(d), and the sum of all has a rounding for each point. Twice that, at 2^-53 each.
    """
    return 2.0**-52 * 4 * math.sqrt(d) * (4 * d + count)


@dataclass(frozen=True)
class Sliced(_Along):
    """(mean over random directions u of W_p(u'x, u'y)^p)^(1/p): sorts only, no distances of pairs.

    No line shows more than W_p, so that the value is below it for certain, whatever directions were drawn. It is also
    an estimate of the sliced distance, a metric of its own: `stderr` is the Monte-Carlo error of that. For a shift in
    d dimensions the sliced distance is about sqrt(2/(pi d)) of W_1.

    Parameters
    ----------
    projections : int
        Directions, uniform on the sphere.

    Notes
    -----
    Rabin, Peyre, Delon and Bernot (2011), "Wasserstein barycenter and its application to texture mixing".

    Examples
    --------
    >>> import numpy as np
    >>> import divkit
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(500, 3)), rng.normal(size=(400, 3)) + 1.0
    >>> d = divkit.wasserstein1(x, y, method="sliced", rng=0)
    >>> d.bound, bool(0.5 < d < divkit.wasserstein1(x, y))
    ('lower', True)
    """

    name: ClassVar[str] = "sliced"
    projections: int = 500

    def __post_init__(self) -> None:
        check_integer("projections", self.projections, 1)

    def _value(self, x: _Weighted, y: _Weighted, p: float, rng: np.random.Generator) -> tuple[float, float | None]:
        d, step = x[0].shape[1], max(1, _ENTRIES // (len(x[0]) + len(y[0])))
        counts = [min(step, self.projections - k) for k in range(0, self.projections, step)]
        found = np.concatenate([along(x, y, uniform_directions(count, d, rng), p) for count in counts])
        largest = float(found.max())
        if largest == 0:
            return 0.0, 0.0
        powers = (found / largest) ** p
        mean = float(powers.mean())
        value = largest * mean ** (1 / p)
        if self.projections == 1:
            return value, None
        return value, value * float(powers.std(ddof=1)) / (p * mean * math.sqrt(self.projections))


@dataclass(frozen=True)
class MaxSliced(_Along):
    """W_p along the line on which it is largest, as far as ascent from many starts finds it.

    A lower bound of W_p like that of any line, and the best of its kind that was found: nothing says that there is no
    better one. Equal to W_p if the difference of the laws is along one line, such as for a shift.

    Parameters
    ----------
    starts : int
        Random directions that ascent begins with, besides the difference of the means and the axes in which the spreads
        differ most.
    iterations : int
        Steps of each, at most.

    Notes
    -----
    Deshpande et al. (2019), "Max-sliced Wasserstein distance and its use for GANs". Directions are sought with at most
    5,000 points of each set; the value is of all points.

    Examples
    --------
    >>> import numpy as np
    >>> import divkit
    >>> x = np.random.default_rng(0).normal(size=(300, 5))
    >>> d = divkit.wasserstein1(x, x + [3.0, 4.0, 0.0, 0.0, 0.0], method="max_sliced", rng=0)
    >>> round(d, 6)
    5.0
    """

    name: ClassVar[str] = "max_sliced"
    starts: int = 16
    iterations: int = 50

    def __post_init__(self) -> None:
        check_integer("starts", self.starts, 1)
        check_integer("iterations", self.iterations, 1)

    def _value(self, x: _Weighted, y: _Weighted, p: float, rng: np.random.Generator) -> tuple[float, float | None]:
        starts = uniform_directions(self.starts, x[0].shape[1], rng)
        directions = steepest_directions(_some(*x, rng), _some(*y, rng), starts, p, self.iterations)
        return float(along(x, y, directions, p).max()), None


def uniform_directions(count: int, d: int, rng: np.random.Generator) -> _F:
    """Uniform on the sphere, (count, d)."""
    normals = rng.standard_normal((count, d))
    return np.asarray(normals / np.linalg.norm(normals, axis=1, keepdims=True))


def along(x: _Weighted, y: _Weighted, directions: _F, p: float) -> _F:
    """W_p of weighted points (n, d) and (m, d) along each direction (L, d)."""
    on_x, on_y = directions @ x[0].T, directions @ y[0].T
    if x[1] is None and y[1] is None and on_x.shape == on_y.shape:
        return equal_rows(on_x, on_y, p, spent=True)
    return np.asarray(wasserstein(on_x, on_y, x[1], y[1], p=p), dtype=np.float64)


def _some(points: _F, weights: _F | None, rng: np.random.Generator) -> tuple[_F, _F]:
    """At most 5,000 of the points (n, d) that carry mass, and their masses."""
    points, masses = mass_points(points, weights)
    if len(points) <= _LEARNED:
        return points, masses
    kept = rng.choice(len(points), _LEARNED, replace=False)
    return points[kept], masses[kept] / masses[kept].sum()
