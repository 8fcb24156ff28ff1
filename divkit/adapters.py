"""`as_measure`: scipy.stats and torch.distributions objects, and laws of your own, as divkit measures."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from divkit import families
from divkit._checks import check_integer
from divkit._errors import InvalidInput
from divkit.measures import Density, Discrete, Law, Measure, Samples

__all__ = ["as_measure"]

_F = NDArray[np.float64]


def as_measure(value: Any, name: str = "argument") -> Measure:
    """The value as a measure.

    Parameters
    ----------
    value : object
        A `Discrete`, `Samples` or `Law` (returned as it is), a frozen `scipy.stats` distribution (univariate
        or multivariate normal or t), a distribution object of the newer `scipy.stats` kind
        (``scipy.stats.Normal(mu=0, sigma=1)``, ``Mixture``, ...), a `torch.distributions` object without
        batch dimensions, or anything with ``dim`` and ``log_density`` (see `Density`).
    name : str
        How error messages call the value.

    Raises
    ------
    InvalidInput
        For bare arrays (their meaning would be a guess), unfrozen and batched distributions, and
        everything else.
    """
    if isinstance(value, Discrete | Samples | Law):
        return value
    torch_distribution = getattr(sys.modules.get("torch.distributions"), "Distribution", None)
    if torch_distribution is not None and isinstance(value, torch_distribution):
        from divkit import _adapters_torch

        return _adapters_torch.adapt(value, name)
    if type(value).__module__.startswith("scipy.stats"):
        from divkit import _adapters_scipy

        return _adapters_scipy.adapt(value, name)
    if not isinstance(value, np.ndarray) and isinstance(value, Density):
        return _from_protocol(value, name)
    raise InvalidInput(
        f"{name} must be a measure, got {type(value).__name__}; wrap arrays in divkit.Discrete (probabilities) "
        f"or divkit.Samples (draws), or pass a scipy.stats, torch.distributions or divkit.Density object"
    )


def _from_protocol(value: Density, name: str) -> Law:
    dim = check_integer(f"{name}.dim", value.dim, 1)
    low, high = _box(getattr(value, "support", (-np.inf, np.inf)), dim, name)

    def log_density(points: _F) -> _F:
        logs = np.asarray(value.log_density(points), dtype=np.float64)
        if logs.shape != (len(points),):
            raise InvalidInput(f"{name}.log_density must map (n, d) to (n,), got {points.shape} to {logs.shape}")
        return logs

    def optional(attribute: str) -> Callable[..., Any] | None:
        found = getattr(value, attribute, None)
        return found if callable(found) else None

    family = getattr(value, "family", None)
    return Law(
        dim=dim,
        log_density=log_density,
        name=str(getattr(value, "name", type(value).__name__)),
        sample=optional("sample"),
        low=low,
        high=high,
        base=str(getattr(value, "base", "lebesgue")),
        cdf=optional("cdf") if dim == 1 else None,
        sf=optional("sf") if dim == 1 else None,
        quantile=optional("quantile") if dim == 1 else None,
        isf=optional("isf") if dim == 1 else None,
        breakpoints=tuple(float(point) for point in getattr(value, "breakpoints", ())),
        family=family if isinstance(family, families.Family) else None,
    )


def _box(support: Any, dim: int, name: str) -> tuple[_F, _F]:
    """(low, high), each (dim,), of a `support` attribute."""
    try:
        low, high = (np.broadcast_to(np.asarray(end, dtype=np.float64), (dim,)) for end in support)
    except (TypeError, ValueError):
        low = high = np.array([np.nan])
    if not (low < high).all():
        raise InvalidInput(
            f"{name}.support must be a pair (low, high) of numbers or of arrays of shape ({dim},) with low < high, "
            f"got {support!r}; use infinities where there is no bound, or leave it out"
        )
    return low, high
