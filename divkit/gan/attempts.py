"""Trainings from several seeds: another one where the last did not become good, and the best of all in the end."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from divkit._checks import check_integer
from divkit._errors import InvalidInput, NotConverged
from divkit.gan.trainer import Trainer

__all__ = ["ENOUGH", "Attempts", "attempt_seed", "best_attempt"]

ENOUGH: Final = 1.5  # `excess` of points that are hardly worse than data
_APART: Final = 1000  # seeds of one attempt and the next


class Attempts(NamedTuple):
    """The best of the trainings, its number from 0, and the metric of the look that each of them kept.

    The metric is inf for those that a loss stopped which was not finite.
    """

    trainer: Trainer
    chosen: int
    values: tuple[float, ...]


def attempt_seed(seed: int, k: int) -> int:
    """The seed of the k-th attempt, that of the first being given."""
    return seed + _APART * k


def best_attempt(train: Callable[[int], Trainer], *, attempts: int = 3, enough: float = ENOUGH) -> Attempts:
    """Train, and once more from another seed while the generator that was kept is not good enough.

    Trainings of one recipe differ by their seed, and those that go wrong do so each by itself: all of three do far less
    often. A metric of held-out points, such as those of `divkit.gan.callbacks`, tells which did.

    Parameters
    ----------
    train : callable
        From the number of an attempt, 0 first, to a `Trainer` that has run with ``Settings(keep_best=...)`` and a seed
        of its own.
    attempts : int
        At most.
    enough : float
        Value of that metric at which no other attempt is made.

    Returns
    -------
    Attempts

    Raises
    ------
    InvalidInput
        For attempts below 1, an `enough` that is no number, and trainings that keep nothing.
    NotConverged
        If a loss was not finite in all of them.

    Examples
    --------
    >>> from divkit.gan.attempts import best_attempt
    >>> from divkit.gan.callbacks import HeldOutDistance
    >>> from divkit.gan.problems import load_problem
    >>> from divkit.gan.trainer import Trainer
    >>> ring = load_problem("ring", draws=500)
    >>> def train(k):
    ...     settings = ring.settings(steps=10, look_every=10, seed=k, keep_best="excess")
    ...     trainer = Trainer(*ring.players("relativistic", width=8, seed=k), "relativistic", ring.points, settings)
    ...     trainer.run([HeldOutDistance(ring.held_out, ring.restored, 100, seen=ring.points)])
    ...     return trainer
    >>> found = best_attempt(train, attempts=2)
    >>> len(found.values), found.values[found.chosen] == min(found.values) == found.trainer.best_value
    (2, True)
    """
    most = check_integer("attempts", attempts, 1)
    if not isinstance(enough, int | float) or math.isnan(enough):
        raise InvalidInput(f"enough must be a number, got {enough!r}")
    trainers: list[Trainer] = []
    values: list[float] = []
    chosen = 0
    while len(values) < most and min(values, default=math.inf) > enough:
        try:
            trainer = train(len(values))
        except NotConverged:
            if len(values) == most - 1 and not trainers:
                raise
            values.append(math.inf)
            continue
        if not trainers or trainer.best_value < values[chosen]:
            trainers, chosen = [trainer], len(values)
        values.append(trainer.best_value)
    return Attempts(trainers[0], chosen, tuple(values))
