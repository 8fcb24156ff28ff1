"""Slow, independent ways to the same numbers: multiprecision sums and brute-force couplings."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import mpmath as mp
import numpy as np
from numpy.typing import NDArray

F = NDArray[np.float64]


# Each entry is the integrand of the convention table, with the multiple of p - q that the normalisation makes
# vanish, so that vectors whose sums are off by a rounding have the divergence of the laws they stand for.
TERMS: dict[str, Callable[[Any, Any], Any]] = {
    "kl": lambda p, q: (p * mp.log(p / q) if p else 0) - p + q,
    "reverse_kl": lambda p, q: (q * mp.log(q / p) if q else 0) - q + p,
    "jsd": lambda p, q: ((p * mp.log(2 * p / (p + q)) if p else 0) + (q * mp.log(2 * q / (p + q)) if q else 0)) / 2,
    "pearson_chi2": lambda p, q: (p - q) ** 2 / q,
    "neyman_chi2": lambda p, q: (p - q) ** 2 / p,
    "squared_hellinger": lambda p, q: (mp.sqrt(p) - mp.sqrt(q)) ** 2,
    "total_variation": lambda p, q: abs(p - q) / 2,
    "jeffreys": lambda p, q: (p - q) * mp.log(p / q),
}


def divergence(name: str, p: F, q: F) -> mp.mpf:
    """The divergence of two vectors, summed with 60 digits; inf where a term divides by zero."""
    with mp.workdps(60):
        if name == "hellinger":
            return mp.sqrt(divergence("squared_hellinger", p, q) / 2)
        if name == "gan":
            return 2 * divergence("jsd", p, q) - mp.log(4)
        total = mp.mpf(0)
        for a, b in zip(p, q, strict=True):
            if a == b == 0:
                continue
            try:
                total += TERMS[name](mp.mpf(float(a)), mp.mpf(float(b)))
            except ZeroDivisionError:
                return mp.inf
        return total


def assignment(x: F, y: F, p: float) -> float:
    """W_p between equally many equally heavy points (n, d), over all n! matchings."""
    costs = np.linalg.norm(x[:, None, :] - y[None, :, :], axis=-1)  # (n, n)
    rows = np.arange(len(x))
    matched = (costs[rows, list(columns)] for columns in permutations(rows))
    if p == np.inf:
        return float(min(gaps.max() for gaps in matched))
    return float(min((gaps**p).mean() for gaps in matched) ** (1 / p))


def line(x: F, y: F, a: F, b: F, p: float) -> float:
    """W_p on the line, from the quantile functions at the midpoints between all jump levels."""
    order_x, order_y = np.argsort(x, kind="stable"), np.argsort(y, kind="stable")
    level_x, level_y = np.cumsum(a[order_x]) / a.sum(), np.cumsum(b[order_y]) / b.sum()
    levels = np.unique(np.concatenate([[0.0], level_x, level_y, [1.0]]).clip(0, 1))
    middle, mass = (levels[1:] + levels[:-1]) / 2, np.diff(levels)
    at_x = x[order_x][np.minimum(np.searchsorted(level_x, middle), len(x) - 1)]
    at_y = y[order_y][np.minimum(np.searchsorted(level_y, middle), len(y) - 1)]
    gaps = np.abs(at_x - at_y)
    if p == np.inf:
        return float(gaps[mass > 1e-12].max(initial=0.0))
    return float((mass * gaps**p).sum() ** (1 / p))
