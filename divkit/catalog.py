"""The ready-made divergences, by name; formulas and scales as in docs/conventions.md."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from divkit._array import namespace
from divkit._errors import InvalidInput
from divkit._generators import entropy_excess, exp_excess, quiet
from divkit.divergences import IPM, DerivedDivergence, Divergence, FDivergence, Wasserstein
from divkit.variational import VariationalForm

__all__ = ["DIVERGENCES", "GAN", "KL", "REVERSE_KL", "resolve_divergence"]

_INF = math.inf
_LOG2 = math.log(2.0)


def _exp(v: Any) -> Any:
    return namespace(v).exp(v)


def _expm1(v: Any) -> Any:
    return namespace(v).expm1(v)


def _softplus(v: Any) -> Any:
    xp = namespace(v)
    return xp.logaddexp(v, xp.zeros_like(v))


def _below(limit: float, t: Any, value: Any) -> Any:
    """A conjugate's value inside its domain, inf beyond the upper end."""
    return np.where(np.asarray(t) < limit, value, _INF)


def _xlogx(u: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.asarray(u) > 0, u * np.log(u), 0.0)


def _kl_under_q(l: Any) -> Any:
    """u log u - u + 1 at u = e^l, as e^l (e^-l - 1 + l) near 0; for l below -700 that would be 0 * inf."""
    near, far = np.maximum(l, -1.0), np.minimum(l, -1.0)
    return np.where(np.asarray(l) > -1, np.exp(near) * exp_excess(-near), far * np.exp(far) - np.expm1(far))


KL = FDivergence(
    name="kl",
    f=_xlogx,
    df=lambda u: np.log(u) + 1,
    f_zero=0.0,
    slope_inf=_INF,
    conj=lambda t: np.exp(t - 1),
    conj_domain=(-_INF, _INF),
    integrand_q=_kl_under_q,
    integrand_p=lambda l: exp_excess(-l),
    variational=VariationalForm(lambda v: v, lambda v: _exp(v - 1)),
    log_ratio=VariationalForm(lambda l: 1 + l, _exp),
    reverse_name="reverse_kl",
)

REVERSE_KL = FDivergence(
    name="reverse_kl",
    f=lambda u: -np.log(u),
    df=lambda u: -1 / u,
    f_zero=_INF,
    slope_inf=0.0,
    conj=quiet(lambda t: _below(0.0, t, -1 - np.log(-t))),
    conj_domain=(-_INF, 0.0),
    integrand_q=lambda l: exp_excess(l),
    integrand_p=lambda l: _kl_under_q(-l),
    variational=VariationalForm(lambda v: -_exp(-v), lambda v: v - 1),
    log_ratio=VariationalForm(lambda l: -_exp(-l), lambda l: l - 1),
    reverse_name="kl",
)

# Twice the Jensen-Shannon divergence, the scale in which f-GAN gives its terms.
_TWO_JSD = FDivergence(
    name="twice_jsd",
    f=lambda u: _xlogx(u) - (u + 1) * np.log((u + 1) / 2),
    df=lambda u: _LOG2 - np.log1p(1 / u),
    f_zero=_LOG2,
    slope_inf=_LOG2,
    conj=quiet(lambda t: _below(_LOG2, t, -np.log(2 - np.exp(t)))),
    conj_domain=(-_INF, _LOG2),
    # (p + q)/2 [(1+s) log(1+s) + (1-s) log(1-s)] with s = (p - q)/(p + q) = tanh(l/2)
    integrand_q=lambda l: 0.5 * (1 + np.exp(l)) * entropy_excess(np.tanh(l / 2)),
    integrand_p=lambda l: 0.5 * (1 + np.exp(-l)) * entropy_excess(np.tanh(l / 2)),
    variational=VariationalForm(lambda v: _LOG2 - _softplus(-v), lambda v: _softplus(v) - _LOG2),
    log_ratio=VariationalForm(lambda l: _LOG2 - _softplus(-l), lambda l: _softplus(l) - _LOG2),
)
JSD = replace(_TWO_JSD.scaled(0.5, "jsd"), reverse_name="jsd")

GAN = FDivergence(
    name="gan",
    f=lambda u: _xlogx(u) - (u + 1) * np.log(u + 1),
    df=lambda u: -np.log1p(1 / u),
    f_zero=0.0,
    slope_inf=0.0,
    conj=quiet(lambda t: _below(0.0, t, -np.log(-np.expm1(t)))),
    conj_domain=(-_INF, 0.0),
    integrand_q=_TWO_JSD.integrand_q,
    integrand_p=_TWO_JSD.integrand_p,
    variational=VariationalForm(lambda v: -_softplus(-v), _softplus),
    log_ratio=VariationalForm(lambda l: -_softplus(-l), _softplus),
    reverse_name="gan",
)

PEARSON_CHI2 = FDivergence(
    name="pearson_chi2",
    f=lambda u: (u - 1) ** 2,
    df=lambda u: 2 * (u - 1),
    f_zero=1.0,
    slope_inf=_INF,
    conj=lambda t: np.where(np.asarray(t) >= -2, t * t / 4 + t, -1.0),
    conj_domain=(-_INF, _INF),
    integrand_q=quiet(lambda l: np.expm1(l) ** 2),
    integrand_p=lambda l: np.expm1(l) * -np.expm1(-l),
    variational=VariationalForm(
        lambda v: v, lambda v: namespace(v).where(v >= -2, v * v / 4 + v, namespace(v).zeros_like(v) - 1)
    ),
    log_ratio=VariationalForm(lambda l: 2 * _expm1(l), lambda l: _expm1(2 * l)),
    reverse_name="neyman_chi2",
    power=(2.0, 1.0),
)

NEYMAN_CHI2 = FDivergence(
    name="neyman_chi2",
    f=lambda u: (u - 1) ** 2 / u,
    df=lambda u: 1 - 1 / u**2,
    f_zero=_INF,
    slope_inf=1.0,
    conj=quiet(lambda t: np.where(np.asarray(t) <= 1, 2 - 2 * np.sqrt(1 - t), _INF)),
    conj_domain=(-_INF, 1.0),
    integrand_q=lambda l: np.expm1(l) * -np.expm1(-l),
    integrand_p=quiet(lambda l: np.expm1(-l) ** 2),
    variational=VariationalForm(lambda v: -_expm1(-v), lambda v: -2 * _expm1(-v / 2)),
    log_ratio=VariationalForm(lambda l: -_expm1(-2 * l), lambda l: -2 * _expm1(-l)),
    reverse_name="pearson_chi2",
    power=(-1.0, 1.0),
)

SQUARED_HELLINGER = FDivergence(
    name="squared_hellinger",
    f=lambda u: (np.sqrt(u) - 1) ** 2,
    df=lambda u: 1 - 1 / np.sqrt(u),
    f_zero=1.0,
    slope_inf=1.0,
    conj=quiet(lambda t: _below(1.0, t, t / (1 - t))),
    conj_domain=(-_INF, 1.0),
    integrand_q=lambda l: np.expm1(l / 2) ** 2,
    integrand_p=lambda l: np.expm1(-l / 2) ** 2,
    variational=VariationalForm(lambda v: -_expm1(-v), _expm1),
    log_ratio=VariationalForm(lambda l: -_expm1(-l / 2), lambda l: _expm1(l / 2)),
    reverse_name="squared_hellinger",
    power=(0.5, -2.0),
)

TOTAL_VARIATION = FDivergence(
    name="total_variation",
    f=lambda u: np.abs(u - 1) / 2,
    df=lambda u: np.sign(u - 1) / 2,
    f_zero=0.5,
    slope_inf=0.5,
    conj=lambda t: np.where(np.asarray(t) <= 0.5, np.maximum(t, -0.5), _INF),
    conj_domain=(-_INF, 0.5),
    integrand_q=lambda l: np.abs(np.expm1(l)) / 2,
    integrand_p=lambda l: np.abs(np.expm1(-l)) / 2,
    variational=VariationalForm(lambda v: namespace(v).tanh(v) / 2, lambda v: namespace(v).tanh(v) / 2),
    log_ratio=VariationalForm(lambda l: namespace(l).sign(l) / 2, lambda l: namespace(l).sign(l) / 2),
    reverse_name="total_variation",
)


def _jeffreys_conj(t: Any) -> Any:
    # With w = 1/u, f'(u) = t reads w e^w = e^(1 - t), so w is Wright's omega of 1 - t.
    from scipy.special import wrightomega

    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        w = wrightomega(1 - np.asarray(t, dtype=np.float64))
        return np.where(w > 0, 1 / w - 1 - np.log(w), _INF)


JEFFREYS = FDivergence(
    name="jeffreys",
    f=lambda u: (u - 1) * np.log(u),
    df=lambda u: np.log(u) + 1 - 1 / u,
    f_zero=_INF,
    slope_inf=_INF,
    conj=_jeffreys_conj,
    conj_domain=(-_INF, _INF),
    integrand_q=lambda l: np.expm1(l) * l,
    integrand_p=lambda l: -np.expm1(-l) * l,
    variational=VariationalForm(lambda v: v - _expm1(-v), lambda v: v + _expm1(v)),
    log_ratio=VariationalForm(lambda l: l - _expm1(-l), lambda l: l + _expm1(l)),
    reverse_name="jeffreys",
)

HELLINGER = DerivedDivergence(
    name="hellinger",
    base=SQUARED_HELLINGER,
    transform=lambda d: math.sqrt(d / 2),
    derivative=lambda d: 0.25 / math.sqrt(d / 2) if d > 0 else _INF,
)

WASSERSTEIN1 = Wasserstein(1.0)


DIVERGENCES: Mapping[str, Divergence] = MappingProxyType(
    {
        d.name: d
        for d in (
            KL,
            REVERSE_KL,
            JSD,
            PEARSON_CHI2,
            NEYMAN_CHI2,
            SQUARED_HELLINGER,
            HELLINGER,
            TOTAL_VARIATION,
            JEFFREYS,
            GAN,
            WASSERSTEIN1,
            Wasserstein(2.0),
        )
    }
)


def resolve_divergence(divergence: str | Divergence) -> Divergence:
    """A divergence from its name or from itself.

    Raises
    ------
    InvalidInput
        If the name is unknown (the nearest names are suggested) or the object is no divergence.
    """
    if isinstance(divergence, FDivergence | DerivedDivergence | Wasserstein | IPM):
        return divergence
    if isinstance(divergence, str):
        known = DIVERGENCES.get(divergence.replace("-", "_").lower())
        if known is not None:
            return known
        near = difflib.get_close_matches(divergence, DIVERGENCES, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise InvalidInput(f"divergence {divergence!r} is unknown; {hint}Known: {', '.join(DIVERGENCES)}")
    raise InvalidInput(
        f"divergence must be a name or a divergence object, got {type(divergence).__name__}; "
        f"write your own with divkit.FDivergence.from_generator"
    )
