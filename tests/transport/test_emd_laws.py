"""EMD: what must hold for every pair of point sets."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from transport_strategies import distance, point_sets, weights

from divkit.transport.emd import EMD


class TestLaws:
    @given(point_sets(), st.sampled_from([1.0, 2.0, 3.5]))
    def test_the_distance_is_symmetric(self, sets, p):
        x, y = sets
        assert distance(x, y, p) == pytest.approx(distance(y, x, p), rel=1e-9, abs=1e-300)

    @given(point_sets(count=3), st.sampled_from([1.0, 2.0, math.inf]))
    def test_the_triangle_inequality_holds(self, sets, p):
        x, y, z = sets
        # values of at most 20, each to some 10 ulp
        assert distance(x, z, p) <= distance(x, y, p) + distance(y, z, p) + 1e-13

    @given(point_sets(count=1), st.data(), st.sampled_from([1.0, 2.0]))
    def test_equal_weighted_laws_in_any_order_are_at_distance_0(self, sets, data, p):
        x = sets[0]
        w = data.draw(weights(len(x)))
        order = np.array(data.draw(st.permutations(range(len(x)))))
        assert EMD().solve(x, x[order], w, w[order], p=p).cost == 0.0

    @given(point_sets(), st.data())
    def test_a_point_of_zero_weight_changes_nothing(self, sets, data):
        x, y = sets
        w = data.draw(weights(len(x)))
        far = np.concatenate([x, np.full((1, x.shape[1]), 1e6)])
        with_it = EMD().solve(far, y, np.append(w, 0.0), p=2)
        # the far point changes the power of two only
        assert with_it.cost == pytest.approx(EMD().solve(x, y, w, p=2).cost, rel=1e-9, abs=1e-12)
        assert len(x) not in with_it.indices_x

    @pytest.mark.parametrize("far", [1e100, 1e300])
    def test_a_point_of_zero_weight_does_not_set_the_scale(self, rng, far):
        x, y = 1e-100 * rng.normal(size=(9, 2)), 1e-100 * rng.normal(size=(7, 2))
        w = np.append(np.ones(9), 0.0)
        value = distance(np.concatenate([x, [[far, -far]]]), y, 2, x_weights=w)
        assert value == pytest.approx(distance(x, y, 2), rel=1e-13, abs=0)

    @given(point_sets(), st.data())
    def test_a_repeated_point_is_a_point_of_double_weight(self, sets, data):
        x, y = sets
        w = data.draw(weights(len(x)))
        first = np.append(w, w[0])
        double = w.copy()
        double[0] *= 2
        repeated = distance(np.concatenate([x, x[:1]]), y, x_weights=first)
        assert repeated == pytest.approx(distance(x, y, x_weights=double), rel=1e-9, abs=1e-14)

    @given(point_sets())
    def test_a_constant_column_changes_nothing(self, sets):
        x, y = (np.column_stack([z, np.full(len(z), 0.3)]) for z in sets)
        assert distance(x, y, 2) == pytest.approx(distance(*sets, 2), rel=1e-13, abs=1e-300)

    @given(point_sets())
    def test_the_gap_of_the_means_lies_below(self, sets):
        x, y = sets
        assert np.linalg.norm(x.mean(0) - y.mean(0)) <= distance(x, y) + 1e-14  # means of 8 numbers below 4

    @pytest.mark.parametrize("p", [1.0, 2.0, math.inf])
    def test_a_rotation_changes_nothing(self, rng, p):
        x, y = rng.normal(size=(40, 3)), rng.normal(size=(30, 3))
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        assert distance(x @ turn, y @ turn, p) == pytest.approx(distance(x, y, p), rel=1e-13)

    @pytest.mark.parametrize("power", [-1060, -996, -40, 40, 996, 1020])
    @pytest.mark.parametrize("p", [1.0, 2.0, math.inf])
    def test_a_power_of_two_scales_the_distance_exactly(self, rng, power, p):
        # integers stay exact down to the subnormals; there the result itself is a multiple of 2**-1074
        x, y = rng.integers(-8, 8, size=(2, 20, 2)).astype(float)
        truth = math.ldexp(distance(x, y, p), power)
        assert distance(np.ldexp(x, power), np.ldexp(y, power), p) == pytest.approx(truth, rel=1e-15, abs=2.0**-1073)

    @pytest.mark.parametrize("scale", [1e-300, 1e-8, 1e300])
    def test_any_scale_gives_the_same_relative_value(self, rng, scale):
        x, y = rng.normal(size=(40, 3)), rng.normal(size=(30, 3))
        assert distance(scale * x, scale * y, 2) == pytest.approx(scale * distance(x, y, 2), rel=1e-14)

    def test_an_offset_of_1e8_costs_only_the_rounding_of_the_points(self, rng):
        x, y = rng.normal(size=(40, 3)), rng.normal(size=(30, 3))
        truth = distance((x + 1e8) - 1e8, (y + 1e8) - 1e8)  # the points that the offset leaves, subtracted exactly
        assert distance(x + 1e8, y + 1e8) == pytest.approx(truth, rel=1e-14)

    @given(point_sets(), st.sampled_from([1.0, 2.0, 5.0]), st.data())
    def test_the_certificate_holds(self, sets, p, data):
        x, y = sets
        coupling = EMD().solve(x, y, data.draw(weights(len(x))), p=p)
        cost = cdist(x, y) ** p
        slack = cost - coupling.x_potential[:, None] - coupling.y_potential
        # feasible to rounding of the largest cost, which the root, the power and two sums touch
        assert slack.min() >= -1e-14 * max(1.0, cost.max()) * p
        dense = coupling.to_dense()
        assert dense.sum() == pytest.approx(1.0, rel=1e-14)
        dual = dense.sum(1) @ coupling.x_potential + dense.sum(0) @ coupling.y_potential
        assert dual == pytest.approx(coupling.lower, rel=1e-9, abs=1e-13 * cost.max())
        assert 0.0 <= coupling.gap <= 1e-9 * coupling.cost
        assert coupling.cost == pytest.approx((dense * cost).sum(), rel=1e-13, abs=1e-300)
