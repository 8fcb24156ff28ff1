"""`Estimate`: a number that knows how it was obtained and how far it can be trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NoReturn, get_args

from divkit._errors import InvalidInput

__all__ = ["Bound", "Estimand", "Estimate"]

Bound = Literal["exact", "lower", "upper", "consistent", "heuristic"]
Estimand = Literal["given", "population"]

_BOUNDS, _ESTIMANDS = get_args(Bound), get_args(Estimand)
_FIELDS = ("divergence", "method", "bound", "estimand", "stderr", "interval", "level", "info")


class Estimate(float):
    """The value of a divergence as a `float`, with what is known about it.

    It behaves as its value everywhere (comparison, formatting, `json`, NumPy, `pytest.approx`);
    arithmetic gives a plain `float`, because the interval would no longer apply.

    Parameters
    ----------
    value : float
        In nats for f-divergences, in the units of the data for Wasserstein distances; may be inf, never NaN.
    divergence, method : str
        What was computed, and by which entry of `divkit.METHODS`.
    bound : {"exact", "lower", "upper", "consistent", "heuristic"}
        exact: D of the inputs as given, up to ``info["gap"]``. lower / upper: the expected value is at most /
        at least D, and the interval is one-sided. consistent: converges to D with no side.
        heuristic: no guarantee.
    estimand : {"given", "population"}
        Whether D is between the given point sets, vectors or laws themselves, or the laws samples came from.
    stderr : float or None
        Standard error, where the value is random.
    interval : (float, float) or None
        Contains D with probability `level` (1 for a computed certificate).
    level : float or None
        Confidence level of the interval.
    info : mapping
        Method-specific facts (``gap``, sizes, iterations, diagnostics).

    Raises
    ------
    InvalidInput
        If the value is NaN, the bound or estimand is unknown, or the interval is not ordered.

    Examples
    --------
    >>> import divkit
    >>> d = divkit.total_variation([0.5, 0.5], [0.25, 0.75])
    >>> d < 0.3, d.bound, d.method
    (True, 'exact', 'exact')
    """

    divergence: str
    method: str
    bound: Bound
    estimand: Estimand
    stderr: float | None
    interval: tuple[float, float] | None
    level: float | None
    info: Mapping[str, Any]

    def __new__(
        cls,
        value: float,
        *,
        divergence: str,
        method: str,
        bound: Bound,
        estimand: Estimand = "given",
        stderr: float | None = None,
        interval: tuple[float, float] | None = None,
        level: float | None = None,
        info: Mapping[str, Any] | None = None,
    ) -> Estimate:
        """Validate and freeze; a float cannot be set up in __init__."""
        self = super().__new__(cls, value)
        if math.isnan(self):
            raise InvalidInput(f"an Estimate of {divergence} by {method} cannot be NaN")
        if bound not in _BOUNDS:
            raise InvalidInput(f"bound must be one of {_BOUNDS}, got {bound!r}")
        if estimand not in _ESTIMANDS:
            raise InvalidInput(f"estimand must be one of {_ESTIMANDS}, got {estimand!r}")
        if interval is not None:
            interval = (float(interval[0]), float(interval[1]))
            if not interval[0] <= interval[1]:
                raise InvalidInput(f"interval must be ordered, got {interval}")
        held = {
            "divergence": divergence,
            "method": method,
            "bound": bound,
            "estimand": estimand,
            "stderr": None if stderr is None else float(stderr),
            "interval": interval,
            "level": None if level is None else float(level),
            "info": MappingProxyType(dict(info or {})),
        }
        self.__dict__.update(held)
        return self

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"an Estimate is immutable; cannot set {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"an Estimate is immutable; cannot delete {name!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        state = {name: getattr(self, name) for name in _FIELDS}
        return _rebuild, (float(self), {**state, "info": dict(self.info)})

    def __copy__(self) -> Estimate:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Estimate:
        return self

    def __str__(self) -> str:
        return float.__repr__(self)

    def __repr__(self) -> str:
        parts = [float.__repr__(self), self.divergence, f"method={self.method!r}", f"bound={self.bound!r}"]
        if self.estimand != "given":
            parts.append(f"estimand={self.estimand!r}")
        if self.interval is not None and self.interval[0] < self.interval[1]:
            at = "" if self.level is None else f", level={self.level:g}"
            parts.append(f"interval=({self.interval[0]:.6g}, {self.interval[1]:.6g}){at}")
        return f"Estimate({', '.join(parts)})"

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain Python values, ready for `json.dumps`.

        Infinities stay floats; numbers and arrays in `info` become lists and floats.
        """
        held = {name: getattr(self, name) for name in _FIELDS}
        return {"value": float(self), **{name: _plain(item) for name, item in held.items()}}


def _rebuild(value: float, state: dict[str, Any]) -> Estimate:
    return Estimate(value, **state)


def _plain(item: Any) -> Any:
    if isinstance(item, Mapping):
        return {str(key): _plain(value) for key, value in item.items()}
    if isinstance(item, list | tuple):
        return [_plain(value) for value in item]
    if hasattr(item, "tolist"):
        return _plain(item.tolist())
    if isinstance(item, bool | int | str) or item is None:
        return item
    return float(item) if isinstance(item, float) else str(item)
