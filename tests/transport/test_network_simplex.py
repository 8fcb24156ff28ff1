"""The network simplex on a list of arcs: optimal on its arcs, exact in its flows, whatever it starts from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from divkit.transport._restricted import RestrictedTransport

SEEDS = st.integers(0, 2**32 - 1)
RELATIVE = 1e-13


def nothing() -> None:
    """What happens between slices of pivots."""


def integer_masses(rng, n, m, total=None):
    """Positive int64 masses of equal totals; equal ones and large ones among them."""
    if total is None:
        total = int(rng.choice([n * m, 2**20, 2**60]))
    sides = []
    for k in (n, m):
        share = rng.random(k) + 0.01 if rng.random() < 0.5 else np.ones(k)
        mass = np.maximum((share / share.sum() * total * 0.99).astype(np.int64), 1)
        mass[-1] += total - int(mass.sum())
        sides.append(mass)
    return sides


def drawn_problem(seed, complete=False):
    """(masses of x, masses of y, rows, columns, costs): random arcs, among them a diagonal that may not be feasible."""
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, 12, 2).tolist()
    a, b = integer_masses(rng, n, m)
    rows, columns = np.divmod(np.arange(n * m), m)
    if not complete:
        kept = rng.random(n * m) < rng.choice([0.2, 0.6, 1.0])
        rows, columns = rows[kept], columns[kept]
    costs = rng.integers(0, 4, len(rows)).astype(float) if rng.random() < 0.5 else rng.random(len(rows))
    return rng, a, b, rows, columns, costs


def assert_marginals(problem, a, b):
    rows, columns, flows = problem.plan
    hung = problem.on_hub
    assert flows.min(initial=1) > 0
    for indices, mass, left in ((rows, a, hung[0]), (columns, b, hung[1])):
        moved = np.zeros(len(mass), np.int64)
        np.add.at(moved, indices, flows)
        np.testing.assert_array_equal(moved + left, mass)  # integers: exact


def linear_program(a, b, rows, columns, costs, f, g, price):
    """The optimal cost by HiGHS, with hub arcs of cost f + price from x and g + price to y, for total mass 1."""
    from scipy.optimize import linprog
    from scipy.sparse import coo_array

    n, m, k = len(a), len(b), len(rows)
    entries = k + n + m
    arcs = np.arange(k)
    i = np.concatenate([rows, n + columns, np.arange(n + m), np.full(n, n + m), np.full(m, n + m)])
    j = np.concatenate([arcs, arcs, np.arange(k, entries), np.arange(k, k + n), np.arange(k + n, entries)])
    values = np.concatenate([np.ones(2 * k + n + m), np.ones(n), -np.ones(m)])
    total = float(a.sum())
    found = linprog(
        np.concatenate([costs, f + price, g + price]),
        A_eq=coo_array((values, (i, j)), shape=(n + m + 1, entries)).tocsr()[:-1],
        b_eq=np.concatenate([a / total, b / total]),
        method="highs-ds",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    assert found.status == 0
    return found.fun


def value(problem, rows, columns, costs, f, g, price):
    """The cost of the flows, those on the hub included, for total mass 1."""
    table = dict(zip(zip(rows.tolist(), columns.tolist(), strict=True), costs.tolist(), strict=True))
    plan = zip(*(part.tolist() for part in problem.plan), strict=True)
    total = float(problem.plan[2].sum() + problem.on_hub[0].sum())
    paid = sum(table[i, j] * flow for i, j, flow in plan)
    x_hung, y_hung = problem.on_hub
    return (paid + float((f + price) @ x_hung + (g + price) @ y_hung)) / total


class TestOptimality:
    @given(SEEDS)
    def test_flows_meet_every_mass_exactly(self, seed):
        rng, a, b, rows, columns, costs = drawn_problem(seed)
        problem = RestrictedTransport(a, b, rng.normal(size=len(a)), rng.normal(size=len(b)), 3.0)
        assert_marginals(problem, a, b)
        problem.add(rows, columns, costs)
        problem.solve(RELATIVE, 0.0, nothing)
        assert_marginals(problem, a, b)

    @given(SEEDS)
    def test_the_cost_is_that_of_highs_hub_included(self, seed):
        rng, a, b, rows, columns, costs = drawn_problem(seed)
        f, g = rng.normal(size=len(a)), rng.normal(size=len(b))
        price = float(rng.choice([0.5, 2.0, 10.0]))
        problem = RestrictedTransport(a, b, f, g, price)
        problem.add(rows, columns, costs)
        problem.solve(RELATIVE, 0.0, nothing)
        truth = linear_program(a, b, rows, columns, costs, f, g, price)
        # HiGHS keeps equations to 1e-10 absolute, at costs up to 20
        assert value(problem, rows, columns, costs, f, g, price) == pytest.approx(truth, rel=1e-9, abs=2e-9)

    @given(SEEDS)
    def test_no_arc_has_a_negative_reduced_cost_and_those_with_flow_have_none(self, seed):
        rng, a, b, rows, columns, costs = drawn_problem(seed)
        problem = RestrictedTransport(a, b, rng.normal(size=len(a)), rng.normal(size=len(b)), 5.0)
        problem.add(rows, columns, costs)
        problem.solve(RELATIVE, 0.0, nothing)
        f, g = problem.potentials
        reduced = costs - f[rows] - g[columns]
        # the tree's potentials are sums of at most 24 costs below 16, shifted: 24 * 2^-52 * 16; the tolerance is less
        assert reduced.min(initial=0.0) >= -1e-12
        at = {(i, j): r for i, j, r in zip(rows.tolist(), columns.tolist(), reduced.tolist(), strict=True)}
        assert all(abs(at[i, j]) <= 1e-12 for i, j in zip(*(part.tolist() for part in problem.plan[:2]), strict=True))

    @given(SEEDS)
    def test_on_all_arcs_the_hub_ends_up_empty(self, seed):
        rng, a, b, rows, columns, costs = drawn_problem(seed, complete=True)
        problem = RestrictedTransport(a, b, rng.normal(size=len(a)) / 9, rng.normal(size=len(b)) / 9, 9.0)
        problem.add(rows, columns, costs)
        problem.solve(RELATIVE, 0.0, nothing)
        assert not any(side.any() for side in problem.on_hub)

    @given(SEEDS)
    def test_arcs_added_in_rounds_give_the_optimum_of_all(self, seed):
        rng, a, b, rows, columns, costs = drawn_problem(seed, complete=True)
        zero = np.zeros(len(a)), np.zeros(len(b))
        problem = RestrictedTransport(a, b, *zero, 0.3)
        for part in np.array_split(rng.permutation(len(rows)), 3):
            problem.add(rows[part], columns[part], costs[part])
            problem.solve(RELATIVE, 0.0, nothing)
            assert_marginals(problem, a, b)
        problem.raise_price(9.0, np.zeros(len(a) + len(b), bool), np.inf)
        problem.solve(RELATIVE, 0.0, nothing)
        truth = linear_program(a, b, rows, columns, costs, *zero, 9.0)
        assert value(problem, rows, columns, costs, *zero, 9.0) == pytest.approx(truth, rel=1e-9, abs=2e-9)

    @given(SEEDS, st.floats(0.01, 1.0))
    def test_an_absolute_tolerance_bounds_the_loss(self, seed, tolerance):
        _, a, b, rows, columns, costs = drawn_problem(seed, complete=True)
        zero = np.zeros(len(a)), np.zeros(len(b))
        problem = RestrictedTransport(a, b, *zero, 9.0)
        problem.add(rows, columns, costs)
        problem.solve(RELATIVE, tolerance, nothing)
        truth = linear_program(a, b, rows, columns, costs, *zero, 9.0)
        # potentials lowered by the tolerance are feasible, and every unit of mass takes one arc of x
        assert truth - 2e-9 <= value(problem, rows, columns, costs, *zero, 9.0) <= truth + tolerance + 2e-9


class TestStart:
    @given(SEEDS)
    def test_the_potentials_of_the_start_are_those_that_came_in(self, seed):
        rng = np.random.default_rng(seed)
        n, m = rng.integers(1, 30, 2).tolist()
        f, g = rng.normal(size=n), rng.normal(size=m)
        u, v = RestrictedTransport(*integer_masses(rng, n, m), f, g, 100.0).potentials
        # up to a constant; f + 100 is rounded to 1e-14, and shifted
        np.testing.assert_allclose((u - u[0])[1:], (f - f[0])[1:], rtol=0, atol=1e-13)
        np.testing.assert_allclose((v - v[0])[1:], (g - g[0])[1:], rtol=0, atol=1e-13)

    def test_optimal_potentials_leave_few_pivots(self, rng):
        n = 200
        a = b = np.ones(n, np.int64)
        rows, columns = np.divmod(np.arange(n * n), n)
        costs = rng.random(n * n)
        cold = RestrictedTransport(a, b, np.zeros(n), np.zeros(n), 5.0)
        cold.add(rows, columns, costs)
        cold.solve(RELATIVE, 0.0, nothing)
        warm = RestrictedTransport(a, b, *cold.potentials, 1e-3)
        warm.add(rows, columns, costs)
        warm.solve(RELATIVE, 0.0, nothing)
        # beside optimal potentials and a cheap hub only arcs that are nearly tight can enter
        assert 2 * warm.pivots < cold.pivots

    def test_without_arcs_everything_stays_on_the_hub(self):
        a, b = np.array([3, 4]), np.array([7])
        problem = RestrictedTransport(a, b, np.zeros(2), np.zeros(1), 1.0)
        problem.solve(RELATIVE, 0.0, nothing)
        np.testing.assert_array_equal(problem.on_hub[0], a)
        assert problem.plan[2].size == 0


class TestInterruption:
    def test_an_interrupted_solve_is_feasible_and_can_go_on(self, rng, monkeypatch):
        from divkit.transport import _restricted

        monkeypatch.setattr(_restricted, "_SLICE", 7)
        a, b = integer_masses(rng, 40, 50, 2**60)
        rows, columns = np.divmod(np.arange(2000), 50)
        costs = rng.integers(0, 9, 2000).astype(float)
        zero = np.zeros(40), np.zeros(50)

        class Enough(Exception):
            """Stop."""

        def enough() -> None:
            raise Enough

        problem = RestrictedTransport(a, b, *zero, 30.0)
        problem.add(rows, columns, costs)
        for _ in range(5):
            with pytest.raises(Enough):
                problem.solve(RELATIVE, 0.0, enough)
            assert_marginals(problem, a, b)
        problem.solve(RELATIVE, 0.0, nothing)
        assert_marginals(problem, a, b)
        truth = linear_program(a, b, rows, columns, costs, *zero, 30.0)
        assert value(problem, rows, columns, costs, *zero, 30.0) == pytest.approx(truth, rel=1e-9)

    def test_a_problem_of_nothing_but_ties_ends(self, rng):
        # an assignment with costs 0 and 1: almost every pivot moves no flow
        n = 150
        rows, columns = np.divmod(np.arange(n * n), n)
        costs = rng.integers(0, 2, n * n).astype(float)
        ones = np.ones(n, np.int64)
        problem = RestrictedTransport(ones, ones, np.zeros(n), np.zeros(n), 3.0)
        problem.add(rows, columns, costs)
        problem.solve(RELATIVE, 0.0, nothing)
        assert value(problem, rows, columns, costs, np.zeros(n), np.zeros(n), 3.0) == 0.0
