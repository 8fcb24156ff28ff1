"""f-divergences between two 1-D laws with densities."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from divkit._errors import NotConverged
from divkit.divergences import FDivergence
from divkit.measures import Law
from divkit.methods._adaptive import Integral
from divkit.methods._chart import Infinite, Problem
from divkit.methods._layout import Line, integral
from divkit.methods._log_integrand import ROUNDING, LogIntegrand
from divkit.methods._mesh import common_mesh, law_mesh, log_density

__all__ = ["Outcome", "check_masses", "density_problem", "divergence_1d"]

_F = NDArray[np.float64]
Outcome = tuple[float, float, dict[str, Any]]  # value, error, info
_MASS_GOAL: Final = 1e-11  # allowed quadrature error of the two masses
_MASS_SLACK: Final = 1e-9  # a defect below this is rounding of the log densities
_MASS_LIMIT: Final = 1e-7  # a defect above this is a mistake


def density_problem(div: FDivergence, P: Law, Q: Law, mesh: _F) -> Problem:
    """Integrands (divergence, p, q) and their rounding errors from (log p, log q)."""
    log_integrand = LogIntegrand(div)
    units = tuple(rounding_unit(law, mesh) for law in (P, Q))

    def logs(which: NDArray[np.intp], x: _F) -> _F:
        return np.stack([log_density(law, x, lenient=which > 0) for law in (P, Q)])

    def combine(h: _F, jacobian: _F) -> _F:
        shifts = [
            unit * (np.where(np.isfinite(log), np.abs(log), 0.0) + 4.0) for log, unit in zip(h, units, strict=True)
        ]
        value = log_integrand(h[0], h[1])
        noise = log_integrand.sensitivity(h[0], h[1], value, *shifts)
        return np.stack([value, h[0], h[1], noise, *(h + np.log(shifts))]) + jacobian

    return Problem(logs, combine, 2, 3, f"{div.name} between {P.name} and {Q.name}")


def rounding_unit(law: Law, mesh: _F) -> float:
    """Rounding of a log density relative to 4 + |its value|, measured; at least one unit in the last place.

    Terms that cancel inside a formula (log gamma functions of large shapes) leave more noise than the value shows.
    Second differences over steps that are far too short for curvature lay it bare.
    """
    x = mesh[:-1] / 2 + mesh[1:] / 2
    step = np.maximum(np.diff(mesh) * 2.0**-26, 2 * np.spacing(np.abs(x)))
    right = x + step
    step = right - x  # exact, and so is x - step
    centre = log_density(law, x)
    with np.errstate(invalid="ignore"):
        bend = np.abs(log_density(law, x - step) - 2 * centre + log_density(law, right)) / 2 / (4 + np.abs(centre))
    bend = bend[np.isfinite(bend)]
    return max(ROUNDING, float(np.median(bend))) if len(bend) else ROUNDING


def divergence_1d(div: FDivergence, P: Law, Q: Law, rtol: float, max_panels: int) -> Outcome:
    """D(P || Q), its error and how it was found.

    Raises
    ------
    NotConverged
        If the error exceeds rtol and what rounding explains, or the densities do not integrate to 1.
    """
    evaluations = 0

    def allowed(totals: _F) -> _F:
        goal = 0.25 * rtol * max(totals[0], abs(totals[0] + div.f_one))
        return np.array([goal, _MASS_GOAL, _MASS_GOAL])

    for fine in (False, True):
        line = _line(P, Q, fine)
        problem = density_problem(div, P, Q, line.mesh)
        try:
            found, rest, doubt = integral(problem, line, allowed, max_panels)
        except Infinite as reason:
            return math.inf, 0.0, {"diverges": str(reason)}
        evaluations += found.evaluations
        defects = np.abs(found.totals[1:3] - 1)
        if np.all(defects <= _MASS_SLACK + 4 * found.total_errors[1:3]):
            break
    check_masses((P, Q), found.totals[1:3], found.total_errors[1:3])
    return _outcome(div, found, rest, doubt, rtol, evaluations)


def check_masses(laws: tuple[Law, Law], masses: _F, errors: _F) -> None:
    """Raise unless both densities integrate to 1 where the quadrature looked.

    Raises
    ------
    NotConverged
        With the mass that was found.
    """
    for law, name, mass, error in zip(laws, "PQ", masses, errors, strict=True):
        if abs(mass - 1) > _MASS_LIMIT + 4 * error or not math.isfinite(mass):
            raise NotConverged(
                f"the density of {name}, {law.name}, integrates to {mass:.10g} instead of 1: either it is not "
                f"normalised, or mass far from the rest was missed; give the law quantile(t) or breakpoints "
                f"that show where its mass lies",
                {"mass": float(mass), "law": name},
            )


def _line(P: Law, Q: Law, fine: bool) -> Line:
    ends = np.array([P.low[0], P.high[0], Q.low[0], Q.high[0]])
    anchors = np.unique(ends[np.isfinite(ends)]) + 0.0
    low, high = float(min(ends[0], ends[2])), float(max(ends[1], ends[3]))
    inner = [point for law in (P, Q) for point in law.breakpoints if low < point < high]
    hard = np.unique(np.concatenate([anchors, np.array(inner, dtype=np.float64)]))
    mesh = common_mesh(hard, [law_mesh(P, fine), law_mesh(Q, fine)])
    if len(mesh) < 2:
        centre = float(mesh[0]) if len(mesh) else 0.0
        mesh = np.array([centre, centre + 1.0])
    return Line(mesh, anchors, low, high)


def _outcome(div: FDivergence, found: Integral, rest: float, doubt: float, rtol: float, evaluations: int) -> Outcome:
    """Value and error, if the error is within rtol or explained by rounding."""
    total, quadrature = float(found.totals[0]) + rest, float(found.errors[0].sum()) + doubt
    value = div.f_one + total
    defect = float(np.abs(found.totals[1:3] - 1).max())
    # Rounding: of both log densities, of the abscissae, of the sum, and of the normalisation, which scales as the
    # first one does (its size there is at least 4 units in the last place).
    rounding = float(found.totals[3] + found.noise[0].sum()) + 50 * ROUNDING * total
    if defect > _MASS_SLACK:
        rounding += float(found.totals[3]) * defect / (4 * ROUNDING)
    error = quadrature + rounding
    info = {
        "gap": error,
        "rounding": rounding,
        "evaluations": evaluations,
        "panels": len(found.panels),
        "masses": (float(found.totals[1]), float(found.totals[2])),
    }
    goal = rtol * max(abs(value), total)
    if not math.isfinite(error) or quadrature > max(goal, 6 * rounding):
        raise NotConverged(
            f"quadrature of {div.name} reached {value:.12g} with error {error:.2g} on {len(found.panels)} panels, "
            f"not rtol={rtol:g}; raise max_panels or rtol, or tell the law's breakpoints",
            {**info, "value": value},
        )
    return value, error, {**info, "limited_by": "rounding" if rounding > goal else "rtol"}
