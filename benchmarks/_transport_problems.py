"""The point sets of the transport benchmark, and what each contestant makes of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

SEED = 20240607
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
KINDS = ("shifted Gaussians", "one law twice", "far clusters", "grid")


@dataclass(frozen=True)
class Problem:
    """Two random point sets (n, d) of one kind, and the order p of the cost |x - y|^p."""

    kind: str
    n: int
    d: int
    p: int = 1
    masses: str = "equal"  # or "random"

    def draw(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
        """(x, y, x_weights, y_weights), the same in every process."""
        rng = np.random.default_rng([SEED, KINDS.index(self.kind), self.n, self.d])
        x, y = _POINTS[self.kind](rng, self.n, self.d)
        if self.masses == "equal":
            return x, y, None, None
        a, b = rng.random((2, self.n)) + 0.05  # none is negligible beside the others
        return x, y, a / a.sum(), b / b.sum()

    @property
    def facts(self) -> dict[str, Any]:
        """The columns that say what is solved."""
        return {"case": self.kind, "n": self.n, "d": self.d, "p": self.p, "masses": self.masses}

    @property
    def small(self) -> Problem:
        """One of the same kind that runs the same code in milliseconds, to compile and load it."""
        return Problem(self.kind, 400, self.d, self.p, self.masses)


def _shifted(rng: np.random.Generator, n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = rng.standard_normal((2, n, d))
    y[:, 0] += 0.5
    return x, y


def _twice(rng: np.random.Generator, n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = rng.standard_normal((2, n, d))
    return x, y


def _clusters(rng: np.random.Generator, n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Ten clusters a hundred of their widths apart; one has more of x than of y, so that some mass must travel."""
    centres = 100.0 * rng.standard_normal((10, d))
    shares = np.r_[0.19, np.full(9, 0.09)]
    x = centres[rng.choice(10, n, p=shares)] + rng.standard_normal((n, d))
    y = centres[rng.integers(0, 10, n)] + rng.standard_normal((n, d))
    return x, y


def _grid(rng: np.random.Generator, n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Integer points with about two cells a point in the plane: ties everywhere, and points that both sets share."""
    side = int(np.ceil((2 * n) ** (1 / min(d, 3))))
    x, y = rng.integers(0, side, (2, n, d)).astype(float)
    return x, y


_POINTS = dict(zip(KINDS, (_shifted, _twice, _clusters, _grid), strict=True))


def by_divkit(problem: Problem, threads: int = 1, method: str = "auto", tolerance: float = 0.0) -> Callable[[], Any]:
    """divkit.optimal_transport on the points, as a function of nothing that returns the coupling."""
    import divkit

    x, y, a, b = problem.draw()

    def solve() -> Any:
        os.environ["DIVKIT_NUM_THREADS"] = str(threads)
        try:
            return divkit.optimal_transport(x, y, a, b, problem.p, method, tolerance)
        finally:
            os.environ["DIVKIT_NUM_THREADS"] = "1"

    return solve


def by_pot(problem: Problem) -> Callable[[], float]:
    """POT's cost matrix and dense network simplex, as a function of nothing that returns the cost."""
    import ot

    x, y, a, b = problem.draw()
    metric = "euclidean" if problem.p == 1 else "sqeuclidean"
    a, b = ([] if part is None else part for part in (a, b))
    return lambda: float(ot.emd2(a, b, ot.dist(x, y, metric=metric), numItermax=10**8))


def relative_gap(coupling: Any) -> float:
    """(upper - lower) / upper of the cost; 0 where the cost is 0."""
    return coupling.gap / coupling.upper if coupling.upper > 0 else 0.0


def exponent(sizes: list[int], seconds: list[float]) -> float | None:
    """The slope of log time against log n by least squares; None for fewer than two sizes."""
    if len(set(sizes)) < 2:
        return None
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
