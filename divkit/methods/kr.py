"""W_1 between the laws of two samples through a Lipschitz network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from divkit._activation_widths import WIDTHS
from divkit._checks import check_integer
from divkit._errors import InvalidInput
from divkit.divergences import Divergence, Wasserstein
from divkit.measures import Measure, Samples
from divkit.methods import Method
from divkit.methods._critics import (
    check_settings,
    consecutive,
    held_out_values,
    splits_of,
    weights_refusal,
)
from divkit.methods._held_out import Bounded, bound_of, fold_shares, pooled
from divkit.methods._kr_critics import PENALISED, PROVEN, fitted_critics, kinds_of
from divkit.methods._samples import centred, in_units, pair_refusal
from divkit.result import Bound, Estimand, Estimate

__all__ = ["KRCritic"]

_F = NDArray[np.float64]


@dataclass(frozen=True)
class KRCritic(Method):
    """E_P[f] - E_Q[f] of a network f that was fitted without the points that judge it (Kantorovich and Rubinstein).

    Parameters
    ----------
    constraint : str
        What keeps the slope of f at 1. "groupsort": orthogonal matrices between activations that keep the length of
        gradients (Anil, Lucas and Grosse 2019); "cones": the weighted mean of an upper envelope of peaks c - |z - p|
        and a lower one of pits |z - q| + b, whose apices are learnt (with one at each point, every 1-Lipschitz
        function is such an envelope: McShane 1934); "auto" has both race over a tenth of the steps for each fold, whose
        validation points decide. "aol" and "sll": rescaled matrices and residual layers (Prach and Lampert 2022; Araujo
        et al. 2023); "spectral" and "clip": normalisation by power iteration, clipped entries. For all of these the
        constant K of the fitted network is proven by exact norms of its layers, and f / K gives the bound. "gp" and
        "lp": a penalty on slopes unlike 1, or above 1 (Gulrajani et al. 2017; Petzka, Fischer and Lukovnikov 2018),
        which proves nothing: ``bound="heuristic"``.
    activation : str
        "abs" (absolute values of half of the channels: MaxMin in rotated coordinates), "maxmin", "sort" or "half" (half
        of the channels sorted, half in pairs) between layers of norm-preserving networks; "relu" is taken with
        penalties, spectral normalisation and clipping. "auto" has "abs" and "half" race, too, if the constraint is
        "groupsort" or "auto" and the width divisible by 4; else it is "abs".
    width : int
        Units of a hidden layer; even for activations of pairs, divisible by 4 for "half". Of cones there are twice as
        many peaks, and pits.
    depth : int or None
        Hidden layers. None takes 4, and 7 with "abs" under "groupsort".
    steps, batch : int
        Steps of the optimizer, and points of each law a step.
    learning_rate : float or None
        None takes 0.1 for "groupsort", whose matrices move by orthogonalised momentum, 0.05 for cones and 0.002 for the
        others, which Adam moves. A number is for all that race.
    penalty : float
        Factor of the penalty of "gp" and "lp".
    folds : int or None
        Each part is judged by a critic fitted to the others, and those of one activation are trained at once; 1 holds a
        fifth of the points out. None takes 5 below 20,000 points and 1 from there on.
    device : str
        As in torch: "cpu", "cuda".
    progress : bool

    Notes
    -----
    Values are computed in float64 from the parameters that the proof is about. ``info["lipschitz"]`` has K for each
    fold, ``info["raw"]`` the value before it is cut at 0, ``info["validation"]`` that on the points which chose the
    state of the network.

    Examples
    --------
    >>> import numpy as np
    >>> import divkit
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(1.0, 1.0, (500, 2)), rng.normal(0.0, 1.0, (500, 2))  # W_1 = sqrt 2
    >>> critic = divkit.KRCritic(width=16, depth=2, steps=200)
    >>> d = divkit.wasserstein1(x, y, method=critic, rng=0)
    >>> d.bound, d.estimand, bool(1.1 < d < 1.6)
    ('lower', 'population', True)
    """

    constraint: str = "auto"
    activation: str = "auto"
    width: int = 64
    depth: int | None = None
    steps: int = 3000
    batch: int = 256
    learning_rate: float | None = None
    penalty: float = 10.0
    folds: int | None = None
    device: str = "cpu"
    progress: bool = False

    name: ClassVar[str] = "kr"
    measures: ClassVar[str] = "two Samples"
    divergences: ClassVar[str] = "W_1"
    bound: ClassVar[Bound] = "lower"
    estimand: ClassVar[Estimand] = "population"
    requires: ClassVar[str | None] = "neural"
    draws: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.constraint not in ("auto", *PROVEN, *PENALISED):
            known = ", ".join(("auto", *PROVEN, *PENALISED))
            raise InvalidInput(f"constraint must be one of {known}; got {self.constraint!r}")
        if self.activation not in ("auto", *WIDTHS):
            raise InvalidInput(f"activation must be one of auto, {', '.join(WIDTHS)}; got {self.activation!r}")
        check_settings(self, ("width", "steps", "batch"))
        for kind in kinds_of(self):
            if self.width % WIDTHS.get(kind.activation, 1):
                raise InvalidInput(
                    f"width must be divisible by {WIDTHS[kind.activation]} for activation {kind.activation!r}, got "
                    f"{self.width}"
                )
        if self.depth is not None:
            object.__setattr__(self, "depth", check_integer("depth", self.depth, 1))
        if not (self.penalty >= 0 and math.isfinite(self.penalty)):
            raise InvalidInput(f"penalty must be finite and at least 0, got {self.penalty!r}")

    def refusal(self, div: Divergence, P: Measure, Q: Measure) -> str | None:
        """Why this method cannot estimate div(P || Q), in a clause; None if it can."""
        if not (isinstance(div, Wasserstein) and div.p == 1):
            return "it estimates W_1 only"
        return pair_refusal(P, Q) or weights_refusal(P, Q)

    def estimate(self, div: Divergence, P: Measure, Q: Measure, *, level: float, rng: np.random.Generator) -> Estimate:
        """W_1 between the laws of P and Q, with a lower limit.

        Raises
        ------
        Unsupported
            If `refusal` is not None.
        InvalidInput
            For fewer points than the splits take.
        MissingDependency
            Without torch.
        NotConverged
            If the objective is not finite.
        """
        self.demand(div, P, Q)
        assert isinstance(P, Samples)
        assert isinstance(Q, Samples)
        samples, exponent = centred(P.points, Q.points)
        splits = splits_of(len(samples[0]), len(samples[1]), self.folds, rng)
        critics = fitted_critics(self, samples, splits, rng)
        values = held_out_values([critic.function for critic in critics], samples, splits, centred=True)
        constants = [critic.constant for critic in critics]
        proven = self.constraint not in PENALISED
        certified, plain = (_bound(values, each, level) for each in (constants, [1.0] * len(constants)))
        found = certified if proven else plain
        units = partial(in_units, exponent=exponent)
        value, limit = (units(max(number, 0.0)) for number in (found.value, min(found.limit, found.value)))
        info: dict[str, Any] = {
            "n": len(samples[0]),
            "m": len(samples[1]),
            "constraint": tuple(critic.kind.constraint for critic in critics),
            "activation": tuple(critic.kind.activation for critic in critics),
            "depth": tuple(critic.kind.depth for critic in critics),
            "lipschitz": tuple(constants),
            "folds": len(splits.held),
            "raw": units(found.value),
            "validation": tuple(units(critic.best) for critic in critics),
            "race": tuple({name: units(reached) for name, reached in critic.race.items()} for critic in critics),
            "steps": max(critic.steps for critic in critics),
        }
        if not proven:
            info["certified"] = units(max(certified.limit, 0.0))
        return Estimate(
            value,
            divergence=div.name,
            method=self.name,
            bound="lower" if proven else "heuristic",
            estimand=self.estimand,
            stderr=units(found.stderr),
            interval=(limit, math.inf) if proven else None,
            level=level if proven else None,
            info=info,
        )


def _bound(values: tuple[list[_F], list[_F]], constants: list[float], level: float) -> Bounded:
    """The difference of the means of f / K over the folds; f / inf is 0, which bounds W_1 too."""
    divisors = [k if k > 0 else math.inf for k in constants]
    x, y = (np.concatenate([fold / k for fold, k in zip(side, divisors, strict=True)]) for side in values)
    found = bound_of(x, y, *fold_shares(*(consecutive(side) for side in values)), level)
    return pooled(found, 0.0) if len(divisors) > 1 else found
