"""The tables of benchmarks/gan.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from _markdown import footer, load, markdown, times
from _transport_tables import seconds

Row = dict[str, Any]
COMPONENTS = {"ring": 8, "grid": 25}
# Lin, Khetan, Fanti and Oh (2018): modes and share of high quality on ring and grid.
PUBLISHED = {
    "ring": (("GAN, published", "6.3", "98.2 %"), ("PacGAN4, published", "7.8", "")),
    "grid": (("GAN, published", "17.3", "94.8 %"), ("PacGAN4, published", "24.8", "")),
}


def modes() -> str:
    result = load("gan_modes")
    rows = []
    for problem, components in COMPONENTS.items():
        for row in result["rows"]:
            if row["problem"] == problem:
                rows.append([problem, f"`{row['objective']}`", *cells(row, components)])
        for name, held, quality in PUBLISHED[problem]:
            rows.append([problem, name, f"{held} / {components}", quality, "", "", ""])
    heads = ["law", "objective", "modes", "high quality", "reverse KL, worst", "time", "all modes and 95 % after"]
    return markdown(heads, rows) + footer(result)


def cells(row: Row, components: int) -> list[str]:
    """Means over the trainings, and the worst in brackets."""
    arrived = seconds(row["arrived"]) if row["arrived"] is not None else f"{row['arrivals']} of {row['seeds']}"
    return [
        f"{row['captured']:.1f} ({row['captured_least']}) / {components}",
        f"{100 * row['high_quality']:.1f} % ({100 * row['high_quality_least']:.1f} %)",
        f"{row['reverse_kl_most']:.2g}",
        seconds(row["seconds"]),
        arrived,
    ]


def speed() -> str:
    result = load("gan_speed")
    rows = [
        [
            row["task"],
            f"{row['steps_a_second']:.3g}",
            f"{row['plain_steps_a_second']:.3g}",
            times(row["ratio"]),
            f"{row['peak_megabytes']:.0f} MB",
        ]
        for row in result["rows"]
    ]
    return markdown(["task", "steps a second", "plain loop", "ratio", "peak memory"], rows) + footer(result)


def f_gans() -> str:
    result = load("gan_fgan")
    rows = [
        [
            f"`{row['divergence']}`",
            f"{row['mean']:.3f} ({row['best_mean']:.3f})",
            f"{row['std']:.3f} ({row['best_std']:.3f})",
            f"{row['bound']:.4f} ({row['truth']:.4f})",
            seconds(row["seconds"]),
        ]
        for row in result["rows"]
    ]
    return markdown(["divergence", "mean (best)", "standard deviation", "bound (divergence)", "time"], rows) + footer(
        result
    )


TABLES: dict[str, Callable[[], str]] = {"gan_modes": modes, "gan_speed": speed, "gan_fgan": f_gans}
