"""Statistics of distribution functions on the line: W_1, Kolmogorov-Smirnov, Cramer; and W_1 along many lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from divkit._checks import check_integer
from divkit._threads import parallel_map, workers
from divkit._unit import in_unit
from divkit.result import Estimate
from divkit.two_sample import Labels, Pooled, Prepared, Statistic

__all__ = ["Cramer", "KolmogorovSmirnov", "Lines", "Wasserstein1", "exactly", "on_the_line", "sum_rounding"]

_F = NDArray[np.float64]
_REACH: Final = 4.0  # the widest that the points of `in_unit` are
_STEPS: Final = 4096  # roundings in a term, and in blocks of sums; many more than there are
_MANY: Final = 100  # directions
_FEWEST: Final = 10
_PROJECTED: Final = 2**24
_BYTES: Final = 2**25  # of labels at a time
_PARALLEL: Final = 2**18  # labels from which a second thread pays


class Lines:
    """|F - G| of labelled points along L lines, from one sort of each.

    Parameters
    ----------
    positions : ndarray, shape (L, N)
        In units in which powers of their differences are floats.
    power : int
        1 for the integral of |F - G|, 2 for that of its square, 0 for the largest value.
    """

    def __init__(self, positions: _F, power: int) -> None:
        self._order = np.argsort(positions, axis=1, kind="stable").astype(np.int32)  # (L, N)
        ordered = np.take_along_axis(positions, self._order, axis=1)
        self._gaps = np.diff(ordered, axis=1, append=ordered[:, -1:])  # (L, N)
        self._power = power

    @classmethod
    def of_columns(cls, points: _F, power: int) -> tuple[Lines, _F]:
        """One line for each column of points (N, d), and the units (d,) of what is found there.

        For power 0 places are ranks: what counts is which points are equal, however close others are.
        """
        if power == 0:
            ranks = [np.unique(column, return_inverse=True)[1].reshape(-1) for column in points.T]
            return cls(np.array(ranks, dtype=np.float64), power), np.ones(points.shape[1])
        columns, units = zip(*(in_unit(column[:, None]) for column in points.T), strict=True)
        return cls(np.ascontiguousarray(np.concatenate(columns, axis=1).T), power), np.array(units)

    def values(self, labels: Labels) -> _F:
        """(b, N), with as many True in every row, to (b, L)."""
        from divkit._kernels.permutation import line_values

        out = np.empty((len(labels), len(self._order)))
        n = int(labels[:1].sum())
        threads = workers() if labels.size * len(self._order) >= _PARALLEL else 1
        step = max(1, -(-len(labels) // (4 * threads)))
        parts = [slice(start, start + step) for start in range(0, len(labels), step)]
        parallel_map(
            lambda part: line_values(out[part], labels[part], n, self._order, self._gaps, self._power), parts, threads
        )
        return out

    @property
    def rows(self) -> int:
        """Rows of labels at a time."""
        return max(64, _BYTES // int(self._order.shape[1]))


@dataclass(frozen=True)
class _OnTheLine(Statistic):
    """One of F - G for points on the line."""

    power: ClassVar[int]

    def refusal(self, n: int, m: int, d: int) -> str | None:
        """See `Statistic.refusal`."""
        return None if d == 1 else f"it is for points on the line, these have {d} coordinates; take energy"

    def prepare(self, pooled: Pooled, rng: np.random.Generator) -> Prepared:
        """See `Statistic.prepare`."""
        return on_the_line(pooled, self.power, self.name)


def on_the_line(pooled: Pooled, power: int, name: str, factor: float = 1.0) -> Prepared:
    """`factor` times what `Lines` finds for points on the line (N, 1)."""
    lines, units = Lines.of_columns(pooled.points, power)
    unit = factor * float(units[0])

    def values(labels: Labels) -> _F:
        return unit * lines.values(labels)[:, 0]

    def effect(level: float) -> Estimate:
        gap = sum_rounding(len(pooled.labels)) * unit * _REACH
        return exactly(float(values(pooled.labels[None])[0]), name, "line", gap)

    return Prepared(pooled, values, lines.rows, effect)


def sum_rounding(count: int) -> float:
    """What float64 may lose of a sum over so many points, relative to the sum of the sizes of its terms.

    One rounding of 2^-53 for each of the terms, and as many again for what a term is made of.
    """
    return 2.0**-52 * (count + _STEPS)


def exactly(value: float, divergence: str, method: str, gap: float) -> Estimate:
    """A number of the samples as they are, which is at least 0, up to rounding."""
    interval = max(value - gap, 0.0), value + gap
    return Estimate(
        value, divergence=divergence, method=method, bound="exact", interval=interval, level=1.0, info={"gap": gap}
    )


@dataclass(frozen=True)
class KolmogorovSmirnov(_OnTheLine):
    """The largest |F - G|, on the line (Kolmogorov 1933, Smirnov 1939)."""

    name: ClassVar[str] = "ks"
    summary: ClassVar[str] = "largest difference of the distribution functions, on the line"
    power: ClassVar[int] = 0


@dataclass(frozen=True)
class Cramer(_OnTheLine):
    """The integral of (F - G)^2, on the line: half the energy distance."""

    name: ClassVar[str] = "cramer"
    summary: ClassVar[str] = "integral of the squared difference of the distribution functions, on the line"
    power: ClassVar[int] = 2


@dataclass(frozen=True)
class Wasserstein1(Statistic):
    """W_1 on the line; in more dimensions the mean of W_1 along random directions.

    Parameters
    ----------
    projections : int or None
        Directions, for points that are not on the line. By default 100, and fewer, but 10 at least, where the projected
        points would be more than 16 million.
    """

    name: ClassVar[str] = "wasserstein1"
    summary: ClassVar[str] = "W_1 on the line, its mean along random directions elsewhere"

    projections: int | None = None

    def __post_init__(self) -> None:
        if self.projections is not None:
            check_integer("projections", self.projections, 1)

    def prepare(self, pooled: Pooled, rng: np.random.Generator) -> Prepared:
        """See `Statistic.prepare`."""
        points, unit = in_unit(pooled.points)
        d = points.shape[1]
        if d > 1:
            count = self.projections or min(_MANY, max(_FEWEST, _PROJECTED // len(points)))
            directions = rng.standard_normal((d, count))
            points = points @ (directions / np.linalg.norm(directions, axis=0))
        lines = Lines(np.ascontiguousarray(points.T), 1)
        effect = (lambda level: _distance(pooled)) if d == 1 else None
        return Prepared(pooled, lambda labels: unit * lines.values(labels).mean(axis=1), lines.rows, effect)


def _distance(pooled: Pooled) -> Estimate:
    """W_1 between the samples on the line, exactly."""
    from divkit.transport.line import line_estimate

    return line_estimate(pooled.x[:, 0].copy(), pooled.y[:, 0].copy(), None, None, 1.0)
