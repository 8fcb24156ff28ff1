"""The permutation test of two samples, whatever the statistic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from divkit._array import to_numpy
from divkit._checks import check_integer, check_level, check_points, check_rng, check_same_dimension
from divkit._errors import InvalidInput
from divkit.divergences import Divergence
from divkit.measures import Samples
from divkit.two_sample import Labels, Pooled, Prepared, Statistic
from divkit.two_sample._arrangements import Arrangements
from divkit.two_sample.functions import resolve_statistic
from divkit.two_sample.result import TestResult

__all__ = ["pooled_samples", "two_sample_test"]

_F = NDArray[np.float64]
_CHUNK: Final = 64  # permutations between looks at an early stop


def two_sample_test(
    x: Any,
    y: Any,
    statistic: str | Statistic | Divergence | Callable[[_F, _F], Any] = "energy",
    *,
    permutations: int = 999,
    paired: bool = False,
    strata: tuple[Any, Any] | None = None,
    stop_after: int | None = None,
    level: float = 0.95,
    rng: int | np.random.Generator | None = None,
) -> TestResult:
    """Do two samples come from one law? A permutation test: exact at every size, whatever the law.

    Parameters
    ----------
    x, y : array_like, shape (n,) or (n, d) and (m,) or (m, d), or Samples without weights
    statistic : str, Statistic, divergence or callable
        A name of `divkit.two_sample.STATISTICS`; an object with settings, such as ``NearestNeighbours(k=10)``; a
        divergence, estimated anew for every permutation; or a function from x (n, d) and y (m, d) to a number that is
        large where the laws differ.
    permutations : int
        B. The p-value is a multiple of 1/(1 + B); where there are no more arrangements than that, all are visited.
    paired : bool
        x[i] and y[i] belong together (n = m): they may change places, and that is all.
    strata : (array_like, array_like), optional
        Labels (n,) and (m,) of any kind, such as sites or years: points change samples only within their stratum.
    stop_after : int, optional
        End as soon as so many permuted statistics are at or above the observed one; p is then their number over that
        of the permutations, which keeps the level (Besag and Clifford 1991). A clear "no" takes fewer permutations.
    level : float
        Of the interval of `effect`.
    rng : int, numpy.random.Generator or None

    Returns
    -------
    TestResult

    Raises
    ------
    InvalidInput
        For samples, names or settings that are none, and for weights: permutations hold points equally likely, which
        weighted ones are not.
    Unsupported
        If the statistic cannot compare such samples; the message says why.

    Notes
    -----
    p = (1 + b)/(1 + B), with b of B permuted statistics at or above the observed one (Phipson and Smyth 2010): b/B is
    no valid p-value. Statistics that differ by rounding count as equal.

    Examples
    --------
    >>> import numpy as np
    >>> import divkit
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(0.0, 1.0, (100, 3)), rng.normal(0.8, 1.0, (100, 3))
    >>> divkit.two_sample_test(x, y, rng=0).p_value
    0.001
    >>> divkit.two_sample_test(x, y - 0.8, "wasserstein1", rng=0).p_value > 0.05
    True
    """
    level, found = check_level(level), resolve_statistic(statistic)
    permutations, generator = check_integer("permutations", permutations, 1), check_rng(rng)
    if stop_after is not None:
        stop_after = check_integer("stop_after", stop_after, 1)
    pooled = pooled_samples(x, y, paired=paired, strata=strata)
    n = int(pooled.labels.sum())
    m = len(pooled.labels) - n
    found.demand(n, m, pooled.points.shape[1])
    fit, draws = generator.spawn(2)
    prepared = found.prepare(pooled, fit)
    effect = None if prepared.effect is None else prepared.effect(level)
    outcome = _Outcome(prepared, found, permutations, stop_after)
    outcome.run(draws)
    return TestResult(
        name=found.name,
        statistic=outcome.observed,
        p_value=outcome.p_value,
        null=outcome.null,
        n=n,
        m=m,
        effect=effect,
        exceedances=outcome.exceedances,
        info=outcome.info,
    )


class _Outcome:
    """Permutes the labels of what is prepared until it is enough."""

    def __init__(self, prepared: Prepared, statistic: Statistic, permutations: int, stop_after: int | None) -> None:
        self._prepared, self._statistic, self._limit = prepared, statistic, stop_after
        self._arrangements = Arrangements(prepared.pooled)
        self._all = self._arrangements.are_few(permutations)
        self._permutations = permutations
        self.observed, self.null = np.nan, np.zeros(0)
        self.exceedances, self.stopped = 0, False

    @property
    def p_value(self) -> float:
        """See `TestResult.p_value`."""
        count = len(self.null)
        return self.exceedances / count if self.stopped else (1 + self.exceedances) / (1 + count)

    @property
    def info(self) -> dict[str, Any]:
        """See `TestResult.info`."""
        return {"arrangements": "all" if self._all else "drawn", "stopped": self.stopped}

    def run(self, rng: np.random.Generator) -> None:
        """All permutations, or those until the end."""
        rows = self._prepared.rows
        if rows is None:
            rows = self._permutations
        elif self._limit is not None:
            rows = min(rows, _CHUNK)
        first = self._prepared.pooled.labels[None]
        for labels in self._arrangements.blocks(self._permutations, rows, rng):
            self._take(np.concatenate([first, labels]))
            first = first[:0]
            if self.stopped:
                return

    def _take(self, labels: Labels) -> None:
        """Count rows of labels, the first of which is the observed one if there was none before."""
        values = self._prepared.values(labels)
        if np.isnan(values).any():
            raise InvalidInput(f"statistic {self._statistic.name!r} is not a number for some permutation of the labels")
        if np.isnan(self.observed):
            self.observed, values = float(values[0]), values[1:]
        null = np.concatenate([self.null, values])
        sizes = np.abs(np.append(null, self.observed))
        largest = float(sizes[np.isfinite(sizes)].max(initial=0.0))
        above = np.cumsum(null >= self.observed - self._statistic.rounding * largest)
        if self._limit is not None and len(null) and above[-1] >= self._limit and not self._all:
            end = int(np.argmax(above >= self._limit)) + 1
            self.null, self.exceedances, self.stopped = null[:end], self._limit, True
            return
        self.null, self.exceedances = null, int(above[-1]) if len(null) else 0


def pooled_samples(x: Any, y: Any, *, paired: bool = False, strata: tuple[Any, Any] | None = None) -> Pooled:
    """Both samples as one, with the groups within which labels may be exchanged.

    Raises
    ------
    InvalidInput
        For samples that are none, weights, and pairs or strata that do not fit.
    """
    a, b = _points("x", x), _points("y", y)
    check_same_dimension(a, b)
    labels = np.repeat([True, False], [len(a), len(b)])
    groups = None
    if paired:
        if strata is not None:
            raise InvalidInput("paired and strata exclude each other; a pair is a stratum of two")
        if len(a) != len(b):
            raise InvalidInput(f"paired takes as many points in y as in x, got {len(a)} and {len(b)}; match them first")
        groups = np.tile(np.arange(len(a)), 2)
    elif strata is not None:
        groups = _groups(strata, len(a), len(b))
    return Pooled(np.concatenate([a, b]), labels, groups)


def _points(name: str, value: Any) -> _F:
    if isinstance(value, Samples):
        if value.weights is not None:
            raise InvalidInput(
                f"{name} has weights, and a permutation test holds all points equally likely; draw from {name} with "
                f"its weights as probabilities, or bound a divergence by divkit.fdiv_lower_bound, which takes them"
            )
        return value.points
    return check_points(name, value)


def _groups(strata: tuple[Any, Any], n: int, m: int) -> NDArray[np.intp]:
    if not isinstance(strata, tuple | list) or len(strata) != 2:
        raise InvalidInput("strata must be a pair of arrays: the strata of the points of x, and those of y")
    sides = [np.asarray(side) for side in strata]
    for name, side, count in (("x", sides[0], n), ("y", sides[1], m)):
        if side.shape != (count,):
            raise InvalidInput(f"strata of {name} must have shape ({count},), one a point, got {side.shape}")
    if any(side.dtype.kind == "f" for side in sides):
        for side in sides:
            if np.isnan(to_numpy("strata", side)).any():
                raise InvalidInput("strata must not be NaN; give the points without a stratum one of their own")
    together = np.concatenate(sides) if sides[0].dtype.kind == sides[1].dtype.kind else None
    if together is None:
        raise InvalidInput(f"strata of x and y must be of one kind, got {sides[0].dtype} and {sides[1].dtype}")
    return np.asarray(np.unique(together, return_inverse=True)[1].reshape(-1), dtype=np.intp)
