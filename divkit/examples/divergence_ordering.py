"""Which divergence sees a sequence of laws converge, and which does not?

KL is the strongest, the Jensen-Shannon divergence and total variation come next and go to 0 together, W1 is the weakest
where the laws live in a bounded set: what converges in the first converges in the others. Four sequences show that none
of the arrows can be turned round, and that on an unbounded set W1 minds what the others do not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from divkit.api import estimate
from divkit.divergences import Wasserstein
from divkit.examples._study import PALETTE, Table, canvas, normal_law, styled
from divkit.measures import Discrete

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from divkit._mixture import GaussianMixture

__all__ = ["SEQUENCES", "Ordering", "figure", "run"]

Pair = tuple["Discrete | GaussianMixture", "Discrete | GaussianMixture"]


def _atoms(places: Sequence[float], masses: Sequence[float]) -> Discrete:
    return Discrete(np.array(masses), np.array(places))


# Name to what it shows and the pair of laws at n.
SEQUENCES: Final[dict[str, tuple[str, Callable[[float], Pair]]]] = {
    "a mean that shrinks": (
        "all go to 0",
        lambda n: (normal_law(1 / n, 1.0), normal_law(0.0, 1.0)),
    ),
    "mass where Q has none": (
        "KL is infinite, JSD and W1 go to 0",
        lambda n: (_atoms([0.0, 1.0], [1 - 1 / n, 1 / n]), _atoms([0.0, 1.0], [1.0, 0.0])),
    ),
    "a point that comes near": (
        "JSD is log 2, W1 goes to 0",
        lambda n: (_atoms([1 / n], [1.0]), _atoms([0.0], [1.0])),
    ),
    "little mass far out": (
        "JSD goes to 0, W1 does not",
        lambda n: (_atoms([0.0, n], [1 - 1 / n, 1 / n]), _atoms([0.0, n], [1.0, 0.0])),
    ),
}
_SIZES: Final = (2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)


@dataclass(frozen=True, eq=False)
class Ordering:
    """The sequences.

    Attributes
    ----------
    rows : list of dict
        ``sequence``, ``n``, ``kl``, ``reverse_kl``, ``jsd``, ``total_variation`` and ``wasserstein1``, exact or by a
        quadrature to about ten digits.
    """

    rows: Table

    def column(self, sequence: str, name: str) -> list[float]:
        """One divergence along one sequence."""
        return [float(row[name]) for row in self.rows if row["sequence"] == sequence]


def run(sizes: Sequence[float] = _SIZES) -> Ordering:
    """Every divergence along every sequence.

    Parameters
    ----------
    sizes : sequence of float
        The n, at least 2.
    """
    rows: Table = []
    for name, (_, pair) in SEQUENCES.items():
        for n in sizes:
            p, q = pair(n)
            row = {own: float(estimate(p, q, own)) for own in ("kl", "reverse_kl", "jsd", "total_variation")}
            rows.append({"sequence": name, "n": n, **row, "wasserstein1": float(estimate(p, q, Wasserstein(1.0)))})
    return Ordering(rows)


def figure(found: Ordering) -> Figure:
    """One panel a sequence; what is infinite is drawn as a line at the top.

    Raises
    ------
    MissingDependency
        Without matplotlib.
    """
    picture = canvas(10, 7)
    names = {"kl": "KL", "jsd": "JSD", "wasserstein1": "W1"}
    for axes, (sequence, (claim, _)) in zip(picture.subplots(2, 2).flat, SEQUENCES.items(), strict=True):
        styled(axes, f"{sequence}:\n{claim}", "$n$", "")
        sizes = found.column(sequence, "n")
        for (column, label), color in zip(names.items(), PALETTE, strict=False):
            values = np.array(found.column(sequence, column))
            infinite = bool(np.isinf(values).all())
            shown = np.full(len(values), 3.0) if infinite else values
            text = f"{label} (infinite)" if infinite else label
            axes.plot(sizes, shown, ":" if infinite else "o-", color=color, linewidth=2, markersize=4, label=text)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_ylim(4e-6, 6)
        axes.legend(frameon=False, fontsize=11, loc="lower left")
    return picture
