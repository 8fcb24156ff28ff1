"""`compare`: two samples or tables in, everything about their difference out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from divkit._checks import check_integer, check_level, check_rng
from divkit._errors import InvalidInput
from divkit.comparison._joint import PARTS, Joint, joint
from divkit.comparison._noted import listed
from divkit.comparison._pair import Encoded, Pair, encoded, matched
from divkit.comparison._shown import Shown, marginal, projection
from divkit.comparison.columns import ColumnComparison, compare_columns
from divkit.comparison.result import Comparison
from divkit.comparison.rows import RepeatedRows, repeated_rows
from divkit.two_sample import Statistic
from divkit.two_sample.functions import resolve_statistic
from divkit.two_sample.multiple import CORRECTIONS

__all__ = ["compare"]

_DRAWN: Final = 6  # columns in pictures


def compare(
    x: Any,
    y: Any,
    *,
    columns: Iterable[Any] | None = None,
    standardize: bool | None = None,
    parts: Collection[str] = PARTS,
    statistic: str | Statistic = "energy",
    correction: str = "benjamini-hochberg",
    permutations: int = 999,
    rows: int = 10_000,
    level: float = 0.95,
    progress: bool = False,
    rng: int | np.random.Generator | None = None,
) -> Comparison:
    """Two samples or tables compared in every sense: are they the same, and if not, how far apart and where?

    Parameters
    ----------
    x, y : dataframe, mapping of columns, or array_like of shape (n,) or (n, d) and (m,) or (m, d)
        Independent draws: the data and the model, the old and the new. Dataframes of any library that narwhals or
        Arrow knows, torch tensors, `Samples` without weights. Columns hold numbers, texts, booleans, times or
        durations; NaN and None are missing values. Columns of dataframes are matched by name.
    columns : iterable of str, optional
        Those to compare; by default all, which both must have.
    standardize : bool, optional
        Whether numbers count in standard deviations of their column where rows are compared as wholes. By default they
        do for tables, whose columns have units of their own, and do not for arrays, whose coordinates share one.
    parts : list of str
        What is found out about whole rows, of "divergences", "wasserstein1" and "test"; columns are always compared.
    statistic : str or Statistic
        Of the test of equal laws, as in `divkit.two_sample_test`.
    correction : {"benjamini-hochberg", "holm"}
        Of the p-values of the columns.
    permutations : int
        Of the test of equal laws; columns are permuted up to as often as their number asks for, and less where it is
        clear that nothing moved.
    rows : int
        At most so many of each are compared as wholes and permuted, drawn at random where there are more. Means,
        distances and divergences of single columns, and counts, are of all.
    level : float
        Of each interval by itself, and of both limits of W_1 together; tests are at 1 - level.
    progress : bool
        Show a bar on standard error.
    rng : int, numpy.random.Generator or None

    Returns
    -------
    Comparison

    Raises
    ------
    InvalidInput
        For what is no table, columns that only one of them has or that hold numbers in one and texts in the other,
        infinities, and arguments that do not meet these requirements.

    Notes
    -----
    What cannot be computed, as for too few rows, is None, and a remark says why.

    Examples
    --------
    >>> import numpy as np
    >>> import divkit
    >>> rng = np.random.default_rng(0)
    >>> x = {"height": rng.normal(170, 10, 300), "eyes": rng.choice(["blue", "brown"], 300)}
    >>> y = {"height": rng.normal(174, 10, 300), "eyes": rng.choice(["blue", "brown"], 300)}
    >>> found = divkit.compare(x, y, rng=0)
    >>> found.changed, found.p_value < 0.01
    (['height'], True)
    """
    level, generator = check_level(level), check_rng(rng)
    permutations, rows = check_integer("permutations", permutations, 1), check_integer("rows", rows, 1)
    _check_choices(correction, parts, standardize)
    resolved = resolve_statistic(statistic)
    pair = matched(x, y, columns)
    scaled = pair.named if standardize is None else standardize
    for_rows, for_columns, for_joint, for_pictures = generator.spawn(4)
    picked = _some(pair.n, rows, for_rows), _some(pair.m, rows, for_rows)
    points = encoded(pair, *picked, standardize=scaled)
    common: dict[str, Any] = {"permutations": permutations, "level": level}
    with _Bar(len(pair.features), progress) as bar:
        bar.begin("columns")
        in_columns: dict[str, Any] = {"correction": correction, "rng": for_columns, "advance": bar.column}
        found, doubts = compare_columns(pair.features, picked, **common, **in_columns)
        whole = joint(points, parts=parts, statistic=resolved, **common, rng=for_joint, advance=bar.begin)
        bar.begin("pictures")
        shown = _shown(pair, points, found, whole, for_pictures)
    repeated = repeated_rows(pair)
    return Comparison(
        n=pair.n,
        m=pair.m,
        compared=(len(points.x), len(points.y)),
        columns=tuple(found),
        divergences=whole.divergences,
        wasserstein1=whole.wasserstein1,
        null=whole.null,
        bounds=whole.bounds,
        test=whole.test,
        rows=repeated,
        unit="standard deviations of each column" if scaled else "the units of the data",
        level=level,
        remarks=_remarks(pair, points, repeated, [*whole.remarks, *doubts]),
        shown=shown,
    )


def _check_choices(correction: Any, parts: Any, standardize: Any) -> None:
    if not (isinstance(correction, str) and correction in CORRECTIONS):
        raise InvalidInput(f"correction must be one of {', '.join(CORRECTIONS)}, got {correction!r}")
    if not isinstance(parts, list | tuple | set | frozenset) or not all(part in PARTS for part in parts):
        raise InvalidInput(f"parts must be a list of {', '.join(PARTS)}, got {parts!r}")
    if not (standardize is None or isinstance(standardize, bool)):
        raise InvalidInput(f"standardize must be True, False or None, got {standardize!r}")


def _some(count: int, most: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """All rows, or so many drawn without repetition."""
    if count <= most:
        return np.arange(count)
    return np.sort(rng.choice(count, most, replace=False))


def _shown(
    pair: Pair, points: Encoded, found: Sequence[ColumnComparison], whole: Joint, rng: np.random.Generator
) -> Shown:
    by_name = {feature.name: feature for feature in pair.features}
    drawn = [by_name[column.name] for column in found if column.distance is not None][:_DRAWN]
    return Shown(tuple(marginal(feature) for feature in drawn), projection(pair, points, rng), whole.log_ratios)


def _remarks(pair: Pair, points: Encoded, repeated: RepeatedRows, others: Sequence[str]) -> tuple[str, ...]:
    """What to keep in mind, in words."""
    found = list(pair.remarks)
    for name, count, compared in (("x", pair.n, len(points.x)), ("y", pair.m, len(points.y))):
        if compared < count:
            found.append(
                f"Rows are compared as wholes with {compared:,} of the {count:,} rows of {name}, drawn at random."
            )
    gaps = [feature.name for feature in pair.features if feature.has_gaps and feature.kind != "category"]
    if gaps:
        found.append(
            f"Values are missing in {listed(gaps, 8)}: such a column is "
            f"compared by the values that are there, and by how many are missing; in whole rows a missing number "
            f"counts as the median, and a coordinate of its own says that it is missing."
        )
    return tuple(dict.fromkeys([*found, *_of_repeated(pair, repeated), *others]))


def _of_repeated(pair: Pair, repeated: RepeatedRows) -> list[str]:
    """What rows that chance would not repeat mean."""
    found = []
    x_again, y_again, copies = repeated.marked
    if copies:
        found.append(
            f"{copies:,} of {pair.m:,} rows of y are copies of rows of x, in numbers of many digits: unless such "
            f"values repeat by nature, they were not drawn anew (a model would have memorised them), and p-value and "
            f"bounds, which take rows for independent, do not hold."
        )
    for name, count, many in (("x", x_again, pair.n), ("y", y_again, pair.m)):
        if count:
            found.append(
                f"{count:,} of {many:,} rows of {name} repeat others, in numbers of many digits: unless such values "
                f"repeat by nature, rows are not independent draws, and p-value and bounds do not hold."
            )
    return found


class _Bar:
    """A bar of the stages, weighted by about how long they take."""

    _WEIGHTS: Final = {"columns": 10, "divergences": 45, "wasserstein1": 25, "test": 15, "pictures": 5}

    def __init__(self, columns: int, shown: bool) -> None:
        from tqdm import tqdm

        self._bar = tqdm(total=100.0, disable=not shown, bar_format="{l_bar}{bar}| {elapsed}", leave=False)
        self._columns, self._ahead = columns, 0.0

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.update(self._ahead)
        self._bar.close()

    def begin(self, stage: str) -> None:
        """The stage before this one is over."""
        self._bar.set_description(stage, refresh=True)
        self._bar.update(self._ahead)
        self._ahead = 0.0 if stage == "columns" else float(self._WEIGHTS[stage])

    def column(self) -> None:
        """One more column is done."""
        self._bar.update(self._WEIGHTS["columns"] / self._columns)
