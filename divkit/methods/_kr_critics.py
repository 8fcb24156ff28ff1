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

__all__ = ["PENALISED", "PROVEN", "FoldCritic", "activations_of", "fitted_critics", "fitted_witness"]

_F = NDArray[np.float64]
PROVEN: Final = ("groupsort", "aol", "sll", "spectral", "clip")
PENALISED: Final = ("gp", "lp")
_RACERS: Final = ("abs", "half")
_RACE: Final = 10  # one of so many steps is run before by each
_LOOK: Final = 200  # steps between looks at the validation points


class FoldCritic(NamedTuple):
    """What was fitted for one fold.

    Parameters
    ----------
    function : callable
        Points (k, d) to values (k,), in float64.
    constant : float
        Its proven Lipschitz constant.
    activation : str
    depth : int
    best : float
        On the validation points.
    race : dict
        What each activation reached there in the race; empty without one.
    steps : int
    """

    function: Callable[[_F], _F]
    constant: float
    activation: str
    depth: int
    best: float
    race: dict[str, float]
    steps: int


def fitted_critics(
    method: KRCritic, samples: tuple[_F, _F], splits: Splits, rng: np.random.Generator
) -> list[FoldCritic]:
    """One for each fold, whose own validation points choose the activation; those with the same are one stack."""
    names, folds = activations_of(method), range(len(splits.held))
    race: list[dict[str, float]] = [{} for _ in folds]
    chosen = [names[0]] * len(race)
    if len(names) > 1:
        steps = max(1, method.steps // _RACE)
        reached = {name: _trained(method, samples, splits, name, steps, rng).best for name in names}
        race = [{name: best[k] for name, best in reached.items()} for k in folds]
        chosen = [max(own, key=lambda name: own[name]) for own in race]
    from divkit.neural.lipschitz import proven_lipschitz

    found: dict[int, FoldCritic] = {}
    for name in dict.fromkeys(chosen):
        own = [k for k in folds if chosen[k] == name]
        fit = _trained(method, samples, splits.only(own), name, method.steps, rng)
        for i, k in enumerate(own):
            critic = fit.critics.one(i)
            facts = proven_lipschitz(critic), name, _depth(method, name), fit.best[i], race[k], fit.steps
            found[k] = FoldCritic(as_function(critic), *facts)
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


def activations_of(method: KRCritic) -> tuple[str, ...]:
    """Those that race, or the one that is taken."""
    if method.constraint in ("gp", "lp", "clip", "spectral"):
        return ("relu",)
    if method.activation != "auto":
        return (method.activation,)
    races = method.constraint == "groupsort" and all(method.width % WIDTHS[name] == 0 for name in _RACERS)
    return _RACERS if races else _RACERS[:1]


def _depth(method: KRCritic, activation: str) -> int:
    if method.depth is not None:
        return method.depth
    return 7 if method.constraint == "groupsort" and activation == "abs" else 4


def _trained(
    method: KRCritic,
    samples: tuple[_F, _F],
    splits: Splits,
    activation: str,
    steps: int,
    rng: np.random.Generator,
) -> Fit:
    from divkit.neural.fit import Training
    from divkit.neural.penalties import slope_penalty

    penalised = method.constraint in PENALISED
    optimizer = "muon" if method.constraint == "groupsort" else "adam"
    constraint = "none" if penalised else method.constraint
    return fitted(
        samples,
        splits,
        Wasserstein(1).dual.variational,
        Training(steps, method.batch, method.learning_rate, optimizer=optimizer, check_every=_LOOK),
        Network(method.width, _depth(method, activation), constraint, activation, method.device),
        rng,
        penalty=slope_penalty(method.penalty, one_sided=method.constraint == "lp") if penalised else None,
        progress=method.progress,
    )
