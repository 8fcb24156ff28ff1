"""Points and potentials for the tests of searches over all pairs."""

from __future__ import annotations

import numpy as np

from divkit.transport._levels import order_of


def ordered(points):
    return np.ascontiguousarray(points[order_of(points)])


def drawn_points(rng, n, d):
    """Points in the unit box: anywhere, in tight clusters far apart, on a lattice, or all but one in one place."""
    kind = rng.integers(0, 5)
    if kind == 0:
        z = rng.normal(size=(n, d)) / 4
    elif kind == 1:
        z = rng.normal(size=(5, d))[rng.integers(0, 5, n)] / 4 + 10.0 ** -rng.integers(2, 9) * rng.normal(size=(n, d))
    elif kind == 2:
        z = rng.integers(0, 3, (n, d)) / 2
    elif kind == 3:
        z = np.full((n, d), 0.3)
        z[0] = 1.0
    else:
        z = np.outer(rng.random(n), rng.normal(size=d)) / 2
    return z


def near_tight(rng, matrix, noise, size=None):
    """Potentials (n,), (m,) near the boundary of feasibility: a c-transform, shifted by `noise`."""
    n, m = matrix.shape
    f = rng.normal(size=n) * rng.choice([0.0, 0.1, 1.0]) + rng.choice([0.0, 30.0]) if size is None else np.full(n, size)
    g = (matrix - f[:, None]).min(axis=0)
    f = (matrix - g).min(axis=1)
    return f + noise * rng.normal(size=n), g + noise * rng.normal(size=m)
