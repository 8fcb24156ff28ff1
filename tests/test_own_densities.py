"""Laws of one's own through the `Density` protocol: with every optional attribute, with none, and with wrong ones."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.stats as st
from strategies import F

import divkit
from divkit import Density, InvalidInput, Law, Unsupported, as_measure, families


def logistic(**attributes: object) -> Any:
    """The standard logistic law with what the test adds to its two required attributes."""
    required = {"dim": 1, "log_density": lambda x: -np.abs(x[:, 0]) - 2 * np.log1p(np.exp(-np.abs(x[:, 0])))}
    return SimpleNamespace(**{**required, **attributes})


def adapt(value: object) -> Law:
    measure = as_measure(value, "P")
    assert isinstance(measure, Law)
    return measure


def test_two_attributes_are_enough() -> None:
    assert isinstance(logistic(), Density)
    bare = adapt(logistic())
    assert (bare.dim, bare.base, bare.breakpoints, bare.family) == (1, "lebesgue", (), None)
    assert (bare.sample, bare.cdf, bare.sf, bare.quantile, bare.isf) == (None,) * 5
    assert (bare.low[0], bare.high[0]) == (-math.inf, math.inf)


def test_optional_attributes_are_found() -> None:
    z = st.logistic()
    full = adapt(
        logistic(
            name="my law",
            support=(-50, 50),
            cdf=z.cdf,
            sf=z.sf,
            quantile=z.ppf,
            isf=z.isf,
            sample=lambda n, rng: rng.logistic(size=n),
            breakpoints=[0],
            family=families.LocationScale(("logistic",), 0.0, 1.0),
        )
    )
    assert repr(full) == "Law(my law, d=1)"
    assert (full.low[0], full.high[0], full.breakpoints) == (-50.0, 50.0, (0.0,))
    assert full.family == families.LocationScale(("logistic",), 0.0, 1.0)
    assert full.quantile is not None
    assert full.quantile(np.array([0.5]))[0] == 0.0
    assert full.draw(4, np.random.default_rng(0)).shape == (4, 1)


def test_a_law_of_ones_own_is_integrated_like_scipys() -> None:
    ours, theirs = (divkit.kl(p, st.norm(0.5, 2.0)) for p in (logistic(), st.logistic()))
    assert ours == pytest.approx(theirs, rel=1e-9)  # both aim at 1e-10


def test_attributes_of_one_dimension_are_ignored_in_two() -> None:
    two = SimpleNamespace(dim=2, log_density=lambda x: -(x**2).sum(1), cdf=len, quantile=len, support=([0, 0], [1, 2]))
    measure = adapt(two)
    assert measure.cdf is None
    assert measure.quantile is None
    np.testing.assert_array_equal((measure.low, measure.high), [[0, 0], [1, 2]])


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"dim": 0}, r"P\.dim must be an integer >= 1, got 0"),
        ({"dim": 1.5}, r"P\.dim must be an integer >= 1, got 1\.5"),
        ({"dim": None}, r"P\.dim must be an integer"),
        ({"support": (1, 0)}, r"P\.support must be a pair \(low, high\).*low < high, got \(1, 0\)"),
        ({"support": (0, math.nan)}, r"P\.support must be a pair"),
        ({"support": 3}, r"P\.support must be a pair"),
        ({"support": "ab"}, r"P\.support must be a pair"),
        ({"support": ([0, 0], [1, 1])}, r"arrays of shape \(1,\)"),
    ],
)
def test_attributes_that_make_no_sense_are_refused(attributes: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        as_measure(logistic(**attributes), "P")


def test_a_log_density_of_the_wrong_shape_is_refused() -> None:
    column = adapt(logistic(log_density=lambda x: -(x**2)))
    with pytest.raises(InvalidInput, match=r"P\.log_density must map \(n, d\) to \(n,\), got \(3, 1\) to \(3, 1\)"):
        column.log_density(np.zeros((3, 1)))


@pytest.mark.parametrize("method", ["quadrature", "monte_carlo"])
def test_a_log_density_of_nan_is_an_error(method: str) -> None:
    broken = logistic(log_density=lambda x: np.full(len(x), np.nan), sample=lambda n, rng: rng.normal(size=n))
    with pytest.raises((InvalidInput, divkit.NotConverged), match=r"(?i)nan"):
        divkit.kl(broken, st.logistic(), method=method, rng=0)


@pytest.mark.parametrize("shape", ["transposed", "short"])
def test_draws_of_the_wrong_shape_are_refused_not_reshaped(shape: str) -> None:
    def sample(n: int, rng: np.random.Generator) -> F:
        return rng.normal(size=(2, n) if shape == "transposed" else (n - 1, 2))

    two = adapt(SimpleNamespace(dim=2, log_density=lambda x: -(x**2).sum(1), sample=sample, name="wrong"))
    with pytest.raises(InvalidInput, match=r"sample\(5, rng\) of wrong must return shape \(5, 2\), it returned"):
        two.draw(5, np.random.default_rng(0))


def test_a_law_without_a_sampler_cannot_be_drawn_from() -> None:
    with pytest.raises(InvalidInput, match=r"has a log density but no sample\(n, rng\)"):
        adapt(logistic()).draw(3, np.random.default_rng(0))
    with pytest.raises(Unsupported, match=r"cannot be sampled; give it sample\(n, rng\)"):
        divkit.kl(logistic(), st.logistic(), method="monte_carlo")
