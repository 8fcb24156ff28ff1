"""W_p between two laws on the line, from their distribution functions or quantiles."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from divkit._errors import InvalidInput, NotConverged, Unsupported
from divkit.measures import Law
from divkit.methods._adaptive import integrate
from divkit.methods._chart import Chart, Infinite, Problem
from divkit.methods._lattice import lattice_wasserstein
from divkit.methods._layout import Line, integral, trimmed
from divkit.methods._mesh import Inverse, common_mesh, inverse, law_mesh, survival
from divkit.methods._tails import extension_doubt

__all__ = ["transport_refusal", "wasserstein_laws"]

_F = NDArray[np.float64]
_I = NDArray[np.intp]
_EPS: Final = float(np.finfo(np.float64).eps)
_MAX_PANELS: Final = 20_000


def transport_refusal(P: Law, Q: Law, p: float) -> str | None:
    """Why `wasserstein_laws` cannot compute W_p(P, Q), in a clause; None if it can."""
    if P.dim != 1 or Q.dim != 1:
        return f"the dimensions are {P.dim} and {Q.dim}; laws are compared by transport in one dimension only"
    if "length" in (P.base, Q.base):
        return "a law along a curve has no distribution function on the line"
    if p == math.inf:
        return "p = inf is a supremum of quantile differences, which no quadrature bounds; draw samples instead"
    if P.base != Q.base:
        return "one law is on the integers and the other has a density; give the first one as Discrete and draw samples"
    if P.base == "counting" and p > 1:
        return "on the integers only W_1 is summed; truncate the laws to Discrete for p > 1"
    for law in (P, Q):
        if law.cdf is None and (p == 1 or law.quantile is None):
            return f"{law.name} has no cdf; give it one: cdf(x), and sf(x) = 1 - cdf(x) for accurate tails"
        if p > 1 and law.isf is None and law.sf is None:
            return f"{law.name} has neither isf nor sf, so its upper tail is unknown below 1e-16; give it one of them"
    return None


def wasserstein_laws(
    P: Law, Q: Law, p: float = 1.0, rtol: float = 1e-10, max_panels: int = _MAX_PANELS
) -> tuple[float, float, dict[str, Any]]:
    """W_p between two 1-D laws.

    W_1 is the integral of |F - G|, from survival functions where those are the smaller ones; W_p for p > 1 is the
    integral of |F^-1 - G^-1|^p over (0, 1), then the root (Villani, Topics in Optimal Transportation, 2.18-2.19).

    Parameters
    ----------
    P, Q : Law
        Both with densities on the line, or both on the integers (p = 1 only).
    p : float
        Finite, >= 1.
    rtol : float
        Relative error that is aimed at.
    max_panels : int
        Where to give up.

    Returns
    -------
    value, error : float
        In the units of x; inf where the integral diverges.
    info : dict

    Raises
    ------
    Unsupported
        If a function that is needed is missing; the message says which.
    NotConverged
        If the error stays above rtol although rounding does not explain it.
    """
    if not p >= 1:
        raise InvalidInput(f"p must be a number >= 1, got {p!r}")
    reason = transport_refusal(P, Q, p)
    if reason is not None:
        raise Unsupported(f"W_{p:g} between {P.name} and {Q.name} cannot be computed: {reason}")
    if P.base == "counting":
        return lattice_wasserstein(P, Q, rtol)
    try:
        return _areas(P, Q, rtol, max_panels) if p == 1 else _quantile_gaps(P, Q, p, rtol, max_panels)
    except Infinite as reason:
        return math.inf, 0.0, {"gap": 0.0, "diverges": str(reason)}


def _areas(P: Law, Q: Law, rtol: float, max_panels: int) -> tuple[float, float, dict[str, Any]]:
    """W_1 as the area between the distribution functions."""
    (F, F_up), (G, G_up) = survival(P), survival(Q)
    ends = np.array([P.low[0], P.high[0], Q.low[0], Q.high[0]])
    anchors = np.unique(ends[np.isfinite(ends)]) + 0.0
    low, high = float(min(ends[0], ends[2])), float(max(ends[1], ends[3]))
    inner = np.array([x for law in (P, Q) for x in law.breakpoints if low < x < high], dtype=np.float64)
    mesh = common_mesh(np.unique(np.concatenate([anchors, inner])), [law_mesh(P), law_mesh(Q)])
    if len(mesh) < 2:
        mesh = np.array([mesh[0], mesh[0] + 1.0])
    unit = math.log(_spread(mesh))

    def logs(which: _I, x: _F) -> _F:
        lower, upper = (F(x), G(x)), (F_up(x), G_up(x))
        from_below = np.maximum(*lower) <= np.maximum(*upper)
        a, b = (np.where(from_below, i, j) for i, j in zip(lower, upper, strict=True))
        with np.errstate(divide="ignore"):
            return np.stack([np.log(np.abs(a - b)), np.log(2 * _EPS * (a + b))])

    def combine(h: _F, jacobian: _F) -> _F:
        return h + (jacobian - unit)

    problem = Problem(logs, combine, 2, 1, f"W_1 between {P.name} and {Q.name}")
    found, rest, doubt = integral(problem, Line(mesh, anchors, low, high), _goal(rtol), max_panels)
    total, rounding = float(found.totals[0]) + rest, float(found.totals[1] + found.noise[0].sum())
    info = {"evaluations": found.evaluations, "panels": len(found.panels)}
    return _settled(total, float(found.errors[0].sum()) + doubt, rounding, 1.0, math.exp(unit), rtol, info)


def _spread(mesh: _F) -> float:
    """A length of the size of the laws: the interquartile range of the mesh."""
    low, high = (float(mesh[len(mesh) // 4]), float(mesh[(3 * len(mesh)) // 4]))
    return high - low or float(mesh[-1] - mesh[0]) or 1.0


def _quantile_gaps(P: Law, Q: Law, p: float, rtol: float, max_panels: int) -> tuple[float, float, dict[str, Any]]:
    """W_p from quantiles, in log t towards 0 and log (1 - t) towards 1."""
    pairs = [inverse(law, checked=True) for law in (P, Q)]
    middle = np.linspace(0.02, 0.5, 25)
    points = np.stack([np.concatenate([pair[side](middle) for side in (0, 1)]) for pair in pairs])  # (2, k)
    sizes = np.abs(points[0] - points[1])
    unit = float(np.max(sizes, where=np.isfinite(sizes), initial=0.0)) or 1.0
    # Quotients by a unit far below the points, which only rounding leaves, would overflow.
    size = float(np.max(np.abs(points), where=np.isfinite(points), initial=0.0))
    unit = max(unit, 1e-280 * size)

    def logs(which: _I, t: _F) -> _F:
        lower = which == 1
        x, y = (np.empty_like(t) for _ in range(2))
        for out, functions in ((x, pairs[0]), (y, pairs[1])):
            out[lower], out[~lower] = functions[0](t[lower]), functions[1](t[~lower])
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            raise NotConverged(f"a quantile function of {P.name} or {Q.name} is not finite inside (0, 1)")
        with np.errstate(all="ignore"):
            gap = np.abs(x / unit - y / unit)
            noise = 2 * _EPS * (np.abs(x / unit) + np.abs(y / unit))
            return np.stack([np.log(gap), np.log(noise)])

    def combine(h: _F, jacobian: _F) -> _F:
        return np.stack([p * h[0], math.log(p) + (p - 1) * h[0] + h[1]]) + jacobian

    problem = Problem(logs, combine, 2, 1, f"W_{p:g} between {P.name} and {Q.name}")
    chart = Chart(problem)
    start = math.log(0.5)
    branches = [chart.inward(0.0, 1.0, start, _deepest(pairs, side)) for side in (0, 1)]
    rays = [(branch, start, True) for branch in branches if branch is not None]
    panels = trimmed(chart, [], rays)
    found = integrate(chart, panels, _goal(rtol), controlled=1, max_panels=max_panels)
    total, rounding = float(found.totals[0]) + chart.rest, float(found.totals[1] + found.noise[0].sum())
    quadrature = float(found.errors[0].sum()) + extension_doubt(chart, found.panels, found.values)
    info = {"evaluations": found.evaluations, "panels": len(found.panels)}
    value, error, facts = _settled(total, quadrature, rounding, p, unit, rtol, info)
    if value <= 64 * _EPS * size:  # the quantiles agree to their rounding, whose effect is no longer linear
        error = max(error, 4 * _EPS * size)  # Minkowski: W_p moves by at most the norm of what moves the quantiles
        facts = {**facts, "gap": error, "limited_by": "rounding"}
    return value, error, facts


def _deepest(pairs: list[Inverse], side: int) -> float:
    """log of the smallest t at which both quantile functions are finite and far from overflow."""
    s = np.linspace(-690.0, -1.0, 690)
    values = np.abs(np.stack([functions[side](np.exp(s)) for functions in pairs]))
    fine = (values < 1e307).all(axis=0)
    bad = np.flatnonzero(~fine)
    return float(s[bad[-1] + 1]) if len(bad) and bad[-1] + 1 < len(s) else -690.0


def _goal(rtol: float) -> Callable[[_F], _F]:
    return lambda totals: 0.25 * rtol * totals[:1]


def _settled(
    total: float, quadrature: float, rounding: float, p: float, unit: float, rtol: float, info: dict[str, Any]
) -> tuple[float, float, dict[str, Any]]:
    """The p-th root of an integral in units^p and of its error bar, if the error is small or rounding."""
    rounding += 50 * _EPS * total
    if not math.isfinite(total) or quadrature > max(rtol * total, 6 * rounding):
        raise NotConverged(
            f"quadrature of W_{p:g} stopped with relative error {quadrature / max(total, 1e-300):.2g} on "
            f"{info['panels']} panels, not rtol={rtol:g}; raise max_panels or rtol",
            info,
        )
    error = quadrature + rounding
    value = total ** (1 / p)
    gap = max((total + error) ** (1 / p) - value, value - max(total - error, 0.0) ** (1 / p))
    limit = "rounding" if rounding > rtol * total else "rtol"
    return unit * value, unit * gap, {"gap": unit * gap, "rounding": rounding, **info, "limited_by": limit}
