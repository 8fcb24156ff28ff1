"""Column generation: what must hold for every pair of point sets, at every scale and offset."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transport_problems import KINDS, Problem, assert_optimal, costs, problem
from transport_strategies import distance, frozen, point_sets, weights

from divkit.transport.column_generation import ColumnGeneration
from divkit.transport.emd import EMD

pytestmark = pytest.mark.usefixtures("route")

SOLVER = ColumnGeneration()
ORDERS = st.sampled_from([1, 2])


def cost(x, y, x_weights=None, y_weights=None, p=1, method=SOLVER):
    return method.solve(x, y, x_weights, y_weights, p=p).cost


class TestLaws:
    @given(point_sets(), ORDERS, st.data())
    def test_the_solution_is_certified(self, sets, p, data):
        drawn = Problem(*sets, *(data.draw(weights(len(z))) for z in sets))
        assert_optimal(SOLVER.solve(*drawn.arguments, p=p), drawn, p)

    @given(point_sets(), ORDERS, st.data())
    def test_the_cost_is_that_of_the_dense_simplex(self, sets, p, data):
        drawn = (*sets, *(data.draw(weights(len(z))) for z in sets))
        # both are optimal to 1e-12 of the cost, or of rounding at costs up to 200
        assert cost(*drawn, p=p) == pytest.approx(cost(*drawn, p=p, method=EMD()), rel=1e-11, abs=1e-13)

    @given(point_sets(), ORDERS)
    def test_the_cost_is_symmetric(self, sets, p):
        x, y = sets
        # two optimal plans: gaps of 1e-12 at most
        assert cost(x, y, p=p) == pytest.approx(cost(y, x, p=p), rel=2e-12)

    @given(point_sets(count=3))
    def test_the_triangle_inequality_holds(self, sets):
        x, y, z = sets
        assert cost(x, z) <= cost(x, y) + cost(y, z) + 1e-12  # values up to 20, to 1e-12 relative at worst 1e-14 abs

    @given(point_sets(count=1), ORDERS, st.data())
    def test_equal_weighted_laws_in_any_order_are_at_distance_0(self, sets, p, data):
        x = sets[0]
        w = data.draw(weights(len(x)))
        order = np.array(data.draw(st.permutations(range(len(x)))))
        assert cost(x, x[order], w, w[order], p=p) == 0.0

    @given(point_sets(), st.data())
    def test_a_point_of_zero_weight_changes_nothing(self, sets, data):
        x, y = sets
        w = data.draw(weights(len(x)))
        far = np.concatenate([x, np.full((1, x.shape[1]), 1e6)])
        assert cost(far, y, np.append(w, 0.0), p=2) == cost(x, y, w, p=2)

    @given(point_sets(), st.data())
    def test_a_repeated_point_is_a_point_of_double_weight(self, sets, data):
        x, y = sets
        w = data.draw(weights(len(x)))
        double = w.copy()
        double[0] *= 2
        repeated = cost(np.concatenate([x, x[:1]]), y, np.append(w, w[0]))
        assert repeated == pytest.approx(cost(x, y, double), rel=1e-11, abs=1e-14)  # masses are rounded to 2**-52

    @given(point_sets(), st.data())
    def test_only_ratios_of_weights_matter(self, sets, data):
        x, y = sets
        w = data.draw(weights(len(x)))
        assert cost(x, y, w * 2.0**30) == cost(x, y, w)

    @given(point_sets())
    def test_the_gap_of_the_means_lies_below(self, sets):
        x, y = sets
        assert np.linalg.norm(x.mean(0) - y.mean(0)) <= cost(x, y) + 1e-14  # means of 8 numbers below 4

    @pytest.mark.parametrize("p", [1, 2])
    @pytest.mark.parametrize("d", [2, 9])
    @pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("all points in one place",)])
    def test_the_order_of_the_points_changes_the_cost_by_rounding_only(self, rng, kind, d, p):
        drawn = problem(kind, 230, 260, d)
        i, j = rng.permutation(len(drawn.x)), rng.permutation(len(drawn.y))
        taken = (None if w is None else w[k] for w, k in ((drawn.x_weights, i), (drawn.y_weights, j)))
        # two optimal plans, each within 1e-12 of the optimum
        truth = cost(*drawn.arguments, p=p)
        assert cost(drawn.x[i], drawn.y[j], *taken, p=p) == pytest.approx(truth, rel=2e-12)

    @pytest.mark.parametrize("n", [40, 500])
    def test_a_rotation_changes_nothing(self, rng, n):
        x, y = rng.normal(size=(n, 3)), rng.normal(size=(n + 9, 3))
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        assert cost(x @ turn, y @ turn) == pytest.approx(cost(x, y), rel=1e-12)  # coordinates move by 1e-16

    @pytest.mark.parametrize("n", [40, 600])
    def test_points_in_a_plane_of_many_dimensions_cost_what_they_cost_in_the_plane(self, rng, n):
        # one is searched by blocks, the other one by tiles of float32
        x, y = rng.normal(size=(n, 2)), rng.normal(size=(n, 2)) + 0.5
        plane = np.linalg.qr(rng.normal(size=(20, 2)))[0].T  # (2, 20)
        assert cost(x @ plane, y @ plane) == pytest.approx(cost(x, y), rel=1e-12)


class TestScales:
    """The relative answer is the same at every scale and offset, where other libraries lose it."""

    @pytest.mark.parametrize("power", [-1000, -499, -40, 40, 500, 1015])
    @pytest.mark.parametrize(("n", "d"), [(30, 2), (500, 2), (500, 9)])
    def test_a_power_of_two_scales_w_1_exactly(self, rng, n, d, power):
        x, y = rng.integers(-8, 8, (2, n, d)).astype(float)
        value = distance(np.ldexp(x, power), np.ldexp(y, power), 1, method=SOLVER)
        assert value == math.ldexp(distance(x, y, 1, method=SOLVER), power)

    @pytest.mark.parametrize("scale", [1e-150, 1e-12, 1e12, 1e150])
    @pytest.mark.parametrize(("n", "d"), [(30, 3), (400, 2), (400, 9)])
    @pytest.mark.parametrize("p", [1, 2])
    def test_any_scale_gives_the_same_relative_cost(self, rng, n, d, p, scale):
        x, y = rng.normal(size=(n, d)), rng.normal(size=(n + 7, d))
        # coordinates are rounded once: 1e-16 of each, and the gaps are 1e-12 at most
        assert cost(scale * x, scale * y, p=p) / scale**p == pytest.approx(cost(x, y, p=p), rel=3e-12)

    @pytest.mark.parametrize(("n", "d"), [(30, 3), (400, 2), (400, 9)])
    @pytest.mark.parametrize("p", [1, 2])
    def test_an_offset_of_1e8_costs_only_the_rounding_of_the_points(self, rng, n, d, p):
        x, y = rng.normal(size=(n, d)) + 1e8, rng.normal(size=(n + 7, d)) + 1e8
        truth = cost(x - 1e8, y - 1e8, p=p)  # subtracted exactly: the points are within a factor of 2 of 1e8
        assert cost(x, y, p=p) == pytest.approx(truth, rel=2e-12)

    @pytest.mark.parametrize("d", [2, 9])
    def test_an_offset_of_1e15_leaves_a_problem_of_integers_exact(self, rng, d):
        x, y = rng.integers(-50, 50, (2, 500, d)).astype(float)
        assert cost(x + 1e15, y + 1e15, p=2) == cost(x, y, p=2)

    @pytest.mark.parametrize("scale", [1e-15, 1e-150])
    def test_small_scales_are_where_pot_is_wrong(self, rng, scale):
        import ot

        x, y = scale * rng.normal(size=(30, 2)), scale * rng.normal(size=(30, 2))
        share, truth = np.full(30, 1 / 30), assigned(x / scale, y / scale)
        # POT's tolerances are absolute: it stops at a plan that is far from optimal and says nothing
        assert ot.emd2(share, share, costs(x, y, 1)) / scale > 1.1 * truth
        assert cost(x, y) / scale == pytest.approx(truth, rel=1e-9)

    def test_an_offset_of_1e8_is_where_pot_is_wrong(self, rng):
        import ot

        x, y = rng.normal(size=(30, 2)) + 1e8, rng.normal(size=(30, 2)) + 1e8
        share, truth = np.full(30, 1 / 30), assigned(x - 1e8, y - 1e8)
        # ot.dist expands the square: |x|^2 + |y|^2 - 2 x.y, of which nothing is left
        assert abs(ot.emd2(share, share, ot.dist(x, y, "euclidean")) - truth) > 0.1 * truth
        assert cost(x, y) == pytest.approx(truth, rel=1e-9)

    @pytest.mark.parametrize("scale", [1e-12, 1e-150])
    def test_small_scales_are_where_scipy_is_wrong(self, rng, scale):
        from scipy.stats import wasserstein_distance_nd

        x, y = scale * rng.normal(size=(15, 2)), scale * rng.normal(size=(15, 2))
        truth = assigned(x / scale, y / scale)
        # HiGHS' tolerances are absolute too
        assert abs(wasserstein_distance_nd(x, y) / scale - truth) > 0.01 * truth
        assert cost(x, y) / scale == pytest.approx(truth, rel=1e-9)


def assigned(x, y):
    """W_1 between equally many points of equal masses, by the Jonker-Volgenant algorithm."""
    from scipy.optimize import linear_sum_assignment

    matrix = costs(x, y, 1)
    return float(matrix[linear_sum_assignment(matrix)].mean())


class TestOutliers:
    """A pair of points far away from all others leaves the others as if it were not there."""

    @pytest.mark.parametrize(("n", "far"), [(60, 1e6), (60, 1e12), (2000, 1e12)])
    @pytest.mark.parametrize("d", [2, 10])
    @pytest.mark.parametrize("p", [1, 2])
    def test_a_pair_of_outliers_does_not_spoil_the_rest(self, rng, p, d, n, far):
        x, y = rng.normal(size=(n, d)), rng.normal(size=(n, d)) + 0.3
        rest = Problem(x[1:], y[1:])
        truth = SOLVER.solve(*rest.arguments, p=p).cost
        x[0] = y[0] = far
        y[0, 0] += 1.0
        found = SOLVER.solve(x, y, p=p)
        assert_rest_is_optimal(found, rest, p, truth)

    @pytest.mark.parametrize("n", [60, 2000])
    @pytest.mark.parametrize("d", [2, 10])
    @pytest.mark.parametrize("seed", range(5))  # where the outliers end in the tree is a matter of luck
    def test_outliers_far_from_each_other_do_not_spoil_the_rest_either(self, seed, d, n):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(n, d)), rng.normal(size=(n, d)) + 0.3
        rest = Problem(x[1:], y[1:])
        truth = SOLVER.solve(*rest.arguments).cost
        x[0] = y[0] = 0.0
        x[0, 0] = y[0, 1] = 1e12
        assert_rest_is_optimal(SOLVER.solve(x, y), rest, 1, truth)

    @pytest.mark.parametrize("far", [1e20, 1e40])
    @pytest.mark.parametrize("d", [2, 10])
    def test_a_common_point_beyond_single_precision_is_no_trouble(self, rng, d, far):
        # beside it the squares of all other distances vanish in float32
        x, y = rng.normal(size=(400, d)), rng.normal(size=(400, d)) + 0.3
        truth = cost(x[1:], y[1:])
        x[0] = y[0] = far
        found = ColumnGeneration(max_seconds=30.0).solve(x, y)
        assert found.cost * 400 / 399 == pytest.approx(truth, rel=1e-9)


def assert_rest_is_optimal(coupling, rest, p, truth):
    """Plan and potentials of all points but the first ones are optimal to 1e-12 of the others' own costs."""
    i, j, mass = coupling.indices_x, coupling.indices_y, coupling.masses
    np.testing.assert_array_equal(i == 0, j == 0)  # the outliers are matched with each other
    kept, matrix = i > 0, rest.costs(p)
    share = mass[kept].sum()
    paid = float(mass[kept] @ matrix[i[kept] - 1, j[kept] - 1]) / share
    assert paid == pytest.approx(truth, rel=1e-12)
    f, g = coupling.x_potential[1:], coupling.y_potential[1:]
    assert (matrix - f[:, None] - g).min() >= -1e-12 * matrix.max()
    assert f.mean() + g.mean() == pytest.approx(truth, rel=1e-12, abs=1e-12 * matrix.max())


class TestDeterminism:
    @pytest.mark.parametrize("d", [2, 9])
    def test_the_number_of_threads_changes_nothing(self, monkeypatch, d):
        drawn = problem("one law twice", 1000, 1100, d)
        found = []
        for threads in ("1", "2"):
            monkeypatch.setenv("DIVKIT_NUM_THREADS", threads)
            found.append(SOLVER.solve(*drawn.arguments))
        for name in ("indices_x", "indices_y", "masses", "x_potential", "y_potential", "cost", "gap"):
            np.testing.assert_array_equal(getattr(found[0], name), getattr(found[1], name))

    @pytest.mark.parametrize("kind", ["integer lattice", "far clusters of unequal mass"])
    def test_the_same_input_gives_the_same_plan(self, kind):
        drawn = problem(kind, 500, 400, 3)
        one, other = SOLVER.solve(*drawn.arguments), SOLVER.solve(*drawn.arguments)
        np.testing.assert_array_equal(one.masses, other.masses)
        np.testing.assert_array_equal(one.x_potential, other.x_potential)

    @settings(max_examples=20)
    @given(st.sampled_from([np.float32, np.int64, np.int8, np.float16]), st.integers(0, 9))
    def test_narrow_types_are_computed_in_float64(self, dtype, seed):
        points = np.random.default_rng(seed).integers(-9, 9, (2, 40, 2)).astype(dtype)
        assert cost(*points) == cost(*points.astype(float))

    def test_lists_are_points(self):
        x = [[0, 0], [1, 0]]
        assert cost(x, [[0, 3], [1, 1]]) == 2.0

    @pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
    def test_vectors_and_single_columns_are_points_on_the_line(self, rng, shape):
        x, y = rng.normal(size=(2, 300))
        truth = float(np.abs(np.sort(x) - np.sort(y)).mean())
        assert cost(x.reshape(shape), y.reshape(shape)) == pytest.approx(truth, rel=1e-13)  # a sum of 300 terms

    def test_non_contiguous_points_are_read_as_they_are(self, rng):
        x, y = frozen(rng.normal(size=(2, 600)).T[::2]), frozen(np.asfortranarray(rng.normal(size=(300, 2))))
        assert cost(x, y) == cost(np.ascontiguousarray(x), np.ascontiguousarray(y))
