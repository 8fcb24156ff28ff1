"""A comparison as text, as tables in a notebook, and as a page that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Any, Final

from divkit.comparison._markup import escape, number, percent
from divkit.comparison._shown import as_date
from divkit.comparison._svg import drawn_as_svg
from divkit.comparison.pictures import panels

if TYPE_CHECKING:
    from divkit.comparison.columns import ColumnComparison
    from divkit.comparison.result import Comparison

__all__ = ["as_text", "column_cells", "fragment", "number_cells", "page"]

_NAMES: Final = {
    "p_value": "p-value",
    "effect": "effect",
    "kl": "KL(x || y)",
    "reverse_kl": "KL(y || x)",
    "jsd": "Jensen-Shannon divergence",
    "pearson_chi2": "Pearson chi2",
    "neyman_chi2": "Neyman chi2",
    "squared_hellinger": "squared Hellinger distance",
    "hellinger": "Hellinger distance",
    "total_variation": "total variation",
    "jeffreys": "Jeffreys divergence",
    "wasserstein1": "W1 between the samples",
    "wasserstein1_null": "W1 by chance",
    "wasserstein1_lower": "W1 between the laws, from below",
    "wasserstein1_upper": "W1 between the laws, from above",
    "copies": "rows of y copied from x",
    "x_duplicates": "repeated rows of x",
    "y_duplicates": "repeated rows of y",
}
NUMBER_HEADS: Final = ("quantity", "value", "interval", "kind", "method", "meaning")
COLUMN_HEADS: Final = ("column", "kind", "in x", "in y", "distance", "in deviations", "JSD at least", "p", "missing")


def number_cells(row: dict[str, Any]) -> tuple[str, ...]:
    """A row of `Comparison.table` as text, in the order of NUMBER_HEADS."""
    low, high = row["low"], row["high"]
    sure = "certain" if row["level"] in (None, 1.0) else f"level {row['level']:g}"
    if low is None:
        interval = "–"
    elif row["kind"] == "lower bound":
        interval = f"at least {number(low, ROUND_FLOOR)}, {sure}"
    elif row["kind"] == "upper bound":
        interval = f"at most {number(high, ROUND_CEILING)}, {sure}"
    else:
        interval = f"[{number(low, ROUND_FLOOR)}, {number(high, ROUND_CEILING)}], {sure}"
    name = _NAMES.get(row["quantity"], row["quantity"])
    return name, number(row["value"]), interval, f"{row['kind']}, {row['of']}", row["method"], row["meaning"]


def column_cells(column: ColumnComparison) -> tuple[str, ...]:
    """A column as text, in the order of COLUMN_HEADS."""
    if column.means is None or column.spreads is None:
        sides = [_largest(column, side) for side in (0, 1)]
    else:
        sides = [_moments(column, column.means[side], column.spreads[side]) for side in (0, 1)]
    least = None if column.jsd is None or column.jsd.interval is None else column.jsd.interval[0]
    distance, relative = number(column.distance), number(column.relative)
    if column.kind == "category":
        distance, relative = f"{distance} (TV)" if column.distance is not None else distance, "–"
    elif column.kind in ("time", "duration") and column.distance is not None:
        distance += " days"
    missing = "–"
    if any(column.missing):
        missing = f"{percent(column.missing[0])}, {percent(column.missing[1])}"
        if column.missing_p_value is not None:
            missing += f" (p {number(column.missing_p_value, ROUND_CEILING)})"
    p = number(column.adjusted, ROUND_CEILING)
    return (
        " ".join(column.name.split()),
        column.kind,
        *sides,
        distance,
        relative,
        number(least, ROUND_FLOOR),
        p,
        missing,
    )


def _moments(column: ColumnComparison, mean: float, spread: float) -> str:
    """Mean and deviation, with units of times."""
    if math.isnan(mean):
        return "–"
    unit = " days" if column.kind in ("time", "duration") else ""
    return f"{_middle(column.kind, mean)} ± {number(spread)}{unit}"


def _middle(kind: str, mean: float) -> str:
    return as_date(mean) if kind == "time" else number(mean)


def _largest(column: ColumnComparison, side: int) -> str:
    """The most frequent categories of a side."""
    order = sorted(column.shares, key=lambda level: -max(column.shares[level]))[:3]
    return ", ".join(f"{level} {percent(column.shares[level][side])}" for level in order)


def as_text(found: Comparison) -> str:
    """Verdict, numbers, columns and remarks, aligned."""
    parts = [found.verdict, ""]
    parts += _aligned(NUMBER_HEADS[:5], [number_cells(row)[:5] for row in found.table()])
    parts += ["", *_aligned(COLUMN_HEADS, [column_cells(column) for column in found.columns])]
    parts += ["", *found.remarks] if found.remarks else []
    return "\n".join(parts)


def _aligned(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(line[j]) for line in [heads, *rows]) for j in range(len(heads))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in [heads, *rows]
    ]


def fragment(found: Comparison) -> str:
    """Verdict and tables, for notebooks."""
    remarks = "".join(f"<li>{escape(remark)}</li>" for remark in found.remarks)
    return (
        f"<div><p><strong>{escape(found.verdict)}</strong></p>{_numbers(found)}{_columns(found)}"
        f"{f'<ul>{remarks}</ul>' if remarks else ''}</div>"
    )


def page(found: Comparison, title: str) -> str:
    """The page.

    Parameters
    ----------
    found : Comparison
    title : str
    """
    from divkit import __version__

    own = files("divkit.comparison")
    template = Template(own.joinpath("page.html").read_text(encoding="utf-8"))
    remarks = "".join(f"<li>{escape(remark)}</li>\n" for remark in found.remarks)
    compared = f"{found.compared[0]:,} and {found.compared[1]:,} rows compared as wholes"
    return template.substitute(
        title=escape(title),
        style=own.joinpath("page.css").read_text(encoding="utf-8").strip(),
        sizes=escape(f"x has {found.n:,} rows, y has {found.m:,}; {len(found.columns)} columns; {compared}"),
        verdict=escape(found.verdict),
        cards="\n".join(_cards(found)),
        remarks=_remarks(remarks),
        pictures="\n".join(_pictures(found)),
        numbers=_numbers(found),
        columns=_columns(found),
        footer=escape(
            f"divkit {__version__}. What was drawn at random, such as permutations, is the same for the same seed."
        ),
    )


def _remarks(items: str) -> str:
    if not items:
        return ""
    head = '<section aria-labelledby="remarks">\n<h2 id="remarks">Keep in mind</h2>\n'
    return f"{head}<ul>\n{items}</ul>\n</section>"


def _cards(found: Comparison) -> list[str]:
    """The numbers that matter most."""
    cards = [("p-value of equal laws", number(found.p_value, ROUND_CEILING), "small where they differ")]
    jsd = found.divergences.get("jsd")
    if jsd is not None and jsd.interval is not None:
        cards.append(
            (
                "Jensen-Shannon divergence",
                f"≥ {number(jsd.interval[0], ROUND_FLOOR)}",
                f"of at most 0.693; level {found.level:g}",
            )
        )
    if found.limits is not None:
        low, high = found.limits
        cards.append(
            (
                "W1 between the laws",
                f"{number(low, ROUND_FLOOR)} to {number(high, ROUND_CEILING)}",
                f"in {found.unit}",
            )
        )
    elif found.wasserstein1 is not None:
        cards.append(("W1 between the samples", number(found.wasserstein1), f"in {found.unit}"))
    cards.append(("columns that moved", f"{len(found.changed)} of {len(found.columns)}", ", ".join(found.changed[:5])))
    return [
        f'<li><span class="name">{escape(name)}</span><span class="value">{escape(value)}</span>'
        f'<span class="note">{escape(note)}</span></li>'
        for name, value, note in cards
    ]


def _pictures(found: Comparison) -> list[str]:
    return [
        f"<figure>\n{drawn_as_svg(panel, f'p{place}')}\n<figcaption>{escape(panel.alternative)}</figcaption>\n</figure>"
        for place, panel in enumerate(panels(found))
    ]


def _numbers(found: Comparison) -> str:
    caption = (
        f"Numbers about whole rows. Each limit holds at the level beside it, by itself; both limits of W1 together at "
        f"level {found.level:g}."
    )
    rows = [number_cells(row) for row in found.table()]
    return _table("Numbers", caption, NUMBER_HEADS, rows, [False] * len(rows))


def _columns(found: Comparison) -> str:
    caption = (
        "Distances are W1 in the units of the column, or total variation (TV) for categories; p, of values and gaps, "
        "is corrected for the number of columns, that of gaps in brackets is not."
    )
    moved = [column.name in found.changed for column in found.columns]
    return _table("Columns", caption, COLUMN_HEADS, [column_cells(column) for column in found.columns], moved)


def _table(
    label: str, caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], marked: Sequence[bool]
) -> str:
    """With the roles that a table loses when a narrow screen shows its cells as blocks."""
    head = "".join(f'<th role="columnheader" scope="col">{escape(name)}</th>' for name in heads)
    body = []
    for cells, mark in zip(rows, marked, strict=True):
        own = "".join(
            f'<td role="cell" data-label="{escape(name)}">{escape(cell)}</td>'
            for name, cell in zip(heads[1:], cells[1:], strict=True)
        )
        name = f"{escape(cells[0])}{' (moved)' if mark else ''}"
        body.append(
            f'<tr role="row"{" class=moved" if mark else ""}><th role="rowheader" scope="row">{name}</th>{own}</tr>'
        )
    rows_text = "\n".join(body)
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(label)}">\n<table role="table">\n'
        f'<caption>{escape(caption)}</caption>\n<thead role="rowgroup"><tr role="row">{head}</tr></thead>\n'
        f'<tbody role="rowgroup">\n{rows_text}\n</tbody>\n</table>\n</div>'
    )
