"""The steps and brackets of Sinkhorn's algorithm in torch, on any of its devices."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from divkit.transport._streamed import ENTRIES, TINY, Bracket, Streamed

__all__ = ["StreamedTorch"]

_F = NDArray[np.float64]
_T = torch.Tensor
_LAUNCHED: Final = 2**26  # pairs of a block off the processors: enough work for each launch, half a gigabyte in float64


class StreamedTorch(Streamed):
    """As `Streamed`, with tensors for the potentials; costs come from inner products, in float64 for brackets.

    Every pass of a bracket makes the same blocks in the same order, so that it sees the same costs in each. Mass that
    the last pass sends to other columns than the one before, should a device not repeat itself, counts as repaired.

    Parameters
    ----------
    x, y : ndarray, shape (n, d) and (m, d)
        Around 0, in a unit in which no distance is above 1 and no norm above 1/2.
    a, b : ndarray, shape (n,) and (m,)
        Positive masses of sum 1.
    p : float
    device : torch.device
        One that has float64.
    """

    def __init__(self, x: _F, y: _F, a: _F, b: _F, p: float, device: torch.device) -> None:
        super().__init__(x, y, a, b, p)
        self._x, self._y, self._a, self._b = (
            torch.as_tensor(own, dtype=torch.float64).to(device) for own in (x, y, a, b)
        )
        self._steps = [(own.float(), masses.log().float()) for own, masses in ((self._x, self._a), (self._y, self._b))]
        self._block = ENTRIES if device.type == "cpu" else _LAUNCHED

    def start(self) -> tuple[_T, _T]:
        """Potentials of 0."""
        return torch.zeros_like(self._steps[0][1]), torch.zeros_like(self._steps[1][1])

    def half_steps(self, f: _T, g: _T, epsilon: float, relaxation: float) -> tuple[_T, _T]:
        """One step of Sinkhorn: f from g, then g from f, each moved by `relaxation` of the way."""
        (x, log_a), (y, log_b) = self._steps
        f = torch.lerp(f, self._soft_minimum(x, y, g / epsilon + log_b, epsilon), relaxation)
        g = torch.lerp(g, self._soft_minimum(y, x, f / epsilon + log_a, epsilon), relaxation)
        return f, g

    def _soft_minimum(self, own: _T, other: _T, shifted: _T, epsilon: float) -> _T:
        """-epsilon log sum_j exp(shifted_j - c_ij/epsilon), one for each point of `own`."""
        out = torch.empty_like(own[:, 0])
        for rows, costs in self._costs(own, other):
            out[rows] = torch.logsumexp(costs.mul_(-1 / epsilon).add_(shifted), dim=1)
        return out.mul_(-epsilon)

    def bracket(self, f: _T, g: _T, epsilon: float) -> Bracket:
        """What the potentials prove: by c-transforms from below, by rounding their plan from above."""
        u, v = f.double(), g.double()
        kept, repaired = self._from_above(u, v, epsilon)
        return Bracket(self._from_below(u), kept + repaired, repaired)

    def rounding(self) -> float:
        """That of `Streamed`, and what inner products may take from the square of a distance, hence from a cost.

        Squares |x|^2 + |y|^2 - 2 x.y are off by at most (d + 4) roundings of (|x| + |y|)^2 <= 1; their roots by the
        root of that, where points nearly meet.
        """
        if self.all_meet:
            return 0.0
        square = 2.0**-52 * (self.x.shape[1] + 4)
        cost: float = max(1.0, self.p / 2) * square ** (min(self.p, 2.0) / 2)
        return super().rounding() + 2 * cost

    def _from_below(self, f: _T) -> float:
        g = torch.full_like(self._b, math.inf)
        for rows, costs in self._costs(self._x, self._y):
            g = torch.minimum(g, costs.sub_(f[rows, None]).amin(dim=0))
        best = torch.empty_like(f)
        for rows, costs in self._costs(self._x, self._y):
            best[rows] = costs.sub_(g).amin(dim=1)
        return float(self._a @ best + self._b @ g)

    def _from_above(self, f: _T, g: _T, epsilon: float) -> tuple[float, float]:
        """The cost of the plan a_i b_j exp((f_i + g_j - c_ij)/epsilon), made feasible: what is kept, what is added."""
        log_x, log_y = f / epsilon + self._a.log(), g / epsilon + self._b.log()
        sums = torch.empty_like(self._a)
        for rows, costs in self._costs(self._x, self._y):
            sums[rows] = _plan(costs, log_x[rows], log_y, epsilon).sum(dim=1)
        log_x += (self._a / sums.clamp_min(TINY)).clamp_max(1.0).log()
        sums = torch.zeros_like(self._b)
        for rows, costs in self._costs(self._x, self._y):
            sums += _plan(costs, log_x[rows], log_y, epsilon).sum(dim=0)
        kept = (self._b / sums.clamp_min(TINY)).clamp_max(1.0)
        log_y += kept.log()
        columns, found = sums * kept, torch.zeros_like(sums)
        missing_y = (self._b - columns).clamp_min(0.0)
        missing_x, sent, spread = (torch.empty_like(self._a) for _ in range(3))
        for rows, costs in self._costs(self._x, self._y):
            spread[rows] = costs @ missing_y
            plan = _plan(costs, log_x[rows], log_y, epsilon)
            missing_x[rows] = (self._a[rows] - plan.sum(dim=1)).clamp_min(0.0)
            found += plan.sum(dim=0)
            sent[rows] = plan.mul_(costs).sum(dim=1)
        repaired = float(missing_x @ spread / missing_y.sum().clamp_min(TINY))
        strayed = 0.0 if self.all_meet else float((found - columns).abs().sum())  # no cost is above 1
        return float(sent.sum()), repaired + strayed

    def _costs(self, own: _T, other: _T) -> Iterator[tuple[slice, _T]]:
        """|x - y|^p of a block of rows with all of `other`, block after block."""
        squares = other.square().sum(dim=1)
        step = max(1, self._block // len(other))
        for start in range(0, len(own), step):
            rows = slice(start, start + step)
            block = torch.addmm(squares, own[rows], other.T, alpha=-2)
            block.add_(own[rows].square().sum(dim=1, keepdim=True)).clamp_min_(0.0)
            if self.p != 2:
                block.sqrt_() if self.p == 1 else block.pow_(self.p / 2)
            yield rows, block


def _plan(costs: _T, log_own: _T, log_other: _T, epsilon: float) -> _T:
    """exp(log_own_i + log_other_j - c_ij/epsilon)."""
    return torch.add(log_other, costs, alpha=-1 / epsilon).add_(log_own[:, None]).exp_()
