"""Gradient-boosted trees of scikit-learn: a log ratio for tables of unlike columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from divkit._errors import require
from divkit.methods.log_ratio import LogRatio

__all__ = ["Boosting"]

_F = NDArray[np.float64]
_FEWEST: Final = 100


@dataclass(frozen=True)
class Boosting:
    """The logit of scikit-learn's `HistGradientBoostingClassifier`, less the log ratio of the sizes.

    Parameters
    ----------
    iterations : int
        Trees.
    learning_rate : float
    leaves : int or None
        Leaves of a tree; None lets held-out log loss choose.
    """

    iterations: int = 100
    learning_rate: float = 0.08
    leaves: int | None = None

    name: ClassVar[str] = "boosting"

    def unsuited(self, n: int, m: int, d: int) -> str | None:
        """Trees need points in their leaves."""
        return None if min(n, m) >= _FEWEST else f"trees take at least {_FEWEST} points of each law"

    def variants(self, n: int, m: int, d: int) -> Sequence[Boosting]:
        """Stumps' neighbours, and larger trees."""
        if self.leaves is not None:
            return [self]
        return [Boosting(self.iterations, self.learning_rate, leaves) for leaves in (4, 12)]

    def fit(self, x: _F, y: _F, x_weights: _F, y_weights: _F, rng: np.random.Generator) -> LogRatio:
        """The fitted log ratio.

        Raises
        ------
        MissingDependency
            Without scikit-learn.
        """
        ensemble = require("sklearn.ensemble", "boosting")
        classifier = ensemble.HistGradientBoostingClassifier(
            max_iter=self.iterations,
            learning_rate=self.learning_rate,
            max_leaf_nodes=self.leaves or 8,
            l2_regularization=1.0,
            early_stopping=False,
            random_state=int(rng.integers(2**31)),
        )
        labels = np.concatenate([np.ones(len(x)), np.zeros(len(y))])
        weights = np.concatenate([x_weights, y_weights])
        classifier.fit(np.concatenate([x, y]), labels, sample_weight=weights)
        offset = float(np.log(x_weights.sum() / y_weights.sum()))
        return lambda points: np.asarray(classifier.decision_function(points) - offset, dtype=np.float64)
