"""Coordinates for 1-D integrals: the line itself, and logarithmic ones towards singular points and infinity.

Branch 0 is x = s. Every other branch is x = centre + sign e^s. Where e^s falls below the floating-point resolution
at the centre, or beyond the range of floats, logarithms of densities are continued linearly in s: as power laws,
which is what they are at the end of a support unless they decay or grow faster and are decided before.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Chart", "Infinite", "Pole", "Problem"]

_F = NDArray[np.float64]
_I = NDArray[np.intp]
_LOG2: Final = math.log(2.0)
_EDGE_BITS: Final = 40  # distances below 2^-40 |centre| have lost 12 bits to rounding
_DECADES: Final = 345.0  # e^345 = 1e150: squares of larger ratios overflow inside density formulas


class Infinite(Exception):
    """A result, not an error: the integral diverges; the argument says where."""


class Pole(Exception):
    """A finding, not an error: the integrand is infinite at one isolated point."""

    def __init__(self, x: float) -> None:
        super().__init__(x)
        self.x = x


@dataclass(frozen=True)
class Problem:
    """What is integrated.

    Parameters
    ----------
    logs : callable
        Branches and points (n,) to the k logarithms (k, n) that are continued as power laws.
    combine : callable
        Those and the log Jacobian (n,) to the log integrands (m, n), the quantity of interest first.
    channels : int
        k.
    controlled : int
        How many of the integrands, c, steer the refinement; the next c are their rounding errors.
    subject : str
        For messages: what diverges.
    """

    logs: Callable[[_I, _F], _F]
    combine: Callable[[_F, _F], _F]
    channels: int
    controlled: int
    subject: str


@dataclass
class Chart:
    """Branches with their ranges of s, slopes at both ends, and what those leave in doubt."""

    problem: Problem
    centre: list[float] = field(default_factory=lambda: [0.0])
    sign: list[float] = field(default_factory=lambda: [0.0])
    low: list[float] = field(default_factory=lambda: [-np.inf])
    high: list[float] = field(default_factory=lambda: [np.inf])
    offset: list[float] = field(default_factory=lambda: [0.0])
    inner: list[bool] = field(default_factory=lambda: [False])
    slope_low: list[_F] = field(default_factory=list)
    slope_high: list[_F] = field(default_factory=list)
    doubt_low: list[_F] = field(default_factory=list)
    doubt_high: list[_F] = field(default_factory=list)
    rest: float = 0.0
    rest_doubt: float = 0.0

    def __post_init__(self) -> None:
        zero = self._zero = np.zeros(self.problem.channels)
        for slopes in (self.slope_low, self.slope_high, self.doubt_low, self.doubt_high):
            slopes.append(zero)

    def inward(self, centre: float, sign: float, start: float, deepest: float = -690.0) -> int | None:
        """A branch from e^start at the centre down to it; None where floats do not resolve one.

        Around a centre other than 0 it is trusted down to 2^-40 of it, around 0 down to e^deepest.
        """
        bits = math.frexp(centre)[1] - 1
        low = (bits - _EDGE_BITS) * _LOG2 if centre else deepest
        if low > start - 8.0:
            return None
        if centre:
            steps = [(bits - b, bits - b + 3) for b in range(48, 26, -3)]
            pairs = [(a * _LOG2, b * _LOG2) for a, b in steps if b * _LOG2 < start]
        else:
            width = min(10.0, (start - low) / 4)
            pairs = [(low + j * width, low + (j + 1) * width) for j in range(3)]
        return self._add(centre, sign, low, start, pairs, inward=True)

    def outward(self, centre: float, sign: float, start: float) -> int:
        """A branch from e^start away from the centre to infinity."""
        high = max(min(680.0, start + _DECADES), min(708.0, start + 20.0), start + 0.1)
        width = min(10.0, (high - start) / 4)
        pairs = [(high - j * width, high - (j + 1) * width) for j in range(3)]
        return self._add(centre, sign, start, high, pairs, inward=False)

    def _add(
        self, centre: float, sign: float, low: float, high: float, pairs: list[tuple[float, float]], inward: bool
    ) -> int:
        branch = len(self.centre)
        self.centre.append(centre)
        self.sign.append(sign)
        self.low.append(low)
        self.high.append(high)
        self.offset.append(0.0)
        self.inner.append(inward)
        slope, doubt = self._slopes(branch, pairs)
        # Essential singularities such as exp(-1/x) are no power laws; there is nothing to correct rounding with.
        self.slope_low.append(np.where(doubt < 0.5, slope, 0.0) if inward else self._zero)
        self.slope_high.append(self._zero if inward else slope)
        self.doubt_low.append(doubt if inward else self._zero)
        self.doubt_high.append(self._zero if inward else doubt)
        return branch

    def _slopes(self, branch: int, pairs: list[tuple[float, float]]) -> tuple[_F, _F]:
        """d logs / ds at an end of a branch, and how uncertain it is, (k,) each.

        Of the stretches, deepest first, the one that agrees best with the next shallower one. If the deepest ones
        disagree at a finite centre, the singular point itself is rounded; `offset` keeps by how much.
        """
        s = np.array(pairs)  # (j, 2)
        if len(s) == 0:
            return self._zero, self._zero
        x = self.centre[branch] + self.sign[branch] * np.exp(s)
        h = self.problem.logs(np.full(x.size, branch, dtype=np.intp), x.ravel()).reshape(-1, *s.shape)
        width = s[:, 0] - s[:, 1]
        with np.errstate(all="ignore"):
            slopes = np.nan_to_num((h[..., 0] - h[..., 1]) / width, nan=0.0, posinf=0.0, neginf=0.0)
            rounding = np.where(np.isfinite(h), 4.4e-16 * np.abs(h), 0.0).max(axis=2) / np.abs(width)
        if len(s) == 1:
            return slopes[:, 0], np.abs(slopes[:, 0])
        change = np.abs(np.diff(slopes, axis=1)) + rounding[:, 1:]  # (k, j - 1)
        best = int(np.argmin(change.sum(axis=0)))
        if self.inner[branch] and self.centre[branch] != 0:
            miss = np.abs(slopes[:, 0] - slopes[:, best]) / np.maximum(np.abs(slopes[:, best]), 0.1)
            self.offset[branch] = float(miss.max()) * math.exp(float(s[0].max()))
        return slopes[:, best], change[:, best]

    def __call__(self, which: _I, s: _F) -> tuple[_F, _F]:
        """Log integrands (m, n) with the Jacobian, and the rounding of s (n,)."""
        return self.problem.combine(*self.raw(which, s)[:2]), self.raw_rounding(which, s)

    def raw(self, which: _I, s: _F) -> tuple[_F, _F, _F]:
        """The k logarithms (k, n), continued where needed, the log Jacobian (n,) and x (n,)."""
        centre, sign = np.array(self.centre)[which], np.array(self.sign)[which]
        low, high = np.array(self.low)[which], np.array(self.high)[which]
        curved = which > 0
        inner = np.clip(s, low, high)
        with np.errstate(all="ignore"):
            x = np.where(curved, centre + sign * np.exp(np.where(curved, inner, 0.0)), s)
            h = self.problem.logs(which, x)
            # x is rounded, so its distance from the centre is not quite e^s; the power law makes up for it.
            short = curved & (inner < np.log(np.abs(centre)) - 20 * _LOG2) | (s < low)
            miss = np.where(short, s - np.log(np.abs(x - centre)), 0.0)
            beyond = np.where(s > high, s - high, 0.0)
            change = np.array(self.slope_low).T[:, which] * np.where(np.isfinite(miss), miss, 0.0)
            h = h + change + np.array(self.slope_high).T[:, which] * beyond
        return h, np.where(curved, s, 0.0), x

    def raw_rounding(self, which: _I, s: _F) -> _F:
        """How far rounding of x moves s."""
        centre = np.abs(np.array(self.centre)[which])
        curved = which > 0
        with np.errstate(all="ignore"):
            scale = np.exp(np.clip(s, np.maximum(np.array(self.low)[which], -700), 700))
            offset = np.array(self.offset)[which] / scale
            deep = np.array(self.inner)[which] & (scale < 2.0**-20 * centre)
            moved = np.where(deep, offset, 2.3e-16 * (centre / scale + 1))
        return np.where(curved, moved, np.spacing(np.abs(s)))

    def place(self, branch: int, inward: bool) -> str:
        """Where a branch leads, in words."""
        if inward:
            return f"at x = {self.centre[branch]:g}"
        return f"for x to {'' if self.sign[branch] > 0 else '-'}inf"
