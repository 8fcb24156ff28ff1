"""The integrand of an f-divergence in logarithms, and how rounding of the log densities moves it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from divkit.divergences import FDivergence

__all__ = ["ROUNDING", "LogIntegrand", "log_difference"]

_F = NDArray[np.float64]
ROUNDING: Final = float(np.finfo(np.float64).eps)
_SWITCHES: Final = (600.0, 300.0, 150.0, 75.0, 40.0, 20.0)  # where the growth of a generator is measured


def log_difference(a: _F, b: _F) -> _F:
    """log |e^a - e^b|, elementwise, without overflow."""
    top, bottom = np.maximum(a, b), np.minimum(a, b)
    with np.errstate(all="ignore"):
        gap = np.where(top > bottom, top - bottom, 0.0)  # also 0 for two equal infinities
        return np.where(gap > 0, top + np.log(-np.expm1(-gap)), -np.inf)


class LogIntegrand:
    """log of q g(p/q), g the centred generator, as a function of log p and log q.

    With it D = f(1) + integral. Regions where one density is 0 are covered by the limits of g; where a generator
    overflows (|log p/q| beyond a few hundred) its logarithm is continued as a + k t + m log t, the growth of
    every combination of powers and logarithms.

    Parameters
    ----------
    div : FDivergence
    """

    def __init__(self, div: FDivergence) -> None:
        self._q_side: Callable[[_F], Any] = lambda t: div.integrand_q(-t)
        self._p_side: Callable[[_F], Any] = div.integrand_p
        self.at_zero, self.at_infinity = div.centred_limits

    def __call__(self, log_p: _F, log_q: _F) -> _F:
        """Log integrand (n,) at log densities (n,); -inf where both vanish, +inf where it is infinite."""
        with np.errstate(all="ignore"):
            l = np.where(log_p == log_q, 0.0, log_p - log_q)  # (n,); two infinities of one sign count as equal
            below = l <= 0
            out = np.empty_like(l)
            out[below] = log_q[below] + self._side(self._q_side, -l[below], self.at_zero, self._growth_q)
            above = ~below
            out[above] = log_p[above] + self._side(self._p_side, l[above], self.at_infinity, self._growth_p)
            both = np.maximum(log_p, log_q)
        return np.where(both == -np.inf, -np.inf, out)

    def sensitivity(self, log_p: _F, log_q: _F, log_value: _F, shift_p: _F, shift_q: _F) -> _F:
        """Log of the change of the integrand when the log densities move by at most their shifts, (n,) each."""
        moved_p = (log_difference(self(log_p + s, log_q), log_value) for s in (shift_p, -shift_p))
        moved_q = (log_difference(self(log_p, log_q + s), log_value) for s in (shift_q, -shift_q))
        return np.asarray(np.logaddexp(np.maximum(*moved_p), np.maximum(*moved_q)))

    @staticmethod
    def _side(
        function: Callable[[_F], Any], t: _F, limit: float, growth: Callable[[], tuple[float, float, float]]
    ) -> _F:
        value: _F = np.asarray(function(t), dtype=np.float64)
        log_value: _F = np.log(np.maximum(value, 0.0))
        lost = ~np.isfinite(value)
        if not lost.any():
            return log_value
        far = t[lost]
        if math.isfinite(limit):
            log_value[lost] = math.log(limit) if limit > 0 else -np.inf
        else:
            a, k, m = growth()
            log_value[lost] = np.where(np.isinf(far), np.inf, a + k * far + m * np.log(far))
        return log_value

    def _growth_q(self) -> tuple[float, float, float]:
        return self._q_growth

    def _growth_p(self) -> tuple[float, float, float]:
        return self._p_growth

    @cached_property
    def _q_growth(self) -> tuple[float, float, float]:
        return _growth(self._q_side)

    @cached_property
    def _p_growth(self) -> tuple[float, float, float]:
        return _growth(self._p_side)


def _growth(function: Callable[[_F], Any]) -> tuple[float, float, float]:
    """(a, k, m) with log function(t) = a + k t + m log t, through three points where it is still finite."""
    for switch in _SWITCHES:
        t = switch / np.array([1.0, 2.0, 4.0])
        values = np.log(np.maximum(np.asarray(function(t), dtype=np.float64), 0.0))
        if np.isfinite(values).all():
            break
    else:
        return math.inf, 0.0, 0.0
    k = 4 / switch * float(values[0] - 2 * values[1] + values[2])
    if abs(k) < 1e-10:  # rounding of values below 1e3, divided by the switch
        k = 0.0
    m = (float(values[0] - values[1]) - k * switch / 2) / math.log(2)
    return float(values[0]) - k * switch - m * math.log(switch), k, m
