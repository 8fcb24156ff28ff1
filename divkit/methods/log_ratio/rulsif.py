"""Relative least-squares importance fitting: the density ratio from one linear system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from divkit._errors import InvalidInput
from divkit.methods.log_ratio import LogRatio
from divkit.methods.log_ratio._features import Whitening, some_rows, squared_distances, tamed

__all__ = ["RuLSIF"]

_F = NDArray[np.float64]
_SMALLEST: Final = 1e-3  # least squares may return ratios below 0, of which there is no logarithm


@dataclass(frozen=True)
class RuLSIF:
    """r = p / (alpha p + (1 - alpha) q) as a combination of Gaussian kernels, by ridge regression.

    Yamada et al. (2013), "Relative density-ratio estimation for robust distribution comparison", equation (8);
    alpha = 0 is the uLSIF of Kanamori et al. (2009). The log ratio is log r (1 - alpha) / (1 - alpha r), with r kept
    at least 1e-3 away from the ends of its range, (0, 1/alpha).

    Parameters
    ----------
    alpha : float
        In [0, 1).
    ridge, bandwidth : float or None
        Penalty, and width as a multiple of the median distance of the kernels' centres; None lets held-out log
        loss choose.
    centres : int
        Kernels, centred at points of x.
    """

    alpha: float = 0.5
    ridge: float | None = None
    bandwidth: float | None = None
    centres: int = 100

    name: ClassVar[str] = "rulsif"

    def __post_init__(self) -> None:
        if not 0 <= self.alpha < 1:
            raise InvalidInput(f"alpha must be in [0, 1), got {self.alpha!r}")

    def unsuited(self, n: int, m: int, d: int) -> str | None:
        """Fits always: the penalty makes up for few points."""
        return None

    def variants(self, n: int, m: int, d: int) -> Sequence[RuLSIF]:
        """Widths and penalties, as far as they are not set."""
        ridges = (0.01, 0.1, 1.0) if self.ridge is None else (self.ridge,)
        widths = (0.3, 0.6, 1.2) if self.bandwidth is None else (self.bandwidth,)
        return [RuLSIF(self.alpha, ridge, width, self.centres) for width in widths for ridge in ridges]

    def fit(self, x: _F, y: _F, x_weights: _F, y_weights: _F, rng: np.random.Generator) -> LogRatio:
        """The fitted log ratio."""
        whitening = Whitening(tamed(x), tamed(y), x_weights, y_weights)
        z_x, z_y = whitening(tamed(x)), whitening(tamed(y))
        spots = some_rows(z_x, self.centres, rng)
        squares = squared_distances(spots, spots)
        typical = float(np.median(squares[squares > 0])) if np.any(squares > 0) else 1.0
        width = (0.6 if self.bandwidth is None else self.bandwidth) ** 2 * typical

        def features(z: _F) -> _F:
            return np.asarray(np.exp(-squared_distances(z, spots) / (2 * width)))  # (k, c)

        own, other = features(z_x), features(z_y)
        a, b = x_weights / x_weights.sum(), y_weights / y_weights.sum()
        second = self.alpha * (own * a[:, None]).T @ own + (1 - self.alpha) * (other * b[:, None]).T @ other
        ridge = 0.1 if self.ridge is None else self.ridge
        coefficients = np.linalg.solve(second + ridge * np.eye(len(spots)), a @ own)
        highest = (1 - _SMALLEST) / self.alpha if self.alpha > 0 else np.inf

        def log_ratio(points: _F) -> _F:
            r = np.clip(features(whitening(tamed(points))) @ coefficients, _SMALLEST, highest)
            return np.asarray(np.log(r * (1 - self.alpha)) - np.log1p(-self.alpha * r))

        return log_ratio
