"""Test statistics for two samples as data: what a statistic is, and the table of all of them."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Final, cast

import numpy as np
from numpy.typing import NDArray

from divkit._errors import Unsupported
from divkit.result import Estimate

__all__ = ["STATISTICS", "Labels", "Pooled", "Prepared", "Statistic", "statistic_class"]

_F = NDArray[np.float64]
Labels = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Pooled:
    """Two samples as one, with the labels that tell them apart.

    Parameters
    ----------
    points : ndarray, shape (N, d)
    labels : ndarray of bool, shape (N,)
        True for the points of x.
    groups : ndarray of int, shape (N,), or None
        Labels may be exchanged within a group only: strata, or pairs.
    """

    points: _F
    labels: Labels
    groups: NDArray[np.intp] | None = None

    @property
    def x(self) -> _F:
        """The points of the first sample, (n, d)."""
        return self.points[self.labels]

    @property
    def y(self) -> _F:
        """The points of the second sample, (m, d)."""
        return self.points[~self.labels]

    def part(self, rows: NDArray[Any]) -> Pooled:
        """Some of the points."""
        return Pooled(self.points[rows], self.labels[rows], None if self.groups is None else self.groups[rows])


@dataclass(frozen=True, eq=False)
class Prepared:
    """A statistic as a function of labels, all else being done.

    Parameters
    ----------
    pooled : Pooled
        Whose labels are exchanged: all points, or those that were held out of a fit.
    values : callable
        From rows of labels (b, N) to values (b,): larger ones speak against equal laws.
    rows : int or None
        Rows at a time that suit its memory; None if a value depends on what else is in the rows, the first of which is
        the observed one: all permutations are then evaluated at once.
    effect : callable or None
        From a level to an estimate of how far apart the samples are, where the statistic says so in a unit.
    """

    pooled: Pooled
    values: Callable[[Labels], _F]
    rows: int | None = None
    effect: Callable[[float], Estimate] | None = None


class Statistic(ABC):
    """Something that is large where two samples come from different laws; every one is a frozen dataclass."""

    name: ClassVar[str]
    summary: ClassVar[str]
    rounding: ClassVar[float] = 1e-12  # relative to the largest value; what is closer counts as equal

    def refusal(self, n: int, m: int, d: int) -> str | None:
        """Why it cannot compare n and m points in d dimensions, in a clause; None if it can."""
        return None

    @abstractmethod
    def prepare(self, pooled: Pooled, rng: np.random.Generator) -> Prepared:
        """Everything that does not depend on the labels."""

    def demand(self, n: int, m: int, d: int) -> None:
        """Raise `Unsupported` with the reason if it cannot compare such samples."""
        reason = self.refusal(n, m, d)
        if reason is not None:
            raise Unsupported(f"statistic {self.name!r} cannot compare these samples: {reason}")


STATISTICS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "energy": "divkit.two_sample.kernels:Energy",
        "mmd": "divkit.two_sample.kernels:MMD",
        "mmd_aggregated": "divkit.two_sample.aggregated:AggregatedMMD",
        "wasserstein1": "divkit.two_sample.line:Wasserstein1",
        "knn": "divkit.two_sample.neighbours:NearestNeighbours",
        "classifier": "divkit.two_sample.classifier:Classifier",
        "ks": "divkit.two_sample.line:KolmogorovSmirnov",
        "cramer": "divkit.two_sample.line:Cramer",
    }
)


def statistic_class(name: str) -> type[Statistic]:
    """The class behind a name of STATISTICS, imported on use."""
    module, _, attribute = STATISTICS[name].partition(":")
    return cast("type[Statistic]", getattr(importlib.import_module(module), attribute))
