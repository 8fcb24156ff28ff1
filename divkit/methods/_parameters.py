"""Parameters of families: whether they define a law, and when two families are one."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from divkit.families import (
    Bernoulli,
    Beta,
    Categorical,
    Exponential,
    Family,
    Gamma,
    Gaussian,
    Laplace,
    LocationScale,
    Poisson,
    Uniform,
    UniformSegment,
)

__all__ = ["invalid_parameter", "one_family"]

_POSITIVE = {
    "rate": (Exponential,),
    "scale": (Laplace, Gamma, Beta, LocationScale),
    "shape": (Gamma,),
    "a": (Beta,),
    "b": (Beta,),
}


def invalid_parameter(family: Family) -> str | None:
    """The first parameter that is out of range, described; families themselves check nothing."""
    for item in fields(family):
        value = getattr(family, item.name)
        if item.name == "standard":
            continue
        if not np.isfinite(value).all():
            return f"{item.name} = {value}"
        if isinstance(family, _POSITIVE.get(item.name, ())) and not value > 0:
            return f"{item.name} = {value}"
    match family:
        case Gaussian() if family.cov.shape != (len(family.mean),) * 2 or (np.diagonal(family.cov) < 0).any():
            return f"cov = {family.cov}"
        case Uniform() if not family.low < family.high:
            return f"[low, high] = [{family.low}, {family.high}]"
        case UniformSegment() if (family.start == family.end).all():
            return f"start = end = {family.start}"
        case Bernoulli() if not 0 <= family.prob <= 1:
            return f"prob = {family.prob}"
        case Poisson() if family.rate < 0:
            return f"rate = {family.rate}"
        case _:
            return None


def one_family(p: Family, q: Family) -> tuple[Family, Family]:
    """Both laws as members of one family, where one of them is a special case of the other's."""
    kinds = {type(p), type(q)}
    if kinds == {Exponential, Gamma}:
        p, q = (Gamma(1.0, 1 / f.rate, f.loc) if isinstance(f, Exponential) else f for f in (p, q))
    elif kinds == {Uniform, Beta}:
        p, q = (Beta(1.0, 1.0, f.low, f.high - f.low) if isinstance(f, Uniform) else f for f in (p, q))
    elif kinds == {Bernoulli, Categorical}:
        p, q = (Categorical(np.array([1 - f.prob, f.prob])) if isinstance(f, Bernoulli) else f for f in (p, q))
    return p, q
