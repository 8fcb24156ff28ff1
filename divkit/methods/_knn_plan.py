"""Which nearest-neighbour estimate serves which f-divergence, and with how many neighbours."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from divkit.catalog import JEFFREYS, KL, REVERSE_KL
from divkit.divergences import FDivergence
from divkit.methods._knn_law import law_reading
from divkit.methods._knn_local import Reading, kl_reading, least_k, power_reading
from divkit.methods._knn_pooled import pooled_reading

__all__ = ["LAW_PLAN", "Plan", "plan_for"]

_F = NDArray[np.float64]
_LOCAL: Final = 3
_ROOTS: Final = 10
_POOLED: Final = 3.0  # times the cube root of the sample size


@dataclass(frozen=True)
class Plan:
    """How to read a divergence off samples.

    Attributes
    ----------
    read : callable
        Samples and k to `Reading`.
    neighbours : callable
        The number of neighbours for a sample size and dimension.
    least : int
        Fewer neighbours give an infinite variance.
    """

    read: Callable[..., Reading]
    neighbours: Callable[[int, int], int]
    least: int = 1


def plan_for(div: FDivergence) -> Plan | None:
    """The estimate for this divergence, None if there is none."""
    if div.f is KL.f:
        return Plan(kl_reading, _few)
    if div.f is REVERSE_KL.f:
        return Plan(_reverse_kl, _few)
    if div.f is JEFFREYS.f:
        return Plan(_jeffreys, _few)
    if div.power is not None:
        a, c = div.power
        least = least_k(a)
        return Plan(lambda x, y, k: power_reading(x, y, k, a, c), lambda size, d: _powers(a), least)
    if math.isfinite(div.upper):
        return Plan(lambda x, y, k: pooled_reading(div, x, y, k), _many)
    return None


def _few(size: int, d: int) -> int:
    return _LOCAL


def _powers(a: float) -> int:
    """Ten where the ratio enters by a root; twice what a finite variance needs where more would flatten the peaks."""
    return _ROOTS if min(abs(a), abs(a - 1)) <= 0.5 else 2 * least_k(a)


def _many(size: int, d: int) -> int:
    return max(1, round(float(_POOLED * size ** (1 / 3))))


def _reverse_kl(x: _F, y: _F, k: int) -> Reading:
    return kl_reading(y, x, k)


def _jeffreys(x: _F, y: _F, k: int) -> Reading:
    ahead, back = kl_reading(x, y, k), kl_reading(y, x, k)
    return Reading(ahead.value + back.value, ahead.logs + back.logs, ahead.separate or back.separate)


LAW_PLAN: Final = Plan(law_reading, _few)
