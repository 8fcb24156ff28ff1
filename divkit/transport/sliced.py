"""W_p along lines: its mean over random directions, and its largest value, both at most W_p."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from divkit._checks import check_integer
from divkit._unit import in_unit
from divkit._wasserstein_1d import wasserstein
from divkit.divergences import Divergence, Wasserstein
from divkit.measures import Measure
from divkit.methods import Method
from divkit.result import Bound, Estimand, Estimate
from divkit.transport._directions import steepest_directions
from divkit.transport._points import point_refusal, weighted_points

__all__ = ["MaxSliced", "Sliced"]

_F = NDArray[np.float64]
_ENTRIES: Final = 2**23  # projected points at a time, 64 MiB
_LEARNED: Final = 5000  # points of each set that directions are sought with
_ROUNDING: Final = 2.0**-50


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

    def _scaled(self, P: Measure, Q: Measure) -> tuple[tuple[_F, _F | None], tuple[_F, _F | None], float]:
        """Both weighted point sets in a unit, and the unit."""
        (x, a), (y, b) = weighted_points(P), weighted_points(Q)
        points, unit = in_unit(np.concatenate([x, y]))
        return (points[: len(x)], a), (points[len(x) :], b), unit

    def _at_least(self, div: Wasserstein, value: float, gap: float, stderr: float | None = None) -> Estimate:
        """The estimate, of which rounding may have taken away the gap."""
        return Estimate(
            value,
            divergence=div.name,
            method=self.name,
            bound="lower",
            stderr=stderr,
            interval=(max(value - gap, 0.0), math.inf),
            level=1.0,
            info={"gap": gap, "p": div.p},
        )


@dataclass(frozen=True)
class Sliced(_Along):
    """(mean over random directions u of W_p(u'x, u'y)^p)^(1/p): sorts only, millions of points are no trouble.

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

    def estimate(self, div: Divergence, P: Measure, Q: Measure, *, level: float, rng: np.random.Generator) -> Estimate:
        """A lower bound of W_p between the given point sets, certain at any `level`.

        Raises
        ------
        Unsupported
            If `refusal` is not None.
        """
        self.demand(div, P, Q)
        assert isinstance(div, Wasserstein)
        x, y, unit = self._scaled(P, Q)
        d, p = x[0].shape[1], div.p
        step = max(1, _ENTRIES // (len(x[0]) + len(y[0])))
        found = np.concatenate(
            [
                along(x, y, _directions(min(step, self.projections - k), d, rng), p)
                for k in range(0, self.projections, step)
            ]
        )
        largest = float(found.max())
        powers = (found / largest) ** p if largest > 0 else found
        mean = float(powers.mean())
        value = unit * largest * mean ** (1 / p)
        error = None
        if self.projections > 1:
            spread = float(powers.std(ddof=1)) / math.sqrt(self.projections)
            error = value * spread / (p * mean) if mean > 0 else 0.0
        return self._at_least(div, value, _ROUNDING * d * unit, error)


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

    def estimate(self, div: Divergence, P: Measure, Q: Measure, *, level: float, rng: np.random.Generator) -> Estimate:
        """A lower bound of W_p between the given point sets, certain at any `level`.

        Raises
        ------
        Unsupported
            If `refusal` is not None.
        """
        self.demand(div, P, Q)
        assert isinstance(div, Wasserstein)
        x, y, unit = self._scaled(P, Q)
        d = x[0].shape[1]
        some_x, some_y = (_some(*side, rng) for side in (x, y))
        starts = _directions(self.starts, d, rng)
        directions = steepest_directions(some_x, some_y, starts, div.p, self.iterations)
        best = float(along(x, y, directions, div.p).max())
        return self._at_least(div, unit * best, _ROUNDING * d * unit)


def _directions(count: int, d: int, rng: np.random.Generator) -> _F:
    """Uniform on the sphere, (count, d)."""
    normals = rng.standard_normal((count, d))
    return np.asarray(normals / np.linalg.norm(normals, axis=1, keepdims=True))


def along(x: tuple[_F, _F | None], y: tuple[_F, _F | None], directions: _F, p: float) -> _F:
    """W_p of weighted points (n, d) and (m, d) along each direction (L, d)."""
    return np.asarray(wasserstein(directions @ x[0].T, directions @ y[0].T, x[1], y[1], p=p), dtype=np.float64)


def _some(points: _F, weights: _F | None, rng: np.random.Generator) -> tuple[_F, _F]:
    """At most 5,000 of the points (n, d), and their masses."""
    masses = np.full(len(points), 1 / len(points)) if weights is None else weights
    kept = np.flatnonzero(masses)
    if len(kept) > _LEARNED:
        kept = rng.choice(kept, _LEARNED, replace=False)
    return points[kept], masses[kept] / masses[kept].sum()
