"""The tables of the coverage part of benchmarks/fdiv_accuracy.py."""

from __future__ import annotations

from _fdiv_tables import NAMES, Row, per_cent, titled
from _markdown import footer, load, markdown

HOLDS = 0.93  # of draws: two of a hundred less than promised may be chance
_COVERED = ("kl", "jsd", "squared_hellinger", "total_variation", "pearson_chi2")


def fdiv_limits() -> str:
    """How often limits hold, method by method, and every row in which one holds too rarely."""
    result = load("fdiv_coverage")
    found = [row for row in result["rows"] if "lower_held" in row]
    groups: dict[tuple[str, int], list[Row]] = {}
    for row in found:
        groups.setdefault((row["contestant"], row["n"]), []).append(row)
    rows = []
    for (contestant, n), held in groups.items():
        shares = [row["lower_held"] for row in held]
        seen = sorted(row["seen_held"] for row in held if "seen_held" in row)
        enough = sum(share >= HOLDS for share in shares)
        spread = f"{per_cent(seen[0])} to {per_cent(seen[-1])}, median {per_cent(seen[len(seen) // 2])}" if seen else ""
        rows.append([f"`{contestant}`", f"{n:,}", str(len(held)), per_cent(min(shares)), str(enough), spread])
    heads = ["method", "n = m", "rows", "least share above the limit", f"rows with {per_cent(HOLDS)} or more"]
    heads += ["share in the interval with two ends"]
    low = [
        [NAMES[row["divergence"]], row["task"], f"{row['n']:,}", f"`{row['contestant']}`", per_cent(row["lower_held"])]
        for row in found
        if row["lower_held"] < HOLDS
    ]
    misses = titled("Where the limit holds less often", ["divergence", "task", "n = m", "method", "share"], low)
    return markdown(heads, rows) + _limit_draws(result) + misses + footer(result)


def _limit_draws(result: Row) -> str:
    return f"\n{result['draws']} draws a row; limits and intervals at level {result['level']:g}.\n"


def fdiv_coverage() -> str:
    """Shares of draws in which limits hold; one row a task, size and method."""
    result = load("fdiv_coverage")
    rows: list[list[str]] = []
    grouped: dict[tuple[str, int, str], list[Row]] = {}
    for row in result["rows"]:
        if "lower_held" in row:
            grouped.setdefault((row["task"], row["n"], row["contestant"]), []).append(row)
    for (task, n, contestant), held in grouped.items():
        shares = {row["divergence"]: row for row in held}
        cell = [_shares(shares.get(key)) for key in _COVERED]
        rows.append([task, f"{n:,}", f"`{contestant}`", *cell])
    heads = ["task", "n = m", "method", *(NAMES[key] for key in _COVERED)]
    return markdown(heads, rows) + _limit_draws(result) + footer(result)


def _shares(row: Row | None) -> str:
    """The share of draws with the truth above the limit, and of intervals with two ends that hold it."""
    if row is None:
        return ""
    inner = f"; {per_cent(row['seen_held'])}" if "seen_held" in row else ""
    return per_cent(row["lower_held"]) + inner


TABLES = {"fdiv_limits": fdiv_limits, "fdiv_coverage": fdiv_coverage}
