"""What gradient reaches a generator whose points are far from the data?

P = N(0, 1) and Q = N(theta, 1), moved by theta. At the best discriminator D = p/(p + q) the saturating loss
E_Q log(1 - D) has a gradient that vanishes as the laws part. That of the non-saturating loss -E_Q log D does not: it is
the one of KL(Q, P) - 2 JSD. W_1 has slope 1 everywhere. The same is then seen of networks between two parallel
segments, the better they are trained.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from divkit._checks import check_integer
from divkit._errors import InvalidInput
from divkit.api import estimate
from divkit.catalog import DIVERGENCES
from divkit.datasets import shifted_uniform
from divkit.divergences import FDivergence, Wasserstein
from divkit.examples._study import PALETTE, Table, canvas, normal_law, styled, trained_critic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Gradients", "best", "figure", "run", "trained"]

_APART = (0.25, 0.5, 1.0, 2.0, 4.0, 6.0, 8.0, 10.0)
_STEPS = (25, 50, 100, 200, 400, 800)
_STEP = 1e-3  # of finite differences
_THETA = 0.5  # between the segments


@dataclass(frozen=True, eq=False)
class Gradients:
    """Derivatives of the generator's losses by theta.

    Attributes
    ----------
    rows : list of dict
        At the best discriminators (``steps`` is None) and at trained ones. ``apart`` is theta; ``saturating``,
        ``non_saturating`` and ``wasserstein`` are derivatives by it, ``kl_minus_2_jsd`` is that of KL(Q, P) - 2 JSD by
        central differences.
    """

    rows: Table


def run(
    apart: Sequence[float] = _APART,
    steps: Sequence[int] = _STEPS,
    *,
    n: int = 500,
    seed: int = 0,
) -> Gradients:
    """The table: the best discriminators of normal laws, then networks between segments.

    Parameters
    ----------
    apart : sequence of float
        Distances of the normal laws, in standard deviations, positive and at most 30.
    steps : sequence of int
        For which discriminator and critic are trained, each from the same start.
    n : int
        Draws from each segment.
    seed : int

    Raises
    ------
    InvalidInput
        For distances out of range, n < 16 or steps < 1.
    MissingDependency
        Without torch, if there are steps.
    """
    n, seed = check_integer("n", n, 16), check_integer("seed", seed, 0)
    return Gradients([best(theta) for theta in apart] + [trained(check_integer("steps", k, 1), n, seed) for k in steps])


def best(theta: float) -> dict[str, Any]:
    """The row of N(0, 1) and N(theta, 1) at the best discriminator and the best critic."""
    if not 0 < theta <= 30:
        raise InvalidInput(f"apart must be in (0, 30], got {theta!r}")
    p = normal_law(0.0, 1.0)
    # l = log p/q has slope -theta, so that (log(1 - D))' = D theta and (log D)' = -(1 - D) theta.
    share = _mean_of_discriminator(theta)

    def difference(at: float) -> float:
        q = normal_law(at, 1.0)
        return float(estimate(q, p, "kl")) - 2 * float(estimate(p, q, "jsd"))

    slope = (difference(theta + _STEP) - difference(theta - _STEP)) / (2 * _STEP)
    return {
        "steps": None,
        "apart": theta,
        "saturating": theta * share,
        "non_saturating": theta * (1 - share),
        "wasserstein": 1.0,
        "kl_minus_2_jsd": slope,
    }


def _mean_of_discriminator(theta: float) -> float:
    """E_Q D, by Gauss and Hermite."""
    from scipy.special import expit

    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    log_ratio = theta**2 / 2 - theta * (nodes + theta)  # log p/q at draws nodes + theta of Q
    return float(weights @ expit(log_ratio) / math.sqrt(2 * math.pi))


def trained(steps: int, n: int, seed: int) -> dict[str, Any]:
    """The row of networks that were trained for so many steps to tell two segments apart."""
    import torch
    from torch.nn.functional import logsigmoid

    pair = shifted_uniform(_THETA)
    rng = np.random.default_rng(seed)
    points, fresh = ([sample.points for sample in pair.samples(n, rng)] for _ in range(2))
    gan = DIVERGENCES["gan"]
    assert isinstance(gan, FDivergence)
    discriminator, critic = (
        trained_critic(div, points, fresh, steps=steps, rng=np.random.default_rng(seed), check_every=steps)
        for div in (gan, Wasserstein(1))
    )
    made = torch.tensor(points[1], requires_grad=True)
    values = discriminator(made)  # of which the sigmoid is D
    losses = {
        "saturating": logsigmoid(-values).mean(),
        "non_saturating": -logsigmoid(values).mean(),
        "wasserstein": -critic(made).mean(),
    }
    slopes = {name: torch.autograd.grad(loss, made, retain_graph=True)[0][:, 0].sum() for name, loss in losses.items()}
    return {"steps": steps, "apart": _THETA, **{name: float(slope) for name, slope in slopes.items()}}


def figure(found: Gradients) -> Figure:
    """Sizes of the derivatives, by distance and by training.

    Raises
    ------
    MissingDependency
        Without matplotlib.
    """
    picture = canvas(10, 4.4)
    left, right = picture.subplots(1, 2)
    names = ("saturating", "non_saturating", "wasserstein")
    exact = [row for row in found.rows if row["steps"] is None]
    seen = [row for row in found.rows if row["steps"] is not None]
    for axes, rows, key in ((left, exact, "apart"), (right, seen, "steps")):
        for name, color in zip(names, PALETTE, strict=False):
            axes.plot(
                [row[key] for row in rows],
                [abs(row[name]) for row in rows],
                color=color,
                linewidth=2,
                marker="o",
                label=name.replace("_", " "),
            )
        axes.set_yscale("log")
    if exact:
        left.plot(
            [row["apart"] for row in exact],
            [abs(row["kl_minus_2_jsd"]) for row in exact],
            "x",
            color="black",
            label="KL(Q, P) - 2 JSD",
        )
    styled(left, "Best discriminators, normal laws", "distance (standard deviations)", "size of the gradient")
    styled(right, f"Networks, segments {_THETA} apart", "training steps of the discriminator", "size of the gradient")
    left.legend(frameon=False, fontsize=11)
    return picture
