"""Energy distance and maximum mean discrepancy, for all permutations by products with blocks of one matrix."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from divkit._checks import check_integer
from divkit._errors import InvalidInput
from divkit._unit import in_unit
from divkit.result import Estimate
from divkit.two_sample import Labels, Pooled, Prepared, Statistic
from divkit.two_sample.line import exactly, on_the_line, sum_rounding

__all__ = ["MMD", "MOST", "Energy", "Kernel", "Scale", "median_distance", "pairs_refusal", "rows_of", "unbiased"]

_F = NDArray[np.float64]
_SIDE: Final = 1024  # of a block of the matrix
_HELD: Final = 2**25  # entries of the matrix that are kept between calls, 128 MiB in float32
_LABELS: Final = 2**25  # entries of labels at a time, 128 MiB in float32
MOST: Final = 100_000
_SOME: Final = 1000  # points whose distances say what a usual one is

Kernel = Literal["gaussian", "laplace"]
Profile = Callable[[_F], _F]  # distances to entries, in place
_METRIC: Final[dict[str, str]] = {"gaussian": "sqeuclidean", "laplace": "cityblock"}


class QuadraticForms:
    """s' K s and s' K 1 for rows of labels, s being the labels less their mean, and K without its diagonal.

    K is never held beyond 2^25 entries: it is made again, a block at a time, for every call. Its entries and the
    products are in float32, the sums over blocks in float64: s sums to 0, so that nothing is lost by cancellation, and
    the relative error of either is about 1e-6.

    Parameters
    ----------
    points : ndarray, shape (N, d)
    metric : str
        As `scipy.spatial.distance.cdist` takes it.
    profile : callable
        From distances to entries of K.
    """

    def __init__(self, points: _F, metric: str, profile: Profile) -> None:
        self._points, self._metric, self._profile = points, metric, profile
        self._kept: list[NDArray[np.float32]] = []
        self._sums: _F | None = None  # K 1, once all blocks have been made

    def __call__(self, labels: Labels) -> tuple[_F, _F]:
        """Rows (b, N) to two vectors (b,)."""
        signs = np.ascontiguousarray(labels.T, dtype=np.float32)  # (N, b)
        signs -= signs[:, 0].mean()  # the same for all rows
        forms = np.zeros(signs.shape[1])
        for i, j, block in self._blocks():
            product = block @ signs[j]
            product *= signs[i]
            forms += (2.0 if i != j else 1.0) * product.sum(axis=0, dtype=np.float64)
        return forms, np.asarray(self._centred().astype(np.float32) @ signs, dtype=np.float64)

    @property
    def total(self) -> float:
        """1' K 1, once called."""
        assert self._sums is not None
        return float(self._sums.sum())

    def exact(self, labels: Labels) -> tuple[float, float]:
        """Both forms of one row (N,) in float64."""
        s, form = labels - labels.mean(), 0.0
        for i, j, block in self._made():
            form += (2.0 if i != j else 1.0) * float(s[i] @ (block @ s[j]))
        return form, float(s @ self._centred())

    def _centred(self) -> _F:
        """K 1 less its mean: s sums to 0."""
        assert self._sums is not None
        return np.asarray(self._sums - self._sums.mean())

    def _blocks(self) -> Iterator[tuple[slice, slice, NDArray[np.float32]]]:
        """The blocks on and above the diagonal, as they were kept or made."""
        if self._kept:
            yield from zip(*zip(*self._places(), strict=True), self._kept, strict=True)
        else:
            yield from ((i, j, block.astype(np.float32)) for i, j, block in self._made())

    def _made(self) -> Iterator[tuple[slice, slice, _F]]:
        """The same in float64; what the first pass finds is there for later ones."""
        from scipy.spatial.distance import cdist

        sums, kept = np.zeros(len(self._points)), []
        for i, j in self._places():
            block = self._profile(cdist(self._points[i], self._points[j], self._metric))
            if i == j:
                np.fill_diagonal(block, 0.0)
            if self._sums is None:
                sums[i] += block.sum(axis=1)
                if i != j:
                    sums[j] += block.sum(axis=0)
                if len(self._points) ** 2 <= _HELD:
                    kept.append(block.astype(np.float32))
            yield i, j, block
        if self._sums is None:
            self._sums, self._kept = sums, kept

    def _places(self) -> list[tuple[slice, slice]]:
        parts = [slice(start, start + _SIDE) for start in range(0, len(self._points), _SIDE)]
        return [(a, b) for k, a in enumerate(parts) for b in parts[k:]]


def pairs_refusal(n: int, m: int, most: int) -> str | None:
    """Why there are no means over pairs of different points of either sample, in a clause; None if there are."""
    if min(n, m) < 2:
        return f"it takes pairs within each sample, and there are {n} and {m} points"
    return _too_many(n + m, most)


def _too_many(points: int, most: int) -> str | None:
    if points <= most:
        return None
    return f"{points} points are too many pairs; take wasserstein1, which needs no pairs, or raise max_points"


def rows_of(points: _F) -> int:
    """Rows of labels at a time."""
    return max(64, _LABELS // len(points))


@dataclass(frozen=True)
class Energy(Statistic):
    """2 E|X - Y| - E|X - X'| - E|Y - Y'| between the samples as they are (Szekely and Rizzo 2004).

    At least 0, and 0 only if they are equal; in the units of the points. Its root is what some call energy distance.

    Parameters
    ----------
    max_points : int
        More than these are refused: distances take (n + m)^2/2 evaluations. No limit on the line, where a sort is
        enough.
    """

    name: ClassVar[str] = "energy"
    summary: ClassVar[str] = "2 E|X - Y| - E|X - X'| - E|Y - Y'|"
    rounding: ClassVar[float] = 1e-6

    max_points: int = MOST

    def __post_init__(self) -> None:
        check_integer("max_points", self.max_points, 2)

    def refusal(self, n: int, m: int, d: int) -> str | None:
        """See `Statistic.refusal`."""
        return _too_many(n + m, self.max_points) if d > 1 else None

    def prepare(self, pooled: Pooled, rng: np.random.Generator) -> Prepared:
        """See `Statistic.prepare`."""
        if pooled.points.shape[1] == 1:
            return on_the_line(pooled, 2, self.name, 2.0)
        points, unit = in_unit(pooled.points)
        forms = QuadraticForms(points, "euclidean", lambda distances: distances)
        n, size = int(pooled.labels.sum()), len(points)
        factor = -unit * (1 / n + 1 / (size - n)) ** 2  # from centred labels to differences of means

        def effect(level: float) -> Estimate:
            # (1/n + 1/m)^2 sum |s_i| |s_j| is 4 at most, and no distance is above 4 sqrt(d).
            gap = sum_rounding(size) * unit * 16 * math.sqrt(points.shape[1])
            return exactly(max(factor * forms.exact(pooled.labels)[0], 0.0), self.name, "pairs", gap)

        return Prepared(pooled, lambda labels: factor * forms(labels)[0], rows_of(points), effect)


def median_distance(points: _F, kernel: Kernel, rng: np.random.Generator) -> float:
    """The median distance of 1,000 of the points, as the kernel measures it; of the positive ones, should that be 0."""
    from scipy.spatial.distance import pdist

    metric = "euclidean" if kernel == "gaussian" else "cityblock"
    some = points if len(points) <= _SOME else points[rng.choice(len(points), _SOME, replace=False)]
    distances = pdist(some, metric)
    found = float(np.median(distances)) if len(distances) else 0.0
    if found > 0:
        return found
    positive = distances[distances > 0]
    return float(np.median(positive)) if len(positive) else 1.0


@dataclass(frozen=True)
class Scale:
    """A kernel with its width: exp(-|x - y|^2 / (2 h^2)) for "gaussian", exp(-|x - y|_1 / h) for "laplace".

    Parameters
    ----------
    kernel : {"gaussian", "laplace"}
    bandwidth : float
        h, in the units of the points.
    """

    kernel: Kernel
    bandwidth: float

    def forms(self, points: _F) -> QuadraticForms:
        """Of k - 1 at points (N, d): constants are lost on differences of means, and digits of wide kernels are not."""
        rate = 0.5 / self.bandwidth**2 if self.kernel == "gaussian" else 1 / self.bandwidth

        def profile(distances: _F) -> _F:
            distances *= -rate
            return np.expm1(distances, out=distances)

        return QuadraticForms(points, _METRIC[self.kernel], profile)


def unbiased(form: _F, mixed: _F, total: float, n: int, m: int) -> _F:
    """MMD^2 without the pairs of a point with itself, from s'Ks, s'K1 and 1'K1 (Gretton et al. 2012, equation (3)).

    With labels a = n/N + s the three sums of pairs are linear in these forms. What is multiplied by them is small where
    it has to be: the mean of K cancels before anything is rounded.
    """
    size = n + m
    squares = 1 / (n * (n - 1)) + 1 / (m * (m - 1)) + 2 / (n * m)
    cross = 2 / size * (1 / (n - 1) - 1 / (m - 1) - (m - n) / (n * m))
    constant = (1 / (n - 1) + 1 / (m - 1)) / size**2
    return squares * form + cross * mixed + constant * total


@dataclass(frozen=True)
class MMD(Statistic):
    """Squared maximum mean discrepancy, without bias: E k(X, X') + E k(Y, Y') - 2 E k(X, Y) over different points.

    Parameters
    ----------
    kernel : {"gaussian", "laplace"}
        exp(-|x - y|^2 / (2 h^2)), or exp(-|x - y|_1 / h).
    bandwidth : float or None
        h, in the units of the points; by default the median distance of the pooled points.
    max_points : int
        More than these are refused: (n + m)^2/2 evaluations of the kernel.
    """

    name: ClassVar[str] = "mmd"
    summary: ClassVar[str] = "squared maximum mean discrepancy, kernel of the median distance"
    rounding: ClassVar[float] = 1e-6

    kernel: Kernel = "gaussian"
    bandwidth: float | None = None
    max_points: int = MOST

    def __post_init__(self) -> None:
        if self.kernel not in get_args(Kernel):
            raise InvalidInput(f"kernel must be one of {', '.join(get_args(Kernel))}, got {self.kernel!r}")
        if self.bandwidth is not None and not (self.bandwidth > 0 and math.isfinite(self.bandwidth)):
            raise InvalidInput(f"bandwidth must be positive and finite, or None for the median, got {self.bandwidth!r}")
        check_integer("max_points", self.max_points, 2)

    def refusal(self, n: int, m: int, d: int) -> str | None:
        """See `Statistic.refusal`."""
        return pairs_refusal(n, m, self.max_points)

    def prepare(self, pooled: Pooled, rng: np.random.Generator) -> Prepared:
        """See `Statistic.prepare`."""
        points, unit = in_unit(pooled.points)
        width = median_distance(points, self.kernel, rng) if self.bandwidth is None else self.bandwidth / unit
        forms, n = Scale(self.kernel, width).forms(points), int(pooled.labels.sum())
        m = len(points) - n

        def values(labels: Labels) -> _F:
            form, mixed = forms(labels)
            return unbiased(form, mixed, forms.total, n, m)

        def effect(level: float) -> Estimate:
            form, mixed = forms.exact(pooled.labels)
            return Estimate(
                float(unbiased(np.array(form), np.array(mixed), forms.total, n, m)),
                divergence="mmd2",
                method="pairs",
                bound="consistent",
                estimand="population",
                info={"kernel": self.kernel, "bandwidth": width * unit},
            )

        return Prepared(pooled, values, rows_of(points), effect)
