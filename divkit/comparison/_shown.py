"""What pictures show of a comparison, as small arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from divkit._tables import Kind
from divkit.comparison._pair import Encoded, Feature, Pair
from divkit.transport._directions import steepest_directions
from divkit.transport.sliced import along, uniform_directions

__all__ = ["Marginal", "Projection", "Shown", "as_date", "marginal", "projection"]

_F = NDArray[np.float64]
_BINS: Final = 40  # at most
_PER_ROOT: Final = 2.5  # cells for each cube root of the smaller sample
_WHOLE: Final = 2.0**52  # below which whole numbers have cells of their own
_LEVELS: Final = 12  # categories drawn
_FITTED: Final = 2000  # rows of each sample that a direction is sought with
_FEWEST: Final = 20
_STARTS: Final = 4
_STEPS: Final = 30
_NAMED: Final = 3  # columns named for a direction


@dataclass(frozen=True, eq=False)
class Marginal:
    """Shares of a column by cell, or by category.

    Parameters
    ----------
    name : str
    kind : {"number", "category", "time", "duration"}
    edges : ndarray, shape (k + 1,), or None
        Of the cells; None for categories.
    levels : tuple of str
    x, y : ndarray, shape (k,)
        Shares of the values that are there.
    beyond : float
        Share of all values that lie outside the cells.
    """

    name: str
    kind: Kind
    edges: _F | None
    levels: tuple[str, ...]
    x: _F
    y: _F
    beyond: float = 0.0


@dataclass(frozen=True, eq=False)
class Projection:
    """Both samples along one direction, which was sought with other rows.

    Parameters
    ----------
    marginal : Marginal
    columns : tuple of (str, float)
        The columns that weigh most in it, with their shares of its square length.
    """

    marginal: Marginal
    columns: tuple[tuple[str, float], ...]


@dataclass(frozen=True, eq=False)
class Shown:
    """All of it.

    Parameters
    ----------
    marginals : tuple of Marginal
        Of the columns that moved most.
    projection : Projection or None
        None where there are too few rows.
    log_ratios : tuple of two ndarrays, or None
        At the rows of x and y, by models that have not seen them.
    """

    marginals: tuple[Marginal, ...]
    projection: Projection | None
    log_ratios: tuple[_F, _F] | None


def as_date(days: float) -> str:
    """The date so many days after the beginning of 1970."""
    return str(np.datetime64(math.floor(days), "D"))


def marginal(feature: Feature) -> Marginal:
    """Of a column; cells between the outer half percents where tails are long."""
    if feature.kind == "category":
        shares = feature.shares
        most = np.argsort(-(shares[0] + shares[1]), kind="stable")[:_LEVELS]
        names = tuple(feature.levels[i] for i in most)
        return Marginal(feature.name, "category", None, names, shares[0][most], shares[1][most])
    return _histograms(feature.name, feature.kind, *feature.present)


def _histograms(name: str, kind: Kind, x: _F, y: _F) -> Marginal:
    together = np.concatenate([x, y])
    low, high = np.quantile(together, [0.0, 1.0])
    inner = np.quantile(together, [0.005, 0.995])
    if high / 2 - low / 2 > 1.5 * (inner[1] / 2 - inner[0] / 2) > 0:
        low, high = inner
    if not low < high:
        low, high = np.nextafter([low, high], [-np.inf, np.inf])
    values = np.unique(together)
    bins = int(np.clip(_PER_ROOT * min(len(x), len(y)) ** (1 / 3), 8, _BINS))
    if (
        len(values) <= _BINS
        and float(np.abs(values).max()) < _WHOLE
        and np.array_equal(values, np.rint(values))
        and np.ptp(values) < _BINS
    ):
        edges = np.arange(values[0], values[-1] + 2.0) - 0.5
    else:
        parts = np.linspace(0.0, 1.0, bins + 1)
        edges = low * (1 - parts) + high * parts
        edges[-1] = high
    if not (np.diff(edges) > 0).all():  # fewer floats than cells
        edges = np.unique(edges) if len(np.unique(edges)) > 1 else np.array([low, np.nextafter(high, np.inf)])
    shares = [np.histogram(side, edges)[0] / max(len(side), 1) for side in (x, y)]
    outside = float(((together < edges[0]) | (together > edges[-1])).mean())
    return Marginal(name, kind, edges, (), shares[0], shares[1], outside)


def projection(pair: Pair, points: Encoded, rng: np.random.Generator) -> Projection | None:
    """The direction of largest W_1 on half of the rows, and the other half along it."""
    if min(len(points.x), len(points.y)) < _FEWEST:
        return None
    halves = []
    for side in (points.x, points.y):
        order = rng.permutation(len(side))
        halves.append((side[order[: len(side) // 2]][:_FITTED], side[order[len(side) // 2 :]]))
    exponent = np.frexp(max(float(np.abs(side).max()) for side in (points.x, points.y)))[1]
    seen = [np.ldexp(half[0], -exponent) for half in halves]
    weighted = [(side, np.full(len(side), 1 / len(side))) for side in seen]
    starts = uniform_directions(_STARTS, points.x.shape[1], rng)
    found = steepest_directions(weighted[0], weighted[1], starts, 1.0, _STEPS)
    u = found[int(np.argmax(along((seen[0], None), (seen[1], None), found, 1.0)))]
    if points.x.shape[1] == 1:
        u = np.abs(u)
    x, y = (half[1] @ u for half in halves)
    weights = np.bincount(points.owners, u**2, minlength=len(pair.features))
    most = np.argsort(-weights, kind="stable")[:_NAMED]
    columns = tuple((pair.features[i].name, float(weights[i])) for i in most if weights[i] > 0)
    return Projection(_histograms("projection", "number", x, y), columns)
