"""Searches over all pairs: nothing is missed, whatever the potentials are, and little is looked at twice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pair_problems import drawn_points, near_tight, ordered
from transport_problems import costs, slack_sign

from divkit.transport._levels import order_of
from divkit.transport._pair_search import FEW_DIMENSIONS, BlockSearch, TileSearch, pair_search
from divkit.transport.column_generation import ColumnGeneration

SEEDS = st.integers(0, 2**32 - 1)
ULP = 2.0**-50  # the tolerance of the solver, relative to the two potentials of a pair


def search_of(kind, x, y, p, threads=1):
    found = pair_search(x, y, p, threads)
    return kind(found.x, found.y, p, threads)


def assert_complete(found, points, p, f, g, per_row):
    """Each row's worst violated pairs are listed, none else, and `least` is the least c - g where one is violated.

    Both sides compute costs in float64, to d/2 + 3 roundings of 2^-53, and slacks to 2 more of their terms; pairs
    within that of the tolerance may go either way.
    """
    matrix = costs(*points, p)
    slack = matrix - f[:, None] - g  # (n, m)
    potentials = np.abs(f)[:, None] + np.abs(g)
    tolerance = ULP * potentials
    doubt = (points[0].shape[1] + 8) * 2.0**-53 * (matrix + potentials)
    listed = np.zeros(slack.shape, bool)
    listed[found.rows, found.columns] = True
    assert listed.sum() == len(found.rows)
    pairs = found.rows, found.columns
    assert (np.abs(found.slacks - slack[pairs]) <= doubt[pairs]).all()
    assert (slack < -tolerance + doubt)[listed].all()
    counts = listed.sum(axis=1)
    assert (counts <= per_row).all()
    # what is not listed is not violated, or not worse than anything listed in a full row
    worst = np.where(listed, slack + doubt, -np.inf).max(axis=1)
    missed = np.where(~listed, slack + tolerance + doubt, np.inf).min(axis=1)
    full = counts == per_row
    assert (missed[~full] >= 0).all()
    assert (np.where(listed, np.inf, slack + doubt).min(axis=1)[full] >= (worst - 2 * doubt.max(axis=1))[full]).all()
    reached = matrix - g  # (n, m), of which least is the minimum wherever a pair is violated for sure
    rows = (slack < -tolerance - doubt).any(axis=1)
    assert (np.abs(found.least - reached.min(axis=1)) <= doubt.max(axis=1))[rows].all()
    # lowered to `least`, f is feasible everywhere
    assert (matrix - found.least[:, None] - g >= -tolerance - doubt).all()


class TestViolations:
    @pytest.mark.parametrize("kind", [BlockSearch, TileSearch])
    @given(SEEDS, st.sampled_from([1, 2, 3, 4, 5, 8, 20]), st.sampled_from([1, 2]), st.sampled_from([1, 3, 5]))
    def test_they_are_those_of_a_brute_force_search(self, kind, seed, d, p, per_row):
        rng = np.random.default_rng(seed)
        x, y = (ordered(drawn_points(rng, int(rng.integers(1, 300)), d)) for _ in range(2))
        matrix = costs(x, y, p)
        f, g = near_tight(rng, matrix, float(rng.choice([0.0, 1e-13, 1e-9, 1e-4, 1.0])))
        found = search_of(kind, x, y, p).violations(f, g, ULP, per_row)
        assert_complete(found, (x, y), p, f, g, per_row)

    @pytest.mark.parametrize("offset", [0.0, 1e3, 1e8])
    @pytest.mark.parametrize("p", [1, 2])
    @pytest.mark.parametrize("d", [2, 4, 5, 16, 64])
    def test_near_ties_of_1e_9_are_told_apart(self, rng, d, p, offset):
        # Every pair of one cluster is within 1e-9 of tight: single precision cannot decide any, and must pass on all.
        x, y = (ordered(rng.integers(0, 2, (300, 1)) + rng.normal(size=(300, d)) / 8 + offset) for _ in range(2))
        matrix = costs(x, y, p)
        f, g = near_tight(rng, matrix, 0.0)
        i, j = np.arange(300), (matrix - f[:, None] - g).argmin(axis=1)
        f = matrix[i, j] - g[j]  # tight in every row
        f = f + np.where(rng.random(300) < 0.5, 1e-9, -1e-9)
        found = pair_search(x, y, p, 1).violations(f, g, ULP, 300)
        violated = matrix - f[:, None] - g < -1e-10
        assert 100 < violated.sum() < 20_000
        # rounding is below 1e-12 of potentials below 100: no pair but those at +-1e-9 is near the boundary
        listed = np.zeros_like(violated)
        listed[found.rows, found.columns] = True
        np.testing.assert_array_equal(listed, violated)

    @pytest.mark.parametrize("d", [5, 30, 200])
    @pytest.mark.parametrize("p", [1, 2])
    def test_the_error_of_single_precision_is_allowed_for(self, rng, d, p):
        # Far from the centre of its block, a pair of near points has squares that cancel: the product is off by up to
        # (d + 8) 2^-24 (|x| + |y|)^2, far more than the slack -1e-10 of pairs whose distance is 1e-3.
        x = rng.normal(size=(256, d))
        y = x + 1e-3 * rng.normal(size=x.shape) / np.sqrt(d)
        order = order_of(x)
        x, y = np.ascontiguousarray(x[order]), np.ascontiguousarray(y[order])
        distance = costs(x, y, p).diagonal()
        f = distance / 2 + 1e-10 * distance
        g = distance / 2
        found = search_of(TileSearch, x, y, p).violations(f, g, ULP, 5)
        np.testing.assert_array_equal(found.rows, np.arange(256))
        np.testing.assert_array_equal(found.columns, np.arange(256))
        # and without an allowance they would be lost: single precision misses some of them
        single = x.astype(np.float32), y.astype(np.float32)
        squares = (single[0] ** 2).sum(1) + (single[1] ** 2).sum(1) - 2 * (single[0] * single[1]).sum(1)
        bound = (f + g) ** 2 if p == 1 else f + g
        assert (squares > bound).any()

    @pytest.mark.parametrize("d", [2, 5, 20])
    def test_potentials_far_larger_than_costs_are_compared_to_all_their_digits(self, rng, d):
        # In single precision f_i and g_j = c_ii - f_i +- 1e-9 are off by 1e-4, more than all costs.
        x, y = (ordered(1e-3 * rng.normal(size=(60, d))) for _ in range(2))
        f = 1000.0 * rng.normal(size=60)
        g = costs(x, y, 1).diagonal() - f + np.where(np.arange(60) % 2 == 0, 1e-9, -1e-9)
        found = search_of(TileSearch, x, y, 1).violations(f, g, ULP, 60)
        own = found.rows[found.rows == found.columns]
        # the tolerance is 2^-50 * 6000 < 1e-11 at most
        np.testing.assert_array_equal(np.sort(own), np.arange(0, 60, 2))

    @pytest.mark.parametrize("scale", [1.0, 1e-6, 1e-12, 1e-18])
    @pytest.mark.parametrize("d", [2, 6, 20])
    @pytest.mark.parametrize("p", [1, 2])
    def test_a_cluster_far_smaller_than_the_extent_keeps_its_violations(self, rng, d, p, scale):
        x, y = (scale * rng.normal(size=(200, d)) / 8 for _ in range(2))
        x[0] = y[0] = 1.0
        x, y = ordered(x), ordered(y)
        matrix = costs(x, y, p)
        f, g = near_tight(rng, matrix, 0.0, scale**p)
        f = (matrix - g).min(axis=1) + 1e-7 * scale**p  # one violation a row at least
        found = pair_search(x, y, p, 1).violations(f, g, ULP, 1)
        near = np.abs(x).max(axis=1) < 0.5
        assert set(np.flatnonzero(near)) <= set(found.rows.tolist())

    @pytest.mark.parametrize("d", [2, 8])
    def test_signs_agree_with_exact_rational_arithmetic(self, rng, d):
        x, y = (ordered(rng.integers(0, 2**20, (40, d)) / 2.0**20) for _ in range(2))
        matrix = costs(x, y, 1)
        f, g = near_tight(rng, matrix, 1e-14, 0.5)
        found = pair_search(x, y, 1, 1).violations(f, g, ULP, 40)
        listed = set(zip(found.rows.tolist(), found.columns.tolist(), strict=True))
        # lowering f by more than the tolerance and two roundings of numbers below 4 must leave a violation
        lowered = f - ULP * (np.abs(f) + np.abs(g).max()) - 2.0**-50
        pairs = [(i, j) for i in range(40) for j in range(40)]
        surely = {(i, j) for i, j in pairs if slack_sign(x[i], y[j], lowered[i], g[j]) < 0}
        assert surely
        assert surely <= listed
        assert all(slack_sign(x[i], y[j], f[i], g[j]) < 0 for i, j in listed)

    @pytest.mark.parametrize("kind", [BlockSearch, TileSearch])
    def test_threads_change_nothing(self, rng, kind):
        x, y = (ordered(rng.random((1500, 4))) for _ in range(2))
        f, g = near_tight(rng, costs(x, y, 1), 1e-3)
        one, two = (search_of(kind, x, y, 1, threads).violations(f, g, ULP, 5) for threads in (1, 2))
        for name in ("rows", "columns", "slacks", "least", "looked", "checked"):
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


class TestMargin:
    """The allowance for rounding is not absurdly loose: few pairs are computed twice, and blocks are skipped."""

    @pytest.mark.parametrize("p", [1, 2])
    @pytest.mark.parametrize("d", [5, 10, 64])
    def test_few_pairs_are_rechecked_at_the_optimum(self, rng, d, p):
        x, y = (ordered(rng.normal(size=(1500, d))) for _ in range(2))
        found = ColumnGeneration().solve(x, y, p=p)
        f, g = found.x_potential, found.y_potential
        checked = pair_search(x, y, p, 1).violations(f, g, ULP, 5).checked
        # the 3,000 tight pairs of a basis are rechecked of necessity: 0.13 %
        assert 1500 <= checked <= 0.02 * 1500**2

    @pytest.mark.parametrize("p", [1, 2])
    def test_most_pairs_of_blocks_in_the_plane_are_skipped_at_the_optimum(self, rng, p):
        x, y = (ordered(rng.normal(size=(3000, 2)) + shift) for shift in (0.0, 0.3))
        found = ColumnGeneration().solve(x, y, p=p)
        f, g = found.x_potential, found.y_potential
        violations = pair_search(x, y, p, 1).violations(f, g, ULP, 5)
        assert violations.looked <= 0.5 * 3000**2  # tight pairs lie along rays that cross many blocks
        assert violations.checked <= 0.02 * 3000**2


class TestNearest:
    @pytest.mark.parametrize("kind", [BlockSearch, TileSearch])
    @given(SEEDS, st.sampled_from([1, 2, 4, 7, 20]), st.sampled_from([1, 2]), st.sampled_from([1, 3, 10, 400]))
    def test_they_are_those_of_a_brute_force_search(self, kind, seed, d, p, k):
        rng = np.random.default_rng(seed)
        x, y = (ordered(drawn_points(rng, int(rng.integers(1, 200)), d)) for _ in range(2))
        matrix = costs(x, y, p)
        f, g = near_tight(rng, matrix, float(rng.choice([0.0, 0.1])))
        indices, slacks = search_of(kind, x, y, p).nearest(f, g, k)
        slack = matrix - f[:, None] - g
        k = min(k, len(y))
        assert indices.shape == slacks.shape == (len(x), k)
        # tiles are good to single precision: squares to (d + 8) 2^-22 of the largest, their roots to the root of that
        largest = matrix.max() + np.abs(f).max() + np.abs(g).max()
        error = (d + 8) * 2.0**-22 * largest
        if p == 1:
            error = np.sqrt((d + 8) * 2.0**-22) * largest
        doubt = 1e-13 * largest if kind is BlockSearch else error
        np.testing.assert_allclose(slacks, np.sort(slack, axis=1)[:, :k], rtol=0, atol=doubt)
        np.testing.assert_allclose(slacks, np.take_along_axis(slack, indices, axis=1), rtol=0, atol=doubt)
        assert all(len(set(row)) == k for row in indices.tolist())

    @pytest.mark.parametrize("d", [2, 8])
    def test_the_guess_of_the_own_potential_changes_no_partner(self, rng, d):
        x, y = ordered(rng.normal(size=(300, d))), ordered(rng.normal(size=(400, d)))
        g = rng.normal(size=400)
        one, other = (pair_search(x, y, 1, 1).nearest(f, g, 5)[0] for f in (np.zeros(300), rng.normal(size=300)))
        np.testing.assert_array_equal(one, other)

    def test_transposed_exchanges_the_sides(self, rng):
        x, y = ordered(rng.normal(size=(50, 2))), ordered(rng.normal(size=(70, 2)))
        search = pair_search(x, y, 1, 1)
        indices, _ = search.transposed.nearest(np.zeros(70), np.zeros(50), 1)
        np.testing.assert_array_equal(indices[:, 0], costs(x, y, 1).argmin(axis=0))

    @pytest.mark.parametrize(("d", "kind"), [(FEW_DIMENSIONS, BlockSearch), (FEW_DIMENSIONS + 1, TileSearch)])
    def test_the_dimension_chooses_the_search(self, rng, d, kind):
        x = ordered(rng.normal(size=(9, d)))
        assert type(pair_search(x, x, 1, 1)) is kind
