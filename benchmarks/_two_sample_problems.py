"""Alternatives on which tests of two samples are compared: draws of x and y in d dimensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

F = NDArray[np.float64]
SIZE: Final = 200
DIMENSIONS: Final = (1, 5, 20)


def shift(d: int, rng: np.random.Generator) -> tuple[F, F]:
    """Means apart by 0.25 in all."""
    return rng.normal(size=(SIZE, d)), rng.normal(size=(SIZE, d)) + 0.25 / np.sqrt(d)


def scale(d: int, rng: np.random.Generator) -> tuple[F, F]:
    """Standard deviations of 1 and a little more."""
    return rng.normal(size=(SIZE, d)), (1 + 0.3 / np.sqrt(d)) * rng.normal(size=(SIZE, d))


def correlation(d: int, rng: np.random.Generator) -> tuple[F, F]:
    """The first two coordinates are correlated by 0.6; nothing else differs. From two dimensions on."""
    x, y = rng.normal(size=(2, SIZE, d))
    y[:, 1] = 0.6 * y[:, 0] + 0.8 * y[:, 1]
    return x, y


def mixture(d: int, rng: np.random.Generator) -> tuple[F, F]:
    """Two modes at +-1 along the first axis, with the mean and the deviation of the other law."""
    x, y = rng.normal(size=(2, SIZE, d))
    y[:, 0] = 0.85 * rng.choice([-1.0, 1.0], SIZE) + np.sqrt(1 - 0.85**2) * y[:, 0]
    return x, y


def heavy_tails(d: int, rng: np.random.Generator) -> tuple[F, F]:
    """Student's t with 3 degrees of freedom, each coordinate with the median absolute deviation of the normal one."""
    return rng.normal(size=(SIZE, d)), rng.standard_t(3, (SIZE, d)) * (0.6745 / 0.7649)


ALTERNATIVES: Final[dict[str, Callable[[int, np.random.Generator], tuple[F, F]]]] = {
    "shift": shift,
    "scale": scale,
    "correlation": correlation,
    "mixture": mixture,
    "heavy tails": heavy_tails,
}


def rows() -> list[tuple[str, int]]:
    """All alternatives in all dimensions in which they are some."""
    return [(name, d) for name in ALTERNATIVES for d in DIMENSIONS if not (name == "correlation" and d == 1)]
