"""Data to train on, with networks and settings that suit them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
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
from divkit.gan.nets import SIDES, dcgan_discriminator, dcgan_generator, mlp_pair
from divkit.gan.objectives import Objective, resolve_objective

__all__ = ["PROBLEMS", "Problem", "load_problem"]

_F = NDArray[np.float64]
_DRAWS: Final = 50_000


@dataclass(frozen=True, eq=False)
class Problem:
    """Points to learn, in the units of the networks.

    Attributes
    ----------
    name : str
    points : ndarray, shape (N, ...)
        (original - centre) / scale: of spread 1, or images in [-1, 1].
    centre, scale : ndarray or float
    law : GaussianMixture or None
        Where the points come from, in original units.
    latent : int
        Dimension of the noise.
    """

    name: str
    points: _F
    centre: Any
    scale: Any
    law: GaussianMixture | None
    latent: int

    def restored(self, points: Any) -> _F:
        """Points in original units."""
        found: _F = np.asarray(points, dtype=np.float64) * self.scale + self.centre
        return found

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
                self.latent, self.points.shape[1], width=width, depth=depth, constraint=constraint, seed=seed
            )
        if constraint not in ("none", "clip"):
            raise InvalidInput(
                f"the convolutions for images have no constraint {constraint!r}; take wgan-gp, or flat points"
            )
        import torch

        channels, side = self.points.shape[1:3]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            made = dcgan_generator(self.latent, channels, side, width=max(1, width // 2))
            normalise = "batch" if objective.penalty is None else "layer"
            return made, dcgan_discriminator(channels, side, width=max(1, width // 2), normalise=normalise)


def load_problem(name: str, *, draws: int = _DRAWS, rng: int | np.random.Generator | None = 0) -> Problem:
    """A problem by name, or the points of a file.

    Parameters
    ----------
    name : str
        One of `PROBLEMS`, or the path of a .npy, .npz or .csv file with points (N,), (N, d), or images (N, side, side)
        or (N, channels, side, side) with sides 8, 28, 32 or 64.
    draws : int
        Points that are drawn from a law.
    rng : int, numpy.random.Generator or None

    Raises
    ------
    InvalidInput
        For an unknown name that is no file either, and for points that are not finite.
    """
    count, generator = check_integer("draws", draws, 2), check_rng(rng)
    if name in PROBLEMS:
        return PROBLEMS[name](count, generator)
    if not Path(name).suffix:
        raise InvalidInput(f"problem must be one of {', '.join(PROBLEMS)} or a file, got {name!r}")
    return _of_array(Path(name).stem, np.asarray(read_array(name)))


def _of_law(name: str, law: GaussianMixture, count: int, rng: np.random.Generator, latent: int) -> Problem:
    points = law.sample(count, rng)
    centre, scale = points.mean(axis=0), float(points.std())
    return Problem(name, (points - centre) / scale, centre, scale, law, latent)


def _swiss_roll(count: int, rng: np.random.Generator) -> Problem:
    """A spiral in the plane, (t cos t, t sin t) / 10 for t from 1.5 pi to 4.5 pi, with a little noise."""
    t = 1.5 * math.pi * (1 + 2 * rng.random(count))
    points = np.stack([t * np.cos(t), t * np.sin(t)], axis=1) / 10 + 0.02 * rng.standard_normal((count, 2))
    return _of_array("swissroll", points)


def _digits(count: int, rng: np.random.Generator) -> Problem:
    """Scikit-learn's 1,797 handwritten digits, 8 x 8, with 17 shades of grey, in random order."""
    images = require("sklearn.datasets", "boosting").load_digits().images
    order = rng.permutation(len(images))[:count]
    return Problem("digits", images[order, None] / 8.0 - 1.0, 8.0, 8.0, None, 32)


def _of_array(name: str, array: NDArray[Any]) -> Problem:
    points = np.asarray(as_float_array(name, array), dtype=np.float64)
    check_finite(name, points)
    if points.ndim == 3:
        points = points[:, None]
    if points.ndim == 4:
        side = points.shape[2]
        if side != points.shape[3] or side not in SIDES:
            raise InvalidInput(f"images of {name} must be square with side 8, 28, 32 or 64, got shape {array.shape}")
        low, high = float(points.min()), float(points.max())
        middle, half = (low + high) / 2, (high - low) / 2 or 1.0
        return Problem(name, (points - middle) / half, middle, half, None, 64)
    if points.ndim > 2 or points.ndim == 0:
        raise InvalidInput(f"{name} must hold points (N,), (N, d) or images, got shape {array.shape}")
    points = points.reshape(len(points), -1)
    centre, spread = points.mean(axis=0), points.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    return Problem(name, (points - centre) / scale, centre, scale, None, max(2, points.shape[1]))


PROBLEMS: Final[dict[str, Callable[[int, np.random.Generator], Problem]]] = {
    "ring": lambda count, rng: _of_law("ring", ring_mixture(), count, rng, 2),
    "grid": lambda count, rng: _of_law("grid", grid_mixture(), count, rng, 2),
    "fgan-mixture": lambda count, rng: _of_law("fgan-mixture", fgan_mixture(), count, rng, 1),
    "swissroll": _swiss_roll,
    "digits": _digits,
}
