"""What a generator makes, drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from divkit._errors import require

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["curves", "drawn"]

_SHOWN: Final = 2000  # points of either kind
_IMAGES: Final = 64


def drawn(points: Any, made: Any, *, title: str = "") -> Figure:
    """The data beside what a generator makes: histograms, a scatter plot of the first two coordinates, or images.

    Parameters
    ----------
    points, made : array_like, shape (N, d) or (N, channels, side, side)
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure_class: type[Figure] = require("matplotlib.figure", "plot").Figure
    x, y = np.asarray(points, dtype=np.float64), np.asarray(made, dtype=np.float64)
    if x.ndim == 4:
        figure = figure_class(figsize=(8.4, 4.4), layout="constrained")
        for axes, images, name in zip(figure.subplots(1, 2), (x, y), ("data", "made"), strict=True):
            grid = _tiled(images[:_IMAGES])
            axes.imshow(grid, cmap="gray" if grid.ndim == 2 else None)
            axes.set_title(name)
            axes.set_axis_off()
    else:
        figure = figure_class(figsize=(5.2, 5.2) if x.shape[1] > 1 else (6.4, 3.6), layout="constrained")
        axes = figure.add_subplot()
        if x.shape[1] > 1:
            for sample, color, name in ((x, "#9aa5b1", "data"), (y, "#c8401e", "made")):
                shown = sample[:_SHOWN]
                axes.scatter(shown[:, 0], shown[:, 1], s=5, color=color, linewidths=0, alpha=0.6, label=name)
            axes.set_aspect("equal")
        else:
            low, high = np.quantile(x, [0.001, 0.999]).tolist()
            edges = np.linspace(low, high, 80).tolist()
            axes.hist(x[:, 0], edges, density=True, color="#9aa5b1", label="data")
            axes.hist(y[:, 0], edges, density=True, histtype="step", color="#c8401e", linewidth=1.6, label="made")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, markerscale=3)
    if title:
        figure.suptitle(title)
    return figure


def curves(history: Sequence[Mapping[str, float]], *, title: str = "") -> Figure:
    """The metrics of a training, a panel each.

    Parameters
    ----------
    history : sequence of mapping
        As `divkit.gan.trainer.Trainer` keeps it; "step" is the abscissa.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure_class: type[Figure] = require("matplotlib.figure", "plot").Figure
    names = list(dict.fromkeys(name for line in history for name in line if name != "step"))
    columns = min(3, max(1, len(names)))
    rows = max(1, math.ceil(len(names) / columns))
    figure = figure_class(figsize=(4.2 * columns, 2.8 * rows), layout="constrained")
    for axes, name in zip(figure.subplots(rows, columns, squeeze=False).flat, names, strict=False):
        seen = [(line["step"], line[name]) for line in history if name in line]
        axes.plot(*zip(*seen, strict=True), color="#0b5fa5", linewidth=1.6, marker="o" if len(seen) < 3 else "")
        axes.set_title(name.replace("_", " "), fontsize=12)
        axes.set_xlabel("step")
        axes.spines[["top", "right"]].set_visible(False)
    for axes in figure.axes[len(names) :]:
        axes.set_axis_off()
    if title:
        figure.suptitle(title)
    return figure


def _tiled(images: NDArray[np.float64]) -> NDArray[np.float64]:
    """(k, channels, side, side) in [-1, 1] as one picture of shades from 0 to 1, a pixel apart."""
    count, channels, side, _ = images.shape
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    grid = np.ones((rows * (side + 1) - 1, columns * (side + 1) - 1, channels))
    for i, image in enumerate(np.clip((images + 1) / 2, 0.0, 1.0)):
        top, left = (i // columns) * (side + 1), (i % columns) * (side + 1)
        grid[top : top + side, left : left + side] = image.transpose(1, 2, 0)
    return grid[..., 0] if channels == 1 else grid
