"""Quadrature against values known from multiprecision arithmetic and from formulas, infinite ones included."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats as st

import divkit
from divkit import estimate
from divkit.datasets import GaussianMixture

TRUTH = json.loads((Path(__file__).parent.parent / "data" / "truth_1d.json").read_text(encoding="utf-8"))
NAMES = {
    "kl": "kl",
    "reverse_kl": "reverse_kl",
    "jsd": "jsd",
    "pearson_chi2": "pearson_chi2",
    "neyman_chi2": "neyman_chi2",
    "sq_hellinger": "squared_hellinger",
    "tv": "total_variation",
    "w1": "wasserstein1",
}
ENTRIES = [pytest.param(entry, key, id=f"{entry['name']}-{key}") for entry in TRUTH for key in NAMES]


def law(spec: dict[str, Any]) -> Any:
    match spec["kind"]:
        case "normal":
            return st.norm(spec["mean"], spec["std"])
        case "laplace":
            return st.laplace(spec["loc"], spec["scale"])
        case "exponential":
            return st.expon(scale=1 / spec["rate"])
        case "beta":
            return st.beta(spec["a"], spec["b"])
        case "uniform":
            return st.uniform(spec["low"], spec["high"] - spec["low"])
        case "gamma":
            return st.gamma(spec["shape"], scale=spec["scale"])
        case "normal_mixture":
            components = [st.Normal(mu=c["mean"], sigma=c["std"]) for c in spec["components"]]
            return st.Mixture(components, weights=spec["weights"])
    raise ValueError(spec["kind"])


@pytest.mark.parametrize(("entry", "key"), ENTRIES)
def test_reproduces_the_truth_and_its_infinities(entry: dict[str, Any], key: str) -> None:
    truth = float(entry[key])
    value = estimate(law(entry["p"]), law(entry["q"]), NAMES[key], "quadrature")
    if math.isinf(truth):
        assert value == math.inf
        return
    assert value == pytest.approx(truth, rel=1e-10)
    assert value.interval is not None
    # The truth itself is given to 1e-12.
    assert value.interval[0] - 1e-12 * truth <= truth <= value.interval[1] + 1e-12 * truth


KNOWN = [
    ("offset", st.norm(1e8, 1), st.norm(1e8 + 1, 1), "kl", 0.5),
    ("tiny scale", st.norm(0, 1e-300), st.norm(1e-300, 1e-300), "kl", 0.5),
    ("huge scale", st.norm(0, 1e300), st.norm(0, 2e300), "kl", math.log(2) - 3 / 8),
    ("far apart", st.norm(0, 1), st.norm(100, 1), "kl", 5000.0),
    ("far apart, bounded", st.norm(0, 1), st.norm(100, 1), "jsd", math.log(2)),
    ("nearly equal", st.norm(0, 1), st.norm(1e-8, 1), "kl", 5e-17),
    ("equal", st.norm(0, 1), st.norm(0, 1), "kl", 0.0),
    ("heavy tails", st.cauchy(), st.cauchy(1), "kl", math.log(5 / 4)),
    ("cauchy against normal", st.cauchy(), st.norm(), "kl", math.inf),
    ("logarithmic divergence", st.t(2), st.norm(), "kl", math.inf),
    ("singular ends", st.uniform(), st.beta(0.5, 0.5), "pearson_chi2", math.pi**2 / 8 - 1),
    ("singular ends reversed", st.beta(0.5, 0.5), st.uniform(), "kl", math.log(4) - math.log(math.pi)),
    ("interior zero of p", st.dgamma(2), st.norm(), "neyman_chi2", math.inf),
    ("disjoint supports", st.uniform(0, 1), st.uniform(2, 1), "squared_hellinger", 2.0),
    ("scaled lognormal", st.lognorm(1), st.lognorm(1, scale=2), "kl", math.log(2) ** 2 / 2),
    ("truncation", st.truncnorm(-1, 1), st.norm(), "kl", -math.log(math.erf(1 / math.sqrt(2)))),
    ("barely finite chi2", st.norm(0, 1), st.norm(0, 0.72), "pearson_chi2", None),
    ("integers", st.poisson(3), st.poisson(4), "kl", 3 * math.log(3 / 4) + 1),
    ("missing integers", st.binom(5, 0.5), st.binom(3, 0.5), "kl", math.inf),
    ("integers against a density", st.poisson(3), st.norm(), "kl", math.inf),
    ("no mean", st.cauchy(), st.cauchy(0, 2), "wasserstein1", math.inf),
    ("shift without a mean", st.cauchy(), st.cauchy(1), "wasserstein1", 1.0),
    ("second order", st.norm(0, 1), st.norm(1, 3), divkit.Wasserstein(2), math.sqrt(5)),
    ("third order", st.expon(), st.expon(scale=2), divkit.Wasserstein(3), 6 ** (1 / 3)),
]


@pytest.mark.parametrize(("P", "Q", "divergence", "truth"), [pytest.param(*k[1:], id=k[0]) for k in KNOWN])
def test_known_values_lie_in_the_certified_interval(P: Any, Q: Any, divergence: Any, truth: float | None) -> None:
    if truth is None:  # 1 + chi2 = s^2 / sqrt(2 s^2 - 1) for N(0, 1) against N(0, s^2)
        truth = 0.72**2 / math.sqrt(2 * 0.72**2 - 1) - 1
    value = estimate(P, Q, divergence, "quadrature")
    if math.isinf(truth):
        assert value == math.inf
        return
    assert abs(value - truth) <= value.info["gap"] + 4e-16 * truth
    # The gap is the quality that is promised, except where an offset of 1e8 leaves eight digits of the points.
    assert value.info["gap"] <= max(1e-9 * truth, 1e-14) or P.mean() > 1e7


def test_narrow_components_far_apart_are_not_missed() -> None:
    parts = [st.Normal(mu=-1e6, sigma=1e-3), st.Normal(mu=1e6, sigma=1e-3)]
    far = st.Mixture(parts, weights=[0.001, 0.999])
    # Each component sees the wide normal as flat: KL = sum w [log w - log(s / S) - 1/2 + 1/2 (mu/S)^2 + s^2/(2 S^2)]
    # with S = 1e6 and s = 1e-3, corrections being s^2/S^2 = 1e-18.
    entropy = 0.001 * math.log(0.001) + 0.999 * math.log(0.999)
    truth = entropy + math.log(1e9) - 0.5 + 0.5
    value = estimate(far, st.norm(0, 1e6), "kl", "quadrature")
    assert value == pytest.approx(truth, abs=1e-6)
    assert abs(value - truth) <= value.info["gap"]


def test_a_density_that_is_not_normalised_is_refused_with_its_mass() -> None:
    class Half:
        dim = 1
        support = (0.0, 1.0)

        def log_density(self, points: np.ndarray) -> np.ndarray:
            inside = (points[:, 0] >= 0) & (points[:, 0] <= 1)
            return np.where(inside, math.log(0.5), -np.inf)

    with pytest.raises(divkit.NotConverged, match=r"integrates to 0\.5 instead of 1"):
        estimate(Half(), st.uniform(0, 1), "kl", "quadrature")


def test_the_plane_agrees_with_closed_forms() -> None:
    P = st.multivariate_normal([0, 0], [[1, 0.5], [0.5, 2]])
    Q = st.multivariate_normal([1, -1], [[2, 0], [0, 1]])
    for name in ("kl", "squared_hellinger"):
        value, truth = (estimate(P, Q, name, method) for method in ("quadrature", "closed_form"))
        assert abs(value - truth) <= value.info["gap"] + truth.info["gap"]
        assert value.info["gap"] < 1e-8
    assert estimate(P, Q, "pearson_chi2", "quadrature") == math.inf  # 2 Sq - Sp is indefinite


def test_the_plane_takes_mixtures() -> None:
    pair = GaussianMixture([0.3, 0.7], [[0, 0], [3, 3]], [1.0, 0.5])
    product = estimate(pair, pair, "jsd", "quadrature")
    assert product == pytest.approx(0, abs=1e-12)


def test_three_dimensions_are_refused() -> None:
    P = st.multivariate_normal(np.zeros(3), np.eye(3))
    with pytest.raises(divkit.Unsupported, match="the dimension is 3, above 2"):
        estimate(P, P, "kl", "quadrature")


@pytest.mark.parametrize("rtol", [0.0, 1.0, -1e-3, "small", True])
def test_bad_tolerances_are_refused(rtol: Any) -> None:
    with pytest.raises(divkit.InvalidInput, match="rtol must be a number"):
        divkit.Quadrature(rtol=rtol)
