"""Trainings from several seeds: another one where the last did not become good, and the best of all in the end."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from divkit._checks import check_integer
from divkit._errors import InvalidInput
from divkit.gan.trainer import Trainer

__all__ = ["ENOUGH", "Attempts", "best_attempt"]

ENOUGH: Final = 1.5  # `excess` of points that are hardly worse than data


class Attempts(NamedTuple):
    """The best of the trainings, its number from 0, and the metric of the look that each of them kept."""

    trainer: Trainer
    chosen: int
    values: tuple[float, ...]


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
    best, chosen = train(0), 0
    values = [best.best_value]
    while min(values) > enough and len(values) < most:
        trainer = train(len(values))
        if trainer.best_value < min(values):
            best, chosen = trainer, len(values)
        values.append(trainer.best_value)
    return Attempts(best, chosen, tuple(values))
