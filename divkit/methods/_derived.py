"""Estimates of increasing functions of an f-divergence, from estimates of the f-divergence itself."""

from __future__ import annotations

import math
from typing import Any, Final

from divkit.divergences import DerivedDivergence
from divkit.result import Estimate

__all__ = ["derived"]

_INTERVALS: Final = ("binned_interval", "critic_interval", "subsample_interval")


def derived(div: DerivedDivergence, base: Estimate) -> Estimate:
    """The estimate of ``div.transform(D)`` that an estimate of D = ``div.base`` implies.

    Value and interval go through the increasing transform after clipping to the range [f(1), upper] of D, which
    keeps the side of a one-sided bound. The standard error follows by the delta method and is None where the
    derivative is infinite, as for the Hellinger metric at 0: no linear error bar exists there.

    Parameters
    ----------
    div : DerivedDivergence
    base : Estimate
        Of ``div.base``.

    Returns
    -------
    Estimate
        Of the same method, bound, estimand and level; ``info`` gains ``base``, the value of D, and ``gap``, where
        present, becomes the half-width that the transformed interval implies; the intervals in it go through as well.
    """
    lowest, highest = div.base.f_one, div.base.upper

    def through(d: float) -> float:
        return float(div.transform(min(max(d, lowest), highest)))

    value = through(float(base))
    interval = None if base.interval is None else (through(base.interval[0]), through(base.interval[1]))
    info: dict[str, Any] = {**base.info, "base": float(base)}
    info |= {name: tuple(map(through, info[name])) for name in _INTERVALS if info.get(name) is not None}
    if "gap" in info and interval is not None:
        info["gap"] = 0.0 if math.isinf(value) else max(value - interval[0], interval[1] - value)
    return Estimate(
        value,
        divergence=div.name,
        method=base.method,
        bound=base.bound,
        estimand=base.estimand,
        stderr=_delta(div, base),
        interval=interval,
        level=base.level,
        info=info,
    )


def _delta(div: DerivedDivergence, base: Estimate) -> float | None:
    """|derivative| x stderr at the value, None where either is missing or infinite."""
    if base.stderr is None or not div.base.f_one <= base <= div.base.upper or math.isinf(base):
        return None
    slope = abs(float(div.derivative(float(base))))
    return slope * base.stderr if math.isfinite(slope) else None
