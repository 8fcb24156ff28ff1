"""The tables of benchmarks/critics.py."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

from _markdown import footer, load, markdown, ms, times
from _transport_tables import seconds

Row = dict[str, Any]
ENOUGH = 0.97  # share of the truth where the published certificate has more


def share(value: float) -> str:
    """Per cent of the truth."""
    return f"{100 * value:.1f} %" if value < 10 else f"{value:.1f} x"


def task(row: Row) -> str:
    """(D, N) of a public task."""
    return "({}, {})".format(*row["task"].split("_"))


def laws() -> str:
    result = load("critics_laws")
    layers = {row["task"]: row["value"] for row in load("critics_layers")["rows"]}
    rows = [
        [
            task(row),
            f"{row['truth']:.4g}",
            f"**{share(row['value'])}**",
            share(row["limit"]),
            share(row["published_SO"]),
            made_of(row),
            share(layers[row["task"]]),
            share(row["upper"]),
            share(row["null"]),
            seconds(row["seconds"]),
        ]
        for row in result["rows"]
    ]
    heads = [
        "(D, N)",
        "W_1",
        "lower bound",
        "its limit",
        "published, certified",
        "by",
        "without cones",
        "upper bound",
        "x against x'",
        "time",
    ]
    return markdown(heads, rows) + f"\n{promises(result['rows'])}\n" + footer(result)


def made_of(row: Row) -> str:
    """What the bound came from."""
    if row["source"] != "kr":
        return str(row["source"])
    return "`cones`" if row["constraint"] == "cones" else f"`{row['activation']}`, {row['depth']} layers"


def promises(rows: list[Row]) -> str:
    """What was asked for, and how many tasks have it."""
    values = [row["value"] for row in rows]
    above = sum(row["value"] >= min(row["published_SO"], ENOUGH) for row in rows)
    return (
        f"The lower bound is {share(min(values))} of the truth at least and {share(median(values))} in the median, and "
        f"no less than the published one (or {share(ENOUGH)}) in {above} of {len(rows)} tasks. Its limit is above the "
        f"truth in {sum(row['limit'] > 1 for row in rows)}."
    )


def penalties() -> str:
    result = load("critics_penalties")
    rows = []
    for row in result["rows"]:
        cells = [[share(row[name]), share(row[f"{name}_published"])] for name in ("gp", "lp")]
        rows.append([task(row), f"{row['truth']:.4g}", *cells[0], *cells[1], seconds(row["lp_seconds"])])
    heads = ["(D, N)", "W_1", "`gp`", "published", "`lp`", "published", "time of `lp`"]
    errors = {
        name: median(abs(row[name] - 1) for row in result["rows"])
        for name in ("gp", "gp_published", "lp", "lp_published")
    }
    words = (
        f"Median error: `gp` {share(errors['gp'])} (published {share(errors['gp_published'])}), `lp` "
        f"{share(errors['lp'])} (published {share(errors['lp_published'])})."
    )
    return markdown(heads, rows) + f"\n{words}\n" + footer(result)


def toys() -> str:
    result = load("critics_toys")
    rows = [
        [row["task"], f"{row['d']:,}", f"{row['truth']:g}", f"{row['value']:.5g}", seconds(row["seconds"])]
        for row in result["rows"]
    ]
    return markdown(["laws", "d", "W_1", "lower bound", "time"], rows) + footer(result)


def steps() -> str:
    result = load("critics_steps")
    rows = [
        [
            f"{row['depth']} x {row['width']}",
            str(row["d"]),
            ms(row["plain_ms"]),
            ms(row["certified_ms"]),
            times(row["certified_over_plain"]),
            ms(row["penalty_ms"]),
            times(row["double_backward_over_penalty"]),
            f"{row['gigaflops_a_plain_step']:.2g}",
        ]
        for row in result["rows"]
    ]
    heads = [
        "layers",
        "d",
        "plain step",
        "certified step",
        "certified / plain",
        "penalty, slopes written out",
        "double backward / that",
        "Gflop of a plain step",
    ]
    return markdown(heads, rows) + footer(result)


def neural() -> str:
    result = load("critics_neural")
    rows = [
        [
            row["divergence"],
            f"{row['truth']:.4g}",
            f"{row['value']:.4g}",
            f"{row['limit']:.4g}",
            f"{100 * (row['value'] / row['truth'] - 1):+.1f} %",
            seconds(row["seconds"]),
        ]
        for row in result["rows"]
    ]
    return markdown(["divergence", "truth", "lower bound", "its limit", "off by", "time"], rows) + footer(result)


TABLES: dict[str, Callable[[], str]] = {
    "critics_laws": laws,
    "critics_penalties": penalties,
    "critics_toys": toys,
    "critics_steps": steps,
    "critics_neural": neural,
}
