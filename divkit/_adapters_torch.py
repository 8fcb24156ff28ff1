"""torch.distributions objects as laws, evaluated in float64; imported only when torch already is."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from divkit import families
from divkit._errors import InvalidInput
from divkit.measures import Base, Discrete, Law, Measure, Univariate

__all__ = ["adapt"]

_F = NDArray[np.float64]


def adapt(value: torch.distributions.Distribution, name: str) -> Measure:
    """A torch distribution without batch dimensions and with a scalar or vector event."""
    if tuple(value.batch_shape) != ():
        raise InvalidInput(
            f"{name} is a batch of distributions, batch_shape {tuple(value.batch_shape)}; pass one, "
            f"or wrap it in torch.distributions.Independent if the batch is one joint law"
        )
    if len(value.event_shape) > 1:
        raise InvalidInput(f"{name} must have scalar or vector events, got event_shape {tuple(value.event_shape)}")
    scalar = len(value.event_shape) == 0
    d = 1 if scalar else int(value.event_shape[0])
    family = _family(value, scalar)
    if isinstance(family, families.Categorical):
        return Discrete(family.probs, np.arange(len(family.probs), dtype=np.float64))
    low, high = _support(value, d)
    base: Base = "counting" if _constraint(value).is_discrete else "lebesgue"
    return Law(
        dim=d,
        name=f"torch.distributions.{type(value).__name__}",
        log_density=lambda points: _log_density(value, points, scalar),
        sample=lambda n, rng: _sample(value, n, rng).reshape(n, d),
        low=low,
        high=high,
        base=base,
        cdf=_univariate(value, "cdf", scalar),
        quantile=_univariate(value, "icdf", scalar),
        breakpoints=(float(value.loc),) if isinstance(value, torch.distributions.Laplace) else (),
        family=family,
    )


def _constraint(value: torch.distributions.Distribution) -> Any:
    return value.support  # typed as optional; every distribution with a density has one


def _number(value: Any) -> float:
    return float(value.detach().double().cpu())


def _vector(value: Any) -> _F:
    return np.atleast_1d(np.asarray(value.detach().double().cpu().numpy(), dtype=np.float64))


def _support(value: torch.distributions.Distribution, d: int) -> tuple[_F, _F]:
    """The box of the support, from the constraint's own bounds where it names them."""
    constraint = _constraint(value)
    while hasattr(constraint, "base_constraint"):
        constraint = constraint.base_constraint
    low = float(getattr(constraint, "lower_bound", -np.inf))
    high = float(getattr(constraint, "upper_bound", np.inf))
    return np.full(d, low), np.full(d, high)


def _log_density(value: torch.distributions.Distribution, points: _F, scalar: bool) -> _F:
    x = torch.from_numpy(np.ascontiguousarray(points[:, 0] if scalar else points, dtype=np.float64))
    x = x.to(_device(value))
    logs = torch.full((len(points),), -torch.inf, dtype=torch.float64, device=x.device)
    with torch.no_grad():
        inside = _constraint(value).check(x)  # outside, log_prob raises or returns the formula's value
        if bool(inside.any()):
            logs[inside] = value.log_prob(x[inside]).double()
    return np.asarray(logs.cpu().numpy(), dtype=np.float64)


def _device(value: torch.distributions.Distribution) -> torch.device:
    for parameter in value.__dict__.values():
        if isinstance(parameter, torch.Tensor):
            return parameter.device
    return torch.device("cpu")


def _sample(value: torch.distributions.Distribution, n: int, rng: np.random.Generator) -> _F:
    """n draws; torch's own generators are seeded from rng and put back afterwards."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(int(rng.integers(2**63)))
        return np.asarray(value.sample(torch.Size([n])).double().cpu().numpy(), dtype=np.float64)


def _univariate(value: torch.distributions.Distribution, attribute: str, scalar: bool) -> Univariate | None:
    if not scalar:
        return None

    def function(x: _F) -> _F:
        with torch.no_grad():
            tensor = torch.from_numpy(np.ascontiguousarray(x, dtype=np.float64)).to(_device(value))
            return np.asarray(getattr(value, attribute)(tensor).double().cpu().numpy(), dtype=np.float64)

    try:
        function(np.array([0.5]))
    except (NotImplementedError, ValueError):
        return None  # torch lacks it for this distribution, or 0.5 lies outside what it accepts
    return function


def _family(value: Any, scalar: bool) -> families.Family | None:
    td = torch.distributions
    if isinstance(value, td.MultivariateNormal):
        return families.Gaussian(
            _vector(value.loc), np.asarray(value.covariance_matrix.detach().double().cpu().numpy())
        )
    if isinstance(value, td.Independent) and isinstance(value.base_dist, td.Normal):
        return families.Gaussian(_vector(value.base_dist.loc), np.diag(_vector(value.base_dist.scale) ** 2))
    if not scalar:
        return None
    match value:
        case td.Normal():
            return families.Gaussian(_vector(value.loc), _vector(value.scale)[:, None] ** 2)
        case td.Exponential():
            return families.Exponential(_number(value.rate))
        case td.Laplace():
            return families.Laplace(_number(value.loc), _number(value.scale))
        case td.Uniform():
            return families.Uniform(_number(value.low), _number(value.high))
        case td.Gamma():  # includes Chi2
            return families.Gamma(_number(value.concentration), 1 / _number(value.rate))
        case td.Beta():
            return families.Beta(_number(value.concentration1), _number(value.concentration0))
        case td.Bernoulli():
            return families.Bernoulli(_number(value.probs))
        case td.Poisson():
            return families.Poisson(_number(value.rate))
        case td.Categorical():
            probs = _vector(value.probs)
            return families.Categorical(probs / probs.sum())
        case _:
            return None
