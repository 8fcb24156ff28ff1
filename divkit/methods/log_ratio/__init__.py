"""Models of the log ratio l = log p/q, fitted to a sample of P and one of Q; one model a file."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, Final, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from divkit._errors import InvalidInput

__all__ = ["MODELS", "LogRatio", "LogRatioModel", "resolve_model"]

_F = NDArray[np.float64]

LogRatio = Callable[[_F], _F]  # points (k, d) to log ratios (k,)


@runtime_checkable
class LogRatioModel(Protocol):
    """What a model of the log ratio must offer; write your own with these three methods and a name.

    Attributes
    ----------
    name : str
        How results call it.
    """

    name: ClassVar[str]

    def unsuited(self, n: int, m: int, d: int) -> str | None:
        """Why n and m points in d dimensions are too few or too many for this model, in a clause; None if not."""
        ...

    def variants(self, n: int, m: int, d: int) -> Sequence[LogRatioModel]:
        """The settings among which held-out log loss chooses; itself alone if there is nothing to choose."""
        ...

    def fit(self, x: _F, y: _F, x_weights: _F, y_weights: _F, rng: np.random.Generator) -> LogRatio:
        """The fitted log ratio.

        Parameters
        ----------
        x, y : ndarray, shape (n, d) and (m, d)
            Draws of P and of Q, each coordinate of unit size.
        x_weights, y_weights : ndarray, shape (n,) and (m,)
            Non-negative, of mean 1.
        rng : numpy.random.Generator

        Returns
        -------
        callable
            Points (k, d) to finite log ratios (k,); no offset for n != m is left in them.
        """
        ...


# From the simplest to the most flexible: where two do equally well, the earlier one is taken.
MODELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "linear": "divkit.methods.log_ratio.linear:Linear",
        "gaussian": "divkit.methods.log_ratio.gaussian:Gaussian",
        "quadratic": "divkit.methods.log_ratio.quadratic:Quadratic",
        "additive": "divkit.methods.log_ratio.additive:Additive",
        "mixture": "divkit.methods.log_ratio.mixture:Mixture",
        "kernel": "divkit.methods.log_ratio.kernel:KernelLogistic",
        "neighbours": "divkit.methods.log_ratio.neighbours:Neighbours",
        "rulsif": "divkit.methods.log_ratio.rulsif:RuLSIF",
        "boosting": "divkit.methods.log_ratio.boosting:Boosting",
        "mlp": "divkit.methods.log_ratio.mlp:MLP",
    }
)


def resolve_model(model: str | LogRatioModel) -> LogRatioModel:
    """A model from its name (with default settings) or from itself.

    Raises
    ------
    InvalidInput
        If the name is unknown or the object is no model.
    """
    if isinstance(model, str) and model in MODELS:
        module, _, attribute = MODELS[model].partition(":")
        return cast("LogRatioModel", getattr(importlib.import_module(module), attribute)())
    if not isinstance(model, str | type) and isinstance(model, LogRatioModel):
        return model
    raise InvalidInput(
        f"a model of the log ratio must be one of {', '.join(MODELS)}, or an object with name, unsuited, variants and "
        f"fit (see divkit.methods.log_ratio.LogRatioModel); got {model!r}"
    )
