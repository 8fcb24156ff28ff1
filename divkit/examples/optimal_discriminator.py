"""What does a GAN's discriminator compute at its best?

V(G, D) = E_P log D + E_Q log(1 - D) is largest at D = p/(p + q), where it is 2 JSD - 2 log 2; at equal laws D is 1/2
and V is -2 log 2. A trained one falls short of it, and never exceeds it beyond the noise of the points that judge it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from divkit._checks import check_finite, check_integer
from divkit.api import estimate
from divkit.catalog import DIVERGENCES
from divkit.divergences import FDivergence
from divkit.examples._study import PALETTE, Table, canvas, normal_law, styled, trained_critic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Discriminators", "figure", "run"]

_F = NDArray[np.float64]
_SHIFTS = (0.0, 0.5, 1.0, 2.0, 4.0)
_JUDGES = 20_000


@dataclass(frozen=True, eq=False)
class Discriminators:
    """What is best and what was learnt between N(0, 1) and N(shift, 1).

    Attributes
    ----------
    rows : list of dict
        ``shift``; ``value_at_best``, V at p/(p + q) by quadrature; ``two_jsd_minus_two_log_2``; ``learnt``, V of the
        trained network at points that it has not seen, and its ``stderr``.
    at : ndarray, shape (k,)
    curves : dict of float to (ndarray, ndarray)
        The best and the learnt discriminator there, (k,) each, by shift.
    """

    rows: Table
    at: _F
    curves: dict[float, tuple[_F, _F]]


def run(shifts: Sequence[float] = _SHIFTS, *, n: int = 4000, steps: int = 1000, seed: int = 0) -> Discriminators:
    """Best and trained discriminators of normal laws.

    Parameters
    ----------
    shifts : sequence of float
    n : int
        Draws from each law to be trained on.
    steps : int
    seed : int

    Raises
    ------
    InvalidInput
        For shifts that are not finite, n < 16 or steps < 1.
    MissingDependency
        Without torch.
    """
    n, steps = check_integer("n", n, 16), check_integer("steps", steps, 1)
    generator = np.random.default_rng(check_integer("seed", seed, 0))
    check_finite("shifts", np.asarray(shifts, dtype=np.float64))
    at = np.linspace(-4.0, 4.0 + max(shifts, default=0.0), 400)
    rows, curves = [], {}
    for shift in shifts:
        row, curves[shift] = _one(float(shift), at, n, steps, generator)
        rows.append(row)
    return Discriminators(rows, at, curves)


def _one(shift: float, at: _F, n: int, steps: int, rng: np.random.Generator) -> tuple[dict[str, float], tuple[_F, _F]]:
    import torch
    from scipy.special import expit, log_expit

    gan = DIVERGENCES["gan"]
    assert isinstance(gan, FDivergence)
    p, q = normal_law(0.0, 1.0), normal_law(shift, 1.0)
    points, fresh, judges = (
        [rng.normal(mean, 1.0, (count, 1)) for mean in (0.0, shift)] for count in (n, n // 4, _JUDGES)
    )
    network = trained_critic(gan, points, fresh, steps=steps, rng=rng)

    def raw(x: _F) -> _F:
        with torch.no_grad():
            return np.asarray(network(torch.as_tensor(x)))

    of_p, of_q = log_expit(raw(judges[0])), log_expit(-raw(judges[1]))
    row = {
        "shift": shift,
        "value_at_best": _value_at_best(shift),
        "two_jsd_minus_two_log_2": 2 * float(estimate(p, q, "jsd")) - 2 * math.log(2),
        "learnt": float(of_p.mean() + of_q.mean()),
        "stderr": float(np.sqrt((of_p.var() + of_q.var()) / _JUDGES)),
    }
    return row, (expit(shift**2 / 2 - shift * at), expit(raw(at[:, None])))


def _value_at_best(shift: float) -> float:
    """E_P log D + E_Q log(1 - D) at D = p/(p + q), by an integral of its own."""
    from scipy.integrate import quad
    from scipy.special import log_expit

    def term(x: float) -> float:
        log_ratio = shift**2 / 2 - shift * x
        p, q = (math.exp(-((x - mean) ** 2) / 2) / math.sqrt(2 * math.pi) for mean in (0.0, shift))
        return float(p * log_expit(log_ratio) + q * log_expit(-log_ratio))

    ends = (min(0.0, shift) - 12.0, max(0.0, shift) + 12.0)
    return float(quad(term, *ends, points=[0.0, shift], epsabs=1e-12, epsrel=1e-10, limit=200)[0])


def figure(found: Discriminators) -> Figure:
    """Best and learnt discriminators, and their values.

    Raises
    ------
    MissingDependency
        Without matplotlib.
    """
    picture = canvas(10, 4.4)
    left, right = picture.subplots(1, 2)
    for (shift, (best, learnt)), color in zip(found.curves.items(), PALETTE * 4, strict=False):
        left.plot(found.at, best, color=color, linewidth=2, label=f"shift {shift:g}")
        left.plot(found.at, learnt, color=color, linewidth=2, linestyle=":")
    styled(left, "Best (line) and learnt (dots)", "$x$", "$D(x)$").legend(frameon=False, fontsize=11)
    shifts = [row["shift"] for row in found.rows]
    right.plot(shifts, [row["value_at_best"] for row in found.rows], color="black", label="$V$ at $p/(p + q)$")
    right.plot(
        shifts, [row["two_jsd_minus_two_log_2"] for row in found.rows], "x", color=PALETTE[0], label="2 JSD - 2 log 2"
    )
    errors = [2 * row["stderr"] for row in found.rows]
    right.errorbar(shifts, [row["learnt"] for row in found.rows], errors, fmt=".", color=PALETTE[1], label="learnt")
    right.axhline(0, color="0.8", linewidth=1)
    right.axhline(-2 * math.log(2), color="0.8", linewidth=1)
    styled(right, "Its value", "shift", "$V$ (nats)").legend(frameon=False, fontsize=11)
    return picture
