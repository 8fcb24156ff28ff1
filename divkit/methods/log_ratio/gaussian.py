"""Discriminant analysis: the log ratio of two fitted Gaussians, in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from divkit.methods.log_ratio import LogRatio
from divkit.methods.log_ratio._features import covariance, tamed

__all__ = ["Gaussian"]

_F = NDArray[np.float64]
_JITTER = 1e-6  # of the mean variance: keeps collinear coordinates invertible


@dataclass(frozen=True)
class Gaussian:
    """log N(z; mean_x, S_x) - log N(z; mean_y, S_y).

    For laws that are Gaussian it uses the data better than logistic regression, above all where they overlap little.

    Parameters
    ----------
    pooling : float or None
        How far each covariance is drawn towards the average of both, in [0, 1]: 1 is linear discriminant analysis.
        None lets held-out log loss choose.
    """

    pooling: float | None = None

    name: ClassVar[str] = "gaussian"

    def unsuited(self, n: int, m: int, d: int) -> str | None:
        """Covariances need more points than dimensions."""
        return None if min(n, m) > d + 1 else f"{min(n, m)} points do not determine a covariance in {d} dimensions"

    def variants(self, n: int, m: int, d: int) -> Sequence[Gaussian]:
        """From one covariance for both laws to one each."""
        return [self] if self.pooling is not None else [Gaussian(share) for share in (1.0, 0.5, 0.0)]

    def fit(self, x: _F, y: _F, x_weights: _F, y_weights: _F, rng: np.random.Generator) -> LogRatio:
        """The fitted log ratio."""
        share = 1.0 if self.pooling is None else self.pooling
        x, y = tamed(x), tamed(y)
        own = covariance(x, x_weights), covariance(y, y_weights)
        both = (x_weights.sum() * own[0] + y_weights.sum() * own[1]) / (x_weights.sum() + y_weights.sum())
        jitter = _JITTER * max(float(np.trace(both)) / len(both), 1e-300) * np.eye(len(both))
        laws = [
            _LogDensity(weights @ points / weights.sum(), (1 - share) * scatter + share * both + jitter)
            for points, weights, scatter in ((x, x_weights, own[0]), (y, y_weights, own[1]))
        ]

        def log_ratio(points: _F) -> _F:
            z = tamed(points)
            return laws[0](z) - laws[1](z)

        return log_ratio


class _LogDensity:
    """log density of a Gaussian up to the constant that all of its dimension share."""

    def __init__(self, mean: _F, scatter: _F) -> None:
        self._mean = mean
        factor = np.linalg.cholesky(scatter)
        self._inverse = np.linalg.inv(factor)
        self._log_root = float(np.log(np.diag(factor)).sum())

    def __call__(self, points: _F) -> _F:
        white = (points - self._mean) @ self._inverse.T
        return np.asarray(-0.5 * (white**2).sum(axis=1) - self._log_root)
