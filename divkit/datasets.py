"""Laws and data sets whose divergences are known: Gaussian mixtures and the pairs that lectures use."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from divkit._array import as_float_array
from divkit._checks import check_finite, check_integer, check_rng
from divkit._errors import InvalidInput
from divkit._mixture import GaussianMixture
from divkit._segment import along
from divkit.families import UniformSegment
from divkit.measures import Discrete, Law, Samples

__all__ = [
    "GaussianMixture",
    "ShiftedUniform",
    "earth_mover_piles",
    "fgan_mixture",
    "grid_mixture",
    "ring_mixture",
    "shifted_uniform",
    "uniform_segment",
]

_F = NDArray[np.float64]


def fgan_mixture() -> GaussianMixture:
    """0.67 N(2, variance 2) + 0.33 N(-1, variance 0.065), the univariate target of the f-GAN paper.

    Nowozin, Cseke and Tomioka (2016) fit a Gaussian to a mixture by minimising f-divergences, without naming the
    mixture. The minima over (mu, sigma) of D(this || N(mu, sigma^2)) reproduce all 15 optimal values of the
    paper's table to 7e-4:

    ====================  =========  =========  =========
    divergence            mu         sigma      D
    ====================  =========  =========  =========
    KL                    1.0100     1.8308     0.2831
    reverse KL            1.5782     1.6319     0.2480
    2 JSD                 1.3070     1.7542     0.1280
    Jeffreys              1.3218     1.7034     0.5705
    Pearson chi2          0.5737     1.9274     0.6457
    ====================  =========  =========  =========

    Returns
    -------
    GaussianMixture
        In one dimension.

    Examples
    --------
    >>> from divkit.datasets import fgan_mixture
    >>> fgan_mixture()
    GaussianMixture(components=2, d=1)
    """
    return GaussianMixture(np.array([0.67, 0.33]), np.array([2.0, -1.0]), np.array([2.0, 0.065]))


def ring_mixture(modes: int = 8, *, radius: float = 1.0, std: float = 0.01) -> GaussianMixture:
    """Equal Gaussians on a circle in the plane, the usual test of mode collapse.

    Parameters
    ----------
    modes : int
        Number of components; their means are radius (cos, sin)(2 pi k / modes), all of them distinct.
    radius, std : float
        Radius of the circle, standard deviation of each component in each direction; positive.

    Returns
    -------
    GaussianMixture
        In two dimensions.
    """
    count = check_integer("modes", modes, 1)
    angles = np.linspace(0.0, 2 * math.pi, count, endpoint=False)
    means = _positive("radius", radius) * np.stack([np.cos(angles), np.sin(angles)], axis=1)  # (modes, 2)
    return GaussianMixture(np.full(count, 1 / count), means, np.full(count, _positive("std", std) ** 2))


def grid_mixture(side: int = 5, *, spacing: float = 2.0, std: float = 0.05) -> GaussianMixture:
    """Equal Gaussians on a square grid around 0; by default 25 of them on {-4, -2, 0, 2, 4}^2.

    Parameters
    ----------
    side : int
        Components along each axis.
    spacing, std : float
        Distance of neighbouring means, standard deviation of each component in each direction; positive.

    Returns
    -------
    GaussianMixture
        In two dimensions.
    """
    count = check_integer("side", side, 1)
    line = _positive("spacing", spacing) * (np.arange(count) - (count - 1) / 2)
    means = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)  # (side^2, 2)
    return GaussianMixture(np.full(count**2, 1 / count**2), means, np.full(count**2, _positive("std", std) ** 2))


def uniform_segment(start: Any, end: Any) -> Law:
    """The uniform law on a straight segment in R^d, with its density per unit of length.

    Parameters
    ----------
    start, end : array_like, shape (d,)
        Two different points.

    Returns
    -------
    Law
        With base "length": log density -log(length) on the segment and -inf off it. A point counts as on the
        segment if its coordinates agree to 8 roundings of their size there; a coordinate in which the
        segment is constantly 0 must be 0 exactly.

    Raises
    ------
    InvalidInput
        If the points coincide, are not finite, or differ in shape.
    """
    a, b = (np.array(as_float_array(*item), dtype=np.float64) for item in (("start", start), ("end", end)))
    for name, point in (("start", a), ("end", b)):
        if point.ndim != 1 or point.size == 0:
            raise InvalidInput(f"{name} must be one point of shape (d,), got shape {point.shape}")
        check_finite(name, point)
    if a.shape != b.shape or (a == b).all():
        raise InvalidInput(f"start and end must be two different points of one space, got {a} and {b}")
    with np.errstate(over="ignore"):
        length = float(np.hypot.reduce(b - a))
    if not 0 < length < math.inf:
        raise InvalidInput(f"start and end must have a distance that float64 can hold, got {length:g}")
    a.flags.writeable = b.flags.writeable = False

    def log_density(points: _F) -> _F:
        position, on_line, tolerance = along(a, b, points)
        inside = on_line & (position >= -tolerance) & (position <= length + tolerance)
        return np.where(inside, -math.log(length), -np.inf)

    return Law(
        dim=len(a),
        log_density=log_density,
        name=f"uniform on the segment {a.tolist()} to {b.tolist()}",
        sample=lambda n, rng: a + rng.random((n, 1)) * (b - a),
        low=np.minimum(a, b),
        high=np.maximum(a, b),
        base="length",
        family=UniformSegment(a, b),
    )


@dataclass(frozen=True)
class ShiftedUniform:
    """P uniform on {0} x [0, 1] and Q uniform on {theta} x [0, 1], two parallel segments of the plane.

    For theta != 0 they are mutually singular: every f-divergence is at its supremum, whatever theta, while
    W_p = abs(theta) for all p. The example of Arjovsky, Chintala and Bottou (2017), example 1.

    Parameters
    ----------
    theta : float
        The shift; finite.

    Examples
    --------
    >>> from divkit.datasets import shifted_uniform
    >>> pair = shifted_uniform(0.5)
    >>> pair.q.low, pair.q.high
    (array([0.5, 0. ]), array([0.5, 1. ]))
    """

    theta: float

    def __post_init__(self) -> None:
        real = isinstance(self.theta, numbers.Real) and not isinstance(self.theta, bool)
        if not real or not math.isfinite(self.theta):
            raise InvalidInput(f"theta must be a finite number, got {self.theta!r}")
        object.__setattr__(self, "theta", float(self.theta))

    @cached_property
    def p(self) -> Law:
        """Uniform on {0} x [0, 1]."""
        return uniform_segment([0.0, 0.0], [0.0, 1.0])

    @cached_property
    def q(self) -> Law:
        """Uniform on {theta} x [0, 1]."""
        return uniform_segment([self.theta, 0.0], [self.theta, 1.0])

    def samples(self, n: int, rng: Any = None, m: int | None = None) -> tuple[Samples, Samples]:
        """n independent draws of P and, independent of them, m (by default n) of Q."""
        first, second = check_integer("n", n, 1), check_integer("m", n if m is None else m, 1)
        generator = check_rng(rng)
        return Samples(self.p.draw(first, generator)), Samples(self.q.draw(second, generator))

    def discrete(self, n: int) -> tuple[Discrete, Discrete]:
        """Both laws with their mass gathered in n equal atoms, at the middles of n cells of each segment."""
        count = check_integer("n", n, 1)
        heights = (np.arange(count) + 0.5) / count
        laws = (np.stack([np.full(count, x), heights], axis=1) for x in (0.0, self.theta))  # (n, 2) each
        p, q = (Discrete(np.full(count, 1 / count), points) for points in laws)
        return p, q


def shifted_uniform(theta: float) -> ShiftedUniform:
    """The pair of parallel segments at distance abs(theta); see `ShiftedUniform`.

    Raises
    ------
    InvalidInput
        If theta is not a finite number.
    """
    return ShiftedUniform(theta)


def earth_mover_piles() -> tuple[Discrete, Discrete]:
    """The lectures' two rows of piles on the points 1 to 4: P = (3, 2, 1, 4)/10 and Q = (1, 2, 4, 3)/10.

    W1 = 1/2: five moves of one tenth by one unit, the sum of the differences of the cumulative heights.

    Examples
    --------
    >>> import numpy as np
    >>> from divkit.datasets import earth_mover_piles
    >>> p, q = earth_mover_piles()
    >>> round(float(np.abs(np.cumsum(p.probs - q.probs)).sum()), 12)
    0.5
    """
    points = np.arange(1.0, 5.0)
    return Discrete(np.array([3, 2, 1, 4]) / 10, points), Discrete(np.array([1, 2, 4, 3]) / 10, points)


def _positive(name: str, value: Any) -> float:
    """A positive finite number."""
    if isinstance(value, numbers.Real) and not isinstance(value, bool) and 0 < float(value) < math.inf:
        return float(value)
    raise InvalidInput(f"{name} must be a positive finite number, got {value!r}")
