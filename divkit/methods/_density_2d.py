"""f-divergences between two laws with densities on the plane: a quadrature of quadratures."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from divkit._errors import InvalidInput, NotConverged
from divkit.divergences import FDivergence
from divkit.measures import Law
from divkit.methods._adaptive import Panels, integrate, kronrod
from divkit.methods._chart import Infinite
from divkit.methods._log_integrand import ROUNDING, LogIntegrand
from divkit.methods._plane import Plane, plane_of

__all__ = ["divergence_2d"]

_F = NDArray[np.float64]
_NEGLIGIBLE: Final = 40.0  # e^-40 = 4e-18 of the largest integrand
_RESOLVED: Final = 30.0  # what a bounded density has lost where distances from an edge are rounding
_OVERFLOW: Final = 709.0
_INNER: Final = 0.02  # share of the tolerance that one round of inner integrals may use
_MASS_GOAL: Final = 1e-9
_MASS_LIMIT: Final = 1e-7
_INNER_PANELS: Final = 200_000
_MAX_ROUNDS: Final = 40


@dataclass
class _Integrand:
    """Log integrands (divergence, p, q, then their rounding) at coordinates t, and how often they were asked."""

    div: FDivergence
    laws: tuple[Law, Law]
    plane: Plane
    evaluations: int = 0
    units: tuple[float, float] = field(init=False)
    _log: LogIntegrand = field(init=False)

    def __post_init__(self) -> None:
        self._log = LogIntegrand(self.div)
        grid = np.stack(np.meshgrid(*self.plane.lines, indexing="ij"), axis=-1).reshape(-1, 2)
        points = self.plane.points(grid)
        step = 2.0**-26 * self.plane.matrix.sum(axis=1)
        self.units = (_rounding_unit(self.laws[0], points, step), _rounding_unit(self.laws[1], points, step))

    def __call__(self, t: _F) -> _F:
        """At t (n, 2), shape (6, n)."""
        points, jacobian = self.plane.points(t), self.plane.log_jacobian(t)
        self.evaluations += len(t)
        return self.combined(points) + jacobian

    def combined(self, points: _F) -> _F:
        """At points (n, 2), without a Jacobian."""
        logs = [_log_density(law, points) for law in self.laws]
        sizes = [np.where(np.isfinite(log), np.abs(log), 0.0) + 4.0 for log in logs]
        shifts = [unit * size for unit, size in zip(self.units, sizes, strict=True)]
        value = self._log(logs[0], logs[1])
        if np.any(value == np.inf):
            self._refuse_underflow(logs, points[value == np.inf][0])
            raise Infinite(f"around x = ({points[value == np.inf][0, 0]:g}, {points[value == np.inf][0, 1]:g})")
        noise = self._log.sensitivity(logs[0], logs[1], value, shifts[0], shifts[1])
        with np.errstate(invalid="ignore"):
            return np.stack([value, *logs, noise, *(log + np.log(s) for log, s in zip(logs, shifts, strict=True))])

    def _refuse_underflow(self, logs: list[_F], point: _F) -> None:
        for law, log in zip(self.laws, logs, strict=True):
            finite = log[np.isfinite(log)]
            lost = (log == -np.inf).any() and np.all((point >= law.low) & (point <= law.high))
            if lost and len(finite) and -760 < finite.min() < -350:
                raise NotConverged(
                    f"{self.div.name} needs log densities below -745, where that of {law.name} is the logarithm of "
                    f"an underflown density; give a log_density that is computed in logarithms"
                )


def _rounding_unit(law: Law, points: _F, step: _F) -> float:
    """Rounding of a log density relative to 4 + |its value|, from second differences over steps without curvature."""
    right = points + np.where(np.abs(step) < 2 * np.spacing(np.abs(points)), 2 * np.spacing(np.abs(points)), step)
    step = right - points  # exact, and so is points - step
    centre = _log_density(law, points)
    with np.errstate(invalid="ignore"):
        bend = np.abs(_log_density(law, points - step) - 2 * centre + _log_density(law, right)) / 2
        bend = bend / (4 + np.abs(centre))
    bend = bend[np.isfinite(bend)]
    return max(ROUNDING, float(np.median(bend))) if len(bend) else ROUNDING


def _log_density(law: Law, points: _F) -> _F:
    with np.errstate(all="ignore"):
        logs = np.asarray(law.log_density(points), dtype=np.float64)
    logs = np.where(((points < law.low) | (points > law.high)).any(axis=1), -np.inf, logs)
    bad = np.isnan(logs)
    if bad.any():
        at = points[bad][0]
        raise InvalidInput(
            f"the log density of {law.name} is NaN at x = ({at[0]:g}, {at[1]:g}); it must be a number, "
            f"-inf where the density is 0"
        )
    return logs


def divergence_2d(
    div: FDivergence, P: Law, Q: Law, rtol: float, max_panels: int
) -> tuple[float, float, dict[str, Any]]:
    """D(P || Q) on the plane, its error and how it was found.

    Raises
    ------
    NotConverged
        If the error exceeds rtol and what rounding explains, or the densities do not integrate to 1.
    """
    plane = plane_of(P, Q)
    integrand = _Integrand(div, (P, Q), plane)
    try:
        _search_all_directions(integrand)
        totals, errors, noise, strips = _iterated(integrand, _effective_ranges(integrand), rtol, max_panels)
    except Infinite as reason:
        return math.inf, 0.0, {"diverges": str(reason)}
    for law, name, mass in zip((P, Q), "PQ", totals[1:3], strict=True):
        if not abs(mass - 1) <= _MASS_LIMIT:
            raise NotConverged(
                f"the density of {name}, {law.name}, integrates to {mass:.10g} instead of 1: either it is not "
                f"normalised, or mass far from the rest or on a narrow ridge was missed; rescale the laws, or use "
                f"MonteCarlo",
                {"mass": float(mass), "law": name},
            )
    return _outcome(div, totals, errors, noise, rtol, {"evaluations": integrand.evaluations, "panels": strips})


def _outcome(
    div: FDivergence, totals: _F, errors: _F, noise: _F, rtol: float, info: dict[str, Any]
) -> tuple[float, float, dict[str, Any]]:
    total, quadrature = float(totals[0]), float(errors[0])
    value = div.f_one + total
    defect = float(np.abs(totals[1:3] - 1).max())
    # A common factor missing from one law moves every log density by the defect, as rounding does by 4 units.
    share = defect / (4 * ROUNDING) if defect > 4 * float(errors[1:3].max()) else 0.0
    rounding = float(totals[3]) * (1 + share) + float(noise[0]) + 100 * ROUNDING * total
    goal = rtol * max(abs(value), total)
    error = quadrature + rounding
    info = {**info, "gap": error, "rounding": rounding, "masses": (float(totals[1]), float(totals[2]))}
    if not math.isfinite(error) or quadrature > max(goal, 6 * rounding):
        raise NotConverged(
            f"quadrature of {div.name} reached {value:.10g} with error {quadrature:.2g} on {info['panels']} strips, "
            f"not rtol={rtol:g}; use Quadrature with a larger rtol or max_panels, or MonteCarlo",
            {**info, "value": value},
        )
    return value, error, {**info, "limited_by": "rounding" if rounding > goal else "rtol"}


def _search_all_directions(integrand: _Integrand) -> None:
    """Raise `Infinite` if the integrand overflows, or stops decaying, in some direction from the centre.

    Along circles of growing radius, the largest integrand is followed by zooming in on its angle: the cone in
    which exp(x' A x) grows may be narrow.
    """
    plane = integrand.plane
    if any(axis.kind != "line" for axis in plane.axes):
        return  # ends of supports are met by the growing ranges
    radii = np.exp(np.arange(0.0, 61.0, 0.5))  # (r,)
    centres, width = np.tile(np.linspace(0, 2 * np.pi, 128, endpoint=False), (len(radii), 1)), np.pi / 128
    for _ in range(14):
        angles = centres  # (r, a)
        directions = np.stack([np.cos(angles), np.sin(angles)], axis=-1) * radii[:, None, None]
        logs = integrand.combined(plane.centre + directions.reshape(-1, 2) @ plane.matrix.T)
        value = np.where(logs[3] > logs[0] - 5, -np.inf, logs[0]).reshape(angles.shape) + 2 * np.log(radii)[:, None]
        if value.max() > _OVERFLOW:
            raise Infinite("for |x| to inf")
        best = np.take_along_axis(angles, value.argmax(axis=1)[:, None], axis=1)  # (r, 1)
        centres = best + width * np.linspace(-1, 1, 9)
        width /= 4
    top = value.max(axis=1)  # (r,)
    if top[-1] > top.max() - _NEGLIGIBLE and top[-1] - top[-21] > -1e-2:  # a slope of -1e-3 in log |x|
        raise Infinite("for |x| to inf")


def _effective_ranges(integrand: _Integrand) -> list[tuple[float, float]]:
    """Per axis the range of t outside which nothing matters."""
    axes, lines = integrand.plane.axes, integrand.plane.lines
    ranges = [[float(line[0]) - 1.0, float(line[-1]) + 1.0] for line in lines]
    grid = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, 2)
    reference = np.max(integrand(grid)[:3], axis=1)
    growing = True
    while growing:
        growing = False
        for j in (0, 1):
            other = np.unique(np.concatenate([np.linspace(ranges[1 - j][0], ranges[1 - j][1], 129), lines[1 - j]]))
            for side, sign in ((0, -1.0), (1, 1.0)):
                face = np.full((len(other), 2), ranges[j][side])
                face[:, 1 - j] = other
                logs = integrand(face)[:3]  # (3, n)
                reference = np.maximum(reference, logs.max(axis=1))
                if logs[0].max() > _OVERFLOW:
                    raise Infinite("towards the edge of the support")
                if (logs > reference[:, None] - _NEGLIGIBLE).any():
                    if abs(ranges[j][side]) >= abs(axes[j].limits[side]):
                        if not (logs > reference[:, None] - _RESOLVED).any():
                            continue
                        raise NotConverged(
                            f"{integrand.div.name}: the integrand still matters where floats end (coordinate {j}, "
                            f"{'upper' if side else 'lower'} side): a tail or a singular edge is too heavy"
                        )
                    step = max(0.5, 0.1 * abs(ranges[j][side]))
                    moved = ranges[j][side] + sign * step
                    ranges[j][side] = min(max(moved, axes[j].limits[0]), axes[j].limits[1])
                    growing = True
    return [(a, b) for a, b in ranges]


def _cells(line: _F, low: float, high: float) -> _F:
    """Ends of the first cells on an axis: its lines, and steps of at most 2 outside them."""
    inside = line[(line > low) & (line < high)]
    ends = np.concatenate([[low], inside, [high]])
    extra = [np.linspace(a, b, int((b - a) / 2) + 2) for a, b in pairwise(ends.tolist())]
    return np.unique(np.concatenate(extra))


@dataclass
class _Strips:
    """Strips [low, high] of t_1 with their integrals (6, n) and errors (6, n)."""

    low: _F
    high: _F
    values: _F
    errors: _F

    def split(self, index: NDArray[np.intp]) -> tuple[_F, _F]:
        """Take strips out and return the ends of their halves."""
        low, high = self.low[index], self.high[index]
        middle = low / 2 + high / 2
        kept = np.setdiff1d(np.arange(len(self.low)), index)
        self.low, self.high = self.low[kept], self.high[kept]
        self.values, self.errors = self.values[:, kept], self.errors[:, kept]
        return np.concatenate([low, middle]), np.concatenate([middle, high])

    def add(self, low: _F, high: _F, f: _F) -> None:
        """Append strips from their inner integrals times their half-widths (6, n, k)."""
        self.low, self.high = np.concatenate([self.low, low]), np.concatenate([self.high, high])
        self.values = np.concatenate([self.values, f @ kronrod().weights], axis=1)
        self.errors = np.concatenate([self.errors, kronrod().errors(f)], axis=1)


def _iterated(
    integrand: _Integrand, ranges: list[tuple[float, float]], rtol: float, max_panels: int
) -> tuple[_F, _F, _F, int]:
    """Integrals, errors, rounding errors (6,) each, and the number of strips: inner quadratures along t_2."""
    rule = kronrod()
    outer, inner = (_cells(line, *ends) for line, ends in zip(integrand.plane.lines, ranges, strict=True))
    strips = _Strips(np.empty(0), np.empty(0), np.empty((6, 0)), np.empty((6, 0)))
    doubts, noise = np.zeros(6), np.zeros(6)
    low, high = outer[:-1], outer[1:]
    for _ in range(_MAX_ROUNDS):
        half = (high - low) / 2
        nodes = (low / 2 + high / 2)[:, None] + half[:, None] * rule.nodes  # (n, k)
        # The nodes that serve the error estimate alone get a small weight, so that inner errors have a scale there.
        weights = half[:, None] * np.maximum(rule.weights, 1e-3)  # (n, k)
        sums, doubt, jitter = _inner(integrand, nodes.ravel(), weights.ravel(), inner, strips.values.sum(axis=1), rtol)
        strips.add(low, high, sums.reshape(6, *nodes.shape) / np.maximum(rule.weights, 1e-3))
        doubts, noise = doubts + doubt, np.maximum(noise, jitter)
        totals = strips.values.sum(axis=1)
        goal = np.array([0.25 * rtol * totals[0], _MASS_GOAL, _MASS_GOAL]) + 1e-300
        # What a strip can show above the errors of its inner integrals and above rounding, relative to the goal.
        floor = strips.values[3:] + (doubts + noise)[:3, None] / len(strips.low) + 4e-16 * strips.values[:3]
        worst = np.max(np.where(strips.errors[:3] <= floor, 0.0, strips.errors[:3]) / goal[:, None], axis=0)
        order = np.argsort(worst)
        chosen = order[np.cumsum(worst[order]) > 0.5]
        if worst.sum() <= 1 or len(chosen) == 0 or len(strips.low) + len(chosen) > max_panels:
            break
        low, high = strips.split(chosen)
    return strips.values.sum(axis=1), strips.errors.sum(axis=1) + doubts, noise, len(strips.low)


def _inner(integrand: _Integrand, nodes: _F, weights: _F, cells: _F, so_far: _F, rtol: float) -> tuple[_F, _F, _F]:
    """Weighted inner integrals (6, n) at t_1 = nodes (n,), their summed errors and rounding errors (6,)."""
    n, log_weights = len(nodes), np.log(weights)
    which = np.repeat(np.arange(n, dtype=np.intp), len(cells) - 1)
    panels = Panels.of(which, np.tile(cells[:-1], n), np.tile(cells[1:], n))

    def integrands(which: NDArray[np.intp], t: _F) -> tuple[_F, _F]:
        logs = integrand(np.stack([nodes[which], t], axis=1)) + log_weights[which]
        return logs, np.spacing(np.abs(t)) + integrand.plane.rounding

    def allowed(totals: _F) -> _F:
        whole = np.maximum(totals[:3], so_far[:3])
        return _INNER * np.array([rtol * whole[0], _MASS_GOAL, _MASS_GOAL])

    found = integrate(integrands, panels, allowed, controlled=3, max_panels=_INNER_PANELS)
    sums = np.stack([np.bincount(found.panels.which, row, n).astype(np.float64) for row in found.values])
    # Rounding of t_1 moves the points as much as that of t_2 does.
    return sums, found.errors.sum(axis=1), 2 * found.noise.sum(axis=1)
