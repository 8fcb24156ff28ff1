"""The lower bound of W_p that a potential proves once c-transforms have made it feasible."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from divkit._array import as_float_array
from divkit._checks import check_finite, check_weights
from divkit._errors import InvalidInput
from divkit.divergences import Wasserstein
from divkit.result import Estimate
from divkit.transport._pairs import Extent, envelope, extent, times_two_to

__all__ = ["Critic", "best_dual"]

_F = NDArray[np.float64]
Critic = Callable[[Any], Any]

_EPS: Final = 2.0**-52
# Absolute, in units of the mean |u| + |v|: half an eps for the minimum that u is, a half for the products, one for
# each weight and its normalisation, a half for the sum and one for the two quotients.
_SUM_ROUNDING: Final = 4 * _EPS


@dataclass(frozen=True, eq=False)
class _Side:
    """The points (k, d) of one law that carry mass, and their masses, None where all are equal."""

    points: _F
    masses: _F | None

    def mean(self, values: _F) -> float:
        """Mean of values (k,) under the masses, the sums correctly rounded: permutations change nothing."""
        if self.masses is None:
            return math.fsum(values) / len(values)
        return math.fsum(self.masses * values) / math.fsum(self.masses)


@dataclass(frozen=True, eq=False)
class _Dual:
    """Feasible potentials, to rounding, and their dual value, where no cost exceeds 1."""

    value: float
    rounding: float
    side: str


@dataclass(frozen=True, eq=False)
class _Problem:
    """Two laws in a common frame: costs are (distance / 2**frame.exponent)^p <= 1."""

    x: _Side
    y: _Side
    frame: Extent
    p: float

    def transform(self, values: _F, source: _Side, target: _Side) -> _F:
        """The c-transform of values on the source, at the points of the target."""
        lift = self.frame.lift() if self.p == 1.0 else 0
        factor = 2.0**-lift if self.p == 1.0 else 1.0
        placed = self.frame.place(source.points, lift), self.frame.place(target.points, lift)
        return envelope(placed[0], values, placed[1], self.p, factor)

    def framed(self, values: _F) -> _F:
        """A potential in units of the frame's cost, its maximum shifted to 0.

        A shift changes no dual value, as both laws have mass 1. Values below -1 cannot attain a minimum, as the
        maximum is 0 and no cost exceeds 1; they are clipped before they can overflow.
        """
        halves = np.ldexp(values, -1) - math.ldexp(float(values.max()), -1)
        exponent = max(-9999.0, min(9999.0, 1 - self.frame.exponent * self.p))
        whole = math.floor(exponent)
        with np.errstate(over="ignore", under="ignore"):
            scaled = np.ldexp(halves * 2.0 ** (exponent - whole), whole)
        return np.asarray(np.maximum(scaled, -2.0))

    def dual(self, start: _F, from_x: bool) -> tuple[_Dual, _F]:
        """The dual value reached from values on x (or y), and the transform of these values to the other side."""
        own, other = (self.x, self.y) if from_x else (self.y, self.x)
        first = self.transform(start, own, other)
        second = self.transform(first, other, own)
        value = own.mean(second) + other.mean(first)
        rounding = _SUM_ROUNDING * (own.mean(np.abs(second)) + other.mean(np.abs(first)))
        # Squares, powers and products below the smallest float64 are lost.
        rounding += 2.0 ** (-500.0 * min(self.p, 2.0))
        return _Dual(value, rounding, "x" if from_x else "y"), first


def best_dual(potential: _F | Critic, x: _F, y: _F, x_weights: Any, y_weights: Any, p: float) -> Estimate:
    """The certified lower bound of W_p by values (n,) on x, or by a critic; arguments checked but for the weights."""
    sizes = len(x), len(y)
    (x_side, kept), (y_side, _) = _side("x_weights", x_weights, x), _side("y_weights", y_weights, y)
    problem = _Problem(x_side, y_side, extent(x_side.points, y_side.points), p)
    info: dict[str, Any] = {}
    if callable(potential):
        on_x = _evaluate(potential, x_side.points, "x")
        best, transformed = problem.dual(problem.framed(on_x), from_x=True)
        if p == 1.0:
            on_y = _evaluate(potential, y_side.points, "y")
            info["violation"] = _violation(problem, on_x, on_y, transformed)
            rival, _ = problem.dual(problem.framed(-on_y), from_x=False)
            best = max(best, rival, key=lambda dual: dual.value)
    else:
        best, _ = problem.dual(problem.framed(potential[kept]), from_x=True)
    return _bound(problem, best, {"n": sizes[0], "m": sizes[1], **info})


def _side(name: str, weights: Any, points: _F) -> tuple[_Side, NDArray[np.intp] | slice]:
    """The points with mass, and which they are."""
    masses = check_weights(name, weights, len(points))
    if masses is None or masses.all():
        return _Side(points, masses), slice(None)
    kept = np.flatnonzero(masses)
    return _Side(points[kept], masses[kept]), kept


def _evaluate(critic: Critic, points: _F, name: str) -> _F:
    """Finite values (k,) of a critic at points (k, d)."""
    what = f"potential({name})"
    values = np.asarray(as_float_array(what, critic(points.copy())), dtype=np.float64)
    if values.shape != (len(points),):
        raise InvalidInput(
            f"{what} must have shape ({len(points)},), one value a point, got {values.shape}; "
            f"for a column pass lambda points: potential(points)[:, 0]"
        )
    check_finite(what, values)
    return values


def _violation(problem: _Problem, on_x: _F, on_y: _F, transformed: _F) -> float:
    """Largest f(x_i) - f(y_j) - |x_i - y_j| in the caller's units, at least 0.

    `transformed` (m,) is the c-transform of (f(x) - max f(x)) / 2**exponent.
    """
    top = float(on_x.max())
    with np.errstate(over="ignore"):
        excess = (top - on_y) - np.ldexp(transformed, problem.frame.exponent)  # (m,)
    return max(float(excess.max()), 0.0)


def _bound(problem: _Problem, dual: _Dual, info: dict[str, Any]) -> Estimate:
    """The dual value's root in the caller's units, with an interval that takes off all rounding.

    Potentials that fit the computed costs overestimate W_p by what these exceed the true ones: each distance by
    (d + 2)/4 eps and a root, each power by 4 eps. The root and the unit add 6 eps.
    """
    p, exponent, d = problem.p, problem.frame.exponent, problem.x.points.shape[1]
    value = max(dual.value, 0.0) ** (1 / p)
    low = max(dual.value - dual.rounding, 0.0) ** (1 / p) * max(1 - (0.25 * d + 12) * _EPS, 0.0)
    estimate, low = times_two_to(value, exponent), times_two_to(low, exponent)
    name = Wasserstein(p).name
    if math.isinf(estimate):
        raise InvalidInput(
            f"the bound of {name} is about 2**{exponent}, beyond float64; divide x and y by a power of two first"
        )
    low = min(max(math.nextafter(low, 0.0), 0.0), estimate)  # the unit may round up among the smallest floats
    return Estimate(
        estimate,
        divergence=name,
        method="c_transform",
        bound="lower",
        interval=(low, math.inf),
        level=1.0,
        info={"p": p, **info, "dual": times_two_to(dual.value, exponent, p), "side": dual.side},
    )
