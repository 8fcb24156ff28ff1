"""The arrangements of labels that are equally likely if two laws are equal."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Final

import numpy as np

from divkit._threads import parallel_map, workers
from divkit.two_sample import Labels, Pooled

__all__ = ["Arrangements"]

_ROWS: Final = 64  # drawn by one generator, so that results do not depend on the number of threads
_COUNTED: Final = 10_000  # groups up to this size in all are counted exactly
_PARALLEL: Final = 2**18  # labels from which a second thread pays


class Arrangements:
    """Rows of labels with the same number of x in every group.

    Parameters
    ----------
    pooled : Pooled
    """

    def __init__(self, pooled: Pooled) -> None:
        groups = np.zeros(len(pooled.labels), np.intp) if pooled.groups is None else pooled.groups
        self._order = np.argsort(groups, kind="stable")
        sizes = np.bincount(groups)
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.intp)
        self._chosen = np.bincount(groups, weights=pooled.labels).astype(np.intp)
        self._observed = pooled.labels

    @property
    def count(self) -> float:
        """How many there are, the observed one included; inf beyond what is worth counting."""
        sizes = np.diff(self._starts)
        if sizes.sum() > _COUNTED:
            return math.inf
        log_count = sum(_log_comb(int(size), int(k)) for size, k in zip(sizes, self._chosen, strict=True))
        if log_count > math.log(1e15):
            return math.inf
        return float(math.prod(math.comb(int(a), int(b)) for a, b in zip(sizes, self._chosen, strict=True)))

    def blocks(self, permutations: int, rows: int, rng: np.random.Generator) -> Iterator[Labels]:
        """Every one but the observed where there are no more than that; else as many drawn, some rows at a time."""
        if self.are_few(permutations):
            yield self.others()
            return
        for start in range(0, permutations, rows):
            yield self.draw(min(rows, permutations - start), rng)

    def are_few(self, permutations: int) -> bool:
        """Whether there are no more than so many, besides the observed one."""
        return self.count <= permutations + 1

    def draw(self, count: int, rng: np.random.Generator) -> Labels:
        """Independent ones, (count, N)."""
        from divkit._kernels.permutation import hand_out

        out = np.empty((count, len(self._observed)), dtype=np.bool_)
        parts = [out[start : start + _ROWS] for start in range(0, count, _ROWS)]
        jobs = list(zip(parts, rng.spawn(len(parts)), strict=True))
        threads = workers() if out.size >= _PARALLEL else 1
        parallel_map(lambda job: hand_out(job[0], self._order, self._starts, self._chosen, job[1]), jobs, threads)
        return out

    def others(self) -> Labels:
        """Every one but the observed, (count - 1, N); for small counts."""
        parts = [
            itertools.combinations(self._order[a:b], int(k))
            for a, b, k in zip(self._starts[:-1], self._starts[1:], self._chosen, strict=True)
        ]
        rows = []
        for chosen in itertools.product(*parts):
            row = np.zeros(len(self._observed), dtype=np.bool_)
            row[[index for part in chosen for index in part]] = True
            rows.append(row)
        found = np.array(rows)
        return np.asarray(found[(found != self._observed).any(axis=1)])


def _log_comb(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
