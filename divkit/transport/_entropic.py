"""Transport with an entropy of fixed weight, between a dual and a primal value, block by block."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from divkit.transport._streamed import TINY, Streamed, in_parallel

__all__ = ["Entropic"]

_F = NDArray[np.float64]
_FALL: Final = 0.5  # epsilon from one step to the next, until it is the one that is wanted
_RELAXATION: Final = 1.7
_LOOK: Final = 10  # steps between looks


class Entropic:
    """min over plans of <P, C> + epsilon KL(P || a x b), from both sides, to ends that can be narrowed further.

    Parameters
    ----------
    problem : Streamed
    epsilon : float
        In the unit of the costs.
    same : bool
        Whether both sets are the same one: both potentials then are, and the mean of old and new converges fast
        (Feydy et al. 2019).
    """

    def __init__(self, problem: Streamed, epsilon: float, *, same: bool) -> None:
        self._problem, self._epsilon, self._same = problem, epsilon, same
        self._f, self._g = np.zeros(len(problem.a)), np.zeros(len(problem.b))
        self._log_a, self._log_b = np.log(problem.a), np.log(problem.b)
        self._size = max(problem.mean_cost(), epsilon)
        self.lower, self.upper, self.steps = -np.inf, np.inf, 0

    @property
    def width(self) -> float:
        """How far apart the ends are."""
        return self.upper - self.lower

    def narrow(self, width: float, most: int) -> None:
        """Steps until the ends are so close, or there have been so many."""
        while self.steps < most and self.width > width:
            there = self._size <= self._epsilon
            for _ in range(min(_LOOK if there else 1, most - self.steps)):
                self._step(_RELAXATION if there else 1.0)
                self.steps += 1
            if there:
                problem, epsilon = self._problem, self._epsilon
                last = _soft(problem, problem.y, problem.x, self._f + epsilon * self._log_a, epsilon)
                lower, upper = _ends(problem, self._f, last, epsilon)
                self.lower, self.upper = max(self.lower, lower), min(self.upper, upper)
            self._size = max(_FALL * self._size, self._epsilon)

    def _step(self, relaxation: float) -> None:
        problem, size = self._problem, self._size
        new = _soft(problem, problem.x, problem.y, self._g + size * self._log_b, size)
        if self._same:
            self._f = self._g = (self._f + new) / 2
            return
        self._f = self._f + relaxation * (new - self._f)
        new = _soft(problem, problem.y, problem.x, self._f + size * self._log_a, size)
        self._g = self._g + relaxation * (new - self._g)


def _soft(problem: Streamed, own: _F, other: _F, shifted: _F, epsilon: float) -> _F:
    """-epsilon log sum_j exp((shifted_j - c_ij)/epsilon), one for each point of `own`."""
    out = np.empty(len(own))

    def part(rows: slice) -> None:
        block = shifted - problem.costs(own[rows], other)
        block *= 1 / epsilon
        top = block.max(axis=1)
        block -= top[:, None]
        np.exp(block, out=block)
        out[rows] = -epsilon * (top + np.log(block.sum(axis=1)))

    in_parallel(part, len(own), len(other))
    return out


def _ends(problem: Streamed, f: _F, g: _F, epsilon: float) -> tuple[float, float]:
    """The value of the potentials, and that of their plan with marginals made right.

    Rows and columns are scaled down to their masses, and what is missing is sent in proportion, as for `Sinkhorn`.
    """
    a, b = problem.a, problem.b
    rows, log_x, log_y, missing_y = problem.scaled_down(f, g, epsilon)
    lower = float(a @ f + b @ g - epsilon * (rows.sum() - 1))
    lost = max(float(missing_y.sum()), TINY)
    values = np.empty(len(a))

    def part(own: slice) -> None:
        from scipy.special import xlogy

        plan, costs = problem.plan(problem.x[own], problem.y, log_x[own], log_y, epsilon)
        missing_x = np.maximum(a[own] - plan.sum(axis=1), 0.0)
        plan += missing_x[:, None] * (missing_y / lost)
        entropy = xlogy(plan, plan / (a[own, None] * b))
        values[own] = (plan * costs).sum(axis=1) + epsilon * entropy.sum(axis=1)

    in_parallel(part, len(a), len(b))
    return lower, float(values.sum())
