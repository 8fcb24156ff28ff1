"""From what a parametric family offers (KL, power integrals) to the divergences of the catalogue."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from divkit import catalog
from divkit._generators import exp_excess
from divkit.divergences import FDivergence

__all__ = ["EPS", "Answer", "Forms", "Number", "answer", "power_excess"]

_F = NDArray[np.float64]
EPS = float(np.finfo(np.float64).eps)
_LARGEST_LOG = math.log(np.finfo(np.float64).max)


class Number(NamedTuple):
    """A value and a bound on its rounding error; (inf, inf) means finite but above the largest float."""

    value: float
    gap: float


Answer = Callable[[], Number]


@dataclass(frozen=True)
class Forms:
    """The closed forms of one pair of laws (P, Q).

    Parameters
    ----------
    kl, reverse_kl : callable
        KL(P || Q) and KL(Q || P).
    log_power : callable or None
        a to log of the integral of p^a q^(1-a), inf where it diverges, -inf where it is 0.
    total_variation : callable or None
    """

    kl: Answer
    reverse_kl: Answer
    log_power: Callable[[float], Number] | None = None
    total_variation: Answer | None = None


def answer(div: FDivergence, forms: Forms) -> Answer | str:
    """The closed form of a divergence, or the reason why there is none.

    Power divergences say what they are; the others are recognised by their generator, the function object itself:
    a user's own with the same name, or a multiple of a known one, is another divergence.
    """
    if div.f is catalog.KL.f:
        return forms.kl
    if div.f is catalog.REVERSE_KL.f:
        return forms.reverse_kl
    if div.f is catalog.JEFFREYS.f:
        return lambda: _sum(forms.kl(), forms.reverse_kl())
    if div.f is catalog.TOTAL_VARIATION.f:
        return forms.total_variation or "no formula for the total variation of these two laws"
    if div.power is None:
        return f"no formula for {div.name} in this family"
    order, factor = div.power
    log_power = forms.log_power
    if log_power is None:
        return f"no formula for {div.name} between these two laws"
    return lambda: _power_divergence(log_power(order), factor)


def _sum(first: Number, second: Number) -> Number:
    return Number(first.value + second.value, first.gap + second.gap)


def _power_divergence(log_power: Number, factor: float) -> Number:
    if log_power.value == math.inf:
        return log_power
    if log_power.value == -math.inf:  # below any float: the laws have next to nothing in common
        return Number(-factor, 4 * EPS * abs(factor))
    top = log_power.value + math.log(abs(factor))
    if top >= _LARGEST_LOG:
        return Number(math.inf, math.inf)
    large = log_power.value > 40  # where exp(log_power) may overflow and its product with a small factor not
    value = math.exp(top) if large else factor * math.expm1(log_power.value)
    integral = value if large else abs(factor) * math.exp(log_power.value)
    grown = integral * math.expm1(log_power.gap) if log_power.gap < 1 else math.inf
    return Number(max(value, 0.0) + 0.0, grown + 4 * EPS * abs(value) * (1 + max(top, 0.0)))


def power_excess(a: float, x: _F) -> tuple[_F, _F]:
    """log(a e^x + 1 - a) - a x, elementwise, with a bound on its rounding error.

    inf where the argument of the logarithm is not positive. Accurate near x = 0, where it is a (1 - a) x^2 / 2, and
    near a = 0 and 1: log(1 + a E((1-a) x) + (1-a) E(-a x)) with E(z) = e^z - 1 - z, the linear terms cancelled on
    paper. Far out, where that overflows or comes near log 0, the definition.
    """
    x = np.asarray(x, dtype=np.float64)
    with np.errstate(all="ignore"):
        first, second = a * exp_excess((1 - a) * x), (1 - a) * exp_excess(-a * x)
        inner = first + second
        size = np.abs(x)
        scaled = np.where(x > 0, a + (1 - a) * np.exp(-size), 1 + a * np.expm1(-size))  # argument / e^max(x, 0)
        far = np.log(scaled) + np.where(x > 0, (1 - a) * x, -a * x)
        near = np.isfinite(inner) & (inner > -0.5)
        value = np.where(near, np.log1p(inner), np.where(scaled > 0, far, np.inf))
        lost = (abs(a) + abs(1 - a)) / scaled
        error = np.where(near, (np.abs(first) + np.abs(second)) / (1 + inner), (1 + abs(a)) * size + lost)
    return value, np.where(np.isinf(value), 0.0, 4 * EPS * (error + np.abs(value)))
