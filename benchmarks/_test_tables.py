"""The tables of benchmarks/two_sample.py and benchmarks/bounds_of_transport.py."""

from __future__ import annotations

from collections.abc import Callable

from _markdown import footer, load, markdown, ms, times
from _transport_tables import seconds

OURS = ("energy", "mmd", "mmd_aggregated", "wasserstein1", "knn")


def speed() -> str:
    result = load("two_sample_speed")
    rows = [
        [
            f"`{row['statistic']}`",
            f"{row['n']:,}",
            str(row["d"]),
            seconds(row["seconds"]),
            row.get("peer", ""),
            ms(1e3 * row["peer_seconds_a_permutation"]) if "peer_over_divkit" in row else "",
            times(row.get("peer_over_divkit")),
            f"{row['peak_megabytes']:,.0f} MB",
        ]
        for row in result["rows"]
    ]
    heads = [
        "statistic",
        "n = m",
        "d",
        "999 permutations",
        "peer",
        "one of its permutations",
        "peer / divkit",
        "peak memory so far",
    ]
    return markdown(heads, rows) + footer(result)


def power() -> str:
    result = load("two_sample_power")
    peers = [name for name in result["rows"][0] if name.startswith("hyppo")]
    rows = []
    for row in result["rows"]:
        best = max(peers, key=lambda name: row[name], default=None)
        shares = [f"{100 * row[name]:.0f} %" for name in OURS]
        rows.append(
            [
                row["alternative"],
                str(row["d"]),
                *shares,
                "" if best is None else f"{100 * row[best]:.0f} % ({best[6:]})",
            ]
        )
    heads = ["alternative", "d", *(f"`{name}`" for name in OURS), "hyppo's best"]
    return markdown(heads, rows) + footer(result)


def sliced() -> str:
    result = load("bounds_sliced")
    rows = [
        [f"{row['n']:,}", str(row["d"]), ms(row["divkit_ms"]), ms(row["pot_ms"]), times(row["pot_over_divkit"])]
        for row in result["rows"]
    ]
    return markdown(["n = m", "d", "divkit", "POT", "POT / divkit"], rows) + footer(result)


def sinkhorn() -> str:
    result = load("bounds_sinkhorn")
    rows = []
    for row in result["rows"]:
        narrow = "width" in row
        rows.append(
            [
                f"{row['n']:,}",
                str(row["d"]),
                str(row["steps"]),
                seconds(row["seconds"]),
                f"{100 * row['lower']:.2f} %" if narrow else "",
                f"+{100 * row['upper']:.2f} %" if narrow else "",
                ""
                if narrow
                else f"{row['peak_megabytes']:,.0f} MB in all (all pairs: {row['matrix_megabytes']:,.0f} MB)",
            ]
        )
    return markdown(["n = m", "d", "steps", "time", "lower end", "upper end", "memory"], rows) + footer(result)


def sinkhorn_device() -> str:
    result = load("bounds_sinkhorn_device")
    rows = [
        [
            result["device"],
            f"{row['n']:,}",
            str(row["d"]),
            str(row["steps"]),
            seconds(row["seconds"]),
            f"{row['lower']:.4g} to {row['upper']:.4g}",
            "" if row["exact"] is None else f"{row['exact']:.4g}",
            f"{row['peak_megabytes']:,.0f} MB" if "peak_megabytes" in row else "",
            seconds(row["geomloss_seconds"]) if "geomloss" in row else "",
            f"{row['geomloss']:.4g}" if "geomloss" in row else "",
        ]
        for row in result["rows"]
    ]
    heads = ["device", "n = m", "d", "steps", "time", "W_1", "exact", "memory of the device", "geomloss", "its value"]
    return markdown(heads, rows) + footer(result)


def comparison() -> str:
    result = load("compare_speed")
    rows = [
        [
            f"{row['n']:,}",
            seconds(row["all_seconds"]),
            *(seconds(row[f"{part}_seconds"]) for part in ("columns", "test", "divergences", "wasserstein1", "page")),
            f"{row['peak_megabytes']:,.0f} MB",
        ]
        for row in result["rows"]
    ]
    heads = ["rows of each", "all", "columns", "test", "divergences", "W_1", "page", "peak memory so far"]
    return markdown(heads, rows) + footer(result)


def comparison_of_data() -> str:
    result = load("compare_data")
    rows = [
        [
            row["data"].replace("_", " "),
            row["split"],
            f"{row['n']:,} / {row['m']:,}",
            f"{row['p_value']:.3g}",
            f"{row['jsd_lower']:.2f}",
            f"{row['w1_lower']:.2f} to {row['w1_upper']:.2f}",
            f"{row['changed']} of {row['columns']}",
            f"{100 * row['found_at_random']:.1f} %",
            f"{100 * row['columns_at_random']:.1f} %",
        ]
        for row in result["rows"]
    ]
    heads = [
        "data", "split", "rows", "p", "JSD at least", "W_1, deviations", "columns that moved",
        "random splits, p <= 0.05", "random splits, any column",
    ]  # fmt: skip
    return markdown(heads, rows) + footer(result)


def comparison_with_peer() -> str:
    result = load("compare_peer")
    ours = {row["data"]: row for row in load("compare_data")["rows"]}
    ours |= {f"{row['columns']} columns, {row['n']:,} rows": row for row in load("compare_speed")["rows"]}
    rows = []
    for row in result["rows"]:
        own = ours[row["data"]]
        found = [row["data"].replace("_", " "), str(row["columns"]), str(own["changed"]), str(row["changed"])]
        shares = [own.get("columns_at_random"), row.get("columns_at_random"), row.get("half_at_random")]
        rows.append([*found, *("" if share is None else f"{100 * share:.1f} %" for share in shares)])
    heads = [
        "data", "columns", "moved, divkit", "moved, evidently", "random splits, any column, divkit",
        "any column, evidently", "half of the columns, evidently",
    ]  # fmt: skip
    return markdown(heads, rows) + footer(result)


TABLES: dict[str, Callable[[], str]] = {
    "two_sample_speed": speed,
    "two_sample_power": power,
    "bounds_sliced": sliced,
    "compare": comparison,
    "compare-data": comparison_of_data,
    "compare-peer": comparison_with_peer,
    "bounds_sinkhorn": sinkhorn,
    "bounds_sinkhorn_device": sinkhorn_device,
}
