"""Kernel logistic regression on random landmarks (Nystroem), on top of a quadratic model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from divkit.methods.log_ratio import LogRatio
from divkit.methods.log_ratio._features import Whitening, products, some_rows, squared_distances, tamed
from divkit.methods.log_ratio._logistic import logistic_log_ratio

__all__ = ["KernelLogistic"]

_F = NDArray[np.float64]
_FEWEST: Final = 30
_CROSSED: Final = 12
_NEGLIGIBLE: Final = 1e-8  # of the largest eigenvalue of the landmarks' kernel matrix


@dataclass(frozen=True)
class KernelLogistic:
    """l(z) = quadratic(z) + sum over landmarks of c_j exp(-|z - z_j|^2 / (2 h^2)), in whitened coordinates.

    Williams and Seeger (2001), "Using the Nystroem method to speed up kernel machines": features whose inner products
    are the kernel's, on the span of the landmarks.

    Parameters
    ----------
    ridge : float or None
        Penalty of the kernel part; None lets held-out log loss choose.
    bandwidth : float or None
        h as a multiple of the median distance between landmarks; None lets held-out log loss choose.
    landmarks : int or None
        None takes 40 to 120, growing with the sizes.
    """

    ridge: float | None = None
    bandwidth: float | None = None
    landmarks: int | None = None

    name: ClassVar[str] = "kernel"

    def unsuited(self, n: int, m: int, d: int) -> str | None:
        """Landmarks need points around them."""
        return None if min(n, m) >= _FEWEST else f"a kernel takes at least {_FEWEST} points of each law"

    def variants(self, n: int, m: int, d: int) -> Sequence[KernelLogistic]:
        """Two widths and two penalties, as far as they are not set."""
        ridges = (0.3, 5.0) if self.ridge is None else (self.ridge,)
        widths = (0.4, 1.0) if self.bandwidth is None else (self.bandwidth,)
        return [KernelLogistic(ridge, width, self.landmarks) for width in widths for ridge in ridges]

    def fit(self, x: _F, y: _F, x_weights: _F, y_weights: _F, rng: np.random.Generator) -> LogRatio:
        """The fitted log ratio."""
        whitening = Whitening(tamed(x), tamed(y), x_weights, y_weights)
        count = self.landmarks or int(np.clip(2 * np.sqrt(min(len(x), len(y))), 40, 120))
        spots = np.concatenate([some_rows(whitening(tamed(part)), count // 2, rng) for part in (x, y)])
        squares = squared_distances(spots, spots)  # (k, k)
        typical = float(np.median(squares[np.triu_indices(len(spots), 1)])) if len(spots) > 1 else 1.0
        width = (1.0 if self.bandwidth is None else self.bandwidth) ** 2 * (typical if typical > 0 else 1.0)
        values, vectors = np.linalg.eigh(np.exp(-squares / (2 * width)))
        kept = values > _NEGLIGIBLE * values[-1]
        root = vectors[:, kept] / np.sqrt(values[kept])  # (k, c)

        def features(points: _F) -> _F:
            z = whitening(tamed(points))
            bumps = np.exp(-squared_distances(z, spots) / (2 * width)) @ root
            return np.column_stack([z, products(z, z.shape[1] <= _CROSSED), bumps])

        c = spots.shape[1]
        second = c * (c + 1) // 2 if c <= _CROSSED else c
        # The features are standardised; their spread tells how much of the kernel they carry.
        shares = np.sqrt(values[kept].max() / values[kept])
        curved = (1.0 if self.ridge is None else self.ridge) * shares
        penalty = np.concatenate([np.full(c, 0.05), np.full(second, 1.0), curved])
        return logistic_log_ratio(features, x, y, x_weights, y_weights, penalty)
