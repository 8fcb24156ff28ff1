"""torch.distributions objects as laws, evaluated in float64 on the CPU; imported only when torch already is."""

from __future__ import annotations

import inspect
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import distributions as td
from torch.distributions import constraints
from torch.distributions.transforms import _InverseTransform
from torch.distributions.utils import lazy_property

from divkit import families
from divkit._errors import InvalidInput
from divkit.measures import Discrete, Law, Measure, Univariate

__all__ = ["adapt"]

_F = NDArray[np.float64]
_BOUNDS = ("lower_bound", "upper_bound")


def adapt(value: td.Distribution, name: str) -> Measure:
    """A torch distribution without batch dimensions and with a scalar or vector event."""
    _check_shapes(value, name)
    ours = _is_of_torch(value)
    law = _in_double(value) if ours else value
    scalar = len(value.event_shape) == 0
    d = 1 if scalar else int(value.event_shape[0])
    family = _family(law, scalar) if ours else None
    if isinstance(family, families.Categorical):
        return Discrete(family.probs, np.arange(len(family.probs), dtype=np.float64))
    low, high = _box(law, d)
    kind = _any_parameter(law, ours)
    return Law(
        dim=d,
        name=f"torch.distributions.{type(value).__name__}" if ours else type(value).__name__,
        log_density=lambda points: _array(_log_density(law, _tensor(points[:, 0] if scalar else points, kind))),
        sample=lambda n, rng: _sample(law, n, rng).reshape(n, d),
        low=low,
        high=high,
        base=_base(law),
        cdf=_univariate(law, "cdf", kind, (low[0], high[0])) if scalar else None,
        quantile=_univariate(law, "icdf", kind, (0.0, 1.0)) if scalar else None,
        breakpoints=_breakpoints(law, low, high) if scalar else (),
        family=family,
    )


def _check_shapes(value: td.Distribution, name: str) -> None:
    if tuple(value.batch_shape) != ():
        raise InvalidInput(
            f"{name} is a batch of distributions, batch_shape {tuple(value.batch_shape)}; pass one, "
            f"or wrap it in torch.distributions.Independent if the batch is one joint law"
        )
    if len(value.event_shape) > 1:
        raise InvalidInput(f"{name} must have scalar or vector events, got event_shape {tuple(value.event_shape)}")
    if isinstance(value, td.VonMises):
        raise InvalidInput(
            f"{name} is a law on the circle, without a density on the line; use scipy.stats.vonmises_line"
        )
    for parameter, constraint in value.arg_constraints.items():
        held, rule = value.__dict__.get(parameter), cast("Any", constraint)
        if not isinstance(held, torch.Tensor) or constraints.is_dependent(rule):  # type: ignore[no-untyped-call]
            continue
        if not bool(rule.check(held).all()):  # torch does not look under validate_args=False
            raise InvalidInput(f"{name} has {parameter} = {held.tolist()}, which torch does not allow there")


def _is_of_torch(item: Any) -> bool:
    """Whether the distribution is made of torch's own classes alone, whose attributes are known."""
    if isinstance(item, td.Distribution | td.Transform):
        # torch compares the parameters of a generalised Pareto law with a float32 zero, and fails on float64 ones.
        inside = type(item).__module__.startswith("torch.distributions.") and type(item).__name__ != "GeneralizedPareto"
        return inside and all(_is_of_torch(held) for key, held in item.__dict__.items() if not _is_backward(item, key))
    if isinstance(item, list | tuple):
        return all(map(_is_of_torch, item))
    return not isinstance(item, torch.nn.Module)


def _is_backward(item: Any, key: str) -> bool:
    """Whether the attribute is a transform's link to its inverse, which links back."""
    return key == "_inv" and not isinstance(item, _InverseTransform)


def _in_double(item: Any) -> Any:
    """A copy whose parameters are float64 on the CPU: with float32 ones, torch rounds log densities to 1e-7."""
    if isinstance(item, torch.Tensor):
        tensor = item.detach().cpu()
        return tensor.double() if tensor.is_floating_point() else tensor
    if isinstance(item, list | tuple):
        return [_in_double(part) for part in item]
    if type(item) is td.MultivariateNormal:  # its Cholesky factor has been computed in the old precision
        scale = "covariance_matrix" if "covariance_matrix" in item.__dict__ else "scale_tril"
        doubles = {key: _in_double(getattr(item, key)) for key in ("loc", scale)}
        return td.MultivariateNormal(**doubles, validate_args=False)
    if type(item) in (td.Gumbel, td.Kumaraswamy, td.Weibull):  # they hold an epsilon or reciprocals in it
        return type(item)(**{key: _in_double(getattr(item, key)) for key in item.arg_constraints}, validate_args=False)
    if not isinstance(item, td.Distribution | td.Transform):
        return item
    twin: Any = object.__new__(type(item))
    given = item.__dict__.get("_param")
    for key, held in item.__dict__.items():
        if _is_backward(item, key):
            continue
        cached = isinstance(inspect.getattr_static(type(item), key, None), lazy_property)
        if cached and given is not None and held is not given:
            continue  # recomputed on use
        twin.__dict__[key] = held if isinstance(held, torch.Size) else _in_double(held)
    if isinstance(item, td.Transform):
        twin.__dict__["_cache_size"] = 0
        twin.__dict__.setdefault("_inv", None)
    else:
        twin.__dict__["_validate_args"] = False  # points off the support are told apart below
    return twin


def _support(law: td.Distribution) -> Any:
    return law.support  # typed as optional; every distribution with a density has one


def _constraint(law: td.Distribution) -> Any:
    """The constraint of the support without the wrappers that say which axes belong to the event."""
    constraint = _support(law)
    while hasattr(constraint, "base_constraint"):
        constraint = constraint.base_constraint
    return constraint


def _base(law: td.Distribution) -> str:
    if isinstance(_constraint(law), type(constraints.simplex)):
        return "simplex"
    return "counting" if _support(law).is_discrete else "lebesgue"


def _ends(law: td.Distribution) -> tuple[_F, _F]:
    """Lower and upper bounds as the constraint has them: of any shape that broadcasts to batch and event."""
    constraint = _constraint(law)
    if isinstance(constraint, type(constraints.boolean) | type(constraints.simplex) | type(constraints.one_hot)):
        return np.zeros(()), np.ones(())
    low, high = (
        torch.as_tensor(getattr(constraint, bound, default))
        for bound, default in zip(_BOUNDS, (-torch.inf, torch.inf), strict=True)
    )
    return _array(low.double()), _array(high.double())


def _box(law: td.Distribution, d: int) -> tuple[_F, _F]:
    """A box (d,), (d,) around the support."""
    low, high = _ends(law)
    if isinstance(law, td.MixtureSameFamily):  # the first axis counts components
        low, high = (low.min(axis=0), high.max(axis=0)) if low.ndim + high.ndim else (low, high)
    elif type(law) is td.TransformedDistribution and d == 1 and all(t.bijective for t in law.transforms):
        ends = torch.from_numpy(np.sort(np.concatenate(_box(law.base_dist, d))))
        for transform in law.transforms:
            ends = transform(ends)
        if not ends.isnan().any():
            low, high = (_array(end) for end in (ends.min(), ends.max()))
    return np.array(np.broadcast_to(low, (d,))), np.array(np.broadcast_to(high, (d,)))


def _breakpoints(law: Any, low: _F, high: _F) -> tuple[float, ...]:
    """Kinks, and ends of mixture components, inside the support."""
    if isinstance(law, td.MixtureSameFamily):
        ends = {*np.ravel(_ends(law)[0]), *np.ravel(_ends(law)[1])}
        if isinstance(law.component_distribution, td.Laplace):
            ends |= set(_array(law.component_distribution.loc).ravel())
        return tuple(sorted(float(end) for end in ends if low[0] < end < high[0]))
    return (float(law.loc),) if isinstance(law, td.Laplace) else ()


def _any_parameter(law: td.Distribution, ours: bool) -> torch.Tensor:
    """A tensor of the type and device in which the law is evaluated; foreign classes keep theirs."""
    if ours:
        return torch.zeros((), dtype=torch.float64)
    with torch.random.fork_rng(), torch.no_grad():
        return law.sample(torch.Size([1]))


def _tensor(array: Any, kind: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(np.array(array, dtype=np.float64)).to(kind)


def _array(tensor: torch.Tensor) -> _F:
    return np.asarray(tensor.detach().double().cpu().numpy(), dtype=np.float64)


def _log_density(law: Any, x: torch.Tensor) -> torch.Tensor:
    """Log density, -inf off the support, where torch raises or returns its formula's value."""
    with torch.no_grad():
        ours = not law._validate_args
        if isinstance(law, td.MixtureSameFamily) and ours:  # torch wants points inside all components at once
            parts = _log_density(law.component_distribution, x.unsqueeze(-1 - len(law.event_shape)))
            return torch.logsumexp(parts + torch.log_softmax(law.mixture_distribution.logits, -1), -1)
        inside = _inside(law, x)
        if ours:
            return torch.where(inside, law.log_prob(x), -torch.inf)
        logs = torch.full(inside.shape, -torch.inf, dtype=torch.float64, device=x.device)
        if bool(inside.any()):
            logs[inside] = law.log_prob(x[inside]).double()
        return logs


def _inside(law: Any, x: torch.Tensor) -> torch.Tensor:
    inside: torch.Tensor = _support(law).check(x)
    inside = inside & (x.isfinite().all(-1) if len(law.event_shape) else x.isfinite())
    if isinstance(law, td.Multinomial):  # torch checks neither integers nor the total
        inside = inside & (x == x.floor()).all(-1) & (x.sum(-1) == law.total_count)
    if type(law) is td.TransformedDistribution:  # an affine image of a half line is not all of the line
        for transform in reversed(law.transforms):
            reached = cast("Any", transform.codomain).check(x)
            inside = inside & (reached.all(-1) if reached.ndim > inside.ndim else reached)
            x = transform.inv(x)
        inside = inside & _inside(law.base_dist, x)
    return inside


def _sample(law: td.Distribution, n: int, rng: np.random.Generator) -> _F:
    """n draws; torch's own generators are seeded from rng and put back afterwards."""
    on_gpu = torch.cuda.is_available() and not _is_of_torch(law)
    with torch.random.fork_rng(devices=range(torch.cuda.device_count()) if on_gpu else []), torch.no_grad():
        seed = int(rng.integers(2**63))
        if on_gpu:
            torch.manual_seed(seed)
        else:
            torch.default_generator.manual_seed(seed)
        return _array(law.sample(torch.Size([n])))


def _univariate(law: Any, attribute: str, kind: torch.Tensor, domain: tuple[float, float]) -> Univariate | None:
    """The cdf or its inverse; arguments beyond the domain are moved to its ends, where torch would extrapolate."""

    def function(x: Any) -> _F:
        with torch.no_grad():
            values = _array(getattr(law, attribute)(_tensor(np.clip(x, *domain), kind)))
        return np.clip(values, 0.0, 1.0) if attribute == "cdf" else values

    try:
        function(np.array([0.5]))
    except (RuntimeError, ValueError, AttributeError):
        return None  # torch lacks it for this distribution
    return function


def _family(law: Any, scalar: bool) -> families.Family | None:
    if isinstance(law, td.MultivariateNormal):
        return families.Gaussian(_array(law.loc), _array(law.covariance_matrix))
    if isinstance(law, td.Independent) and isinstance(law.base_dist, td.Normal):
        return families.Gaussian(
            np.atleast_1d(_array(law.base_dist.loc)), np.diag(_array(law.base_dist.scale**2).ravel())
        )
    if not scalar:
        return None
    match law:
        case td.Normal():
            return families.normal(float(_array(law.loc)), float(_array(law.scale)))
        case td.Exponential():
            return families.Exponential(float(law.rate))
        case td.Laplace():
            return families.Laplace(float(law.loc), float(law.scale))
        case td.Uniform():
            return families.Uniform(float(law.low), float(law.high))
        case td.Gamma():  # includes Chi2
            return families.Gamma(float(law.concentration), 1 / float(law.rate))
        case td.Beta():
            return families.Beta(float(law.concentration1), float(law.concentration0))
        case td.Bernoulli():
            return families.Bernoulli(float(law.probs))
        case td.Poisson():
            return families.Poisson(float(law.rate))
        case td.Categorical():
            probs = _array(law.probs)
            return families.Categorical(probs / probs.sum())
        case _:
            return None
