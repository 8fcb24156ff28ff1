"""A 1-D integral from mesh to number: panels, tails, singular points, and the search for what was missed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from divkit._errors import NotConverged
from divkit.methods._adaptive import NODES, Integral, Panels, integrate
from divkit.methods._chart import Chart, Infinite, Pole, Problem
from divkit.methods._tails import extension_doubt, reach, scan, trusted, underflow_message, underflown

__all__ = ["Line", "integral", "trimmed"]

_F = NDArray[np.float64]
_ROUNDS: Final = 12  # singular points found one after the other before giving up
_SHALLOW: Final = 30  # halvings after which a panel is suspected of a singular point


@dataclass(frozen=True)
class Line:
    """The domain of a 1-D integral.

    Parameters
    ----------
    mesh : ndarray, shape (n,)
        Increasing points that resolve the integrand; the ends of the domain where they are finite.
    anchors : ndarray
        The mesh points at which the integrand may be singular: ends of supports, and points found on the way.
    low, high : float
        Ends of the domain.
    """

    mesh: _F
    anchors: _F
    low: float
    high: float


def integral(
    problem: Problem, line: Line, allowed: Callable[[_F], _F], max_panels: int
) -> tuple[Integral, float, float]:
    """The integrals over a line, what was added to the first one by power laws, and what they leave in doubt.

    Raises
    ------
    Infinite
        If the first integral diverges.
    NotConverged
        If it cannot be computed to the allowed error.
    """
    anchors = line.anchors
    for turn in range(_ROUNDS):
        chart = Chart(problem)
        try:
            mesh = np.union1d(_uncrowded(line.mesh, anchors), anchors)
            panels = _panels(chart, Line(mesh, anchors, line.low, line.high))
            depth = _SHALLOW if turn < _ROUNDS - 2 else 56
            found = integrate(
                _checked(chart), panels, allowed, controlled=problem.controlled, max_panels=max_panels, max_depth=depth
            )
        except Pole as pole:
            new = [pole.x]
        else:
            new = [] if found.converged else _singular_points(chart, found)
            if not new or turn == _ROUNDS - 1:
                return found, chart.rest, extension_doubt(chart, found.panels, found.values)
        if np.isin(new, anchors).all():
            depth = 56
            found = integrate(
                _checked(chart), panels, allowed, controlled=problem.controlled, max_panels=max_panels, max_depth=depth
            )
            return found, chart.rest, extension_doubt(chart, found.panels, found.values)
        anchors = np.union1d(anchors, new)
    raise NotConverged(f"{problem.subject}: the integrand is infinite at {_ROUNDS} points or more, last at {new[0]:g}")


def _uncrowded(mesh: _F, anchors: _F) -> _F:
    """The mesh without points that a branch towards an anchor covers better.

    Those so close to it that floats do not resolve what lies between, and those behind which cells of constant ratio
    begin only later.
    """
    for anchor in anchors:
        radius = 2.0**-28 * abs(anchor) if anchor else 1e-295
        crowded = np.abs(mesh - anchor) < radius
        if anchor == 0 or crowded.sum() < len(mesh) / 2:  # else the law itself lives on this scale
            mesh = mesh[~crowded]
        for sign in (-1.0, 1.0):
            distance = np.sort(sign * (mesh - anchor)[sign * (mesh - anchor) > 0])
            leading = distance[:-1][np.minimum.accumulate(distance[1:] > 4 * distance[:-1])]
            mesh = mesh[~np.isin(sign * (mesh - anchor), leading)]
    return mesh


def _checked(chart: Chart) -> Callable[[NDArray[np.intp], _F], tuple[_F, _F]]:
    """The chart's integrands, with infinite values sorted into single poles and divergence."""

    def integrands(which: NDArray[np.intp], s: _F) -> tuple[_F, _F]:
        logs, rounding = chart(which, s)
        bad = np.asarray(
            ~(logs[: chart.problem.controlled] < np.inf).all(axis=0)
        )  # NaN included: two infinite densities
        if bad.any():
            _report(chart, which, s, bad)
        return logs, rounding

    return integrands


def _report(chart: Chart, which: NDArray[np.intp], s: _F, bad: NDArray[np.bool_]) -> None:
    """Raise `Infinite` where neighbouring nodes are infinite, `Pole` for a lone one."""
    h, _, x = chart.raw(which, s)
    rows = bad.reshape(-1, NODES)
    runs = rows & (np.roll(rows, 1, axis=1) | np.roll(rows, -1, axis=1))
    if runs.any():
        panel = int(np.flatnonzero(runs.any(axis=1))[0])
        near = h.reshape(len(h), -1, NODES)[:, panel]
        if any(underflown(near[:, i], near[:, j]) for i in range(NODES) for j in (i - 1, i + 1) if 0 <= j < NODES):
            raise NotConverged(underflow_message(chart))
        raise Infinite(f"around x = {x.reshape(-1, NODES)[panel][runs[panel]][0]:g}")
    raise Pole(float(x[bad][0]))


def _panels(chart: Chart, line: Line) -> Panels:
    """Where to start: linear cells inside, logarithmic branches at anchors and towards infinity."""
    mesh = line.mesh
    pieces: list[tuple[int, float, float]] = []  # branch, low, high
    rays: list[tuple[int, float, bool]] = []  # branch, start, inward
    singular = set(line.anchors.tolist())
    for a, b in zip(mesh[:-1].tolist(), mesh[1:].tolist(), strict=True):
        ends = [(a, 1.0)] * (a in singular) + [(b, -1.0)] * (b in singular)
        width = (b - a) / max(len(ends), 1)
        inner = [a, b]
        for centre, sign in ends:
            branch = chart.inward(centre, sign, math.log(width)) if width > 0 else None
            if branch is not None:
                rays.append((branch, math.log(width), True))
                inner[0 if sign > 0 else 1] = centre + sign * width
        if len(ends) == 1 and inner != [a, b]:
            continue
        if inner[1] > inner[0] and not (len(ends) == 2 and inner[0] != a and inner[1] != b):
            pieces.append((0, inner[0], inner[1]))
    for infinite, sign, end, step in (
        (line.high == math.inf, 1.0, mesh[-1], mesh[-1] - mesh[-2]),
        (line.low == -math.inf, -1.0, mesh[0], mesh[1] - mesh[0]),
    ):
        if infinite:
            start = math.log(step)
            rays.append((chart.outward(float(end - sign * step), sign, start), start, False))
    return trimmed(chart, pieces, rays)


def trimmed(chart: Chart, pieces: list[tuple[int, float, float]], rays: list[tuple[int, float, bool]]) -> Panels:
    """Panels of the pieces and of what matters of the rays."""
    tops: list[_F] = []
    scans = [scan(chart, branch, start, inward) for branch, start, inward in rays]
    for _, logs in scans:
        tops.append(np.max(logs, axis=1))
        tops[-1][0] = np.max(logs[0], where=trusted(chart, logs), initial=-np.inf)
    if pieces:
        low, high = (np.array([piece[i] for piece in pieces]) for i in (1, 2))
        middle = chart(np.zeros(len(low), dtype=np.intp), low / 2 + high / 2)[0]
        tops.append(np.max(np.where(middle < np.inf, middle, -np.inf) + np.log(high - low), axis=1))
    count = chart.problem.controlled
    reference = np.max(np.array(tops), axis=0)[:count]
    for (branch, start, inward), (s, logs) in zip(rays, scans, strict=True):
        end, beyond = reach(chart, branch, s, logs, reference, inward)
        stops = np.linspace(start, end, max(int(abs(end - start)), 1) + 1)
        if beyond is not None:
            stops = np.concatenate([stops, end + np.sign(beyond - end) * np.geomspace(1.0, abs(beyond - end), 12)])
            stops = np.unique(stops)
        stops = np.sort(stops)
        pieces.extend((branch, a, b) for a, b in zip(stops[:-1].tolist(), stops[1:].tolist(), strict=True) if b > a)
    which = np.array([piece[0] for piece in pieces], dtype=np.intp)
    return Panels.of(which, *(np.array([piece[i] for piece in pieces]) for i in (1, 2)))


def _singular_points(chart: Chart, found: Integral) -> list[float]:
    """The places inside panels of branch 0 that refinement did not resolve, one a cluster, to the last bit."""
    stuck = np.flatnonzero(found.stuck & (found.panels.which == 0))
    points: list[float] = []
    for i in stuck[np.argsort(found.panels.low[stuck])]:
        a, b = float(found.panels.low[i]), float(found.panels.high[i])
        if points and abs(points[-1] - (a + b) / 2) <= 4 * (b - a):
            continue
        points.append(_steepest(chart, a - (b - a), b + (b - a)))
    return points[:8]


def _steepest(chart: Chart, a: float, b: float) -> float:
    """Where the log integrand changes most between neighbouring floats of [a, b]: its pole, zero or jump."""
    if a <= 0 <= b:
        return 0.0
    for _ in range(40):
        x = np.unique(np.linspace(a, b, 17))
        if len(x) < 5:
            break
        logs = np.nan_to_num(chart(np.zeros(len(x), dtype=np.intp), x)[0][: chart.problem.controlled], neginf=-1e6)
        steps = np.abs(np.diff(np.clip(logs, -1e6, 1e6), axis=1)).max(axis=0)
        at = int(np.argmax(steps))
        # One cell more on both sides: a pole in the middle of a cell raises both of its ends alike.
        a, b = float(x[max(at - 1, 0)]), float(x[min(at + 2, len(x) - 1)])
    logs = np.nan_to_num(chart(np.zeros(len(x), dtype=np.intp), x)[0][0], nan=1e6, posinf=1e6, neginf=-1e6)
    return float(x[np.argmax(np.abs(logs))])
