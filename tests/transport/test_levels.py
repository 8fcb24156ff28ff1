"""Coarser versions of point sets: order, masses, potentials and plans that carry over."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transport_problems import costs

from divkit.transport import _levels
from divkit.transport._kernels.kd import kd_order
from divkit.transport._levels import GROUP, Level, extend, levels, order_of, refine

SEEDS = st.integers(0, 2**32 - 1)


def drawn_level(rng, n, m, d, total=2**40):
    sides = []
    for k in (n, m):
        points = rng.normal(size=(k, d)) if rng.random() < 0.7 else rng.integers(0, 3, (k, d)).astype(float)
        share = rng.random(k) + 1e-3
        mass = np.maximum((share / share.sum() * total * 0.9).astype(np.int64), 1)
        mass[-1] += total - int(mass.sum())
        sides.append((np.ascontiguousarray(points[order_of(points)]), mass))
    (x, a), (y, b) = sides
    return Level(x, y, a, b)


class TestOrder:
    @given(SEEDS, st.integers(1, 300), st.integers(1, 8), st.sampled_from([(4, 32), (4, 64), (1, 4), (5, 5)]))
    def test_it_is_a_permutation(self, seed, n, d, sizes):
        points = np.random.default_rng(seed).integers(0, 4, (n, d)).astype(float)
        np.testing.assert_array_equal(np.sort(kd_order(points, *sizes)), np.arange(n))

    @given(SEEDS, st.integers(2, 300), st.integers(1, 4))
    def test_on_a_line_it_sorts_blocks(self, seed, n, d):
        # with one varying coordinate every cell is an interval
        points = np.full((n, d), 0.5)
        points[:, -1] = np.random.default_rng(seed).integers(0, 40, n)
        ordered = points[kd_order(points, 4, 32), -1]
        for low in range(4, n, 4):
            assert ordered[:low].max() <= ordered[low:].min()

    @given(SEEDS, st.integers(33, 400), st.integers(2, 4))
    def test_blocks_are_separated_along_a_coordinate(self, seed, n, d):
        # the first split is at a multiple of the block, along the widest axis
        points = np.random.default_rng(seed).normal(size=(n, d))
        ordered = points[kd_order(points, 4, 32)]
        axis = np.ptp(points, axis=0).argmax()
        splits = [k for k in range(32, n, 32) if ordered[:k, axis].max() <= ordered[k:, axis].min()]
        assert any(abs(k - n / 2) <= 32 for k in splits)

    @pytest.mark.parametrize("n", [1000, 100_000])
    def test_equal_points_do_not_make_it_quadratic(self, n):
        # one pass a level of the tree; comparing each with each would not come back
        points = np.ones((n, 2))
        points[: n // 2, 0] = 0.0
        np.testing.assert_array_equal(np.sort(kd_order(points, 4, 32)), np.arange(n))

    def test_groups_are_small_in_space(self, rng):
        points = rng.random((4096, 2))
        groups = points[order_of(points)].reshape(-1, GROUP, 2)
        # 1,024 cells of area 1/1024 each, of sides 1/32 if square; at random the spread would be near 0.6
        assert np.ptp(groups, axis=1).mean() < 0.1


class TestLevels:
    @given(SEEDS, st.integers(1, 2000), st.integers(1, 2000), st.sampled_from([1, 3, 7]))
    def test_masses_are_kept_and_sizes_shrink(self, seed, n, m, d):
        finest = drawn_level(np.random.default_rng(seed), n, m, d)
        found = levels(finest, np.random.default_rng(0))
        assert found[-1] is finest
        for coarse, fine in pairwise(found):
            for small, large, points in (
                (coarse.x_masses, fine.x_masses, coarse.x),
                (coarse.y_masses, fine.y_masses, coarse.y),
            ):
                assert small.sum() == large.sum()
                assert len(small) == len(points)
                assert len(small) in (len(large), -(-len(large) // GROUP))
            assert len(coarse.x) + len(coarse.y) < len(fine.x) + len(fine.y)
        coarsest = found[0]
        assert max(len(coarsest.x), len(coarsest.y)) <= 300 or min(len(coarsest.x), len(coarsest.y)) <= 75

    @pytest.mark.parametrize("d", [2, 6])
    def test_a_group_is_at_its_centre_of_mass_in_few_dimensions(self, rng, d):
        finest = drawn_level(rng, 1003, 1100, d)
        coarse = levels(finest, np.random.default_rng(0))[-2]
        for k in (0, 100, len(coarse.x) - 1):
            members = slice(GROUP * k, GROUP * k + GROUP)
            centre = np.average(finest.x[members], axis=0, weights=finest.x_masses[members])
            np.testing.assert_allclose(coarse.x[k], centre, rtol=1e-14, atol=1e-15)

    def test_a_group_is_one_of_its_points_in_many_dimensions(self, rng):
        finest = drawn_level(rng, 1003, 1100, 7)
        coarse = levels(finest, np.random.default_rng(0))[-2]
        for k in range(len(coarse.x)):
            members = finest.x[GROUP * k : GROUP * k + GROUP]
            assert (members == coarse.x[k]).all(axis=1).any()


class TestExtend:
    @pytest.mark.parametrize("d", [2, 8])
    @pytest.mark.parametrize("p", [1, 2])
    def test_each_side_is_the_c_transform_against_the_coarse_opposite_side(self, rng, d, p):
        finest = drawn_level(rng, 700, 900, d)
        coarse = levels(finest, np.random.default_rng(0))[0]
        f, g = rng.normal(size=len(coarse.x)), rng.normal(size=len(coarse.y))
        one, other = extend(coarse, finest, f, g, p, 1)
        first = (costs(finest.x, coarse.y, p) - g).min(axis=1)
        second = (costs(coarse.x, finest.y, p) - f[:, None]).min(axis=0)
        # up to a constant that moves between them, and single precision above four dimensions
        error = 1e-12 if d == 2 else 1e-2
        np.testing.assert_allclose(one - one[0], first - first[0], rtol=0, atol=error)
        np.testing.assert_allclose(other - other[0], second - second[0], rtol=0, atol=error)
        assert one[0] + other[0] == pytest.approx(first[0] + second[0], abs=error)

    @given(SEEDS, st.integers(1, 500), st.integers(1, 500))
    def test_every_size_is_spread_over(self, seed, n, m):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_levels, "_SMALL", 5)
            patch.setattr(_levels, "_FEWEST", 2)
            finest = drawn_level(np.random.default_rng(seed), n, m, 2)
            coarsest = levels(finest, np.random.default_rng(0))[0]
            one, other = extend(coarsest, finest, np.zeros(len(coarsest.x)), np.zeros(len(coarsest.y)), 1, 1)
        assert np.isfinite(one).all()
        assert (len(one), len(other)) == (n, m)


class TestRefine:
    @given(SEEDS, st.integers(1, 400), st.integers(1, 400))
    def test_flows_of_groups_become_flows_of_points_that_meet_every_mass(self, seed, n, m):
        from divkit.transport._bracket import north_west_corner

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_levels, "_SMALL", 5)
            patch.setattr(_levels, "_FEWEST", 2)
            hierarchy = levels(drawn_level(np.random.default_rng(seed), n, m, 2), np.random.default_rng(0))
            plan = north_west_corner(hierarchy[0].x_masses, hierarchy[0].y_masses)
            for level in hierarchy[1:]:
                plan = refine(plan, level)
        rows, columns, flows = plan
        assert flows.min() > 0
        for indices, masses in ((rows, hierarchy[-1].x_masses), (columns, hierarchy[-1].y_masses)):
            moved = np.zeros(len(masses), np.int64)
            np.add.at(moved, indices, flows)
            np.testing.assert_array_equal(moved, masses)

    def test_what_went_from_group_to_group_still_does(self, rng):
        finest = drawn_level(rng, 1000, 900, 2)
        coarse = levels(finest, np.random.default_rng(0))[-2]
        from divkit.transport._bracket import north_west_corner

        plan = north_west_corner(coarse.x_masses, coarse.y_masses)
        rows, columns, flows = refine(plan, finest)
        table = np.zeros((len(coarse.x), len(coarse.y)), np.int64)
        np.add.at(table, (rows // GROUP, columns // GROUP), flows)
        truth = np.zeros_like(table)
        np.add.at(truth, plan[:2], plan[2])
        np.testing.assert_array_equal(table, truth)
