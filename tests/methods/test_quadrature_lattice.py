"""Sums between laws on the integers, and the summation rule itself."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.stats as st
from hypothesis import given, settings
from hypothesis import strategies as hs

from divkit import NotConverged, Quadrature, estimate
from divkit.catalog import DIVERGENCES
from divkit.methods._summation import sum_range


def summed(P: Any, Q: Any, divergence: str) -> Any:
    return estimate(P, Q, divergence, Quadrature())


@given(a=hs.floats(0.01, 1e5), b=hs.floats(0.01, 1e5))
@settings(max_examples=25)
def test_poisson_laws_reproduce_kl(a: float, b: float) -> None:
    truth = a * math.log(a / b) + b - a
    value = summed(st.poisson(a), st.poisson(b), "kl")
    # The formula cancels terms of size a + b; log masses of size up to 1e6 are rounded.
    assert abs(value - truth) <= value.info["gap"] + 1e-15 * (a + b)
    assert value.info["gap"] <= 1e-9 * (1 + truth) + 1e-12 * (a + b)


@given(p=hs.floats(1e-6, 0.99), q=hs.floats(1e-6, 0.99))
def test_geometric_laws_reproduce_pearson_chi2_and_its_divergence(p: float, q: float) -> None:
    # sum p^2 (1-p)^2k / (q (1-q)^k) converges iff (1-p)^2 < 1 - q, i.e. q < p (2 - p)
    room = p * (2 - p) - q
    if abs(room) < 1e-9 * q:
        return
    value = summed(st.geom(p), st.geom(q), "pearson_chi2")
    if room < 0:
        assert value == math.inf
    else:
        truth = p**2 * (1 - q) / (q * room) - 1
        assert value == pytest.approx(truth, rel=1e-8 + 1e-15 / room, abs=1e-9)


@pytest.mark.parametrize(("a", "b"), [(3.0, 2.0), (2.0, 3.0), (1.5, 3.0)])
def test_power_tails_are_summed_to_infinity(a: float, b: float) -> None:
    # KL of zeta laws = log zeta(b)/zeta(a) + (b - a) E log k with E log k = -zeta'(a)/zeta(a)
    with mpmath.workdps(30):
        za, zb = mpmath.zeta(a), mpmath.zeta(b)
        truth = float(mpmath.log(zb / za) - (b - a) * mpmath.zeta(a, derivative=1) / za)
    value = summed(st.zipf(a), st.zipf(b), "kl")
    assert value == pytest.approx(truth, rel=1e-9)


def test_a_tail_that_is_nearly_harmonic_is_left_undecided() -> None:
    with pytest.raises(NotConverged, match="cannot be told whether the series converges") as caught:
        summed(st.zipf(1.2), st.zipf(1.1), "kl")
    assert 0.9 < caught.value.info["ratio"] < 1


def test_a_series_like_the_harmonic_one_diverges() -> None:
    # p^2/q = k^(2 (-2) + 3) up to constants
    assert summed(st.zipf(2), st.zipf(3), "pearson_chi2") == math.inf


def test_mass_where_the_model_has_none_costs_the_slope_at_infinity() -> None:
    assert summed(st.binom(5, 0.3), st.binom(3, 0.3), "kl") == math.inf


def test_total_variation_between_supports_of_different_size_is_a_finite_sum() -> None:
    p, q = st.binom(5, 0.3).pmf(np.arange(6)), st.binom(3, 0.3).pmf(np.arange(6))
    value = summed(st.binom(5, 0.3), st.binom(3, 0.3), "total_variation")
    assert value == pytest.approx(np.abs(p - q).sum() / 2, rel=1e-14)


def test_a_billion_integers_are_summed_from_a_few() -> None:
    value = summed(st.randint(0, 10**8), st.randint(0, 10**9), "kl")
    assert value == pytest.approx(math.log(10), rel=1e-12)
    assert value.info["terms"] < 20_000


@pytest.mark.parametrize("name", ["kl", "jsd", "total_variation", "neyman_chi2"])
def test_a_law_on_the_integers_is_singular_to_one_with_a_density(name: str) -> None:
    assert summed(st.poisson(3), st.norm(), name) == DIVERGENCES[name].upper  # type: ignore[union-attr]


@given(a=hs.floats(0.1, 1000), b=hs.floats(0.1, 1000))
def test_poisson_laws_are_apart_by_their_means(a: float, b: float) -> None:
    # Stochastic order makes W_1 the difference of the means.
    value = summed(st.poisson(a), st.poisson(b), "wasserstein1")
    assert abs(value - abs(a - b)) <= value.info["gap"] + 1e-13 * (a + b)


def test_the_first_order_needs_a_mean() -> None:
    assert summed(st.zipf(1.8), st.zipf(2.5), "wasserstein1") == math.inf


def test_masses_that_do_not_sum_to_one_are_refused() -> None:
    class Twice:
        dim, base, support = 1, "counting", (0.0, 3.0)

        def log_density(self, points: np.ndarray) -> np.ndarray:
            return np.full(len(points), math.log(0.5))

    with pytest.raises(NotConverged, match=r"sum to 2 and 1 instead of 1"):
        summed(Twice(), st.randint(0, 4), "kl")


@given(
    first=hs.integers(-(10**9), 10**9),
    count=hs.integers(1, 10**7),
    rate=hs.floats(-3, 3),
    degree=hs.integers(0, 6),
)
def test_sums_from_few_terms_agree_with_a_geometric_series_and_with_powers(
    first: int, count: int, rate: float, degree: int
) -> None:
    x = rate / count  # so that the terms vary by e^3

    def terms(k: np.ndarray) -> np.ndarray:
        t = (k - first) / count
        return np.stack([np.exp(rate * t), t**degree, np.zeros_like(t), np.zeros_like(t)])

    sums, _, looked = sum_range(terms, float(first), float(count), 2)
    geometric = count if x == 0 else math.expm1(rate) / math.expm1(x)
    # Rounding of k - first is nil below 2^53; the rule is good to 1e-12.
    assert sums[0] == pytest.approx(geometric, rel=1e-11)
    with mpmath.workdps(40):  # sum k^d = (B_{d+1}(n) - B_{d+1}(0)) / (d + 1)
        power = mpmath.bernpoly(degree + 1, count) - mpmath.bernpoly(degree + 1, 0)
        truth = float(power / (degree + 1) / mpmath.mpf(count) ** degree)
    assert sums[1] == pytest.approx(truth, rel=1e-11)
    assert looked < 20_000
