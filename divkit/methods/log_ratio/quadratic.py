"""Quadratic logistic regression: exact for any two Gaussians."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from divkit.methods.log_ratio import LogRatio
from divkit.methods.log_ratio._features import products, tamed
from divkit.methods.log_ratio._logistic import logistic_log_ratio

__all__ = ["Quadratic"]

_F = NDArray[np.float64]
_CROSSED: Final = 24  # dimensions up to which all products enter: 300 of them; beyond, squares alone


@dataclass(frozen=True)
class Quadratic:
    """l(z) = a + b . z + z' C z; C is diagonal above 24 dimensions.

    Parameters
    ----------
    ridge : float or None
        Penalty of each squared coefficient of second order, and a tenth of it on those of first order; None lets
        held-out log loss choose.
    """

    ridge: float | None = None

    name: ClassVar[str] = "quadratic"

    def unsuited(self, n: int, m: int, d: int) -> str | None:
        """Fits always: the penalty makes up for few points."""
        return None

    def variants(self, n: int, m: int, d: int) -> Sequence[Quadratic]:
        """From hardly any penalty to one that leaves little of the second order."""
        return [self] if self.ridge is not None else [Quadratic(ridge) for ridge in (0.1, 3.0, 30.0)]

    def fit(self, x: _F, y: _F, x_weights: _F, y_weights: _F, rng: np.random.Generator) -> LogRatio:
        """The fitted log ratio."""
        d = x.shape[1]
        ridge = 0.1 if self.ridge is None else self.ridge

        def features(points: _F) -> _F:
            z = tamed(points)
            return np.column_stack([z, products(z, d <= _CROSSED)])

        count = d * (d + 1) // 2 if d <= _CROSSED else d
        penalty = np.concatenate([np.full(d, 0.1 * ridge), np.full(count, ridge)])
        return logistic_log_ratio(features, x, y, x_weights, y_weights, penalty)
