"""Laws that hold for all closed forms, what is recognised as a known divergence, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from closed_form_oracles import (
    DIVS,
    EXAMPLES,
    IDS,
    METHOD,
    W1,
    W2,
    WINF,
    gaussian,
    law,
    value,
)

from divkit import families as fam
from divkit._errors import NotConverged, Unsupported
from divkit.catalog import (
    GAN,
    HELLINGER,
    JEFFREYS,
    JSD,
    KL,
    NEYMAN_CHI2,
    PEARSON_CHI2,
    REVERSE_KL,
    SQUARED_HELLINGER,
    TOTAL_VARIATION,
)
from divkit.divergences import FDivergence, Wasserstein
from divkit.measures import Discrete, Law, Samples
from divkit.power_divergences import alpha_divergence


@pytest.mark.parametrize("div", DIVS, ids=lambda d: d.name)
@pytest.mark.parametrize(("p", "q"), EXAMPLES, ids=IDS)
def test_equal_laws_have_divergence_zero(div, p, q):
    assert value(div, p, p) == 0.0
    assert value(div, q, q).interval == (0.0, 0.0)


@pytest.mark.parametrize(("p", "q"), EXAMPLES, ids=IDS)
def test_exchanging_the_laws_is_the_reverse_divergence(p, q):
    for div, reverse in ((KL, REVERSE_KL), (PEARSON_CHI2, NEYMAN_CHI2), (JEFFREYS, JEFFREYS)):
        first, second = value(div, p, q), value(reverse, q, p)
        assert first == second or abs(first - second) <= first.info["gap"] + second.info["gap"]


@pytest.mark.parametrize(("p", "q"), EXAMPLES, ids=IDS)
def test_inequalities_between_divergences_hold(p, q):
    kl, chi2 = value(KL, p, q), value(PEARSON_CHI2, p, q)
    h2 = value(SQUARED_HELLINGER, p, q)
    assert h2 <= kl  # -2 log(1 - h2/2) <= KL
    assert kl <= math.log1p(chi2)


@pytest.mark.parametrize(("p", "q"), EXAMPLES, ids=IDS)
def test_half_of_an_alpha_divergence_is_the_known_one(p, q):
    for a, div, factor in ((2.0, PEARSON_CHI2, 2), (-1.0, NEYMAN_CHI2, 2), (0.5, SQUARED_HELLINGER, 0.5)):
        want = value(div, p, q)
        assert factor * value(alpha_divergence(a), p, q) == pytest.approx(want, rel=1e-13)
    assert value(alpha_divergence(1.0), p, q) == value(KL, p, q)


@pytest.mark.parametrize(("p", "q"), EXAMPLES, ids=IDS)
def test_refusal_and_estimate_agree(p, q):
    own = FDivergence.from_generator(
        "kl", f=lambda u: u * np.log(u), df=lambda u: np.log(u) + 1, f_zero=0.0, slope_inf=math.inf
    )
    for div in (*DIVS, JSD, GAN, TOTAL_VARIATION, own, KL.scaled(2.0, "kl"), W1, W2, WINF, Wasserstein(1.5), W1.dual):
        if METHOD.refusal(div, law(p), law(q)) is None:
            assert not math.isnan(value(div, p, q))
        else:
            with pytest.raises(Unsupported, match="closed_form"):
                value(div, p, q)


def test_scaled_divergence_of_the_same_name_is_not_taken_for_the_original():
    p, q = law(gaussian(0, 1)), law(gaussian(1, 1))
    assert "no formula" in METHOD.refusal(KL.scaled(2.0, "kl"), p, q)


def test_users_divergence_named_alpha_is_not_taken_for_one():
    own = FDivergence.from_generator(
        "alpha(2)", f=lambda u: 3 * (u - 1) ** 2, df=lambda u: 6 * (u - 1), f_zero=3.0, slope_inf=math.inf
    )
    assert "no formula" in METHOD.refusal(own, law(gaussian(0, 1)), law(gaussian(1, 1)))


def test_order_of_an_alpha_divergence_is_not_read_from_its_six_printed_digits():
    a, other = 0.1234567891, 0.1234567
    assert alpha_divergence(a).name == alpha_divergence(other).name
    p, q = gaussian(0, 1), gaussian(3, 1)
    # D = (1 - exp(-9 a (1 - a)/2)) / (a (1 - a))
    want = -math.expm1(-4.5 * a * (1 - a)) / (a * (1 - a))
    assert value(alpha_divergence(a), p, q) == pytest.approx(want, rel=1e-13)


def test_hellinger_metric_comes_with_a_transformed_interval():
    found = value(HELLINGER, gaussian(0, 1), gaussian(1, 1))
    assert found == pytest.approx(math.sqrt(1 - math.exp(-1 / 8)), rel=1e-14)
    assert found.interval[0] <= found <= found.interval[1]
    assert found.divergence == "hellinger"


@pytest.mark.parametrize(
    ("p", "q", "message"),
    [
        (Samples([1.0, 2.0]), law(gaussian(0, 1)), "two laws of a known family"),
        (law(gaussian(0, 1)), Discrete([1.0]), "two laws of a known family"),
        (law(gaussian(0, 1)), Law(1, lambda x: x[:, 0]), "belongs to no family"),
        (law(gaussian(0, 1)), law(fam.Laplace(0.0, 1.0)), "two families"),
        (law(gaussian(0, 1)), law(gaussian([0, 0], np.eye(2))), "1 dimensions and Q in 2"),
        (law(gaussian(math.nan, 1)), law(gaussian(0, 1)), "out of range, mean"),
        (law(gaussian(0, -1)), law(gaussian(0, 1)), "out of range, cov"),
        (law(fam.Gamma(-1.0, 1.0)), law(fam.Gamma(1.0, 1.0)), "shape = -1"),
        (law(fam.Poisson(-1.0)), law(fam.Poisson(1.0)), "rate = -1"),
        (law(fam.Bernoulli(1.5)), law(fam.Bernoulli(0.5)), "prob = 1.5"),
        (law(fam.Uniform(1.0, 1.0)), law(fam.Uniform(0.0, 1.0)), "out of range"),
    ],
)
def test_refusal_names_the_reason(p, q, message):
    assert message in METHOD.refusal(KL, p, q)


def test_covariance_that_is_none_is_an_error():
    with pytest.raises(ValueError, match="positive semi-definite"):
        value(KL, gaussian([0, 0], [[1, 2], [2, 1]]), gaussian([0, 0], np.eye(2)))


def test_jsd_of_gaussians_is_left_to_other_methods():
    assert "no formula for jsd" in METHOD.refusal(JSD, law(gaussian(0, 1)), law(gaussian(1, 1)))


def test_parameters_too_far_apart_for_float64_are_no_number():
    with pytest.raises(NotConverged, match="leaves the range of float64"):
        value(KL, fam.Gamma(1e150, 1e150), fam.Gamma(1e-3, 1.0))


def test_chi2_on_the_border_between_finite_and_infinite_is_no_number():
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    cov = (basis * [1.0, 1.5, 2.0]) @ basis.T  # 2 I - cov has an eigenvalue of the size of the rounding
    p, q = gaussian(np.zeros(3), (cov + cov.T) / 2 * (1 - 1e-15)), gaussian(np.zeros(3), np.eye(3))
    with pytest.raises(NotConverged, match="last digits of the covariances"):
        value(PEARSON_CHI2, p, q)


def test_arrays_of_a_family_are_left_alone():
    mean, cov = np.array([1.0, 2.0]), np.array([[2.0, 0.5], [0.5, 1.0]])
    for array in (mean, cov):
        array.flags.writeable = False
    p, q = fam.Gaussian(mean, cov), fam.Gaussian(np.zeros(2), np.eye(2))
    for div in (KL, JEFFREYS, SQUARED_HELLINGER, W2):
        assert value(div, p, q) > 0
