"""How good a generator's points are, by the estimators and by what is known of the law."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from divkit._checks import check_points
from divkit._errors import InvalidInput
from divkit._mixture import GaussianMixture
from divkit.exact import kl

__all__ = ["ModeReport", "modes"]

_F = NDArray[np.float64]
_RADIUS: Final = 3.0  # in standard deviations, as in the literature: a perfect sampler in the plane has 98.89 % within


@dataclass(frozen=True)
class ModeReport:
    """What points show of the components of a mixture.

    Attributes
    ----------
    captured : int
        Components with at least one point within three standard deviations (Mahalanobis).
    components : int
    high_quality : float
        Share of the points within three standard deviations of their nearest component.
    reverse_kl : float
        KL, in nats, of the shares of the components among those points to their weights in the mixture; inf if there is
        no such point.
    counts : tuple of int
        High-quality points of each component.
    """

    captured: int
    components: int
    high_quality: float
    reverse_kl: float
    counts: tuple[int, ...]


def modes(points: Any, law: GaussianMixture) -> ModeReport:
    """Which components of a mixture points have reached, as in VEEGAN and PacGAN.

    Parameters
    ----------
    points : array_like, shape (n, d) or (n,)
    law : GaussianMixture

    Returns
    -------
    ModeReport

    Raises
    ------
    InvalidInput
        For points that are not finite, or of another dimension.

    Examples
    --------
    >>> import numpy as np
    >>> from divkit.datasets import ring_mixture
    >>> from divkit.gan.evaluate import modes
    >>> law = ring_mixture()
    >>> found = modes(law.sample(2500, np.random.default_rng(0)), law)
    >>> found.captured, 0.98 < found.high_quality < 1, found.reverse_kl < 0.01
    (8, True, True)
    """
    sample = check_points("points", points)
    if sample.shape[1] != law.dim:
        raise InvalidInput(f"points must have {law.dim} columns, as the law has, got {sample.shape[1]}")
    distances = np.stack([_mahalanobis(sample, law, k) for k in range(len(law.weights))], axis=1)  # (n, k)
    nearest = distances.argmin(axis=1)
    good = distances[np.arange(len(sample)), nearest] <= _RADIUS
    counts = np.bincount(nearest[good], minlength=len(law.weights))
    total = int(counts.sum())
    divergence = float(kl(counts / total, law.weights)) if total else math.inf
    return ModeReport(int((counts > 0).sum()), len(counts), total / len(sample), divergence, tuple(counts.tolist()))


def _mahalanobis(points: _F, law: GaussianMixture, k: int) -> _F:
    """Distances (n,) from component k in its standard deviations."""
    factor = np.linalg.cholesky(law.covariances[k])
    return np.asarray(np.linalg.norm(np.linalg.solve(factor, (points - law.means[k]).T), axis=0))
