"""W_p on the line: laws of a metric, independent computations, hostile numbers."""

from __future__ import annotations

import itertools
import math

import numpy as np
import oracles
import pytest
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import F, masses, point_sets, read_only

import divkit
from divkit import exact
from divkit._kernels import quantile
from divkit._wasserstein_1d import _sort_atoms

ORDERS = [1.0, 1.5, 2.0, 3.0, math.inf]
orders = st.sampled_from(ORDERS)
# One rounding a difference, a pairwise mean, a power and a root: a few times 2.2e-16.
RELATIVE = 1e-13


def w(x: F, y: F, a: F | None = None, b: F | None = None, p: float = 1.0) -> float:
    return float(exact.wasserstein(x, y, a, b, p=p))


@st.composite
def weighted(draw: st.DrawFn) -> tuple[F, F]:
    points = draw(point_sets(1, 8))[:, 0]
    return points, draw(masses(len(points)))


@given(first=weighted(), second=weighted(), p=orders)
def test_agrees_with_quantile_functions(first: tuple[F, F], second: tuple[F, F], p: float) -> None:
    (x, a), (y, b) = first, second
    # The oracle's levels are plain cumulative sums: off by 1e-16 a step, which p = inf and its threshold ignore.
    assert w(x, y, a, b, p) == pytest.approx(oracles.line(x, y, a, b, p), rel=1e-9, abs=1e-9)


@given(x=point_sets(1, 8), y=point_sets(1, 8), p=orders)
def test_equal_weights_agree_with_explicit_ones(x: F, y: F, p: float) -> None:
    x, y = x[:, 0], y[:, 0]
    explicit = w(x, y, np.ones(len(x)), np.full(len(y), 7.0), p)
    # Equal levels of different rounding may leave a sliver of mass 1e-16 on a gap of 20: (1e-16)^(1/3) * 20 at p = 3.
    assert w(x, y, p=p) == pytest.approx(explicit, rel=1e-9, abs=2e-4 if 1 < p < math.inf else 1e-12)


@pytest.mark.parametrize("p", ORDERS)
@given(data=st.data())
def test_agrees_with_all_matchings(p: float, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 6))
    x, y = (np.array(data.draw(st.lists(st.integers(-4, 4), min_size=n, max_size=n)), dtype=float) for _ in range(2))
    assert w(x, y, p=p) == pytest.approx(oracles.assignment(x[:, None], y[:, None], p), rel=RELATIVE, abs=1e-15)


def test_agrees_with_scipy_on_large_samples(rng: np.random.Generator) -> None:
    x, y = rng.standard_normal(5000), rng.standard_cauchy(4000)
    a, b = rng.random(5000), rng.random(4000)
    # SciPy's plain cumulative sums over 9000 levels carry about sqrt(9000) roundings of the range of the points.
    slack = 1e-13 * (y.max() - y.min())
    assert abs(w(x, y) - scipy.stats.wasserstein_distance(x, y)) <= slack
    assert abs(w(x, y, a, b) - scipy.stats.wasserstein_distance(x, y, a, b)) <= slack


@given(first=weighted(), second=weighted(), third=weighted(), p=orders)
def test_is_a_metric(first: tuple[F, F], second: tuple[F, F], third: tuple[F, F], p: float) -> None:
    (x, a), (y, b), (z, c) = first, second, third
    assert w(x, x, a, a, p) == 0
    assert w(x, y, a, b, p) == pytest.approx(w(y, x, b, a, p), rel=1e-9, abs=1e-9)
    slivers = 1e-3 if 1 < p < math.inf else 1e-9  # rounded levels: see above
    assert w(x, z, a, c, p) <= w(x, y, a, b, p) + w(y, z, b, c, p) + slivers


@given(first=weighted(), second=weighted())
def test_lies_above_the_mean_gap_and_below_the_range(first: tuple[F, F], second: tuple[F, F]) -> None:
    (x, a), (y, b) = first, second
    value, gap = w(x, y, a, b), abs(np.average(x, weights=a) - np.average(y, weights=b))
    assert gap - 1e-12 <= value <= max(x.max(), y.max()) - min(x.min(), y.min()) + 1e-12


@given(first=weighted(), second=weighted(), p=orders, c=st.sampled_from([1e-300, 1e-8, 2.0, -3.0, 1e8, 1e300]))
def test_scales_with_the_points(first: tuple[F, F], second: tuple[F, F], p: float, c: float) -> None:
    (x, a), (y, b) = first, second
    x, y = np.round(x), np.round(y)
    # Rescaled points carry a rounding of their own, up to 10 eps |c| where they nearly cancel.
    assert w(c * x, c * y, a, b, p) == pytest.approx(abs(c) * w(x, y, a, b, p), rel=1e-9, abs=1e-13 * abs(c))


@given(first=weighted(), second=weighted(), p=orders)
def test_an_offset_changes_nothing(first: tuple[F, F], second: tuple[F, F], p: float) -> None:
    (x, a), (y, b) = (np.round(first[0]), first[1]), (np.round(second[0]), second[1])
    assert w(x + 1e8, y + 1e8, a, b, p) == w(x, y, a, b, p)  # integers: the shifted differences are exact


@given(first=weighted(), v=st.integers(-50, 50), p=orders)
def test_a_translation_costs_its_length(first: tuple[F, F], v: int, p: float) -> None:
    x, a = np.round(first[0]), first[1]
    assert w(x, x + v, a, a, p) == pytest.approx(abs(v), rel=1e-12)


@given(first=weighted(), second=weighted(), z=st.floats(-1e3, 1e3), p=orders)
def test_points_of_zero_weight_change_nothing(first: tuple[F, F], second: tuple[F, F], z: float, p: float) -> None:
    (x, a), (y, b) = first, second
    assert w(np.append(x, z), y, np.append(a, 0.0), b, p) == pytest.approx(w(x, y, a, b, p), rel=1e-12, abs=1e-12)


@given(x=point_sets(1), y=point_sets(1), k=st.integers(2, 3), p=orders)
def test_duplicates_are_weight(x: F, y: F, k: int, p: float) -> None:
    x, y = x[:, 0], y[:, 0]
    weights = np.ones(len(x))
    weights[0] = k
    repeated = np.append(x, np.full(k - 1, x[0]))
    slivers = 2e-4 if 1 < p < math.inf else 1e-12  # as above
    assert w(repeated, y, p=p) == pytest.approx(w(x, y, weights, None, p), rel=1e-9, abs=slivers)


@given(first=weighted(), second=weighted())
def test_grows_with_its_order(first: tuple[F, F], second: tuple[F, F]) -> None:
    (x, a), (y, b) = first, second
    values = [w(x, y, a, b, p) for p in ORDERS]
    assert all(low <= high * (1 + 1e-9) + 1e-9 for low, high in itertools.pairwise(values))


@pytest.mark.parametrize("p", ORDERS)
def test_collapse_to_a_point_is_the_norm_of_the_distances(p: float, rng: np.random.Generator) -> None:
    x = rng.standard_normal(1001)
    expected = np.abs(x).max() if p == math.inf else (np.abs(x) ** p).mean() ** (1 / p)
    assert w(x, np.zeros(1), p=p) == pytest.approx(expected, rel=RELATIVE)


@pytest.mark.parametrize("p", ORDERS)
def test_the_largest_floats_do_not_overflow(p: float) -> None:
    half = w(np.array([-1.7e308, 1.7e308]), np.array([1.7e308]), p=p)  # half of the mass moves by 3.4e308
    assert half == pytest.approx(1.7e308) if p == 1 else half == math.inf
    assert w(np.array([1e308, -1e308]), np.array([-1e308, 1e308]), p=p) == 0
    assert w(np.full(4, 1.5e308), np.full(4, 1e307), p=p) == pytest.approx(1.4e308)
    assert w(np.full(4, 1.5e308), np.full(3, 1e307), p=p) == pytest.approx(1.4e308)


def test_subnormal_points_keep_their_distance() -> None:
    assert w(np.array([5e-324]), np.array([0.0])) == 5e-324


@pytest.mark.parametrize(
    "make",
    [
        lambda rng: rng.standard_normal(20_000),
        lambda rng: rng.standard_normal(20_000) + 1e8,
        lambda rng: rng.standard_cauchy(20_000),
        lambda rng: rng.integers(0, 40, 20_000).astype(float),
        lambda rng: np.append(rng.standard_normal(20_000), 1e12),
        lambda rng: np.append(rng.integers(0, 3, 20_000) * 1e-9, [1.0, -1.0]),
        lambda rng: np.full(5000, 3.25),
        lambda rng: np.append(np.full(5000, 0.0), 5e-324),
        lambda rng: np.concatenate([rng.standard_normal(30) * 1e-12 + k for k in range(200)]),
        lambda rng: np.concatenate([rng.standard_normal(300) * 1e-12 + k for k in range(20)]),
    ],
    ids=["normal", "offset", "cauchy", "ties", "outlier", "cells", "constant", "subnormal", "many-runs", "long-runs"],
)
def test_sorting_atoms_keeps_points_and_masses_together(make: object, rng: np.random.Generator) -> None:
    points = make(rng)  # type: ignore[operator]
    mass = np.arange(1.0, len(points) + 1)
    x, moved = _sort_atoms((points, mass / mass.sum()))
    np.testing.assert_array_equal(x, np.sort(points))
    index = np.round(moved * mass.sum()).astype(int) - 1
    np.testing.assert_array_equal(points[index], x)
    np.testing.assert_array_equal(np.sort(index), np.arange(len(points)))


def test_compensated_levels_beat_plain_sums(rng: np.random.Generator) -> None:
    x = np.sort(rng.random(200_000))
    a = rng.random(200_000)
    a /= math.fsum(a)
    order = np.argsort(x + 1e-9)
    # Both laws are one law with its masses written in two ways; only rounding can separate them.
    b = a[order] * (1 + 2.0**-52)
    assert quantile.area_between_weighted(x, x, a, b) < 1e-15


@pytest.mark.parametrize("p", ORDERS)
def test_rows_agree_with_single_calls(p: float, rng: np.random.Generator) -> None:
    x, y, z = rng.standard_normal((3, 4, 6)), rng.standard_normal((4, 6)), rng.standard_normal(5)
    rows = exact.wasserstein(read_only(x), read_only(y), p=p)
    np.testing.assert_allclose(rows, [[w(a, b, p=p) for a, b in zip(r, y, strict=True)] for r in x], rtol=1e-14)
    unequal = exact.wasserstein(x, z, p=p)
    np.testing.assert_array_equal(unequal, [[w(a, z, p=p) for a in r] for r in x])
    np.testing.assert_array_equal(exact.wasserstein(np.moveaxis(x, -1, 0), y.T, p=p, axis=0), rows)


def test_rows_survive_the_largest_floats() -> None:
    rows = exact.wasserstein([[1.5e308, 1.5e308], [0.0, 1.0]], [[-1.5e307, -1.5e307], [0.0, 2.0]])
    np.testing.assert_allclose(rows, [1.65e308, 0.5])


@pytest.mark.parametrize("threads", ["1", "2"])
def test_large_samples_do_not_depend_on_threads(
    threads: str, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    x, y = rng.standard_normal((2, 600_000))  # more than the size from which threads are used
    monkeypatch.setenv("DIVKIT_NUM_THREADS", threads)
    assert w(x, y) == float(np.abs(np.sort(x) - np.sort(y)).mean())


@pytest.mark.parametrize("kind", [np.int64, np.int8, np.uint8, np.float32, np.float16, bool])
def test_other_number_types_are_computed_in_double(kind: type) -> None:
    assert w(np.array([0, 1], dtype=kind), np.array([1, 1], dtype=kind)) == 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], [1.0]), "x is empty"),
        (([1.0], []), "y is empty"),
        (([1.0, math.nan], [1.0]), r"x must be finite, but x\[1\] is nan"),
        (([1.0], [1.0, -math.inf]), r"y must be finite, but y\[1\] is -inf"),
        (([1.0], [1.0], [math.nan], [1.0]), "x_weights must be finite"),
        (([1.0, 2.0], [1.0], [1.0]), r"x_weights must have shape \(2,\)"),
        (([1.0], [1.0], [-1.0]), "x_weights must be non-negative"),
        (([1.0], [1.0], None, [0.0]), "y_weights sums to 0"),
        (([[1.0], [math.nan]], [1.0]), "x must be finite"),
        (([[1.0]] * 2, [[1.0]] * 3), "leading axes that broadcast"),
        ((1.0, [1.0]), "no axis -1"),
        (([1 << 60], [0]), "beyond 2"),
        (([1j], [0]), "real numbers"),
        (([[1], [1, 2]], [0]), "rectangular"),
    ],
)
def test_bad_input_is_refused(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(divkit.InvalidInput, match=message):
        exact.wasserstein(*arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("p", [0.5, math.nan, "1", None, True])
def test_bad_orders_are_refused(p: object) -> None:
    with pytest.raises(divkit.InvalidInput, match="p must be a number >= 1"):
        exact.wasserstein([0.0], [1.0], p=p)  # type: ignore[arg-type]


@given(first=weighted(), second=weighted())
def test_inputs_are_left_alone(first: tuple[F, F], second: tuple[F, F]) -> None:
    assume(len(first[0]) > 1)
    copies = [v.copy() for v in (*first, *second)]
    w(first[0], second[0], first[1], second[1])
    w(first[0], second[0], p=2.0)
    for now, before in zip((*first, *second), copies, strict=True):
        np.testing.assert_array_equal(now, before)
