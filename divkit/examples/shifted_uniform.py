"""Two parallel segments theta apart: which divergence notices how far?

P is uniform on {0} x [0, 1] and Q on {theta} x [0, 1] in the plane. For every theta other than 0 the supports are
disjoint, so each f-divergence sits at its supremum whatever theta is: KL, reverse KL and chi2 are infinite, JSD is
log 2. Only W1 = |theta| tells near from far and has a slope to follow; this is the case for the Wasserstein GAN.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from divkit._checks import check_integer, check_rng
from divkit._errors import InvalidInput, UnreliableEstimateWarning, require
from divkit.api import estimate, wasserstein1
from divkit.catalog import DIVERGENCES
from divkit.datasets import shifted_uniform
from divkit.divergences import Wasserstein
from divkit.examples._study import write_table
from divkit.measures import Discrete, Samples
from divkit.methods.crossfit import estimate_all
from divkit.methods.kr import KRCritic
from divkit.result import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COLUMNS", "Row", "as_table", "exact", "figure", "lecture", "run", "write_csv"]

Source = Literal["exact", "samples", "bounds", "lecture"]
COLUMNS = {
    "kl": "KL",
    "reverse_kl": "reverse KL",
    "jsd": "JSD",
    "pearson_chi2": "Pearson chi2",
    "squared_hellinger": "sq. Hellinger",
    "total_variation": "TV",
    "wasserstein1": "W1",
}
_THETAS = tuple(float(t) for t in np.linspace(-1.0, 1.0, 9))
_CELLS = 10  # height cells of the sampled table


@dataclass(frozen=True)
class Row:
    """One line of the table; the fields after `source` are the divergences of `COLUMNS`."""

    theta: float
    source: Source
    kl: float
    reverse_kl: float
    jsd: float
    pearson_chi2: float
    squared_hellinger: float
    total_variation: float
    wasserstein1: float


def run(
    thetas: Iterable[float] = _THETAS,
    *,
    n: int = 500,
    rng: int | np.random.Generator | None = 0,
    bounds: bool = False,
) -> list[Row]:
    """The table: three rows a theta, from the exact description, from samples, and as the lectures state it.

    Parameters
    ----------
    thetas : iterable of float
        Finite shifts.
    n : int
        Draws from each segment for the sampled rows. Their W1 is the exact transport cost between the two
        point sets. Their f-divergences are plug-in values on cells (first coordinate, one of ten heights):
        at theta = 0 they are a little above 0, as plug-in values are.
    rng : int, numpy.random.Generator or None
        Source of the draws.
    bounds : bool
        A fourth row, after that from samples: 95 % lower limits from draws as many, by critics that have not seen
        the judging points (`divkit.fdiv_lower_bound`, and `divkit.KRCritic` for W1). No sample
        shows an infinite divergence.

    Returns
    -------
    list of Row

    Raises
    ------
    InvalidInput
        If a theta is no finite number or n < 1, and with bounds for n < 16.
    MissingDependency
        With bounds without torch.
    """
    n, generator = check_integer("n", n, 16 if bounds else 1), check_rng(rng)
    rows: list[Row] = []
    for theta in thetas:
        rows += [exact(theta), _sampled(theta, n, generator)]
        rows += [_bounded(theta, n, generator)] if bounds else []
        rows.append(lecture(theta))
    return rows


def exact(theta: float) -> Row:
    """The row computed from the two laws themselves."""
    pair = shifted_uniform(theta)
    return Row(theta, "exact", **{name: float(estimate(pair.p, pair.q, name)) for name in COLUMNS})


def _sampled(theta: float, n: int, rng: np.random.Generator) -> Row:
    x, y = shifted_uniform(theta).samples(n, rng)
    p, q = _cells(x), _cells(y)
    values = {name: float(estimate(p, q, name)) for name in COLUMNS if not _is_transport(name)}
    return Row(theta, "samples", **values, wasserstein1=float(wasserstein1(x.points, y.points, method="emd")))


def _bounded(theta: float, n: int, rng: np.random.Generator) -> Row:
    x, y = (sample.points for sample in shifted_uniform(theta).samples(n, rng))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnreliableEstimateWarning)  # that the supports are disjoint is the point
        values = estimate_all(x, y, rng=rng)
    found = {name: _lower_limit(values[name]) for name in COLUMNS if not _is_transport(name)}
    critic = KRCritic(activation="abs", width=16, depth=2, steps=500, batch=128)
    return Row(theta, "bounds", **found, wasserstein1=_lower_limit(wasserstein1(x, y, method=critic, rng=rng)))


def _lower_limit(value: Estimate) -> float:
    assert value.interval is not None
    return value.interval[0]


def _is_transport(name: str) -> bool:
    return isinstance(DIVERGENCES[name], Wasserstein)


def _cells(sample: Samples) -> Discrete:
    """The empirical law on (first coordinate, height cell)."""
    cells = sample.points.copy()
    cells[:, 1] = np.minimum(np.floor(cells[:, 1] * _CELLS), _CELLS - 1)
    atoms, counts = np.unique(cells, axis=0, return_counts=True)
    return Discrete(counts / counts.sum(), atoms)


def lecture(theta: float) -> Row:
    """What the lectures state for this theta."""
    if theta == 0:
        return Row(theta, "lecture", **dict.fromkeys(COLUMNS, 0.0))
    return Row(theta, "lecture", math.inf, math.inf, math.log(2), math.inf, 2.0, 1.0, abs(theta))


def write_csv(rows: Sequence[Row], path: str | Path) -> None:
    """Write the table, one line a row, infinities as ``inf``."""
    write_table(as_table(rows), path)


def figure(rows: Sequence[Row]) -> Figure:
    """The picture: W1 falls towards theta = 0, the f-divergences are flat and jump.

    Parameters
    ----------
    rows : sequence of Row
        As `run` returns them, with at least one whose source is "exact"; rows of the lectures are not drawn.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InvalidInput
        If there is no exact row.
    MissingDependency
        Without matplotlib.
    """
    if not any(row.source == "exact" for row in rows):
        raise InvalidInput("rows must have at least one exact row, as run(thetas) returns; got none")
    Figure_ = require("matplotlib.figure", "plot").Figure
    canvas: Figure = Figure_(figsize=(9, 4.4), layout="constrained")
    left, right = canvas.subplots(1, 2)
    _draw_transport(left, rows)
    _draw_divergences(right, rows)
    canvas.suptitle("Two parallel unit segments, $\\theta$ apart", fontsize=17)
    return canvas


def _style(axes: Axes, title: str, ylabel: str) -> None:
    axes.set_title(title, fontsize=15)
    axes.set_xlabel("shift $\\theta$ (units of $x$)", fontsize=14)
    axes.set_ylabel(ylabel, fontsize=14)
    axes.tick_params(labelsize=13)
    axes.xaxis.set_major_locator(require("matplotlib.ticker", "plot").MultipleLocator(0.5))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_transport(axes: Axes, rows: Sequence[Row]) -> None:
    exact = sorted((row.theta, row.wasserstein1) for row in rows if row.source == "exact")
    sampled, bounded = (
        [(row.theta, row.wasserstein1) for row in rows if row.source == source] for source in ("samples", "bounds")
    )
    axes.plot(*zip(*exact, strict=True), color="#0b5fa5", linewidth=2.5, label="exact: $|\\theta|$")
    if sampled:
        axes.plot(*zip(*sampled, strict=True), "o", color="#d1495b", markersize=7, label="from samples")
    if bounded:
        axes.plot(*zip(*bounded, strict=True), "_", color="#333333", markersize=12, label="lower limit, by a critic")
    _style(axes, "W1 tells near from far", "W1 (units of $x$)")
    axes.set_ylim(bottom=-0.03)
    axes.legend(fontsize=13, frameon=False, loc="upper center")


def _draw_divergences(axes: Axes, rows: Sequence[Row]) -> None:
    exact = sorted((row for row in rows if row.source == "exact"), key=lambda row: row.theta)
    for name, label, color in (
        ("squared_hellinger", "sq. Hellinger", "#2a7f62"),
        ("total_variation", "TV", "#8a5a00"),
        ("jsd", "JSD", "#6a3d9a"),
    ):
        apart = [(row.theta, getattr(row, name)) for row in exact if row.theta != 0]
        level = apart[0][1] if apart else 0.0
        for side in ([p for p in apart if p[0] < 0], [p for p in apart if p[0] > 0]):
            if side:
                ends = [*side, (0.0, level)] if side[0][0] < 0 else [(0.0, level), *side]
                axes.plot(*zip(*ends, strict=True), color=color, linewidth=2.5)
        axes.plot([0], [level], "o", markersize=8, markerfacecolor="white", markeredgecolor=color, markeredgewidth=2)
        end = max((row.theta for row in exact), default=1.0)
        axes.annotate(
            f"{label} = {'log 2' if level == math.log(2) else format(level, '.3g')}",
            (end, level),
            (0, 5),
            textcoords="offset points",
            ha="right",
            color=color,
            fontsize=14,
        )
    axes.plot([0], [0], "o", markersize=8, color="#333333")
    axes.annotate("all are 0 at $\\theta = 0$", (0, 0), (12, 6), textcoords="offset points", fontsize=13)
    _style(axes, "f-divergences jump at 0", "divergence (JSD in nats)")
    axes.set_ylim(-0.1, 2.65)
    axes.text(
        0.02,
        0.97,
        "KL, reverse KL, chi2 = $\\infty$ for $\\theta \\neq 0$",
        transform=axes.transAxes,
        va="top",
        fontsize=14,
    )


def as_table(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows as dictionaries, for JSON and for rendering."""
    return [asdict(row) for row in rows]
