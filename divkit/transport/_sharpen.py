"""Potentials brought near the optimum before the simplex starts: Sinkhorn steps on the candidate arcs."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from divkit._threads import parallel_map
from divkit.transport._kernels.sinkhorn import soft_minimum_step

__all__ = ["sharpen"]

_F = NDArray[np.float64]
_I = NDArray[np.int64]

_SCHEDULE: Final = ((1.0, 10), (0.5, 10), (0.25, 10))  # (epsilon in units of the local gap, steps)
_RELAXATION: Final = 1.6
_LARGE: Final = 4_000  # points from which threads pay


def sharpen(
    rows: _I, columns: _I, costs: _F, masses: tuple[_I, _I], f: _F, g: _F, gap: float, threads: int
) -> tuple[_F, _F]:
    """Potentials of the entropic problem on the arcs (rows, columns), started from f and g; `gap` sets epsilon.

    Over-relaxed, and annealed: the last epsilon is a quarter of `gap`, a typical difference of slacks at one point.
    """
    f, g = f.copy(), g.copy()
    total = float(masses[0].sum())
    sides = []
    for own, other, mass, mine, theirs in ((rows, columns, masses[0], f, g), (columns, rows, masses[1], g, f)):
        order = np.argsort(own, kind="stable")
        pointers = np.concatenate([[0], np.cumsum(np.bincount(own, minlength=len(mass)))])
        sides.append((pointers, other[order].astype(np.int32), costs[order], mine, theirs, np.log(mass / total)))
    for factor, steps in _SCHEDULE:
        for step in range(steps):
            for side in sides:
                _step(side, factor * gap, _RELAXATION if step > 2 else 1.0, threads)
    return f, g


def _step(side: tuple[Any, ...], epsilon: float, relaxation: float, threads: int) -> None:
    n = len(side[3])
    parts = threads if n > _LARGE else 1
    ends = np.linspace(0, n, parts + 1).astype(int).tolist()
    ranges = list(pairwise(ends))
    parallel_map(lambda part: soft_minimum_step(*part, *side, epsilon, relaxation), ranges, parts)
