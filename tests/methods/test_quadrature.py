"""Quadrature of 1-D laws with densities: closed forms, laws of divergences, divergence to inf."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.stats as st
from hypothesis import given, settings
from hypothesis import strategies as hs
from scipy.special import betaln, digamma, gammaln

import divkit
from divkit import Quadrature, estimate
from divkit.catalog import DIVERGENCES
from divkit.datasets import GaussianMixture
from divkit.divergences import FDivergence

F_DIVERGENCES = [div for div in DIVERGENCES.values() if isinstance(div, FDivergence) and div.name != "gan"]


def quadrature(P: Any, Q: Any, divergence: Any, **settings: Any) -> divkit.Estimate:
    return estimate(P, Q, divergence, Quadrature(**settings))


def within(value: divkit.Estimate, truth: float) -> bool:
    """Whether the truth, itself rounded to a few units in the last place, is in the certified interval."""
    assert value.interval is not None
    slack = 4e-15 * abs(truth)
    return bool(value.interval[0] - slack <= truth <= value.interval[1] + slack)


def beta_kl(a: float, b: float, c: float, d: float) -> float:
    shift = (a - c) * digamma(a) + (b - d) * digamma(b) + (c - a + d - b) * digamma(a + b)
    return float(betaln(c, d) - betaln(a, b) + shift)


class Bare:
    """A standard law of one dimension that offers nothing but its log density and, on request, a few attributes."""

    dim = 1

    def __init__(self, law: Any, **attributes: Any) -> None:
        self.law = law
        self.__dict__.update(attributes)

    def log_density(self, points: np.ndarray) -> np.ndarray:
        return np.asarray(self.law.logpdf(points[:, 0]))


means, scales = hs.floats(-3, 3), hs.floats(0.3, 3)
shapes = hs.floats(0.2, 5)


@given(m=means, s=scales, n=means, t=scales)
@settings(max_examples=25)
def test_normal_laws_reproduce_kl_and_hellinger(m: float, s: float, n: float, t: float) -> None:
    kl = math.log(t / s) + (s**2 + (m - n) ** 2) / (2 * t**2) - 0.5
    overlap = math.sqrt(2 * s * t / (s**2 + t**2)) * math.exp(-((m - n) ** 2) / (4 * (s**2 + t**2)))
    value = quadrature(st.norm(m, s), st.norm(n, t), "kl")
    # Both closed forms cancel near equality, where their rounding is that of 1.
    assert value == pytest.approx(kl, rel=1e-10, abs=1e-15)
    assert quadrature(st.norm(m, s), st.norm(n, t), "squared_hellinger") == pytest.approx(
        2 - 2 * overlap, rel=1e-10, abs=1e-15
    )


@given(s=hs.floats(0.2, 3))
def test_normal_chi2_is_finite_exactly_where_twice_the_model_variance_exceeds_the_data_variance(s: float) -> None:
    value = quadrature(st.norm(0, 1), st.norm(0, s), "pearson_chi2")
    v = 2 * s**2 - 1
    if v <= 0:
        assert value == math.inf
    else:
        # 1 + chi2 = s^2 / sqrt(v), which loses eps / v to the rounding of v
        assert value == pytest.approx(s**2 / math.sqrt(v) - 1, rel=1e-10 + 1e-15 / v, abs=1e-15)


@given(a=shapes, b=shapes, c=shapes, d=shapes)
@settings(max_examples=25)
def test_beta_laws_with_singular_ends_reproduce_kl(a: float, b: float, c: float, d: float) -> None:
    truth = beta_kl(a, b, c, d)
    value = quadrature(st.beta(a, b), st.beta(c, d), "kl", rtol=1e-9)
    # The closed form is a sum of terms up to 50 whose rounding does not cancel.
    assert value == pytest.approx(truth, rel=1e-9, abs=1e-13)


@given(a=hs.floats(0.01, 20), b=hs.floats(0.01, 20))
@settings(max_examples=25)
def test_gamma_laws_down_to_tiny_shapes_reproduce_kl(a: float, b: float) -> None:
    truth = float((a - b) * digamma(a) - gammaln(a) + gammaln(b))
    # digamma(0.01) is about -100: terms up to 2000, rounded
    assert quadrature(st.gamma(a), st.gamma(b), "kl") == pytest.approx(truth, rel=1e-9, abs=1e-12)


@given(m=means, s=scales, exponent=hs.integers(-290, 290))
@settings(max_examples=25)
def test_the_units_of_x_do_not_matter(m: float, s: float, exponent: int) -> None:
    unit = 10.0**exponent
    # Chyzak and Nielsen (2019): KL of Cauchy laws is log(((s + t)^2 + (m - n)^2) / (4 s t))
    truth = math.log(((1 + s) ** 2 + m**2) / (4 * s))
    value = quadrature(st.cauchy(0, unit), st.cauchy(m * unit, s * unit), "kl")
    assert value == pytest.approx(truth, rel=1e-9, abs=1e-14)


@given(m=means, s=scales)
@settings(max_examples=10)
def test_exchanging_the_laws_reverses_every_divergence(m: float, s: float) -> None:
    P, Q = st.norm(0, 1), st.laplace(m, s)
    for div in F_DIVERGENCES:
        forward, backward = quadrature(P, Q, div), quadrature(Q, P, div.reverse())
        # Two quadratures, each to its own certified error
        assert forward == backward or abs(forward - backward) <= forward.info["gap"] + backward.info["gap"]


@given(m=means, s=scales)
@settings(max_examples=15)
def test_the_classical_inequalities_hold(m: float, s: float) -> None:
    P, Q = st.norm(m, 1), st.logistic(0, s)
    tv, h2, kl, chi2 = (
        quadrature(P, Q, name) for name in ("total_variation", "squared_hellinger", "kl", "pearson_chi2")
    )
    assert h2 / 2 <= tv + 1e-10
    assert tv <= math.sqrt(h2) + 1e-10
    assert 2 * tv**2 <= kl * (1 + 1e-9)  # Pinsker
    assert kl <= math.log1p(chi2) * (1 + 1e-9)


@pytest.mark.parametrize("div", F_DIVERGENCES, ids=lambda div: div.name)
@pytest.mark.parametrize(
    "law", [st.norm(1e8, 1), st.beta(0.5, 0.5), st.gamma(0.1), st.t(1), st.uniform()], ids=lambda law: law.dist.name
)
def test_equal_laws_are_at_distance_zero(div: FDivergence, law: Any) -> None:
    assert quadrature(law, law, div) == 0


@pytest.mark.parametrize("div", F_DIVERGENCES, ids=lambda div: div.name)
def test_disjoint_supports_cost_the_upper_limit(div: FDivergence) -> None:
    value = quadrature(st.uniform(0, 1), st.uniform(2, 1), div)
    assert value == pytest.approx(div.upper, rel=1e-12)


@pytest.mark.parametrize(
    ("P", "Q", "name"),
    [
        pytest.param(st.t(2), st.norm(), "kl", id="second moment that diverges like a logarithm"),
        pytest.param(st.norm(), st.cauchy(), "reverse_kl", id="infinite second moment"),
        pytest.param(st.expon(), st.expon(scale=0.5), "pearson_chi2", id="constant p^2/q"),
        pytest.param(st.norm(), st.norm(0, math.sqrt(0.5)), "pearson_chi2", id="flat p^2/q"),
        pytest.param(st.dgamma(2), st.norm(), "neyman_chi2", id="1/|x| at 0"),
        pytest.param(st.dgamma(2, loc=1 / 3), st.norm(), "neyman_chi2", id="1/|x - 1/3| at 1/3"),
        pytest.param(st.uniform(), st.beta(2, 1), "pearson_chi2", id="1/x at the end of the support"),
        pytest.param(st.uniform(), st.beta(1, 2), "pearson_chi2", id="1/(1 - x) at the end of the support"),
        pytest.param(st.expon(1), st.expon(), "reverse_kl", id="mass where p is 0"),
        pytest.param(st.norm(), st.uniform(), "kl", id="mass where q is 0"),
    ],
)
def test_a_divergent_integral_is_inf_and_says_where(P: Any, Q: Any, name: str) -> None:
    value = quadrature(P, Q, name)
    assert (float(value), value.interval) == (math.inf, (math.inf, math.inf))
    assert value.info["diverges"]


def test_a_tail_on_the_finite_side_of_divergence_is_summed_to_the_end() -> None:
    # KL = E log p - E log q, E log q = -log(2 pi)/2 - Var/2 with Var = v/(v - 2) = 21, and the entropy of t_v is
    # (v+1)/2 (digamma((v+1)/2) - digamma(v/2)) + log(sqrt(v) B(v/2, 1/2)).
    v = 2.1
    entropy = (v + 1) / 2 * (digamma((v + 1) / 2) - digamma(v / 2)) + 0.5 * math.log(v) + betaln(v / 2, 0.5)
    truth = -entropy + 0.5 * math.log(2 * math.pi) + 21 / 2
    assert quadrature(st.t(v), st.norm(), "kl") == pytest.approx(truth, rel=1e-10)


def test_power_tails_beyond_the_range_of_floats_are_continued() -> None:
    # Pareto(0.01): 3 % of its mass lies beyond 1e150
    value = quadrature(st.pareto(0.01), st.pareto(0.02), "kl")
    assert within(value, 1 - math.log(2))
    assert value.info["gap"] < 1e-9


def test_an_essential_singularity_away_from_zero_is_no_power_law() -> None:
    # exp(-1/(x + 10)) at -10. With y = 1/(x + 10) these are gamma laws of rates 1 and b: KL = a (b - 1 - log b).
    value = quadrature(st.invgamma(3, loc=-10), st.invgamma(3, loc=-10, scale=1.3), "kl")
    assert within(value, 3 * (0.3 - math.log(1.3)))


def test_a_support_that_ends_before_its_law_says_is_noticed() -> None:
    # s (1 - E) with E exponential, s = 1 and 1.3; scipy.stats reports the whole line as support.
    P, Q = st.pearson3(-2), st.pearson3(-2, scale=1.3)
    assert within(quadrature(P, Q, "kl"), math.log(1.3))
    assert quadrature(Q, P, "kl") == math.inf


def test_an_interior_pole_is_found() -> None:
    # With p = x^(a-1) e^-x / (2 Gamma(a)) against the Laplace law, E_Q u^2 = Gamma(2a - 1) / Gamma(a)^2.
    a = 0.6
    value = quadrature(st.dgamma(a, loc=0.3), st.laplace(0.3), "pearson_chi2")
    truth = math.gamma(2 * a - 1) / math.gamma(a) ** 2 - 1
    assert within(value, truth)
    assert value.info["gap"] < 1e-9


def test_a_kink_next_to_the_end_of_a_panel_is_seen() -> None:
    # TV of N(m, 1) and N(0, 1) is erf(m / (2 sqrt 2)); the kink at m/2 wanders through all positions in its panel.
    for m in np.linspace(0.3, 0.9, 60):
        assert within(quadrature(st.norm(m, 1), st.norm(), "total_variation"), math.erf(m / math.sqrt(8)))


@pytest.mark.parametrize("weight", [0.3, 1e-3, 1e-9])
def test_rare_narrow_components_far_away_count(weight: float) -> None:
    P = GaussianMixture([1 - weight, weight], means=[-1e6, 1e6], covariances=[1e-6, 1e-6])
    Q = GaussianMixture([0.5, 0.5], means=[-1e6, 1e6], covariances=[1e-6, 1e-6])
    truth = (1 - weight) * math.log(2 * (1 - weight)) + weight * math.log(2 * weight)
    value = quadrature(P, Q, "kl")
    assert within(value, truth)
    # 1e6 has units in the last place of 1e-10, 1e-7 standard deviations
    assert value.info["gap"] < 1e-6


@pytest.mark.parametrize("offered", [(), ("sample",), ("cdf",), ("cdf", "sf"), ("quantile", "isf")], ids=str)
def test_a_density_of_your_own_needs_no_more_than_log_density(offered: tuple[str, ...]) -> None:
    law = st.norm(40, 3)
    functions = {
        "sample": lambda n, rng: law.rvs(size=n, random_state=rng)[:, None],
        "cdf": law.cdf,
        "sf": law.sf,
        "quantile": law.ppf,
        "isf": law.isf,
    }
    value = quadrature(Bare(law, **{name: functions[name] for name in offered}), st.norm(0, 30), "kl")
    assert within(value, math.log(10) + (9 + 1600) / 1800 - 0.5)


def test_cancellation_inside_a_log_density_widens_the_interval() -> None:
    # Log gamma functions of 1e6 leave 1e-9 of rounding in each log density.
    a, b = 1e6, 1e6 + 1000
    value = quadrature(st.gamma(a), st.gamma(b), "kl")
    with mpmath.workdps(40):
        truth = float((a - b) * mpmath.digamma(a) - mpmath.loggamma(a) + mpmath.loggamma(b))
    assert within(value, truth)
    assert value.info["limited_by"] == "rounding"
    assert 1e-11 < value.info["gap"] < 1e-7


def test_hellinger_is_computed_through_its_square() -> None:
    value = quadrature(st.norm(0, 1), st.norm(3, 1), "hellinger")
    assert within(value, math.sqrt(1 - math.exp(-9 / 8)))
    assert (value.divergence, value.method, value.bound, value.level) == ("hellinger", "quadrature", "exact", 1.0)


def test_the_gan_divergence_of_equal_laws_is_minus_log_4() -> None:
    assert quadrature(st.norm(), st.norm(), "gan") == pytest.approx(-math.log(4), rel=1e-15)


def test_a_generator_of_your_own_may_overflow() -> None:
    # f = u^4 - 1 - 4 (u - 1): E_Q u^4 for N(m, 1) against N(0, 1) is exp(6 m^2), with u up to e^500 on the way
    quartic = FDivergence.from_generator(
        "quartic", f=lambda u: u**4 - 4 * u + 3, df=lambda u: 4 * u**3 - 4, f_zero=3.0, slope_inf=math.inf
    )
    assert quadrature(st.norm(5, 1), st.norm(), quartic) == pytest.approx(math.expm1(150), rel=1e-9)
