"""Kinds of transport problems, and checks of their solutions that share no code with the solvers."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest


@dataclass(frozen=True)
class Problem:
    """Two weighted point sets, x (n, d) and y (m, d); weights None mean equal ones. All arrays are read-only."""

    x: np.ndarray
    y: np.ndarray
    x_weights: np.ndarray | None = None
    y_weights: np.ndarray | None = None

    def __post_init__(self) -> None:
        for name in ("x", "y", "x_weights", "y_weights"):
            value = getattr(self, name)
            if value is not None:
                copy = np.array(value)
                copy.flags.writeable = False
                object.__setattr__(self, name, copy)

    @property
    def arguments(self):
        return self.x, self.y, self.x_weights, self.y_weights

    @property
    def shares(self):
        """The normalised masses a (n,), b (m,)."""
        return tuple(
            np.full(len(points), 1 / len(points)) if w is None else np.asarray(w, float) / np.sum(w, dtype=float)
            for points, w in ((self.x, self.x_weights), (self.y, self.y_weights))
        )

    def costs(self, p):
        """|x_i - y_j|^p, (n, m), by differences of coordinates added in numpy's order, not in that of the kernels."""
        return costs(self.x, self.y, p)


def costs(x, y, p):
    """|x_i - y_j|^p (n, m) in float64."""
    x, y = (np.asarray(z, dtype=np.float64).reshape(len(z), -1) for z in (x, y))
    squared = np.zeros((len(x), len(y)))
    for k in reversed(range(x.shape[1])):
        squared += np.subtract.outer(x[:, k], y[:, k]) ** 2
    return np.sqrt(squared) if p == 1 else squared


def _shifted_gaussians(rng, n, m, d):
    return Problem(rng.normal(size=(n, d)), rng.normal(size=(m, d)) + 0.3)


def _one_law_twice(rng, n, m, d):
    return Problem(rng.normal(size=(n, d)), rng.normal(size=(m, d)), rng.random(n), rng.random(m))


def _cubes(rng, n, m, d):
    return Problem(rng.random((n, d)), rng.random((m, d)))


def _far_clusters(rng, n, m, d):
    """Seven clusters 100 apart whose masses differ between the sides, so that mass must travel between them."""
    centres = 100 * rng.normal(size=(7, d))
    x, y = (centres[rng.integers(0, 7, k)] + rng.normal(size=(k, d)) for k in (n, m))
    return Problem(x, y, rng.random(n) ** 3, rng.random(m) ** 3)


def _lattice(rng, n, m, d):
    """Integers: most costs are shared by many pairs, and most optimal plans are one of many."""
    side = max(2, round(n ** (1 / d)))
    return Problem(rng.integers(0, side, (n, d)), rng.integers(0, side, (m, d)))


def _shared_atoms(rng, n, m, d):
    """Half of y are points of x, and a quarter of x are copies of one another."""
    x, y = rng.normal(size=(n, d)), rng.normal(size=(m, d))
    y[: m // 2] = x[rng.integers(0, n, m // 2)]
    x[: n // 4] = x[rng.integers(n // 2, n, n // 4)]
    return Problem(x, y, rng.integers(1, 5, n), rng.integers(1, 5, m))


def _parallel_lines(rng, n, m, d):
    """Two segments side by side, the points of each evenly spaced: for p = 1 nearly every plan is nearly optimal."""
    x, y = np.zeros((n, d)), np.zeros((m, d))
    x[:, 0], y[:, 0] = np.arange(n) / n, np.arange(m) / m
    y[:, -1] += 1.0
    return Problem(x, y)


def _one_place(rng, n, m, d):
    return Problem(np.full((n, d), 0.1), np.full((m, d), 0.1), rng.random(n), rng.random(m))


def _one_point(rng, n, m, d):
    return Problem(np.ones((1, d)), rng.normal(size=(m, d)), [2.5], rng.random(m))


def _zero_weights(rng, n, m, d):
    x_weights, y_weights = rng.random(n), rng.random(m)
    x_weights[::3] = 0.0
    y_weights[1::2] = 0.0
    return Problem(rng.normal(size=(n, d)), rng.normal(size=(m, d)) + 0.3, x_weights, y_weights)


def _wide_masses(rng, n, m, d):
    """Masses from 1e-12 to 1: more than the grid of 2**-40 on which flows are otherwise exact can tell apart."""
    return Problem(
        rng.normal(size=(n, d)), rng.normal(size=(m, d)), *(10.0 ** rng.uniform(-12, 0, size) for size in (n, m))
    )


KINDS = {
    "shifted Gaussians": _shifted_gaussians,
    "one law twice": _one_law_twice,
    "cubes": _cubes,
    "far clusters of unequal mass": _far_clusters,
    "integer lattice": _lattice,
    "shared atoms": _shared_atoms,
    "parallel lines": _parallel_lines,
    "all points in one place": _one_place,
    "one point against many": _one_point,
    "zero weights": _zero_weights,
    "masses from 1e-12 to 1": _wide_masses,
}


def problem(kind, n, m, d, seed=1):
    return KINDS[kind](np.random.default_rng(seed), n, m, d)


def small_problem(seed):
    """Up to 12 x 12 points in up to 6 dimensions: any kind of points with any kind of weights, at any scale.

    Coordinates are multiples of a power of two, so that the scale changes no digit and ties are exact.
    """
    rng = np.random.default_rng(seed)
    n, m, d = (int(rng.integers(1, limit)) for limit in (13, 13, 7))
    points = []
    for size in (n, m):
        kind = rng.integers(0, 4)
        z = rng.normal(size=(size, d)) if kind < 2 else rng.integers(-2, 3, (size, d)).astype(float)
        if kind == 1:
            z = z[rng.integers(0, size, size)]
        points.append(z)
    x, y = points
    if rng.random() < 0.2:
        y[: min(n, m)] = x[: min(n, m)]
    if rng.random() < 0.1:
        x[0] *= 1e3
    if rng.random() < 0.1:
        x[:, 0] = y[:, 0] = 0.5
    weights = []
    for size in (n, m):
        kind = rng.integers(0, 4)
        w = None
        if kind == 1:
            w = rng.random(size) + 1e-3
        elif kind == 2:
            w = rng.integers(0, 4, size).astype(float)
            w[rng.integers(0, size)] = 1.0
        elif kind == 3:
            w = 10.0 ** rng.uniform(-6, 6, size)
        weights.append(w)
    scale = 2.0 ** int(rng.choice([0, 0, 0, -400, 400]))
    return Problem(scale * x, scale * y, *weights), int(rng.integers(1, 3)), scale


def highs(given, p, scale=1.0):
    """The optimal cost by HiGHS' dual simplex, of the points divided by `scale`.

    Its tolerance of 1e-10 is absolute, so the costs are brought to at most 2**10 first.
    """
    from scipy.optimize import linprog
    from scipy.sparse import coo_array

    a, b = given.shares
    matrix = costs(given.x / scale, given.y / scale, p)
    n, m = matrix.shape
    unit = max(float(matrix.max()), 1e-300) / 2.0**10
    pairs = np.arange(n * m)
    rows = np.concatenate([pairs // m, n + pairs % m])
    ones = coo_array((np.ones(2 * n * m), (rows, np.concatenate([pairs, pairs]))), shape=(n + m, n * m))
    # The last equation follows from the others; dropped, because rounded masses contradict it.
    found = linprog(
        matrix.ravel() / unit,
        A_eq=ones.tocsr()[:-1],
        b_eq=np.concatenate([a, b])[:-1],
        method="highs-ds",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    assert found.status == 0, found.message
    return found.fun * unit


def assert_marginals(coupling, given, tolerance=1e-12):
    """The plan moves exactly the masses: rounding to multiples of 2**-52 costs n + m of them at the heaviest point."""
    assert coupling.masses.min() > 0
    for indices, share in zip((coupling.indices_x, coupling.indices_y), given.shares, strict=True):
        np.testing.assert_allclose(np.bincount(indices, coupling.masses, len(share)), share, rtol=0, atol=tolerance)


def assert_feasible(coupling, given, p, largest=None):
    """f_i + g_j <= cost_ij for all n m pairs, to rounding.

    The solver stops at 2**-50 of the sum of the largest potentials and the price of its hub, which itself is at most
    1.01 times their sum and the largest cost: 5 * 2**-50 < 5e-15 of what is added up here. A pair's cost and the
    scaling of the potentials add some roundings of 1e-16 each.
    """
    f, g = coupling.x_potential, coupling.y_potential
    matrix = given.costs(p)
    slack = matrix - f[:, None] - g  # (n, m)
    assert slack.min() >= -6e-15 * (matrix.max() + np.abs(f).max() + np.abs(g).max())


def assert_optimal(coupling, given, p, relative=1e-12, absolute=0.0):
    """The plan is feasible, its cost is what it says, the potentials are feasible, and both values meet."""
    assert_marginals(coupling, given)
    assert_feasible(coupling, given, p)
    matrix = given.costs(p)
    paid = matrix[coupling.indices_x, coupling.indices_y]
    moved = rounded_masses(given) * 2.0 ** (p * 2) * matrix.max()
    assert coupling.cost == pytest.approx(float(coupling.masses @ paid), rel=1e-13, abs=moved)
    reduced = paid - coupling.x_potential[coupling.indices_x] - coupling.y_potential[coupling.indices_y]
    # The gap that the masses of the plan see, evaluated without cancellation: dual = cost - gap.
    assert abs(float(coupling.masses @ reduced)) <= relative * coupling.cost + absolute
    assert 0 <= coupling.gap <= relative * coupling.cost + absolute + 2 * moved
    assert coupling.lower <= coupling.cost <= coupling.upper


def rounded_masses(given):
    """The mass that rounding may have misplaced, and that the bracket has to allow for: one unit of 2**-60 a point.

    Only where some mass is below 2**-40 of the total. It travels at most the extent, a power of two that is less than
    four times the largest distance between the sets (twice for the power, twice for two points of one set).
    """
    lightest = min(share[share > 0].min() for share in given.shares)
    return (len(given.x) + len(given.y)) * 2.0**-60 if lightest < 2.0**-40 else 0.0


def assert_bracket(coupling, given, p, truth):
    """A plan with the right marginals above, feasible potentials below, and the truth between them to rounding."""
    assert_marginals(coupling, given)
    assert_feasible(coupling, given, p)
    # Both ends are sums of k products to some 1e-16 of the largest potential and cost.
    slop = 1e-13 * (given.costs(p).max() + np.abs(coupling.x_potential).max() + np.abs(coupling.y_potential).max())
    assert coupling.lower - slop <= truth <= coupling.upper + slop
    a, b = given.shares
    dual = float(a @ coupling.x_potential + b @ coupling.y_potential)
    assert coupling.lower == pytest.approx(max(dual, 0.0), abs=slop)


def slack_sign(x, y, f, g):
    """The sign of |x - y| - f - g without rounding: -1, 0 or 1; f and g are floats or fractions."""
    total = Fraction(f) + Fraction(g)
    squared = sum((Fraction(float(a)) - Fraction(float(b))) ** 2 for a, b in zip(x, y, strict=True))
    if total < 0:
        return 1
    difference = squared - total * total
    return (difference > 0) - (difference < 0)


def within(seconds, function):
    """The result of function(), or a failure if it takes longer: compiled loops cannot be interrupted, only left."""
    found = []

    def work():
        try:
            found.append((function(), None))
        except BaseException as error:
            found.append((None, error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if not found:
        pytest.fail(f"no answer within {seconds} seconds")
    value, error = found[0]
    if error is not None:
        raise error
    return value
