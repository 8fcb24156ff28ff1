"""`optimal_transport`: which method it takes, what it passes on, and what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest
from transport_problems import Problem, assert_bracket, assert_optimal, problem
from transport_strategies import frozen

import divkit
from divkit import optimal_transport
from divkit._errors import InvalidInput, NotConverged, Unsupported
from divkit.divergences import Wasserstein
from divkit.measures import Samples
from divkit.transport.column_generation import ColumnGeneration
from divkit.transport.emd import EMD

SMALL, LARGE = problem("cubes", 20, 30, 2), problem("cubes", 600, 700, 2)


def method_of(coupling):
    return coupling.info["method"]


class TestChoice:
    @pytest.mark.parametrize("n", [5, 2000])
    @pytest.mark.parametrize("p", [1, 2, 3])
    def test_one_dimension_is_sorted(self, rng, n, p):
        assert method_of(optimal_transport(rng.normal(size=n), rng.normal(size=(n, 1)), p=p)) == "line"

    @pytest.mark.parametrize("p", [1, 2])
    @pytest.mark.parametrize("given", [SMALL, LARGE], ids=["small", "large"])
    def test_the_first_two_orders_go_to_column_generation(self, given, p):
        assert method_of(optimal_transport(given.x, given.y, p=p)) == "column_generation"

    def test_other_orders_go_to_the_dense_simplex(self):
        assert method_of(optimal_transport(LARGE.x, LARGE.y, p=3)) == "emd"

    @pytest.mark.parametrize("name", ["emd", "lp", "column_generation"])
    def test_a_method_can_be_named(self, name):
        found = optimal_transport(SMALL.x, SMALL.y, method=name, p=2)
        assert method_of(found) == name
        # three algorithms for one optimum, each certified to 1e-9
        assert found.cost == pytest.approx(EMD().solve(SMALL.x, SMALL.y, p=2).cost, rel=2e-9)

    def test_a_method_object_keeps_its_settings(self):
        found = optimal_transport(LARGE.x, LARGE.y, method=ColumnGeneration(tolerance=0.3))
        assert 1e-9 * found.cost < found.gap <= 0.3 * found.cost

    @pytest.mark.parametrize("p", [1, 2])
    def test_the_distance_verb_takes_the_same_method_and_gives_the_root(self, p):
        found = divkit.wasserstein(LARGE.x, LARGE.y, p=p)
        assert found.method == "column_generation"
        assert found == pytest.approx(optimal_transport(LARGE.x, LARGE.y, p=p).cost ** (1 / p), rel=1e-14)

    def test_wasserstein1_is_certified_whatever_its_size(self):
        for given in (SMALL, LARGE):
            found = divkit.wasserstein1(given.x, given.y)
            assert (found.bound, found.estimand) == ("exact", "given")
            assert found.interval[1] - found.interval[0] <= 1e-9 * found


class TestResult:
    @pytest.mark.parametrize("given", [SMALL, LARGE], ids=["small", "large"])
    @pytest.mark.parametrize("p", [1, 2])
    def test_the_plan_is_certified(self, given, p):
        assert_optimal(optimal_transport(given.x, given.y, p=p), given, p, relative=1e-11)

    @pytest.mark.parametrize("name", ["emd", "column_generation"])
    def test_weights_need_not_be_normalised(self, rng, name):
        given = Problem(SMALL.x, SMALL.y, 7.0 * rng.random(20), 1e-3 * rng.random(30))
        assert_optimal(optimal_transport(*given.arguments, method=name), given, 1, relative=1e-11)

    def test_apply_gives_the_mean_of_the_partners(self):
        found = optimal_transport(LARGE.x, LARGE.y, p=2)
        dense = found.to_dense()
        # each row is a mean of a few points of the unit square
        np.testing.assert_allclose(found.apply(LARGE.y), dense @ LARGE.y / dense.sum(1)[:, None], rtol=0, atol=1e-15)

    def test_apply_recovers_a_translation(self, rng):
        # for p = 2 the translation is the only optimal plan between distinct points of equal mass
        x, step = np.unique(rng.integers(-1000, 1000, (600, 2)).astype(float), axis=0), np.array([3.0, -4.0])
        y = rng.permutation(x) + step
        np.testing.assert_array_equal(optimal_transport(x, y, p=2).apply(y), x + step)

    def test_the_sparse_plan_is_the_dense_one_and_sparse(self):
        found = optimal_transport(LARGE.x, LARGE.y)
        sparse = found.to_sparse()
        np.testing.assert_array_equal(sparse.toarray(), found.to_dense())
        assert sparse.nnz <= sum(found.shape) - 1  # a basis

    def test_inputs_stay_as_they_were(self, rng):
        x, y, a, b = (frozen(z) for z in (rng.random((400, 2)), rng.random((500, 2)), rng.random(400), rng.random(500)))
        optimal_transport(x, y, a, b)  # writing to them would raise
        fortran = np.asfortranarray(x)
        before = fortran.copy()
        optimal_transport(fortran, y, a, b)
        np.testing.assert_array_equal(fortran, before)


class TestLimits:
    def test_a_tolerance_gives_a_bracket_of_that_width(self):
        found, truth = optimal_transport(LARGE.x, LARGE.y, tolerance=0.2), optimal_transport(LARGE.x, LARGE.y).cost
        assert found.gap <= 0.2 * found.upper
        assert_bracket(found, LARGE, 1, truth)

    def test_no_time_raises_with_the_bracket(self):
        truth = optimal_transport(LARGE.x, LARGE.y).cost
        with pytest.raises(NotConverged, match="pass on_limit='bracket' to get the bracket") as caught:
            optimal_transport(LARGE.x, LARGE.y, max_seconds=1e-9)
        assert caught.value.info["lower"] <= truth <= caught.value.info["upper"]

    def test_no_time_gives_the_bracket_where_asked_for(self):
        found = optimal_transport(LARGE.x, LARGE.y, max_seconds=1e-9, on_limit="bracket")
        assert_bracket(found, LARGE, 1, optimal_transport(LARGE.x, LARGE.y).cost)

    def test_progress_is_shown_on_stderr_and_changes_nothing(self, capfd):
        silent = optimal_transport(LARGE.x, LARGE.y)
        assert capfd.readouterr().err == ""
        shown = optimal_transport(LARGE.x, LARGE.y, progress=True)
        captured = capfd.readouterr()
        assert "optimal transport" in captured.err
        assert captured.out == ""
        np.testing.assert_array_equal(silent.masses, shown.masses)
        np.testing.assert_array_equal(silent.x_potential, shown.x_potential)


class TestErrors:
    def test_nan_is_refused(self):
        with pytest.raises(InvalidInput, match=r"x must be finite, but x\[\(1, 0\)\] is nan"):
            optimal_transport([[0.0, 1.0], [math.nan, 2.0]], [[0.0, 1.0]])

    def test_infinity_is_refused(self):
        with pytest.raises(InvalidInput, match=r"y must be finite, but y\[\(0, 1\)\] is inf"):
            optimal_transport([[0.0, 1.0]], [[0.0, math.inf]])

    @pytest.mark.parametrize("empty", [[], np.empty((0, 2))])
    def test_an_empty_law_is_refused(self, empty):
        with pytest.raises(InvalidInput, match="x is empty; a law needs at least one point"):
            optimal_transport(empty, [[0.0, 1.0]])

    def test_points_without_coordinates_are_refused(self):
        with pytest.raises(InvalidInput, match="its points have no coordinates"):
            optimal_transport(np.empty((3, 0)), np.empty((3, 0)))

    @pytest.mark.parametrize("method", ["auto", "column_generation", "emd"])
    def test_points_of_different_dimensions_are_refused(self, method):
        with pytest.raises(InvalidInput, match="x and y must have the same number of columns, got 2 and 3"):
            optimal_transport(np.zeros((4, 2)), np.zeros((4, 3)), method=method)

    @pytest.mark.parametrize("p", [0.5, math.nan, "2", None])
    def test_an_order_below_1_is_refused(self, p):
        with pytest.raises(InvalidInput, match="p must be a number >= 1"):
            optimal_transport(SMALL.x, SMALL.y, p=p)

    def test_an_infinite_order_is_refused_with_the_verb_that_has_it(self):
        with pytest.raises(InvalidInput, match=r"p must be finite for a plan.*use divkit.wasserstein"):
            optimal_transport(SMALL.x, SMALL.y, p=math.inf)

    def test_order_3_by_column_generation_is_refused_with_the_remedy(self):
        with pytest.raises(InvalidInput, match=r"p must be 1 or 2 for column generation, got 3\.0; .* method 'emd'"):
            optimal_transport(SMALL.x, SMALL.y, p=3, method="column_generation")

    def test_the_distance_of_order_3_by_column_generation_is_refused_with_the_remedy(self):
        with pytest.raises(Unsupported, match="p must be 1 or 2, got 3; use method 'emd'"):
            divkit.wasserstein(SMALL.x, SMALL.y, p=3, method="column_generation")

    @pytest.mark.parametrize("tolerance", [-1e-3, 1.0, math.nan, "0"])
    def test_a_tolerance_out_of_range_is_refused(self, tolerance):
        with pytest.raises(InvalidInput, match=r"tolerance must be a number in \[0, 1\)"):
            optimal_transport(SMALL.x, SMALL.y, tolerance=tolerance)

    @pytest.mark.parametrize("limit", [0, -1.0, math.inf])
    def test_a_time_limit_that_is_not_positive_is_refused(self, limit):
        with pytest.raises(InvalidInput, match="max_seconds must be a positive number"):
            optimal_transport(SMALL.x, SMALL.y, max_seconds=limit)

    def test_an_unknown_reaction_to_the_limit_is_refused(self):
        with pytest.raises(InvalidInput, match="on_limit must be 'raise' or 'bracket', got 'ignore'"):
            optimal_transport(SMALL.x, SMALL.y, on_limit="ignore")

    def test_a_method_without_plans_is_refused(self):
        with pytest.raises(Unsupported, match="method 'exact' gives no plan; use 'line', 'emd', 'lp'"):
            optimal_transport(SMALL.x, SMALL.y, method="exact")

    def test_an_unknown_method_is_refused(self):
        with pytest.raises(InvalidInput, match=r"method must be one of auto, .* got 'simplex'"):
            optimal_transport(SMALL.x, SMALL.y, method="simplex")

    def test_a_time_limit_for_the_dense_simplex_is_refused(self):
        with pytest.raises(Unsupported, match="method 'emd' cannot keep max_seconds; only 'column_generation' can"):
            optimal_transport(SMALL.x, SMALL.y, method="emd", max_seconds=1.0)

    def test_a_time_limit_for_order_3_is_refused(self):
        with pytest.raises(Unsupported, match="max_seconds needs column generation, which needs p = 1 or 2, got p = 3"):
            optimal_transport(SMALL.x, SMALL.y, p=3, max_seconds=1.0)

    def test_weights_of_another_length_are_refused(self):
        with pytest.raises(InvalidInput, match=r"x_weights must have shape \(20,\)"):
            optimal_transport(SMALL.x, SMALL.y, np.ones(19), method="column_generation")

    def test_negative_weights_are_refused(self):
        with pytest.raises(InvalidInput, match=r"y_weights must be non-negative, but y_weights\[3\] is -1"):
            optimal_transport(
                SMALL.x, SMALL.y, None, np.where(np.arange(30) == 3, -1.0, 1.0), method="column_generation"
            )

    def test_costs_beyond_float64_are_refused_with_the_factor_that_helps(self):
        with pytest.raises(InvalidInput, match=r"leave the range of float64.*divide x and y by 2\.0\*\*"):
            optimal_transport(1e200 * SMALL.x, 1e200 * SMALL.y, p=2, method="column_generation")


def test_settings_in_the_call_and_in_the_method_object_are_not_mixed(rng):
    x, y = rng.normal(size=(2, 30, 2))
    with pytest.raises(InvalidInput, match="either into the call or into the method object"):
        optimal_transport(x, y, method=ColumnGeneration(tolerance=0.1), progress=True)
    given = ColumnGeneration(tolerance=0.5)
    assert optimal_transport(x, y, method=given).cost == given.solve(x, y).cost


def test_the_estimate_is_the_cost_of_the_plan_and_what_light_masses_blur_is_in_its_interval(rng):
    x, y = rng.normal(size=(2, 30, 2))
    weights = np.append(np.ones(29), 1e-14)
    value = ColumnGeneration().estimate(
        Wasserstein(1), Samples(x, weights), Samples(y), level=0.95, rng=np.random.default_rng(0)
    )
    plan = ColumnGeneration().solve(x, y, weights)
    assert value == plan.cost
    assert value.interval[0] < value < value.interval[1]
    # 60 masses rounded to 2**-60 of the total travel at most the extent
    assert value.interval[1] - value.interval[0] < 1e-12 * value
