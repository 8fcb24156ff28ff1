"""Draws the pictures of docs/accuracy.md from benchmarks/results: ``python docs/accuracy_pictures.py``.

They are left out while there is no result.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

DOCS = Path(__file__).resolve().parent
RESULTS = DOCS.parent / "benchmarks" / "results"
POINTS = 1000
LEAST = 0.01  # the smallest truth shown; below, a logarithmic axis says nothing
COLUMNS = 4
INK, PALE, MIDDLE = "black", "0.85", "0.55"
OURS = {
    "auto": "divkit",
    "crossfit": "divkit: crossfit",
    "plugin": "divkit: plugin",
    "knn": "divkit: knn",
    "binned": "divkit: binned (d = 1)",
}
OTHERS = {
    "jsd": "JSD",
    "squared_hellinger": "squared Hellinger",
    "total_variation": "total variation",
    "pearson_chi2": "Pearson chi2",
}
Row = dict[str, Any]


def chosen(rows: list[Row], divergence: str) -> dict[str, list[Row]]:
    """{contestant: rows} of one divergence between POINTS and POINTS points, where there are estimates."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        here = (row["divergence"], row["n"], row["m"]) == (divergence, POINTS, POINTS)
        if here and "mean" in row and row["truth"] >= LEAST:
            found.setdefault(row["contestant"], []).append(row)
    return found


def kl_picture(result: Row) -> Figure:
    """KL against its truth, one panel a contestant."""
    panels = {OURS.get(name, name): rows for name, rows in chosen(result["rows"], "kl").items()}
    return _picture(panels, "Kullback-Leibler divergence")


def others_picture(result: Row) -> Figure:
    """The other divergences by divkit's automatic choice, one panel a divergence."""
    panels = {label: chosen(result["rows"], name).get("auto", []) for name, label in OTHERS.items()}
    return _picture({label: rows for label, rows in panels.items() if rows}, "the divergence", shared=False)


def _picture(panels: dict[str, list[Row]], quantity: str, shared: bool = True) -> Figure:
    """A grid of panels with logarithmic axes, which the panels have in common if they show one divergence."""
    height = math.ceil(len(panels) / COLUMNS)
    figure = Figure(figsize=(3.2 * COLUMNS, 3.4 * height + 0.9), layout="constrained")
    grid = figure.subplots(height, COLUMNS, squeeze=False)
    everything = [row for rows in panels.values() for row in rows]
    for axes, (title, rows) in zip(grid.flat, panels.items(), strict=False):
        _panel(axes, title, rows, limits(everything if shared else rows))
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    figure.supxlabel(f"true value of {quantity}", fontsize=14)
    figure.supylabel("estimate", fontsize=14)
    _legend(figure)
    return figure


def limits(rows: list[Row]) -> tuple[float, float]:
    """A range that holds every truth with a third of a decade around; estimates beyond it stop at its edges."""
    truths = [row["truth"] for row in rows]
    return min(truths) / 2.5, max(truths) * 2.5


def _panel(axes: Any, title: str, rows: list[Row], ends: tuple[float, float]) -> None:
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    axes.set_title(title, fontsize=13)
    axes.plot(ends, ends, color=MIDDLE, linewidth=1, zorder=1)
    for row in rows:
        at, (low, high) = row["truth"], bar(row, ends)
        axes.plot([at, at], [low, high], color=PALE, linewidth=7, solid_capstyle="butt", zorder=2)
        if "mean_lower" in row:
            axes.plot([at], [kept(row["mean_lower"], ends)], marker="_", color=INK, markersize=9, zorder=3)
        inside = ends[0] <= row["mean"] <= ends[1]
        axes.plot([at], [kept(row["mean"], ends)], "o", color=INK, zorder=4, **({} if inside else {"mfc": "white"}))
    axes.tick_params(labelsize=11)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_formatter(NullFormatter())
    axes.spines[["top", "right"]].set_visible(False)


def bar(row: Row, ends: tuple[float, float]) -> tuple[float, float]:
    """The middle 80 % of the draws, as far as the panel reaches."""
    return kept(row["low"], ends), kept(row["high"], ends)


def kept(value: float, ends: tuple[float, float]) -> float:
    """The value moved into the panel; what is below 0 has no logarithm."""
    return min(max(value, ends[0]), ends[1])


def _legend(figure: Figure) -> None:
    dot: dict[str, Any] = {"linestyle": "none", "marker": "o", "color": INK}
    lines = {
        "mean over draws": Line2D([], [], **dot),
        "mean beyond the panel": Line2D([], [], **dot, markerfacecolor="white"),
        "middle 80 % of draws": Line2D([], [], color=PALE, linewidth=7),
        "lower limit, mean": Line2D([], [], linestyle="none", marker="_", color=INK, markersize=9),
    }
    figure.legend(lines.values(), lines.keys(), loc="outside upper center", ncols=3, frameon=False, fontsize=12)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the pictures of docs/accuracy.md.")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the benchmark's JSON")
    parser.add_argument("--into", type=Path, default=DOCS / "images", help="folder of the pictures")
    args = parser.parse_args()
    file = args.results / "fdiv_accuracy.json"
    if not file.exists():
        print(f"nothing drawn: there is no {file.name}")
        return
    result = json.loads(file.read_text(encoding="utf-8"))
    args.into.mkdir(parents=True, exist_ok=True)
    for name, figure in {"accuracy_kl": kl_picture(result), "accuracy_others": others_picture(result)}.items():
        # Without the version of matplotlib in the file, the same picture is the same file.
        figure.savefig(args.into / f"{name}.png", dpi=110, metadata={"Software": None})
        print(f"wrote {name}.png")


if __name__ == "__main__":
    main()
