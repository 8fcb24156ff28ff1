"""The lectures' piles of earth: which blocks move where, at what cost, and which prices prove that it is the least.

Two rows of four piles hold ten blocks each, (3, 2, 1, 4) and (1, 2, 4, 3). Moving a block by one place costs 1; the
least cost is 5. That no plan is cheaper is what a function with slopes of at most 1 proves, whose gain is 5 as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from divkit.datasets import earth_mover_piles
from divkit.examples._study import PALETTE, Table, canvas, styled
from divkit.measures import Discrete
from divkit.transport import Coupling
from divkit.transport.coupling import optimal_transport

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Moved", "figure", "run"]

_BLOCKS = 10


@dataclass(frozen=True, eq=False)
class Moved:
    """The optimal plan and its proof.

    Attributes
    ----------
    p, q : Discrete
        The piles as laws on the places 1 to 4.
    plan : Coupling
    rows : list of dict
        For each entry of the plan ``from``, ``to``, ``blocks`` and ``cost``, then their ``total``: the cost of the
        plan, the gain of the potential, and the sum of the differences of the cumulative heights, all in blocks times
        places.
    """

    p: Discrete
    q: Discrete
    plan: Coupling
    rows: Table

    @property
    def potential(self) -> NDArray[np.float64]:
        """The price of earth at each place, (4,), with slopes of at most 1; 0 at the first."""
        prices = np.asarray(self.plan.x_potential)
        return np.asarray(prices - prices[0])


def run() -> Moved:
    """The least work that turns one row of piles into the other, in three ways."""
    p, q = earth_mover_piles()
    assert p.points is not None
    assert q.points is not None
    plan = optimal_transport(p.points, q.points, p.probs, q.probs)
    places = p.points[:, 0]
    rows: Table = []
    for i, j, mass in zip(plan.indices_x, plan.indices_y, plan.masses, strict=True):
        blocks = float(round(_BLOCKS * mass, 9))
        cost = blocks * abs(float(places[i] - places[j]))
        rows.append({"from": int(places[i]), "to": int(places[j]), "blocks": blocks, "cost": cost})
    gain = float(_BLOCKS * plan.x_potential @ (p.probs - q.probs))
    between = float(_BLOCKS * np.abs(np.cumsum(p.probs - q.probs)).sum())
    for name, total in (("plan", _BLOCKS * plan.cost), ("potential", gain), ("cumulative heights", between)):
        rows.append({"from": name, "total": round(total, 9)})
    return Moved(p, q, plan, rows)


def figure(found: Moved) -> Figure:
    """The plan between the two rows of piles, and the prices that prove it.

    Raises
    ------
    MissingDependency
        Without matplotlib.
    """
    picture = canvas(11, 4.4)
    left, right = picture.subplots(1, 2, width_ratios=(1.3, 1))
    _draw_plan(left, found)
    assert found.p.points is not None
    places = found.p.points[:, 0]
    styled(right, "A function of slope at most 1 gains as much", "place", "blocks too many; price")
    right.bar(places, _BLOCKS * (found.p.probs - found.q.probs), width=0.5, color="0.85", label="blocks to move away")
    right.plot(places, found.potential, "o-", color=PALETTE[1], linewidth=2, label="price of a block")
    right.axhline(0, color="0.3", linewidth=0.8)
    right.set_xticks(places)
    right.legend(frameon=False, fontsize=11, loc="lower left")
    return picture


def _draw_plan(axes: Axes, found: Moved) -> None:
    """Two rows of piles, one above the other, and a band for every entry of the plan."""
    styled(axes, "Ten blocks, moved by five places in all", "place", "")
    assert found.p.points is not None
    places = found.p.points[:, 0]
    for law, low, color, name in ((found.p, 4.5, PALETTE[0], "have"), (found.q, -4.5, PALETTE[2], "want")):
        heights = _BLOCKS * law.probs
        axes.bar(places, np.copysign(heights, low), bottom=low, width=0.5, color=color, alpha=0.8)
        axes.text(0.3, low + np.copysign(1.5, low), name, fontsize=13, color=color, va="center")
    for row in found.rows:
        if "blocks" in row:
            moves = row["from"] != row["to"]
            color = PALETTE[1] if moves else "0.75"
            axes.plot([row["from"], row["to"]], [4.2, -4.2], color=color, linewidth=2.5 * row["blocks"], alpha=0.8)
            x = row["from"] + 0.35 * (row["to"] - row["from"])
            axes.text(
                x, 4.2 - 0.35 * 8.4, f"{row['blocks']:g}", fontsize=12, ha="center", va="center", backgroundcolor="w"
            )
    axes.set_xticks(places)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlim(0.1, 4.6)
