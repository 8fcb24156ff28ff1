"""One Gaussian fitted to a law with two modes: which of them does it keep?

KL pays for every place where the data live and the model does not: its Gaussian covers both modes. Reverse KL pays for
mass of the model where there are hardly any data: its Gaussian seeks one of them. JSD lies between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from divkit._errors import NotConverged
from divkit._mixture import GaussianMixture
from divkit.api import estimate
from divkit.catalog import resolve_divergence
from divkit.datasets import fgan_mixture
from divkit.divergences import Divergence
from divkit.examples._study import PALETTE, Table, canvas, normal_law, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Fitted", "figure", "run"]

_DIVERGENCES = ("pearson_chi2", "kl", "jsd", "squared_hellinger", "reverse_kl")
_MEANS = np.linspace(-1.5, 1.5, 7)  # of the starts, about the law's mean in its standard deviations
_LOG_STDS = (-1.5, -0.7, 0.0)


@dataclass(frozen=True, eq=False)
class Fitted:
    """The nearest Gaussians.

    Attributes
    ----------
    law : GaussianMixture
        What they are fitted to.
    rows : list of dict
        ``divergence``, ``mean``, ``std`` and the least ``value``, from the one that covers most.
    """

    law: GaussianMixture
    rows: Table


def run(divergences: Sequence[str] = _DIVERGENCES, *, law: GaussianMixture | None = None) -> Fitted:
    """Minimise each divergence of a law on the line to one Gaussian, over mean and standard deviation.

    Parameters
    ----------
    divergences : sequence of str
    law : GaussianMixture, optional
        Of dimension 1; that of the f-GAN paper by default.

    Raises
    ------
    InvalidInput
        For unknown divergences.
    NotConverged
        If no minimum is found.
    """
    law = fgan_mixture() if law is None else law
    return Fitted(law, [_best(law, resolve_divergence(name)) for name in divergences])


def _best(law: GaussianMixture, div: Divergence) -> dict[str, float | str]:
    from scipy.optimize import minimize

    centre = float(law.weights @ law.means[:, 0])
    size = float(np.sqrt(law.weights @ (law.covariances[:, 0, 0] + (law.means[:, 0] - centre) ** 2)))

    def value(parameters: np.ndarray) -> float:
        mean, log_std = parameters
        return float(estimate(law, normal_law(centre + size * mean, size * np.exp(log_std)), div))

    start = min((np.array([mean, log_std]) for mean in _MEANS for log_std in _LOG_STDS), key=value)
    options = {"xatol": 1e-5, "fatol": 1e-10, "maxiter": 400}
    found = minimize(value, x0=start, method="Nelder-Mead", options=options)
    if not found.success:
        raise NotConverged(f"no Gaussian nearest by {div.name} was found: {found.message}", info={"x": found.x})
    mean, std = centre + size * found.x[0], size * np.exp(found.x[1])
    return {"divergence": div.name, "mean": float(mean), "std": float(std), "value": float(found.fun)}


def figure(found: Fitted) -> Figure:
    """The law and the Gaussians nearest to it.

    Raises
    ------
    MissingDependency
        Without matplotlib.
    """
    picture = canvas(8.5, 4.2)
    axes = styled(picture.subplots(), "The nearest Gaussian depends on what near means", "$x$", "density")
    law = found.law
    spread = np.sqrt(law.covariances[:, 0, 0])
    low, high = float((law.means[:, 0] - 4.5 * spread).min()), float((law.means[:, 0] + 4.5 * spread).max())
    x = np.linspace(low, high, 800)
    axes.fill_between(x, np.exp(law.log_density(x[:, None])), color="0.87", label="the law")
    for row, color in zip(found.rows, PALETTE * 4, strict=False):
        density = np.exp(-(((x - row["mean"]) / row["std"]) ** 2) / 2) / (row["std"] * np.sqrt(2 * np.pi))
        axes.plot(x, density, color=color, linewidth=2, label=f"{row['divergence'].replace('_', ' ')}")
    axes.legend(frameon=False, fontsize=12)
    return picture
