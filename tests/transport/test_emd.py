"""EMD: closed forms, other algorithms, results, refusals."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from transport_strategies import distance

from divkit._errors import InvalidInput, NotConverged, Unsupported
from divkit.catalog import DIVERGENCES
from divkit.divergences import Wasserstein
from divkit.measures import Discrete, Samples
from divkit.transport.emd import EMD

# Certified to 1e-9 of the cost, and a vertex that close to optimal is the optimal one unless another lies within
# 1e-9: values of random problems agree to rounding, some n ulp.
ROUNDING = 1e-13


class TestAgainstOtherAlgorithms:
    @pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 4.0, 16.0])
    @pytest.mark.parametrize("d", [1, 2, 10])
    def test_equal_sizes_agree_with_the_assignment_problem(self, rng, p, d):
        x, y = rng.normal(size=(120, d)), rng.normal(size=(120, d)) + 0.5
        cost = cdist(x, y) ** p
        truth = cost[linear_sum_assignment(cost)].mean() ** (1 / p)
        assert distance(x, y, p) == pytest.approx(truth, rel=ROUNDING)

    @given(st.integers(1, 5), st.integers(0, 10**6), st.sampled_from([1.0, 2.0, math.inf]))
    def test_small_problems_agree_with_all_permutations(self, n, seed, p):
        x, y = np.random.default_rng(seed).integers(-4, 5, size=(2, n, 2)).astype(float)
        far = cdist(x, y)
        ways = [far[np.arange(n), list(order)] for order in itertools.permutations(range(n))]
        truth = min(w.max() if p == math.inf else (w**p).mean() ** (1 / p) for w in ways)
        assert distance(x, y, p) == pytest.approx(truth, rel=ROUNDING, abs=1e-300)

    @given(st.integers(1, 30), st.integers(0, 10**6), st.sampled_from([1.0, 2.0, 3.0]))
    def test_on_the_line_sorted_points_are_matched(self, n, seed, p):
        x, y = np.random.default_rng(seed).normal(size=(2, n))
        truth = np.mean(np.abs(np.sort(x) - np.sort(y)) ** p) ** (1 / p)
        assert distance(x, y, p) == pytest.approx(truth, rel=ROUNDING)

    def test_bottleneck_of_unequal_sizes_agrees_with_splitting_into_unit_masses(self, rng):
        x, y = rng.normal(size=(4, 2)), rng.normal(size=(6, 2))
        x12, y12 = np.repeat(x, 3, axis=0), np.repeat(y, 2, axis=0)
        far = cdist(x12, y12)
        # the least radius whose 0/1 assignment cost is 0
        fits = [r for r in np.unique(far) if (far > r)[linear_sum_assignment(far > r)].sum() == 0]
        assert distance(x, y, math.inf) == pytest.approx(min(fits), rel=1e-15)

    @pytest.mark.parametrize("metric", ["cityblock", "chebyshev", "canberra", "cosine", "sqeuclidean", "braycurtis"])
    def test_metrics_agree_with_the_assignment_problem(self, rng, metric):
        x, y = rng.random((40, 4)) + 0.5, rng.random((40, 4)) + 0.7
        cost = cdist(x, y, metric)
        truth = cost[linear_sum_assignment(cost)].mean()
        # cosine distances of 0.05 carry the rounding of numbers near 1: 20 ulp, more under the rescaling
        assert distance(x, y, method=EMD(metric=metric)) == pytest.approx(truth, rel=1e-12)


class TestClosedForms:
    @pytest.mark.parametrize("p", [1.0, 2.0, 7.5])
    def test_a_translation_costs_its_length(self, rng, p):
        x, v = rng.normal(size=(80, 3)), np.array([2.0, -3.0, 6.0])
        # x + v is rounded, by 1e-16 of 7
        assert distance(x, x + v, p) == pytest.approx(7.0, rel=1e-15)

    def test_a_point_mass_is_at_the_mean_distance(self, rng):
        x, w = rng.normal(size=(50, 4)), rng.random(50)
        truth = np.average(np.linalg.norm(x - 1.0, axis=1), weights=w)
        assert distance(x, np.ones((1, 4)), x_weights=w) == pytest.approx(truth, rel=1e-15 * 50)

    def test_an_atom_of_mass_1e_minus_20_is_not_lost(self):
        w = [1.0, 1e-20]
        # 1e-20 of mass moves by 1: W_2 = 1e-10
        assert distance([0.0, 1.0], [0.0, 2.0], 2, x_weights=w, y_weights=w) == pytest.approx(1e-10, rel=1e-15)

    @pytest.mark.parametrize("apart", [2.0**10, 2.0**24, 2.0**40])
    def test_distant_clusters_do_not_hide_a_small_shift(self, rng, apart):
        # multiples of 1/8 below 2**40 take 44 bits: the translated copies are exact
        near = rng.integers(-20, 20, size=(30, 2)) / 8
        x = np.concatenate([near, near + np.array([apart, 0.0])])
        y = (x + np.array([0.375, 0.5]))[rng.permutation(60)]
        assert distance(x, y, 2) == pytest.approx(0.625, rel=1e-14)

    @pytest.mark.parametrize("p", [100.0, 1000.0])
    def test_a_high_order_does_not_underflow(self, rng, p):
        near = np.arange(20.0)[:, None]
        # on the line sorted points are matched: all by 1/4
        assert distance(near, near[::-1] + 0.25, p) == pytest.approx(0.25, rel=1e-15)


class TestEstimate:
    def test_the_result_says_what_it_is(self, rng):
        value = distance(rng.normal(size=(9, 2)), rng.normal(size=(7, 2)), 2)
        assert (value.method, value.bound, value.estimand, value.level) == ("emd", "exact", "given", 1.0)
        assert value.divergence == "wasserstein2"
        assert value.info["n"] == 9
        assert value.info["metric"] == "euclidean"

    def test_the_interval_is_the_certificate_after_the_root(self, rng):
        x, y = rng.normal(size=(60, 2)), rng.normal(size=(50, 2))
        value, coupling = distance(x, y, 2), EMD().solve(x, y, p=2)
        # the power of two is even: nothing but the root differs
        assert value.interval == pytest.approx((coupling.lower**0.5, coupling.upper**0.5), rel=1e-15)
        assert value.info["gap"] == value.interval[1] - value.interval[0]

    def test_a_discrete_law_and_a_weighted_sample_are_the_same_to_it(self):
        P = Discrete([0.25, 0.75], points=[0.0, 4.0])
        value = EMD().estimate(Wasserstein(1), P, Samples([0.0]), level=0.9, rng=np.random.default_rng(0))
        assert value == 3.0

    def test_integers_and_float32_are_computed_in_float64(self):
        assert distance(np.array([0, 3], dtype=np.int8), np.array([1, 5], dtype=np.float32)) == 1.5

    @pytest.mark.parametrize(
        ("div", "P", "Q", "clause"),
        [
            (DIVERGENCES["kl"], Samples([0.0]), Samples([1.0]), "Wasserstein distances only"),
            (Wasserstein(1), Discrete([1.0]), Samples([1.0]), "P has no points"),
            (Wasserstein(1), Samples([0.0]), Samples([[1.0, 2.0]]), "P has 1 and Q has 2 coordinates"),
            (Wasserstein(math.inf), Samples([0.0, 1.0], [1 / 3, math.pi]), Samples([1.0, 2.0]), "equal weights"),
        ],
    )
    def test_what_it_cannot_compute_is_refused_with_the_reason(self, div, P, Q, clause):
        assert clause in EMD().refusal(div, P, Q)
        with pytest.raises(Unsupported, match=clause):
            EMD().estimate(div, P, Q, level=0.95, rng=np.random.default_rng(0))

    def test_a_law_is_refused(self):
        from divkit.measures import Law

        law = Law(dim=1, log_density=lambda points: -(points[:, 0] ** 2))
        assert "P is a law" in EMD().refusal(Wasserstein(1), law, Samples([0.0]))


class TestRefusals:
    def test_too_many_pairs_are_refused(self):
        with pytest.raises(Unsupported, match=r"12 pairs, max_pairs is 10; sub-sample"):
            EMD(max_pairs=10).solve(np.arange(3.0), np.arange(4.0))

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"metric": "manhattan"}, "metric must be one of euclidean"),
            ({"metric": None}, "metric must be one of euclidean"),
            ({"max_iterations": 0}, "max_iterations must be an integer >= 1"),
            ({"max_pairs": 1e6}, "max_pairs must be an integer >= 1"),
        ],
    )
    def test_settings_are_checked_when_they_are_made(self, settings, message):
        with pytest.raises(InvalidInput, match=message):
            EMD(**settings)

    @pytest.mark.parametrize(
        ("x", "message"),
        [([], "x is empty"), ([np.nan], "x must be finite"), ([np.inf], "x must be finite"), ([[[1.0]]], "shape")],
    )
    def test_what_is_no_point_set_is_refused(self, x, message):
        with pytest.raises(InvalidInput, match=message):
            EMD().solve(x, [1.0])

    @pytest.mark.parametrize(
        ("w", "message"),
        [([1.0, -1.0], "non-negative"), ([0.0, 0.0], "sums to 0"), ([1.0], "shape"), ([1.0, np.nan], "finite")],
    )
    def test_what_are_no_weights_is_refused(self, w, message):
        with pytest.raises(InvalidInput, match=message):
            EMD().solve([0.0, 1.0], [0.0], x_weights=w)

    def test_running_out_of_iterations_raises_with_a_bracket(self, rng):
        x, y = 1e-3 * rng.normal(size=(40, 2)), 1e-3 * rng.normal(size=(40, 2))
        truth = EMD().solve(x, y, p=2).cost
        with pytest.raises(NotConverged, match="after 5 iterations; raise max_iterations") as caught:
            EMD(max_iterations=5).solve(x, y, p=2)
        assert caught.value.info["lower"] <= truth <= caught.value.info["upper"]
        assert caught.value.info["iterations"] == 5

    def test_the_bracket_of_an_estimate_is_in_units_of_the_distance(self, rng):
        x, y = 1e-3 * rng.normal(size=(40, 2)), 1e-3 * rng.normal(size=(40, 2))
        truth = distance(x, y, 2)
        with pytest.raises(NotConverged) as caught:
            distance(x, y, 2, method=EMD(max_iterations=5))
        assert caught.value.info["lower"] <= truth <= caught.value.info["upper"] < 10 * truth

    def test_costs_beyond_float64_are_refused_where_distances_are_not(self):
        x, y = [[0.0, 1e200], [0.0, 0.0]], [[1e200, 0.0], [1e199, 0.0]]
        with pytest.raises(InvalidInput, match="leave the range of float64"):
            EMD().solve(x, y, p=2)
        assert math.isfinite(distance(x, y, 2))

    def test_a_distance_beyond_float64_is_refused(self):
        with pytest.raises(InvalidInput, match="beyond float64"):
            distance([1.7e308], [-1.7e308])

    def test_an_infinite_order_has_no_coupling(self):
        with pytest.raises(InvalidInput, match="p must be finite for a coupling"):
            EMD().solve([0.0], [1.0], p=math.inf)

    def test_boolean_metrics_refuse_numbers_other_than_0_and_1(self):
        with pytest.raises(InvalidInput, match="compares sets given as 0 and 1"):
            EMD(metric="jaccard").solve([[0.0, 2.0]], [[1.0, 1.0]])

    def test_an_undefined_metric_names_the_pair(self):
        with pytest.raises(InvalidInput, match=r"'cosine' is nan between x\[1\]"):
            EMD(metric="cosine").solve([[1.0, 1.0], [0.0, 0.0]], [[1.0, 2.0]])


class TestDistrust:
    """What POT would have to return to be believed."""

    @staticmethod
    def tampered(monkeypatch, change):
        import divkit.transport.emd as module

        honest = module._network_simplex
        monkeypatch.setattr(
            module, "_network_simplex", lambda cost, a, b, limit: change(honest(cost, a, b, limit), a, b)
        )

    def test_a_suboptimal_plan_is_not_believed(self, rng, monkeypatch):
        def independent(basis, a, b):
            rows, columns = np.divmod(np.arange(len(a) * len(b)), len(b))
            return basis._replace(rows=rows, columns=columns, flows=np.outer(a, b).ravel() / a.sum())

        x, y = rng.normal(size=(2, 9, 2))
        truth = EMD().solve(x, y).cost
        self.tampered(monkeypatch, independent)
        with pytest.raises(NotConverged, match="could not be proved") as caught:
            EMD().solve(x, y)
        assert caught.value.info["lower"] <= truth * (1 + ROUNDING) <= caught.value.info["upper"]

    def test_a_plan_that_misses_mass_is_not_believed(self, rng, monkeypatch):
        self.tampered(monkeypatch, lambda basis, a, b: basis._replace(flows=basis.flows * (1 - 1e-9)))
        with pytest.raises(NotConverged, match="misses 1e-09 of the mass"):
            EMD().solve(*rng.normal(size=(2, 9, 2)))

    def test_wrong_potentials_are_not_believed(self, rng, monkeypatch):
        self.tampered(monkeypatch, lambda basis, a, b: basis._replace(u=basis.u[::-1]))
        with pytest.raises(NotConverged, match="could not be proved"):
            EMD().solve(*rng.normal(size=(2, 9, 2)))
