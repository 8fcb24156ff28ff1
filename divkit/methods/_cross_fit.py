"""Log ratios at every point of two samples, each from models that have not seen it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from divkit._errors import Unsupported
from divkit._threads import one_blas_thread, parallel_map, workers
from divkit.methods._race import Choice, Entry, choose, combined
from divkit.methods._samples import in_blocks, standardized
from divkit.methods.log_ratio import LogRatio, LogRatioModel

__all__ = ["Fold", "Sides", "cross_fit"]

_F = NDArray[np.float64]
_I = NDArray[np.intp]
_LEARNED: Final = 20_000  # points of each law that models are fitted to, at most; all points count in the bound
_MANY: Final = 4000  # points in all from which all settings race on two folds for each instead of on all others


# (id of a model, the fold that is left out with the judging one, the judging fold) to log ratios at the judge's points.
_Seen = dict[tuple[int, int, int], tuple[_F, _F]]


@dataclass(frozen=True, eq=False)
class Sides:
    """Both samples in coordinates of unit size, with weights of mean 1.

    Parameters
    ----------
    x, y : ndarray, shape (n, d) and (m, d)
    x_weights, y_weights : ndarray, shape (n,) and (m,)
    """

    x: _F
    y: _F
    x_weights: _F
    y_weights: _F

    @classmethod
    def of(cls, x: _F, y: _F, x_weights: _F | None, y_weights: _F | None) -> Sides:
        """From points and weights as callers give them; points of weight 0 must have been left out."""
        unit = standardized(x, y)
        weights = (
            np.ones(len(points)) if given is None else given * (len(points) / given.sum())
            for points, given in ((x, x_weights), (y, y_weights))
        )
        return cls(*unit, *weights)

    def part(self, x_rows: _I, y_rows: _I) -> Sides:
        """Some of the points."""
        return Sides(self.x[x_rows], self.y[y_rows], self.x_weights[x_rows], self.y_weights[y_rows])


@dataclass(frozen=True, eq=False)
class Fold:
    """One held-out part with the log ratios there, and what chose and fitted them on the others.

    Parameters
    ----------
    x_rows, y_rows : ndarray of int
        Which points are held out.
    x, y : ndarray
        Their log ratios.
    choice : Choice
        The models, their weights, and the out-of-fold log ratios at validation points, none of which is held out.
    x_seen_weights, y_seen_weights : ndarray
        Weights of the validation points.
    """

    x_rows: _I
    y_rows: _I
    x: _F
    y: _F
    choice: Choice
    x_seen_weights: _F
    y_seen_weights: _F


def cross_fit(sides: Sides, models: Sequence[LogRatioModel], folds: int, rng: np.random.Generator) -> list[Fold]:
    """Each fold's log ratios by the models that did best on the other folds, fitted to all of those.

    For folds i and j, every setting of every model is fitted without both and evaluated on either: what is seen on j
    chooses for i, and on i for j. From 4,000 points on, each fold races on two such partners; the others see only what
    has won there, which is then chosen among, and calibrated, by all. Models are fitted to at most 20,000 points of
    each law.
    """
    n, m, d = len(sides.x), len(sides.y), sides.x.shape[1]
    x_parts, y_parts = _split(n, folds, rng), _split(m, folds, rng)
    kept = n * (folds - 2) // folds, m * (folds - 2) // folds
    reasons = {model.name: model.unsuited(*kept, d) for model in models}
    if all(reasons.values()):
        raise Unsupported(
            f"no model of the log ratio suits {n} and {m} points in {d} dimensions: "
            f"{'; '.join(f'{name}: {reason}' for name, reason in reasons.items())}; take other models, or more points"
        )
    groups = [() if reasons[model.name] else model.variants(*kept, d) for model in models]  # per model, its settings
    parts = x_parts, y_parts
    with one_blas_thread():
        seen, entrants = _race(sides, groups, parts, rng)
        generators = rng.spawn(folds)

        def finish(i: int) -> Fold:
            choice, seen_weights = _chosen(sides, entrants[i], seen, i, parts)
            return _evaluated(sides, choice, seen_weights, parts, i, generators[i])

        return parallel_map(finish, range(folds), workers())


def _race(
    sides: Sides, groups: Sequence[Sequence[LogRatioModel]], parts: tuple[list[_I], list[_I]], rng: np.random.Generator
) -> tuple[_Seen, list[Sequence[Sequence[LogRatioModel]]]]:
    """Log ratios seen on held-out folds, and for each fold the settings among which they choose."""
    folds = len(parts[0])
    pairs, others = _pairs(folds, len(sides.x) + len(sides.y))
    everyone = [model for group in groups for model in group]

    def fit(job: tuple[tuple[int, int], Sequence[LogRatioModel], np.random.Generator]) -> _Seen:
        pair, models, own = job
        # A model's seed is its own, whoever else takes part: that would tell what has won elsewhere.
        generators = [
            rng for model, rng in zip(everyone, own.spawn(len(everyone)), strict=True) if _among(model, models)
        ]
        return _validated(sides, models, pair, parts, own, generators)

    seen: _Seen = {}
    for found in parallel_map(fit, [(pair, everyone, own) for pair, own in _each(pairs, rng)], workers()):
        seen |= found
    if not others:
        return seen, [groups] * folds
    won = [_chosen(sides, groups, seen, i, parts)[0].models for i in range(folds)]
    again = [[model for model in everyone if _among(model, won[i]) or _among(model, won[j])] for i, j in others]
    jobs = [(pair, models, own) for (pair, own), models in zip(_each(others, rng), again, strict=True)]
    for found in parallel_map(fit, jobs, workers()):
        seen |= found
    return seen, [[[model] for model in models] for models in won]


def _each(pairs: list[tuple[int, int]], rng: np.random.Generator) -> list[tuple[tuple[int, int], np.random.Generator]]:
    """Each pair with a generator of its own."""
    return list(zip(pairs, rng.spawn(len(pairs)), strict=True))


def _split(n: int, folds: int, rng: np.random.Generator) -> list[_I]:
    """Indices 0 .. n-1 at random in parts whose sizes differ by one at most."""
    return [np.sort(part) for part in np.array_split(rng.permutation(n), folds)]


def _pairs(folds: int, points: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """The pairs of folds on which all settings race, and those on which only winners are seen."""
    everyone = list(itertools.combinations(range(folds), 2))
    if points < _MANY or folds < 4:
        return everyone, []
    ring = [(i, (i + 1) % folds) for i in range(folds)]
    return ring, [(i, j) for i, j in everyone if (i, j) not in ring and (j, i) not in ring]


def _rest(parts: list[_I], left_out: Sequence[int]) -> _I:
    return np.concatenate([part for k, part in enumerate(parts) if k not in left_out] or [np.zeros(0, np.intp)])


def _some(rows: _I, rng: np.random.Generator) -> _I:
    """At most 20,000 of the rows."""
    return rows if len(rows) <= _LEARNED else np.sort(rng.choice(rows, _LEARNED, replace=False))


def _first(rows: _I) -> _I:
    """At most 20,000 of the rows of a fold; which points a fold has is random."""
    return rows[:: -(-len(rows) // _LEARNED)] if len(rows) > _LEARNED else rows


def _among(model: LogRatioModel, models: Sequence[LogRatioModel]) -> bool:
    """By identity: models of users need not be comparable."""
    return any(model is other for other in models)


def _validated(
    sides: Sides,
    models: Sequence[LogRatioModel],
    pair: tuple[int, int],
    parts: tuple[list[_I], list[_I]],
    rng: np.random.Generator,
    generators: Sequence[np.random.Generator],
) -> _Seen:
    """Log ratios of models on either fold of the pair, from a fit to the folds outside the pair."""
    train = sides.part(*(_some(_rest(part, pair), rng) for part in parts))
    out: _Seen = {}
    held = {fold: (sides.x[_first(parts[0][fold])], sides.y[_first(parts[1][fold])]) for fold in pair}
    for model, own in zip(models, generators, strict=True):
        log_ratio = model.fit(train.x, train.y, train.x_weights, train.y_weights, own)
        for judge, fold in (pair, pair[::-1]):
            out[id(model), fold, judge] = log_ratio(held[judge][0]), log_ratio(held[judge][1])
    return out


def _chosen(
    sides: Sides, groups: Sequence[Sequence[LogRatioModel]], seen: _Seen, fold: int, parts: tuple[list[_I], list[_I]]
) -> tuple[Choice, tuple[_F, _F]]:
    """What the folds that have seen all these models recommend for a fold, and the weights of their points."""
    judges = [
        j
        for j in range(len(parts[0]))
        if j != fold and all((id(model), fold, j) in seen for group in groups for model in group)
    ]
    entries = [
        [
            Entry(model, *(np.concatenate([seen[id(model), fold, j][side] for j in judges]) for side in range(2)))
            for model in group
        ]
        for group in groups
    ]
    x_weights = np.concatenate([sides.x_weights[_first(parts[0][j])] for j in judges])
    y_weights = np.concatenate([sides.y_weights[_first(parts[1][j])] for j in judges])
    return choose(entries, x_weights, y_weights), (x_weights, y_weights)


def _evaluated(
    sides: Sides,
    choice: Choice,
    seen_weights: tuple[_F, _F],
    parts: tuple[list[_I], list[_I]],
    fold: int,
    rng: np.random.Generator,
) -> Fold:
    """The chosen models, fitted to all other folds, on one fold."""
    train = sides.part(*(_some(_rest(part, (fold,)), rng) for part in parts))
    fitted: list[LogRatio] = [
        model.fit(train.x, train.y, train.x_weights, train.y_weights, own)
        for model, own in zip(choice.models, rng.spawn(len(choice.models)), strict=True)
    ]
    x_rows, y_rows = parts[0][fold], parts[1][fold]
    log_ratio = combined(choice, fitted)
    l_x, l_y = (in_blocks(log_ratio, points) for points in (sides.x[x_rows], sides.y[y_rows]))
    return Fold(x_rows, y_rows, l_x, l_y, choice, *seen_weights)
