"""f-divergences of Gaussians against multiprecision determinants, singular and nearly singular ones too."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest
from closed_form_oracles import (
    ORACLE,
    POWERS,
    W2,
    gaussian,
    gaussian_pairs,
    mp_from_log_power,
    mp_gaussian_kl,
    mp_gaussian_log_power,
    value,
    within_gap,
)
from hypothesis import assume, given
from hypothesis import strategies as st

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
from divkit.power_divergences import alpha_divergence


@given(gaussian_pairs())
def test_kl_of_gaussians_is_the_formula_within_the_gap(pair):
    assert within_gap(value(KL, *pair), mp_gaussian_kl(*pair))
    assert within_gap(value(REVERSE_KL, *pair), mp_gaussian_kl(*pair[::-1]))


@pytest.mark.parametrize("div", [PEARSON_CHI2, NEYMAN_CHI2, SQUARED_HELLINGER], ids=lambda d: d.name)
@given(pair=gaussian_pairs())
def test_power_divergences_of_gaussians_are_the_determinant_formula_within_the_gap(div, pair):
    a, factor = POWERS[div.name]
    truth = mp_from_log_power(mp_gaussian_log_power(*pair, a), factor)
    found = value(div, *pair)
    if truth > 1e300:
        assert found == math.inf or found > 1e290
    else:
        assert abs(mp.mpf(float(found)) - truth) <= found.info["gap"] + ORACLE


@given(pair=gaussian_pairs(), a=st.floats(0.01, 0.99))
def test_alpha_divergence_of_gaussians_lies_in_its_interval(pair, a):
    truth = mp_from_log_power(mp_gaussian_log_power(*pair, mp.mpf(a)), 1 / (mp.mpf(a) * (mp.mpf(a) - 1)))
    assert within_gap(value(alpha_divergence(a), *pair), truth)


@given(exponent=st.integers(-9, -2), seed=st.integers(0, 10**6))
def test_kl_of_nearly_equal_gaussians_keeps_its_relative_accuracy(exponent, seed):
    rng = np.random.default_rng(seed)
    half = rng.normal(size=(3, 3)) + 2 * np.eye(3)
    p = gaussian(rng.normal(size=3), half @ half.T)
    assume(np.linalg.cond(p.cov) < 1e3)
    step = rng.normal(size=(3, 3)) * 10.0**exponent
    q = gaussian(p.mean * (1 + 10.0**exponent), p.cov + (step + step.T) / 2)
    assume(np.linalg.eigvalsh(q.cov)[0] > 0.1 * np.linalg.eigvalsh(p.cov)[0])
    # The difference of the covariances enters without error; eigenvalues of the whitened difference have relative
    # error d eps times its norm over the smallest of them, and the sum of their squares a few eps only.
    assert float(abs(value(KL, p, q) / mp_gaussian_kl(p, q) - 1)) < 1e-12


@pytest.mark.parametrize("condition", [1e6, 1e9, 1e12, 1e14])
def test_kl_with_a_nearly_singular_rotated_covariance_is_accurate(condition):
    rng = np.random.default_rng(7)
    basis = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    covariances = []
    for spectrum in ([1, 0.5, 0.1, 1 / condition], [2, 0.25, 0.2, 3 / condition]):
        cov = (basis * spectrum) @ basis.T
        covariances.append((cov + cov.T) / 2)
    p, q = (gaussian(np.zeros(4), cov) for cov in covariances)
    found = value(KL, p, q)
    # The elimination has 106 bits: what is left are roundings of the whitened matrix, of norm below 10 or so,
    # and of its inverse.
    assert float(abs(found / mp_gaussian_kl(p, q) - 1)) < 1e-12
    assert within_gap(found, mp_gaussian_kl(p, q))


def test_relative_variances_of_both_extremes_are_found():
    rng = np.random.default_rng(3)
    basis = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    cov = (basis * [1e-6, 1.0, 1e6]) @ basis.T
    p, q = gaussian([1.0, 0.0, 2.0], (cov + cov.T) / 2), gaussian([0.0, 0.0, 0.0], np.eye(3))
    for div, a in ((SQUARED_HELLINGER, 0.5), (alpha_divergence(0.9), 0.9)):
        factor = -2 if a == 0.5 else 1 / (mp.mpf(a) * (mp.mpf(a) - 1))
        truth = mp_from_log_power(mp_gaussian_log_power(p, q, mp.mpf(a)), factor)
        assert within_gap(value(div, p, q), truth)


@pytest.mark.parametrize("scale", [1e-150, 1e-20, 1e20, 1e150])
@pytest.mark.parametrize("div", [KL, JEFFREYS, PEARSON_CHI2, SQUARED_HELLINGER, HELLINGER], ids=lambda d: d.name)
def test_f_divergences_of_gaussians_do_not_know_the_unit(div, scale):
    p, q = gaussian([1, 2], [[2, 0.5], [0.5, 1]]), gaussian([0, 2.5], [[2.2, 0.3], [0.3, 1.5]])
    p_scaled, q_scaled = (gaussian(f.mean * scale, f.cov * scale**2) for f in (p, q))
    # Scaling by a power of ten rounds every parameter once.
    assert value(div, p_scaled, q_scaled) == pytest.approx(value(div, p, q), rel=1e-12)


def test_units_of_the_coordinates_may_differ_by_300_orders():
    d = np.array([1e-150, 1.0, 1e150])
    p, q = gaussian(d, np.diag(d**2)), gaussian(0 * d, np.diag(4 * d**2))
    # Three times the KL of N(1, 1) and N(0, 4).
    assert value(KL, p, q) == pytest.approx(3 * (0.5 * (1 / 4 + 1 / 4 - 1) + math.log(2)), rel=1e-12)


def test_chi2_of_gaussians_is_infinite_from_twice_the_variance_on():
    assert value(PEARSON_CHI2, gaussian(0, 2), gaussian(0, 1)) == math.inf
    assert value(NEYMAN_CHI2, gaussian(0, 1), gaussian(0, 2)) == math.inf
    assert value(PEARSON_CHI2, gaussian(0, 1.9), gaussian(0, 1)) < math.inf


def test_finite_value_above_the_largest_float_says_so():
    found = value(PEARSON_CHI2, gaussian(40, 1), gaussian(0, 1))  # e^1600 - 1
    assert found == math.inf
    assert found.interval[0] > 1e308
    assert "largest float" in found.info["reason"]


@pytest.mark.parametrize("div", [KL, JSD, TOTAL_VARIATION, SQUARED_HELLINGER, HELLINGER, GAN], ids=lambda d: d.name)
def test_gaussians_on_different_lines_of_the_plane_are_mutually_singular(div):
    p, q = gaussian([0, 0], [[1, 1], [1, 1]]), gaussian([0, 0], [[1, -1], [-1, 1]])
    found = value(div, p, q)
    assert found == div.upper
    assert found.interval == (div.upper, div.upper)


def test_gaussian_on_a_line_is_singular_to_one_that_fills_the_plane():
    assert value(TOTAL_VARIATION, gaussian([0, 0], [[1, 1], [1, 1]]), gaussian([0, 0], np.eye(2))) == 1.0


def test_parallel_lines_are_mutually_singular():
    cov = [[1, 1], [1, 1]]
    assert value(KL, gaussian([0, 0], cov), gaussian([0, 1e-9], cov)) == math.inf


@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_gaussians_on_one_line_are_compared_inside_it(offset):
    direction = np.array([[0.1], [0.3], [-0.7]])
    cov = direction @ direction.T
    p = gaussian(offset + direction[:, 0], 4 * cov)
    q = gaussian([offset] * 3, cov)
    # Along the direction: N(1, 4) against N(0, 1); the offset costs digits of the means.
    want = 0.5 * (4 + 1 - 1 - math.log(4))
    assert value(KL, p, q) == pytest.approx(want, rel=1e-12 * (1 + offset))


def test_constant_coordinate_changes_nothing():
    p, q = gaussian([1, 5], [[2, 0], [0, 0]]), gaussian([0, 5], [[1, 0], [0, 0]])
    assert value(KL, p, q) == value(KL, gaussian(1, 2), gaussian(0, 1))
    assert value(KL, p, gaussian([0, 5.000001], [[1, 0], [0, 0]])) == math.inf


def test_point_masses_are_equal_or_mutually_singular():
    assert value(KL, gaussian(3, 0), gaussian(3, 0)) == 0.0
    assert value(SQUARED_HELLINGER, gaussian(3, 0), gaussian(4, 0)) == 2.0
    assert value(W2, gaussian(3, 0), gaussian(4, 0)) == 1.0


@given(st.floats(1e-9, 30), st.integers(1, 4))
def test_total_variation_of_shifted_gaussians_is_the_error_function(distance, d):
    cov = np.eye(d) + 0.3
    direction = np.linalg.cholesky(cov)[:, 0]
    found = value(TOTAL_VARIATION, gaussian(distance * direction, cov), gaussian(np.zeros(d), cov))
    with mp.workdps(30):
        # The direction is rounded, a relative few eps of the distance.
        assert float(found) == pytest.approx(float(mp.erf(mp.mpf(distance) / mp.sqrt(8))), rel=1e-13)


@given(m=st.floats(-4, 4), exponent=st.floats(-9, 0), sign=st.sampled_from([-1, 1]))
def test_total_variation_of_gaussians_of_unequal_variance_is_the_integral(m, exponent, sign):
    std = 1 + sign * 0.9 * 10.0**exponent
    m = m * abs(std - 1) if exponent < -1 else m  # near equality in both, or in none
    assume(std**2 != 1)
    found = value(TOTAL_VARIATION, gaussian(m, std**2), gaussian(0, 1))
    with mp.workdps(50):
        v, mean = mp.mpf(std**2), mp.mpf(m)
        roots = mp.polyroots([v - 1, 2 * mean, -(mean**2 + v * mp.log(v))], maxsteps=500, extraprec=500)
        low, high = sorted(mp.re(r) for r in roots)
        inside_p = mp.ncdf((high - mean) / mp.sqrt(v)) - mp.ncdf((low - mean) / mp.sqrt(v))
        truth = abs(inside_p - (mp.ncdf(high) - mp.ncdf(low)))
    assert within_gap(found, truth)
    assert float(found) == pytest.approx(float(truth), rel=1e-10)


@pytest.mark.parametrize("d", [130, 200])
def test_large_dimensions_agree_with_the_sum_over_independent_coordinates(d):
    rng = np.random.default_rng(1)
    basis = np.linalg.qr(rng.normal(size=(d, d)))[0]
    variances, means = rng.uniform(0.5, 2.0, d), rng.normal(size=d)
    cov = (basis * variances) @ basis.T
    p, q = gaussian(basis @ means, (cov + cov.T) / 2), gaussian(np.zeros(d), np.eye(d))
    want = 0.5 * np.sum(variances + means**2 - 1 - np.log(variances))
    # d roundings of matrices of norm 2.
    assert value(KL, p, q) == pytest.approx(want, rel=1e-12)
