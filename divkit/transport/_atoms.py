"""Distinct points of positive mass in the solver's order, and the way back to the points they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from divkit.transport._kernels.refine import refine_flows
from divkit.transport._levels import order_of

if TYPE_CHECKING:
    from divkit.transport._bracket import Bracketed

__all__ = ["Atoms", "spread_over"]

_F = NDArray[np.float64]
_I = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Atoms:
    """k distinct points (k, d) with integer masses (k,), in the order of `order_of`.

    Atom t stands for the points members[starts[t] : starts[t + 1]] of the whole set, whose masses are member_masses in
    the same places. Copies of a point are one atom: as k equal rows they would be k columns of ties.
    """

    points: _F
    masses: _I
    members: _I
    member_masses: _I
    starts: _I

    @classmethod
    def of(cls, points: _F, heavy: NDArray[np.intp], masses: _I) -> Atoms:
        """The atoms among points[heavy] with masses (len(heavy),)."""
        used = points[heavy] + 0.0  # -0.0 and 0.0 are one point
        group, count = _groups(used)
        first = np.full(count, len(used))
        np.minimum.at(first, group, np.arange(len(used)))
        order = order_of(used[first])  # of the distinct points
        place = np.empty(count, np.int64)
        place[order] = np.arange(count)
        atom = place[group]
        by_atom = np.argsort(atom, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(atom, minlength=count))])
        return cls(
            used[first[order]],
            np.add.reduceat(masses[by_atom], starts[:-1]),
            heavy[by_atom].astype(np.int64),
            masses[by_atom],
            starts,
        )

    @classmethod
    def each(cls, points: _F, heavy: NDArray[np.intp], masses: _I) -> Atoms:
        """points[heavy] as they come, one atom each."""
        used = points if len(heavy) == len(points) else points[heavy]
        return cls(used, masses, heavy, masses, np.arange(len(heavy) + 1))

    def to_members(self, potential: _F) -> _F:
        """The potential (k,) of its atom for every member."""
        return np.repeat(potential, np.diff(self.starts))


def _groups(points: _F) -> tuple[_I, int]:
    """(the number of its group (n,), how many groups) of equal rows."""
    mixed = (points * np.random.default_rng(0).uniform(1, 2, points.shape[1])).sum(axis=1)
    if len(np.unique(mixed)) == len(points):  # equal rows have equal sums
        return np.arange(len(points)), len(points)
    distinct, group = np.unique(points, axis=0, return_inverse=True)
    return group.reshape(-1), len(distinct)


def spread_over(x: Atoms, y: Atoms, solved: Bracketed) -> tuple[_I, _I, _I]:
    """The plan between atoms as a plan (rows, columns, flows) between the points of the two whole sets."""
    rows, columns, flows = solved.rows, solved.columns, solved.flows
    if len(x.members) > len(x.points) or len(y.members) > len(y.points):
        order = np.lexsort((columns, rows))
        rows, columns, flows = refine_flows(
            rows[order], columns[order], flows[order], x.starts, y.starts, x.member_masses, y.member_masses
        )
    return x.members[rows], y.members[columns], flows
