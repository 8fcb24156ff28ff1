"""Rows as wholes: divergences from one fit, W_1 between bounds, a test of equal laws."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from divkit._errors import DegenerateDataWarning, DivkitWarning
from divkit.api import wasserstein1
from divkit.catalog import DIVERGENCES, WASSERSTEIN1
from divkit.comparison._noted import noted
from divkit.comparison._pair import Encoded
from divkit.measures import Samples
from divkit.methods import select_method
from divkit.methods._samples import sample_refusal
from divkit.methods.crossfit import CrossFit
from divkit.result import Estimate
from divkit.two_sample import Statistic
from divkit.two_sample.permutation import two_sample_test
from divkit.two_sample.result import TestResult
from divkit.wasserstein_bounds import Bounds, wasserstein1_bounds

__all__ = ["PARTS", "Joint", "joint"]

PARTS: Final = ("divergences", "wasserstein1", "test")

_F = NDArray[np.float64]
_IN_ANOTHER_SCALE: Final = "gan"  # of the Jensen-Shannon divergence


@dataclass(eq=False)
class Joint:
    """What was found about rows as wholes; None where it could not be, and `remarks` say why."""

    divergences: Mapping[str, Estimate] = field(default_factory=dict)
    log_ratios: tuple[_F, _F] | None = None
    wasserstein1: Estimate | None = None
    null: float | None = None
    bounds: Bounds | None = None
    test: TestResult | None = None
    remarks: list[str] = field(default_factory=list)


def joint(
    points: Encoded,
    *,
    parts: Collection[str],
    statistic: str | Statistic,
    permutations: int,
    level: float,
    rng: np.random.Generator,
    advance: Callable[[str], None],
) -> Joint:
    """Everything about the points of two samples.

    Parameters
    ----------
    points : Encoded
    parts : collection of str
        Of PARTS.
    statistic, permutations, level, rng
        As in `divkit.two_sample_test`.
    advance : callable
        Called with the name of what comes next.
    """
    found = Joint()
    for_fit, for_bounds, for_test = rng.spawn(3)

    def attempt(failure: str, step: Callable[[], None]) -> None:
        found.remarks.extend(noted(step, failure)[1])

    def test() -> None:
        how: dict[str, Any] = {"permutations": permutations, "level": level, "rng": for_test}
        found.test = two_sample_test(points.x, points.y, statistic, **how)

    if "divergences" in parts:
        advance("divergences")
        attempt("f-divergences could not be bounded", lambda: _divergences(found, points, level, for_fit))
    if "wasserstein1" in parts:
        advance("wasserstein1")
        attempt("W_1 between the laws could not be bounded", lambda: _bounds(found, points, level, for_bounds))
        if found.wasserstein1 is None:
            attempt("W_1 between the samples was not found", lambda: _between_samples(found, points))
    if "test" in parts:
        advance("test")
        attempt("equal laws could not be tested", test)
    return found


def _divergences(found: Joint, points: Encoded, level: float, rng: np.random.Generator) -> None:
    P, Q = Samples(points.x), Samples(points.y)
    method = CrossFit()
    wanted = [
        div for name, div in DIVERGENCES.items() if sample_refusal(div, P, Q) is None and name != _IN_ANOTHER_SCALE
    ]
    method.demand(wanted[0], P, Q)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # copies are counted, and spoken of, by `repeated_rows`
        fitted = method.fit(P, Q, rng)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DivkitWarning)  # each estimate has its doubts, too, which are said once below
        found.divergences = {div.name: fitted.estimate(div, level) for div in wanted}
    found.log_ratios = fitted.x, fitted.y
    found.remarks += _doubts(found.divergences)


def _doubts(divergences: Mapping[str, Estimate]) -> list[str]:
    """What speaks against the error bars, each reason once with the divergences that it concerns."""
    names: dict[str, list[str]] = {}
    for name, value in divergences.items():
        for doubt in value.info["doubts"]:
            reason = re.sub(rf"\b{name}\b", "it", doubt)
            reason = re.sub(r", and \w+ then is .*", "; only lower limits mean something", reason)
            names.setdefault(reason, []).append(name)
    return [
        f"{'All divergences' if len(own) == len(divergences) else ', '.join(own)}: {reason}."
        for reason, own in names.items()
    ]


def _bounds(found: Joint, points: Encoded, level: float, rng: np.random.Generator) -> None:
    """Both bounds, with all points; the upper one is the W_1 between the samples, with its proof."""
    x, y = points.x, points.y
    found.bounds = wasserstein1_bounds(x, y, level=level, points=max(len(x), len(y), 2), rng=rng)
    upper = found.bounds.upper
    found.null = max(upper.info["null"])
    gap = float(upper.info["gap"])
    found.wasserstein1 = Estimate(
        float(upper),
        divergence="wasserstein1",
        method=select_method(WASSERSTEIN1, Samples(x), Samples(y)).name,
        bound="exact",
        estimand="given",
        interval=(max(float(upper) - gap, 0.0), float(upper)),
        level=1.0,
        info={"n": len(x), "m": len(y), "gap": gap},
    )


def _between_samples(found: Joint, points: Encoded) -> None:
    found.wasserstein1 = wasserstein1(points.x, points.y)
