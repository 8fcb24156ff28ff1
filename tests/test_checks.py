"""Conversion and validation of arguments: arrays of any origin, weights, levels, orders, seeds, threads."""

from __future__ import annotations

import array
import math
import os
from collections import OrderedDict
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from strategies import F, masses, read_only

import divkit
from divkit import InvalidInput, _checks
from divkit._array import as_float_array, is_array, to_numpy
from divkit._threads import parallel_map, workers

finite = st.floats(-1.7e308, 1.7e308)


@pytest.mark.parametrize(
    "value",
    [
        [1, 2],
        (1.0, 2.0),
        range(1, 3),
        array.array("d", [1, 2]),
        memoryview(np.array([1.0, 2.0])),
        np.array([1, 2], dtype=np.uint8),
        np.array([1.0, 2.0], dtype=">f8"),
        np.array([1.0, 2.0], dtype=np.longdouble),
        np.array([1.0, 0.0, 2.0])[::2],
        np.ma.array([1.0, 2.0]),
    ],
    ids=lambda v: type(v).__name__,
)
def test_numbers_of_any_origin_become_native_doubles(value: Any) -> None:
    converted = as_float_array("x", value)
    assert converted.dtype == np.float64
    assert converted.dtype.isnative
    np.testing.assert_array_equal(converted, [1.0, 2.0])
    assert is_array(value)


@pytest.mark.parametrize("value", ["12", b"12", bytearray(b"12"), 1.0, None, {1, 2}, {"a": 1}, iter([1])])
def test_what_is_no_sequence_of_numbers_is_no_array(value: object) -> None:
    assert not is_array(value)


def test_doubles_are_not_copied() -> None:
    x = np.ones(3)
    assert as_float_array("x", x) is x


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([[1], [1, 2]], "x must be a rectangular array of numbers"),
        (["1"], r"dtype is <U1; convert it first, for example np\.asarray\(x, dtype=float\)"),
        ([1 + 1j], "complex128"),
        ([None], "object"),
        ([Fraction(1, 2)], "object"),
        (np.array(["2020"], dtype="M8[D]"), "datetime64"),
        (np.ma.array([1.0, 2.0], mask=[False, True]), "x has 1 masked entries"),
        ([2**53 + 1], r"integers beyond 2\*\*53 \(from 9007199254740993 to 9007199254740993\)"),
        (np.array([-(2**63)]), "from -9223372036854775808"),
        (np.array([2**64 - 1], dtype=np.uint64), "subtract a common offset"),
        (OrderedDict(a=1), "object"),
    ],
)
def test_what_float64_cannot_hold_is_refused(value: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        as_float_array("x", value)


def test_integers_up_to_two_to_the_53_are_exact() -> None:
    assert as_float_array("x", [2**53, -(2**53)]).tolist() == [2.0**53, -(2.0**53)]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda t: t.tensor([1.0, 2.0], requires_grad=True), [1, 2]),
        (lambda t: t.tensor([1.0, 2.0], dtype=t.bfloat16), [1, 2]),
        (lambda t: t.tensor([1.0, 2.0], dtype=t.float16), [1, 2]),
        (lambda t: t.tensor([True, False]), [1, 0]),
        (lambda t: t.tensor([1 + 1j, 2j]).conj().imag, [-1, -2]),
        (lambda t: [t.tensor(1.0), t.tensor(2.0)], [1, 2]),
    ],
    ids=["grad", "bfloat16", "half", "bool", "conjugate view", "list"],
)
def test_tensors_of_every_kind_are_read(make: Any, expected: list[float]) -> None:
    torch = pytest.importorskip("torch")
    assert as_float_array("x", make(torch)).tolist() == expected


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda t: t.tensor([1.0, 0.0]).to_sparse(), r"x must be a dense tensor.*x\.to_dense\(\)"),
        (lambda t: t.zeros(2, device="meta"), "x must be a dense tensor with values"),
        (lambda t: t.tensor([1j]), "complex64"),
        (lambda t: [t.tensor(1.0, requires_grad=True)], "rectangular array of numbers, but: .*requires grad"),
    ],
    ids=["sparse", "meta", "complex", "list with grad"],
)
def test_tensors_without_plain_values_are_refused(make: Any, message: str) -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(InvalidInput, match=message):
        to_numpy("x", make(torch))


@given(x=arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 3)), elements=finite))
def test_all_finite_numbers_pass(x: F) -> None:
    _checks.check_finite("x", x)  # squares of the largest overflow on the way: that is no defect


@given(data=st.data(), bad=st.sampled_from([math.nan, math.inf, -math.inf]), n=st.integers(1, 6), d=st.integers(1, 3))
def test_the_first_bad_number_is_named(data: st.DataObject, bad: float, n: int, d: int) -> None:
    x = np.full((n, d), 1e300)
    i, j = data.draw(st.integers(0, n - 1)), data.draw(st.integers(0, d - 1))
    x[i, j] = x[n - 1, d - 1] = bad
    place = rf"x\[{i}\]" if d == 1 else rf"x\[\({i}, {j}\)\]"
    with pytest.raises(InvalidInput, match=f"x must be finite, but {place} is {bad}"):
        _checks.check_finite("x", x)


@pytest.mark.parametrize("d", [1, 3])
def test_the_remedy_for_missing_values_works_as_printed(d: int) -> None:
    x = np.where(np.arange(4 * d).reshape(4, d) == d, np.nan, 1.0)
    x = x[:, 0] if d == 1 else x
    with pytest.raises(InvalidInput) as caught:
        _checks.check_finite("x", x)
    remedy = str(caught.value).rpartition("for example ")[2]
    assert np.isfinite(eval(remedy, {"np": np, "x": x})).all()
    assert len(eval(remedy, {"np": np, "x": x})) == 3


@given(weights=st.integers(1, 8).flatmap(masses), power=st.integers(-1000, 1000))
def test_normalised_weights_sum_to_one_at_any_scale(weights: F, power: int) -> None:
    probs = divkit.normalize(weights)
    assert abs(math.fsum(probs) - 1) <= 4 * 2.0**-53  # half a rounding for each of 8 quotients below 1
    np.testing.assert_array_equal(probs == 0, weights == 0)
    np.testing.assert_allclose(divkit.normalize(np.ldexp(weights, power)), probs, rtol=4e-16)


@given(weights=st.integers(1, 30).flatmap(masses), data=st.data())
def test_normalising_does_not_depend_on_the_order(weights: F, data: st.DataObject) -> None:
    order = np.array(data.draw(st.permutations(range(len(weights)))))
    np.testing.assert_array_equal(divkit.normalize(weights[order]), divkit.normalize(weights)[order])


@pytest.mark.parametrize("weights", [[1.7e308, 1.7e308], [5e-324, 5e-324], [1e-310, 1e-310]])
def test_the_extremes_of_floats_are_normalised(weights: list[float]) -> None:
    assert divkit.normalize(weights).tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([], r"weights must be a non-empty one-dimensional array, got shape \(0,\)"),
        ([[1, 2]], r"got shape \(1, 2\)"),
        ([1, -1], r"weights must be non-negative, but weights\[1\] is -1"),
        ([1, math.nan], r"weights must be finite, but weights\[1\] is nan"),
        ([-1, math.inf], r"weights\[1\] is inf"),
        ([0, 0], "weights sums to 0; at least one weight must be positive"),
    ],
)
def test_weights_that_make_no_law_are_refused(weights: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        divkit.normalize(weights)


@pytest.mark.parametrize("level", [0, 1, -0.5, 95, math.nan, "0.95", None, True, [0.95]])
def test_a_level_lies_strictly_between_0_and_1(level: object) -> None:
    with pytest.raises(InvalidInput, match=r"level must be a number between 0 and 1, such as 0\.95, got"):
        _checks.check_level(level)


@pytest.mark.parametrize("level", [0.5, np.float32(0.5), np.float64(0.5), Fraction(1, 2)])
def test_levels_of_any_real_type_become_floats(level: Any) -> None:
    assert type(_checks.check_level(level)) is float
    assert _checks.check_level(level) == 0.5


@pytest.mark.parametrize("p", [1, 2.5, math.inf, np.int8(3)])
def test_orders_from_1_to_infinity_pass(p: Any) -> None:
    assert _checks.check_order(p) == p


@pytest.mark.parametrize("p", [0.999, -1, -math.inf, math.nan, True, "2", None, 1j])
def test_other_orders_are_refused(p: object) -> None:
    with pytest.raises(InvalidInput, match="p must be a number >= 1"):
        _checks.check_order(p)


@pytest.mark.parametrize("value", [3, np.int16(3)])
def test_integers_pass(value: Any) -> None:
    assert _checks.check_integer("n", value, 3) == 3


@pytest.mark.parametrize("value", [2, 3.0, "3", None, True])
def test_what_is_no_integer_from_the_minimum_on_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput, match="n must be an integer >= 3, got"):
        _checks.check_integer("n", value, 3)


def test_equal_seeds_give_equal_streams_and_a_generator_is_used_as_it_is() -> None:
    assert _checks.check_rng(7).random() == _checks.check_rng(np.int64(7)).random()
    generator = np.random.default_rng(7)
    assert _checks.check_rng(generator) is generator
    assert _checks.check_rng(None).random() != _checks.check_rng(None).random()


@pytest.mark.parametrize("rng", [-1, 1.0, "7", True, np.random, [1]])
def test_what_seeds_nothing_is_refused(rng: object) -> None:
    with pytest.raises(InvalidInput, match=r"rng must be None, a non-negative integer.*use np\.random\.default_rng"):
        _checks.check_rng(rng)


@pytest.mark.parametrize(
    ("own", "shared", "expected"),
    [("3", "1", 3), (None, "1", 1), (None, "1,4", 1), (None, "0", None), (None, "many", None), (None, None, None)],
)
def test_the_number_of_threads_comes_from_the_environment(
    own: str | None, shared: str | None, expected: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("DIVKIT_NUM_THREADS", own), ("OMP_NUM_THREADS", shared)):
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert workers() == (cores if expected is None else expected)


@pytest.mark.parametrize("value", ["0", "-1", "two", "", "1.5"])
def test_a_wrong_number_of_threads_is_an_error(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIVKIT_NUM_THREADS", value)
    with pytest.raises(InvalidInput, match="DIVKIT_NUM_THREADS must be a positive integer, got"):
        workers()


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_a_parallel_map_keeps_the_order(threads: int) -> None:
    assert parallel_map(lambda k: k * k, range(20), threads) == [k * k for k in range(20)]


def test_errors_in_threads_reach_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        parallel_map(lambda k: 1 // k, [1, 0], 2)


def test_inputs_of_the_checks_are_left_alone() -> None:
    weights = read_only([1e-310, 3e-310])
    divkit.normalize(weights)
    assert weights[1] == 3e-310
