"""Callbacks of `Trainer.run`: what is measured and drawn along a training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
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
_MOST: Final = 50_000  # training points that are searched
_TINY: Final = 1e-300
_FAR: Final = 0.01  # share of held-out points that are farther from the training points than what counts as far
_SHOWN: Final = 2500  # points, as in the literature on modes


def _as_they_are(points: Any) -> _F:
    return np.asarray(points, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class HeldOutDistance:
    """Adds ``wasserstein1``, exact between points of the generator and as many held-out ones; and what data reach.

    With `seen`, ``stray`` is the share of the generator's points that are farther from the nearest training point than
    99 % of the held-out ones are: where there are no data, which W_1 hardly notices if they are near. ``excess``,
    the larger of (stray + 0.01)/0.02 and of W_1 over what it is for training points, is about 1 for points like the
    data: a metric for `Settings.keep_best`.

    Parameters
    ----------
    held_out : array_like, shape (M, ...)
        Points that are not trained on, in the units of the networks.
    restored : callable, optional
        From points in the units of the networks to those in which distances are meant, as
        `divkit.gan.problems.Problem.restored`.
    count : int
        Points of either kind.
    seen : array_like, shape (N, ...), optional
        The training points, in a random order.

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
    seen: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "count", check_integer("count", self.count, 1))

    def __call__(self, trainer: Trainer, metrics: Metrics) -> None:
        """Measure it."""
        made = flat("made", self.restored(trainer.sample(len(self._few)).cpu().numpy()))
        metrics["wasserstein1"] = float(wasserstein1(made, self._few))
        if self.seen is not None:
            null, far = self._of_data
            metrics["stray"] = float((self._tree.query(made)[0] > far).mean())
            metrics["excess"] = max(metrics["wasserstein1"] / null, (metrics["stray"] + _FAR) / (2 * _FAR))

    @cached_property
    def _few(self) -> _F:
        """The held-out points that are compared, (count, d)."""
        return flat("held_out", self.restored(self.held_out[: self.count]))

    @cached_property
    def _tree(self) -> Any:
        """Of the training points, (N, d)."""
        from scipy.spatial import cKDTree

        return cKDTree(flat("seen", self.restored(self.seen[:_MOST])))

    @cached_property
    def _of_data(self) -> tuple[float, float]:
        """W_1 of training points to the held-out ones, and the distance from the former that few of these exceed."""
        null = float(wasserstein1(self._tree.data[: len(self._few)], self._few))
        far = float(np.quantile(self._tree.query(self._few)[0], 1 - _FAR))
        return max(null, _TINY), far  # both are 0 where data repeat each other


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
