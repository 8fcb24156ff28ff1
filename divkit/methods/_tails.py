"""What a logarithmic branch of a 1-D integral does at its end: dies, goes on as a power law, or diverges."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from divkit._errors import NotConverged
from divkit.methods._adaptive import Panels
from divkit.methods._chart import Chart, Infinite

__all__ = ["extension_doubt", "reach", "scan", "trusted", "underflow_message", "underflown"]

_F = NDArray[np.float64]
_STEP: Final = 0.25  # of the scan along a branch, in s
_NEGLIGIBLE: Final = 46.0  # e^-46 = 1e-20 of the largest integrand
_OVERFLOW: Final = 709.0
_SHARP: Final = 14.0  # e^-14 = 1e-6: slopes are measured where noise is below that
_LAST_LOG: Final = -1e280  # no density of a bounded support gets here; those whose logarithm overflows do
_LEVEL: Final = 1e-6  # a log-log slope below this is taken for a constant


def underflown(before: _F, at: _F) -> bool:
    """Whether a log density jumps to -inf from far below: lost to underflow or overflow, while the density is not 0."""
    return bool(np.any((at == -np.inf) & (before < -350)))


def scan(chart: Chart, branch: int, start: float, inward: bool) -> tuple[_F, _F]:
    """s from the start to the trusted end (n,) and the log integrands there (m, n).

    The scan ends early where a density underflows although its logarithm is needed.

    Raises
    ------
    Infinite
        If the integrand overflows.
    """
    end = chart.low[branch] if inward else chart.high[branch]
    count = max(int(abs(end - start) / _STEP), 2)
    s = np.linspace(start, end, count)
    which = np.full(count, branch, dtype=np.intp)
    h, jacobian, _ = chart.raw(which, s)
    logs = chart.problem.combine(h, jacobian)
    over = np.flatnonzero((logs[0] > _OVERFLOW) & trusted(chart, logs))
    if len(over) == 0:
        return s, logs
    first = int(over[0])
    if first > 0 and underflown(h[:, first - 1], h[:, first]):
        return s[:first], logs[:, :first]
    raise Infinite(chart.place(branch, inward))


def trusted(chart: Chart, logs: _F, margin: float = 5.0) -> NDArray[np.bool_]:
    """Where noise is below e^-margin of the first integrand: cancellation in log p - log q leaves more far out."""
    with np.errstate(invalid="ignore"):
        return np.asarray(~(logs[chart.problem.controlled] > logs[0] - margin))


def reach(chart: Chart, branch: int, s: _F, logs: _F, reference: _F, inward: bool) -> tuple[float, float | None]:
    """How far to integrate: the last s that matters inside the trusted range, and beyond it if need be.

    Raises
    ------
    Infinite
        If the power law at the end is not integrable.
    NotConverged
        If it cannot be told whether it is.
    """
    count, end = chart.problem.controlled, chart.low[branch] if inward else chart.high[branch]
    threshold = reference - _NEGLIGIBLE  # (c,)
    matters = logs[:count] > threshold[:, None]  # (c, n)
    cliff = _overflown(logs, matters[0])
    if cliff:
        _extrapolate(chart, branch, s[:cliff], logs[0, :cliff], inward)
        matters[0, cliff:] = False
        return float(s[cliff - 1]), None
    if s[-1] == end:
        _decide(chart, branch, matters[:, -1] & ([False] + [True] * (count - 1)), inward)
    sound = np.flatnonzero(matters[0] & trusted(chart, logs))
    first = int(sound[-1]) + 1 if len(sound) else 0
    noisy = 0 < first < len(s) and bool(matters[0, first])
    if noisy or (first == len(s) and (s[-1] != end or not _is_power_law(chart, branch, inward))):
        first = int(np.flatnonzero(trusted(chart, logs[:, :first], _SHARP))[-1]) + 1 if noisy else first
        _extrapolate(chart, branch, s[:first], logs[0, :first], inward)
        matters[0, first - (not noisy) :] = False
        if s[-1] != end:
            raise NotConverged(underflow_message(chart))
    last = int(np.flatnonzero(matters.any(axis=0))[-1]) if matters.any() else 0
    if last < len(s) - 3:
        return float(s[last if noisy else last + 2]), None
    if not matters[:, -1].any():
        return end, None
    _decide(chart, branch, matters[:, -1], inward)
    direction, distance = -1.0 if inward else 1.0, 1.0
    for _ in range(60):
        far = chart(np.array([branch]), np.array([end + direction * distance]))[0]
        if not (far[:count, 0] > threshold).any():
            break
        distance *= 1.5
    return float(s[-1]), float(end + direction * distance)


def _overflown(logs: _F, matters: NDArray[np.bool_]) -> int:
    """Where a log density overflows to -inf while the first integrand still matters; 0 if nowhere."""
    lowest = np.where(np.isfinite(logs[1:, :-1]), logs[1:, :-1], 0.0).min(axis=0)  # a density that is 0 overflows not
    falls = matters[:-1] & (logs[0, 1:] == -np.inf) & (lowest < _LAST_LOG)
    at = np.flatnonzero(falls)
    return int(at[0]) + 1 if len(at) else 0


def _is_power_law(chart: Chart, branch: int, inward: bool) -> bool:
    """Whether the continuation in s is one: the slopes at the end no longer change."""
    return bool(np.all((chart.doubt_low if inward else chart.doubt_high)[branch] < 0.01))


def _extrapolate(chart: Chart, branch: int, s: _F, logs: _F, inward: bool) -> None:
    """Add what lies beyond the last point that rounding leaves meaningful, as a power law through it."""
    if len(s) < 17:
        if s[-1] != (chart.low if inward else chart.high)[branch]:
            raise NotConverged(underflow_message(chart))
        raise NotConverged(
            f"{chart.problem.subject}: rounding hides how the integrand ends {chart.place(branch, inward)}"
        )
    slopes = (logs[[-1, -9]] - logs[[-9, -17]]) / np.abs(s[[-1, -9]] - s[[-9, -17]])
    change = abs(float(slopes[0] - slopes[1]))
    if slopes.min() > -_LEVEL:
        raise Infinite(chart.place(branch, inward))
    if slopes[0] > -2 * change - _LEVEL:
        raise NotConverged(_undecided(chart, branch, inward, float(slopes[0]), change))
    rest = math.exp(float(logs[-1])) / -float(slopes[0])
    chart.rest += rest
    chart.rest_doubt += rest * min(1.0, 4 * change / -float(slopes[0]))


def underflow_message(chart: Chart) -> str:
    """What to say where a density underflows although its logarithm matters."""
    return (
        f"{chart.problem.subject} needs log densities below -745, where this law's log density is the "
        f"logarithm of an underflown density; give a log_density that is computed in logarithms"
    )


def _undecided(chart: Chart, branch: int, inward: bool, slope: float, doubt: float) -> str:
    return (
        f"{chart.problem.subject}: the integrand {chart.place(branch, inward)} changes so slowly (like "
        f"distance^{(-slope if inward else slope) - 1:.4g}, the exponent uncertain by {doubt:.1g}) that it "
        f"cannot be told whether the integral is finite"
    )


def _decide(chart: Chart, branch: int, alive: NDArray[np.bool_], inward: bool) -> None:
    """Raise unless every integrand that matters decays at the end of the branch."""
    decay, doubts = growth(chart, branch, inward)
    for k in reversed(np.flatnonzero(alive & (decay[: len(alive)] > -np.maximum(_LEVEL, 2 * doubts[: len(alive)])))):
        doubt = float(doubts[k])
        if decay[k] < 2 * doubt and doubt > _LEVEL:
            raise NotConverged(
                _undecided(chart, branch, inward, float(decay[k]), doubt),
                {"slope": float(decay[k]), "uncertainty": doubt},
            )
        if k == 0:
            raise Infinite(chart.place(branch, inward))
        raise NotConverged(
            f"a density does not integrate to 1: {chart.place(branch, inward)} it falls no faster than "
            f"1/distance; check that log_density is normalised",
            {"slope": float(decay[k]), "density": int(k)},
        )


def growth(chart: Chart, branch: int, inward: bool) -> tuple[_F, _F]:
    """Rate in |s| at which the log integrands grow far beyond the end, and its uncertainty, (m,) each.

    Far means 1e9 in s, where factors that are powers of a logarithm no longer count.
    """
    end, direction = (chart.low[branch], -1.0) if inward else (chart.high[branch], 1.0)
    doubts = (chart.doubt_low if inward else chart.doubt_high)[branch]
    s = end + direction * np.array([1e9, 2e9])
    h, jacobian, _ = chart.raw(np.full(2, branch, dtype=np.intp), s)

    def rate(logs: _F) -> _F:
        combined = chart.problem.combine(logs, jacobian)
        with np.errstate(all="ignore"):
            return np.nan_to_num((combined[:, 1] - combined[:, 0]) / 1e9, nan=-np.inf)

    base = rate(h)
    moved = np.zeros_like(base)
    for j, doubt in enumerate(doubts):
        shifted = h.copy()
        with np.errstate(all="ignore"):
            shifted[j] += doubt * (s - end)
            moved = np.fmax(moved, np.abs(rate(shifted) - base))
    return base, moved


def extension_doubt(chart: Chart, panels: Panels, values: _F) -> float:
    """What the continued part of the first integral may be wrong by."""
    total = chart.rest_doubt
    middle = panels.low / 2 + panels.high / 2
    for branch in range(1, len(chart.centre)):
        for inward in (True, False):
            mine = panels.which == branch
            mine &= (middle < chart.low[branch]) if inward else (middle > chart.high[branch])
            if mine.any():
                decay, doubt = growth(chart, branch, inward)
                share = 4 * float(doubt[0]) / max(abs(float(decay[0])), 1e-300)
                total += float(values[0, mine].sum()) * min(1.0, share)
    return total
