"""A comparison in pictures: columns, a direction, log ratios, the bounds of W_1."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from divkit._errors import require
from divkit.catalog import DIVERGENCES
from divkit.comparison._shown import Marginal, Projection, as_date
from divkit.divergences import FDivergence
from divkit.methods._held_out import mixture_integrand

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from divkit.comparison.result import Comparison

__all__ = ["Look", "Panel", "overview", "panels", "plain_text"]

_F = NDArray[np.float64]
_WEIGHED: Final = {"kl": "KL", "reverse_kl": "reverse KL", "jsd": "JSD", "total_variation": "TV"}
_LONGEST: Final = 28  # letters of a name
_BINS: Final = 30
_TOP: Final = 1.2  # of the axis of contributions, in nats


@dataclass(frozen=True)
class Look:
    """Colours.

    Parameters
    ----------
    ink, x, y, muted : str
        Of text and lines, the two samples, and what is beside the point.
    others : tuple of str
        Of curves.
    """

    ink: str = "#1d2733"
    x: str = "#0b5fa5"
    y: str = "#c2384d"
    muted: str = "#8793a1"
    others: tuple[str, ...] = ("#2a7f62", "#8a5a00", "#6a3d9a", "#5b6572")


@dataclass(frozen=True)
class Panel:
    """One picture of a comparison.

    Parameters
    ----------
    title : str
    alternative : str
        What it shows, in words, for those who do not see it.
    draw : callable
        Onto axes, with a look.
    """

    title: str
    alternative: str
    draw: Callable[[Any, Look], None]


def panels(found: Comparison) -> list[Panel]:
    """The pictures of a comparison: columns that moved most first, then those of whole rows."""
    shown = found.shown
    result = [_of_marginal(own) for own in shown.marginals]
    if shown.projection is not None and len(found.columns) > 1:
        result.append(_of_projection(shown.projection))
    if shown.log_ratios is not None:
        result.append(_of_log_ratios(*shown.log_ratios))
    if found.wasserstein1 is not None or found.bounds is not None:
        result.append(_of_w1(found))
    return result


def overview(found: Comparison) -> Figure:
    """All pictures in one figure, three in a row.

    Raises
    ------
    MissingDependency
        Without matplotlib.
    """
    figure_class = require("matplotlib.figure", "plot").Figure
    drawn, look = panels(found), Look()
    lines = max(1, math.ceil(len(drawn) / 3))
    figure: Figure = figure_class(figsize=(13.5, 3.6 * lines), layout="constrained")
    with plain_text():
        for place, panel in enumerate(drawn):
            panel.draw(figure.add_subplot(lines, 3, place + 1), look)
    return figure


def plain_text() -> Any:
    """A context in which names with dollar signs are no formulas."""
    return require("matplotlib", "plot").rc_context({"text.parse_math": False, "axes.unicode_minus": False})


def _framed(axes: Axes, look: Look, title: str, xlabel: str, ylabel: str) -> None:
    axes.set_title(title, fontsize=12, color=look.ink, loc="left")
    axes.set_xlabel(xlabel, fontsize=11, color=look.ink)
    axes.set_ylabel(ylabel, fontsize=11, color=look.ink)
    axes.tick_params(labelsize=10, colors=look.ink, labelcolor=look.ink)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(look.muted)
    axes.patch.set_alpha(0.0)


def _legend(axes: Axes, look: Look) -> None:
    """Beside the title, where no data are."""
    axes.legend(
        frameon=False, fontsize=10, labelcolor=look.ink, loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=2,
        columnspacing=1.0, handlelength=1.4, borderaxespad=0.0,
    )  # fmt: skip


def short(name: str) -> str:
    """A name that fits above a picture, on one line."""
    name = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def _of_marginal(own: Marginal) -> Panel:
    most = int(np.argmax(np.abs(own.x - own.y)))
    if own.edges is None:
        where = own.levels[most]
        words = f"Shares of the categories of {own.name} in x and y. They differ most in {where}: "
    else:
        low, high = (_place(own, own.edges[most + side]) for side in (0, 1))
        words = f"Histograms of {own.name} in x and y. They differ most between {low} and {high}: "
    words += f"{own.x[most]:.1%} of x, {own.y[most]:.1%} of y."
    return Panel(short(own.name), words, lambda axes, look: _draw_marginal(axes, look, own))


def _place(own: Marginal, value: float) -> str:
    return as_date(value) if own.kind == "time" else f"{value:.4g}"


def _draw_marginal(axes: Axes, look: Look, own: Marginal) -> None:
    _framed(axes, look, short(own.name), "", "share")
    if own.edges is None:
        _draw_shares(axes, look, own)
    else:
        _draw_histograms(axes, look, own.edges, own.x, own.y)
        if own.kind == "time":
            ticks = np.linspace(own.edges[0], own.edges[-1], 4)
            axes.set_xticks(ticks, [_place(own, tick) for tick in ticks])
        if own.beyond > 0:
            axes.set_xlabel(f"{own.beyond:.1%} of the values are beyond", fontsize=10, color=look.ink)
    _legend(axes, look)


def _draw_shares(axes: Axes, look: Look, own: Marginal) -> None:
    places = np.arange(len(own.levels))
    axes.barh(places - 0.2, own.x, 0.4, color=look.x, label="x")
    axes.barh(places + 0.2, own.y, 0.4, color=look.y, label="y")
    axes.set_yticks(places, [short(level) for level in own.levels])
    axes.invert_yaxis()
    axes.set_xlabel("share", fontsize=11, color=look.ink)
    axes.set_ylabel("")


def _draw_histograms(axes: Axes, look: Look, edges: _F, x: _F, y: _F) -> None:
    for shares, color, name in ((x, look.x, "x"), (y, look.y, "y")):
        axes.stairs(shares, edges, fill=True, color=color, alpha=0.22)
        axes.stairs(shares, edges, color=color, linewidth=1.8, label=name)
    axes.set_ylim(bottom=0)


def _of_projection(own: Projection) -> Panel:
    parts = ", ".join(f"{short(name)} ({share:.0%})" for name, share in own.columns)
    words = (
        f"Histograms of both samples along the direction in which other rows of them differ most. It is made of "
        f"{parts}."
    )

    def draw(axes: Axes, look: Look) -> None:
        _framed(axes, look, "Along the direction that differs most", parts, "share")
        assert own.marginal.edges is not None
        _draw_histograms(axes, look, own.marginal.edges, own.marginal.x, own.marginal.y)
        _legend(axes, look)

    return Panel("Along the direction that differs most", words, draw)


def _of_log_ratios(x: _F, y: _F) -> Panel:
    words = (
        f"Histograms of the log ratio of densities, log p/q, at the rows of x and y: on average {x.mean():.3g} for x "
        f"and {y.mean():.3g} for y; equal laws have 0 everywhere. Curves show what a row adds to each divergence."
    )
    return Panel("Log ratio of densities", words, lambda axes, look: _draw_log_ratios(axes, look, x, y))


def _draw_log_ratios(axes: Axes, look: Look, x: _F, y: _F) -> None:
    _framed(axes, look, "Log ratio of densities", "log p/q, by models that have not seen the row", "share")
    together = np.concatenate([x, y])
    low, high = np.quantile(together, [0.002, 0.998])
    reach = max(0.5, -float(low), float(high))
    edges = np.linspace(-reach, reach, _BINS + 1)
    shares = [np.histogram(np.clip(side, -reach, reach), edges)[0] / len(side) for side in (x, y)]
    _draw_histograms(axes, look, edges, *shares)
    beside = axes.twinx()
    places = np.linspace(-reach, reach, 201)
    top = 0.0
    for (name, label), color in zip(_WEIGHED.items(), look.others, strict=True):
        div = DIVERGENCES[name]
        assert isinstance(div, FDivergence)
        values = 2 * mixture_integrand(div, places)
        beside.plot(places, values, "--", color=color, linewidth=1.4, label=label)
        top = max(top, float(values.max()))
    _framed(beside, look, "", "", "")
    beside.set_ylabel("added by a row, nats", fontsize=10, color=look.ink)
    beside.spines["right"].set_visible(True)
    beside.spines["right"].set_color(look.muted)
    beside.set_ylim(0, min(1.4 * top, _TOP * max(1.0, reach)))
    axes.set_ylim(0, 1.4 * max(float(side.max()) for side in shares))
    handles = [*axes.get_legend_handles_labels()[0], *beside.get_legend_handles_labels()[0]]
    beside.legend(handles=handles, frameon=False, fontsize=9, labelcolor=look.ink, loc="upper center", ncols=3)


def _of_w1(found: Comparison) -> Panel:
    parts = []
    if found.limits is not None:
        low, high = found.limits
        parts.append(f"between the laws it is from {low:.4g} to {high:.4g} at level {found.level:g}")
    if found.wasserstein1 is not None:
        parts.append(f"between the samples it is {found.wasserstein1:.4g}")
    if found.null is not None:
        parts.append(f"between halves of one sample it is {found.null:.4g}")
    return Panel("W1", f"W1: {'; '.join(parts)}.", lambda axes, look: _draw_w1(axes, look, found))


def _draw_w1(axes: Axes, look: Look, found: Comparison) -> None:
    _framed(axes, look, "W1, the earth mover's distance", found.unit, "")
    rows: list[tuple[str, Sequence[float], str]] = []
    if found.limits is not None:
        rows.append(("laws", found.limits, look.others[0]))
    if found.wasserstein1 is not None:
        rows.append(("samples", (float(found.wasserstein1),), look.x))
    if found.null is not None:
        rows.append(("by chance", (found.null,), look.muted))
    for place, (_, values, color) in enumerate(rows):
        if len(values) == 2:
            axes.barh(place, values[1] - values[0], 0.4, left=values[0], color=color, alpha=0.35)
            axes.plot(values, [place, place], "|", color=color, markersize=22, markeredgewidth=2.5)
        else:
            axes.plot(values, [place], "D", color=color, markersize=9)
        for value in sorted(set(values)):
            axes.annotate(
                f"{value:.3g}", (value, place), xytext=(0, 14), textcoords="offset points", ha="center", fontsize=10,
                color=look.ink,
            )  # fmt: skip
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    axes.set_ylim(len(rows) - 0.4, -0.8)
    axes.set_xlim(0, max(1.15 * max(value for _, values, _ in rows for value in values), 1e-300))
