"""Coarser and coarser versions of two weighted point sets: where good potentials come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from divkit.transport._kernels.kd import kd_order
from divkit.transport._kernels.refine import refine_flows
from divkit.transport._pair_search import PairSearch, block_size, pair_search
from divkit.transport._restricted import level_out

__all__ = ["GROUP", "Level", "extend", "levels", "order_of", "refine", "spread"]

_F = NDArray[np.float64]
_I = NDArray[np.int64]

GROUP: Final = 4  # neighbours that become one point
_SMALL: Final = 300  # points that are solved without a coarser level
_FEWEST: Final = 75  # a side with fewer points is not made coarser
_MEANS: Final = 6  # dimensions up to which a group is represented by its mean


@dataclass(frozen=True, eq=False)
class Level:
    """Points x (n, d), y (m, d) in the order of `kd_order` with integer masses (n,), (m,) of equal total."""

    x: _F
    y: _F
    x_masses: _I
    y_masses: _I


def order_of(points: _F) -> _I:
    """The order in which neighbours stand together in groups of GROUP and in blocks."""
    order: _I = kd_order(points, GROUP, block_size(points.shape[1]))
    return order


def levels(finest: Level, rng: np.random.Generator) -> list[Level]:
    """From the coarsest to the finest, which is the argument."""
    found = [finest]
    while max(len(found[-1].x), len(found[-1].y)) > _SMALL and min(len(found[-1].x), len(found[-1].y)) > _FEWEST:
        level = found[-1]
        x, x_masses = _coarser(level.x, level.x_masses, rng)
        y, y_masses = _coarser(level.y, level.y_masses, rng)
        found.append(Level(x, y, x_masses, y_masses))
    return found[::-1]


def _coarser(points: _F, masses: _I, rng: np.random.Generator) -> tuple[_F, _I]:
    """Each group of GROUP neighbours as one point with their mass; the order stays one of kd-cells.

    The point is their mean in few dimensions and one of them in many, where means would all lie near the centre.
    """
    if len(points) <= _FEWEST:
        return points, masses
    starts = np.arange(0, len(points), GROUP)
    total = np.add.reduceat(masses, starts)
    if points.shape[1] > _MEANS:
        counts = np.minimum(GROUP, len(points) - starts)
        return points[starts + rng.integers(0, counts)], total
    share = masses / np.repeat(total, GROUP)[: len(points)]  # (n,), sums to 1 in each group
    return np.add.reduceat(share[:, None] * points, starts, axis=0), total


def extend(coarse: Level, fine: Level, f: _F, g: _F, p: int, threads: int) -> tuple[_F, _F]:
    """Potentials of the fine level from those of the coarse one, by c-transforms against its opposite points."""
    one = _transform(pair_search(fine.x, coarse.y, p, threads), spread(f, len(fine.x)), g)
    other = _transform(pair_search(fine.y, coarse.x, p, threads), spread(g, len(fine.y)), f)
    return level_out(one, other)


def _transform(search: PairSearch, guess: _F, potential: _F) -> _F:
    return search.nearest(guess, potential, 1)[1][:, 0] + guess


def spread(values: _F, n: int) -> _F:
    """For each of n points the value (or row) of its group, or of its group's group, ...: runs of GROUP^k points."""
    factor = 1
    while -(-n // factor) > len(values):
        factor *= GROUP
    return values[np.arange(n) // factor]


def refine(flows: tuple[_I, _I, _I], fine: Level) -> tuple[_I, _I, _I]:
    """A plan of the fine level from one (rows, columns, flows) of the level above it: each flow, split among points."""
    rows, columns, amounts = flows
    order = np.lexsort((columns, rows))
    x_starts, y_starts = (np.append(np.arange(0, len(z), _step(len(z))), len(z)) for z in (fine.x, fine.y))
    parts: tuple[_I, _I, _I] = refine_flows(
        rows[order], columns[order], amounts[order], x_starts, y_starts, fine.x_masses, fine.y_masses
    )
    return parts


def _step(n: int) -> int:
    return GROUP if n > _FEWEST else 1
