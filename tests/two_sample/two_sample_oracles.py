"""Every statistic again, from its definition, by loops and other libraries."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.stats import energy_distance, ks_2samp, wasserstein_distance

F = NDArray[np.float64]
Oracle = Callable[[F, F], float]


def energy(x: F, y: F) -> float:
    """2 E|X - Y| - E|X - X'| - E|Y - Y'|."""
    return float(2 * cdist(x, y).mean() - cdist(x, x).mean() - cdist(y, y).mean())


def mmd(x: F, y: F, kernel: str, bandwidth: float) -> float:
    """Over different points, pair by pair."""

    def k(a: F, b: F) -> float:
        if kernel == "gaussian":
            return float(np.exp(-((a - b) ** 2).sum() / (2 * bandwidth**2)))
        return float(np.exp(-np.abs(a - b).sum() / bandwidth))

    within = [np.mean([k(a, b) for a, b in itertools.permutations(side, 2)]) for side in (x, y)]
    return float(sum(within) - 2 * np.mean([k(a, b) for a in x for b in y]))


def neighbours(x: F, y: F, k: int) -> float:
    """By sorting all distances of each point."""
    pooled, own = np.concatenate([x, y]), np.repeat([0, 1], [len(x), len(y)])
    same = []
    for i, point in enumerate(pooled):
        distances = np.linalg.norm(pooled - point, axis=1)
        distances[i] = np.inf
        same += list(own[np.argsort(distances)[:k]] == own[i])
    return float(np.mean(same))


ON_THE_LINE: dict[str, Oracle] = {
    "wasserstein1": lambda x, y: float(wasserstein_distance(x[:, 0], y[:, 0])),
    "cramer": lambda x, y: float(energy_distance(x[:, 0], y[:, 0]) ** 2 / 2),
    "ks": lambda x, y: float(ks_2samp(x[:, 0], y[:, 0]).statistic),
    "energy": energy,
}


def exact_p_value(x: F, y: F, statistic: Oracle) -> float:
    """The share of all arrangements whose statistic is at least the observed one."""
    pooled = np.concatenate([x, y])
    observed = statistic(x, y)
    values: list[float] = []
    for rows in itertools.combinations(range(len(pooled)), len(x)):
        chosen = np.zeros(len(pooled), dtype=bool)
        chosen[list(rows)] = True
        values.append(statistic(pooled[chosen], pooled[~chosen]))
    return float(np.mean(np.array(values) >= observed - 1e-9 * max(map(abs, values))))


def some(rng: np.random.Generator, *shape: int) -> Any:
    """Normal draws that nobody may write to."""
    found = rng.normal(size=shape)
    found.flags.writeable = False
    return found
