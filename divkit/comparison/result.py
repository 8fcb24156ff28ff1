"""What a comparison found: every number with its kind, as text, JSON, pictures and a page."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from divkit.comparison._figures import figures, table_rows, verdict
from divkit.comparison._shown import Shown
from divkit.comparison.columns import ColumnComparison
from divkit.comparison.rows import RepeatedRows
from divkit.result import Estimate
from divkit.two_sample.result import TestResult
from divkit.wasserstein_bounds import Bounds

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Comparison", "written"]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two samples beside each other.

    Parameters
    ----------
    n, m : int
        Rows of x and y.
    compared : tuple of two ints
        Rows that are compared as wholes and permuted; drawn at random where there are more.
    columns : tuple of ColumnComparison
        Those that moved most first.
    divergences : mapping of str to Estimate
        Lower bounds of the f-divergences between the laws, from one fit; empty where there are too few rows.
    wasserstein1 : Estimate or None
        Exact, between the rows compared.
    null : float or None
        W_1 between halves of one sample, the larger one: what chance makes of equal laws.
    bounds : Bounds or None
        W_1 between the laws from below and above.
    test : TestResult or None
        Of equal laws.
    rows : RepeatedRows
    unit : str
        Of W_1, in words.
    level : float
        Of each interval, and of both limits of W_1 together.
    remarks : tuple of str
        What to keep in mind: what was left out, filled in, drawn, or could not be computed.
    shown : Shown
        What pictures are made of.
    """

    n: int
    m: int
    compared: tuple[int, int]
    columns: tuple[ColumnComparison, ...]
    divergences: Mapping[str, Estimate]
    wasserstein1: Estimate | None
    null: float | None
    bounds: Bounds | None
    test: TestResult | None
    rows: RepeatedRows
    unit: str
    level: float
    remarks: tuple[str, ...]
    shown: Shown

    @property
    def p_value(self) -> float | None:
        """Of the test of equal laws."""
        return None if self.test is None else self.test.p_value

    @property
    def limits(self) -> tuple[float, float] | None:
        """W_1 between the laws lies between these with probability `level`; None without bounds."""
        if self.bounds is None:
            return None
        lower, upper = (bound.interval for bound in self.bounds)
        assert lower is not None
        assert upper is not None
        return lower[0], upper[1]

    @property
    def alpha(self) -> float:
        """1 - level, at which tests reject."""
        return round(1 - self.level, 12)

    @property
    def changed(self) -> list[str]:
        """Names of the columns whose corrected p-value is at most `alpha`."""
        return [own.name for own in self.columns if own.adjusted is not None and own.adjusted <= self.alpha]

    @property
    def verdict(self) -> str:
        """What was found, in sentences."""
        return verdict(self)

    def figures(self) -> dict[str, float | None]:
        """Every number by the name that a condition of `divkit compare --fail-if` uses."""
        return figures(self)

    def table(self) -> list[dict[str, Any]]:
        """One row for each number about the samples as wholes.

        Returns
        -------
        list of dict
            ``quantity``, ``value``, ``kind`` (such as "lower bound"), ``low`` and ``high`` (the interval), ``of`` (the
            "samples" or their "laws"), ``method`` and ``meaning``; as `pandas.DataFrame` takes it.
        """
        return table_rows(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the pictures as plain Python values."""
        return {
            "n": self.n,
            "m": self.m,
            "compared": list(self.compared),
            "level": self.level,
            "verdict": self.verdict,
            "changed": self.changed,
            "test": None if self.test is None else self.test.to_dict(),
            "divergences": {name: value.to_dict() for name, value in self.divergences.items()},
            "wasserstein1": None if self.wasserstein1 is None else self.wasserstein1.to_dict(),
            "wasserstein1_null": self.null,
            "wasserstein1_bounds": None
            if self.bounds is None
            else {side: getattr(self.bounds, side).to_dict() for side in ("lower", "upper")},
            "unit": self.unit,
            "rows": self.rows.to_dict(),
            "columns": [column.to_dict() for column in self.columns],
            "remarks": list(self.remarks),
        }

    def to_json(self, indent: int | None = 2) -> str:
        """`to_dict` as JSON; infinities as the strings "inf" and "-inf", what is not a number as null."""
        return json.dumps(written(self.to_dict()), indent=indent)

    def plot(self) -> Figure:
        """Columns that moved, the direction of largest difference, log ratios, and the bounds of W_1.

        Raises
        ------
        MissingDependency
            Without matplotlib.
        """
        from divkit.comparison.pictures import overview

        return overview(self)

    def to_html(self, path: str | Path | None = None, *, title: str = "Two samples compared") -> str:
        """A page that needs nothing else: no script, no request.

        Parameters
        ----------
        path : str or Path, optional
            Where to write it.
        title : str

        Returns
        -------
        str
            The page.

        Raises
        ------
        MissingDependency
            Without matplotlib.
        """
        from divkit.comparison.report import page

        text = page(self, title)
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def _repr_html_(self) -> str:
        from divkit.comparison.report import fragment

        return fragment(self)

    def __str__(self) -> str:
        from divkit.comparison.report import as_text

        return as_text(self)

    def __repr__(self) -> str:
        p = "none" if self.p_value is None else f"{self.p_value:.3g}"
        return f"Comparison(n={self.n}, m={self.m}, columns={len(self.columns)}, p_value={p}, changed={self.changed})"


def written(item: Any) -> Any:
    """What JSON has no number for, as text or null."""
    if isinstance(item, dict):
        return {key: written(value) for key, value in item.items()}
    if isinstance(item, list | tuple):
        return [written(value) for value in item]
    if isinstance(item, float) and not math.isfinite(item):
        return None if math.isnan(item) else str(item)
    return item
