"""Fills the marked tables of README.md and docs/*.md from the committed benchmark results.

A block stands between ``<!-- table: NAME -->`` and ``<!-- /table -->``. With ``--check`` nothing is written and the
exit code says whether any block is out of date.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

from _critic_tables import TABLES as CRITIC_TABLES
from _fdiv_coverage_tables import TABLES as COVERAGE_TABLES
from _fdiv_tables import TABLES as FDIV_TABLES
from _gan_tables import TABLES as GAN_TABLES
from _markdown import footer, load, markdown, ms, times
from _test_tables import TABLES as TEST_TABLES
from _transport_tables import (
    exact_transport,
    exact_transport_assignment,
    exact_transport_curves,
    exact_transport_race,
    exact_transport_scale,
    exact_transport_tolerance,
)

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"(<!-- table: (?P<name>[\w-]+) -->\n).*?(<!-- /table -->)", re.DOTALL)


def import_time() -> str:
    result = load("import_time")
    rows = [[f"`{row['step']}`", ms(row["median_ms"]), row["loaded"].replace("+", ", ")] for row in result["rows"]]
    return markdown(["step", "time", "heavy modules loaded"], rows) + footer(result)


def line() -> str:
    result = load("line")
    rows = [
        [
            row["case"],
            f"{row['n']:,}",
            ms(row["divkit_ms"]),
            ms(row.get("two_threads_ms")),
            times(row.get("divkit_over_two_sorts")),
            times(row["scipy_over_divkit"]),
        ]
        for row in result["rows"]
    ]
    heads = ["W1 on the line", "n", "divkit", "on 2 threads", "divkit / its two sorts", "SciPy / divkit"]
    return markdown(heads, rows) + footer(result)


def discrete() -> str:
    result = load("discrete")
    rows = [
        [
            row["case"],
            f"{row['bins']:,}",
            ms(row["divkit_ms"]),
            ms(row.get("two_threads_ms")),
            times(row.get("divkit_over_read")),
            f"`{row['peer']}`" if "peer" in row else "",
            times(row.get("peer_over_divkit")),
            f"{row['divkit_peak_mb']:.3g} / {row['peer_peak_mb']:.3g}" if "peer_peak_mb" in row else "",
        ]
        for row in result["rows"]
    ]
    heads = ["divergence", "bins", "divkit", "on 2 threads", "divkit / one read", "peer", "peer / divkit", "peak MB"]
    return markdown(heads, rows) + footer(result)


def truth() -> str:
    result = load("truth")
    rows = [
        [
            row["method"],
            row["problem"],
            str(row["finite_values"]),
            str(row["infinite_recognised"]),
            f"{row['worst_relative_error']:.1e}",
        ]
        for row in result["rows"]
    ]
    heads = ["method", "problem", "finite values", "infinite ones recognised", "worst relative error"]
    return markdown(heads, rows) + footer(result)


def corners() -> str:
    result = load("corners")
    rows = []
    for row in result["rows"]:
        ours = f"`{row['message'].partition(':')[0]}`" if row["value"] is None else f"{row['value']:.6g}"
        error = "" if row["peer_error"] is None else f"{100 * row['peer_error']:+.3g} %"
        theirs = "nan" if row["peer_value"] is None else f"{row['peer_value']:.6g}"
        rows.append(
            [
                row["problem"],
                "none" if row["truth"] is None else f"{row['truth']:.6g}",
                f"`{row['peer']}`",
                theirs + (" (with a warning)" if row["peer_warned"] else ""),
                error,
                f"`{row['call']}`: {ours}",
            ]
        )
    heads = ["problem", "truth", "peer", "peer returns", "off by", "divkit"]
    return markdown(heads, rows) + footer(result)


def methods() -> str:
    """What computes what: from the methods themselves."""
    from divkit.methods import METHODS, method_class

    classes = [method_class(name) for name in METHODS]
    rows = [[f"`{cls.name}`", cls.measures, cls.divergences, f"{cls.bound}, {cls.estimand}"] for cls in classes]
    return markdown(["method", "measures", "divergences", "bound, estimand"], rows)


def speed() -> str:
    """The short table of the README: the rows that the promises are about."""
    on_line, sums, start = load("line"), load("discrete"), load("import_time")
    rows = []
    for row in on_line["rows"]:
        sorts = f", {row['divkit_over_two_sorts']:.2f} x its two sorts" if "divkit_over_two_sorts" in row else ""
        what = f"W1 in 1-D, {row['case']}, n = {row['n']:,}"
        rows.append(
            [what, ms(row["divkit_ms"]) + sorts, "`scipy.stats.wasserstein_distance`", times(row["scipy_over_divkit"])]
        )
    for row in sums["rows"]:
        if "peer" in row and row["case"].split(",")[0] in ("kl", "jsd"):
            rows.append(
                [
                    f"{row['case']}, {row['bins']:,} bins",
                    ms(row["divkit_ms"]),
                    f"`{row['peer']}`",
                    times(row["peer_over_divkit"]),
                ]
            )
    extra = next(row["median_ms"] for row in start["rows"] if row["step"] == "import divkit")
    rows.append(["`import divkit`, beyond NumPy", ms(extra), "", ""])
    return markdown(["task", "divkit, one thread", "against", "how much faster"], rows) + footer(on_line)


TABLES: dict[str, Callable[[], str]] = {
    "methods": methods,
    "speed": speed,
    "import": import_time,
    "line": line,
    "discrete": discrete,
    "truth": truth,
    "corners": corners,
    "exact_transport": exact_transport,
    "exact_transport_race": exact_transport_race,
    "exact_transport_scale": exact_transport_scale,
    "exact_transport_assignment": exact_transport_assignment,
    "exact_transport_tolerance": exact_transport_tolerance,
    "exact_transport_curves": exact_transport_curves,
    **FDIV_TABLES,
    **COVERAGE_TABLES,
    **CRITIC_TABLES,
    **GAN_TABLES,
    **TEST_TABLES,
}


def table(name: str) -> str:
    """The block of that name; a sentence while its measurement has not been made."""
    try:
        return TABLES[name]()
    except FileNotFoundError as error:
        return f"*Not measured yet: there is no `benchmarks/results/{Path(error.filename).name}`.*\n"


def filled(text: str) -> str:
    return BLOCK.sub(lambda match: f"{match[1]}\n{table(match['name'])}\n{match[3]}", text)


def main() -> int:
    stale = []
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        text = path.read_text(encoding="utf-8")
        if (new := filled(text)) != text:
            stale.append(path.relative_to(ROOT).as_posix())
            if "--check" not in sys.argv:
                path.write_text(new, encoding="utf-8")
    verb = "out of date" if "--check" in sys.argv else "updated"
    print(f"{verb}: {', '.join(stale) or 'none'}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
