"""Bounds of blocks of points: no pair inside is below them, and they are sharp where potentials are affine."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pair_problems import drawn_points, near_tight
from transport_problems import costs, slack_sign

from divkit.transport._kernels.boxes import block_geometry, block_models, least_slack

SEEDS = st.integers(0, 2**32 - 1)


def side(points, potential, size):
    """(centre, half, slope, top, greatest) of the blocks."""
    centre, half = block_geometry(points, size)
    return centre, half, *block_models(points, potential, size, centre)


def each_point(slope, size, points):
    return np.repeat(slope, size, axis=0)[: len(points)]


class TestLeastSlack:
    @given(SEEDS, st.integers(1, 6), st.sampled_from([1, 2]), st.sampled_from([0.0, 1.0, 1e4, 1e8]), st.booleans())
    @example(seed=0, d=1, p=1, offset=0.0, steep=True)
    def test_no_pair_of_a_block_is_below_it(self, seed, d, p, offset, steep):
        rng = np.random.default_rng(seed)
        size = int(rng.choice([4, 32]))
        x, y = (drawn_points(rng, int(rng.integers(1, 80)), d) + offset for _ in range(2))
        matrix = costs(x, y, p)
        f, g = near_tight(rng, matrix, float(rng.choice([0.0, 1e-9, 1.0])))
        sides = []
        for points, potential in ((x, f), (y, g)):
            centre, half = block_geometry(points, size)
            slope, top, greatest = block_models(points, potential, size, centre)
            if steep:  # any slope is valid with the top that belongs to it
                slope = rng.normal(size=slope.shape) * rng.choice([0.0, 1.0, 1e3])
                linear = (
                    (points - np.repeat(centre, size, axis=0)[: len(points)]) * each_point(slope, size, points)
                ).sum(1)
                top = np.maximum.reduceat(potential - linear, np.arange(0, len(points), size))
            sides.append((centre, half, slope, top, greatest))
        slack = matrix - f[:, None] - g
        for a in range(len(sides[0][0])):
            for b in range(len(sides[1][0])):
                block = slack[a * size : (a + 1) * size, b * size : (b + 1) * size]
                # the bound takes off 1e-13 of its terms, and the slacks here are rounded to 1e-15 of theirs
                assert least_slack(a, b, p, *sides[0], *sides[1]) <= block.min()

    @pytest.mark.parametrize("p", [1, 2])
    def test_it_is_sharp_for_affine_potentials_along_a_ray(self, rng, p):
        # f and g affine, with slopes that are the gradients of the cost between the centres: nothing is lost but
        # curvature, which is of second order in the blocks' width 1e-4
        x, y = (1e-4 * rng.random((32, 2)) + at for at in ([0.0, 0.0], [3.0, 4.0]))
        gradient = np.array([0.6, 0.8]) if p == 1 else np.array([6.0, 8.0])
        f, g = -x @ gradient, y @ gradient
        sides = side(x, f, 32), side(y, g, 32)
        least = (costs(x, y, p) - f[:, None] - g).min()
        assert least - 1e-7 <= least_slack(0, 0, p, *sides[0], *sides[1]) <= least

    @given(SEEDS, st.integers(1, 5), st.sampled_from([0.0, 1e8, -1e15]))
    def test_boxes_hold_their_points_at_every_offset(self, seed, d, offset):
        rng = np.random.default_rng(seed)
        points = rng.normal(size=(int(rng.integers(1, 60)), d)) + offset
        centre, half = block_geometry(points, 8)
        for b in range(len(centre)):
            assert (np.abs(points[8 * b : 8 * b + 8] - centre[b]) <= half[b]).all()

    @pytest.mark.parametrize("d", [1, 2, 3, 5, 10])
    @pytest.mark.parametrize("offset", [0.0, 1e8])
    def test_for_single_points_it_is_below_the_exact_slack_and_close_to_it(self, rng, d, offset):
        x, y = (rng.normal(size=(40, d)) + offset for _ in range(2))
        f, g = rng.normal(size=(2, 40))
        sides = side(x, f, 1), side(y, g, 1)
        matrix = costs(x, y, 1)
        for i in range(40):
            for j in range(40):
                bound = least_slack(i, j, 1, *sides[0], *sides[1])
                # |x - y| - (f + g + bound) >= 0 in rational arithmetic: rounding must not lift the bound
                assert slack_sign(x[i], y[j], Fraction(f[i]) + Fraction(g[j]), bound) >= 0
                # 1e-13 is taken off terms of at most 10
                assert bound >= matrix[i, j] - f[i] - g[j] - 1e-11
