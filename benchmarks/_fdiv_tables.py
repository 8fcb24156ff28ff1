"""The tables of benchmarks/fdiv_accuracy.py."""

from __future__ import annotations

from typing import Any

from _markdown import footer, load, markdown

Row = dict[str, Any]
WITHIN = 1.10  # of the best peer's error
RELATIVE = 0.05  # of the truth

NAMES = {
    "kl": "KL",
    "reverse_kl": "reverse KL",
    "jsd": "JSD",
    "squared_hellinger": "squared Hellinger",
    "total_variation": "total variation",
    "pearson_chi2": "Pearson chi2",
}


def number(value: float | None) -> str:
    """Three digits; nothing where there is no number."""
    return "" if value is None else f"{value:.3g}"


def per_cent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.3g} %"


def points(n: int, m: int) -> str:
    return f"{n:,}" if n == m else f"{n:,} against {m:,}"


def peer_names(result: Row) -> list[str]:
    """The peers that have any row, in the order in which the run lists them."""
    present = {row["contestant"] for row in result["rows"]}
    return [peer["name"] for peer in result["peers"] if peer["name"] in present]


def cells(rows: list[Row]) -> dict[tuple[str, int, int], dict[str, Row]]:
    """{(task, n, m): {contestant: row}} in the order of the rows."""
    found: dict[tuple[str, int, int], dict[str, Row]] = {}
    for row in rows:
        found.setdefault((row["task"], row["n"], row["m"]), {})[row["contestant"]] = row
    return found


def error(row: Row | None, draws: int) -> str:
    """The root mean squared error; with the number of draws where it is smaller, and refusals."""
    if row is None:
        return ""
    if "rmse" not in row:
        return "refused"
    fewer = f" ({row['draws']} draws)" if row["draws"] + row["refusals"] < draws else ""
    return number(row["rmse"]) + fewer + (f" ({row['refusals']} refused)" if row["refusals"] else "")


def _errors(divergence: str) -> str:
    """Error of `auto` and of every peer for one divergence, the smallest in bold."""
    result = load("fdiv_accuracy")
    table = cells([row for row in result["rows"] if row["divergence"] == divergence])
    offering = ["auto", *(name for name in peer_names(result) if any(name in held for held in table.values()))]
    rows = []
    for (task, n, m), held in table.items():
        errors = [held[name]["rmse"] for name in offering if "rmse" in held.get(name, {})]
        if "auto" not in held or not errors:
            continue
        draws = result["draws"][str(max(n, m))]
        shown = [
            f"**{text}**" if held.get(name, {}).get("rmse") == min(errors) else text
            for name, text in ((name, error(held.get(name), draws)) for name in offering)
        ]
        rows.append([task, points(n, m), number(held["auto"]["truth"]), f"`{held['auto'].get('method', '')}`", *shown])
    heads = ["task", "points", "truth", "`auto` takes", "divkit", *offering[1:]]
    return markdown(heads, rows) + _draws(result) + footer(result)


def _draws(result: Row) -> str:
    counts = "; ".join(f"{int(size):,} points: {draws}" for size, draws in result["draws"].items())
    return f"\nRoot mean squared errors, the smallest in bold. Draws where the larger sample has {counts}.\n"


def fdiv_kl() -> str:
    return _errors("kl")


def fdiv_reverse_kl() -> str:
    return _errors("reverse_kl")


def fdiv_others() -> str:
    """All other divergences by `auto` at the largest size, with the best peer where one offers it."""
    result = load("fdiv_accuracy")
    peers, rows = peer_names(result), []
    largest = max(row["n"] for row in result["rows"] if row["n"] == row["m"])
    for divergence in ("jsd", "squared_hellinger", "total_variation", "pearson_chi2"):
        chosen = [row for row in result["rows"] if row["divergence"] == divergence and row["n"] == row["m"] == largest]
        for (task, _, _), held in cells(chosen).items():
            ours = held.get("auto", {})
            if "rmse" not in ours:
                continue
            rivals = [held[name] for name in peers if "rmse" in held.get(name, {})]
            best = min(rivals, key=lambda row: float(row["rmse"]), default=None)
            rival = "" if best is None else f"{number(best['rmse'])} ({best['contestant']})"
            relative = per_cent(ours["rmse"] / ours["truth"]) if ours["truth"] > 0 else ""
            shown = [number(ours[key]) for key in ("truth", "mean", "rmse")]
            rows.append([NAMES[divergence], task, *shown, relative, per_cent(ours.get("lower_held")), rival])
    heads = ["divergence", "task", "truth", "mean", "RMSE", "RMSE / truth", "lower limit held", "best peer's RMSE"]
    return markdown(heads, rows) + footer(result)


def fdiv_promises() -> str:
    """How often divkit does what it promises, and every row where it does not."""
    result = load("fdiv_accuracy")
    found = result["summary"]
    sentences = [
        f"- KL and reverse KL: the error of `auto` is the smallest, or within 10 % of the smallest, in "
        f"{per_cent(found['ranks_within'])} of {len(found['ranks'])} rows, each against the peer that does best there.",
        f"- JSD, squared Hellinger and total variation of laws with JSD >= 0.05, d <= 10 and 10,000 points: the error "
        f"is within 5 % of the truth in {per_cent(found['relative_errors_within'])} of "
        f"{len(found['relative_errors'])} rows.",
        f"- Lower bounds, before they are cut at 0 (which lifts the mean where the laws agree): the mean of ten draws "
        f"or more exceeds the truth by more than two standard errors in "
        f"{len(found['above_truth'])} of {found['lower_bound_rows']} rows; chance alone would give "
        f"{0.02275 * found['lower_bound_rows']:.0f} if every bound were tight.",
    ]
    misses = (_beaten(found["ranks"]), _far(found["relative_errors"]), _above(found["above_truth"]))
    return "\n".join(sentences) + "\n" + "".join(misses) + footer(result)


def _beaten(ranks: list[Row]) -> str:
    rows = [
        [
            NAMES[row["divergence"]],
            row["task"],
            points(row["n"], row["m"]),
            number(row["rmse"]),
            f"{row['peer']}: {number(row['peer_rmse'])}",
            f"{row['ratio']:.2f} x",
            str(row["draws"]),
        ]
        for row in sorted(ranks, key=lambda row: -row["ratio"])
        if row["ratio"] > WITHIN
    ]
    heads = ["divergence", "task", "points", "divkit's RMSE", "best peer's", "ratio", "draws of both"]
    return titled("Where a peer is nearer", heads, rows)


def _far(errors: list[Row]) -> str:
    rows = [
        [NAMES[row["divergence"]], row["task"], per_cent(row["relative_rmse"]), per_cent(row["relative_bias"])]
        for row in errors
        if row["relative_rmse"] > RELATIVE
    ]
    return titled("Where the error is above 5 %", ["divergence", "task", "RMSE / truth", "bias / truth"], rows)


def _above(found: list[Row]) -> str:
    rows = [
        [
            NAMES[row["divergence"]],
            row["task"],
            points(row["n"], row["m"]),
            f"`{row['contestant']}`",
            number(row["raw_bias"]),
            number(row["raw_bias_error"]),
        ]
        for row in found
    ]
    heads = ["divergence", "task", "points", "method", "mean less truth", "its standard error"]
    return titled("Where the mean is above the truth", heads, rows)


def titled(title: str, heads: list[str], rows: list[list[str]]) -> str:
    return f"\n{title}:\n\n{markdown(heads, rows)}" if rows else ""


def fdiv_speed() -> str:
    result = load("fdiv_speed")
    rows = []
    for row in result["rows"]:
        if "divkit, all cores" in row:
            for label, threads in (("divkit", 1), ("divkit, all cores", result["cores_used"])):
                rows.append([row["case"], f"{row['n']:,}", str(row["d"]), str(threads), f"{row[label]:.3g} s", "", ""])
        else:
            size = [row["case"], f"{row['n']:,}", str(row["d"]), str(row["threads"]), f"{row['divkit']:.3g} s"]
            rows.append([*size, *(_rival(row, name) for name in ("plain", "universal"))])
    heads = ["task", "n = m", "d", "threads", "divkit", "two queries of a `cKDTree`", "universal-divergence"]
    return markdown(heads, rows) + footer(result)


def _rival(row: Row, name: str) -> str:
    return f"{row[name]:.3g} s, {row[f'{name}_over_divkit']:.3g} x" if name in row else ""


def fdiv_peers() -> str:
    """The peers by name and version."""
    result = load("fdiv_accuracy")
    rows = [[peer["name"], peer["version"], peer["about"]] for peer in result["peers"]]
    return markdown(["peer", "version", "what is called"], rows)


def fdiv_truths() -> str:
    """The tasks with their divergences."""
    result = load("fdiv_accuracy")
    held: dict[str, dict[str, Row]] = {}
    for found in result["truths"]:
        held.setdefault(found["task"], {})[found["divergence"]] = found
    order = list(dict.fromkeys(row["task"] for row in result["rows"]))
    rows = [[task, *(_known(held[task].get(key)) for key in NAMES)] for task in order]
    return markdown(["task", *NAMES.values()], rows)


def _known(found: Row | None) -> str:
    if found is None:
        return ""
    if found["truth"] is None:
        return "inf"
    sampled = f" +- {found['error']:.0e}" if found["source"].startswith("Monte Carlo") else ""
    return f"{found['truth']:.4g}{sampled}"


def fdiv_pictures() -> str:
    """What docs/accuracy_pictures.py has drawn from the same results."""
    load("fdiv_accuracy")
    return (
        "![KL estimated from 1,000 points against the truth, one panel a contestant](images/accuracy_kl.png)\n\n"
        "![Other divergences from 1,000 points by divkit against the truth](images/accuracy_others.png)\n"
    )


TABLES = {
    "fdiv_kl": fdiv_kl,
    "fdiv_reverse_kl": fdiv_reverse_kl,
    "fdiv_others": fdiv_others,
    "fdiv_promises": fdiv_promises,
    "fdiv_speed": fdiv_speed,
    "fdiv_peers": fdiv_peers,
    "fdiv_truths": fdiv_truths,
    "fdiv_pictures": fdiv_pictures,
}
