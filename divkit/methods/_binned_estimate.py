"""From counts to the estimate: which cells are merged, which limit applies, what the user is warned of."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any, Final

from divkit._errors import UnreliableEstimateWarning
from divkit._stats import clt_interval
from divkit.divergences import FDivergence
from divkit.methods._binned_cells import EXPECTED, LEAST, Cells, merge_categories, merge_neighbours
from divkit.methods._binned_cut import Cut, best_cut, cut_bounds
from divkit.methods._binned_expansion import expand, lower_limit
from divkit.result import Estimate

__all__ = ["estimate_categories", "estimate_cut", "estimate_line"]

_Merge = Callable[[Cells, int, int], Cells]
_DOMINANT: Final = 4  # times the variance of the second order that the first must have for a normal interval
_SKEWED: Final = 0.5  # beyond this skewness there is none either
_UNSEEN: Final = 0.1  # share of one sample in cells without the other, from which an infinite D is worth a warning


def estimate_line(div: FDivergence, cells: Cells, level: float) -> Estimate:
    """The estimate from counts of cells whose order is given."""
    return _estimate(div, cells, merge_neighbours, level, ordered=True)


def estimate_categories(div: FDivergence, cells: Cells, level: float) -> Estimate:
    """The estimate from counts of categories, in any order."""
    return _estimate(div, cells, merge_categories, level, ordered=False)


def _estimate(div: FDivergence, raw: Cells, merge: _Merge, level: float, *, ordered: bool) -> Estimate:
    blind = merge(raw, 0, 0)
    enough = min(raw.sizes) >= EXPECTED and len(blind.x) > 1
    if enough and not ((blind.x > 0) & (blind.y > 0)).any():
        return estimate_cut(div, best_cut(blind, ordered=ordered), level)
    needs = (LEAST if math.isinf(div.f_zero) else 0, LEAST if math.isinf(div.slope_inf) else 0)
    cells = merge(raw, *needs) if any(needs) else blind
    if enough and len(cells.x) == 1:
        return estimate_cut(div, best_cut(blind, ordered=ordered), level)
    expansion = expand(div, cells.x, cells.y)
    value, stderr = expansion.corrected, math.sqrt(expansion.variance)
    _warn(_doubts(div, raw, blind))
    normal = expansion.linear >= _DOMINANT * expansion.quadratic and abs(expansion.skewness) <= _SKEWED and stderr > 0
    interval = clt_interval(value, stderr, level, div.f_one, div.upper) if normal else None
    facts = {"plug_in": expansion.value, "bias": expansion.bias, "binned_interval": interval, "one_cut": False}
    return _lower(div, value, stderr, lower_limit(expansion, level, div.f_one), level, cells, facts)


def estimate_cut(div: FDivergence, cut: Cut, level: float) -> Estimate:
    """The estimate where no two cells have the points they need: from one cut and exact binomial limits."""
    value, limit = cut_bounds(div, cut, level)
    if math.isinf(div.upper):
        n, m = cut.sizes
        _warn(
            [
                f"one cut has {max(cut.x / n, 1 - cut.x / n):.1%} of x on one side and "
                f"{max(cut.y / m, 1 - cut.y / m):.1%} of y on the other: {div.name} may be infinite, and samples of "
                f"{n} and {m} points bound it from below only. Take a bounded divergence such as jsd, or more points"
            ]
        )
    facts = {"plug_in": value, "bias": 0.0, "binned_interval": None, "one_cut": True}
    return _lower(div, value, None, limit, level, cut.cells, facts)


def _lower(
    div: FDivergence,
    value: float,
    stderr: float | None,
    limit: float,
    level: float,
    cells: Cells,
    facts: dict[str, Any],
) -> Estimate:
    info = {
        "bins": len(cells.x),
        "edges": [] if cells.edges is None else cells.edges.tolist(),
        "x_counts": cells.x.tolist(),
        "y_counts": cells.y.tolist(),
        "merged": cells.merged,
        "other": cells.other,
        **facts,
    }
    return Estimate(
        min(value, div.upper),
        divergence=div.name,
        method="binned",
        bound="lower",
        estimand="population",
        stderr=stderr,
        interval=(limit, div.upper),
        level=level,
        info=info,
    )


def _doubts(div: FDivergence, raw: Cells, blind: Cells) -> list[str]:
    """What speaks against the number, in sentences; empty if nothing was found."""
    n, m = raw.sizes
    if min(n, m) < 2 * EXPECTED:
        return [
            f"x has {n} and y has {m} points, but two cells take at least {2 * EXPECTED} each: one cell, which "
            f"shows nothing. Take more points, or a permutation test"
        ]
    found = []
    for limit, own, other, names in (
        (div.slope_inf, blind.x, blind.y, ("x", "y")),
        (div.f_zero, blind.y, blind.x, ("y", "x")),
    ):
        unseen = float(own[other == 0].sum() / own.sum())
        if math.isinf(limit) and unseen > _UNSEEN:
            found.append(
                f"{unseen:.1%} of {names[0]} lies where {names[1]} has no point: {div.name} may be infinite, and those "
                f"cells were merged with their neighbours. The number is a lower bound, possibly far below; take a "
                f"bounded divergence such as jsd, or more points of {names[1]}"
            )
    return found


def _warn(reasons: list[str]) -> None:
    for reason in reasons:
        warnings.warn(f"binned: {reason}", UnreliableEstimateWarning, stacklevel=5)
