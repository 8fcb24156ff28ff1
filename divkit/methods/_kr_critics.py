"""The networks of `kr`: what they are made of, chosen by a race, and how they are trained."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from divkit._activation_widths import WIDTHS
from divkit._errors import require
from divkit.divergences import Wasserstein
from divkit.methods._critics import Network, Splits, as_function, fitted
from divkit.methods._samples import in_blocks

if TYPE_CHECKING:
    from divkit.methods.kr import KRCritic
    from divkit.neural.fit import Fit

__all__ = ["PENALISED", "PROVEN", "FoldCritic", "Kind", "fitted_critics", "fitted_witness", "kinds_of"]

_F = NDArray[np.float64]
PROVEN: Final = ("groupsort", "cones", "aol", "sll", "spectral", "clip")
PENALISED: Final = ("gp", "lp")
_RACERS: Final = ("abs", "half")
_RATES: Final = {"groupsort": ("muon", 0.1), "cones": ("adam", 0.05)}  # and for the others what Adam takes by default
_CONES: Final = 2  # peaks, and pits, for each unit of width
_RACE: Final = 10  # one of so many steps is run before by each
_LOOK: Final = 200  # steps between looks at the validation points


class Kind(NamedTuple):
    """What a critic is made of; an activation only where there are layers."""

    constraint: str
    activation: str
    depth: int

    @property
    def name(self) -> str:
        """As in a race: that of the activation, which only one constraint has several of."""
        return self.activation if self.constraint == "groupsort" else self.constraint


_OF_CONES: Final = Kind("cones", "none", 1)


class FoldCritic(NamedTuple):
    """What was fitted for one fold.

    Parameters
    ----------
    function : callable
        Points (k, d) to values (k,), in float64.
    constant : float
        Its proven Lipschitz constant.
    kind : Kind
    best : float
        On the validation points.
    race : dict
        What each kind reached there in the race; empty without one.
    steps : int
    """

    function: Callable[[_F], _F]
    constant: float
    kind: Kind
    best: float
    race: dict[str, float]
    steps: int


def fitted_critics(
    method: KRCritic, samples: tuple[_F, _F], splits: Splits, rng: np.random.Generator
) -> list[FoldCritic]:
    """One for each fold, whose own validation points choose the kind; those of the same kind are one stack."""
    from divkit.neural.lipschitz import proven_lipschitz

    kinds, folds = kinds_of(method), range(len(splits.held))
    race: list[dict[str, float]] = [{} for _ in folds]
    chosen = [kinds[0]] * len(race)
    if len(kinds) > 1:
        steps = max(1, method.steps // _RACE)
        reached = {kind: _trained(method, samples, splits, kind, steps, rng).best for kind in kinds}
        race = [{kind.name: best[k] for kind, best in reached.items()} for k in folds]
        chosen = [max(kinds, key=lambda kind: reached[kind][k]) for k in folds]
    found: dict[int, FoldCritic] = {}
    for kind in dict.fromkeys(chosen):
        own = [k for k in folds if chosen[k] == kind]
        fit = _trained(method, samples, splits.only(own), kind, method.steps, rng)
        for i, k in enumerate(own):
            critic = fit.critics.one(i)
            found[k] = FoldCritic(as_function(critic), proven_lipschitz(critic), kind, fit.best[i], race[k], fit.steps)
    return [found[k] for k in folds]


def fitted_witness(
    method: KRCritic, train: tuple[_F, _F], validation: tuple[_F, _F], rng: np.random.Generator
) -> tuple[Callable[[_F], _F], FoldCritic]:
    """A function of slope 1 at most, in its best state on validation points, and what it is made of.

    Parameters
    ----------
    method : KRCritic
        Its `folds` do not matter here.
    train, validation : (ndarray, ndarray)
        Points (n, d) and (m, d) of about unit size, as they are handed to the network.
    rng : numpy.random.Generator

    Raises
    ------
    MissingDependency
        Without torch.
    NotConverged
        If the objective is not finite.
    """
    require("torch", "neural")
    both = [np.concatenate(pair) for pair in zip(train, validation, strict=True)]
    first, last = ([np.arange(len(points))[None] for points in side] for side in (train, validation))
    nobody = np.zeros(0, np.intp)
    splits = Splits((first[0], first[1]), (last[0] + len(train[0]), last[1] + len(train[1])), [(nobody, nobody)])
    (critic,) = fitted_critics(method, (both[0], both[1]), splits, rng)
    divisor = critic.constant if critic.constant > 0 else math.inf
    return lambda points: in_blocks(critic.function, points) / divisor, critic


def kinds_of(method: KRCritic) -> list[Kind]:
    """Those that race, or the one that is taken."""
    if method.constraint == "auto":
        return [*_of_layers(method, "groupsort"), _OF_CONES]
    return [_OF_CONES] if method.constraint == "cones" else _of_layers(method, method.constraint)


def _of_layers(method: KRCritic, constraint: str) -> list[Kind]:
    names: tuple[str, ...] = (method.activation,)
    if constraint in ("gp", "lp", "clip", "spectral"):
        names = ("relu",)
    elif method.activation == "auto":
        races = constraint == "groupsort" and all(method.width % WIDTHS[name] == 0 for name in _RACERS)
        names = _RACERS if races else _RACERS[:1]
    deep = {"abs": 7} if constraint == "groupsort" else {}
    return [Kind(constraint, name, deep.get(name, 4) if method.depth is None else method.depth) for name in names]


def _trained(
    method: KRCritic,
    samples: tuple[_F, _F],
    splits: Splits,
    kind: Kind,
    steps: int,
    rng: np.random.Generator,
) -> Fit:
    from divkit.neural.fit import Training
    from divkit.neural.penalties import slope_penalty

    penalised = kind.constraint in PENALISED
    optimizer, rate = _RATES.get(kind.constraint, ("adam", None))
    rate = rate if method.learning_rate is None else method.learning_rate
    width = _CONES * method.width if kind.constraint == "cones" else method.width
    layers = "none" if penalised else kind.constraint
    activation = kind.activation if kind.constraint != "cones" else "abs"  # of which there is none
    return fitted(
        samples,
        splits,
        Wasserstein(1).dual.variational,
        Training(steps, method.batch, rate, optimizer=optimizer, check_every=_LOOK),
        Network(width, kind.depth, layers, activation, method.device),
        rng,
        penalty=slope_penalty(method.penalty, one_sided=kind.constraint == "lp") if penalised else None,
        progress=method.progress,
    )
