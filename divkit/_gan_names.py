"""Names of the objectives of GANs, for help texts that must not wait for torch."""

from __future__ import annotations

from divkit.catalog import DIVERGENCES
from divkit.divergences import FDivergence

__all__ = ["PLAIN_OBJECTIVES", "objective_names"]

PLAIN_OBJECTIVES = (
    "minimax",
    "non-saturating",
    "wgan",
    "wgan-gp",
    "wgan-lp",
    "wgan-spectral",
    "wgan-groupsort",
    "relativistic",
)


def objective_names() -> list[str]:
    """The keys of `divkit.gan.objectives.OBJECTIVES`, in its order."""
    f_gans = [
        f"f-gan-{name}{ending}"
        for name, div in DIVERGENCES.items()
        if isinstance(div, FDivergence) and name != "gan"
        for ending in ("", "-trick")
    ]
    return [*PLAIN_OBJECTIVES, *f_gans]
