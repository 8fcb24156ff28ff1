"""Closed forms of exponential families against Bregman divergences of their log partition in 80 digits."""

from __future__ import annotations

import math

import mpmath as mp
import pytest
from closed_form_oracles import (
    ORACLE,
    PARAMETERS,
    POWERS,
    SINGLE,
    family_pairs,
    mp_family_kl,
    mp_family_log_power,
    mp_from_log_power,
    positive,
    value,
    within_gap,
)
from hypothesis import assume, given
from hypothesis import strategies as st

from divkit import families as fam
from divkit.catalog import (
    KL,
    NEYMAN_CHI2,
    PEARSON_CHI2,
    REVERSE_KL,
    SQUARED_HELLINGER,
    TOTAL_VARIATION,
)
from divkit.power_divergences import alpha_divergence


@given(family_pairs())
def test_kl_in_a_family_is_the_bregman_divergence_within_the_gap(pair):
    assert within_gap(value(KL, *pair), mp_family_kl(*pair))
    assert within_gap(value(REVERSE_KL, *pair), mp_family_kl(*pair[::-1]))


@given(family_pairs())
def test_kl_in_a_family_has_nine_digits_even_for_nearly_equal_laws(pair):
    truth = mp_family_kl(*pair)
    assume(truth > 1e-290)
    assert float(abs(mp.mpf(float(value(KL, *pair))) / truth - 1)) < 1e-9


@pytest.mark.parametrize("div", [PEARSON_CHI2, NEYMAN_CHI2, SQUARED_HELLINGER], ids=lambda d: d.name)
@given(pair=family_pairs())
def test_power_divergences_in_a_family_are_the_partition_formula_within_the_gap(div, pair):
    a, factor = POWERS[div.name]
    truth = mp_from_log_power(mp_family_log_power(*pair, a), factor)
    found = value(div, *pair)
    if truth > 1e300:
        assert found == math.inf or found > 1e290
    else:
        assert abs(mp.mpf(float(found)) - truth) <= found.info["gap"] + ORACLE


@given(pair=family_pairs(), a=st.sampled_from([-2.5, -0.3, 0.1, 0.9, 1.0000001, 1.7, 4.0]))
def test_alpha_divergence_in_a_family_lies_in_its_interval(pair, a):
    truth = mp_from_log_power(mp_family_log_power(*pair, mp.mpf(a)), 1 / (mp.mpf(a) * (mp.mpf(a) - 1)))
    found = value(alpha_divergence(a), *pair)
    if truth > 1e300:
        assert found == math.inf or found > 1e290
    else:
        assert abs(mp.mpf(float(found)) - truth) <= found.info["gap"] + ORACLE


@pytest.mark.parametrize("kind", sorted(SINGLE))
def test_power_divergences_keep_nine_digits_at_a_millionth(kind):
    p = {
        "exponential": fam.Exponential(3.0),
        "poisson": fam.Poisson(5.0),
        "gamma": fam.Gamma(2.5, 0.7),
        "beta": fam.Beta(0.3, 40.0),
    }[kind]
    q = type(p)(**{k: getattr(p, k) * (1 + (i + 1) * 1e-6) for i, k in enumerate(PARAMETERS[kind])})
    for div, (a, factor) in ((d, POWERS[d.name]) for d in (PEARSON_CHI2, NEYMAN_CHI2, SQUARED_HELLINGER)):
        truth = mp_from_log_power(mp_family_log_power(p, q, a), factor)
        assert float(abs(value(div, p, q) / truth - 1)) < 1e-9


def quad(function, *edges):
    with mp.workdps(25):
        return mp.quad(function, list(edges))


@given(
    p=st.builds(fam.Laplace, st.floats(-3, 3, width=16), positive(-1, 1)),
    q=st.builds(fam.Laplace, st.floats(-3, 3, width=16), positive(-1, 1)),
)
def test_laplace_kl_is_the_textbook_formula(p, q):
    with mp.workdps(60):
        gap, bp, bq = abs(mp.mpf(p.loc) - mp.mpf(q.loc)), mp.mpf(p.scale), mp.mpf(q.scale)
        truth = mp.log(bq / bp) + gap / bq + bp / bq * mp.exp(-gap / bp) - 1
    assert within_gap(value(KL, p, q), truth)


@pytest.mark.parametrize("a", [0.5, 2.0, -1.0, 0.05, 1.2])
@pytest.mark.parametrize("shift", [1e-5, 0.3, 7.0])
@pytest.mark.parametrize("scale", [1.0, 1.000001, 1.6])
def test_laplace_power_integrals_with_different_centres_are_the_integral(a, shift, scale):
    p, q = fam.Laplace(shift, 1.0), fam.Laplace(0.0, scale)
    with mp.workdps(40):
        alpha, beta, gap = mp.mpf(a), (1 - mp.mpf(a)) / mp.mpf(scale), mp.mpf(shift)
        if alpha + beta <= 0:
            truth = mp.inf
        else:
            ends = (mp.exp(-alpha * gap) + mp.exp(-beta * gap)) / (alpha + beta)
            between = (
                gap * mp.exp(-alpha * gap)
                if alpha == beta
                else (mp.exp(-alpha * gap) - mp.exp(-beta * gap)) / (beta - alpha)
            )
            norm = mp.mpf(2) ** -1 * mp.mpf(scale) ** (mp.mpf(a) - 1)
            truth = (norm * (ends + between) - 1) / (mp.mpf(a) * (mp.mpf(a) - 1))
    found = value(alpha_divergence(a), p, q)
    assert found == math.inf if truth == mp.inf else within_gap(found, truth)


@pytest.mark.parametrize("shift", [-0.4, 0.0, 0.7])
@pytest.mark.parametrize("a", [-0.5, 0.5, 1.5])
def test_shifted_exponential_power_integrals_are_the_integral(shift, a):
    p, q = fam.Exponential(1.0, shift), fam.Exponential(1.3, 0.0)
    infinite = (a > 1 and shift < 0) or (a < 0 and shift > 0)
    start = max(shift, 0.0)
    found = value(alpha_divergence(a), p, q)
    if infinite:
        assert found == math.inf
        return
    total = quad(lambda x: mp.exp(-a * (x - shift) + (1 - a) * (mp.log(1.3) - 1.3 * x)), start, start + 5, mp.inf)
    assert float(found) == pytest.approx(float((total - 1) / (a * (a - 1))), rel=1e-12)


def test_shifted_exponential_kl_is_finite_only_if_p_starts_later():
    # E_P[log p/q] = log(1/2) + E[-(x - 1) + 2 x] = log(1/2) - 1 + 4, x = 1 + Exp(1).
    assert value(KL, fam.Exponential(1.0, 1.0), fam.Exponential(2.0)) == pytest.approx(3 - math.log(2), rel=1e-14)
    assert value(KL, fam.Exponential(1.0, -1.0), fam.Exponential(2.0)) == math.inf


@pytest.mark.parametrize("rate", [1e-8, 0.3, 2.0, 500.0])
def test_total_variation_of_exponentials_is_the_tail_difference_at_the_crossing(rate):
    with mp.workdps(40):
        r = mp.mpf(rate)
        x = mp.log(r) / (r - 1)
        truth = abs(mp.exp(-r * x) - mp.exp(-x))
    assert within_gap(value(TOTAL_VARIATION, fam.Exponential(rate), fam.Exponential(1.0)), truth)
    assert within_gap(value(TOTAL_VARIATION, fam.Laplace(2.0, 1 / rate), fam.Laplace(2.0, 1.0)), truth)


def test_total_variation_of_equally_wide_laplace_laws():
    want = -math.expm1(-0.25)  # the median point: 1 - exp(-1 / (2 scale))
    assert value(TOTAL_VARIATION, fam.Laplace(0, 2), fam.Laplace(1, 2)) == pytest.approx(want, rel=1e-15)


@given(p=positive(-2, 2), q=positive(-2, 2), near=st.booleans())
def test_total_variation_of_poisson_laws_is_the_sum(p, q, near):
    q = p * (1 + 1e-6 * q) if near else q
    with mp.workdps(40):
        top = int(4 * max(p, q) + 60)
        a, b = mp.mpf(p), mp.mpf(q)
        terms = (abs(mp.exp(-a) * a**k - mp.exp(-b) * b**k) / mp.factorial(k) for k in range(top))
        truth = sum(terms) / 2
    assert within_gap(value(TOTAL_VARIATION, fam.Poisson(p), fam.Poisson(q)), truth)


@pytest.mark.parametrize(
    ("div", "p", "q", "want"),
    [
        (KL, 0.0, 2.0, 2.0),
        (KL, 2.0, 0.0, math.inf),
        (KL, 0.0, 0.0, 0.0),
        (REVERSE_KL, 0.0, 2.0, math.inf),
        (PEARSON_CHI2, 0.0, 2.0, math.expm1(2.0)),
        (PEARSON_CHI2, 2.0, 0.0, math.inf),
        (NEYMAN_CHI2, 2.0, 0.0, math.expm1(2.0)),
        (SQUARED_HELLINGER, 0.0, 2.0, -2 * math.expm1(-1.0)),
        (TOTAL_VARIATION, 0.0, 2.0, -math.expm1(-2.0)),
    ],
)
def test_poisson_law_of_rate_zero_is_the_point_zero(div, p, q, want):
    assert value(div, fam.Poisson(p), fam.Poisson(q)) == pytest.approx(want, rel=1e-14)


def test_exponential_is_a_gamma_law_beside_one():
    found = value(KL, fam.Exponential(2.0), fam.Gamma(3.0, 1.5))
    assert within_gap(found, mp_family_kl(fam.Gamma(1.0, 0.5), fam.Gamma(3.0, 1.5)))


def test_uniform_is_a_beta_law_beside_one_on_the_same_interval():
    found = value(KL, fam.Uniform(2.0, 5.0), fam.Beta(2.0, 2.0, 2.0, 3.0))
    # E[-log(6 x (1 - x))] = 2 - log 6 under the uniform law.
    assert found == pytest.approx(2 - math.log(6), rel=1e-13)


@pytest.mark.parametrize("scale", [1e-150, 1e150])
def test_families_do_not_know_the_unit(scale):
    for p, q in (
        (fam.Gamma(2.0, 3.0), fam.Gamma(2.5, 2.0)),
        (fam.Laplace(1.0, 2.0), fam.Laplace(0.0, 1.0)),
        (fam.Uniform(0.0, 2.0), fam.Uniform(-1.0, 3.0)),
    ):
        changed = [type(f)(**{k: v * (1 if k == "shape" else scale) for k, v in vars(f).items()}) for f in (p, q)]
        assert value(KL, *changed) == pytest.approx(value(KL, p, q), rel=1e-12)
