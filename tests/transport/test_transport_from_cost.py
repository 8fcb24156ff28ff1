"""`transport_from_cost`: cost matrices of the user's own, negative, forbidden, huge and wrong ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from transport_strategies import frozen

from divkit._errors import InvalidInput, Unsupported
from divkit.transport.emd import transport_from_cost


class TestTransportFromCost:
    @given(st.integers(1, 12), st.integers(0, 10**6), st.integers(-1000, 1000))
    def test_square_matrices_agree_with_the_assignment_problem(self, n, seed, power):
        # integers times a power of two: exact at every scale, ties common, negative costs too
        cost = np.random.default_rng(seed).integers(-20, 20, size=(n, n)).astype(float)
        truth = cost[linear_sum_assignment(cost)].sum() / n
        found = transport_from_cost(frozen(np.ldexp(cost, power))).cost
        assert math.ldexp(found, -power) == pytest.approx(truth, rel=1e-13, abs=1e-13 * 20)

    def test_a_column_potential_moves_the_cost_by_its_mean(self, rng):
        cost, shift = rng.random((9, 6)), rng.normal(size=6)
        moved = transport_from_cost(cost + shift).cost
        assert moved == pytest.approx(transport_from_cost(cost).cost + shift.mean(), abs=1e-15 * 10)

    def test_potentials_are_feasible_for_points_without_mass_too(self, rng):
        cost = rng.normal(size=(8, 6))
        coupling = transport_from_cost(cost, [0, 1, 2, 0, 1, 1, 3, 0], [1, 0, 1, 0, 2, 1])
        slack = cost - coupling.x_potential[:, None] - coupling.y_potential
        assert slack.min() >= -1e-14  # costs of size 3: some ulp

    def test_inf_forbids_a_pair(self):
        coupling = transport_from_cost([[0.0, 5.0], [np.inf, 0.0], [1.0, 1.0]], [1, 1, 1], [1, 2])
        assert (coupling.to_dense()[1] == [0.0, 1 / 3]).all()

    def test_a_chain_of_forbidden_pairs_forces_the_expensive_diagonal(self):
        n = 12
        cost = np.full((n, n), np.inf)
        cost[np.arange(n), np.arange(n)] = 1.0
        cost[np.arange(n - 1), np.arange(1, n)] = 0.0  # tempting, but the last row can only use its diagonal
        assert transport_from_cost(cost).cost == pytest.approx(1.0, rel=1e-15)

    def test_forbidding_too_much_is_an_error(self):
        with pytest.raises(InvalidInput, match=r"every plan uses forbidden pairs.*0\.5 of the mass"):
            transport_from_cost([[np.inf, np.inf], [1.0, 2.0]])

    @pytest.mark.parametrize(
        ("cost", "message"),
        [
            ([1.0, 2.0], r"non-empty matrix of shape \(n, m\), got shape \(2,\)"),
            (np.empty((0, 3)), "non-empty matrix"),
            ([[1.0, np.nan]], r"cost\[0, 1\] is nan"),
            ([[1.0], [-np.inf]], r"cost\[1, 0\] is -inf"),
            ([[np.inf]], "inf for every pair"),
            ([["a"]], "real numbers"),
        ],
    )
    def test_what_is_no_cost_matrix_is_refused(self, cost, message):
        with pytest.raises(InvalidInput, match=message):
            transport_from_cost(cost)

    def test_too_many_pairs_are_refused(self):
        with pytest.raises(Unsupported, match="max_pairs is 3"):
            transport_from_cost(np.ones((2, 2)), max_pairs=3)

    def test_the_largest_finite_costs_do_not_overflow(self):
        assert transport_from_cost([[1.7e308, -1.7e308], [-1.7e308, 1.7e308]]).cost == -1.7e308
