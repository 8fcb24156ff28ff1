"""The fused f-divergence kernel: its coefficients derived anew, its single terms, and the defects it must report."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import F

from divkit._kernels import fdivergence as kernel

TERMS = 10
END = mp.mpf(1) / 9  # s^2 for the largest |s| = 1/3


def atanh_tail(w: mp.mpf) -> mp.mpf:
    """(atanh(s) - s)/s^3 at s = sqrt(w)."""
    s = mp.sqrt(w)
    return (mp.atanh(s) - s) / s**3


def entropy_tail(w: mp.mpf) -> mp.mpf:
    """((1+s) log(1+s) + (1-s) log(1-s) - s^2)/s^4 at s = sqrt(w)."""
    s = mp.sqrt(w)
    return ((1 + s) * mp.log(1 + s) + (1 - s) * mp.log(1 - s) - w) / w**2


def interpolant(function: object) -> list[mp.mpf]:
    """Power coefficients of the polynomial through the ten Chebyshev nodes of [0, 1/9]."""
    nodes = [END / 2 * (1 + mp.cos((2 * k + 1) * mp.pi / (2 * TERMS))) for k in range(TERMS)]
    powers = mp.matrix([[node**k for k in range(TERMS)] for node in nodes])
    values = mp.matrix([function(node) for node in nodes])  # type: ignore[operator]
    return list(mp.lu_solve(powers, values))


CASES = [("_A", atanh_tail, 7e-17), ("_E", entropy_tail, 1.1e-17)]


@pytest.mark.parametrize(("prefix", "function", "_"), CASES, ids=["atanh", "entropy"])
def test_the_coefficients_are_those_of_the_chebyshev_interpolant(prefix: str, function: object, _: float) -> None:
    with mp.workdps(60):
        expected = [float(c) for c in interpolant(function)]
    assert [getattr(kernel, f"{prefix}{k}") for k in range(TERMS)] == expected  # correctly rounded


@pytest.mark.parametrize(("prefix", "function", "error"), CASES, ids=["atanh", "entropy"])
def test_the_rounded_coefficients_are_as_accurate_as_stated(prefix: str, function: object, error: float) -> None:
    with mp.workdps(60):
        coefficients = [mp.mpf(getattr(kernel, f"{prefix}{k}")) for k in range(TERMS)]
        for k in range(1, 401):
            w = END * k / 400
            value = mp.fsum(c * w**j for j, c in enumerate(coefficients))
            assert abs(value - function(w)) <= error  # type: ignore[operator]


@pytest.mark.parametrize(("prefix", "function", "_"), CASES, ids=["atanh", "entropy"])
def test_the_compiled_polynomials_lose_one_rounding(prefix: str, function: object, _: float) -> None:
    compiled = kernel._atanh_tail if prefix == "_A" else kernel._entropy_tail
    with mp.workdps(60):
        for w in np.linspace(1e-9, 1 / 9, 200):
            exact = function(mp.mpf(float(w)))  # type: ignore[operator]
            # Horner on positive terms that fall by w <= 1/9 each: little more than the last addition rounds.
            assert abs(compiled(w) - exact) <= 3e-16 * exact


# The centred terms: each is >= 0, and over probability vectors the multiples of p - q add up to 0.
CENTRED = {
    "kl": lambda p, q: (p * mp.log(p / q) if p else 0) - p + q,
    "jeffreys": lambda p, q: (p - q) * mp.log(p / q),
    "jsd": lambda p, q: ((p * mp.log(2 * p / (p + q)) if p else 0) + (q * mp.log(2 * q / (p + q)) if q else 0)) / 2,
    "chi2": lambda p, q: (p - q) ** 2 / q,
    "squared_hellinger": lambda p, q: (mp.sqrt(p) - mp.sqrt(q)) ** 2,
    "total_variation": lambda p, q: abs(p - q) / 2,
}


def run(kind: str, p: F, q: F, scale: float = 1.0) -> F:
    out = np.empty((1, 4))
    zero = np.zeros(1, dtype=np.int64)
    kernel.sum_rows(kernel.KINDS[kind], p[None, :], q[None, :], zero, zero, np.full(1, scale), np.full(1, scale), out)
    return out[0]


def exact_term(kind: str, p: float, q: float) -> float:
    with mp.workdps(60):
        try:
            return 0.0 if p == q else float(CENTRED[kind](mp.mpf(p), mp.mpf(q)))  # type: ignore[no-untyped-call]
        except ZeroDivisionError:
            return math.inf


mass = (
    st.floats(0, 1)
    | st.floats(-40, 0).map(lambda e: 10.0**e)
    | st.floats(-324, -285).map(lambda e: 10.0**e)
    | st.sampled_from([0.0, 1.0, 5e-324, 2.0**-960])
)


def log_ratio(p: float, q: float) -> float:
    return abs(math.log(p) - math.log(q)) if p > 0 and q > 0 else 0.0


def accuracy(kind: str, p: float, q: float) -> float:
    """Absolute error that a term may have: relative to itself, or where p is far from q to the parts it is made of."""
    near = q / 2 <= p <= 2 * q
    if kind == "jsd" and not near:  # (p + q) log(1 + b) - min(p, q) |log(p/q)|
        return 4e-16 * (p + q + min(p, q) * log_ratio(p, q))
    if kind == "kl" and not near:  # p log(p/q) - (p - q)
        return 4e-16 * (p * log_ratio(p, q) + p + q)
    return 2e-15 * exact_term(kind, p, q)


@pytest.mark.parametrize("kind", kernel.KINDS)
@given(p=mass, q=mass)
def test_single_terms_agree_with_multiprecision(kind: str, p: float, q: float) -> None:
    value, truth = run(kind, np.array([p]), np.array([q]))[0], exact_term(kind, p, q)
    if math.isinf(truth):
        assert value == math.inf
        return
    # 2^-1073: the subnormal results have no relative accuracy.
    assert value == truth or abs(value - truth) <= accuracy(kind, p, q) + 2.0**-1073


@pytest.mark.parametrize("kind", kernel.KINDS)
@given(
    p=st.floats(1e-300, 1.0) | st.floats(-300, 0).map(lambda e: 10.0**e),
    step=st.floats(-0.6, 1.5),
    power=st.integers(0, 14),
)
def test_terms_keep_their_digits_near_equality(kind: str, p: float, step: float, power: int) -> None:
    q = p * (1 + step * 10.0**-power)
    value, truth = run(kind, np.array([p]), np.array([q]))[0], exact_term(kind, p, q)
    # Some ten roundings in products and in s; where p > 2q or q > 2p at most 1/20 of the parts remains.
    assert abs(value - truth) <= 4e-15 * truth + 2.0**-1073


@pytest.mark.parametrize("kind", kernel.KINDS)
@pytest.mark.parametrize("ratio", [0.5, 2.0, 1.0, 4.0, 2.0**52, 2.0**-900])
def test_nothing_jumps_where_the_formulas_change(kind: str, ratio: float) -> None:
    for q in (1.0, 0.7, 2.0**-30):
        for p in (ratio * q, np.nextafter(ratio * q, 0), np.nextafter(ratio * q, 1e300)):
            value, truth = run(kind, np.array([p]), np.array([q]))[0], exact_term(kind, p, q)
            assert value == pytest.approx(truth, rel=4e-15)  # as above


@pytest.mark.parametrize("kind", kernel.KINDS)
@pytest.mark.parametrize("n", [1, 2, 1023, 1024, 1025, 3000])
def test_blocks_of_any_length_add_up(kind: str, n: int, rng: np.random.Generator) -> None:
    p, q = rng.random((2, n)) / n
    q[::7] = p[::7]
    if n > 1024:
        p[1500 % n] = q[1501 % n] = 1e-310  # one block goes the slow way
    out = run(kind, p, q)
    expected = math.fsum(exact_term(kind, a, b) for a, b in zip(p.tolist(), q.tolist(), strict=True))
    # Sums of n non-negative terms in vector lanes: at most n/4 roundings in a row, sqrt(n) in practice.
    np.testing.assert_allclose(out[:3], [expected, p.sum(), q.sum()], rtol=1e-14)
    assert out[3] == 0


@pytest.mark.parametrize("bad", [-1e-300, -1.0, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("n", [3, 1100])
@pytest.mark.parametrize("side", ["p", "q"])
def test_every_bad_entry_leaves_a_defect(bad: float, n: int, side: str) -> None:
    vectors = {"p": np.full(n, 1 / n), "q": np.full(n, 1 / n)}
    for at in (0, n // 2, n - 1):
        changed = vectors[side].copy()
        changed[at] = bad
        assert run("kl", **{**vectors, side: changed})[3] != 0  # NaN is unequal to 0 as well


@pytest.mark.parametrize("kind", kernel.KINDS)
def test_scales_multiply_the_entries_but_not_the_plain_sums(kind: str, rng: np.random.Generator) -> None:
    p, q = rng.random((2, 40))
    half, plain = run(kind, p, q, 0.5), run(kind, 0.5 * p, 0.5 * q)
    assert half[0] == plain[0]
    np.testing.assert_array_equal(half[1:3], [run(kind, p, q)[k] for k in (1, 2)])


@pytest.mark.parametrize("kind", kernel.KINDS)
def test_float32_rows_are_computed_in_double(kind: str, rng: np.random.Generator) -> None:
    p, q = rng.random((2, 50)).astype(np.float32)
    assert run(kind, p, q)[0] == run(kind, p.astype(np.float64), q.astype(np.float64))[0]
