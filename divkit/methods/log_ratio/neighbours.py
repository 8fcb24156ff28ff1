"""The shares of both samples among the nearest neighbours: a log ratio without a formula."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from divkit.methods.log_ratio import LogRatio
from divkit.methods.log_ratio._features import Whitening, tamed

__all__ = ["Neighbours"]

_F = NDArray[np.float64]
_HIGHEST: Final = 6  # dimensions in which neighbours are near
_MOST: Final = 20_000  # points of the larger sample


@dataclass(frozen=True)
class Neighbours:
    """log (weight of x among the k nearest + 1/2) / (weight of y among them + 1/2), less the log ratio of the sizes.

    Parameters
    ----------
    k : int or None
        None lets held-out log loss choose.
    """

    k: int | None = None

    name: ClassVar[str] = "neighbours"

    def unsuited(self, n: int, m: int, d: int) -> str | None:
        """Neighbours must be near, and found in time."""
        if d > _HIGHEST:
            return f"neighbours are far away in {d} dimensions"
        return None if max(n, m) <= _MOST else f"{max(n, m)} points take too long to search"

    def variants(self, n: int, m: int, d: int) -> Sequence[Neighbours]:
        """Few and many neighbours."""
        if self.k is not None:
            return [self]
        size = min(n, m)
        return [Neighbours(max(5, round(share * size**0.6))) for share in (0.7, 2.5)]

    def fit(self, x: _F, y: _F, x_weights: _F, y_weights: _F, rng: np.random.Generator) -> LogRatio:
        """The fitted log ratio."""
        from scipy.spatial import cKDTree

        whitening = Whitening(tamed(x), tamed(y), x_weights, y_weights)
        k = min(self.k or max(5, round(min(len(x), len(y)) ** 0.6)), len(x) + len(y))
        tree = cKDTree(whitening(tamed(np.concatenate([x, y]))), balanced_tree=False, compact_nodes=False)
        x_share = np.concatenate([x_weights, np.zeros(len(y))])
        y_share = np.concatenate([np.zeros(len(x)), y_weights])
        offset = float(np.log(x_weights.sum() / y_weights.sum()))

        def log_ratio(points: _F) -> _F:
            near = tree.query(whitening(tamed(points)), k=k)[1].reshape(len(points), k)
            counts = x_share[near].sum(axis=1), y_share[near].sum(axis=1)
            return np.asarray(np.log(counts[0] + 0.5) - np.log(counts[1] + 0.5) - offset)

        return log_ratio
