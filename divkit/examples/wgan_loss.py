"""Does the loss say how good a generator is?

The data lie on a circle, the generator draws a curve: supports that meet in isolated points at most, so that JSD is
log 2 until they coincide. The loss of a Wasserstein GAN whose critic has slopes of at most 1 by its layers goes down
with the exact distance between samples.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from divkit._checks import check_integer
from divkit._errors import UnreliableEstimateWarning, require
from divkit.api import wasserstein1
from divkit.examples._study import PALETTE, Table, canvas, styled
from divkit.methods.crossfit import estimate_all

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Watched", "figure", "run"]

_F = NDArray[np.float64]
_LOOKS = 12
_POINTS = 600  # of either kind, at each look
_SHOWN = (0, 3, _LOOKS - 1)  # looks whose points are drawn


@dataclass(frozen=True, eq=False)
class Watched:
    """A training, watched.

    Attributes
    ----------
    rows : list of dict
        ``step``; ``bound``, what the critic says of one batch; ``wasserstein1``, exact between 600 fresh points of
        either kind; ``jsd_lower``, the 95 % lower limit of JSD from them; ``jsd``, that of the laws.
    correlation : float
        Spearman's, of bound and exact distance.
    null : float
        Exact W_1 between 600 points of the circle and 600 more.
    made : dict of int to ndarray, shape (600, 2)
        Points of the generator, by step.
    data : ndarray, shape (600, 2)
    """

    rows: Table
    correlation: float
    null: float
    made: dict[int, _F]
    data: _F


def run(steps: int = 600, *, seed: int = 0) -> Watched:
    """Train a generator of curves on a circle by a Wasserstein GAN with a certified critic.

    Parameters
    ----------
    steps : int
        Of the generator, at least 12.
    seed : int

    Raises
    ------
    InvalidInput
        For fewer steps.
    MissingDependency
        Without torch.
    """
    require("torch", "neural")
    from scipy.stats import spearmanr

    from divkit.gan.nets import mlp_pair
    from divkit.gan.settings import Settings
    from divkit.gan.trainer import Trainer

    steps, seed = check_integer("steps", steps, _LOOKS), check_integer("seed", seed, 0)
    rng = np.random.default_rng(seed)
    # Every look is after the same number of steps, and there are as many as said.
    settings = Settings(
        steps - steps % _LOOKS,
        batch=128,
        latent=1,
        learning_rate=5e-4,
        discriminator_rate=5e-3,
        averaging=None,
        look_every=steps // _LOOKS,
        seed=seed,
    )
    players = mlp_pair(1, 2, width=64, depth=2, constraint="groupsort", seed=seed)
    trainer = Trainer(*players, "wgan-groupsort", _circle(10_000, rng), settings)
    rows: Table = []
    made: dict[int, _F] = {}

    def look(own: Any, metrics: dict[str, float]) -> None:
        x, y = _circle(_POINTS, rng), own.sample(_POINTS).double().numpy()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnreliableEstimateWarning)  # that the supports are disjoint is the point
            jsd = estimate_all(x, y, ["jsd"], rng=rng)["jsd"]
        assert jsd.interval is not None
        made[own.step] = y
        distance = float(wasserstein1(x, y))
        found = {"bound": metrics["bound"], "wasserstein1": distance, "jsd_lower": jsd.interval[0], "jsd": math.log(2)}
        rows.append({"step": own.step, **found})

    trainer.run([look])
    both = ([row[name] for row in rows] for name in ("bound", "wasserstein1"))
    data = _circle(_POINTS, rng)
    null = float(wasserstein1(data, _circle(_POINTS, rng)))
    return Watched(rows, float(spearmanr(*both).statistic), null, made, data)


def _circle(n: int, rng: np.random.Generator) -> _F:
    angle = rng.uniform(0, 2 * np.pi, n)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def figure(found: Watched) -> Figure:
    """The loss and the distances along the training, and the points of three looks.

    Raises
    ------
    MissingDependency
        Without matplotlib.
    """
    picture = canvas(11, 6.4)
    grid = picture.add_gridspec(2, 3, height_ratios=(1.15, 1))
    left, right = picture.add_subplot(grid[0, :2]), picture.add_subplot(grid[0, 2])
    steps = [row["step"] for row in found.rows]
    for name, label, color in (("bound", "the critic's loss", PALETTE[1]), ("wasserstein1", "exact W1", PALETTE[0])):
        left.plot(steps, [row[name] for row in found.rows], color=color, linewidth=2, marker="o", label=label)
    left.axhline(found.null, color="0.7", linewidth=1, label="the same between data")
    title = f"Wasserstein GAN: rank correlation {found.correlation:.2f}"
    styled(left, title, "step of the generator", "distance (units of $x$)").legend(frameon=False, fontsize=12)
    right.plot(steps, [row["jsd"] for row in found.rows], color="black", label="of the laws: log 2")
    proven = [row["jsd_lower"] for row in found.rows]
    right.plot(steps, proven, "_", color=PALETTE[4], markersize=12, label="proven by 600 points")
    right.set_ylim(0, 0.8)
    styled(right, "JSD", "step of the generator", "nats").legend(frameon=False, fontsize=11, loc="lower left")
    for k, at in enumerate(_SHOWN):
        axes = picture.add_subplot(grid[1, k])
        step = steps[min(at, len(steps) - 1)]
        axes.scatter(found.data[:, 0], found.data[:, 1], s=4, color="0.75", linewidths=0)
        axes.scatter(found.made[step][:, 0], found.made[step][:, 1], s=5, color=PALETTE[1], linewidths=0)
        axes.set_aspect("equal")
        axes.set_title(f"step {step}", fontsize=12)
        axes.set_axis_off()
    return picture
