"""Each column by itself: what moved, how far, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from divkit._tables import Kind
from divkit._unit import in_unit
from divkit._wasserstein_1d import wasserstein
from divkit.api import estimate
from divkit.catalog import JSD
from divkit.comparison._noted import listed, noted
from divkit.comparison._pair import Feature
from divkit.measures import Samples
from divkit.methods.binned import Binned, fdivergence_from_counts
from divkit.result import Estimate
from divkit.two_sample.categories import Categories
from divkit.two_sample.multiple import CORRECTIONS
from divkit.two_sample.permutation import two_sample_test

__all__ = ["ColumnComparison", "compare_columns"]

_F = NDArray[np.float64]
_STOP: Final = 20  # permuted statistics as large as the observed one after which a test ends
_MOST: Final = 39_999  # permutations
_SHOWN: Final = 50  # categories
_VALUES: Final = 1_000_000  # of each sample in all columns that are permuted
_FEWEST: Final = 2  # rows of each sample without which nothing can be tested


@dataclass(frozen=True, eq=False)
class ColumnComparison:
    """One column of both samples.

    Parameters
    ----------
    name : str
    kind : {"number", "category", "time", "duration"}
        Times are days since 1970, durations days.
    distance : float or None
        W_1 between all values that are there, in the units of the column; for categories total variation, half of what
        their shares differ by. None if a sample has no values.
    relative : float or None
        W_1 in standard deviations of the pooled values; total variation as it is.
    jsd : Estimate or None
        Lower bound of the Jensen-Shannon divergence between the laws of the values; None where there are too few.
    p_value : float or None
        Of a permutation test of the distance. None if it was not tested.
    missing : tuple of two floats
        Shares of missing values in x and in y.
    missing_p_value : float or None
        Of an exact test of these shares, where any value is missing.
    adjusted : float or None
        Of the column, corrected for all columns: from `p_value`, or twice the smaller one of both p-values.
    means, spreads : tuple of two floats, or None
        Means and standard deviations in x and y (nan without values); None for categories.
    shares : dict of str to two floats
        Shares of the most frequent categories among the values of x and y.
    """

    name: str
    kind: Kind
    distance: float | None
    relative: float | None
    jsd: Estimate | None
    p_value: float | None
    missing: tuple[float, float]
    missing_p_value: float | None
    adjusted: float | None
    means: tuple[float, float] | None
    spreads: tuple[float, float] | None
    shares: dict[str, tuple[float, float]]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain Python values."""
        return {
            **{name: getattr(self, name) for name in _PLAIN},
            "jsd": None if self.jsd is None else self.jsd.to_dict(),
            "missing": list(self.missing),
            "means": None if self.means is None else list(self.means),
            "spreads": None if self.spreads is None else list(self.spreads),
            "shares": {name: list(pair) for name, pair in self.shares.items()},
        }


_PLAIN: Final = (
    "name", "kind", "distance", "relative", "p_value", "missing_p_value", "adjusted",
)  # fmt: skip


def compare_columns(
    features: Sequence[Feature],
    rows: tuple[NDArray[np.intp], NDArray[np.intp]],
    *,
    level: float,
    permutations: int,
    correction: str,
    rng: np.random.Generator,
    advance: Callable[[], None],
) -> tuple[list[ColumnComparison], list[str]]:
    """Every column, those that moved most first: by corrected p-value, then by distance; and what was warned of.

    Parameters
    ----------
    features : sequence of Feature
    rows : tuple of two ndarrays of int
        Rows that are permuted; distances are of all rows.
    level : float
        Of the limits of the divergences.
    permutations : int
        Of a column that moved; more if there are so many columns that its p-value would not be seen otherwise.
    correction : str
        A name of `CORRECTIONS`.
    rng : numpy.random.Generator
    advance : callable
        Called after each column.
    """
    rows = _fewer(rows, len(features), rng)
    enough = min(max(permutations, math.ceil(4 * len(features) / (1 - level))), max(permutations, _MOST))
    found: list[dict[str, Any]] = []
    doubts: dict[str, list[str]] = {}
    for feature, own in zip(features, rng.spawn(len(features)), strict=True):
        jsd, messages = noted(partial(_jsd, feature, level))
        p_values = {"p_value": _p_value(feature, rows, enough, own), "missing_p_value": gaps_p_value(feature)}
        found.append({**_described(feature), "jsd": jsd, **p_values})
        for message in messages:
            doubts.setdefault(message, []).append(feature.name)
        advance()
    together = [_together(held["p_value"], held["missing_p_value"]) for held in found]
    tested = [p for p in together if p is not None]
    adjusted = iter(CORRECTIONS[correction](tested).tolist() if tested else [])
    columns = [
        ColumnComparison(**held, adjusted=None if p is None else next(adjusted))
        for held, p in zip(found, together, strict=True)
    ]
    remarks = [f"JSD of {listed(names, 5)}: {message}" for message, names in doubts.items()]
    least = max(1 / (1 + enough), 1 / math.comb(len(rows[0]) + len(rows[1]), len(rows[0])))  # or of all arrangements
    if len(tested) * least > 1 - level:
        remarks.append(
            f"With {len(tested):,} columns, and p-values of at least {least:.2g} each, the corrected p-value of a "
            f"single column that moved is at least {min(len(tested) * least, 1.0):.2g}; only several can be told from "
            f"chance."
        )
    return sorted(columns, key=_order), remarks


def _order(column: ColumnComparison) -> tuple[float, float]:
    """What moved most comes first."""
    return 1.0 if column.adjusted is None else column.adjusted, -(column.relative or 0.0)


def _together(p_value: float | None, gaps: float | None) -> float | None:
    """One p-value of values and gaps: Bonferroni's of both."""
    both = [p for p in (p_value, gaps) if p is not None]
    return min(1.0, len(both) * min(both)) if both else None


def gaps_p_value(feature: Feature) -> float | None:
    """Of all ways to deal the gaps to the rows, the share in which their shares differ as much: exact, of all rows.

    None where no value is missing, or none is there.
    """
    from scipy.stats import hypergeom

    n, m = len(feature.x), len(feature.y)
    gone = int(np.isnan(feature.x).sum()), int(np.isnan(feature.y).sum())
    total = sum(gone)
    if total in (0, n + m):
        return None
    dealt = np.arange(max(0, total - m), min(n, total) + 1)
    apart = np.abs(dealt * m - (total - dealt) * n)  # times n m: whole numbers
    extreme = dealt[apart >= abs(gone[0] * m - gone[1] * n)]
    return min(1.0, float(hypergeom.pmf(extreme, n + m, total, n).sum()))


def _fewer(
    rows: tuple[NDArray[np.intp], NDArray[np.intp]], columns: int, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Fewer rows where there are very many columns."""
    most = max(_VALUES // columns, _FEWEST)
    x, y = (side if len(side) <= most else np.sort(rng.choice(side, most, replace=False)) for side in rows)
    return x, y


def _p_value(
    feature: Feature, rows: tuple[NDArray[np.intp], NDArray[np.intp]], permutations: int, rng: np.random.Generator
) -> float | None:
    """Of the values that are there; few permutations where it is soon clear that nothing moved."""
    x, y = feature.x[rows[0]], feature.y[rows[1]]
    x, y = x[~np.isnan(x)], y[~np.isnan(y)]
    if min(len(x), len(y)) < _FEWEST:
        return None
    statistic = Categories() if feature.kind == "category" else "wasserstein1"
    return two_sample_test(x, y, statistic, permutations=permutations, stop_after=_STOP, rng=rng).p_value


def _described(feature: Feature) -> dict[str, Any]:
    """All that is neither tested nor estimated."""
    x, y = feature.present
    there = len(x) > 0 and len(y) > 0
    common = {
        "name": feature.name,
        "kind": feature.kind,
        "missing": (1 - len(x) / len(feature.x), 1 - len(y) / len(feature.y)),
    }
    if feature.kind == "category":
        shares = feature.shares
        distance = float(np.abs(shares[0] - shares[1]).sum() / 2) if there else None
        return {
            **common,
            "distance": distance,
            "relative": distance,
            "means": None,
            "spreads": None,
            "shares": {
                name: (float(a), float(b))
                for name, a, b in zip(feature.levels[:_SHOWN], shares[0], shares[1], strict=False)
            },
        }
    distance, relative = _distance(x, y, feature.spread) if there else (None, None)
    moments = [_moments(side) for side in (x, y)]
    return {
        **common,
        "distance": distance,
        "relative": relative,
        "means": (moments[0][0], moments[1][0]),
        "spreads": (moments[0][1], moments[1][1]),
        "shares": {},
    }


def _distance(x: _F, y: _F, spread: float) -> tuple[float, float]:
    """W_1 on the line, in the units of the data and in pooled deviations."""
    together, unit = in_unit(np.concatenate([x, y])[:, None])
    found = float(wasserstein(together[: len(x), 0], together[len(x) :, 0], None, None, p=1.0))
    return found * unit, found / (spread / unit) if spread > 0 else 0.0


def _moments(values: _F) -> tuple[float, float]:
    """Mean and standard deviation; nan without values."""
    if len(values) == 0:
        return math.nan, math.nan
    scaled, unit = in_unit(values[:, None])
    middle = values.min() / 2 + values.max() / 2
    return float(middle + scaled.mean() * unit), float(scaled.std()) * unit


def _jsd(feature: Feature, level: float) -> Estimate | None:
    """From counts; None without values."""
    x, y = feature.present
    if len(x) == 0 or len(y) == 0:
        return None
    if feature.kind == "category":
        return fdivergence_from_counts(JSD, *feature.counts, level=level)
    return estimate(Samples(x), Samples(y), JSD, Binned(), level=level)
