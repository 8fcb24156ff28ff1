"""What `FDivergence.check` looks for: each check yields a sentence a user can act on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from divkit.divergences import FDivergence

__all__ = ["problems"]

_U = np.concatenate([np.logspace(-6, 6, 241), np.linspace(0.5, 2.0, 61)])
_L = np.linspace(-200.0, 200.0, 161)
_NEAR = 1e-6  # relative: a central difference with step 1e-5 errs by about 1e-10, its rounding by 1e-11


def problems(div: FDivergence) -> list[str]:
    """Every finding, in sentences; checks that raise are findings too."""
    found: list[str] = []
    for check in (_value_at_one, _convexity, _derivative, _limits, _integrands, _fenchel_young, _terms, _power):
        try:
            with np.errstate(all="ignore"):
                found.extend(check(div))
        except Exception as error:  # a user's function may raise anything: that is the finding
            found.append(f"{check.__name__.strip('_').replace('_', ' ')} could not be checked: {error!r}")
    return found


def _far(a: Any, b: Any, scale: Any = 0.0) -> Any:
    """Where a and b differ by more than the tolerance relative to their own size or the scale."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    both_infinite = np.isinf(a) & (a == b)
    return ~(both_infinite | (np.abs(a - b) <= _NEAR * (1e-3 + np.abs(a) + np.abs(b) + np.abs(scale))))


def _first(u: Any, bad: Any) -> float:
    return float(np.asarray(u)[np.asarray(bad)][0])


def _value_at_one(div: FDivergence) -> Iterator[str]:
    if abs(div.f_one) > 1e-12:
        yield f"f(1) is {div.f_one:.6g}, not 0: D(P, P) will be {div.f_one:.6g}; subtract it from f"


def _convexity(div: FDivergence) -> Iterator[str]:
    u = np.sort(_U)
    slope = np.asarray(div.df(u), dtype=np.float64)
    if not np.isfinite(slope).all():
        yield f"df is not finite at u = {_first(u, ~np.isfinite(slope)):.6g}"
        return
    fall = np.diff(slope) < -_NEAR * (1e-3 + np.abs(slope[:-1]))
    if fall.any():
        yield f"f is not convex: df decreases after u = {_first(u[:-1], fall):.6g}"


def _derivative(div: FDivergence) -> Iterator[str]:
    u = _U[np.abs(_U - 1) > 1e-3]  # a kink at 1 is legitimate
    h = 1e-5 * u
    difference = (div.f(u + h) - div.f(u - h)) / (2 * h)
    noise = np.abs(div.f(u)) * 1e-4 / u  # rounding of f over the step, made relative to _NEAR
    bad = _far(difference, div.df(u), noise)
    if bad.any():
        at = _first(u, bad)
        slopes = f"it is {float(div.df(np.float64(at))):.6g}, but f has slope {float(difference[bad][0]):.6g}"
        yield f"df is not the derivative of f: at u = {at:.6g} {slopes}"


def _limits(div: FDivergence) -> Iterator[str]:
    """f(u) must approach f_zero, and f(u)/u slope_inf, at least logarithmically in u."""
    small, large = np.logspace(-140, -20, 25), np.logspace(20, 140, 25)
    for label, path, limit in (
        ("f_zero", np.asarray(div.f(small), dtype=np.float64)[::-1], div.f_zero),
        ("slope_inf", np.asarray(div.f(large) / large, dtype=np.float64), div.slope_inf),
    ):
        end, start = float(path[-1]), float(path[0])
        if math.isinf(limit):
            ok = end > start + 1e-6 * abs(start) or end == limit
        else:
            ok = abs(end - limit) <= 1e-2 * (1 + abs(limit)) and abs(end - limit) <= abs(start - limit) + 1e-9
        if not ok:
            what = "f(u) for u to 0" if label == "f_zero" else "f(u)/u for u to infinity"
            yield f"{label} is {limit:.6g}, but {what} tends to {end:.6g}"


def _integrands(div: FDivergence) -> Iterator[str]:
    q, p = np.asarray(div.integrand_q(_L)), np.asarray(div.integrand_p(_L))
    for label, values, side in (("integrand_q", q, _L <= 0), ("integrand_p", p, _L >= 0)):
        bad = ~np.isfinite(values) & side
        if bad.any():
            yield f"{label} is not finite at l = {_first(_L, bad):.6g}; write it in the log ratio without overflow"
        if (values[side & ~bad] < 0).any():
            at = _first(_L[side & ~bad], values[side & ~bad] < 0)
            yield f"{label} is negative at l = {at:.6g}; it must be centred"
    u = _U[np.abs(np.log(_U)) < 12]
    slope = float(div.df(np.float64(1.0)))
    centred = div.f(u) - div.f_one - slope * (u - 1)
    scale = 1e-3 * (np.abs(div.f(u)) + abs(div.f_one) + abs(slope) * (u + 1))
    for label, values in (("integrand_q", div.integrand_q(np.log(u))), ("integrand_p", u * div.integrand_p(np.log(u)))):
        bad = _far(values, centred, scale)
        if bad.any():
            yield f"{label} disagrees with f at u = {_first(u, bad):.6g}"


def _fenchel_young(div: FDivergence) -> Iterator[str]:
    if div.conj is None:
        return
    u = _U[(_U > 1e-3) & (_U < 1e3)]
    t = np.asarray(div.df(u), dtype=np.float64)
    outside = (t < div.conj_domain[0]) | (t > div.conj_domain[1])
    if outside.any():
        yield f"conj_domain {div.conj_domain} leaves out df(u) at u = {_first(u, outside):.6g}"
    value = np.asarray(div.conj(t), dtype=np.float64)
    legendre = u * t - div.f(u)
    bad = _far(value, legendre, np.abs(u * t) + np.abs(div.f(u)))
    if bad.any():
        at = _first(u, bad)
        sides = f"{float(value[bad][0]):.6g}, but u df(u) - f(u) is {float(legendre[bad][0]):.6g}"
        yield f"Fenchel-Young fails: at u = {at:.6g} conj(df(u)) is {sides}"
    excess = u[:, None] * t - div.f(u)[:, None] - value  # (u, t): <= 0 if f* is the conjugate
    if (excess > _NEAR * (1 + np.abs(u[:, None] * t) + np.abs(value))).any():
        yield "conj is below u t - f(u) for some u >= 0: it is not the supremum"


def _terms(div: FDivergence) -> Iterator[str]:
    l = np.linspace(-6.0, 6.0, 121)
    l = l[l != 0]
    u = np.exp(l)
    optimal, conjugate = div.log_ratio.activation(l), div.log_ratio.conj_activation(l)
    if _far(optimal, div.df(u)).any():
        yield f"log_ratio.activation is not df(e^l) at l = {_first(l, _far(optimal, div.df(u))):.6g}"
    legendre = u * div.df(u) - div.f(u)
    if _far(conjugate, legendre, np.abs(u * div.df(u)) + np.abs(div.f(u))).any():
        yield "log_ratio.conj_activation is not u f'(u) - f(u)"
    v = np.linspace(-4.0, 4.0, 81)
    t, composite = np.asarray(div.variational.activation(v)), np.asarray(div.variational.conj_activation(v))
    if (np.diff(t) < 0).any():
        yield "variational.activation decreases: a larger v must mean a larger ratio"
    # Fenchel-Young for every u: t u - f(u) <= f*(t); a smaller composite would be no lower bound.
    grid = np.logspace(-4, 4, 161)
    excess = grid[:, None] * t - np.asarray(div.f(grid))[:, None] - composite
    if (excess > _NEAR * (1 + np.abs(grid[:, None] * t))).any():
        yield "variational.conj_activation lies below f*(activation): its bound would exceed the divergence"


def _power(div: FDivergence) -> Iterator[str]:
    if div.power is None:
        return
    a, c = div.power
    u = _U[(_U > 1e-3) & (_U < 1e3)]
    powers = c * (u**a - 1 - a * (u - 1))
    bad = _far(div.f(u) - float(div.df(np.float64(1.0))) * (u - 1), powers, np.abs(c) * (u**a + 1 + abs(a) * (u + 1)))
    if bad.any():
        shape = f"{c:g} (u^{a:g} - 1) up to a multiple of u - 1"
        yield f"power is ({a:g}, {c:g}), but f is not {shape}, at u = {_first(u, bad):.6g}"
