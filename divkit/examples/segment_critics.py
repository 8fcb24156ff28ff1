"""What two critics learn between segments theta apart: one has a slope to follow everywhere, the other nowhere.

P is uniform on {0} x [0, 1] and Q on {theta} x [0, 1]. The best discriminator is 1 on the one segment and 0 on the
other, so that the better it is, the flatter it is where the points are. The best 1-Lipschitz critic of W1 falls from
one to the other with slope 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from divkit._checks import check_integer, check_rng
from divkit._errors import InvalidInput, require
from divkit.catalog import JSD
from divkit.datasets import shifted_uniform
from divkit.divergences import Wasserstein
from divkit.examples._study import trained_critic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Critics", "figure", "train"]

_F = NDArray[np.float64]
_BEYOND = 0.4  # how far beyond the segments the cut reaches


@dataclass(frozen=True, eq=False)
class Critics:
    """Both critics along a cut across the segments, at half of their height.

    Attributes
    ----------
    theta : float
    at : ndarray, shape (k,)
        First coordinates of the cut, ascending; 0 and theta are among them.
    critic, critic_slope : ndarray, shape (k,)
        The 1-Lipschitz critic, 0 halfway between the segments, and its slope along the cut.
    discriminator, discriminator_slope : ndarray, shape (k,)
        The probability that the discriminator of JSD gives to P, and its slope along the cut.
    """

    theta: float
    at: _F
    critic: _F
    critic_slope: _F
    discriminator: _F
    discriminator_slope: _F


def train(theta: float = 0.5, *, n: int = 500, steps: int = 1500, rng: int | np.random.Generator | None = 0) -> Critics:
    """Train a certified critic for W1 and a discriminator for JSD on draws from both segments.

    Parameters
    ----------
    theta : float
        Finite shift, not 0.
    n : int
        Draws from each segment.
    steps : int
        Of training, for each.
    rng : int, numpy.random.Generator or None

    Returns
    -------
    Critics

    Raises
    ------
    InvalidInput
        If theta is 0 or no finite number, and for n < 16 or steps < 1.
    MissingDependency
        Without torch.
    """
    torch = require("torch", "neural")
    n, steps, rng = check_integer("n", n, 16), check_integer("steps", steps, 1), check_rng(rng)
    if theta == 0:
        raise InvalidInput("theta must not be 0: equal segments give critics nothing to tell apart")
    pair = shifted_uniform(theta)
    points, fresh = (tuple(sample.points for sample in pair.samples(n, rng)) for _ in range(2))
    at = np.union1d(np.linspace(min(theta, 0.0) - _BEYOND, max(theta, 0.0) + _BEYOND, 301), [0.0, theta])
    cut = torch.as_tensor(np.column_stack([at, np.full(len(at), 0.5)]))
    critic, discriminator = (trained_critic(div, points, fresh, steps=steps, rng=rng) for div in (Wasserstein(1), JSD))
    values, slopes = _along(critic, cut)
    middle = float(np.interp([0.0, theta], at, values).mean())
    return Critics(theta, at, values - middle, slopes, *_along(lambda z: discriminator(z).sigmoid(), cut))


def _along(function: Callable[[Any], Any], cut: Any) -> tuple[_F, _F]:
    """Values (k,) on a cut (k, 2), and their slopes along it."""
    import torch

    at = cut.clone().requires_grad_()
    values = function(at)
    (slopes,) = torch.autograd.grad(values.sum(), at)
    return values.detach().numpy(), slopes[:, 0].numpy()


def figure(critics: Critics) -> Figure:
    """Both critics across the segments, with their slopes where the points are.

    Parameters
    ----------
    critics : Critics
        As `train` returns them.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    MissingDependency
        Without matplotlib.
    """
    Figure_ = require("matplotlib.figure", "plot").Figure
    canvas: Figure = Figure_(figsize=(9, 4.4), layout="constrained")
    for axes, title, label, values, slopes, color in zip(
        canvas.subplots(1, 2),
        ("W1: the critic falls all the way", "JSD: the discriminator is flat at the points"),
        ("critic (units of $x$)", "probability of P"),
        (critics.critic, critics.discriminator),
        (critics.critic_slope, critics.discriminator_slope),
        ("#0b5fa5", "#6a3d9a"),
        strict=True,
    ):
        axes.plot(critics.at, values, color=color, linewidth=2.5)
        for name, place in (("P", 0.0), ("Q", critics.theta)):
            k = int(np.searchsorted(critics.at, place))
            axes.axvline(place, color="0.8", linewidth=6, zorder=0)
            axes.plot([place], [values[k]], "o", color=color, markersize=8)
            axes.annotate(
                f"{name}: slope {slopes[k]:.2g}",
                (place, values[k]),
                (8, 15),
                textcoords="offset points",
                fontsize=13,
            )
        axes.set_title(title, fontsize=15)
        axes.set_xlabel("first coordinate (units of $x$)", fontsize=14)
        axes.set_ylabel(label, fontsize=14)
        axes.tick_params(labelsize=13)
        axes.margins(y=0.15)
        axes.spines[["top", "right"]].set_visible(False)
    return canvas
