"""The tables of benchmarks/exact_transport.py."""

from __future__ import annotations

import contextlib
from typing import Any

from _markdown import footer, load, markdown, ms, times


def seconds(value: float | None) -> str:
    return "" if value is None else ms(1e3 * value) if value < 1 else f"{value:.3g} s"


def mb(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f} MB" if value >= 10 else f"{value:.2g} MB"


def memory(row: dict[str, Any]) -> str:
    """Peak memory of both sides, as far as it was measured."""
    if "divkit_peak_mb" not in row:
        return ""
    return f"{mb(row['divkit_peak_mb'])} / {mb(row.get('pot_peak_mb')) or '-'}"


def points(row: dict[str, Any]) -> list[str]:
    """The cells that say what is solved."""
    case = row["case"] + (", random masses" if row["masses"] == "random" else "")
    return [case, f"{row['n']:,}", str(row["d"]), str(row["p"])]


POINTS = ["problem", "n = m", "d", "p"]


def powers(exponents: dict[str, float | None]) -> str:
    """Fitted exponents in words."""
    known = [f"n^{value:.2f} (d = {d})" for d, value in exponents.items() if value is not None]
    return ", ".join(known) or "not fitted"


def clock(result: dict[str, Any]) -> str:
    """Whose seconds were counted."""
    return f"Times are {result['clock']}.\n" if "clock" in result else ""


def exact_transport_race() -> str:
    result = load("exact_transport_race")
    rows = [
        [
            *points(row),
            seconds(row["divkit_ms"] / 1e3),
            seconds(row["all_cores_ms"] / 1e3),
            seconds(row["pot_ms"] / 1e3) + (", once" if row["pot_repeats"] == 1 else ""),
            times(row["pot_over_divkit"]),
            memory(row),
            f"`{row['method']}`",
        ]
        for row in result["rows"]
    ]
    cores = f"{result['cores_used']} threads"
    heads = [*POINTS, "divkit", f"on {cores}", "POT", "POT / divkit", "peak memory, divkit / POT", "`auto` takes"]
    fits = result["exponents"]
    sentence = f"\nFitted times: divkit {powers(fits['divkit'])}; POT {powers(fits['pot'])}.\n"
    worst = max(row["relative_difference"] for row in result["rows"])
    return (
        markdown(heads, rows) + sentence + f"The costs of both agree to {worst:.1e}.\n" + clock(result) + footer(result)
    )


def exact_transport_scale() -> str:
    result = load("exact_transport_scale")
    rows = [
        [
            *points(row),
            seconds(row["seconds"]),
            seconds(row.get("all_cores_seconds")),
            mb(row["peak_mb"]),
            f"{row['gap']:.0e}" if row["gap"] > 0 else "0",
            "" if row["rounds"] is None else str(row["rounds"]),
            "" if row["arcs"] is None else f"{row['arcs']:,}",
        ]
        for row in result["rows"]
    ]
    heads = [*POINTS, "one thread", f"{result['cores_used']} threads", "peak memory", "relative gap", "rounds", "arcs"]
    return markdown(heads, rows) + f"\nFitted times: {powers(result['exponents'])}.\n" + clock(result) + footer(result)


def exact_transport_assignment() -> str:
    result = load("exact_transport_assignment")
    rows = [
        [
            *points(row),
            seconds(row["divkit_ms"] / 1e3),
            seconds(row["scipy_ms"] / 1e3),
            times(row["scipy_over_divkit"]),
            "not installed" if row["lapx_ms"] is None else seconds(row["lapx_ms"] / 1e3),
            times(row["lapx_over_divkit"]),
        ]
        for row in result["rows"]
    ]
    heads = [
        *POINTS,
        "divkit",
        "`scipy.optimize.linear_sum_assignment`",
        "SciPy / divkit",
        "`lap.lapjv`",
        "lapx / divkit",
    ]
    return markdown(heads, rows) + footer(result)


def exact_transport_tolerance() -> str:
    result = load("exact_transport_tolerance")
    rows = [
        [
            *points(row),
            f"{100 * row['tolerance']:g} %",
            seconds(row.get("seconds")),
            seconds(row["all_cores_seconds"]),
            f"{100 * row['gap']:.2g} %",
            mb(row["peak_mb"]),
        ]
        for row in result["rows"]
    ]
    heads = [*POINTS, "tolerance", "one thread", f"{result['cores_used']} threads", "gap reached", "peak memory"]
    return markdown(heads, rows) + footer(result)


def exact_transport() -> str:
    """The short table of the README: W_1 of shifted Gaussians, against POT as far as that was run."""
    raced = load("exact_transport_race")
    rows, alone = [], []
    with contextlib.suppress(FileNotFoundError):  # the sizes that POT cannot run are measured apart
        alone = load("exact_transport_scale")["rows"]
    for row in (row for row in raced["rows"] if plain_w1(row) and row["n"] >= 1000):
        pair = [seconds(row["divkit_ms"] / 1e3), seconds(row["pot_ms"] / 1e3)]
        rows.append([f"{row['n']:,}", str(row["d"]), *pair, times(row["pot_over_divkit"]), memory(row)])
    largest = max(row["n"] for row in raced["rows"])
    for row in (row for row in alone if plain_w1(row) and row["n"] > largest and row["seconds"] is not None):
        rows.append(
            [f"{row['n']:,}", str(row["d"]), seconds(row["seconds"]), "not run", "", f"{mb(row['peak_mb'])} / -"]
        )
    heads = [
        "W_1 between n and n points",
        "d",
        "divkit, one thread",
        "POT",
        "POT / divkit",
        "peak memory, divkit / POT",
    ]
    return markdown(heads, rows) + footer(raced)


def plain_w1(row: dict[str, Any]) -> bool:
    return row["case"] == "shifted Gaussians" and row["p"] == 1 and row["masses"] == "equal"


def exact_transport_curves() -> str:
    """The pictures that docs/pictures.py has drawn from the same results."""
    load("exact_transport_race"), load("exact_transport_scale")
    return (
        "![Time against the number of points, divkit and POT, with fitted exponents](images/transport_time.png)\n\n"
        "![Peak memory against the number of points, divkit and POT](images/transport_memory.png)\n"
    )
