"""What quadrature of 1-D laws does with input it cannot vouch for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.stats as st

import divkit
from divkit import InvalidInput, NotConverged, Quadrature, Unsupported, as_measure, estimate
from divkit.catalog import DIVERGENCES
from divkit.datasets import GaussianMixture


def quadrature(P: Any, Q: Any, divergence: Any, **settings: Any) -> divkit.Estimate:
    return estimate(P, Q, divergence, Quadrature(**settings))


def test_a_density_that_is_nan_is_refused() -> None:
    class Broken:
        dim = 1

        def log_density(self, points: np.ndarray) -> np.ndarray:
            return np.where(points[:, 0] > 0.5, np.nan, -points[:, 0])

        def quantile(self, t: np.ndarray) -> np.ndarray:
            return np.asarray(t)

    with pytest.raises(InvalidInput, match="log density of Broken is NaN at x = "):
        quadrature(Broken(), st.norm(), "kl")


def test_a_density_with_infinite_mass_is_refused() -> None:
    class Flat:
        dim = 1

        def log_density(self, points: np.ndarray) -> np.ndarray:
            return np.zeros(len(points))

        def quantile(self, t: np.ndarray) -> np.ndarray:
            return np.asarray(t)

    with pytest.raises(NotConverged, match=r"does not integrate to 1: for x to inf it falls no faster than 1/distance"):
        quadrature(Flat(), st.norm(), "squared_hellinger")


def test_a_missed_component_is_an_error_and_not_a_smaller_number() -> None:
    mixture = GaussianMixture([0.5, 0.5], means=[0.0, 12345.678], covariances=[1.0, 1e-12])
    law = as_measure(mixture)

    class Hidden:
        dim = 1

        def log_density(self, points: np.ndarray) -> np.ndarray:
            return law.log_density(points)

    with pytest.raises(NotConverged, match=r"integrates to 0\.5 instead of 1: .* give the law quantile"):
        quadrature(Hidden(), st.norm(), "jsd")


def test_too_few_panels_raise_with_what_is_known() -> None:
    with pytest.raises(NotConverged, match="raise max_panels or rtol") as caught:
        quadrature(st.lognorm(50), st.lognorm(60), "total_variation", rtol=1e-14, max_panels=100)
    assert 0 < caught.value.info["value"] < 1


@pytest.mark.parametrize("panels", [0, 99, 2.5, True, "many"])
def test_a_bad_number_of_panels_is_refused(panels: Any) -> None:
    with pytest.raises(InvalidInput, match="max_panels must be an integer >= 100"):
        Quadrature(max_panels=panels)


def test_samples_are_refused() -> None:
    with pytest.raises(Unsupported, match="needs two laws with densities"):
        quadrature(divkit.Samples([0.0, 1.0]), st.norm(), "kl")


def test_laws_of_different_dimensions_are_refused_with_both() -> None:
    plane, line = as_measure(st.multivariate_normal([0, 0])), as_measure(st.norm())
    with pytest.raises(InvalidInput, match="dimensions are 2 and 1"):
        Quadrature().estimate(DIVERGENCES["kl"], plane, line, level=0.95, rng=np.random.default_rng(0))


def test_the_method_is_frozen_and_compares_by_its_settings() -> None:
    assert Quadrature(rtol=1e-6) == Quadrature(rtol=1e-6) != Quadrature()
    with pytest.raises(AttributeError):
        Quadrature().rtol = 1.0  # type: ignore[misc]
