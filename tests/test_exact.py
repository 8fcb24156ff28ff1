"""Divergences of probability vectors: laws of f-divergences, multiprecision sums, validation."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import F, probabilities, probability_pairs, read_only

import divkit
from divkit import exact
from divkit.catalog import DIVERGENCES, GAN, resolve_divergence
from divkit.divergences import DerivedDivergence, FDivergence

FDIVS = [name for name, div in DIVERGENCES.items() if isinstance(div, FDivergence)]
PROPER = [name for name in FDIVS if name != "gan"]
ALL = [name for name, div in DIVERGENCES.items() if isinstance(div, FDivergence | DerivedDivergence)]
SYMMETRIC = ["jsd", "squared_hellinger", "hellinger", "total_variation", "jeffreys"]
CONSTRUCTED = [divkit.alpha_divergence(a) for a in (-1.5, 0.3, 0.5, 1.5, 3.0)]
# Terms are accurate to a few roundings (2.2e-16) and sums of up to 300 non-negative terms add less than 300 more in
# the worst case, about sqrt(300) in practice.
RELATIVE = 1e-14


def compute(name: str, p: F, q: F) -> float:
    return float(exact.fdivergence(name, p, q))


@pytest.mark.parametrize("name", ALL)
@given(pair=probability_pairs())
def test_agrees_with_a_multiprecision_sum(name: str, pair: tuple[F, F]) -> None:
    p, q = pair
    truth, value = oracles.divergence(name, p, q), compute(name, p, q)
    if math.isinf(truth):
        assert value == math.inf
        return
    # hellinger: the square root halves relative errors; gan: 2 JSD - log 4 cancels where the laws are disjoint.
    floor = 1e-15 if name == "gan" else 0.0
    assert abs(value - float(truth)) <= RELATIVE * abs(float(truth)) + floor


@pytest.mark.parametrize("name", [n for n in ALL if n != "gan"])
@pytest.mark.parametrize("step", [1.0, 0.3, 1e-1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12])
def test_keeps_its_digits_near_equality(name: str, step: float, rng: np.random.Generator) -> None:
    p = rng.random(300) ** 8
    p /= p.sum()
    q = p * np.exp(step * rng.standard_normal(300))
    q /= q.sum()
    truth = oracles.divergence(name, p, q)
    assert abs(compute(name, p, q) / truth - 1) <= RELATIVE


@pytest.mark.parametrize("div", CONSTRUCTED, ids=lambda d: d.name)
@given(pair=probability_pairs())
def test_power_divergences_agree_with_their_integral(div: FDivergence, pair: tuple[F, F]) -> None:
    p, q = pair
    with mp.workdps(60):
        a = mp.mpf(float(div.name[6:-1]))
        terms = []
        for x, y in zip(map(mp.mpf, map(float, p)), map(mp.mpf, map(float, q)), strict=True):
            if x == y:
                continue
            if (y == 0 and a > 1) or (x == 0 and a < 0):
                terms = [mp.inf]
                break
            power = 0 if x == 0 or y == 0 else x**a * y ** (1 - a)
            terms.append((power - a * x - (1 - a) * y) / (a * (a - 1)))
        truth = float(mp.fsum(terms))
    value = float(exact.fdivergence(div, p, q))
    # The integrands are exact to rounding in l = log(p/q), and l to 2e-16 / |l|; near l = 0 that is relative.
    assert value == truth or abs(value - truth) <= 1e-13 * truth


@pytest.mark.parametrize("name", PROPER)
@given(pair=probability_pairs())
def test_is_never_negative(name: str, pair: tuple[F, F]) -> None:
    assert compute(name, *pair) >= 0


@pytest.mark.parametrize("name", ALL)
@given(p=probabilities())
def test_vanishes_between_equal_laws(name: str, p: F) -> None:
    expected = GAN.f_one if name == "gan" else 0.0
    assert compute(name, p, p) == expected


@pytest.mark.parametrize("name", SYMMETRIC)
@given(pair=probability_pairs())
def test_symmetric_divergences_are_symmetric(name: str, pair: tuple[F, F]) -> None:
    p, q = pair
    assert compute(name, p, q) == pytest.approx(compute(name, q, p), rel=1e-15)


@pytest.mark.parametrize("name", FDIVS)
@given(pair=probability_pairs())
def test_reverse_exchanges_the_arguments(name: str, pair: tuple[F, F]) -> None:
    p, q = pair
    div = resolve_divergence(name)
    assert isinstance(div, FDivergence)
    assert float(exact.fdivergence(div.reverse(), p, q)) == pytest.approx(compute(name, q, p), rel=1e-15)


@pytest.mark.parametrize("name", PROPER)
@given(pair=probability_pairs(), data=st.data())
def test_merging_atoms_never_raises_it(name: str, pair: tuple[F, F], data: st.DataObject) -> None:
    p, q = pair
    labels = np.array(data.draw(st.lists(st.integers(0, 2), min_size=len(p), max_size=len(p))))
    merged = [np.bincount(labels, v, 3) for v in (p, q)]
    # The merged masses carry a rounding each, which moves the value by its derivative times that.
    assert compute(name, *merged) <= compute(name, p, q) * (1 + 1e-12) + 1e-12


@pytest.mark.parametrize("name", PROPER)
@given(data=st.data(), t=st.floats(0, 1))
def test_is_jointly_convex(name: str, data: st.DataObject, t: float) -> None:
    p1, p2, q1, q2 = (data.draw(probabilities(4, positive=True)) for _ in range(4))
    mixed = compute(name, t * p1 + (1 - t) * p2, t * q1 + (1 - t) * q2)
    assert mixed <= t * compute(name, p1, q1) + (1 - t) * compute(name, p2, q2) + 1e-10 * (1 + mixed)


@given(first=probability_pairs(positive=True), second=probability_pairs(positive=True))
def test_products_tensorise(first: tuple[F, F], second: tuple[F, F]) -> None:
    p, q = (np.outer(a, b).ravel() for a, b in zip(first, second, strict=True))
    kl = compute("kl", *first) + compute("kl", *second)
    assert compute("kl", p, q) == pytest.approx(kl, rel=1e-12, abs=1e-14)
    affinity = [1 - compute("squared_hellinger", *pair) / 2 for pair in (first, second)]
    assert 1 - compute("squared_hellinger", p, q) / 2 == pytest.approx(affinity[0] * affinity[1], abs=1e-14)
    grown = [1 + compute("pearson_chi2", *pair) for pair in (first, second)]
    assert 1 + compute("pearson_chi2", p, q) == pytest.approx(grown[0] * grown[1], rel=1e-12)


@given(pair=probability_pairs())
def test_inequalities_between_divergences(pair: tuple[F, F]) -> None:
    d = {name: compute(name, *pair) for name in ALL}
    slack = 1 + 1e-12
    assert 2 * d["total_variation"] ** 2 <= d["kl"] * slack  # Pinsker
    assert d["squared_hellinger"] / 2 <= d["total_variation"] * slack
    assert d["total_variation"] <= math.sqrt(d["squared_hellinger"]) * slack
    assert d["kl"] <= math.log1p(d["pearson_chi2"]) * slack + 1e-30
    assert d["jeffreys"] == pytest.approx(d["kl"] + d["reverse_kl"], rel=1e-13)


@pytest.mark.parametrize("name", ALL)
def test_disjoint_laws_reach_the_supremum(name: str) -> None:
    assert compute(name, np.array([0.5, 0.5, 0.0]), np.array([0.0, 0.0, 1.0])) == pytest.approx(
        resolve_divergence(name).upper, rel=1e-15, abs=1e-15
    )


@pytest.mark.parametrize("name", FDIVS)
def test_limits_decide_what_missing_atoms_cost(name: str) -> None:
    div = resolve_divergence(name)
    assert isinstance(div, FDivergence)
    only_q = compute(name, np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.25, 0.5]))
    assert only_q == pytest.approx(0.5 * float(div.f(np.float64(2.0))) + 0.5 * div.f_zero, rel=1e-14)
    only_p = compute(name, np.array([0.25, 0.25, 0.5]), np.array([0.5, 0.5, 0.0]))
    assert only_p == pytest.approx(float(div.f(np.float64(0.5))) + 0.5 * div.slope_inf, rel=1e-14)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("small", [1e-300, 1e-310, 5e-324])
def test_tiny_probabilities_are_not_zeros(name: str, small: float) -> None:
    p, q = np.array([1.0, small]), np.array([0.5, 0.5])
    for a, b in ((p, q), (q, p)):
        truth = oracles.divergence(name, a, b)
        value = compute(name, a, b)
        overflow = truth > mp.mpf(1.79e308)
        assert value == math.inf if overflow else abs(value - float(truth)) <= 1e-14 * abs(float(truth)) + 1e-15


@pytest.mark.parametrize("name", PROPER)
@given(pair=probability_pairs(), c=st.floats(0.1, 10))
def test_a_scaled_divergence_is_a_multiple(name: str, pair: tuple[F, F], c: float) -> None:
    div = resolve_divergence(name)
    assert isinstance(div, FDivergence)
    value = compute(name, *pair)
    # The scaled copy takes the general path, whose log ratio has an absolute rounding of 2e-16.
    assert float(exact.fdivergence(div.scaled(c, "scaled"), *pair)) == pytest.approx(c * value, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("name", ALL)
def test_batches_broadcast_like_numpy(name: str, rng: np.random.Generator) -> None:
    p, q = rng.dirichlet(np.ones(5), (4, 1)), rng.dirichlet(np.ones(5), (3,))
    batch = exact.fdivergence(name, read_only(p), read_only(q))
    assert batch.shape == (4, 3)
    single = [[compute(name, a[0], b) for b in q] for a in p]
    np.testing.assert_array_equal(batch, single)
    along_first = exact.fdivergence(name, np.moveaxis(p, -1, 0), np.moveaxis(q, -1, 0)[:, None], axis=0)
    np.testing.assert_array_equal(along_first, batch)


@pytest.mark.parametrize("threads", ["1", "3"])
def test_results_do_not_depend_on_threads(
    threads: str, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    p, q = (v / v.sum() for v in rng.random((2, 1_500_000)))
    monkeypatch.setenv("DIVKIT_NUM_THREADS", "1")
    reference = compute("kl", p, q)
    monkeypatch.setenv("DIVKIT_NUM_THREADS", threads)
    assert compute("kl", p, q) == reference
    assert compute("kl", p, q) == pytest.approx(float((p * np.log(p / q)).sum()), rel=1e-12)


def test_float32_is_read_as_it_is(rng: np.random.Generator) -> None:
    p, q = (rng.dirichlet(np.ones(1000)).astype(np.float32) for _ in range(2))
    doubles = [v.astype(np.float64) / v.astype(np.float64).sum() for v in (p, q)]
    assert compute("kl", p, q) == pytest.approx(compute("kl", *doubles), rel=1e-13)


def test_sums_off_by_a_permitted_amount_are_divided_out() -> None:
    p, q = np.array([0.5, 0.5]), np.array([0.25, 0.75])
    assert compute("jsd", p * (1 + 5e-9), q * (1 - 5e-9)) == pytest.approx(compute("jsd", p, q), rel=1e-14)


def test_inputs_are_left_alone(rng: np.random.Generator) -> None:
    p, q = (read_only(rng.dirichlet(np.ones(50))) for _ in range(2))
    before = p.copy(), q.copy()
    for name in ALL:
        compute(name, p, q)
    np.testing.assert_array_equal((p, q), before)


@pytest.mark.parametrize(
    ("p", "q", "message"),
    [
        ([0.5, 0.6], [0.5, 0.5], r"p sums to 1\.1; a probability vector sums to 1\. For samples use"),
        ([0.5, 0.5], [2, 3], r"q sums to 5; .*divkit\.normalize\(q\)"),
        ([1.5, -0.5], [0.5, 0.5], r"p must be finite and non-negative, but p\[1\] is -0\.5"),
        ([0.5, 0.5], [float("nan"), 1.0], r"q must be finite and non-negative, but q\[0\] is nan"),
        ([float("inf"), 0.5], [0.5, 0.5], r"but p\[0\] is inf"),
        ([], [], "positive length along axis -1, got 0 and 0"),
        ([1.0], [0.5, 0.5], "got 1 and 2"),
        (["a"], [1.0], "p must hold real numbers"),
        ([[0.5, 0.5]] * 2, [[0.5, 0.5]] * 3, "leading axes that broadcast"),
        ([[0.5, 0.5], [0.5, 0.6]], [0.5, 0.5], "vector 1 of p sums to 1.1"),
        ([[0.5, 0.5], [0.5, -0.5]], [0.5, 0.5], "row 1 of p, entry 1"),
        (1.0, [1.0], "no axis -1"),
    ],
)
@pytest.mark.parametrize("div", ["kl", divkit.alpha_divergence(3.0)], ids=["fused", "general"])
def test_bad_vectors_are_refused_with_the_place(div: str, p: object, q: object, message: str) -> None:
    with pytest.raises(divkit.InvalidInput, match=message):
        exact.fdivergence(div, p, q)  # type: ignore[arg-type]


def test_a_wasserstein_distance_is_refused() -> None:
    with pytest.raises(divkit.InvalidInput, match="must be an f-divergence, got wasserstein1"):
        exact.fdivergence("wasserstein1", [1.0], [1.0])


def test_every_named_function_is_its_divergence() -> None:
    p, q = [0.5, 0.5], [0.25, 0.75]
    for name in ALL:
        assert getattr(exact, name)(p, q) == compute(name, np.array(p), np.array(q))
