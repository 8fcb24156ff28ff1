"""What a classifier that has seen half of the points says about the other half."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from divkit._errors import InvalidInput, Unsupported
from divkit._stats import clt_interval
from divkit._threads import one_blas_thread
from divkit.methods._held_out import bound_of
from divkit.methods._one_fit import racing_models
from divkit.methods._race import Entry, choose, combined
from divkit.methods._samples import in_blocks, standardized
from divkit.methods.log_ratio import LogRatioModel
from divkit.result import Estimate
from divkit.two_sample import Labels, Pooled, Prepared, Statistic

__all__ = ["Classifier"]

_F = NDArray[np.float64]
_FOLDS: Final = 3  # on which models race
_LEARNED: Final = 20_000  # points of either sample that train, at most
_FEWEST: Final = 12  # points of either sample
Score = Literal["log_loss", "accuracy"]


@dataclass(frozen=True)
class Classifier(Statistic):
    """How well a fitted classifier tells held-out points apart: the discriminator of a GAN as a statistic.

    Half of each sample trains: models of the log ratio race on three folds of it, as in `divkit.CrossFit`, and the best
    are fitted. Labels of the other half are then permuted, and nothing is fitted again: given the fit, all arrangements
    of the labels that were held out are equally likely if the laws are equal, so that the test is exact.

    Parameters
    ----------
    models : "auto", str, LogRatioModel, or a sequence of names and models
        As in `divkit.CrossFit`.
    score : {"log_loss", "accuracy"}
        log 2 less the balanced log loss, which is a lower bound of the Jensen-Shannon divergence; or the balanced share
        of points whose sample is told, 1/2 for equal laws.

    Notes
    -----
    Lopez-Paz and Oquab (2017), "Revisiting classifier two-sample tests", with accuracy.
    """

    name: ClassVar[str] = "classifier"
    summary: ClassVar[str] = "log loss or accuracy of a classifier on held-out points"

    models: str | LogRatioModel | Sequence[str | LogRatioModel] = "auto"
    score: Score = "log_loss"

    def __post_init__(self) -> None:
        racing_models(self.models)
        if self.score not in get_args(Score):
            raise InvalidInput(f"score must be one of {', '.join(get_args(Score))}, got {self.score!r}")

    def refusal(self, n: int, m: int, d: int) -> str | None:
        """See `Statistic.refusal`."""
        if min(n, m) < _FEWEST:
            return f"it trains on half of the points, and there are {n} and {m}; {_FEWEST} of each are the least"
        models = racing_models(self.models)
        reasons = {model.name: model.unsuited(_raced(n // 2), _raced(m // 2), d) for model in models}
        if all(reasons.values()):
            return f"no model suits half of {n} and {m} points: {'; '.join(map(': '.join, reasons.items()))}"  # type: ignore[arg-type]
        return None

    def prepare(self, pooled: Pooled, rng: np.random.Generator) -> Prepared:
        """See `Statistic.prepare`."""
        with one_blas_thread():
            held, logits = self._judged(pooled, rng)
        for_x, for_y = self._scores(logits)

        def values(labels: Labels) -> _F:
            n = int(labels[0].sum())
            return np.asarray(labels @ (for_x / n) + ~labels @ (for_y / (len(logits) - n)))

        return Prepared(
            held,
            values,
            max(64, 2**24 // len(logits)),
            lambda level: self._effect(for_x[held.labels], for_y[~held.labels], level),
        )

    def _effect(self, x: _F, y: _F, level: float) -> Estimate:
        """The lower bound of the Jensen-Shannon divergence, or the accuracy, from the scores of the held-out points."""
        found = bound_of(x, -y, np.full(len(x), 1 / len(x)), np.full(len(y), 1 / len(y)), level)
        common: dict[str, Any] = {
            "method": self.name,
            "estimand": "population",
            "stderr": found.stderr,
            "level": level,
            "info": {"n": len(x), "m": len(y), "raw": found.value},
        }
        if self.score == "accuracy":
            interval = clt_interval(found.value, found.stderr, level, 0.0, 1.0)
            return Estimate(found.value, divergence="accuracy", bound="consistent", interval=interval, **common)
        interval = max(found.limit, 0.0), math.log(2)
        return Estimate(max(found.value, 0.0), divergence="jsd", bound="lower", interval=interval, **common)

    def _judged(self, pooled: Pooled, rng: np.random.Generator) -> tuple[Pooled, _F]:
        """The held-out points, and their log ratios (h,) by what was fitted to the others."""
        learns = _halves(pooled, rng)
        fewest = min(int((learns & side).sum()) for side in (pooled.labels, ~pooled.labels))
        if fewest < _FEWEST // 2:
            raise Unsupported(
                f"statistic {self.name!r} cannot compare these samples: the strata leave {fewest} points of one of "
                f"them to train on, {_FEWEST // 2} are the least; merge strata, or take energy"
            )
        x, y = standardized(pooled.x, pooled.y)
        points = np.empty((len(pooled.labels), x.shape[1]))
        points[pooled.labels], points[~pooled.labels] = x, y
        log_ratio = _fitted(
            points[learns & pooled.labels], points[learns & ~pooled.labels], racing_models(self.models), rng
        )
        return pooled.part(~learns), in_blocks(log_ratio, points[~learns])

    def _scores(self, logits: _F) -> tuple[_F, _F]:
        """What each point adds if it is of x, and if it is of y, before it is divided by the size of its sample."""
        if self.score == "accuracy":
            told = np.where(logits > 0, 1.0, np.where(logits < 0, 0.0, 0.5))
            return told / 2, (1 - told) / 2
        half = math.log(2.0) / 2
        return half - np.logaddexp(0.0, -logits) / 2, half - np.logaddexp(0.0, logits) / 2


def _halves(pooled: Pooled, rng: np.random.Generator) -> Labels:
    """Which points train, (N,): half of each sample in every group, or half of the groups where these are pairs."""
    learns = np.zeros(len(pooled.labels), dtype=np.bool_)
    groups = np.zeros(len(learns), np.intp) if pooled.groups is None else pooled.groups
    if pooled.groups is not None and np.bincount(groups).max() <= 2:
        names = np.unique(groups)
        chosen = rng.choice(names, len(names) // 2, replace=False)
        return np.asarray(np.isin(groups, chosen))
    for group in np.unique(groups):
        for side in (True, False):
            rows = np.flatnonzero((groups == group) & (pooled.labels == side))
            learns[rng.choice(rows, len(rows) // 2, replace=False)] = True
    return learns


def _raced(count: int) -> int:
    """Of so many points that train, how many a model sees in the race, at least."""
    learned = min(count, _LEARNED)
    return learned - -(-learned // _FOLDS)


def _fitted(x: _F, y: _F, models: list[LogRatioModel], rng: np.random.Generator) -> Callable[[_F], _F]:
    """The log ratio by the models that did best on three folds of x (n, d) and y (m, d), fitted to all of these.

    To 20,000 of each, where there are more.
    """
    n, m = _raced(len(x)), _raced(len(y))
    x, y = rng.permutation(x)[:_LEARNED], rng.permutation(y)[:_LEARNED]
    x_folds, y_folds = (np.arange(len(side)) % _FOLDS for side in (x, y))
    suited = [model for model in models if model.unsuited(n, m, x.shape[1]) is None]
    settings = [model.variants(n, m, x.shape[1]) for model in suited]
    entries = []
    for group in settings:
        own = []
        for model in group:
            seen_x, seen_y = np.empty(len(x)), np.empty(len(y))
            for fold in range(_FOLDS):
                a, b = x_folds == fold, y_folds == fold
                fit = model.fit(x[~a], y[~b], np.ones(int((~a).sum())), np.ones(int((~b).sum())), rng)
                seen_x[a], seen_y[b] = fit(x[a]), fit(y[b])
            own.append(Entry(model, seen_x, seen_y))
        entries.append(own)
    choice = choose(entries, np.ones(len(x)), np.ones(len(y)))
    return combined(choice, [model.fit(x, y, np.ones(len(x)), np.ones(len(y)), rng) for model in choice.models])
