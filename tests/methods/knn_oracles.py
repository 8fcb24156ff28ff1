"""Slow nearest-neighbour estimates: loops over all pairs, harmonic sums instead of digamma, laws with known answers."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np


def harmonic(n: int) -> Fraction:
    """digamma(n) - digamma(1)."""
    return sum((Fraction(1, i) for i in range(1, n)), Fraction(0))


def distances(point, others):
    return sorted(math.dist(point, other) for other in others)


def inside(found, radius):
    """How many sorted distances lie in the closed ball, up to the rounding of a rotation."""
    return sum(1 for distance in found if distance <= radius * (1 + 1e-10))


def kl(x, y, k):
    """Mean over x of digamma(k), for the sample that sets the ball, against digamma(1 + its points) for the other."""
    total = 0.0
    for i, centre in enumerate(x):
        own = distances(centre, np.delete(x, i, axis=0))
        other = distances(centre, y)
        radius = max(own[k - 1], other[k - 1])
        total += float(harmonic(inside(own, radius) + (own[k - 1] * (1 + 1e-10) < other[k - 1])))
        total -= float(harmonic(inside(other, radius) + (other[k - 1] * (1 + 1e-10) < own[k - 1])))
    return total / len(x) + math.log(len(y) / (len(x) - 1))


def power_mean(x, y, k, e):
    """Mean over x of u^e from two radii, with the Gamma factors of Poczos and Schneider."""
    d = x.shape[1]
    factor = math.gamma(k) ** 2 / (math.gamma(k - e) * math.gamma(k + e))
    total = 0.0
    for i, centre in enumerate(x):
        rho = distances(centre, np.delete(x, i, axis=0))[k - 1]
        nu = distances(centre, y)[k - 1]
        total += (len(y) * nu**d / ((len(x) - 1) * rho**d)) ** e
    return factor * total / len(x)


def neighbour_labels(x, y, k):
    """For each pooled point: how many of its k nearest others (more where radii tie) are of x, and of how many."""
    pooled = np.concatenate([x, y])
    counts = []
    for i, centre in enumerate(pooled):
        found = sorted((math.dist(centre, other), j >= len(x)) for j, other in enumerate(pooled) if j != i)
        near = [of_y for distance, of_y in found if distance <= found[k - 1][0] * (1 + 1e-10)]
        counts.append((len(near) - sum(near), len(near)))
    return np.array(counts)


def normal_pair(d, n, m, seed, shift=1.0):
    """Samples of N(shift e_1, I) and N(0, I) in d dimensions; KL = shift^2 / 2."""
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, d)), rng.standard_normal((m, d))
    x[:, 0] += shift
    x.flags.writeable = y.flags.writeable = False
    return x, y
