"""Data to train on, with networks and settings that suit them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from torch import nn

from divkit._array import as_float_array
from divkit._checks import check_finite, check_integer, check_rng
from divkit._errors import InvalidInput, require
from divkit._files import read_array
from divkit._mixture import GaussianMixture
from divkit.datasets import fgan_mixture, grid_mixture, ring_mixture
from divkit.gan.dcgan import SIDES, dcgan_discriminator, dcgan_generator
from divkit.gan.nets import mlp_pair, seeded
from divkit.gan.objectives import PENALTY, PENALTY_END, Objective, relativistic, resolve_objective
from divkit.gan.settings import Settings

__all__ = ["PROBLEMS", "Problem", "load_problem"]

_F = NDArray[np.float64]
_DRAWS: Final = 50_000
_HELD_OUT: Final = 2500
_CODES: Final = 12
_WAVES: Final = 32
_RATE: Final = 1e-3
_RECOMMENDED: Final[Mapping[str, Mapping[str, Any]]] = {
    "ring": {"discriminator_rate": 2e-3, "warmup": 0.05, "setback": 3.0},
    "grid": {"learning_rate": 2e-3},
}
_PENALTIES: Final = {"ring": (0.1, 1.0)}  # by what the benchmark of modes found


@dataclass(frozen=True, eq=False)
class Problem:
    """Points to learn, in the units of the networks.

    Attributes
    ----------
    name : str
    points, held_out : ndarray, shape (N, ...) and (M, ...)
        (original - centre) / scale: of spread 1, or images in [-1, 1]. The held-out ones are not trained on: further
        draws of a law, or a tenth of the points of a file.
    centre, scale : ndarray or float
    law : GaussianMixture or None
        Where the points come from, in original units.
    latent : int
        Dimension of the noise, with its codes.
    codes : int
        Coordinates of the noise of which only the sign counts, as in `divkit.gan.nets.mlp_pair`; none for images.
    waves : int
        Of the discriminator, as there, unless its slopes are constrained.
    labels : ndarray, shape (N,), or None
        Classes of the points.
    recommended : mapping of str to float
        What `settings` takes besides its own defaults.
    penalties : tuple of two floats
        Factor and end of those of `objective`.
    """

    name: str
    points: _F
    held_out: _F
    centre: Any
    scale: Any
    law: GaussianMixture | None
    latent: int
    codes: int = 0
    waves: int = 0
    labels: NDArray[np.intp] | None = None
    recommended: Mapping[str, Any] = field(default_factory=dict)
    penalties: tuple[float, float] = (PENALTY, PENALTY_END)

    def objective(self) -> Objective:
        """What was found to work on these points: `divkit.gan.objectives.relativistic`, with its penalties."""
        factor, end = self.penalties
        return replace(relativistic(factor, end=end), name="relativistic")

    def settings(self, **changes: Any) -> Settings:
        """How to train on these points, by what was found to work with `objective`.

        Parameters
        ----------
        **changes
            Of `divkit.gan.settings.Settings`, taken instead.
        """
        return Settings(**{"latent": self.latent, "learning_rate": _RATE, **self.recommended, **changes})

    def restored(self, points: Any) -> _F:
        """Points in original units."""
        found: _F = np.asarray(points, dtype=np.float64) * self.scale + self.centre
        return found

    def flattened(self) -> Problem:
        """The same with points of one axis, (N, d), which perceptrons take; images are flattened."""
        points, held_out = (own.reshape(len(own), -1) for own in (self.points, self.held_out))
        return replace(self, points=points, held_out=held_out)

    def players(
        self, objective: str | Objective, *, width: int = 128, depth: int = 3, seed: int = 0
    ) -> tuple[nn.Module, nn.Module]:
        """A generator and a discriminator for these points: perceptrons, or convolutions for images.

        Parameters
        ----------
        objective : str or Objective
            What the discriminator has to be made for; images take no constraint but "clip".
        width, depth, seed : int
            Of the perceptrons; images take half of the width as channels.

        Raises
        ------
        InvalidInput
            For unknown objectives, and for images with another constraint.
        """
        objective = resolve_objective(objective)
        constraint = objective.constraint
        if self.points.ndim == 2:
            return mlp_pair(
                self.latent,
                self.points.shape[1],
                width=width,
                depth=depth,
                codes=self.codes,
                waves=self.waves if constraint in ("none", "clip") else 0,
                constraint=constraint,
                seed=seed,
            )
        if constraint not in ("none", "clip"):
            raise InvalidInput(
                f"the convolutions for images have no constraint {constraint!r}; take wgan-gp, or flat points"
            )
        channels, side = self.points.shape[1:3]
        with seeded(seed):
            made = dcgan_generator(self.latent, channels, side, width=max(1, width // 2))
            normalise = "batch" if objective.penalty is None else "layer"
            return made, dcgan_discriminator(channels, side, width=max(1, width // 2), normalise=normalise)


def load_problem(
    name: str,
    *,
    draws: int = _DRAWS,
    codes: int | None = None,
    waves: int | None = None,
    rng: int | np.random.Generator | None = 0,
) -> Problem:
    """A problem by name, or the points of a file.

    Parameters
    ----------
    name : str
        One of `PROBLEMS`, or the path of a .npy, .npz or .csv file with points (N,), (N, d), or images (N, side, side)
        or (N, channels, side, side) with sides 8, 28, 32 or 64.
    draws : int
        Points that are drawn from a law to be trained on.
    codes : int, optional
        Coordinates of the noise of which only the sign counts, besides all others; 12 by default for ring and grid,
        whose modes are apart, and none otherwise.
    waves : int, optional
        Of the discriminator: 32 by default for the grid, whose modes are narrow and many, and none otherwise.
    rng : int, numpy.random.Generator or None

    Raises
    ------
    InvalidInput
        For an unknown name that is no file either, and for points that are not finite.
    """
    count, generator = check_integer("draws", draws, 2), check_rng(rng)
    if name in PROBLEMS:
        found = PROBLEMS[name](count, generator)
    elif Path(name).suffix:
        found = _of_array(Path(name).stem, np.asarray(read_array(name)), generator)
    else:
        raise InvalidInput(f"problem must be one of {', '.join(PROBLEMS)} or a file, got {name!r}")
    codes = found.codes if codes is None else check_integer("codes", codes, 0)
    waves = found.waves if waves is None else check_integer("waves", waves, 0)
    for option, value in (("codes", codes), ("waves", waves)):
        if value and found.points.ndim == 4:
            raise InvalidInput(f"{option} must be 0 for images, which convolutions make and judge; got {value}")
    return replace(found, latent=found.latent - found.codes + codes, codes=codes, waves=waves)


def _of_law(
    name: str, law: GaussianMixture, count: int, rng: np.random.Generator, latent: int, codes: int = 0, waves: int = 0
) -> Problem:
    points = law.sample(count, rng)
    centre, scale = points.mean(axis=0), float(points.std())
    held_out = (law.sample(_HELD_OUT, rng) - centre) / scale
    found = Problem(name, (points - centre) / scale, held_out, centre, scale, law, latent + codes, codes, waves)
    return replace(found, recommended=_RECOMMENDED.get(name, {}), penalties=_PENALTIES.get(name, found.penalties))


def _swiss_roll(count: int, rng: np.random.Generator) -> Problem:
    """A spiral in the plane, (t cos t, t sin t) / 10 for t from 1.5 pi to 4.5 pi, with a little noise."""
    t = 1.5 * math.pi * (1 + 2 * rng.random(count + _HELD_OUT))
    points = np.stack([t * np.cos(t), t * np.sin(t)], axis=1) / 10 + 0.02 * rng.standard_normal((len(t), 2))
    return _split("swissroll", points, count, np.arange(len(t)), 2)


def _digits(count: int, rng: np.random.Generator) -> Problem:
    """Scikit-learn's 1,797 handwritten digits, 8 x 8, with 17 shades of grey, a quarter of them held out."""
    data = require("sklearn.datasets", "boosting").load_digits()
    order = rng.permutation(len(data.images))
    cut = len(order) - len(order) // 4
    seen, held = order[: min(count, cut)], order[cut:]
    points, held_out = (data.images[rows, None] / 8.0 - 1.0 for rows in (seen, held))
    return Problem("digits", points, held_out, 8.0, 8.0, None, 32, labels=data.target[seen])


def _of_array(name: str, array: NDArray[Any], rng: np.random.Generator) -> Problem:
    points = np.asarray(as_float_array(name, array), dtype=np.float64)
    check_finite(name, points)
    if points.ndim == 3:
        points = points[:, None]
    if points.ndim == 4 and (points.shape[2] != points.shape[3] or points.shape[2] not in SIDES):
        raise InvalidInput(
            f"images of {name} must be square with side {', '.join(map(str, SIDES))}, got shape {array.shape}"
        )
    if points.ndim not in (1, 2, 4) or len(points) < 2:
        raise InvalidInput(f"{name} must hold two points or more, (N,), (N, d) or images, got shape {array.shape}")
    points = points[:, None] if points.ndim == 1 else points
    kept = len(points) - min(len(points) // 10, _HELD_OUT)
    return _split(name, points, kept, rng.permutation(len(points)), 64 if points.ndim == 4 else max(2, points.shape[1]))


def _split(name: str, points: _F, count: int, order: NDArray[np.intp], latent: int) -> Problem:
    """The first of an order are trained on, the others held out; in units of those that are trained on."""
    seen, held_out = points[order[:count]], points[order[count:]]
    centre: Any
    scale: Any
    if points.ndim == 4:
        low, high = float(seen.min()), float(seen.max())
        centre, scale = (low + high) / 2, (high - low) / 2 or 1.0
    else:
        centre, spread = seen.mean(axis=0), seen.std(axis=0)
        scale = np.where(spread > 0, spread, 1.0)
    return Problem(name, (seen - centre) / scale, (held_out - centre) / scale, centre, scale, None, latent)


PROBLEMS: Final[dict[str, Callable[[int, np.random.Generator], Problem]]] = {
    "ring": lambda count, rng: _of_law("ring", ring_mixture(), count, rng, 2, _CODES),
    "grid": lambda count, rng: _of_law("grid", grid_mixture(), count, rng, 2, _CODES, _WAVES),
    "fgan-mixture": lambda count, rng: _of_law("fgan-mixture", fgan_mixture(), count, rng, 1),
    "swissroll": _swiss_roll,
    "digits": _digits,
}
