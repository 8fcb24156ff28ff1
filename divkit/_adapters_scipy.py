"""scipy.stats objects as laws: frozen distributions, multivariate ones, and the newer distribution classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from divkit import families
from divkit._errors import InvalidInput
from divkit.measures import Discrete, Law, Measure

__all__ = ["adapt"]

_F = NDArray[np.float64]


def adapt(value: Any, name: str) -> Measure:
    """A scipy.stats object as a measure; `InvalidInput` if it is none that divkit can read."""
    if hasattr(value, "dist") and hasattr(value, "kwds"):
        return _frozen(value, name)
    if hasattr(value, "iccdf") and hasattr(value, "logcdf"):
        return _infrastructure(value, name)
    if type(value).__name__ in ("multivariate_normal_frozen", "multivariate_t_frozen"):
        return _multivariate(value)
    kind = type(value).__name__
    remedy = (
        f"freeze it first: scipy.stats.{value.name}(...)"
        if hasattr(value, "rvs") and hasattr(value, "name")
        else "wrap it in an object with dim and log_density (divkit.Density)"
    )
    raise InvalidInput(f"{name} is a scipy.stats {kind} that divkit cannot read as one law; {remedy}")


def _column(function: Any) -> Any:
    """A function of (n,) as one of (n, 1)."""
    return lambda points: np.asarray(function(points[:, 0]), dtype=np.float64)


def _single(name: str, value: Any) -> float:
    number = np.asarray(value, dtype=np.float64)
    if number.ndim != 0:
        raise InvalidInput(f"{name} is a batch of distributions (a parameter has shape {number.shape}); pass one")
    return float(number)


def _parameters(value: Any, name: str) -> tuple[tuple[float, ...], float, float]:
    """(shapes, loc, scale) of a frozen univariate distribution, defaults filled in."""
    dist = value.dist
    shapes = [s.strip() for s in dist.shapes.split(",")] if dist.shapes else []
    discrete = hasattr(dist, "pmf")
    order = [*shapes, "loc"] if discrete else [*shapes, "loc", "scale"]
    given = {**dict(zip(order, value.args, strict=False)), **value.kwds}
    numbers = {key: _single(name, item) for key, item in given.items()}
    return tuple(numbers[s] for s in shapes), numbers.get("loc", 0.0), numbers.get("scale", 1.0)


def _frozen(value: Any, name: str) -> Measure:
    dist = value.dist
    if hasattr(dist, "xk") and hasattr(dist, "pk"):
        _, loc, _ = _parameters(value, name)
        return Discrete(np.asarray(dist.pk, dtype=np.float64), np.asarray(dist.xk, dtype=np.float64) + loc)
    if not hasattr(value, "support") or not (hasattr(dist, "logpdf") or hasattr(dist, "logpmf")):
        raise InvalidInput(f"{name} is a frozen scipy.stats {type(dist).__name__}, which has no univariate density")
    shapes, loc, scale = _parameters(value, name)
    counting = hasattr(dist, "logpmf")
    low, high = (float(end) for end in value.support())
    if np.isnan(low) or np.isnan(high):
        raise InvalidInput(f"{name}: scipy.stats.{dist.name} rejects its parameters {shapes}, loc={loc}, scale={scale}")
    edges = getattr(dist, "_hbins", None)  # of rv_histogram, which has no public name for them
    breakpoints = () if edges is None else tuple(float(edge) * scale + loc for edge in edges)
    return Law(
        dim=1,
        name=f"scipy.stats.{dist.name}" if dist.name else "scipy.stats distribution",
        log_density=_column(value.logpmf if counting else value.logpdf),
        sample=lambda n, rng: np.asarray(value.rvs(size=n, random_state=rng), dtype=np.float64)[:, None],
        low=np.array([low]),
        high=np.array([high]),
        base="counting" if counting else "lebesgue",
        cdf=value.cdf,
        sf=value.sf,
        quantile=value.ppf,
        isf=value.isf,
        breakpoints=breakpoints or ((loc,) if dist.name == "laplace" else ()),
        family=_family(_registered(dist), shapes, loc, scale, counting),
    )


def _registered(dist: Any) -> str | None:
    """The name under which scipy.stats itself offers this distribution; None for histograms and subclasses."""
    import scipy.stats

    known = getattr(scipy.stats, str(dist.name), None)
    return str(dist.name) if known is not None and type(known) is type(dist) else None


def _family(
    dist: str | None, shapes: tuple[float, ...], loc: float, scale: float, counting: bool
) -> families.Family | None:
    if counting:
        if dist == "bernoulli" and loc == 0:
            return families.Bernoulli(shapes[0])
        if dist == "poisson" and loc == 0:
            return families.Poisson(shapes[0])
        return None
    match dist:
        case "norm":
            return families.Gaussian(np.array([loc]), np.array([[scale**2]]))
        case "expon":
            return families.Exponential(1 / scale, loc)
        case "laplace":
            return families.Laplace(loc, scale)
        case "uniform":
            return families.Uniform(loc, loc + scale)
        case "gamma" | "erlang":
            return families.Gamma(shapes[0], scale, loc)
        case "chi2":
            return families.Gamma(shapes[0] / 2, 2 * scale, loc)
        case "beta":
            return families.Beta(shapes[0], shapes[1], loc, scale)
        case None:
            return None
        case _:
            return families.LocationScale((f"scipy.stats.{dist}", *shapes), loc, scale)


def _infrastructure(value: Any, name: str) -> Law:
    """The newer classes: scipy.stats.Normal, Uniform, Mixture, make_distribution(...) and transformations."""
    kind = type(value).__name__
    counting = any(base.__name__ == "DiscreteDistribution" for base in type(value).__mro__)
    if np.shape(value.mean()) != ():
        raise InvalidInput(f"{name} is a batch of distributions (shape {np.shape(value.mean())}); pass one")
    low, high = (float(end) for end in value.support())
    family: families.Family | None = None
    if kind == "Normal" or kind == "StandardNormal":
        family = families.Gaussian(np.array([float(value.mu)]), np.array([[float(value.sigma) ** 2]]))
    elif kind == "Uniform":
        family = families.Uniform(low, high)
    return Law(
        dim=1,
        name=f"scipy.stats.{kind}",
        log_density=_column(value.logpmf if counting else value.logpdf),
        sample=lambda n, rng: np.asarray(value.sample(n, rng=rng), dtype=np.float64).reshape(n, 1),
        low=np.array([low]),
        high=np.array([high]),
        base="counting" if counting else "lebesgue",
        cdf=value.cdf,
        sf=value.ccdf,
        quantile=value.icdf,
        isf=value.iccdf,
        family=family,
    )


def _multivariate(value: Any) -> Law:
    gaussian = type(value).__name__ == "multivariate_normal_frozen"
    mean = np.atleast_1d(np.asarray(value.mean if gaussian else value.loc, dtype=np.float64))
    d = len(mean)
    cov = np.asarray(value.cov, dtype=np.float64).reshape(d, d) if gaussian else None
    return Law(
        dim=d,
        name=f"scipy.stats.{type(value).__name__.removesuffix('_frozen')}",
        log_density=lambda points: np.asarray(value.logpdf(points), dtype=np.float64).reshape(len(points)),
        sample=lambda n, rng: np.asarray(value.rvs(size=n, random_state=rng), dtype=np.float64).reshape(n, d),
        low=np.full(d, -np.inf),
        high=np.full(d, np.inf),
        family=None if cov is None else families.Gaussian(mean, cov),
    )
