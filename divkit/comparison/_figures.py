"""The numbers of a comparison by name, each with its kind, its method and a sentence of what it means."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING
from typing import TYPE_CHECKING, Any, Final

from divkit.comparison._markup import number
from divkit.comparison._noted import listed
from divkit.result import Estimate

if TYPE_CHECKING:
    from divkit.comparison.result import Comparison

__all__ = ["figures", "table_rows", "verdict"]

_KINDS: Final = {
    "exact": "exact",
    "lower": "lower bound",
    "upper": "upper bound",
    "consistent": "estimate",
    "heuristic": "no guarantee",
}
_DIVERGENCES: Final = {
    "kl": "Nats that a code made for the law of y wastes on a row of x; infinite if x can have rows that y cannot.",
    "reverse_kl": "Nats that a code for the law of x wastes on a row of y; infinite if y can have rows that x cannot.",
    "jsd": "Nats by which a row tells which of the samples it is from; 0 for equal laws, log 2 = 0.693 if it always "
    "does.",
    "pearson_chi2": "Variance, over y, of how many times likelier a row is under x; ruled by rows that y hardly has.",
    "neyman_chi2": "Variance, over x, of how many times likelier a row is under y; ruled by rows that x hardly has.",
    "squared_hellinger": "Between 0 and 2; 2 less twice the overlap of the densities' square roots.",
    "hellinger": "The metric between 0 and 1 of the same overlap.",
    "total_variation": "The largest difference in the probability of any event; the best guess of a row's sample is "
    "right with (1 + TV)/2.",
    "jeffreys": "The sum of KL in both directions.",
}


def verdict(found: Comparison) -> str:
    """What was found, in sentences."""
    return " ".join(part for part in (_of_laws(found), _of_columns(found)) if part)


def _of_laws(found: Comparison) -> str:
    if found.test is None:
        return "Equal laws were not tested."
    p = f"p = {number(found.test.p_value, ROUND_CEILING)}, {found.test.name} test"
    if found.test.p_value <= found.alpha:
        return f"The samples differ by more than chance makes of equal laws ({p})."
    unproved = f"No more difference than chance makes of equal laws ({p}). That does not prove the laws equal"
    if found.limits is None:
        return f"{unproved}."
    return f"{unproved}: W1 between them may be up to {number(found.limits[1], ROUND_CEILING)}."


def _of_columns(found: Comparison) -> str:
    if all(column.adjusted is None for column in found.columns):
        return "No column was tested by itself."
    if found.changed:
        return f"{len(found.changed)} of {len(found.columns)} columns moved: {listed(found.changed, 4)}."
    return "No column by itself shows a difference." if len(found.columns) > 1 else ""


def table_rows(found: Comparison) -> list[dict[str, Any]]:
    """A row for every number about the samples as wholes; columns have rows of their own in `columns`."""
    rows = [] if found.test is None else _of_test(found)
    rows += [_row(name, value, _DIVERGENCES.get(name, "")) for name, value in found.divergences.items()]
    rows += _of_w1(found)
    copies = (
        f"Of {found.m:,} rows of y, those that equal a row of x in every column that is compared; a model that "
        f"memorises has many, data with few different values as well."
    )
    rows.append(_counted("copies", found.rows.y_copies, copies))
    rows.append(_counted("x_duplicates", found.rows.x_duplicates, "Rows of x that an earlier one equals."))
    rows.append(_counted("y_duplicates", found.rows.y_duplicates, "Rows of y that an earlier one equals."))
    return rows


def _of_test(found: Comparison) -> list[dict[str, Any]]:
    assert found.test is not None
    test = found.test
    low, high = test.p_interval(found.level)
    meaning = (
        f"How often the {test.name} statistic is at least as large when rows are dealt to the samples at random "
        f"({len(test.null):,} times): small where the laws differ. If they are equal, it is below alpha with a "
        f"probability of at most alpha, whatever alpha."
    )
    first = {
        "quantity": "p_value", "value": test.p_value, "kind": "valid at every size", "low": low, "high": high,
        "level": found.level, "of": "laws", "method": f"{test.name}, permutations", "meaning": meaning,
    }  # fmt: skip
    if test.effect is None:
        return [first]
    size = f"The size of what was tested, {test.effect.divergence}, from {_rows(found)}."
    return [first, _row("effect", test.effect, size)]


def _of_w1(found: Comparison) -> list[dict[str, Any]]:
    rows = []
    if found.wasserstein1 is not None:
        meaning = f"How far mass has to be moved, on average, to make {_rows(found)} of x those of y, in {found.unit}."
        rows.append(_row("wasserstein1", found.wasserstein1, meaning))
    if found.null is not None:
        meaning = (
            "W1 between two halves of one sample, the larger one: what chance alone makes of equal laws with half as "
            "many rows."
        )
        rows.append({**_counted("wasserstein1_null", found.null, meaning), "method": "exact transport"})
    if found.bounds is not None:
        lower, upper = found.bounds
        both = f"With probability {found.level:g} W1 between the laws is above this limit and below the upper one"
        rows.append(
            _row("wasserstein1_lower", lower, f"{both}; the value itself is the mean difference of a fitted function.")
        )
        meaning = "The other limit; the value itself is W1 between samples, which on average is too large."
        rows.append(_row("wasserstein1_upper", upper, meaning))
    return rows


def _rows(found: Comparison) -> str:
    """What stands for the samples."""
    if found.compared == (found.n, found.m):
        return "the rows"
    return f"the {found.compared[0]:,} and {found.compared[1]:,} rows drawn"


def _row(name: str, value: Estimate, meaning: str) -> dict[str, Any]:
    low, high = value.interval or (None, None)
    return {
        "quantity": name,
        "value": float(value),
        "kind": _KINDS[value.bound],
        "low": low,
        "high": high,
        "level": value.level,
        "of": "samples" if value.estimand == "given" else "laws",
        "method": value.method,
        "meaning": meaning,
    }


def _counted(name: str, value: float, meaning: str) -> dict[str, Any]:
    return {
        "quantity": name, "value": value, "kind": "exact", "low": None, "high": None, "level": None,
        "of": "samples", "method": "count", "meaning": meaning,
    }  # fmt: skip


def figures(found: Comparison) -> dict[str, float | None]:
    """Every number that a condition may name; None where it could not be computed."""
    held: dict[str, float | None] = {
        "p_value": None if found.test is None else found.test.p_value,
        "changed": float(len(found.changed)),
        "copies": float(found.rows.y_copies),
        "x_duplicates": float(found.rows.x_duplicates),
        "y_duplicates": float(found.rows.y_duplicates),
        "wasserstein1": None if found.wasserstein1 is None else float(found.wasserstein1),
        "wasserstein1.null": found.null,
    }
    held["wasserstein1.lower"], held["wasserstein1.upper"] = found.limits or (None, None)
    for name in _DIVERGENCES:
        value = found.divergences.get(name)
        low, high = (None, None) if value is None else value.interval or (None, None)
        held |= {name: None if value is None else float(value), f"{name}.lower": low, f"{name}.upper": high}
    for column in found.columns:
        own = {name: getattr(column, name) for name in _OF_COLUMNS}
        own |= {"missing_x": column.missing[0], "missing_y": column.missing[1]}
        own |= {"jsd": None, "jsd.lower": None}
        if column.jsd is not None:
            own |= {"jsd": float(column.jsd), "jsd.lower": (column.jsd.interval or (math.nan,))[0]}
        held |= {f"columns[{column.name}].{name}": value for name, value in own.items()}
    return held


_OF_COLUMNS: Final = ("p_value", "adjusted", "distance", "relative", "missing_p_value")
