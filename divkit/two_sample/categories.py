"""Shares of categories in two samples, and a test of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from divkit.result import Estimate
from divkit.two_sample import Labels, Pooled, Prepared, Statistic
from divkit.two_sample.line import exactly

__all__ = ["Categories"]

_F = NDArray[np.float64]
_ENTRIES: Final = 2**23  # of labels at a time


@dataclass(frozen=True)
class Categories(Statistic):
    """Total variation between the shares of the distinct rows: half of what all shares differ by.

    For categories, by codes of any kind: equal rows are one category, and no two categories are closer than others.

    Examples
    --------
    >>> import divkit
    >>> from divkit.two_sample.categories import Categories
    >>> found = divkit.two_sample_test([0, 0, 1, 1] * 20, [0, 1, 1, 2] * 20, Categories(), rng=0)
    >>> found.statistic, found.p_value < 0.01
    (0.25, True)
    """

    name: ClassVar[str] = "categories"
    summary: ClassVar[str] = "total variation between shares of categories"

    def prepare(self, pooled: Pooled, rng: np.random.Generator) -> Prepared:
        """See `Statistic.prepare`."""
        codes = np.unique(pooled.points, axis=0, return_inverse=True)[1].reshape(-1)
        counts = np.bincount(codes).astype(np.float64)  # (k,)
        order = np.argsort(codes, kind="stable")
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.intp)
        n = int(pooled.labels.sum())
        m = len(pooled.labels) - n

        def values(labels: Labels) -> _F:
            ours = np.add.reduceat(labels[:, order], starts, axis=1, dtype=np.float64)  # (b, k)
            return np.asarray(np.abs(ours / n - (counts - ours) / m).sum(axis=1) / 2)

        def effect(level: float) -> Estimate:
            return exactly(float(values(pooled.labels[None])[0]), "total_variation", "exact", 2.0**-52 * len(counts))

        return Prepared(pooled, values, max(64, _ENTRIES // len(codes)), effect)
