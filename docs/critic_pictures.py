"""Draws the pictures of docs/critics.md: ``python docs/critic_pictures.py`` writes them to docs/images.

The first trains a critic on the public benchmark's smallest task, which takes a minute. The second is drawn from
benchmarks/results, and left out while there is no result.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

DOCS = Path(__file__).resolve().parent
BENCHMARKS = DOCS.parent / "benchmarks"
HALF = 2.5  # the square on which the laws of the task live
INK, PALE, BLUE, RED = "black", "0.6", "#0b5fa5", "#d1495b"
Row = dict[str, Any]


def surface() -> Figure:
    """The critic that was learnt from samples, beside the one that W_1 is attained at."""
    sys.path.insert(0, str(BENCHMARKS))
    from _funnels import funnels

    import divkit
    from divkit.methods._kr_critics import fitted_witness

    task = funnels()["2_4"]
    rng = np.random.default_rng(0)
    x, y = task.draw(20_000, rng)
    critic = divkit.KRCritic(width=64, steps=2000, batch=512)
    learnt, _ = fitted_witness(critic, (x[:16_000], y[:16_000]), (x[16_000:], y[16_000:]), rng)
    at = np.linspace(-HALF, HALF, 201)
    grid = np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2)
    best = -(np.linalg.norm(grid[:, None] - task.centres, axis=2) + task.offsets).min(axis=1)
    found = learnt(grid)
    found = found - found.mean() + best.mean()
    levels = np.linspace(min(best.min(), found.min()), max(best.max(), found.max()), 15)
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    for axes, title, values, points, label in zip(
        figure.subplots(1, 2),
        ("the best critic", "learnt from 20,000 points"),
        (best, found),
        (x[:400], y[:400]),
        ("draws of P", "draws of Q"),
        strict=True,
    ):
        axes.contourf(at, at, values.reshape(201, 201), levels, cmap="Blues")
        axes.contour(at, at, values.reshape(201, 201), levels, colors="white", linewidths=0.7)
        axes.scatter(*points.T, s=3, color=INK, label=label)
        axes.set_title(title, fontsize=15)
        axes.set_aspect("equal")
        axes.tick_params(labelsize=12)
        axes.legend(loc="lower left", fontsize=12, markerscale=3)
    return figure


def shares(result: Row) -> Figure:
    """What is proven from both sides of the public tasks, in shares of the truth."""
    rows = result["rows"]
    places = np.arange(len(rows))
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    axes.axhline(1, color=PALE, linewidth=1)
    for key, marker, color, label in (
        ("upper", "v", RED, "exact distance between 10,000 points of each law"),
        ("null", "x", RED, "the same between 5,000 points of one law and as many more"),
        ("value", "o", BLUE, "lower bound"),
        ("published_SO", "_", INK, "best published critic with a certificate"),
    ):
        axes.plot(places, [row[key] for row in rows], marker, color=color, markersize=9, label=label)
    axes.set_yscale("log")
    axes.set_xticks(places, ["({}, {})".format(*row["task"].split("_")) for row in rows])
    axes.set_xlabel("(dimension, number of funnels)", fontsize=14)
    axes.set_ylabel("share of $W_1$", fontsize=14)
    ticks = [tick for tick in (0.1, 0.2, 0.5, 1, 2, 5, 10) if tick >= 0.8 * axes.get_ylim()[0]]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
    axes.minorticks_off()
    axes.tick_params(labelsize=13)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=12, frameon=False)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the pictures of docs/critics.md.")
    parser.add_argument("--into", type=Path, default=DOCS / "images", help="folder of the pictures")
    args = parser.parse_args()
    figures = {"critic_surface": surface}
    file = BENCHMARKS / "results" / "critics_laws.json"
    if file.exists():
        result = json.loads(file.read_text(encoding="utf-8"))
        figures["critic_shares"] = lambda: shares(result)
    args.into.mkdir(parents=True, exist_ok=True)
    for name, draw in figures.items():
        # Without the version of matplotlib in the file, the same picture is the same file.
        draw().savefig(args.into / f"{name}.png", dpi=110, metadata={"Software": None})
        print(f"wrote {name}.png")


if __name__ == "__main__":
    main()
