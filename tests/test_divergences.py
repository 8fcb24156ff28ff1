"""Divergences as data: conjugates, integrands, limits and variational forms; what `check` finds."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import divkit
from divkit.catalog import DIVERGENCES, resolve_divergence
from divkit.divergences import FDivergence
from divkit.variational import VariationalForm

NAMED = [div for div in DIVERGENCES.values() if isinstance(div, FDivergence)]
POWER = [divkit.alpha_divergence(a) for a in (-2.0, -0.5, 0.0, 0.3, 0.5, 1.0, 1.7, 3.0)]
EVERY = [*NAMED, *POWER]
by_name = pytest.mark.parametrize("div", EVERY, ids=lambda d: d.name)
ratios = st.floats(-5.0, 5.0).map(math.exp)


def le_cam() -> FDivergence:
    return FDivergence.from_generator(
        "le_cam",
        f=lambda u: (u - 1) ** 2 / (u + 1),
        df=lambda u: (u - 1) * (u + 3) / (u + 1) ** 2,
        f_zero=1.0,
        slope_inf=1.0,
    )


@by_name
def test_check_finds_nothing_wrong_with_the_ready_made_ones(div: FDivergence) -> None:
    expected = [] if div.name != "gan" else ["f(1) is -1.38629, not 0: D(P, P) will be -1.38629; subtract it from f"]
    assert div.check() == expected


@by_name
@given(u=ratios, t=st.floats(-3.0, 3.0))
def test_fenchel_young_inequality(div: FDivergence, u: float, t: float) -> None:
    assert div.conj is not None
    conj = float(div.conj(np.float64(t)))
    assert conj + float(div.f(np.float64(u))) >= u * t - 1e-12 * (1 + abs(u * t))


@by_name
@given(u=ratios)
def test_fenchel_young_is_equality_at_the_derivative(div: FDivergence, u: float) -> None:
    assert div.conj is not None
    at = np.float64(u)
    slope = float(div.df(at))
    # f and f* are each a few roundings of their own size, and u f'(u) of its.
    scale = abs(u * slope) + abs(float(div.f(at))) + 1
    assert float(div.conj(np.float64(slope))) == pytest.approx(u * slope - float(div.f(at)), abs=1e-9 * scale)


@by_name
@given(v=st.floats(-8.0, 8.0))
def test_conjugate_terms_are_the_conjugate_of_the_activation(div: FDivergence, v: float) -> None:
    assert div.conj is not None
    form, at = div.variational, np.float64(v)
    # Where the activation has rounded onto the end of the domain, only the composite expression is right.
    t = np.float64(form.activation(at))
    if div.conj_domain[1] - t < 1e-9:
        return
    direct = float(div.conj(t))
    assert float(form.conj_activation(at)) == pytest.approx(direct, rel=1e-5, abs=1e-9)


@by_name
@pytest.mark.parametrize("form", ["variational", "log_ratio"])
@pytest.mark.parametrize("v", [-200.0, -40.0, 40.0, 200.0])
def test_both_terms_stay_finite_at_large_critics(div: FDivergence, form: str, v: float) -> None:
    terms: VariationalForm = getattr(div, form)  # the steepest, alpha(3), grows as e^(3 v): e^600 is a float
    assert np.isfinite(terms.activation(np.float64(v)))
    assert np.isfinite(terms.conj_activation(np.float64(v)))


@by_name
@given(l=st.floats(-5.0, 5.0))
def test_the_optimal_critic_attains_the_divergence(div: FDivergence, l: float) -> None:
    p = np.array([0.3, 0.7])
    q = np.array([0.3 * math.exp(-l), 0.7])
    q /= q.sum()
    ratio = np.log(p / q)
    value = p @ div.log_ratio.activation(ratio) - q @ div.log_ratio.conj_activation(ratio)
    assert value == pytest.approx(float(divkit.exact.fdivergence(div, p, q)), rel=1e-9, abs=1e-12)


@by_name
@given(data=st.data())
def test_every_critic_gives_a_lower_bound(div: FDivergence, data: st.DataObject) -> None:
    p, q = np.array([0.2, 0.5, 0.3]), np.array([0.4, 0.4, 0.2])
    v = np.array(data.draw(st.lists(st.floats(-6.0, 6.0), min_size=3, max_size=3)))
    truth = float(divkit.exact.fdivergence(div, p, q))
    for form in (div.variational, div.log_ratio):
        bound = p @ form.activation(v) - q @ form.conj_activation(v)
        assert bound <= truth + 1e-12 * (1 + np.abs(form.conj_activation(v)).max())


@by_name
@given(l=st.floats(-3.0, 3.0))
def test_integrands_are_the_centred_generator(div: FDivergence, l: float) -> None:
    u, at = math.exp(l), np.float64(l)
    f, df = (float(g(np.float64(1.0))) for g in (div.f, div.df))
    centred = float(div.f(np.float64(u))) - f - df * (u - 1)
    assert float(div.integrand_q(at)) == pytest.approx(centred, rel=1e-9, abs=1e-12)
    assert u * float(div.integrand_p(at)) == pytest.approx(centred, rel=1e-9, abs=1e-12)


@by_name
@pytest.mark.parametrize("l", [1e-3, 1e-6, 1e-9, -1e-9, -1e-3])
def test_integrands_keep_their_digits_near_zero(div: FDivergence, l: float) -> None:
    if div.name == "total_variation":
        assert float(div.integrand_q(np.float64(l))) == pytest.approx(abs(math.expm1(l)) / 2, rel=1e-15)
        return
    # f''(1) l^2/2 to leading order; the next order is relative l times a constant below 4 for these generators.
    curvature = float(div.df(np.float64(1 + 1e-4)) - div.df(np.float64(1 - 1e-4))) / 2e-4
    for integrand in (div.integrand_q, div.integrand_p):
        assert float(integrand(np.float64(l))) == pytest.approx(curvature * l * l / 2, rel=4 * abs(l) + 1e-6)


@pytest.mark.parametrize("div", NAMED, ids=lambda d: d.name)
def test_variational_terms_are_differentiable_in_torch(div: FDivergence) -> None:
    v = torch.linspace(-2.0, 2.0, 9, dtype=torch.float64, requires_grad=True)
    for form in (div.variational, div.log_ratio):
        terms = form.activation(v) + form.conj_activation(v)
        expected = form.activation(v.detach().numpy()) + form.conj_activation(v.detach().numpy())
        np.testing.assert_allclose(terms.detach().numpy(), expected, rtol=1e-12)
        (gradient,) = torch.autograd.grad(terms.sum(), v, allow_unused=True)
        assert gradient is not None
        assert torch.isfinite(gradient).all()


def test_reverse_of_a_reverse_is_the_divergence_itself() -> None:
    assert DIVERGENCES["kl"].reverse().reverse() is DIVERGENCES["kl"]  # type: ignore[union-attr]
    twice = le_cam().reverse().reverse()
    for u in (0.1, 1.0, 7.0):
        assert float(twice.f(np.float64(u))) == pytest.approx(float(le_cam().f(np.float64(u))), abs=1e-15)


def test_a_generator_of_ones_own_needs_four_facts() -> None:
    div = le_cam()
    assert div.check() == []
    p, q = [0.5, 0.5], [0.1, 0.9]
    expected = sum((a - b) ** 2 / (a + b) for a, b in zip(p, q, strict=True))
    value = divkit.estimate(divkit.Discrete(p), divkit.Discrete(q), div)
    assert value == pytest.approx(expected, rel=1e-14)
    assert value.divergence == "le_cam"
    assert div.upper == 2.0


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"f": lambda u: (u - 1) ** 2 / (u + 1) + 1}, r"f\(1\) is 1, not 0"),
        ({"f": lambda u: -((u - 1) ** 2), "df": lambda u: -2 * (u - 1)}, "f is not convex: df decreases"),
        ({"df": lambda u: u - 1}, "df is not the derivative of f: at u ="),
        ({"f_zero": 3.0}, r"f_zero is 3, but f\(u\) for u to 0 tends to 1"),
        ({"slope_inf": math.inf}, r"slope_inf is inf, but f\(u\)/u for u to infinity tends to 1"),
        ({"slope_inf": 0.25}, r"slope_inf is 0\.25"),
        ({"conj": lambda t: t}, "Fenchel-Young fails"),
        ({"conj": lambda t: t - 10.0}, "it is not the supremum"),
        ({"conj": lambda t: t, "conj_domain": (0.0, 0.1)}, r"conj_domain \(0\.0, 0\.1\) leaves out df\(u\)"),
        ({"variational": VariationalForm(lambda v: -v, lambda v: v * v)}, "activation decreases"),
        ({"variational": VariationalForm(lambda v: v, lambda v: v - 5)}, r"lies below f\*"),
        ({"df": lambda u: 1 / (u - 1)}, "df is not finite|could not be checked"),
        ({"conj": lambda t: {}[t]}, "fenchel young could not be checked"),
    ],
)
def test_check_says_what_is_wrong(change: dict[str, object], finding: str) -> None:
    right = {
        "f": lambda u: (u - 1) ** 2 / (u + 1),
        "df": lambda u: (u - 1) * (u + 3) / (u + 1) ** 2,
        "f_zero": 1.0,
        "slope_inf": 1.0,
    }
    with np.errstate(all="ignore"):
        found = FDivergence.from_generator("wrong", **{**right, **change}).check()  # type: ignore[arg-type]
    import re

    assert any(re.search(finding, sentence) for sentence in found), found


def test_check_finds_a_broken_log_ratio_form_and_integrand() -> None:
    from dataclasses import replace

    kl = DIVERGENCES["kl"]
    assert isinstance(kl, FDivergence)
    off = replace(kl, log_ratio=VariationalForm(lambda l: l, lambda l: np.exp(l)))
    assert any("log_ratio.activation is not df" in s for s in off.check())
    off = replace(kl, log_ratio=VariationalForm(lambda l: 1 + l, lambda l: np.exp(2 * l)))
    assert any("log_ratio.conj_activation is not" in s for s in off.check())
    off = replace(kl, integrand_q=lambda l: l**2)
    assert any("integrand_q disagrees with f" in s for s in off.check())
    off = replace(kl, integrand_p=lambda l: np.exp(20 * l))
    assert any("integrand_p is not finite" in s for s in off.check())
    off = replace(kl, power=(2.0, 1.0))
    assert any("power is (2, 1), but f is not" in s for s in off.check())
    off = replace(kl, integrand_q=lambda l: np.exp(l) * l)
    assert any("integrand_q is negative" in s for s in off.check())


@pytest.mark.parametrize("c", [0.0, -1.0, math.inf, math.nan])
def test_only_positive_multiples_are_divergences(c: float) -> None:
    with pytest.raises(divkit.InvalidInput, match="c must be a positive finite number"):
        le_cam().scaled(c, "bad")


def test_orders_of_power_divergences() -> None:
    p, q = [0.5, 0.5], [0.25, 0.75]
    value = {a: float(divkit.exact.fdivergence(divkit.alpha_divergence(a), p, q)) for a in (-1.0, 0.0, 0.5, 1.0, 2.0)}
    assert value[1.0] == pytest.approx(divkit.kl(p, q), rel=1e-14)
    assert value[0.0] == pytest.approx(divkit.reverse_kl(p, q), rel=1e-14)
    assert 2 * value[2.0] == pytest.approx(divkit.pearson_chi2(p, q), rel=1e-14)
    assert 2 * value[-1.0] == pytest.approx(divkit.neyman_chi2(p, q), rel=1e-14)
    assert value[0.5] == pytest.approx(2 * divkit.squared_hellinger(p, q), rel=1e-14)
    assert divkit.cressie_read(2 / 3).name == divkit.alpha_divergence(5 / 3).name
    with pytest.raises(divkit.InvalidInput, match="a must be finite"):
        divkit.alpha_divergence(math.nan)


def test_names_are_resolved_with_a_hint() -> None:
    assert resolve_divergence("reverse-kl") is DIVERGENCES["reverse_kl"]
    assert resolve_divergence(le_cam()).name == "le_cam"
    with pytest.raises(divkit.InvalidInput, match="'pearson_chi' is unknown; did you mean 'pearson_chi2'"):
        resolve_divergence("pearson_chi")
    with pytest.raises(divkit.InvalidInput, match="must be a name or a divergence object, got int"):
        resolve_divergence(3)  # type: ignore[arg-type]


def test_wasserstein_orders_and_dual() -> None:
    assert divkit.Wasserstein().name == "wasserstein1"
    assert divkit.Wasserstein(math.inf).name == "wasserstein_inf"
    assert divkit.Wasserstein(1).dual.variational.constraint == "lipschitz"
    with pytest.raises(divkit.InvalidInput, match="only W_1 has"):
        _ = divkit.Wasserstein(2).dual
    with pytest.raises(divkit.InvalidInput, match="p must be >= 1"):
        divkit.Wasserstein(0.5)
