"""W_1 between laws from below: functions of slope 1 that are fitted to some folds and judged by others."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from divkit.methods._critics import consecutive
from divkit.methods._held_out import Bounded, bound_of, fold_shares, pooled
from divkit.methods._kr_critics import fitted_witness
from divkit.methods.kr import KRCritic
from divkit.transport._witnesses import WITNESSES, Witness

__all__ = ["ONCE", "judged_by_held_out", "some"]

_F = NDArray[np.float64]
_I = NDArray[np.intp]
ONCE: Final = 5  # parts of which one judges, with folds = 1
_RACE: Final = 2000  # points of each sample that choose among witnesses, at most


def judged_by_held_out(
    samples: tuple[_F, _F], folds: int, points: int, level: float, critic: KRCritic | None, rng: np.random.Generator
) -> tuple[Bounded, dict[str, Any]]:
    """What functions fitted to the other folds tell apart on each, and what they are; folds = 1 judges one of five."""
    parts = [np.array_split(rng.permutation(len(sample)), folds if folds > 1 else ONCE) for sample in samples]
    values: tuple[list[_F], list[_F]] = ([], [])
    sources: dict[str, int] = {}
    critics: list[dict[str, Any]] = []
    for k in range(folds):
        name = _best_kind(samples, parts, k, rng)
        rival = None
        if critic is not None:
            rival, facts = _against(critic, name, samples, parts, k, points, rng)
            critics.append(facts)
        if rival is None:
            training = [_rows(sample, own, [k]) for sample, own in zip(samples, parts, strict=True)]
            witness = _fit(name, training, points, rng)
        else:
            name, witness = "kr", rival
        sources[name] = sources.get(name, 0) + 1
        middle = _middle(witness, [_rows(samples[i], parts[i], [k]) for i in range(2)])
        for i, sample in enumerate(samples):
            values[i].append(witness(sample[parts[i][k]]) - middle)
    x, y = (np.concatenate(side) for side in values)
    shares = fold_shares(*(consecutive(side) for side in values))
    found = bound_of(x, y, *shares, level)
    facts = {"sources": sources} | ({"critics": tuple(critics)} if critics else {})
    return pooled(found, 0.0) if folds > 1 else found, facts


def _rows(sample: _F, parts: list[_I], left_out: list[int]) -> _F:
    return np.asarray(sample[np.concatenate([part for k, part in enumerate(parts) if k not in left_out])])


def _middle(witness: Witness, training: list[_F]) -> float:
    """Halfway between what a witness says of either sample it was fitted to: constants of folds would add variance."""
    few = (sample[:_RACE] for sample in training)
    return sum(float(witness(sample).mean()) for sample in few) / 2


def _best_kind(samples: tuple[_F, _F], parts: list[list[_I]], fold: int, rng: np.random.Generator) -> str:
    """The kind of witness that does best on the next fold, fitted to some of the others; "none" if all are below 0."""
    judge = (fold + 1) % len(parts[0])
    fresh = [sample[part[judge]][:_RACE] for sample, part in zip(samples, parts, strict=True)]
    seen = [_rows(sample, part, [fold, judge]) for sample, part in zip(samples, parts, strict=True)]
    few = [some(sample, _RACE, rng) for sample in seen]
    best, promise = "none", 0.0
    for name, fit in WITNESSES.items():
        gap = _gap(fit(few[0], few[1], rng), fresh)
        if gap > promise:
            best, promise = name, gap
    return best


def _fit(name: str, training: list[_F], points: int, rng: np.random.Generator) -> Witness:
    """A witness of that kind, fitted to at most so many points."""
    if name == "none":
        return lambda z: np.zeros(len(z))
    x, y = (some(sample, points, rng) for sample in training)
    return WITNESSES[name](x, y, rng)


def _gap(witness: Witness, fresh: list[_F]) -> float:
    return float(witness(fresh[0]).mean() - witness(fresh[1]).mean())


def _against(
    critic: KRCritic,
    name: str,
    samples: tuple[_F, _F],
    parts: list[list[_I]],
    fold: int,
    points: int,
    rng: np.random.Generator,
) -> tuple[Witness | None, dict[str, Any]]:
    """The critic, if it does better on the next fold than the simple kind that has won, both fitted to the others."""
    judge = (fold + 1) % len(parts[0])
    learn = [_rows(sample, part, [fold, judge]) for sample, part in zip(samples, parts, strict=True)]
    fresh = [sample[part[judge]] for sample, part in zip(samples, parts, strict=True)]
    rival, made_of = fitted_witness(critic, (learn[0], learn[1]), (fresh[0], fresh[1]), rng)
    facts = {**made_of.kind._asdict(), "lipschitz": made_of.constant}
    better = _gap(rival, fresh) > max(_gap(_fit(name, learn, points, rng), fresh), 0.0)
    return rival if better else None, facts


def some(sample: _F, count: int, rng: np.random.Generator) -> _F:
    """At most so many of the points."""
    return sample if len(sample) <= count else sample[rng.choice(len(sample), count, replace=False)]
