"""Quadrature on the plane, against closed forms and against products of 1-D quadratures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats as st
from hypothesis import given, settings
from hypothesis import strategies as hs

from divkit import InvalidInput, NotConverged, Quadrature, estimate
from divkit.datasets import GaussianMixture


def plane(P: Any, Q: Any, divergence: str, **settings: Any) -> Any:
    return estimate(P, Q, divergence, Quadrature(**settings))


def covariance(a: float, b: float, r: float) -> np.ndarray:
    return np.array([[a * a, r * a * b], [r * a * b, b * b]])


def within(value: Any, truth: float) -> bool:
    return bool(abs(value - truth) <= value.info["gap"] + 1e-14 * abs(truth))


@given(a=hs.floats(0.2, 5), b=hs.floats(0.2, 5), r=hs.floats(-0.99, 0.99), m=hs.floats(-3, 3))
@settings(max_examples=5)
def test_normal_laws_reproduce_kl(a: float, b: float, r: float, m: float) -> None:
    S, d = covariance(a, b, r), np.array([m, 1.0])
    truth = 0.5 * (np.trace(S) + d @ d - 2 - math.log(np.linalg.det(S)))
    value = plane(st.multivariate_normal([0, 0], S), st.multivariate_normal(d, np.eye(2)), "kl")
    assert within(value, truth)
    assert value.info["gap"] <= 1e-7 * (1 + truth)


def test_products_add_up() -> None:
    class Product:
        dim = 2

        def __init__(self, *laws: Any) -> None:
            self.laws = laws
            ends = [law.support() for law in laws]
            self.support = np.array([e[0] for e in ends]), np.array([e[1] for e in ends])

        def log_density(self, points: np.ndarray) -> np.ndarray:
            return sum(law.logpdf(points[:, j]) for j, law in enumerate(self.laws))  # type: ignore[return-value]

        def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
            return np.stack([law.rvs(size=n, random_state=rng) for law in self.laws], axis=1)

    pairs = (st.gamma(3), st.gamma(2.5)), (st.beta(3, 4), st.beta(4, 3))
    parts = [estimate(P, Q, "kl", Quadrature()) for P, Q in pairs]
    value = plane(Product(pairs[0][0], pairs[1][0]), Product(pairs[0][1], pairs[1][1]), "kl")
    assert within(value, sum(parts))


@pytest.mark.parametrize("angle", [0.0, 0.3, math.pi / 4, 2.0])
def test_total_variation_of_shifted_normal_laws_is_exact_whatever_the_direction_of_the_kink(angle: float) -> None:
    d = np.array([math.cos(angle), math.sin(angle)])
    value = plane(st.multivariate_normal([0, 0]), st.multivariate_normal(d), "total_variation")
    assert within(value, math.erf(1 / math.sqrt(8)))
    assert value.info["gap"] < 1e-8


@pytest.mark.parametrize("narrow", [0.7, 0.7071])
def test_chi2_is_inf_even_where_it_diverges_in_a_narrow_cone_only(narrow: float) -> None:
    P, Q = st.multivariate_normal([0, 0]), st.multivariate_normal([0, 0], np.diag([narrow**2, 4.0]))
    assert plane(P, Q, "pearson_chi2") == math.inf


def test_chi2_just_before_it_diverges_is_reproduced() -> None:
    v = np.array([0.501, 4.0])
    truth = math.sqrt(np.prod(v**2 / (2 * v - 1))) - 1
    value = plane(st.multivariate_normal([0, 0]), st.multivariate_normal([0, 0], np.diag(v)), "pearson_chi2")
    # 2 v - 1 = 0.002 is rounded to 1e-13 of itself
    assert abs(value - truth) <= value.info["gap"] + 1e-12 * truth


def test_a_heavy_tail_makes_reverse_kl_infinite() -> None:
    P, Q = st.multivariate_normal([0, 0]), st.multivariate_t([0, 0], df=2)
    assert plane(P, Q, "reverse_kl") == math.inf


def test_heavy_tails_reproduce_a_radial_integral() -> None:
    P, Q = st.multivariate_t([0, 0], df=3), st.multivariate_normal([0, 0], 3 * np.eye(2))
    radius = np.geomspace(1e-8, 1e8, 200_001)

    def log_ratio(r: np.ndarray) -> np.ndarray:
        return np.asarray(-2.5 * np.log1p(r**2 / 3) + r**2 / 6 + math.log(3))

    density = radius * (1 + radius**2 / 3) ** -2.5  # of |x|, for 1/(2 pi) (1 + r^2/3)^(-5/2)
    truth = np.trapezoid(density * log_ratio(radius) * radius, np.log(radius))
    # The trapezoidal rule in log r is exact to rounding here; beyond 1e8 the integrand r^-2 dr leaves 4e-8.
    assert plane(P, Q, "kl") == pytest.approx(truth, abs=2e-7)


class Box:
    dim = 2

    def __init__(self, low: Any, high: Any) -> None:
        self.support = np.array(low, dtype=float), np.array(high, dtype=float)
        self.height = -math.log(np.prod(self.support[1] - self.support[0]))

    def log_density(self, points: np.ndarray) -> np.ndarray:
        return np.full(len(points), self.height)

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return self.support[0] + (self.support[1] - self.support[0]) * rng.random((n, 2))


def test_a_box_inside_a_box_is_the_ratio_of_areas() -> None:
    inside, outside = Box([0, 0], [1, 1]), Box([-0.5, 0], [2, 3])
    assert within(plane(inside, outside, "kl"), math.log(7.5))
    assert plane(outside, inside, "kl") == math.inf


def test_components_far_apart_count_by_their_weights() -> None:
    means, small = [[-1e3, 0], [1e3, 1]], [1e-4, 1e-4]
    P = GaussianMixture([0.5, 0.5], means=means, covariances=small)
    Q = GaussianMixture([0.25, 0.75], means=means, covariances=small)
    assert within(plane(P, Q, "kl"), 0.5 * math.log(4 / 3))


def test_equal_laws_are_at_distance_zero() -> None:
    law = st.multivariate_t([0, 0], [[2, 1], [1, 1]], df=3)
    assert plane(law, law, "jsd") == 0


def test_rounding_at_an_offset_is_reported() -> None:
    value = plane(st.multivariate_normal([1e6, 0]), st.multivariate_normal([1e6 + 1, 0]), "kl", rtol=1e-7)
    assert within(value, 0.5)


def test_a_density_that_is_not_normalised_is_refused_with_its_mass() -> None:
    class Half(Box):
        def log_density(self, points: np.ndarray) -> np.ndarray:
            return super().log_density(points) - math.log(2)

    with pytest.raises(NotConverged, match=r"the density of P, Half, integrates to 0\.5 instead of 1"):
        plane(Half([0, 0], [1, 1]), Box([0, 0], [1, 1]), "jsd")


def test_a_density_that_is_nan_is_refused() -> None:
    class Broken(Box):
        def log_density(self, points: np.ndarray) -> np.ndarray:
            return np.where(points[:, 0] > 0.5, np.nan, 0.0)

    with pytest.raises(InvalidInput, match=r"log density of Broken is NaN at x = \("):
        plane(Broken([0, 0], [1, 1]), Box([0, 0], [1, 1]), "jsd")
