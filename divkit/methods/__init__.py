"""What a method is, the table of all methods, and how `auto` chooses among them."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Final, cast

import numpy as np

from divkit._errors import InvalidInput, Unsupported
from divkit.divergences import IPM, DerivedDivergence, Divergence, FDivergence, Wasserstein
from divkit.measures import Discrete, Law, Measure, Samples
from divkit.result import Bound, Estimand, Estimate

__all__ = ["METHODS", "Method", "method_class", "resolve_method", "select_method"]


class Method(ABC):
    """A way to compute a divergence between two measures; every method is a frozen dataclass.

    Class attributes describe the method in the table of `divkit methods` and in the docs.
    """

    name: ClassVar[str]
    measures: ClassVar[str]
    divergences: ClassVar[str]
    bound: ClassVar[Bound]
    estimand: ClassVar[Estimand]
    requires: ClassVar[str | None] = None  # the extra that brings its optional dependency
    draws: ClassVar[bool] = False  # whether it uses random numbers

    @abstractmethod
    def refusal(self, div: Divergence, P: Measure, Q: Measure) -> str | None:
        """Why this method cannot compute div(P || Q), in a clause; None if it can. Cheap."""

    @abstractmethod
    def estimate(self, div: Divergence, P: Measure, Q: Measure, *, level: float, rng: np.random.Generator) -> Estimate:
        """The estimate of div(P || Q).

        Raises
        ------
        Unsupported
            If `refusal` is not None.
        NotConverged
            If there is no answer it can vouch for.
        """

    def demand(self, div: Divergence, P: Measure, Q: Measure) -> None:
        """Raise `Unsupported` with the reason if this method cannot compute div(P || Q)."""
        reason = self.refusal(div, P, Q)
        if reason is not None:
            raise Unsupported(f"method {self.name!r} cannot compute {div.name} here: {reason}")


METHODS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "exact": "divkit.methods.exact:Exact",
        "closed_form": "divkit.methods.closed_form:ClosedForm",
        "quadrature": "divkit.methods.quadrature:Quadrature",
        "monte_carlo": "divkit.methods.monte_carlo:MonteCarlo",
        "line": "divkit.transport.line:Line",
        "emd": "divkit.transport.emd:EMD",
        "column_generation": "divkit.transport.column_generation:ColumnGeneration",
        "lp": "divkit.transport.lp:LinearProgram",
        "sinkhorn": "divkit.transport.sinkhorn:Sinkhorn",
        "sliced": "divkit.transport.sliced:Sliced",
        "max_sliced": "divkit.transport.sliced:MaxSliced",
        "crossfit": "divkit.methods.crossfit:CrossFit",
        "plugin": "divkit.methods.plugin:PlugIn",
        "knn": "divkit.methods.knn:KNN",
        "binned": "divkit.methods.binned:Binned",
        "kr": "divkit.methods.kr:KRCritic",
        "neural": "divkit.methods.neural:NeuralBound",
    }
)

# The orders in which `auto` asks: the first method that does not refuse computes. Three, so that points
# never load the machinery of densities.
_AUTO_ATOMS: Final = ("exact", "line", "column_generation", "emd")
_AUTO_LAWS: Final = ("closed_form", "quadrature", "monte_carlo")
_AUTO_SAMPLES: Final = ("plugin", "knn", "binned")


def method_class(name: str) -> type[Method]:
    """The class behind a name of METHODS, imported on use."""
    module, _, attribute = METHODS[name].partition(":")
    found = getattr(importlib.import_module(module), attribute)
    return cast("type[Method]", found)


def resolve_method(method: str | Method) -> Method:
    """A method object from its name (with default settings) or from itself.

    Raises
    ------
    InvalidInput
        If the name is unknown or the object is no method.
    """
    if isinstance(method, Method):
        return method
    if isinstance(method, str) and method in METHODS:
        return method_class(method)()
    if isinstance(method, type) and issubclass(method, Method):
        raise InvalidInput(f"method must be a method object, got the class {method.__name__}; pass {method.__name__}()")
    known = ", ".join(["auto", *METHODS])
    raise InvalidInput(
        f"method must be one of {known}, or a method object such as MonteCarlo(n=10_000); got {method!r}"
    )


def select_method(div: Divergence, P: Measure, Q: Measure) -> Method:
    """The method `auto` stands for: the first one, in a fixed order, that does not refuse.

    Raises
    ------
    Unsupported
        If every method refuses; the message has each reason.
    """
    reasons = []
    for name in _asked(div, P, Q):
        method = method_class(name)()
        reason = method.refusal(div, P, Q)
        if reason is None:
            return method
        reasons.append(f"{name}: {reason}")
    raise Unsupported(
        f"no method computes {div.name} between {P!r} and {Q!r}. {_advice(div, P, Q)}{'; '.join(reasons)}"
    )


def _asked(div: Divergence, P: Measure, Q: Measure) -> tuple[str, ...]:
    """The methods that `auto` asks, in order."""
    laws = isinstance(P, Law), isinstance(Q, Law)
    if isinstance(P, Samples) and isinstance(div, FDivergence | DerivedDivergence) and not isinstance(Q, Discrete):
        return _AUTO_SAMPLES
    return (*(() if all(laws) else _AUTO_ATOMS), *(_AUTO_LAWS if any(laws) else ()))


def _advice(div: Divergence, P: Measure, Q: Measure) -> str:
    """What to do where nothing applies, as a sentence; empty where the methods' own reasons say it."""
    if isinstance(div, IPM):
        return "An IPM is the form that critics are trained on; for its value pass divkit.Wasserstein(1). "
    if isinstance(div, Wasserstein):
        return ""
    if isinstance(P, Samples) or isinstance(Q, Samples):
        return (
            "Two Samples can be compared in any f-divergence, Samples P with a density Q in kl; for other pairs draw "
            "Samples from the law, or compare the points by divkit.wasserstein1. "
        )
    if isinstance(P, Law) != isinstance(Q, Law):
        return (
            "Atoms and a density are mutually singular, so it has its supremum; if the law lives on the integers, "
            "evaluate its probabilities at the atoms and pass two Discrete laws. "
        )
    return ""
