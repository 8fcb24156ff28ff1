"""Which generators keep all eight modes of a ring, and how many of their points lie between modes?

Eight narrow Gaussians on a circle. The same networks and the same number of steps for each recipe: an objective, alone
or with a trick.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from divkit._checks import check_integer
from divkit._errors import InvalidInput, require
from divkit._mixture import GaussianMixture
from divkit.datasets import ring_mixture
from divkit.examples._study import PALETTE, Table, canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["RECIPES", "Kept", "figure", "run"]

_F = NDArray[np.float64]
_POINTS = 2500
_WIDTH, _DEPTH = 64, 2
_CODES = 8
# By the name in the table: the objective, and what is done besides.
RECIPES: dict[str, tuple[str, str | None]] = {
    "minimax": ("minimax", None),
    "non-saturating": ("non-saturating", None),
    "packed by 3": ("non-saturating", "packing"),
    "relativistic": ("relativistic", None),
    "relativistic, noise of signs": ("relativistic", "codes"),
}


@dataclass(frozen=True, eq=False)
class Kept:
    """What each generator reached.

    Attributes
    ----------
    rows : list of dict
        ``recipe``, modes ``captured`` of eight, ``high_quality``, the share of points within three standard deviations
        of a mode, and the ``reverse_kl`` of their shares of the modes.
    made : dict of str to ndarray, shape (2500, 2)
    law : GaussianMixture
    """

    rows: Table
    made: dict[str, _F]
    law: GaussianMixture


def run(recipes: Sequence[str] = tuple(RECIPES), *, steps: int = 2000, seed: int = 0) -> Kept:
    """Train one generator for each recipe.

    Parameters
    ----------
    recipes : sequence of str
        Names of `RECIPES`.
    steps : int
    seed : int

    Raises
    ------
    InvalidInput
        For unknown recipes and steps < 1.
    MissingDependency
        Without torch.
    """
    require("torch", "neural")
    from divkit.gan.evaluate import modes

    steps, seed = check_integer("steps", steps, 1), check_integer("seed", seed, 0)
    unknown = [name for name in recipes if name not in RECIPES]
    if unknown:
        raise InvalidInput(f"recipes must be of {', '.join(RECIPES)}; got {unknown[0]!r}")
    law = ring_mixture(std=0.02)
    points = law.sample(20_000, np.random.default_rng(seed))
    rows, made = [], {}
    for name in recipes:
        made[name] = _trained(*RECIPES[name], points, steps, seed)
        report = modes(made[name], law)
        found = {"captured": report.captured, "high_quality": report.high_quality, "reverse_kl": report.reverse_kl}
        rows.append({"recipe": name, **found})
    return Kept(rows, made, law)


def _trained(objective: str, trick: str | None, points: _F, steps: int, seed: int) -> _F:
    from divkit.gan.nets import mlp_pair
    from divkit.gan.settings import Settings
    from divkit.gan.trainer import Trainer
    from divkit.gan.tricks import Packing

    codes = _CODES if trick == "codes" else 0
    settings = Settings(steps, 192, 2 + codes, 1e-3, look_every=steps, seed=seed)
    generator, discriminator = mlp_pair(2 + codes, 2, width=_WIDTH, depth=_DEPTH, codes=codes, seed=seed)
    if trick == "packing":
        _, discriminator = mlp_pair(2, 6, width=_WIDTH, depth=_DEPTH, seed=seed)
    chosen = [Packing(3)] if trick == "packing" else []
    trainer = Trainer(generator, discriminator, objective, points, settings, tricks=chosen)
    trainer.run()
    found: Any = trainer.sample(_POINTS).double().numpy()
    return np.asarray(found)


def figure(found: Kept) -> Figure:
    """Points of each generator over those of the ring.

    Raises
    ------
    MissingDependency
        Without matplotlib.
    """
    columns = min(3, len(found.rows))
    lines = -(-len(found.rows) // columns)
    picture = canvas(2.9 * columns, 3.2 * lines)
    for axes, row in zip(picture.subplots(lines, columns, squeeze=False).flat, found.rows, strict=False):
        axes.scatter(*found.law.means.T, s=140, facecolors="none", edgecolors="0.7")
        axes.scatter(*found.made[row["recipe"]].T, s=4, color=PALETTE[0], linewidths=0, alpha=0.5)
        axes.set_title(f"{row['recipe']}\n{row['captured']} of 8, {100 * row['high_quality']:.0f} %", fontsize=12)
        axes.set_xlim(-1.6, 1.6)
        axes.set_ylim(-1.6, 1.6)
        axes.set_aspect("equal")
    for axes in picture.axes:
        axes.set_axis_off()
    return picture
