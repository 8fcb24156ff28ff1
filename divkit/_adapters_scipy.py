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
        f"freeze it first by calling it: {name}(...) instead of {name}"
        if hasattr(value, "rvs") and callable(value) and not kind.endswith("_frozen")
        else "wrap it in an object with dim and log_density (divkit.Density)"
    )
    raise InvalidInput(f"{name} is a scipy.stats {kind} that divkit cannot read as one law; {remedy}")


def _on_points(function: Any, d: int) -> Any:
    """A log density as a function of (n, d) to (n,), -inf at infinity, where SciPy may return NaN."""

    def log_density(points: _F) -> _F:
        finite = np.isfinite(points).all(axis=1)  # (n,)
        logs = np.full(len(points), -np.inf)
        if finite.any():
            with np.errstate(all="ignore"):  # far out, squares and exponentials overflow on the way to -inf
                logs[finite] = np.reshape(function(points[finite, 0] if d == 1 else points[finite]), -1)
        return logs

    return log_density


def _steps(function: Any) -> Any:
    """A distribution function on the integers, constant between them: SciPy's newer classes interpolate."""
    return lambda x: function(np.floor(x))


def _single(name: str, value: Any) -> float:
    try:
        number = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{name} has the parameter {value!r}; its parameters must be numbers") from error
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
    with np.errstate(invalid="ignore"):
        low, high = (float(end) for end in value.support())
    if np.isnan(low) or np.isnan(high) or np.isinf(loc):
        raise InvalidInput(f"{name}: scipy.stats.{dist.name} rejects its parameters {shapes}, loc={loc}, scale={scale}")
    if _registered(dist) == "vonmises":
        raise InvalidInput(
            f"{name} is a law on the circle, without a density on the line; use scipy.stats.vonmises_line"
        )
    if counting and not loc.is_integer():
        raise InvalidInput(f"{name} has masses at loc={loc} plus integers; a counting law needs an integer loc")
    return Law(
        dim=1,
        name=f"scipy.stats.{dist.name}" if dist.name else "scipy.stats distribution",
        log_density=_on_points(value.logpmf if counting else value.logpdf, 1),
        sample=lambda n, rng: np.asarray(value.rvs(size=n, random_state=rng), dtype=np.float64)[:, None],
        low=np.array([low]),
        high=np.array([high]),
        base="counting" if counting else "lebesgue",
        cdf=value.cdf,
        sf=value.sf,
        quantile=value.ppf,
        isf=value.isf,
        breakpoints=tuple(loc + scale * kink for kink in _kinks(dist, shapes)),
        family=_family(_registered(dist), shapes, loc, scale, counting),
    )


def _kinks(dist: Any, shapes: tuple[float, ...]) -> tuple[float, ...]:
    """Where the standard density has kinks, jumps or poles inside its support."""
    edges = getattr(dist, "_hbins", None)  # of rv_histogram, which has no public name for them
    if edges is not None:
        return tuple(float(edge) for edge in edges)
    match _registered(dist):
        case "laplace" | "laplace_asymmetric" | "dgamma" | "dweibull" | "gennorm":
            return (0.0,)
        case "loglaplace":
            return (1.0,)
        case "triang" | "trapezoid":
            return tuple(c for c in shapes if 0 < c < 1)
        case _:
            return ()


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
            return families.normal(loc, scale)
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
        case None | "levy_stable":  # in its usual parameters a scaled Cauchy-like stable law is shifted as well
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
    if np.isnan(low) or np.isnan(high):
        raise InvalidInput(f"{name} is a scipy.stats {kind} with parameters outside their domain: {value}")
    family: families.Family | None = None
    if kind == "Normal" or kind == "StandardNormal":
        family = families.normal(float(value.mu), float(value.sigma))
    elif kind == "Uniform":
        family = families.Uniform(low, high)
    return Law(
        dim=1,
        name=f"scipy.stats.{kind}",
        log_density=_on_points(value.logpmf if counting else value.logpdf, 1),
        sample=lambda n, rng: np.asarray(value.sample(n, rng=rng), dtype=np.float64).reshape(n, 1),
        low=np.array([low]),
        high=np.array([high]),
        base="counting" if counting else "lebesgue",
        cdf=_steps(value.cdf) if counting else value.cdf,
        sf=_steps(value.ccdf) if counting else value.ccdf,
        quantile=value.icdf,
        isf=value.iccdf,
        breakpoints=_component_ends(value, low, high),
        family=family,
    )


def _component_ends(value: Any, low: float, high: float) -> tuple[float, ...]:
    """Where components of a mixture begin or end inside its support."""
    ends = {float(end) for part in getattr(value, "components", ()) for end in part.support()}
    return tuple(sorted(end for end in ends if low < end < high))


def _multivariate(value: Any) -> Law:
    gaussian = type(value).__name__ == "multivariate_normal_frozen"
    mean = np.atleast_1d(np.asarray(value.mean if gaussian else value.loc, dtype=np.float64))
    d = len(mean)
    cov = np.asarray(value.cov, dtype=np.float64).reshape(d, d) if gaussian else None
    rank = int((value.cov_object if gaussian else value.shape_info).rank)
    return Law(
        dim=d,
        base={d: "lebesgue", 0: "counting", 1: "length"}.get(rank, f"subspace of dimension {rank}"),
        name=f"scipy.stats.{type(value).__name__.removesuffix('_frozen')}",
        log_density=_on_points(value.logpdf, d),
        sample=lambda n, rng: np.asarray(value.rvs(size=n, random_state=rng), dtype=np.float64).reshape(n, d),
        low=np.full(d, -np.inf),
        high=np.full(d, np.inf),
        family=None if cov is None else families.Gaussian(mean, cov),
    )
