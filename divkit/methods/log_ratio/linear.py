"""Linear logistic regression: exact for exponential tilts, such as Gaussians of one covariance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from divkit.methods.log_ratio import LogRatio
from divkit.methods.log_ratio._features import tamed
from divkit.methods.log_ratio._logistic import logistic_log_ratio

__all__ = ["Linear"]

_F = NDArray[np.float64]


@dataclass(frozen=True)
class Linear:
    """l(z) = a + b . z.

    Parameters
    ----------
    ridge : float or None
        Penalty of each squared coefficient; None lets held-out log loss choose.
    """

    ridge: float | None = None

    name: ClassVar[str] = "linear"

    def unsuited(self, n: int, m: int, d: int) -> str | None:
        """Fits always: the penalty makes up for few points."""
        return None

    def variants(self, n: int, m: int, d: int) -> Sequence[Linear]:
        """From hardly any penalty to one that counts for dozens of points."""
        return [self] if self.ridge is not None else [Linear(ridge) for ridge in (0.05, 2.0, 20.0, 200.0)]

    def fit(self, x: _F, y: _F, x_weights: _F, y_weights: _F, rng: np.random.Generator) -> LogRatio:
        """The fitted log ratio."""
        penalty = np.full(x.shape[1], 0.05 if self.ridge is None else self.ridge)
        return logistic_log_ratio(tamed, x, y, x_weights, y_weights, penalty)
