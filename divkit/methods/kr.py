"""W_1 between the laws of two samples through a Lipschitz network."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from divkit._checks import check_integer
from divkit._errors import InvalidInput, require
from divkit.divergences import Divergence, Wasserstein
from divkit.measures import Measure, Samples
from divkit.methods import Method
from divkit.methods._critics import (
    Network,
    Splits,
    as_function,
    check_settings,
    consecutive,
    fitted,
    held_out_values,
    splits_of,
    weights_refusal,
)
from divkit.methods._held_out import Bounded, bound_of, fold_shares
from divkit.methods._samples import centred, in_blocks, in_units, pair_refusal
from divkit.result import Bound, Estimand, Estimate

if TYPE_CHECKING:
    from divkit.neural.fit import Fit

__all__ = ["KRCritic"]

_F = NDArray[np.float64]
_PROVEN: Final = ("groupsort", "aol", "sll", "spectral", "clip")
_PENALISED: Final = ("gp", "lp")
_LOOK: Final = 200  # steps between looks at the validation points
_RACERS: Final = ("abs", "half")
_RACE: Final = 10  # one of so many steps is run before by each
_RATES: Final = {"muon": 0.1, "adam": 2e-3}


@dataclass(frozen=True)
class KRCritic(Method):
    """E_P[f] - E_Q[f] of a network f that was fitted without the points that judge it (Kantorovich and Rubinstein).

    Parameters
    ----------
    constraint : str
        What keeps the slope of f at 1. "groupsort": orthogonal matrices and activations that permute (Anil, Lucas and
        Grosse 2019); "aol" and "sll": rescaled matrices and residual layers (Prach and Lampert 2022; Araujo et al.
        2023); "spectral" and "clip": normalisation by power iteration, clipped entries. For all of these the constant
        K of the fitted network is proven by exact norms of its layers, and f / K gives the bound. "gp" and "lp": a
        penalty on slopes unlike 1, or above 1 (Gulrajani et al. 2017; Petzka, Fischer and Lukovnikov 2018), which
        proves nothing: ``bound="heuristic"``.
    activation : str
        "abs" (absolute values of half of the channels: MaxMin in rotated coordinates), "maxmin", "sort" or "half" (half
        of the channels sorted, half in pairs) between layers of norm-preserving networks; "relu" is taken with
        penalties, spectral normalisation and clipping. "auto" has "abs" and "half" race over a tenth of the steps, and
        the validation points decide, if the constraint is "groupsort"; else it is "abs".
    width : int
        Units of a hidden layer.
    depth : int or None
        Hidden layers. None takes 4, and 7 with "abs" under "groupsort".
    steps, batch : int
        Steps of the optimizer, and points of each law a step.
    learning_rate : float or None
        None takes 0.1 for "groupsort", whose matrices move by orthogonalised momentum, and 0.002 for the others, which
        Adam moves.
    penalty : float
        Factor of the penalty of "gp" and "lp".
    folds : int or None
        Each part is judged by a critic fitted to the others, and all critics are trained at once; 1 holds a fifth of
        the points out. None takes 5 below 20,000 points and 1 from there on.
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

    constraint: str = "groupsort"
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
        if self.constraint not in (*_PROVEN, *_PENALISED):
            known = ", ".join((*_PROVEN, *_PENALISED))
            raise InvalidInput(f"constraint must be one of {known}; got {self.constraint!r}")
        check_settings(self, ("width", "steps", "batch"))
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
        fit, facts = self._fitted(samples, splits, rng)
        from divkit.neural.lipschitz import proven_lipschitz_of_each

        values = held_out_values(fit.critics, samples, splits, centred=True)
        constants = proven_lipschitz_of_each(fit.critics)
        proven = self.constraint in _PROVEN
        certified, plain = (_bound(values, each, level) for each in (constants, [1.0] * len(constants)))
        found = certified if proven else plain
        units = partial(in_units, exponent=exponent)
        value, limit = (units(max(number, 0.0)) for number in (found.value, min(found.limit, found.value)))
        info: dict[str, Any] = {
            "n": len(samples[0]),
            "m": len(samples[1]),
            "constraint": self.constraint,
            "lipschitz": tuple(constants),
            "folds": len(splits.held),
            "raw": units(found.value),
            "validation": tuple(units(best) for best in fit.best),
            "steps": fit.steps,
            **facts,
        }
        if "race" in info:
            info["race"] = {name: units(reached) for name, reached in info["race"].items()}
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

    def witness(
        self, train: tuple[_F, _F], validation: tuple[_F, _F], rng: np.random.Generator
    ) -> tuple[Callable[[_F], _F], dict[str, Any]]:
        """A function of slope 1 at most, fitted to points (n, d) and (m, d), in its best state on validation points.

        Returns
        -------
        callable
            Points (k, d) to values (k,).
        dict
            What the network is made of, as in the ``info`` of an estimate.

        Raises
        ------
        MissingDependency
            Without torch.
        """
        require("torch", "neural")
        both = [np.concatenate(pair) for pair in zip(train, validation, strict=True)]
        first, last = ([np.arange(len(points)) for points in side] for side in (train, validation))
        splits = Splits(
            (first[0][None], first[1][None]),
            (last[0][None] + len(train[0]), last[1][None] + len(train[1])),
            [(np.zeros(0, np.intp), np.zeros(0, np.intp))],
        )
        fit, facts = self._fitted((both[0], both[1]), splits, rng)
        from divkit.neural.lipschitz import proven_lipschitz

        constant, critic = proven_lipschitz(fit.critics), as_function(fit.critics)
        divisor = constant if constant > 0 else math.inf
        return lambda points: in_blocks(critic, points) / divisor, {"lipschitz": constant, **facts}

    def _fitted(self, samples: tuple[_F, _F], splits: Splits, rng: np.random.Generator) -> tuple[Fit, dict[str, Any]]:
        """The critics of all folds, and what was chosen for them."""
        facts: dict[str, Any] = {}
        chosen = self._activations()[0]
        if len(self._activations()) > 1:
            steps = max(1, self.steps // _RACE)
            race = {name: self._trained(samples, splits, name, steps, rng).best for name in self._activations()}
            facts["race"] = {name: sum(best) / len(best) for name, best in race.items()}
            chosen = max(race, key=lambda name: sum(race[name]))
        fit = self._trained(samples, splits, chosen, self.steps, rng)
        return fit, {"activation": chosen, "depth": self._depth(chosen), **facts}

    def _activations(self) -> tuple[str, ...]:
        if self.constraint in ("gp", "lp", "clip", "spectral"):
            return ("relu",)
        if self.activation != "auto":
            return (self.activation,)
        return _RACERS if self.constraint == "groupsort" else ("abs",)

    def _depth(self, activation: str) -> int:
        if self.depth is not None:
            return self.depth
        return 7 if self.constraint == "groupsort" and activation == "abs" else 4

    def _trained(
        self, samples: tuple[_F, _F], splits: Splits, activation: str, steps: int, rng: np.random.Generator
    ) -> Fit:
        from divkit.neural.fit import Training
        from divkit.neural.penalties import slope_penalty

        penalised = self.constraint in _PENALISED
        optimizer = "muon" if self.constraint == "groupsort" else "adam"
        rate = _RATES[optimizer] if self.learning_rate is None else self.learning_rate
        constraint = "none" if penalised else self.constraint
        return fitted(
            samples,
            splits,
            Wasserstein(1).dual.variational,
            Training(steps, self.batch, rate, optimizer=optimizer, check_every=_LOOK),
            Network(self.width, self._depth(activation), constraint, activation, self.device),
            rng,
            penalty=slope_penalty(self.penalty, one_sided=self.constraint == "lp") if penalised else None,
            progress=self.progress,
        )


def _bound(values: tuple[list[_F], list[_F]], constants: list[float], level: float) -> Bounded:
    """The difference of the means of f / K over the folds; f / inf is 0, which bounds W_1 too."""
    divisors = [k if k > 0 else math.inf for k in constants]
    x, y = (np.concatenate([fold / k for fold, k in zip(side, divisors, strict=True)]) for side in values)
    return bound_of(x, y, *fold_shares(*(consecutive(side) for side in values)), level)
