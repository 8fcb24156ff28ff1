"""Draws the pictures of docs/exact-transport.md: ``python docs/pictures.py`` writes them to docs/images.

The first shows a round of the solver itself. The other two are drawn from benchmarks/results, and left out while there
are none.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from divkit.transport._kernels.pairs import pair_costs
from divkit.transport._levels import order_of
from divkit.transport._pair_search import Violations, pair_search
from divkit.transport._restricted import RestrictedTransport

DOCS = Path(__file__).resolve().parent
RESULTS = DOCS.parent / "benchmarks" / "results"
POINTS = 120
NEIGHBOURS = 3  # fewer than the solver takes, so that the picture shows more than it hides
DASHES = {2: "-", 10: "--", 64: ":"}
MARKERS = {2: "o", 10: "s", 64: "^"}
INK, PALE = "black", "0.6"


class Round(NamedTuple):
    """The first round between x and y (n, 2): candidate arcs, the plan on them, and the pairs that violate its dual."""

    x: np.ndarray
    y: np.ndarray
    candidates: tuple[np.ndarray, np.ndarray]
    plan: tuple[np.ndarray, np.ndarray, np.ndarray]
    waiting: tuple[np.ndarray, np.ndarray]
    violated: Violations


def first_round() -> Round:
    """A disc to a ring around it, from potentials of zero: the candidates are the nearest neighbours."""
    rng = np.random.default_rng(2)
    angles = 2 * math.pi * rng.random((2, POINTS))
    radii = np.array([np.sqrt(rng.random(POINTS)), 1.5 + 0.5 * rng.random(POINTS)])
    x, y = (np.stack([r * np.cos(t), r * np.sin(t)], axis=1) for r, t in zip(radii, angles, strict=True))
    x, y = x[order_of(x)], y[order_of(y)]
    search, zero, ones = pair_search(x, y, 1, 1), np.zeros(POINTS), np.ones(POINTS, np.int64)
    forward, _ = search.nearest(zero, zero, NEIGHBOURS)
    backward, _ = search.transposed.nearest(zero, zero, NEIGHBOURS)
    own = np.repeat(np.arange(POINTS), NEIGHBOURS)
    rows, columns = np.divmod(np.unique(np.r_[own * POINTS + forward.ravel(), backward.ravel() * POINTS + own]), POINTS)
    problem = RestrictedTransport(ones, ones, zero, zero, price=10.0)
    problem.add(rows, columns, pair_costs(x, y, rows, columns, 1))
    problem.solve(relative=0.0, absolute=1e-13, between=lambda: None)
    violated = search.violations(*problem.potentials, 1e-12, 1)
    return Round(x, y, (rows, columns), problem.plan, problem.on_hub, violated)


def round_picture() -> Figure:
    """Two panels: what the round solved, and what pricing all pairs found."""
    found = first_round()
    figure = Figure(figsize=(11, 5.6), layout="constrained")
    solved, priced = figure.subplots(1, 2)
    for axes in (solved, priced):
        axes.scatter(*found.x.T, s=26, color=INK, zorder=3)
        axes.scatter(*found.y.T, s=26, facecolor="white", edgecolor=INK, zorder=3)
        axes.set(aspect="equal", xticks=[], yticks=[])
        axes.set_frame_on(False)
    _arcs(solved, found, *found.candidates, color="0.72", linewidth=0.9)
    _arcs(solved, found, *found.plan[:2], color=INK, linewidth=2.2)
    waiting = np.concatenate([found.x[found.waiting[0] > 0], found.y[found.waiting[1] > 0]])
    solved.scatter(*waiting.T, s=130, facecolor="none", edgecolor=INK, linewidth=1.2, zorder=2)
    _arcs(priced, found, *found.plan[:2], color="0.72", linewidth=2.2)
    _arcs(priced, found, found.violated.rows, found.violated.columns, color=INK, linewidth=1.1, linestyle=(0, (4, 2)))
    _legend(solved, found, waiting)
    return figure


def _arcs(axes: Any, found: Round, rows: np.ndarray, columns: np.ndarray, **style: Any) -> None:
    from matplotlib.collections import LineCollection

    axes.add_collection(LineCollection(np.stack([found.x[rows], found.y[columns]], axis=1), zorder=1, **style))


def _legend(axes: Any, found: Round, waiting: np.ndarray) -> None:
    dot = {"linestyle": "none", "marker": "o", "color": INK}
    lines = {
        "x": Line2D([], [], markersize=6, **dot),
        "y": Line2D([], [], markersize=6, markerfacecolor="white", **dot),
        f"{len(found.candidates[0])} candidate arcs": Line2D([], [], color="0.72"),
        f"{len(found.plan[0])} arcs that carry mass": Line2D([], [], color=INK, linewidth=2.2),
        f"{len(waiting)} points still on the hub": Line2D([], [], markersize=12, **dot | {"markerfacecolor": "none"}),
        f"{len(found.violated.rows)} violated pairs": Line2D([], [], color=INK, linestyle=(0, (4, 2))),
    }
    axes.figure.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=3, frameon=False, fontsize=13)


def curves(rows: list[dict[str, Any]], column: str) -> dict[int, tuple[list[int], list[float]]]:
    """{d: (sizes, values)} of the shifted Gaussians with p = 1 and equal masses that have the column."""
    found: dict[int, tuple[list[int], list[float]]] = {}
    for row in sorted(rows, key=lambda row: row["n"]):
        if (row["case"], row["p"], row["masses"]) == ("shifted Gaussians", 1, "equal") and row.get(column) is not None:
            sizes, values = found.setdefault(row["d"], ([], []))
            sizes.append(row["n"])
            values.append(row[column])
    return found


def time_picture(race: dict[str, Any], scale: dict[str, Any]) -> Figure:
    """Seconds against n, log-log: divkit on one thread, and POT."""
    pot = {d: (n, [ms / 1e3 for ms in values]) for d, (n, values) in curves(race["rows"], "pot_ms").items()}
    figure, axes = _log_log("seconds, one thread")
    _draw(axes, "POT", pot, PALE, race["exponents"]["pot"])
    _draw(axes, "divkit", _with_small(curves(scale["rows"], "seconds"), race["rows"]), INK, scale["exponents"])
    axes.legend(frameon=False, fontsize=12)
    return figure


def _with_small(lines: dict[int, Any], rows: list[dict[str, Any]]) -> dict[int, Any]:
    """The curves of divkit in seconds, with the smaller problems of the race before them."""
    found = {}
    for d, (sizes, values) in lines.items():
        raced = zip(*curves(rows, "divkit_ms").get(d, ([], [])), strict=True)
        small = [(n, ms / 1e3) for n, ms in raced if n < sizes[0]]
        found[d] = ([n for n, _ in small] + sizes, [value for _, value in small] + values)
    return found


def memory_picture(race: dict[str, Any], scale: dict[str, Any]) -> Figure:
    """Peak memory over the inputs against n, log-log."""
    figure, axes = _log_log("peak memory over the inputs, MB")
    _draw(axes, "POT", curves(race["rows"], "pot_peak_mb"), PALE, {})
    _draw(axes, "divkit", curves(scale["rows"], "peak_mb"), INK, {})
    axes.legend(frameon=False, fontsize=12)
    return figure


def _log_log(label: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(8, 5.2), layout="constrained")
    axes = figure.subplots()
    axes.set(xscale="log", yscale="log")
    axes.set_xlabel("points in each set", fontsize=14)
    axes.set_ylabel(label, fontsize=14)
    axes.tick_params(labelsize=13)
    axes.grid(color="0.9")
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _draw(axes: Any, name: str, lines: dict[int, Any], color: str, exponents: dict[str, float | None]) -> None:
    for d, (sizes, values) in lines.items():
        power = exponents.get(str(d))
        label = f"{name}, d = {d}" + ("" if power is None else f": $n^{{{power:.2f}}}$")
        style = {"linestyle": DASHES[d], "marker": MARKERS[d], "markersize": 7}
        axes.plot(sizes, values, color=color, linewidth=2, label=label, **style)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the pictures of docs/exact-transport.md.")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the benchmark's JSON")
    parser.add_argument("--into", type=Path, default=DOCS / "images", help="folder of the pictures")
    args = parser.parse_args()
    pictures = {"transport_round": round_picture()}
    files = [args.results / f"exact_transport_{part}.json" for part in ("race", "scale")]
    if all(file.exists() for file in files):
        race, scale = (json.loads(file.read_text(encoding="utf-8")) for file in files)
        pictures |= {"transport_time": time_picture(race, scale), "transport_memory": memory_picture(race, scale)}
    args.into.mkdir(parents=True, exist_ok=True)
    for name, figure in pictures.items():
        # Without the version of matplotlib in the file, the same picture is the same file.
        figure.savefig(args.into / f"{name}.png", dpi=110, metadata={"Software": None})
        print(f"wrote {name}.png")


if __name__ == "__main__":
    main()
