"""Column generation: problems with known answers, certificates checked pair by pair, limits, and other solvers."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from transport_problems import KINDS, Problem, assert_bracket, assert_feasible, assert_optimal, costs, highs, problem
from transport_strategies import distance

from divkit._errors import InvalidInput, NotConverged
from divkit.transport._watch import OutOfTime, Watch
from divkit.transport.column_generation import ColumnGeneration


def solved(given, p, **settings):
    return ColumnGeneration(**settings).solve(*given.arguments, p=p)


@cache
def optimum(kind, n, m, d, p):
    """The optimal cost of `problem(kind, n, m, d)`, by the solver itself without limits."""
    return solved(problem(kind, n, m, d), p).cost


def pot(given, p):
    """The optimal cost by POT's dense network simplex."""
    import ot

    a, b = given.shares
    return float(ot.emd2(a, b, given.costs(p), numItermax=10_000_000))


class TestCertificate:
    @pytest.mark.parametrize("p", [1, 2])
    @pytest.mark.parametrize("d", [2, 3, 7])
    @pytest.mark.parametrize("kind", KINDS)
    def test_every_pair_respects_the_potentials_and_the_plan_attains_them(self, kind, d, p):
        given = problem(kind, 333, 421, d)
        assert_optimal(solved(given, p), given, p)

    @pytest.mark.parametrize("p", [1, 2])
    @pytest.mark.parametrize("kind", KINDS)
    def test_the_cost_is_that_of_pot(self, kind, p):
        given = problem(kind, 256, 500, 2)
        # POT stops at reduced costs of 1e-15 of the largest cost or so; a cost of 0 it finds to 1e-17 of it
        assert solved(given, p).cost == pytest.approx(pot(given, p), rel=1e-9, abs=1e-13 * given.costs(p).max())

    @pytest.mark.parametrize("p", [1, 2])
    @pytest.mark.parametrize("kind", KINDS)
    def test_the_cost_is_that_of_highs(self, kind, p):
        given = problem(kind, 24, 31, 3)
        # HiGHS' tolerance is absolute: 1e-10 of the masses, at costs up to the largest
        assert solved(given, p).cost == pytest.approx(highs(given, p), rel=1e-9, abs=1e-10 * given.costs(p).max())

    @pytest.mark.parametrize("n", [1, 2, 3, 31, 32, 33, 64, 128, 255, 256, 257, 512, 513, 1023, 1024, 1025])
    def test_sizes_around_the_ends_of_blocks_are_solved(self, n):
        given = problem("shifted Gaussians", n, 2 * n % 999 + 1, 2)
        assert_optimal(solved(given, 1), given, 1)

    @pytest.mark.parametrize(("d", "p"), [(2, 1), (2, 2), (5, 2), (64, 1)])
    def test_three_thousand_points_are_optimal(self, d, p):
        given = problem("shifted Gaussians", 3000, 2999 if d == 2 else 700, d)
        assert_optimal(solved(given, p), given, p)

    @pytest.mark.parametrize("p", [1, 2])
    def test_images_of_digits_are_matched_optimally(self, p):
        images = pytest.importorskip("sklearn.datasets").load_digits()
        given = Problem(images.data[images.target == 3], images.data[images.target % 2 == 0])
        found = solved(given, p)
        assert_optimal(found, given, p)
        assert found.cost == pytest.approx(pot(given, p), rel=1e-9)

    @pytest.mark.parametrize("p", [1, 2])
    def test_on_the_line_it_agrees_with_sorting(self, p):
        from divkit.transport.line import Line

        given = problem("one law twice", 700, 900, 1)
        truth = distance(*given.arguments[:2], p, **_weights(given), method=Line())
        # W_p is a root of a sum of 1,600 positive terms: each way is good to some 1e-13
        value = distance(*given.arguments[:2], p, **_weights(given), method=ColumnGeneration())
        assert value == pytest.approx(truth, rel=1e-12)


def _weights(given):
    return {"x_weights": given.x_weights, "y_weights": given.y_weights}


class TestKnownAnswers:
    @pytest.mark.parametrize("n", [7, 400, 1500])
    @pytest.mark.parametrize("p", [1, 2])
    def test_a_translation_costs_its_length(self, rng, n, p):
        x = rng.integers(-1000, 1000, (n, 3)).astype(float)
        y = rng.permutation(x) + np.array([2.0, -3.0, 6.0])
        # integers: every cost of the plan is exact, and the potentials are so to 1e-16 of the largest
        assert ColumnGeneration().solve(x, y, p=p).cost == pytest.approx(7.0**p, rel=1e-13)

    @pytest.mark.parametrize("d", [1, 2, 9])
    @pytest.mark.parametrize("n", [1, 5, 900])
    def test_a_law_is_at_distance_0_from_itself(self, rng, n, d):
        x, weights = rng.normal(size=(n, d)), rng.random(n)
        order = rng.permutation(n)
        found = ColumnGeneration().solve(x, x[order], weights, weights[order])
        assert (found.cost, found.gap, found.lower) == (0.0, 0.0, 0.0)

    @pytest.mark.parametrize("d", [2, 9])
    def test_twenty_five_modes_are_equal_in_law_and_at_distance_0(self, rng, d):
        modes = rng.normal(size=(25, d))
        x, y = np.repeat(modes, 30, axis=0), np.tile(modes, (40, 1))
        assert ColumnGeneration().solve(x, y).cost == 0.0

    @pytest.mark.parametrize("atoms", [1, 2, 5])
    @pytest.mark.parametrize("d", [2, 9])
    def test_many_copies_of_few_atoms_are_no_harder_than_the_atoms(self, rng, d, atoms):
        # all slacks between copies tie: taken one by one, every pair of copies would have to become a candidate
        places, (i, j), (a, b) = rng.normal(size=(atoms, d)), rng.integers(0, atoms, (2, 1500)), rng.random((2, 1500))
        merged = Problem(places, places + 1.0, np.bincount(i, a, atoms), np.bincount(j, b, atoms))
        found = ColumnGeneration(max_seconds=10.0).solve(places[i], places[j] + 1.0, a, b)
        # masses are rounded to 2**-52 and added up
        assert found.cost == pytest.approx(solved(merged, 1).cost, rel=1e-11)

    def test_one_point_takes_everything(self, rng):
        y, weights = rng.normal(size=(1200, 4)), rng.random(1200)
        found = ColumnGeneration().solve(np.zeros((1, 4)), y, None, weights, p=2)
        # a sum of 1,200 positive terms in one order or another
        assert found.cost == pytest.approx(float(weights @ (y**2).sum(axis=1) / weights.sum()), rel=1e-13)

    @pytest.mark.parametrize("p", [1, 2])
    def test_scaling_a_law_about_the_origin_is_optimal(self, rng, p):
        # x -> 3 x is the gradient of a convex function: optimal for p = 2. For p = 1 the norm rises by 2 |x|.
        x = rng.normal(size=(800, 2))
        truth = float((4.0 if p == 2 else 2.0) * np.mean((x**2).sum(axis=1) ** (p / 2)))
        found = ColumnGeneration().solve(x, rng.permutation(3 * x), p=p)
        assert found.cost == pytest.approx(truth, rel=1e-13)

    def test_a_column_that_is_constant_changes_nothing(self, rng):
        x, y = rng.normal(size=(300, 2)), rng.normal(size=(310, 2))
        padded = (np.column_stack([z, np.full(len(z), 1e9)]) for z in (x, y))
        # the distances are the same to the last bit
        assert ColumnGeneration().solve(*padded).cost == ColumnGeneration().solve(x, y).cost


class TestTimeLimit:
    """Out of time at the k-th look at the clock, whatever k is."""

    @staticmethod
    def stop_at(monkeypatch, k, error=OutOfTime):
        looks = iter(range(1, 1_000_000))

        def check(self):
            if next(looks) >= k:
                raise error

        monkeypatch.setattr(Watch, "check", check)

    @pytest.mark.parametrize("k", [*range(1, 12), 15, 20, 25, 30, 40])
    @pytest.mark.parametrize(("kind", "d", "p"), [("far clusters of unequal mass", 2, 1), ("one law twice", 8, 2)])
    def test_every_stop_leaves_a_valid_bracket(self, monkeypatch, kind, d, p, k):
        given, truth = problem(kind, 900, 700, d), optimum(kind, 900, 700, d, p)
        with monkeypatch.context() as patch:
            self.stop_at(patch, k)
            found = solved(given, p, on_limit="bracket")
        assert_bracket(found, given, p, truth)

    @pytest.mark.parametrize("k", [1, 2, 3, 5, 8, 13])
    def test_every_stop_of_a_small_problem_leaves_a_valid_bracket(self, monkeypatch, k):
        given, truth = problem("zero weights", 90, 70, 3), optimum("zero weights", 90, 70, 3, 1)
        with monkeypatch.context() as patch:
            self.stop_at(patch, k)
            found = solved(given, 1, on_limit="bracket")
        assert_bracket(found, given, 1, truth)

    def test_stops_at_different_times_leave_different_brackets(self, monkeypatch):
        # so that the tests above do not all look at one stage
        given = problem("far clusters of unequal mass", 900, 700, 2)
        lowers = set()
        for k in (1, 2, 4, 8, 16):
            with monkeypatch.context() as patch:
                self.stop_at(patch, k)
                lowers.add(solved(given, 1, on_limit="bracket").lower)
        assert len(lowers) >= 3

    @pytest.mark.parametrize("k", [1, 6])
    def test_without_a_bracket_asked_for_the_error_carries_it(self, monkeypatch, k):
        given, truth = problem("cubes", 900, 700, 2), optimum("cubes", 900, 700, 2, 2) ** 0.5
        self.stop_at(monkeypatch, k)
        with pytest.raises(NotConverged, match=r"W_2 is known to .* in .*; raise max_seconds") as caught:
            solved(given, 2, max_seconds=1000.0)
        assert caught.value.info["lower"] <= truth <= caught.value.info["upper"]

    @pytest.mark.parametrize("k", [1, 7])
    def test_an_interrupted_solve_leaves_nothing_broken(self, monkeypatch, k):
        given, truth = problem("cubes", 900, 700, 2), optimum("cubes", 900, 700, 2, 1)
        with monkeypatch.context() as patch:
            self.stop_at(patch, k, KeyboardInterrupt)
            with pytest.raises(KeyboardInterrupt):
                solved(given, 1)
        assert solved(given, 1).cost == truth

    def test_a_limit_shorter_than_anything_raises(self):
        given = problem("cubes", 900, 700, 2)
        with pytest.raises(NotConverged, match="max_seconds = 1e-09 are over"):
            solved(given, 1, max_seconds=1e-9)

    def test_an_estimate_at_the_limit_is_an_upper_bound(self):
        given = problem("cubes", 900, 700, 2)
        truth = distance(given.x, given.y, 2, method=ColumnGeneration())
        found = distance(given.x, given.y, 2, method=ColumnGeneration(max_seconds=1e-9, on_limit="bracket"))
        assert found.bound == "upper"
        assert found.interval[0] <= truth <= found.interval[1] == found

    def test_a_generous_limit_changes_nothing(self):
        assert solved(problem("cubes", 400, 500, 2), 1, max_seconds=600.0).cost == optimum("cubes", 400, 500, 2, 1)


class TestTolerance:
    @pytest.mark.parametrize("tolerance", [0.3, 0.1, 0.01, 1e-4])
    @pytest.mark.parametrize("p", [1, 2])
    @pytest.mark.parametrize("d", [2, 9])
    def test_the_bracket_is_as_narrow_as_asked_for_and_holds_the_optimum(self, d, p, tolerance):
        given = problem("one law twice", 1300, 1100, d)
        truth, found = optimum("one law twice", 1300, 1100, d, p), solved(given, p, tolerance=tolerance)
        assert found.gap <= tolerance * found.upper
        assert_bracket(found, given, p, truth)

    def test_an_estimate_that_stopped_early_is_an_upper_bound(self):
        given = problem("one law twice", 1300, 1100, 2)
        found = distance(given.x, given.y, 2, method=ColumnGeneration(tolerance=0.1))
        assert found.bound == "upper"
        assert found.interval[0] <= distance(given.x, given.y, 2, method=ColumnGeneration()) <= found

    def test_an_estimate_without_tolerance_is_exact(self):
        given = problem("one law twice", 400, 500, 2)
        found = distance(given.x, given.y, 2, method=ColumnGeneration())
        assert (found.bound, found.method, found.estimand) == ("exact", "column_generation", "given")
        # the gap of the root is at most that of its square, relative
        assert found.interval[1] - found.interval[0] <= 1e-12 * found


class TestPotentials:
    @pytest.mark.parametrize("d", [2, 9])
    def test_points_without_mass_have_feasible_potentials_too(self, d):
        given = problem("zero weights", 500, 600, d)
        found = solved(given, 1)
        assert not set(found.indices_x) & set(np.flatnonzero(given.x_weights == 0))
        assert_feasible(found, given, 1)

    @pytest.mark.parametrize("far", [1e30, 1e200, 1e300])
    def test_a_point_without_mass_far_away_costs_nothing(self, rng, far):
        x, y = rng.normal(size=(200, 2)), rng.normal(size=(250, 2))
        weights = np.append(np.ones(200), 0.0)
        with_it = ColumnGeneration().solve(np.concatenate([x, [[far, -far]]]), y, weights)
        assert with_it.cost == ColumnGeneration().solve(x, y).cost
        assert np.isfinite(with_it.x_potential).all()

    @pytest.mark.parametrize("d", [2, 9])
    def test_they_extend_to_a_1_lipschitz_function_that_attains_the_cost(self, d):
        from divkit.transport.dual import certified_lower_bound, lipschitz_constant, mcshane_extension

        given = problem("shifted Gaussians", 600, 500, d)
        found = solved(given, 1)
        critic = mcshane_extension(-found.y_potential, given.y)
        assert lipschitz_constant(critic(given.x), given.x) <= 1 + 1e-12
        # c-transforms never lower the dual value, so only rounding is left
        bound = certified_lower_bound(found.x_potential, given.x, given.y)
        assert bound == pytest.approx(found.cost, rel=1e-12)

    def test_the_plan_moves_along_tight_pairs_only(self):
        given = problem("shifted Gaussians", 600, 500, 3)
        found = solved(given, 2)
        paid = costs(given.x, given.y, 2)[found.indices_x, found.indices_y]
        slack = paid - found.x_potential[found.indices_x] - found.y_potential[found.indices_y]
        # complementary slackness: the sum of masses * slack is the gap, and no mass is below 1e-6
        assert found.masses.min() > 1e-6
        assert slack.max() <= 1e-12 * found.cost / found.masses.min()


class TestErrors:
    @pytest.mark.parametrize("tolerance", [-0.1, 1.0, math.nan, "0.1", None])
    def test_a_tolerance_outside_the_unit_interval_is_refused(self, tolerance):
        with pytest.raises(InvalidInput, match=r"tolerance must be a number in \[0, 1\)"):
            ColumnGeneration(tolerance=tolerance)

    @pytest.mark.parametrize("limit", [0.0, -1.0, math.nan, math.inf, "60"])
    def test_a_limit_that_is_no_positive_number_is_refused(self, limit):
        with pytest.raises(InvalidInput, match="max_seconds must be a positive number, or None for no limit"):
            ColumnGeneration(max_seconds=limit)

    def test_an_unknown_reaction_to_the_limit_is_refused(self):
        with pytest.raises(InvalidInput, match="on_limit must be 'raise' or 'bracket', got 'stop'"):
            ColumnGeneration(on_limit="stop")

    @pytest.mark.parametrize("p", [3, 1.5, math.inf, True, "1"])
    def test_other_orders_are_refused_with_the_method_that_has_them(self, p):
        with pytest.raises(InvalidInput, match=r"p must be 1 or 2 for column generation, got .* use method 'emd'"):
            ColumnGeneration().solve([[0.0, 1.0]], [[1.0, 0.0]], p=p)
