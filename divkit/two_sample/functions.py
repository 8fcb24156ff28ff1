"""Statistics of others: divergences by any of divkit's methods, and functions of two arrays."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from divkit._errors import InvalidInput
from divkit.divergences import DerivedDivergence, Divergence, FDivergence, Wasserstein
from divkit.measures import Samples
from divkit.methods import Method
from divkit.result import Estimate
from divkit.two_sample import STATISTICS, Labels, Pooled, Prepared, Statistic, statistic_class

__all__ = ["FromDivergence", "FromFunction", "resolve_statistic"]

_F = NDArray[np.float64]


@dataclass(frozen=True)
class FromFunction(Statistic):
    """A function of the two arrays, called once for every permutation.

    Parameters
    ----------
    function : callable
        From x (n, d) and y (m, d) to a finite number that is large where their laws differ.
    """

    name: ClassVar[str] = "function"
    summary: ClassVar[str] = "a function of two arrays"

    function: Callable[[_F, _F], Any]

    def prepare(self, pooled: Pooled, rng: np.random.Generator) -> Prepared:
        """See `Statistic.prepare`."""

        def values(labels: Labels) -> _F:
            return np.array([self._value(pooled.points[row], pooled.points[~row]) for row in labels])

        return Prepared(pooled, values, 64)

    def _value(self, x: _F, y: _F) -> float:
        found = float(self.function(x, y))
        if not math.isfinite(found):
            raise InvalidInput(f"statistic must return finite numbers, but it returned {found} for a permutation")
        return found


@dataclass(frozen=True)
class FromDivergence(Statistic):
    """A divergence between the samples by one of the methods of `divkit.METHODS`, computed for every permutation.

    Parameters
    ----------
    divergence : divergence
    method : str or Method
    """

    name: ClassVar[str] = "divergence"
    summary: ClassVar[str] = "a divergence, by any method"

    divergence: Divergence
    method: str | Method = "auto"

    def prepare(self, pooled: Pooled, rng: np.random.Generator) -> Prepared:
        """See `Statistic.prepare`."""

        def values(labels: Labels) -> _F:
            return np.array([float(self._estimate(pooled.points, row, 0.95, rng)) for row in labels])

        return Prepared(pooled, values, 16, lambda level: self._estimate(pooled.points, pooled.labels, level, rng))

    def _estimate(self, points: _F, row: NDArray[np.bool_], level: float, rng: np.random.Generator) -> Estimate:
        from divkit.api import estimate

        P, Q = Samples(points[row]), Samples(points[~row])
        return estimate(P, Q, self.divergence, self.method, level=level, rng=rng)


def resolve_statistic(statistic: Any) -> Statistic:
    """A statistic from its name, from itself, from a divergence, or from a function of two arrays.

    Raises
    ------
    InvalidInput
        If it is none of these.
    """
    if isinstance(statistic, Statistic):
        return statistic
    if isinstance(statistic, str) and statistic in STATISTICS:
        return statistic_class(statistic)()
    if isinstance(statistic, FDivergence | DerivedDivergence | Wasserstein):
        return FromDivergence(statistic)
    if callable(statistic) and not isinstance(statistic, type):
        return FromFunction(statistic)
    raise InvalidInput(
        f"statistic must be one of {', '.join(STATISTICS)}, a divergence such as divkit.DIVERGENCES['jsd'], a "
        f"statistic object, or a function of two arrays (n, d) and (m, d); got {statistic!r}"
    )
