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
                rows.append([problem, row["recipe"], *cells(row, components)])
        for name, held, quality in PUBLISHED[problem]:
            rows.append([problem, name, f"{held} / {components}", quality, *[""] * 6])
    heads = [
        "law",
        "recipe",
        "modes",
        "high quality",
        "reverse KL, worst",
        "steps",
        "seeds",
        "time",
        "all modes and 95 % after",
        "processor",
    ]
    return markdown(heads, rows) + footer(result)


def cells(row: Row, components: int) -> list[str]:
    """Means over the trainings, and the worst in brackets."""
    more = f", {row['attempts']} trainings" if row.get("attempts", 0) > row["seeds"] else ""
    arrived = seconds(row["arrived"]) if row["arrived"] is not None else f"{row['arrivals']} of {row['seeds']} do"
    return [
        f"{row['captured']:.1f} ({row['captured_least']}) / {components}",
        f"{100 * row['high_quality']:.1f} % ({100 * row['high_quality_least']:.1f} %)",
        "" if row["reverse_kl_most"] is None else f"{row['reverse_kl_most']:.2g}",
        f"{row['steps']:,}",
        f"{row['first_seed']} to {row['first_seed'] + row['seeds'] - 1}" + more,
        "" if row.get("not_finite") else seconds(row["seconds"]),
        f"{row['not_finite']} not finite" if row.get("not_finite") else arrived,
        "EPYC" if "EPYC" in row["processor"] else "Xeon" if "Xeon" in row["processor"] else row["processor"],
    ]


def plain() -> str:
    result = load("gan_plain")
    rows = [
        [
            row["problem"],
            f"{row['steps']:,}",
            f"{row['seconds'] / 60:.0f} min",
            f"{row['captured']} / {COMPONENTS[row['problem']]}",
            f"{100 * row['high_quality']:.1f} % ({100 * row['best']:.1f} %)",
            "not yet" if row["arrived"] is None else seconds(row["arrived"]),
        ]
        for row in result["rows"]
    ]
    heads = ["law", "steps", "time", "modes", "high quality (best)", "all modes and 95 % after"]
    return markdown(heads, rows) + footer(result)


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
            f"{row['bound']:.4f}",
            f"{row['exact']:.4f}",
            f"{row['truth']:.4f}",
            seconds(row["seconds"]),
        ]
        for row in result["rows"]
    ]
    heads = ["divergence", "mean (best)", "standard deviation (best)", "bound", "divergence", "best one's", "time"]
    return markdown(heads, rows) + footer(result)


def digits() -> str:
    result = load("gan_digits")
    rows = [
        [
            f"{row['networks']}, width {row['width']}",
            f"{row['steps']:,}",
            seconds(row["seconds"]),
            f"{row['covered']} / 10",
            f"{row['reverse_kl']:.3f}",
            f"{row['confidence']:.2f} ({row['confidence_null']:.2f})",
            f"{row['wasserstein1']:.2f} ({row['null']:.2f})",
            times(row["excess"]),
            f"{row['nearest']:.1f} ({row['nearest_null']:.1f})",
            str(row["copies"]),
        ]
        for row in result["rows"]
    ]
    heads = [
        "networks",
        "steps",
        "time",
        "classes",
        "reverse KL of classes",
        "confidence (data)",
        "W_1 to held-out (data)",
        "of data's",
        "nearest (data)",
        "copies",
    ]
    return markdown(heads, rows) + footer(result)


TABLES: dict[str, Callable[[], str]] = {
    "gan_modes": modes,
    "gan_plain": plain,
    "gan_speed": speed,
    "gan_fgan": f_gans,
    "gan_digits": digits,
}
