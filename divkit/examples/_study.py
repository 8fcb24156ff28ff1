"""What the studies share: findings as a table, and a critic trained on two samples."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from divkit._errors import require
from divkit._mixture import GaussianMixture
from divkit.divergences import FDivergence, Wasserstein
from divkit.variational import VariationalForm

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["PALETTE", "Table", "canvas", "normal_law", "styled", "trained_critic", "variational_form", "write_table"]

Table = list[dict[str, Any]]
PALETTE = ("#0b5fa5", "#d1495b", "#2a7f62", "#8a5a00", "#6a3d9a")


def write_table(rows: Sequence[Mapping[str, Any]], path: str | Path) -> None:
    """Write rows as CSV, infinities as ``inf`` and None as nothing."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def normal_law(mean: float, std: float) -> GaussianMixture:
    """N(mean, std^2) on the line."""
    return GaussianMixture(*(np.array([number]) for number in (1.0, mean, std**2)))


def canvas(width: float, height: float) -> Figure:
    """An empty figure.

    Raises
    ------
    MissingDependency
        Without matplotlib.
    """
    found: Figure = require("matplotlib.figure", "plot").Figure(figsize=(width, height), layout="constrained")
    return found


def styled(axes: Axes, title: str, xlabel: str, ylabel: str) -> Axes:
    """Titles and labels of one size, without a box."""
    axes.set_title(title, fontsize=14)
    axes.set_xlabel(xlabel, fontsize=13)
    axes.set_ylabel(ylabel, fontsize=13)
    axes.tick_params(labelsize=12)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def variational_form(div: FDivergence | Wasserstein) -> VariationalForm:
    """The two terms of the bound that a critic makes large."""
    return div.variational if isinstance(div, FDivergence) else div.dual.variational


def trained_critic(
    div: FDivergence | Wasserstein,
    points: Sequence[NDArray[np.float64]],
    fresh: Sequence[NDArray[np.float64]],
    *,
    steps: int,
    rng: np.random.Generator,
    width: int = 32,
    depth: int = 2,
    check_every: int = 200,
) -> Callable[[Any], Any]:
    """A network that makes the variational bound large on points of P and Q, in its best state on fresh ones.

    Parameters
    ----------
    div : FDivergence or Wasserstein
        For W_1 the critic is 1-Lipschitz by its layers.
    points, fresh : sequence of two ndarrays
        Of shapes (n, d) and (m, d).
    steps : int
    rng : numpy.random.Generator
    width, depth, check_every : int

    Returns
    -------
    callable
        Tensors (k, d) to raw values (k,), in float64, differentiable.

    Raises
    ------
    MissingDependency
        Without torch.
    """
    torch = require("torch", "neural")
    from divkit.neural.fit import Training, maximise, variational
    from divkit.neural.nets import critic_stack

    start, batches = (torch.Generator().manual_seed(int(seed)) for seed in rng.integers(2**62, size=2))
    x, y, x_fresh, y_fresh = (torch.tensor(each, dtype=torch.float32)[None] for each in (*points, *fresh))
    proven = isinstance(div, Wasserstein)
    constraint, activation = ("groupsort", "abs") if proven else ("none", "relu")
    shape: dict[str, Any] = {"width": width, "depth": depth, "constraint": constraint, "activation": activation}
    stack = critic_stack(x.shape[2], **shape, generator=start)
    optimizer, rate = ("muon", None) if proven else ("adam", 5e-3)
    training = Training(steps, 128, rate, optimizer=optimizer, check_every=min(check_every, steps))
    form = variational(variational_form(div))
    critics = maximise(stack, form, (x, y), (x_fresh, y_fresh), training, generator=batches).critics.double()
    return lambda z: critics(z)[0]
