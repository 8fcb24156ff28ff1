"""Callbacks of `Trainer.run`: what is measured and drawn along a training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from divkit._checks import check_integer
from divkit._mixture import GaussianMixture
from divkit.api import wasserstein1
from divkit.gan.evaluate import flat, modes
from divkit.gan.pictures import drawn
from divkit.gan.trainer import Metrics, Trainer

__all__ = ["HeldOutDistance", "ModesHeld", "Pictures"]

_F = NDArray[np.float64]
_FEW: Final = 1000  # points whose exact W_1 is computed in a moment
_SHOWN: Final = 2500  # points, as in the literature on modes


def _as_they_are(points: Any) -> _F:
    return np.asarray(points, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class HeldOutDistance:
    """Adds ``wasserstein1``, exact between points of the generator and as many held-out ones.

    A metric for `Settings.keep_best`.

    Parameters
    ----------
    held_out : array_like, shape (M, ...)
        Points that are not trained on, in the units of the networks.
    restored : callable, optional
        From points in the units of the networks to those in which distances are meant, as
        `divkit.gan.problems.Problem.restored`.
    count : int
        Points of either kind.

    Examples
    --------
    >>> from divkit.gan.callbacks import HeldOutDistance
    >>> from divkit.gan.problems import load_problem
    >>> from divkit.gan.trainer import Trainer
    >>> ring = load_problem("ring", draws=1000)
    >>> settings = ring.settings(steps=20, batch=32, look_every=10, keep_best="wasserstein1")
    >>> trainer = Trainer(*ring.players("relativistic", width=8), "relativistic", ring.points, settings)
    >>> trainer.run([HeldOutDistance(ring.held_out, ring.restored, 100)])
    >>> [line["wasserstein1"] > 0 for line in trainer.history]
    [True, True]
    """

    held_out: Any
    restored: Callable[[Any], _F] = _as_they_are
    count: int = _FEW

    def __post_init__(self) -> None:
        object.__setattr__(self, "count", check_integer("count", self.count, 1))

    def __call__(self, trainer: Trainer, metrics: Metrics) -> None:
        """Measure it."""
        held_out = self.restored(self.held_out[: self.count])
        made = self.restored(trainer.sample(len(held_out)).cpu().numpy())
        metrics["wasserstein1"] = float(wasserstein1(flat("made", made), flat("held_out", held_out)))


@dataclass(frozen=True, eq=False)
class ModesHeld:
    """Adds ``captured``, ``high_quality`` and, where there are points near modes, ``reverse_kl``, as
    `divkit.gan.evaluate.modes`.

    Parameters
    ----------
    law : GaussianMixture
    restored : callable, optional
        From the units of the networks to those of the law.
    count : int
        Points of the generator.
    """

    law: GaussianMixture
    restored: Callable[[Any], _F] = _as_they_are
    count: int = _SHOWN

    def __call__(self, trainer: Trainer, metrics: Metrics) -> None:
        """Count them."""
        report = modes(self.restored(trainer.sample(self.count).cpu().numpy()), self.law)
        metrics |= {"captured": report.captured, "high_quality": report.high_quality}
        if report.captured:
            metrics["reverse_kl"] = report.reverse_kl


@dataclass(frozen=True, eq=False)
class Pictures:
    """Draws the data beside what the generator makes, a few times in a training, into files step-NNNNNNN.png.

    Parameters
    ----------
    points : array_like, shape (N, ...)
        The data, in the units of the networks.
    folder : path
    restored : callable, optional
        From the units of the networks to those that are drawn; images are drawn as they are.
    title : str
    count : int
        Pictures, at the looks after equal parts of the training.
    """

    points: Any
    folder: str | Path
    restored: Callable[[Any], _F] = _as_they_are
    title: str = ""
    count: int = 8

    def __call__(self, trainer: Trainer, metrics: Metrics) -> None:
        """Draw, if it is time."""
        steps, every = trainer.settings.steps, trainer.settings.look_every
        if trainer.step * self.count // steps == (trainer.step - every) * self.count // steps:
            return
        both = np.asarray(self.points[:_SHOWN]), trainer.sample(_SHOWN).cpu().numpy()
        if both[0].ndim < 4:
            both = self.restored(both[0]), self.restored(both[1])
        title = f"{self.title}, step {trainer.step:,}" if self.title else f"step {trainer.step:,}"
        drawn(*both, title=title).savefig(Path(self.folder) / f"step-{trainer.step:07d}.png", dpi=110)
