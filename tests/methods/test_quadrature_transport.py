"""W_p between laws on the line, against closed forms at all scales and in heavy tails."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats as st
from hypothesis import given, settings
from hypothesis import strategies as hs

from divkit import Discrete, InvalidInput, NotConverged, Quadrature, Unsupported, Wasserstein, as_measure, estimate
from divkit.datasets import GaussianMixture
from divkit.methods._transport_1d import wasserstein_laws


def w(P: Any, Q: Any, p: float = 1.0) -> Any:
    return estimate(P, Q, Wasserstein(p), Quadrature())


@given(shift=hs.floats(-5, 5), exponent=hs.integers(-290, 290), p=hs.sampled_from([1.0, 2.0, 3.5]))
def test_a_shift_costs_its_length_in_any_unit(shift: float, exponent: int, p: float) -> None:
    unit = 10.0**exponent
    # Rounding of loc + x, with x up to 40 scales where it matters, against a shift that may be small
    value = w(st.logistic(0, unit), st.logistic(shift * unit, unit), p)
    assert value == pytest.approx(abs(shift) * unit, rel=1e-10, abs=1e-14 * unit)


@given(m=hs.floats(-3, 3), s=hs.floats(0.1, 5))
def test_second_order_between_normal_laws_is_the_distance_of_their_parameters(m: float, s: float) -> None:
    assert w(st.norm(0, 1), st.norm(m, s), 2) == pytest.approx(math.hypot(m, s - 1), rel=1e-10, abs=1e-14)


@given(a=hs.floats(1.05, 5), b=hs.floats(1.05, 5))
def test_pareto_laws_are_apart_by_their_means(a: float, b: float) -> None:
    # One dominates the other, so W_1 = |E X - E Y| with E X = a / (a - 1)
    truth = abs(a / (a - 1) - b / (b - 1))
    assert w(st.pareto(a), st.pareto(b)) == pytest.approx(truth, rel=1e-9, abs=1e-12)


@given(m=hs.floats(-2, 2), s=hs.floats(0.2, 3), n=hs.floats(-2, 2), t=hs.floats(0.2, 3))
@settings(max_examples=25)
def test_the_triangle_inequality_and_symmetry_hold(m: float, s: float, n: float, t: float) -> None:
    laws = st.norm(0, 1), st.laplace(m, s), st.logistic(n, t)
    xy, yz, xz = w(laws[0], laws[1]), w(laws[1], laws[2]), w(laws[0], laws[2])
    assert xz <= (xy + yz) * (1 + 1e-9) + 1e-12
    assert abs(xy - w(laws[1], laws[0])) <= 2 * xy.info["gap"]


@given(m=hs.floats(-2, 2), s=hs.floats(0.2, 3))
@settings(max_examples=25)
def test_the_order_p_increases_the_distance(m: float, s: float) -> None:
    P, Q = st.norm(), st.laplace(m, s)
    one, two, four = (w(P, Q, p) for p in (1, 2, 4))
    assert one <= two * (1 + 1e-9) <= four * (1 + 2e-9)


@pytest.mark.parametrize("p", [1.0, 2.0])
def test_equal_laws_are_at_distance_zero(p: float) -> None:
    assert w(st.norm(3, 2), st.norm(3, 2), p) == 0


@pytest.mark.parametrize(
    ("P", "Q", "p"),
    [
        pytest.param(st.cauchy(), st.cauchy(0, 2), 1, id="difference of tails like 1/x"),
        pytest.param(st.pareto(1), st.pareto(1.2), 1, id="one mean missing"),
        pytest.param(st.pareto(2), st.pareto(4), 2, id="variance that diverges like a logarithm"),
        pytest.param(st.t(2), st.t(2, scale=3), 2, id="both variances missing"),
    ],
)
def test_missing_moments_give_inf(P: Any, Q: Any, p: float) -> None:
    assert w(P, Q, p) == math.inf


@pytest.mark.parametrize("p", [1.0, 2.0])
def test_shifted_cauchy_laws_are_as_far_apart_as_the_shift(p: float) -> None:
    assert w(st.cauchy(), st.cauchy(1), p) == pytest.approx(1.0, rel=1e-12)


def test_far_quantiles_that_contradict_the_distribution_function_are_not_believed() -> None:
    # W_2 of scaled laws is |s - 1| sd. The quantiles that scipy.stats gives for t(2.1) are off by 1e-5 far out.
    truth = 2 * math.sqrt(2.1 / 0.1)
    value = w(st.t(2.1), st.t(2.1, scale=3), 2)
    assert abs(value - truth) <= value.info["gap"] + 4e-16 * truth


def test_an_offset_of_1e8_costs_eight_digits_and_says_so() -> None:
    value = w(st.norm(1e8, 1), st.norm(1e8 + 3, 2), 2)
    assert abs(value - math.sqrt(10)) <= value.info["gap"] < 1e-6
    assert value.info["limited_by"] == "rounding"


def test_quantiles_that_jump_over_a_gap_agree_with_atoms() -> None:
    # Narrow components approach atoms: W_2 differs from that of the atoms by at most the component's width.
    mixture = GaussianMixture([0.25, 0.75], means=[-3.0, 4.0], covariances=[1e-8, 1e-8])
    truth = math.sqrt(0.25 * 9 + 0.75 * 16)
    assert w(mixture, st.norm(0, 1e-4), 2) == pytest.approx(truth, abs=2e-4)


def test_the_area_between_a_uniform_law_and_its_sample_quantiles_is_exact() -> None:
    # |F - G| of U(0, 1) and U(1/4, 3/4): two triangles of base 1/2 and height 1/4
    assert w(st.uniform(), st.uniform(0.25, 0.5)) == pytest.approx(0.125, rel=1e-12)


class Bare:
    dim = 1

    def log_density(self, points: np.ndarray) -> np.ndarray:
        return np.asarray(st.norm.logpdf(points[:, 0]))


class WithCdf(Bare):
    def cdf(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(st.norm.cdf(x))


def test_a_cdf_is_enough_for_the_first_order() -> None:
    assert w(WithCdf(), st.norm(2, 1)) == pytest.approx(2.0, rel=1e-10)


@pytest.mark.parametrize(
    ("P", "Q", "p", "reason"),
    [
        (Bare(), st.norm(), 1, r"Bare has no cdf; give it one: cdf\(x\), and sf\(x\)"),
        (WithCdf(), st.norm(), 2, "WithCdf has neither isf nor sf"),
        (st.norm(), st.norm(1), math.inf, "p = inf is a supremum"),
        (st.poisson(1), st.norm(), 1, "one law is on the integers and the other has a density"),
        (st.poisson(1), st.poisson(2), 2, "only W_1 is summed; truncate the laws to Discrete"),
        (st.multivariate_normal([0, 0]), st.multivariate_normal([1, 0]), 1, "the dimensions are 2 and 2"),
        (Discrete([1.0], [0.0]), st.norm(), 1, "needs two laws with densities"),
    ],
)
def test_what_cannot_be_computed_is_refused_with_a_reason(P: Any, Q: Any, p: float, reason: str) -> None:
    with pytest.raises(Unsupported, match=reason):
        w(P, Q, p)


def test_an_order_below_one_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"p must be a number >= 1, got 0\.5"):
        wasserstein_laws(as_measure(st.norm()), as_measure(st.norm(1)), 0.5)  # type: ignore[arg-type]


def test_a_quantile_function_that_is_not_finite_is_reported() -> None:
    class Holes(Bare):
        def quantile(self, t: np.ndarray) -> np.ndarray:
            return np.where((t > 0.2) & (t < 0.3), np.nan, st.norm.ppf(t))

        def isf(self, t: np.ndarray) -> np.ndarray:
            return np.asarray(st.norm.isf(t))

    with pytest.raises(NotConverged, match=r"a quantile function of Holes or scipy\.stats\.norm is not finite"):
        w(Holes(), st.norm(), 2)


@pytest.mark.parametrize("shift", [1e-300, 1e-100, 1e-20])
def test_a_shift_that_rounding_swallows_stays_inside_the_interval(shift: float) -> None:
    value = estimate(st.norm(0, 1), st.norm(shift, 1), Wasserstein(2.0), "quadrature")
    assert abs(value - shift) <= value.info["gap"] <= 1e-14
