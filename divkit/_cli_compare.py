"""`divkit compare`: two tables beside each other, and a gate for pipelines."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table as Grid
from rich.text import Text

from divkit._cli_output import Json, Seed, console, print_json
from divkit._errors import DivkitError, InvalidInput
from divkit._table_files import read_table
from divkit._tables import Table
from divkit.comparison._joint import PARTS
from divkit.comparison.conditions import Condition, parsed_condition
from divkit.comparison.report import COLUMN_HEADS, NUMBER_HEADS, column_cells, number_cells
from divkit.comparison.result import Comparison, written
from divkit.comparison.verb import compare
from divkit.two_sample import STATISTICS

__all__ = ["two_tables"]

_CONDITION = (
    "Exit with 1 if this holds, such as 'p_value < 0.01', 'jsd.lower > 0.05', 'wasserstein1.upper > 2' or "
    "'columns[age].adjusted < 0.01'; may be given several times."
)
_FILE = ".csv, .tsv, .parquet, .npy or .npz[:NAME]"


def two_tables(
    first: Annotated[str, typer.Argument(metavar="A", help=f"A table: {_FILE}. The data, or the old one.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another one. The model, or the new one.")],
    html: Annotated[Path | None, typer.Option(help="Write a page with pictures; it needs nothing else.")] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            help="Only these, with commas between, or one by one; by default all columns, which both must have."
        ),
    ] = None,
    fail_if: Annotated[list[str] | None, typer.Option(help=_CONDITION)] = None,
    standardize: Annotated[
        bool | None,
        typer.Option(
            help="Count numbers in standard deviations of their column where rows are compared as wholes; by default "
            "where columns have names."
        ),
    ] = None,
    parts: Annotated[
        str, typer.Option(help="What is found out about whole rows; columns are always compared.")
    ] = ",".join(PARTS),
    statistic: Annotated[str, typer.Option(help=f"Of the test: one of {', '.join(STATISTICS)}.")] = "energy",
    correction: Annotated[
        str, typer.Option(help="Of the p-values of columns: benjamini-hochberg or holm.")
    ] = "benjamini-hochberg",
    permutations: Annotated[int, typer.Option(help="The p-value is a multiple of 1/(1 + permutations).", min=1)] = 999,
    rows: Annotated[int, typer.Option(help="At most so many of each table are compared as wholes.", min=1)] = 10_000,
    level: Annotated[float, typer.Option(help="Confidence level of each interval.")] = 0.95,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Are two tables from one law, and if not, how far apart are they and where?

    Exit code 0; 1 if a condition of --fail-if holds; 2 for input that cannot be compared, and for conditions that
    cannot be judged.
    """
    conditions = [parsed_condition(text) for text in fail_if or []]
    if html is not None and not html.absolute().parent.is_dir():
        raise InvalidInput(f"--html {html}: there is no folder {html.parent}; make it first")
    tables = read_table("A", first, strict=False), read_table("B", second, strict=False)
    found = compare(
        *tables,
        columns=None if columns is None else _named(columns, tables[0]),
        standardize=standardize,
        parts=[name.strip() for name in parts.split(",") if name.strip()],
        statistic=statistic,
        correction=correction,
        permutations=permutations,
        rows=rows,
        level=level,
        progress=sys.stderr.isatty(),
        rng=seed,
    )
    if html is not None:
        found.to_html(html, title=f"{Path(first).name} and {Path(second).name} compared")
    held, unjudged = _judged(conditions, found)
    if as_json:
        failed = [str(condition) for condition in held]
        print_json(written({"A": first, "B": second, **found.to_dict(), "failed": failed}))
    else:
        _print(found)
        if html is not None:
            typer.echo(f"wrote {html}")
    for condition in held:
        print(f"divkit: condition holds: {condition}", file=sys.stderr)
    if unjudged is not None:
        raise unjudged
    if held:
        raise typer.Exit(1)


def _named(columns: list[str], table: Table) -> list[str]:
    """Names of columns; a text that is no name is a list of some."""
    names = {column.name for column in table.columns}
    return [name for text in columns for name in ([text] if text in names else map(str.strip, text.split(",")))]


def _judged(conditions: list[Condition], found: Comparison) -> tuple[list[Condition], DivkitError | None]:
    """The conditions that hold, and why one of the others could not be judged."""
    held: list[Condition] = []
    unjudged: DivkitError | None = None
    for condition in conditions:
        try:
            if condition.holds(found):
                held.append(condition)
        except DivkitError as error:
            unjudged = unjudged or error
    return held, unjudged


def _print(found: Comparison) -> None:
    typer.echo(found.verdict)
    wide = console(150)
    for heads, rows in (
        (NUMBER_HEADS[:5], [number_cells(row)[:5] for row in found.table()]),
        (COLUMN_HEADS, [column_cells(column) for column in found.columns]),
    ):
        table = Grid(*heads)
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        wide.print(table)
    for remark in found.remarks:
        typer.echo(f"- {remark}")
