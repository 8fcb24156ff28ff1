"""Adaptive Gauss-Kronrod quadrature of several positive integrands at once, all panels in one call.

Integrands are given by their logarithms, so that neither a density of 1e300 nor a panel of width 1e-300 leaves
the range of floats; only their product has to fit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["NODES", "Integral", "Panels", "Rule", "integrate", "kronrod"]

_F = NDArray[np.float64]
_I = NDArray[np.intp]
_NEXT_TO_END: Final = 1 - 1e-6  # not the end itself, where a jump may lie
_TAIL_WEIGHT: Final = 0.1  # the coefficients decay more slowly than the difference of the rules
NODES: Final = 23  # of the rule: 21 of Kronrod's and two for the error estimate
_MAX_DEPTH: Final = 56  # halvings after which a panel is a few units in the last place wide

# Kronrod nodes and weights of (10, 21) on [0, 1], descending: Piessens et al., QUADPACK (1983), routine QK21.
_NODES_21 = (
    0.995657163025808080735527280689003,
    0.973906528517171720077964012084452,
    0.930157491355708226001207180059508,
    0.865063366688984510732096688423493,
    0.780817726586416897063717578345042,
    0.679409568299024406234327365114874,
    0.562757134668604683339000099272694,
    0.433395394129247190799265943165784,
    0.294392862701460198131126603103866,
    0.148874338981631210884826001129720,
    0.0,
)
_KRONROD_21 = (
    0.011694638867371874278064396062192,
    0.032558162307964727478818972459390,
    0.054755896574351996031381300244580,
    0.075039674810919952767043140916190,
    0.093125454583697605535065465083366,
    0.109387158802297641899210590325805,
    0.123491976262065851077958109585166,
    0.134709217311473325928054001771707,
    0.142775938577060080797094273138717,
    0.147739104901338491374841515972068,
    0.149445554002916905664936468389821,
)


@dataclass(frozen=True)
class Rule:
    """A Gauss-Kronrod rule on [-1, 1] with two nodes more, next to the ends, that only serve the error estimate.

    Parameters
    ----------
    nodes, weights : ndarray, shape (k,)
        Increasing nodes and the Kronrod weights, 0 at the two nodes next to the ends.
    difference : ndarray, shape (k,)
        Kronrod minus Gauss weights.
    tail : ndarray, shape (k, 4)
        Times an integrand: the last Legendre coefficients that the nodes determine well.
    ends : ndarray, shape (k, 2)
        Times an integrand: its values next to the ends minus what the other nodes extrapolate to.
    """

    nodes: _F
    weights: _F
    difference: _F
    tail: _F
    ends: _F

    def errors(self, f: _F) -> _F:
        """Error of the rule for values of an integrand at the nodes, (..., k) to (...).

        QUADPACK's heuristic with a factor 4 and two safeguards, because these errors are added up into a
        certificate: the difference of the two rules vanishes by accident for some positions of a kink, Legendre
        coefficients do not, all four; and no rule sees a kink between its outermost node and the end.
        """
        difference = np.maximum(np.abs(f @ self.difference), _TAIL_WEIGHT * np.abs(f @ self.tail).max(axis=-1))
        spread = np.abs(f - (f @ self.weights)[..., None] / 2) @ self.weights
        with np.errstate(all="ignore"):
            scaled = spread * np.minimum(1.0, 4 * (200 * difference / spread) ** 1.5)
        hidden = (1 + self.nodes[1]) * np.abs(f @ self.ends).sum(axis=-1)
        return np.asarray(np.where((spread > 0) & (difference > 0), scaled, difference) + hidden)


@cache
def kronrod() -> Rule:
    """The rule with 21 Kronrod nodes, the 10 Gauss nodes among them."""
    inner = np.array([-t for t in _NODES_21] + list(_NODES_21[-2::-1]))
    weights, gauss = np.zeros(23), np.zeros(23)
    weights[1:-1] = list(_KRONROD_21) + list(_KRONROD_21[-2::-1])
    gauss[2:-1:2] = np.polynomial.legendre.leggauss(10)[1]
    nodes = np.concatenate([[-_NEXT_TO_END], inner, [_NEXT_TO_END]])
    degrees = np.arange(12, 16)
    tail = np.polynomial.legendre.legvander(nodes, 15)[:, degrees] * (2 * degrees + 1) / 2 * weights[:, None]
    ends = np.zeros((23, 2))
    gaps = inner[:, None] - inner + np.eye(21)
    for column, end in enumerate((0, 22)):
        others = nodes[end] - inner + np.zeros((21, 21))
        np.fill_diagonal(others, 1.0)
        ends[1:-1, column] = -np.prod(others / gaps, axis=1)  # Lagrange polynomials at the end
        ends[end, column] = 1.0
    return Rule(nodes, weights, weights - gauss, tail, ends)


@dataclass(frozen=True)
class Panels:
    """Intervals [low, high] of the branches `which`; depth counts the halvings behind each."""

    which: _I
    low: _F
    high: _F
    depth: _I

    @classmethod
    def of(cls, which: _I, low: _F, high: _F) -> Panels:
        """Panels that nothing has halved yet."""
        return cls(which, low, high, np.zeros(len(low), dtype=np.intp))

    def __len__(self) -> int:
        return len(self.low)

    def take(self, index: NDArray[np.bool_] | _I) -> Panels:
        """The panels of an index or mask."""
        return Panels(self.which[index], self.low[index], self.high[index], self.depth[index])

    def joined(self, other: Panels) -> Panels:
        """These panels, then the other ones."""
        pairs = zip(self._parts(), other._parts(), strict=True)
        return Panels(*(np.concatenate(pair) for pair in pairs))

    def halves(self) -> Panels:
        """Both halves of every panel."""
        middle = self.low / 2 + self.high / 2
        which, depth = np.tile(self.which, 2), np.tile(self.depth + 1, 2)
        return Panels(which, np.concatenate([self.low, middle]), np.concatenate([middle, self.high]), depth)

    def _parts(self) -> tuple[_I, _F, _F, _I]:
        return self.which, self.low, self.high, self.depth


# Log integrands (m, n) at points s (n,) of the branches (n,), then the rounding of s (n,).
Integrands = Callable[[_I, _F], tuple[_F, _F]]


@dataclass(frozen=True)
class Integral:
    """What `integrate` found.

    Attributes
    ----------
    panels : Panels
    values, errors : ndarray, shape (m, n)
        Integral and error estimate of every integrand on every panel.
    noise : ndarray, shape (m, n)
        What rounding of the abscissae can contribute.
    stuck : ndarray of bool, shape (n,)
        Panels that were halved to nothing and still do not meet the tolerance.
    evaluations : int
    converged : bool
    """

    panels: Panels
    values: _F
    errors: _F
    noise: _F
    stuck: NDArray[np.bool_]
    evaluations: int
    converged: bool

    @property
    def totals(self) -> _F:
        """The integrals, shape (m,)."""
        return np.asarray(self.values.sum(axis=1))

    @property
    def total_errors(self) -> _F:
        """Sums of the error estimates and of the noise, shape (m,)."""
        return np.asarray(self.errors.sum(axis=1) + self.noise.sum(axis=1))


def integrate(
    integrands: Integrands,
    panels: Panels,
    allowed: Callable[[_F], _F],
    *,
    controlled: int,
    max_panels: int,
    max_depth: int = _MAX_DEPTH,
) -> Integral:
    """Integrals of the first `controlled` integrands to their allowed errors, and of the others along the way.

    Parameters
    ----------
    integrands : callable
        (branches (n,), s (n,)) to (log integrands (m, n), rounding of s (n,)); the controlled ones come first,
        then their rounding errors in the same order.
    panels : Panels
        Where to start.
    allowed : callable
        Totals (m,) to the absolute errors that are good enough, (m,).
    controlled : int
        How many of the integrands decide where to refine.
    max_panels, max_depth : int
        Where to give up.
    """
    values, errors, noise = _rule_sums(integrands, panels)
    evaluations = NODES * len(panels)
    while True:
        bound = np.maximum(allowed(values.sum(axis=1)), 1e-300)[:controlled, None]
        fair = errors[:controlled] / bound  # (c, n)
        # An error below the noise of abscissae and integrands, or the rounding of the sum, cannot be improved.
        floor = 3 * (noise[:controlled] + values[controlled : 2 * controlled]) + 4e-16 * values[:controlled]
        fair = np.where(errors[:controlled] <= floor, 0.0, fair)
        worst = np.max(fair, axis=0, initial=0.0)  # (n,)
        stuck = (panels.depth >= max_depth) & (worst * len(panels) > 1)
        if float(fair.sum(axis=1).max()) <= 1:
            return Integral(panels, values, errors, noise, np.zeros(len(panels), dtype=bool), evaluations, True)
        split = _to_split(np.where(panels.depth >= max_depth, 0.0, worst))
        if not split.any() or len(panels) + int(split.sum()) > max_panels:
            return Integral(panels, values, errors, noise, stuck, evaluations, False)
        new = panels.take(split).halves()
        more = _rule_sums(integrands, new)
        evaluations += NODES * len(new)
        panels = panels.take(~split).joined(new)
        values, errors, noise = (
            np.concatenate([old[:, ~split], add], axis=1)
            for old, add in zip((values, errors, noise), more, strict=True)
        )


def _to_split(worst: _F) -> NDArray[np.bool_]:
    """The fewest panels without which the sum of the remaining ratios is at most one half."""
    order = np.argsort(worst)
    kept = np.cumsum(worst[order]) <= 0.5
    split = np.ones(len(worst), dtype=bool)
    split[order[kept]] = False
    return split & (worst > 0)


def _rule_sums(integrands: Integrands, panels: Panels) -> tuple[_F, _F, _F]:
    """(values, errors, noise), each (m, n), of the 21-point rule on every panel."""
    rule = kronrod()
    half = panels.high / 2 - panels.low / 2  # (n,)
    s = (panels.low / 2 + panels.high / 2)[:, None] + half[:, None] * rule.nodes  # (n, k)
    logs, rounding = integrands(np.repeat(panels.which, NODES), s.ravel())
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        f = np.exp(logs.reshape(len(logs), *s.shape) + np.log(half)[:, None])  # (m, n, k)
        values, errors = f @ rule.weights, rule.errors(f)  # (m, n) each
        variation = np.abs(np.diff(f, axis=2)).sum(axis=2)  # (m, n)
        noise = variation * (rounding.reshape(s.shape).max(axis=1) / 2 / half)
    return values, errors, noise
