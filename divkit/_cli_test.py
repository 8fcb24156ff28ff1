"""`divkit test`: the permutation test of two files."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from divkit._cli_measures import Kind, file_measure
from divkit._cli_output import Json, Seed, console, print_json
from divkit._files import read_array
from divkit.measures import Samples
from divkit.two_sample import STATISTICS
from divkit.two_sample.permutation import two_sample_test
from divkit.two_sample.result import TestResult

__all__ = ["two_files"]


def two_files(
    first: Annotated[str, typer.Argument(metavar="A", help="A file of points: .csv, .tsv, .npy or .npz[:NAME].")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
    statistic: Annotated[str, typer.Option(help=f"One of {', '.join(STATISTICS)}.")] = "energy",
    permutations: Annotated[int, typer.Option(help="The p-value is a multiple of 1/(1 + permutations).", min=1)] = 999,
    paired: Annotated[bool, typer.Option("--paired", help="Line i of A belongs to line i of B.")] = False,
    stop_after: Annotated[
        int | None, typer.Option(help="End after so many permuted statistics as large as the observed one.", min=1)
    ] = None,
    level: Annotated[float, typer.Option(help="Confidence level of the intervals.")] = 0.95,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Do two files come from one law? A permutation test: exact at every size."""
    P, Q = (file_measure(name, path, read_array(path), Kind.samples) for name, path in (("A", first), ("B", second)))
    assert isinstance(P, Samples)
    assert isinstance(Q, Samples)
    found = two_sample_test(
        P,
        Q,
        statistic,
        permutations=permutations,
        paired=paired,
        stop_after=stop_after,
        level=level,
        rng=seed,
    )
    if as_json:
        print_json({**found.to_dict(), "p_interval": list(found.p_interval(level)), "A": first, "B": second})
    else:
        _print(found, level)


def _print(found: TestResult, level: float) -> None:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row("statistic", f"{found.name} = {found.statistic:.6g}")
    table.add_row("p-value", f"{found.p_value:.4g}")
    low, high = found.p_interval(level)
    kind = "all arrangements" if low == high else f"of all arrangements in [{low:.4g}, {high:.4g}], level {level:g}"
    table.add_row("", kind)
    table.add_row("permutations", f"{len(found.null):,}{', ended early' if found.info['stopped'] else ''}")
    table.add_row("points", f"{found.n:,} and {found.m:,}")
    if found.effect is not None:
        effect = found.effect
        table.add_row("effect", f"{effect.divergence} = {effect:.6g}, {effect.bound} ({effect.estimand})")
        if effect.interval is not None and effect.level is not None:
            sure = "certain" if effect.level == 1 else f"level {effect.level:g}"
            table.add_row("", f"in [{effect.interval[0]:.6g}, {effect.interval[1]:.6g}], {sure}")
    console().print(table)
