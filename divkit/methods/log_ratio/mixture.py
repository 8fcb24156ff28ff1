"""Mixture discriminant analysis: the log ratio of two fitted Gaussian mixtures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from divkit._errors import InvalidInput
from divkit.methods.log_ratio import LogRatio
from divkit.methods.log_ratio._features import covariance, some_rows, squared_distances, tamed

__all__ = ["Mixture"]

_F = NDArray[np.float64]
_STEPS: Final = 60
_ENOUGH: Final = 1e-4  # nats a point by which a step must raise the likelihood
_PRIOR: Final = 1.0  # points a dimension whose scatter every component has in common
_A_COMPONENT: Final = 12  # points, and a dimension


@dataclass(frozen=True)
class Mixture:
    """log sum of w_k N(z; mean_k, S_k) for x less the same for y, each fitted by expectation maximisation.

    Hastie and Tibshirani (1996), "Discriminant analysis by Gaussian mixtures". Each covariance is drawn towards the one
    within the components.

    Parameters
    ----------
    components : int or None
        Of each law; None lets held-out log loss choose.
    """

    components: int | None = None

    name: ClassVar[str] = "mixture"

    def __post_init__(self) -> None:
        if self.components is not None and self.components < 1:
            raise InvalidInput(f"components must be at least 1, got {self.components}")

    def unsuited(self, n: int, m: int, d: int) -> str | None:
        """Components need points of their own."""
        least = _A_COMPONENT * (d + 1)
        return None if min(n, m) >= least else f"two components in {d} dimensions take at least {least} points"

    def variants(self, n: int, m: int, d: int) -> Sequence[Mixture]:
        """Two components and, where points suffice, four."""
        if self.components is not None:
            return [self]
        return [Mixture(k) for k in (2, 4) if k == 2 or min(n, m) >= 2 * _A_COMPONENT * (d + 1)]

    def fit(self, x: _F, y: _F, x_weights: _F, y_weights: _F, rng: np.random.Generator) -> LogRatio:
        """The fitted log ratio."""
        count = self.components or 2
        laws = [_Law(tamed(points), weights, count, rng) for points, weights in ((x, x_weights), (y, y_weights))]

        def log_ratio(points: _F) -> _F:
            z = tamed(points)
            return np.asarray(_log_sum(laws[0].log_densities(z)) - _log_sum(laws[1].log_densities(z)))

        return log_ratio


class _Law:
    """A Gaussian mixture by expectation maximisation."""

    def __init__(self, z: _F, weights: _F, count: int, rng: np.random.Generator) -> None:
        d = z.shape[1]
        whole = covariance(z, weights)
        self._floor = 1e-6 * max(float(np.trace(whole)) / d, 1e-300) * np.eye(d)
        shares = weights / weights.sum()
        spots = _spread_out(z, count, rng)
        near = squared_distances(z, spots).argmin(axis=1)
        chances = (near[:, None] == np.arange(len(spots))) + 1e-3  # (k, c)
        chances /= chances.sum(axis=1, keepdims=True)
        before = -np.inf
        for _ in range(_STEPS):
            self._update(z, weights, chances)
            logs = self.log_densities(z)
            total = _log_sum(logs)
            now = float(shares @ total)
            if now < before + _ENOUGH:
                break
            before = now
            chances = np.exp(logs - total[:, None])

    def _update(self, z: _F, weights: _F, chances: _F) -> None:
        """Weights, means and factors of the inverse covariances from the shares of each point."""
        d = z.shape[1]
        heavy = (chances * weights[:, None]).T  # (c, k)
        mass = heavy.sum(axis=1) + 1e-9  # (c,)
        means = heavy @ z / mass[:, None]  # (c, d)
        gaps = z.T - means[:, :, None]  # (c, d, k)
        scatters = (gaps * heavy[:, None, :]) @ gaps.transpose(0, 2, 1)  # (c, d, d)
        within = scatters.sum(axis=0) / mass.sum() + self._floor
        prior = _PRIOR * (d + 1)
        factors = np.linalg.cholesky(
            (scatters + prior * within) / (mass + prior)[:, None, None] + self._floor
        )  # (c, d, d)
        inverses = np.linalg.inv(factors)
        logs = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
        self._offsets = np.log(mass / mass.sum()) - logs  # (c,)
        self._map = inverses.reshape(-1, d).T  # (d, c d)
        self._origins = (inverses @ means[:, :, None]).reshape(-1)  # (c d,)

    def log_densities(self, z: _F) -> _F:
        """log w_k N(z; mean_k, S_k) up to a constant that all mixtures share: (k, d) to (k, c)."""
        white = (z @ self._map - self._origins).reshape(len(z), len(self._offsets), -1)
        return np.asarray(self._offsets - 0.5 * np.einsum("kcd,kcd->kc", white, white))


def _spread_out(z: _F, count: int, rng: np.random.Generator) -> _F:
    """Starting points, each drawn by its squared distance from those before (k-means++)."""
    spots = some_rows(z, 1, rng)
    for _ in range(count - 1):
        far = squared_distances(z, spots).min(axis=1)
        if far.sum() <= 0:
            break
        spots = np.concatenate([spots, z[[rng.choice(len(z), p=far / far.sum())]]])
    return spots


def _log_sum(logs: _F) -> _F:
    top = logs.max(axis=1)
    return np.asarray(top + np.log(np.exp(logs - top[:, None]).sum(axis=1)))
