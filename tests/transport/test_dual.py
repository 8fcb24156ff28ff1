"""c-transforms, Lipschitz extensions and certified lower bounds, against brute force and exact transport."""

from __future__ import annotations

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transport_strategies import frozen, point_sets, weights

import divkit
from divkit import EMD, InvalidInput, Line
from divkit.transport import _pairs
from divkit.transport.dual import (
    LipschitzPotential,
    c_transform,
    certified_lower_bound,
    lipschitz_constant,
    mcshane_extension,
)

EPS = np.finfo(float).eps
ORDERS = [1.0, 1.5, 2.0, 3.0]
orders = pytest.mark.parametrize("p", ORDERS)


def costs(x, y, p=1.0):
    """|x - y|^p, (n, m), in extended precision, whose rounding is 2000 times smaller where there is such a type."""
    gaps = np.asarray(x, np.longdouble)[:, None, :] - np.asarray(y, np.longdouble)[None, :, :]
    return np.sqrt((gaps**2).sum(axis=-1)) ** np.longdouble(p)


def brute_transform(u, x, y, p=1.0):
    return (costs(x, y, p) - np.asarray(u, np.longdouble)[:, None]).min(axis=0)


def rounding(u, x, y, p=1.0):
    """The error that the docstring allows, with the largest cost and value, doubled for the rounding of the oracle."""
    top = float(costs(x, y, p).max())
    return EPS * ((p * (x.shape[1] + 2) / 2 + 10) * top + top + float(np.abs(u).max()))


@st.composite
def problems(draw):
    """x (n, d), y (m, d), a potential on x of any steepness, and weights."""
    x, y = draw(point_sets(count=2))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    u = rng.normal(size=len(x)) * draw(st.sampled_from([0.0, 0.1, 1.0, 100.0])) + draw(st.sampled_from([0.0, -7.0]))
    return frozen(u), x, y, draw(weights(len(x))), draw(weights(len(y)))


# c_transform


@given(problem=problems(), p=st.sampled_from(ORDERS))
def test_the_transform_is_the_minimum_over_all_pairs(problem, p):
    u, x, y, _, _ = problem
    np.testing.assert_allclose(
        c_transform(u, x, y, p), np.asarray(brute_transform(u, x, y, p), float), rtol=0, atol=rounding(u, x, y, p)
    )


@pytest.mark.parametrize("d", [1, 2, 5, 70])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (63, 3), (64, 1), (1023, 5), (1024, 5), (1025, 5), (4097, 3)])
def test_the_transform_is_right_at_the_edges_of_its_tiles(d, n, m, rng):
    x, y, u = rng.normal(size=(n, d)), rng.normal(size=(m, d)), rng.normal(size=n)
    np.testing.assert_allclose(
        c_transform(u, x, y), np.asarray(brute_transform(u, x, y), float), rtol=0, atol=rounding(u, x, y)
    )


@orders
@pytest.mark.parametrize("exponent", [-320, 320])
def test_the_transform_scales_exactly_with_powers_of_two(p, exponent, rng):
    x, y, u = rng.normal(size=(20, 3)), rng.normal(size=(30, 3)), rng.normal(size=20)
    unit = 2.0 ** (exponent * p)
    got = c_transform(u * unit, np.ldexp(x, exponent), np.ldexp(y, exponent), p)
    np.testing.assert_array_equal(got / unit, c_transform(u, x, y, p))


@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1e150, 1e300])
def test_the_transform_keeps_its_digits_at_extreme_scales(scale, rng):
    x, y, u = scale * rng.normal(size=(20, 3)), scale * rng.normal(size=(30, 3)), scale * rng.normal(size=20)
    shrunk = x / scale, y / scale
    expected = np.asarray(brute_transform(u / scale, *shrunk), float)
    # Dividing by the scale rounds each of the numbers once more, as much as the transform does.
    np.testing.assert_allclose(c_transform(u, x, y) / scale, expected, rtol=0, atol=2 * rounding(u / scale, *shrunk))


@orders
def test_an_offset_costs_the_transform_nothing(p, rng):
    x, y = (1e8 + np.ldexp(rng.integers(-1000, 1000, size=(k, 2)), -10) for k in (20, 30))  # multiples of 2^-10: exact
    u = rng.normal(size=20)
    np.testing.assert_array_equal(c_transform(u, x, y, p), c_transform(u, x - 1e8, y - 1e8, p))


def test_a_constant_column_is_without_effect_however_large(rng):
    x, y, u = rng.normal(size=(20, 2)), rng.normal(size=(30, 2)), rng.normal(size=20)
    wide = [np.column_stack([np.full(len(points), 1e300), points]) for points in (x, y)]
    np.testing.assert_array_equal(c_transform(u, *wide), c_transform(u, x, y))


def test_points_at_both_ends_of_the_floats_have_a_distance():
    assert c_transform([-1e308], [0.0], [7e307]) == 1.7e308
    assert c_transform([1.7e308], [-1.7e308], [1.7e308]) == 1.7e308


def test_the_smallest_floats_are_apart():
    np.testing.assert_array_equal(c_transform([0.0, -1.0], [0.0, 1e-322], [0.0, 5e-324]), [0.0, 5e-324])
    assert lipschitz_constant([0.0, 1e-323], [0.0, 5e-324]) == 2.0


def test_potentials_far_beyond_the_costs_win():
    np.testing.assert_array_equal(c_transform([1e300, -1e300], [0.0, 1e-150], [0.0, 1e-150]), [-1e300, -1e300])


def test_vectors_are_points_on_the_line():
    u, x, y = [0.0, 1.0], [0, 3], np.array([1, 2], np.float32)
    np.testing.assert_array_equal(c_transform(u, x, y), c_transform(u, [[0.0], [3.0]], [[1.0], [2.0]]))


@pytest.mark.parametrize("d", [1, 3])
def test_threads_do_not_change_a_bit(d, rng, monkeypatch):
    x, y, u = rng.normal(size=(1500, d)), rng.normal(size=(1400, d)), rng.normal(size=1500)
    used = []
    original = _pairs.parallel_map

    def counting(function, items, threads):
        used.append(threads)
        return original(function, items, threads)

    monkeypatch.setattr(_pairs, "parallel_map", counting)
    results = []
    for threads in ("1", "3"):
        monkeypatch.setenv("DIVKIT_NUM_THREADS", threads)
        results.append((*c_transform(u, x, y), lipschitz_constant(u, x)))
    assert used == [1, 1, 3, 3]
    np.testing.assert_array_equal(*results)


def test_no_matrix_of_all_pairs_is_made(rng):
    x, y, u = rng.normal(size=(3000, 2)), rng.normal(size=(3000, 2)), rng.normal(size=3000)
    certified_lower_bound(u[:9], x[:9], y[:9])  # loads the kernels
    tracemalloc.start()
    try:
        certified_lower_bound(u, x, y)
        lipschitz_constant(u, x)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Nine million pairs would be 72 MB; the points are 96 KB, and some ten arrays of their size are in use.
    assert peak < 2e6


# mcshane_extension and lipschitz_constant


@given(problem=problems(), lipschitz=st.sampled_from([0.0, 0.3, 1.0, 50.0]))
def test_the_extension_is_lipschitz_between_any_points(problem, lipschitz):
    u, x, y, _, _ = problem
    values = mcshane_extension(u, x, lipschitz)(y)
    gaps = np.asarray(costs(y, y), float)
    slack = 2 * rounding(u, x, y) * max(lipschitz, 1.0)  # of two values
    assert (np.abs(values[:, None] - values) <= lipschitz * gaps + slack).all()


@given(problem=problems())
def test_the_extension_agrees_with_a_potential_of_its_constant(problem):
    u, x, _, _, _ = problem
    x, first = np.unique(x, axis=0, return_index=True)
    u = u[first]
    steep = lipschitz_constant(u, x)
    # The constant is off by (d/2 + 4) EPS/2 relative, which counts on distances of up to 14.
    np.testing.assert_allclose(mcshane_extension(u, x, steep)(x), u, rtol=0, atol=20 * EPS * (14 * steep + 107))


@given(problem=problems())
def test_the_extension_of_a_steeper_potential_is_its_largest_lipschitz_minorant(problem):
    u, x, _, _, _ = problem
    below = mcshane_extension(u, x)(x)
    assert (below <= u).all()
    # Any 1-Lipschitz minorant g has g(x) <= g(x_i) + |x - x_i| <= u_i + |x - x_i|.
    np.testing.assert_allclose(below, np.asarray((costs(x, x) + u[:, None]).min(axis=0), float), atol=rounding(u, x, x))


@given(problem=problems())
def test_the_largest_slope_is_that_of_some_pair(problem):
    u, x, _, _, _ = problem
    gaps, rises = np.asarray(costs(x, x), float), np.abs(u[:, None] - u)
    apart = gaps > 0
    expected = math.inf if rises[~apart].any() else float(np.max(rises[apart] / gaps[apart], initial=0.0))
    assert lipschitz_constant(u, x) == pytest.approx(expected, rel=6 * EPS)  # (d/2 + 4)/2 eps for d <= 3


@pytest.mark.parametrize("n", [2, 1023, 1024, 1025, 1026, 2100])
@pytest.mark.parametrize("place", [0, -2])
def test_the_steepest_pair_is_found_wherever_it_is(n, place):
    x = np.arange(n, dtype=float)
    u = np.zeros(n)
    u[place] = 5.0
    assert lipschitz_constant(u, x) == 5.0


@pytest.mark.parametrize("x_exponent", [-1000, -500, 0, 500, 1000])
@pytest.mark.parametrize("u_exponent", [-500, 0, 500])
def test_the_largest_slope_is_exact_at_any_power_of_two(x_exponent, u_exponent):
    got = lipschitz_constant(np.ldexp([0.0, 1.0, 3.0], u_exponent), np.ldexp([0.0, 1.0, 2.0], x_exponent))
    with np.errstate(over="ignore", under="ignore"):
        assert got == np.ldexp(2.0, u_exponent - x_exponent)  # inf and 0 at the ends


def test_a_short_steep_step_is_seen_beside_a_long_way():
    assert lipschitz_constant([0.0, 1e-100, 1.0], [0.0, 1e-200, 1.0]) == pytest.approx(1e100, rel=4 * EPS)


@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1e150, 1e300])
@pytest.mark.parametrize("lipschitz", [1e-5, 1.0, 1e5])
def test_the_extension_is_right_at_any_scale(scale, lipschitz):
    f = mcshane_extension([0.0, 0.0], [0.0, scale], lipschitz)
    np.testing.assert_allclose(f([scale / 4, 3 * scale]) / lipschitz, [scale / 4, 2 * scale], rtol=6 * EPS)


def test_an_extension_is_closed_to_changes_from_outside(rng):
    x, u = rng.normal(size=(5, 2)), rng.normal(size=5)
    f, at = mcshane_extension(u, x), x.copy()
    before = f(at)
    x += 1
    u += 1
    np.testing.assert_array_equal(f(at), before)
    with pytest.raises(ValueError, match="read-only"):
        f.values[0] = 0.0


def test_an_extension_says_what_it_is():
    f = mcshane_extension([0, 1], [[0, 0], [1, 1]], 2)
    assert isinstance(f, LipschitzPotential)
    assert repr(f) == "LipschitzPotential(n=2, d=2, lipschitz=2)"


# certified_lower_bound


@given(problem=problems(), p=st.sampled_from(ORDERS))
def test_any_potential_gives_a_bound_below(problem, p):
    u, x, y, a, b = problem
    exact = EMD().solve(x, y, a, b, p=p)
    got = certified_lower_bound(u, x, y, a, b, p=p)
    assert got.interval[0] <= exact.cost ** (1 / p) * (1 + 2 * EPS)  # a correctly rounded sum, and a root
    assert got.interval[0] <= got


@orders
@pytest.mark.parametrize("d", [1, 2, 8])
def test_an_optimal_potential_gives_the_distance_itself(p, d, rng):
    x, y, a = rng.normal(size=(40, d)), rng.normal(size=(50, d)) + 0.5, rng.random(40)
    exact = EMD().solve(x, y, a, p=p)
    got = certified_lower_bound(exact.x_potential, x, y, a, p=p)
    truth = exact.cost ** (1 / p)
    assert got == pytest.approx(truth, rel=1e-12)
    # Sizes near 10 in units of W_p, p <= 3: the margin is some 30 eps of them.
    assert truth * (1 - 1e-12) < got.interval[0] < truth


@pytest.mark.parametrize("d", [1, 3])
def test_a_lower_end_never_passes_a_translation(d, rng):
    # W_p of a translation by v is |v| exactly, and points and shift on a grid make all sums exact: any excess shows.
    for _ in range(50):
        x = np.ldexp(rng.integers(-(2**20), 2**20, size=(12, d)), -20)
        v = np.ldexp(rng.integers(-(2**20), 2**20, size=d), -20)
        truth = math.sqrt(math.fsum(v * v))
        for p in (1.0, 2.0):
            u = -(x @ v) * (2.0 if p == 2.0 else 1 / max(truth, 1e-300))
            got = certified_lower_bound(u, x, x + v, p=p)
            assert got.interval[0] <= truth
            assert got == pytest.approx(
                truth, rel=1e-13, abs=1e-14
            )  # an optimal potential: |v| reached but for rounding


@given(problem=problems(), p=st.sampled_from(ORDERS))
def test_transforming_twice_never_lowers_the_dual_value(problem, p):
    u, x, y, a, b = problem
    a, b = divkit.normalize(a), divkit.normalize(b)
    heavy_x, heavy_y = a > 0, b > 0
    v = np.asarray(brute_transform(u[heavy_x], x[heavy_x], y[heavy_y], p), float)
    before = float(a[heavy_x] @ u[heavy_x] + b[heavy_y] @ v)
    got = certified_lower_bound(u, x, y, a, b, p=p)
    assert got.info["dual"] >= before - 4 * rounding(u, x, y, p)


@given(problem=problems(), p=st.sampled_from(ORDERS))
def test_points_without_mass_change_nothing(problem, p):
    u, x, y, a, b = problem
    all_points = certified_lower_bound(u, x, y, a, b, p=p)
    kept = certified_lower_bound(u[a > 0], x[a > 0], y[b > 0], a[a > 0], b[b > 0], p=p)
    assert float(all_points) == float(kept)
    assert all_points.interval == kept.interval


@orders
def test_equal_laws_are_never_apart(p, rng):
    x, a, order = rng.normal(size=(30, 2)), rng.random(30), rng.permutation(30)
    got = certified_lower_bound(100 * rng.normal(size=30), x, x[order], a, a[order], p=p)
    assert (float(got), got.interval) == (0.0, (0.0, math.inf))


def test_a_shift_of_the_potential_changes_only_rounding(rng):
    x, y, u = rng.normal(size=(20, 2)), rng.normal(size=(20, 2)), rng.normal(size=20)
    # u + 1000 is rounded at 1e-13
    assert certified_lower_bound(u + 1000, x, y) == pytest.approx(certified_lower_bound(u, x, y), abs=3e-13)


@orders
def test_a_duplicate_is_a_doubled_weight(p, rng):
    x, y, u = rng.normal(size=(10, 2)), rng.normal(size=(9, 2)), rng.normal(size=10)
    twice = certified_lower_bound(np.append(u, u[3]), np.vstack([x, x[3]]), y, p=p)
    a = np.ones(10)
    a[3] = 2
    assert twice == pytest.approx(certified_lower_bound(u, x, y, a, p=p), rel=1e-13, abs=1e-14)


@pytest.mark.parametrize("factor", [1e-200, 1e200])
def test_only_ratios_of_weights_matter(factor, rng):
    x, y, u, a = rng.normal(size=(10, 2)), rng.normal(size=(9, 2)) + 1, rng.normal(size=10), rng.random(10)
    assert certified_lower_bound(u, x, y, a * factor) == pytest.approx(certified_lower_bound(u, x, y, a), rel=1e-13)


@orders
@pytest.mark.parametrize("exponent", [-500, 500])
def test_bounds_scale_exactly_with_powers_of_two(p, exponent, rng):
    x, y = rng.normal(size=(10, 2)), rng.normal(size=(9, 2)) + 1
    one = certified_lower_bound(np.zeros(10), x, y, p=p)
    got = certified_lower_bound(np.zeros(10), np.ldexp(x, exponent), np.ldexp(y, exponent), p=p)
    assert float(got) == math.ldexp(one, exponent) > 0
    assert got.interval[0] == pytest.approx(math.ldexp(one.interval[0], exponent), rel=2 * EPS)


def test_an_offset_costs_the_bound_nothing(rng):
    x, y = (1e8 + np.ldexp(rng.integers(-1000, 1000, size=(k, 2)), -10) for k in (20, 30))
    u = rng.normal(size=20)
    assert float(certified_lower_bound(u, x, y)) == float(certified_lower_bound(u, x - 1e8, y - 1e8))


def test_on_the_line_the_bound_meets_the_other_method(rng):
    x, y = rng.normal(size=50), rng.normal(size=70) + 0.3
    f = Line().solve(x, y).x_potential
    assert certified_lower_bound(f, x, y) == pytest.approx(divkit.wasserstein1(x, y), rel=1e-13)


@pytest.fixture
def optimal(rng):
    """Two point sets in the plane, W_1 between them, and a critic that attains it."""
    x, y = rng.normal(size=(30, 2)), rng.normal(size=(40, 2))
    exact = EMD().solve(x, y)
    return x, y, exact.cost, mcshane_extension(-exact.y_potential, y)  # f = -v on y


def test_the_sign_is_that_of_the_supremum(optimal):
    x, y, distance, critic = optimal
    assert certified_lower_bound(critic, x, y) == pytest.approx(distance, rel=1e-12)
    assert certified_lower_bound(lambda z: -critic(z), x, y) < 0.99 * distance
    assert certified_lower_bound(lambda z: -critic(z), y, x) == pytest.approx(distance, rel=1e-12)


@pytest.mark.parametrize("right", ["x", "y"])
def test_a_critic_counts_from_the_better_side(right, optimal, rng):
    x, y, distance, critic = optimal

    def half_right(points: Any) -> Any:
        return critic(points) if len(points) == (30 if right == "x" else 40) else rng.normal(size=len(points))

    got = certified_lower_bound(half_right, x, y)
    assert got.info["side"] == right
    assert got == pytest.approx(distance, rel=1e-12)


def test_a_critic_reports_how_far_it_is_from_lipschitz():
    x, y = [3.0, 4.0], [0.0, 1.0]
    # 2 x: the worst pair is (4, 0), 8 - 4
    assert certified_lower_bound(lambda z: 2 * z[:, 0], x, y).info["violation"] == 4.0
    assert certified_lower_bound(lambda z: z[:, 0], x, y).info["violation"] == 0.0


def test_a_torch_critic_in_single_precision_is_a_critic(rng):
    torch = pytest.importorskip("torch")
    x, y = rng.normal(size=(20, 3)) + 1, rng.normal(size=(30, 3))
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
    got = certified_lower_bound(lambda z: net(torch.from_numpy(z).float())[:, 0], x, y)
    assert got.interval[0] <= divkit.wasserstein1(x, y)


def test_a_critic_cannot_change_the_points():
    x = frozen([[1.0], [2.0]])

    def vandal(points):
        points += 1
        return points[:, 0]

    certified_lower_bound(vandal, x, [[0.0]])
    np.testing.assert_array_equal(x, [[1.0], [2.0]])


def test_a_critic_sees_the_points_with_mass_alone():
    seen = []
    certified_lower_bound(lambda z: seen.append(z.tolist()) or z[:, 0], [1.0, 2.0], [0.0, 3.0], [0, 1], [1, 0])
    assert seen == [[[2.0]], [[0.0]]]


def test_the_bound_says_what_it_is():
    got = certified_lower_bound([0.0, 0.0], [0.0, 1.0], [5.0], p=2)
    assert (got.divergence, got.method, got.bound, got.estimand, got.level) == (
        "wasserstein2",
        "c_transform",
        "lower",
        "given",
        1.0,
    )
    assert (got.info["p"], got.info["n"], got.info["m"], got.info["side"]) == (2.0, 2, 1, "x")
    assert got.info["dual"] == pytest.approx(20.5, rel=1e-15)  # one point: (25 + 16)/2 whatever the potential
    assert got.interval[1] == math.inf


@pytest.mark.parametrize("p", [50.0, 1e300])
def test_high_orders_still_give_a_bound(p, rng):
    x, y = rng.normal(size=(10, 2)), rng.normal(size=(10, 2)) + 3
    got = certified_lower_bound(np.zeros(10), x, y, p=p)
    assert 0 <= got.interval[0] <= got <= divkit.wasserstein(x, y, p=math.inf)


REFUSED: list[tuple[Any, dict[str, Any], str]] = [
    (c_transform, {"potential": [0.0], "x": [0.0, 1.0], "y": [0.0]}, r"potential must have shape \(2,\), one value"),
    (c_transform, {"potential": [np.nan], "x": [0.0], "y": [0.0]}, r"potential must be finite, but potential\[0\]"),
    (c_transform, {"potential": [], "x": [], "y": [0.0]}, "x is empty; a law needs at least one point"),
    (c_transform, {"potential": [0.0], "x": [np.inf], "y": [0.0]}, r"x must be finite, but x\[0\] is inf"),
    (c_transform, {"potential": [0.0], "x": [[0.0, 1.0]], "y": [0.0]}, "same number of columns, got 2 and 1"),
    (c_transform, {"potential": [0.0], "x": [0.0], "y": [0.0], "p": 0.5}, "p must be a number >= 1"),
    (c_transform, {"potential": [0.0], "x": [0.0], "y": [0.0], "p": np.inf}, "p must be finite: W_inf has no dual"),
    (c_transform, {"potential": [0.0], "x": [0.0], "y": [1e200], "p": 2}, r"divide x and y by 2\.0\*\*\d+"),
    (c_transform, {"potential": [-1e308], "x": [-1e308], "y": [1e308]}, "the c-transform leaves the range of float64"),
    (mcshane_extension, {"potential": [0.0], "x": [0.0], "lipschitz": -1}, "lipschitz must be a finite number >= 0"),
    (mcshane_extension, {"potential": [0.0], "x": [0.0], "lipschitz": np.nan}, "lipschitz must be a finite number"),
    (mcshane_extension, {"potential": [0.0], "x": [0.0], "lipschitz": [1]}, r"lipschitz must .*, got \[1\]"),
    (lipschitz_constant, {"potential": [[0.0]], "x": [0.0]}, r"potential must have shape \(1,\), one value a point"),
    (certified_lower_bound, {"potential": [0.0, 1.0], "x": [0.0], "y": [0.0]}, r"potential must have shape \(1,\)"),
    (
        certified_lower_bound,
        {"potential": lambda z: z, "x": [0.0], "y": [0.0]},
        r"potential\(x\) must have shape \(1,\), one value a point, got \(1, 1\); for a column pass lambda",
    ),
    (
        certified_lower_bound,
        {"potential": lambda z: np.where(z[:, 0] > 0, np.nan, 0.0), "x": [0.0], "y": [1.0]},
        r"potential\(y\) must be finite, but potential\(y\)\[0\] is nan",
    ),
    (
        certified_lower_bound,
        {"potential": [0.0], "x": [0.0], "y": [0.0], "y_weights": [0]},
        "y_weights sums to 0; at least one weight must be positive",
    ),
    (
        certified_lower_bound,
        {"potential": [0.0], "x": [-1.7e308], "y": [1.7e308]},
        r"the bound of wasserstein1 is about 2\*\*\d+, beyond float64",
    ),
]


@pytest.mark.parametrize(("function", "arguments", "message"), REFUSED, ids=[case[2][:30] for case in REFUSED])
def test_what_makes_no_sense_is_refused(function, arguments, message):
    with pytest.raises(InvalidInput, match=message):
        function(**arguments)


def test_an_extension_refuses_points_of_another_dimension():
    with pytest.raises(InvalidInput, match="same number of columns, got 2 and 1"):
        mcshane_extension([0.0], [[0.0, 0.0]])([0.0])


def test_an_extension_refuses_values_beyond_the_floats():
    with pytest.raises(InvalidInput, match="range of float64"):
        mcshane_extension([0.0], [0.0], lipschitz=1e300)([1e300])
