"""Pairs of laws whose f-divergences are known, for the benchmark of estimates from samples."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import scipy.stats as st
from numpy.typing import NDArray

from divkit import Unsupported, as_measure, estimate
from divkit.catalog import resolve_divergence
from divkit.datasets import GaussianMixture, fgan_mixture
from divkit.divergences import FDivergence
from divkit.methods.monte_carlo import MonteCarlo

Array = NDArray[np.float64]
Pair = tuple[Any, Any]

SEED = 20240607
DIVERGENCES = ("kl", "reverse_kl", "jsd", "squared_hellinger", "total_variation", "pearson_chi2")
TRUTH_DRAWS = 4_000_000
_LINES = 801  # of the grid in the plane, in either direction


class Truth(NamedTuple):
    """A divergence of two known laws: its value, how far that may be off, and how it was found."""

    value: float
    error: float
    source: str


@dataclass(frozen=True)
class Product:
    """The law of independent coordinates, each a frozen scipy.stats law."""

    factors: tuple[Any, ...]

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return len(self.factors)

    @property
    def support(self) -> tuple[Array, Array]:
        """The box (low, high), each (d,)."""
        low, high = np.array([factor.support() for factor in self.factors]).T
        return low, high

    def log_density(self, points: Array) -> Array:
        """At points (n, d), shape (n,)."""
        logs = [factor.logpdf(points[:, j]) for j, factor in enumerate(self.factors)]
        return np.asarray(np.sum(logs, axis=0))

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """n draws, shape (n, d)."""
        return np.stack([factor.rvs(size=n, random_state=rng) for factor in self.factors], axis=1)


@dataclass(frozen=True)
class Task:
    """Two laws P and Q in d dimensions.

    `laws` makes them. `reduced` makes two laws in one or two dimensions with the same f-divergences: those of a
    statistic that the log ratio is a function of. `box` is an interval whose square holds the mass of laws in the
    plane. `chart` is an invertible map that the draws go through, which no f-divergence notices.
    """

    kind: str
    d: int
    laws: Callable[[], Pair]
    reduced: Callable[[], Pair] | None = None
    chart: Callable[[Array], Array] | None = None
    box: tuple[float, float] | None = None

    @property
    def name(self) -> str:
        """For tables."""
        return f"{self.kind}, d = {self.d}"

    def draw(self, n: int, m: int, draw: int) -> tuple[Array, Array]:
        """x (n, d) from P and y (m, d) from Q, read-only; the same in every process."""
        rng = np.random.default_rng([SEED, *self.name.encode(), n, m, draw])
        samples = []
        for law, size in zip(self.laws(), (n, m), strict=True):
            points: Array = as_measure(law).draw(size, rng)  # type: ignore[union-attr]
            points = points if self.chart is None else self.chart(points)
            points.flags.writeable = False
            samples.append(points)
        return samples[0], samples[1]


def truth(task: Task, divergence: str, draws: int = TRUTH_DRAWS) -> Truth:
    """D(P || Q) by the first of closed form, product, quadrature on the line or in the plane, and Monte Carlo."""
    for found in (_closed_form, _multiplied, _on_the_line, _in_the_plane):
        answer = found(task, divergence)
        if answer is not None:
            return answer
    value = estimate(*task.laws(), divergence, MonteCarlo(n=draws), rng=SEED)
    return Truth(float(value), float(value.stderr or 0.0), f"Monte Carlo, {draws:,} draws of each law")


def _closed_form(task: Task, divergence: str) -> Truth | None:
    try:
        value = estimate(*task.laws(), divergence, "closed_form")
    except Unsupported:
        return None
    return Truth(float(value), float(value.info["gap"]), "closed form")


def _multiplied(task: Task, divergence: str) -> Truth | None:
    """KL adds over independent coordinates; the Hellinger affinity and 1 + chi2 multiply."""
    p, q = task.laws()
    if not (isinstance(p, Product) and isinstance(q, Product)):
        return None
    parts = [estimate(a, b, divergence) for a, b in zip(p.factors, q.factors, strict=True)]
    gap = math.fsum(part.info["gap"] for part in parts)
    if divergence in ("kl", "reverse_kl"):
        return Truth(math.fsum(parts), gap, "sum over coordinates")
    if divergence == "squared_hellinger":
        return Truth(2 - 2 * math.prod(1 - part / 2 for part in parts), gap, "product over coordinates")
    if divergence == "pearson_chi2":
        whole = math.prod(1 + part for part in parts)
        return Truth(whole - 1, gap * whole, "product over coordinates")
    return None


def _on_the_line(task: Task, divergence: str) -> Truth | None:
    pair = (task.reduced or task.laws)()
    if (as_measure(pair[0]).dim or 0) > 1:
        return None
    value = estimate(*pair, divergence)
    source = f"{value.method.replace('_', ' ')}{' after reduction to d = 1' if task.reduced else ''}"
    return Truth(float(value), float(value.info["gap"]), source) if value.bound == "exact" else None


def _in_the_plane(task: Task, divergence: str) -> Truth | None:
    """The trapezoidal rule, which converges geometrically for smooth integrands that decay: all but |p - q|.

    The error is what a grid of twice the step changes.
    """
    if task.box is None:
        return None
    fine, coarse = (_summed(task, divergence, step) for step in (1, 2))
    return Truth(fine, abs(fine - coarse), "trapezoidal rule" + (" after reduction to d = 2" if task.reduced else ""))


def _summed(task: Task, divergence: str, step: int) -> float:
    """E_Q of the centred generator where p <= q, and E_P of it where p > q, on every step-th line of the grid."""
    p, q, cell = _grid(task.name)
    p, q = p[::step, ::step], q[::step, ::step]  # log densities
    div = resolve_divergence(divergence)
    assert isinstance(div, FDivergence)
    under_q = np.exp(q) * div.integrand_q(np.minimum(p - q, 0.0))
    under_p = np.exp(p) * div.integrand_p(np.maximum(p - q, 0.0))
    return div.f_one + float((under_q + under_p).sum()) * cell * step**2


@cache
def _grid(name: str) -> tuple[Array, Array, float]:
    """Both log densities (k, k) on a square grid, and the area of a cell."""
    task = task_of(name)
    assert task.box is not None
    line = np.linspace(*task.box, _LINES)
    points = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)
    logs = [as_measure(law).log_density(points) for law in (task.reduced or task.laws)()]  # type: ignore[union-attr]
    p, q = (np.maximum(log, -700.0).reshape(_LINES, _LINES) for log in logs)  # e^-700: no mass, and no inf - inf
    return p, q, float(line[1] - line[0]) ** 2


def _shifted(d: int, squared_shift: float) -> tuple[Callable[[], Pair], Callable[[], Pair]]:
    """N(shift, 1) against N(0, 1) along the diagonal, and along the line."""

    def laws() -> Pair:
        mean = np.full(d, math.sqrt(squared_shift / d))
        return _gaussian(mean, np.eye(d)), _gaussian(np.zeros(d), np.eye(d))

    return laws, lambda: (st.norm(math.sqrt(squared_shift), 1), st.norm(0, 1))


def _gaussian(mean: Array, cov: Array) -> Any:
    return st.multivariate_normal(mean, cov)


def _mixture(weights: Any, means: Any, covariances: Any) -> GaussianMixture:
    return GaussianMixture(weights, means, covariances)


def _correlated(d: int, correlation: float) -> tuple[Callable[[], Pair], Callable[[], Pair]]:
    """d/2 independent pairs with one correlation r, against independent coordinates.

    In the principal axes half of the variances are 1 + r and half are 1 - r, so that the log ratio is linear in the
    sum of squares over either half: (1 + r) chi2_k and (1 - r) chi2_k with k = d/2, against chi2_k twice. Their
    logarithms have smooth densities on the whole plane.
    """

    def laws() -> Pair:
        cov: Array = np.kron(np.eye(d // 2), np.array([[1.0, correlation], [correlation, 1.0]]))
        return _gaussian(np.zeros(d), cov), _gaussian(np.zeros(d), np.eye(d))

    def log_sums() -> Pair:
        def both(*scales: float) -> Product:
            return Product(tuple(st.loggamma(d / 4, loc=math.log(2 * scale)) for scale in scales))

        return both(1 + correlation, 1 - correlation), both(1.0, 1.0)

    return laws, log_sums


def _products(p: Any, q: Any, d: int) -> Callable[[], Pair]:
    return lambda: (Product((p,) * d), Product((q,) * d))


def _triangle() -> Pair:
    means = [[-1.5, 0.2], [1.2, 1.2], [0.8, -1.6]]
    p = _mixture([0.4, 0.35, 0.25], means, [0.35, 0.35, 0.35])
    return p, _mixture([1.0], [[0.0, 0.0]], [[[2.0, 0.1], [0.1, 1.7]]])


def _two_lumps() -> tuple[Callable[[], Pair], Callable[[], Pair]]:
    """Two unit Gaussians along the diagonal of five dimensions, against one Gaussian that covers both."""
    d, distance = 5, 2.0
    axis = np.full(d, 1 / math.sqrt(d))

    def laws() -> Pair:
        lumps = _mixture([0.75, 0.25], [distance * axis, -distance * axis], [1.0, 1.0])
        return lumps, _mixture([1.0], [np.zeros(d)], [np.eye(d) + distance**2 * np.outer(axis, axis)])

    def along() -> Pair:
        lumps = _mixture([0.75, 0.25], [distance, -distance], [1.0, 1.0])
        return lumps, st.norm(0, math.sqrt(1 + distance**2))

    return laws, along


def _half_cube(z: Array) -> Array:
    return z * np.sqrt(np.abs(z))


@cache
def tasks() -> tuple[Task, ...]:
    """All tasks, in the order of the tables."""
    multivariate_t = st.multivariate_t(np.zeros(3), np.eye(3), df=5)
    shifts = ((1, 1.0), (2, 1.5), (5, 2.0), (10, 2.4), (20, 2.0))
    return (
        *(Task("Gaussian shift", d, *_shifted(d, square)) for d, square in shifts),
        Task("far Gaussian shift", 2, *_shifted(2, 4.0)),
        Task("correlated Gaussians", 4, *_correlated(4, 0.7), box=(-40.0, 6.0)),
        Task("correlated Gaussians", 10, *_correlated(10, 0.5), box=(-20.0, 6.0)),
        Task("Laplace against normal", 3, _products(st.laplace(0, math.sqrt(0.5)), st.norm(0, 1), 3)),
        Task("mixture against normal", 1, lambda: (fgan_mixture(), st.norm(1.01, 1.8308))),
        Task("mixture against normal", 2, _triangle, box=(-14.0, 14.0)),
        Task("mixture against normal", 5, *_two_lumps()),
        Task("near-equal Gaussians", 2, *_shifted(2, 0.04)),
        Task("near-equal Gaussians", 10, *_shifted(10, 0.1)),
        Task("equal Gaussians", 1, *_shifted(1, 0.0)),
        Task("equal Gaussians", 5, *_shifted(5, 0.0)),
        Task("Student t(3), shifted", 1, lambda: (st.t(3, loc=1.5), st.t(3))),
        # Both laws are rotation invariant: the squared radius is 3 F(3, 5) against chi2(3).
        Task(
            "Student t(5) against normal",
            3,
            lambda: (multivariate_t, _gaussian(np.zeros(3), np.eye(3))),
            lambda: (st.f(3, 5, scale=3), st.chi2(3)),
        ),
        Task("exponentials", 1, lambda: (st.expon(), st.expon(scale=2.5))),
        # The log ratio is linear in the sum, which is a gamma variable.
        Task(
            "exponentials",
            3,
            _products(st.expon(), st.expon(scale=2.0), 3),
            lambda: (st.gamma(3), st.gamma(3, scale=2.0)),
        ),
        Task("half-cubed Gaussians", 3, *_shifted(3, 1.0), chart=_half_cube),
        Task("half-cubed Gaussians", 5, *_shifted(5, 1.6), chart=_half_cube),
    )


def task_of(name: str) -> Task:
    """The task with this name."""
    return next(task for task in tasks() if task.name == name)
