"""Additive splines with pairwise products: any smooth log ratio of independent coordinates, and of Gaussians."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from divkit.methods.log_ratio import LogRatio
from divkit.methods.log_ratio._features import natural_splines, products, tamed
from divkit.methods.log_ratio._logistic import logistic_log_ratio

__all__ = ["Additive"]

_F = NDArray[np.float64]
_CROSSED: Final = 12  # dimensions up to which products of coordinates enter
_FEWEST: Final = 50  # points of the smaller sample from which knots are worth their noise


@dataclass(frozen=True)
class Additive:
    """l(z) = a + sum over i of s_i(z_i) + sum over i < j of c_ij z_i z_j, with natural cubic splines s_i.

    Parameters
    ----------
    ridge : float or None
        Penalty of each squared spline coefficient; None lets held-out log loss choose.
    knots : int or None
        Knots of each coordinate, at quantiles of the pooled sample; None takes 5 to 12, growing with the sizes.
    """

    ridge: float | None = None
    knots: int | None = None

    name: ClassVar[str] = "additive"

    def unsuited(self, n: int, m: int, d: int) -> str | None:
        """Splines need points between their knots."""
        return None if min(n, m) >= _FEWEST else f"splines take at least {_FEWEST} points of each law"

    def variants(self, n: int, m: int, d: int) -> Sequence[Additive]:
        """From hardly any penalty to one that leaves little but the quadratic part."""
        return [self] if self.ridge is not None else [Additive(ridge, self.knots) for ridge in (0.03, 0.5, 8.0)]

    def fit(self, x: _F, y: _F, x_weights: _F, y_weights: _F, rng: np.random.Generator) -> LogRatio:
        """The fitted log ratio."""
        d = x.shape[1]
        ridge = 0.5 if self.ridge is None else self.ridge
        count = self.knots or int(np.clip(round(1.5 * min(len(x), len(y)) ** 0.25), 5, 12))
        # Half of the mass from each law: where one of many points is thin, the other may have all of its own.
        levels = np.linspace(0.5 / count, 1 - 0.5 / count, count)
        knots = [_knots(x[:, i], y[:, i], levels) for i in range(d)]

        def features(points: _F) -> _F:
            z = tamed(points)
            splines = [natural_splines(z[:, i], knots[i]) for i in range(d) if len(knots[i]) > 2]
            return np.column_stack([z, products(z, d <= _CROSSED), *splines])

        squares = d * (d + 1) // 2 if d <= _CROSSED else d
        curves = sum(max(len(own) - 2, 0) for own in knots)
        penalty = np.concatenate([np.full(d, 0.05), np.full(squares, 1.0 + ridge), np.full(curves, ridge)])
        return logistic_log_ratio(features, x, y, x_weights, y_weights, penalty)


def _knots(x: _F, y: _F, levels: _F) -> _F:
    """Distinct quantiles of one coordinate, those of the two samples averaged."""
    both = (np.quantile(tamed(x), levels) + np.quantile(tamed(y), levels)) / 2
    apart = np.concatenate([[True], np.diff(both) > 1e-9 * max(float(both[-1] - both[0]), 1e-300)])
    return np.asarray(both[apart])
