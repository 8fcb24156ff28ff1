"""`Line.solve`: monotone plans and their potentials, against exact transport and pair by pair."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transport_strategies import frozen, weights

import divkit
from divkit import EMD, InvalidInput, Line, NotConverged

EPS = np.finfo(float).eps
ORDERS = [1.0, 1.3, 2.0, 3.0]
orders = pytest.mark.parametrize("p", ORDERS)


@st.composite
def lines(draw, max_size=9):
    """x (n,), y (m,) with ties within and across, and weights with zeros."""
    n, m = draw(st.integers(1, max_size)), draw(st.integers(1, max_size))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    lattice = draw(st.booleans())
    x, y = (rng.integers(-3, 4, size=k).astype(float) if lattice else rng.normal(size=k) for k in (n, m))
    a = draw(st.none() | weights(n) | st.just(frozen(rng.random(n) + 1e-3)))
    b = draw(st.none() | weights(m) | st.just(frozen(rng.random(m) + 1e-3)))
    return frozen(x), frozen(y), a, b


def costs(x, y, p):
    return np.abs(np.asarray(x, np.longdouble)[:, None] - np.asarray(y, np.longdouble)) ** np.longdouble(p)


def violation(plan, x, y, p):
    """The largest u_i + v_j - c_ij, in units of eps times the largest cost."""
    c = costs(x, y, p)
    u, v = (np.asarray(part, np.longdouble) for part in (plan.x_potential, plan.y_potential))
    return float((u[:, None] + v - c).max() / (c.max() * EPS)) if c.max() > 0 else 0.0


def allowed(n, m, p):
    """Rounding of feasible potentials, in units of eps: a power, and each choice of a minimiser, (p + 6) in all.

    A wrong choice of a minimiser can happen once in each of the 1 + log2 strides of two transforms.
    """
    return 4.0 if p == 1 else (p + 6) * (2 + math.log2(max(n, m)))


def mean(values, masses):
    return float(np.average(values, weights=masses))


@given(problem=lines(), p=st.sampled_from(ORDERS))
def test_the_cost_is_that_of_the_network_simplex(problem, p):
    x, y, a, b = problem
    # Both plans are optimal; weights in floating point are rounded alike, and sums of up to 20 terms are not.
    assert Line().solve(x, y, a, b, p).cost == pytest.approx(EMD().solve(x, y, a, b, p=p).cost, rel=1e-13, abs=1e-15)


@given(problem=lines(), p=st.sampled_from(ORDERS))
def test_the_root_of_the_cost_is_the_distance(problem, p):
    x, y, a, b = problem
    got, value = Line().solve(x, y, a, b, p).cost ** (1 / p), divkit.wasserstein(x, y, a, b, p)
    # Weights are rounded at 1e-16 there, which moves W_p by at most (1e-15)^(1/p) times a range of 8.
    assert got == pytest.approx(value, rel=1e-12, abs=8 * 1e-15 ** (1 / p))


@given(problem=lines(), p=st.sampled_from(ORDERS))
def test_the_plan_has_the_given_marginals(problem, p):
    x, y, a, b = problem
    plan = Line().solve(x, y, a, b, p).to_dense()
    for axis, masses in ((1, a), (0, b)):
        expected = np.ones(plan.shape[1 - axis]) if masses is None else masses / masses.max()
        np.testing.assert_allclose(plan.sum(axis=axis), expected / expected.sum(), rtol=0, atol=1e-14)


@given(problem=lines(), p=st.sampled_from(ORDERS))
def test_the_potentials_are_feasible_for_every_pair(problem, p):
    x, y, a, b = problem
    assert violation(Line().solve(x, y, a, b, p), x, y, p) <= allowed(len(x), len(y), p)


@orders
@pytest.mark.parametrize("zeros", [False, True])
def test_potentials_of_many_points_are_feasible_for_every_pair(p, zeros, rng):
    for _ in range(10):
        x, y = rng.normal(size=200) ** 3, rng.normal(size=170)
        a, b = rng.random(200), rng.random(170)
        if zeros:
            a, b = a * (rng.random(200) < 0.5), b * (rng.random(170) < 0.5)
        assert violation(Line().solve(x, y, a, b, p), x, y, p) <= allowed(200, 170, p)


@given(problem=lines(), p=st.sampled_from(ORDERS))
def test_the_potentials_attain_the_cost(problem, p):
    x, y, a, b = problem
    got = Line().solve(x, y, a, b, p)
    dual = mean(got.x_potential, a) + mean(got.y_potential, b)
    scale = max(got.cost, float(np.abs(got.x_potential).max() + np.abs(got.y_potential).max()))
    assert dual == pytest.approx(got.cost, rel=0, abs=50 * EPS * scale)  # sums of up to 18 products
    assert 0 <= got.gap <= allowed(len(x), len(y), p) * EPS * float(costs(x, y, p).max())


@given(problem=lines(), p=st.sampled_from(ORDERS))
def test_the_plan_is_monotone_and_sparse(problem, p):
    x, y, a, b = problem
    got = Line().solve(x, y, a, b, p)
    assert len(got.masses) <= len(x) + len(y) - 1
    assert (got.masses > 0).all()
    assert (np.diff(x[got.indices_x]) >= 0).all()
    assert (np.diff(y[got.indices_y]) >= 0).all()


@given(problem=lines(), p=st.sampled_from(ORDERS), seed=st.integers(0, 99))
def test_the_order_of_the_points_does_not_matter(problem, p, seed):
    x, y, a, b = problem
    rows, columns = (np.random.default_rng(seed).permutation(k) for k in (len(x), len(y)))
    one = Line().solve(x, y, a, b, p)
    two = Line().solve(x[rows], y[columns], None if a is None else a[rows], None if b is None else b[columns], p)
    # Integer masses are matched exactly, so entries between equal points may differ in place, but not the costs.
    assert two.cost == pytest.approx(one.cost, rel=1e-14, abs=1e-16)
    np.testing.assert_allclose(two.x_potential, one.x_potential[rows], rtol=0, atol=1e-13 * (1 + one.upper))
    np.testing.assert_allclose(two.y_potential, one.y_potential[columns], rtol=0, atol=1e-13 * (1 + one.upper))


@orders
def test_exchanging_the_sets_transposes_the_plan(p, rng):
    x, y, a = rng.normal(size=20), rng.normal(size=30), rng.random(20)
    one, two = Line().solve(x, y, a, None, p), Line().solve(y, x, None, a, p)
    np.testing.assert_array_equal(one.to_dense(), two.to_dense().T)


@orders
def test_points_without_mass_change_no_entry(p, rng):
    x, y = rng.normal(size=12), rng.normal(size=9)
    a, b = rng.integers(0, 3, size=12), rng.integers(0, 3, size=9)
    one = Line().solve(x, y, a, b, p)
    two = Line().solve(x[a > 0], y[b > 0], a[a > 0], b[b > 0], p)
    np.testing.assert_array_equal(one.to_dense()[np.ix_(a > 0, b > 0)], two.to_dense())
    assert one.cost == two.cost


@orders
def test_a_duplicate_is_a_doubled_weight(p):
    one = Line().solve([0.0, 1.0, 1.0], [2.0, 5.0, 6.0], p=p)
    two = Line().solve([0.0, 1.0], [2.0, 5.0, 6.0], [1, 2], p=p)
    assert one.cost == two.cost
    assert one.x_potential[1] == one.x_potential[2]


@orders
def test_equal_laws_have_cost_gap_and_potentials_zero(p, rng):
    x, a, order = rng.normal(size=20), rng.random(20), rng.permutation(20)
    got = Line().solve(x, x[order], a, a[order], p)
    assert (got.cost, got.gap, got.lower) == (0.0, 0.0, 0.0)
    assert not got.x_potential.any()


@orders
@pytest.mark.parametrize("exponent", [-300, 300])
def test_everything_scales_exactly_with_powers_of_two(p, exponent, rng):
    x, y = rng.normal(size=20), rng.normal(size=30)
    one, two = Line().solve(x, y, p=p), Line().solve(np.ldexp(x, exponent), np.ldexp(y, exponent), p=p)
    unit = float(np.exp2(np.longdouble(exponent) * np.longdouble(p)))  # exponent * p rounded to a float costs digits
    assert two.cost / unit == pytest.approx(one.cost, rel=4 * EPS)  # exact but for the unit of a fractional p
    np.testing.assert_allclose(two.x_potential / unit, one.x_potential, rtol=4 * EPS, atol=0)
    assert two.gap / unit == pytest.approx(one.gap, rel=4 * EPS)


@orders
def test_an_offset_costs_nothing(p, rng):
    x, y = (np.ldexp(rng.integers(-1000, 1000, size=k), -10) for k in (20, 30))
    one, two = Line().solve(x, y, p=p), Line().solve(1e8 + x, 1e8 + y, p=p)
    assert two.cost == one.cost
    np.testing.assert_array_equal(two.y_potential, one.y_potential)


@pytest.mark.parametrize("scale", [1e-150, 1e150])
@pytest.mark.parametrize("p", [1.0, 2.0])
def test_extreme_scales_keep_their_digits(scale, p):
    got = Line().solve(scale * np.array([0.0, 1.0]), scale * np.array([4.0, 2.0]), p=p)
    assert got.cost == pytest.approx((2**p + 3**p) / 2 * scale**p, rel=1e-14)
    assert got.gap <= 1e-14 * got.cost


@pytest.mark.parametrize("p", [2.0, 3.0])
def test_small_moves_in_far_clusters_have_a_closed_gap(p, rng):
    # No mass crosses from cluster to cluster, so potentials need not be as large as the costs there, 1e12^p.
    near = rng.normal(size=50)
    x, y = (np.concatenate([points, 1e12 + points]) for points in (near, near + rng.random(50)))
    got = Line().solve(x, y, p=p)
    # Coordinates are rounded at 1e-4, the potentials at 1e-16 of themselves.
    assert got.gap <= 1e-12 * got.cost


def test_points_without_mass_at_the_ends_of_the_floats_get_potentials():
    for p in (1.0, 2.0, 30.0):
        got = Line().solve([0.0, 1e300, -1e300], [1.0, 2.0, 1e308], [1, 0, 0], [1, 1, 0], p=p)
        assert got.cost == pytest.approx((1 + 2**p) / 2, rel=1e-15)
        assert np.isfinite(got.x_potential).all()
        assert np.isfinite(got.y_potential).all()
        assert got.gap <= 1e-14 * got.cost


def test_tiny_weights_are_not_lost():
    got = Line().solve([0.0, 1.0], [0.0, 2.0, 3.0], [1.0, 1e-18], [1.0, 1e-18, 1e-30], p=1)
    assert set(got.indices_y.tolist()) == {0, 1, 2}
    assert set(got.indices_x.tolist()) == {0, 1}


@given(st.lists(st.floats(-40, 0), min_size=2, max_size=8), st.lists(st.floats(-40, 0), min_size=2, max_size=8))
def test_weights_of_all_sizes_keep_a_closed_gap(first, second):
    a, b = 10.0 ** np.array(first), 10.0 ** np.array(second)
    x, y = np.arange(len(a), dtype=float), np.arange(len(b)) + 0.5
    got = Line().solve(x, y, a, b, 2)
    # Floating-point masses balance to one ulp of the total a point, and it may have to travel all the way.
    assert got.gap <= (len(a) + len(b)) * EPS * 64 + allowed(8, 8, 2) * EPS * 64
    np.testing.assert_allclose(got.to_dense().sum(axis=0), b / b.sum(), rtol=1e-12, atol=16 * EPS)


@pytest.mark.parametrize("p", [1.0, 2.0])
def test_a_million_points_have_a_closed_gap(p, rng):
    x, y = rng.normal(size=10**6), rng.normal(size=10**6 + 7) + 0.1
    got = Line().solve(x, y, rng.random(10**6), None, p)
    assert got.gap <= 1e-12 * got.cost
    assert len(got.masses) <= 2 * 10**6 + 6


def test_one_point_gives_to_all():
    got = Line().solve([1.0], [0.0, 3.0, 1.0], p=2)
    np.testing.assert_array_equal(got.to_dense(), [[1 / 3, 1 / 3, 1 / 3]])
    assert got.cost == pytest.approx(5 / 3, rel=1e-15)


def test_columns_integers_and_single_precision_are_points_on_the_line():
    one = Line().solve([0, 1], [[2], [4]], p=2)
    two = Line().solve(np.float32([0, 1]), [2.0, 4.0], p=2)
    assert one.cost == two.cost == (4 + 9) / 2


def test_the_coupling_says_how_it_was_found():
    got = Line().solve([0.0], [1.0], p=2)
    assert dict(got.info) == {"method": "line", "p": 2.0}
    assert (got.shape, got.lower, got.upper) == ((1, 1), 1.0, 1.0)


REFUSED: list[tuple[tuple[Any, ...], dict[str, Any], str]] = [
    (([], [0.0]), {}, "x is empty; a law needs at least one point"),
    (([0.0], [np.nan]), {}, r"y must be finite, but y\[0\] is nan"),
    (([[0.0, 1.0]], [0.0]), {}, r"x must be on the line, with shape \(n,\) or \(n, 1\), got \(1, 2\)"),
    (([0.0], [0.0]), {"p": math.inf}, "p must be finite for a coupling"),
    (([0.0], [0.0]), {"p": 0.9}, "p must be a number >= 1"),
    (([0.0], [0.0]), {"x_weights": [-1.0]}, r"x_weights must be non-negative, but x_weights\[0\] is -1"),
    (([0.0], [0.0]), {"y_weights": [1.0, 1.0]}, r"y_weights must have shape \(1,\), one weight a point, got \(2,\)"),
    (([0.0], [1e200]), {"p": 2}, r"leave the range of float64, as moves reach 2\*\*\d+; divide x and y by 2\.0\*\*"),
    (([0.0], [1e-200]), {"p": 2}, r"leave the range of float64, as moves reach 2\*\*-\d+"),
]


@pytest.mark.parametrize(("points", "options", "message"), REFUSED, ids=[case[2][:30] for case in REFUSED])
def test_what_makes_no_sense_is_refused(points, options, message):
    with pytest.raises(InvalidInput, match=message):
        Line().solve(*points, **options)


def test_costs_that_span_more_than_the_floats_are_refused():
    # The move of 1e-200 is to be compared with pairs 1e300 apart: at p = 4 that is 2000 orders of magnitude.
    with pytest.raises(NotConverged, match="the costs underflow at p = 4; use a smaller p"):
        Line().solve([0.0, 1e300], [1e-200, 1e300], p=4)
