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

__all__ = ["Integral", "Panels", "Rule", "integrate", "kronrod"]

_F = NDArray[np.float64]
_I = NDArray[np.intp]
_TAIL_WEIGHT: Final = 0.1  # the coefficients decay more slowly than the difference of the rules
_MAX_DEPTH: Final = 56  # halvings after which a panel is a few units in the last place wide

# Kronrod nodes and weights of (7, 15) and (10, 21) on [0, 1], descending, and the embedded Gauss weights:
# Piessens et al., QUADPACK (1983), routines QK15 and QK21.
_NODES_15 = (
    0.991455371120812639206854697526329,
    0.949107912342758524526189684047851,
    0.864864423359769072789712788640926,
    0.741531185599394439863864773280788,
    0.586087235467691130294144691693013,
    0.405845151377397166906606412076961,
    0.207784955007898467600689403773245,
    0.0,
)
_KRONROD_15 = (
    0.022935322010529224963732008058970,
    0.063092092629978553290700663189204,
    0.104790010322250183839876322541518,
    0.140653259715525918745189590510238,
    0.169004726639267902826583426598550,
    0.190350578064785409913256402421014,
    0.204432940075298892414161999234649,
    0.209482141084727828012999174891714,
)
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
    """Nodes on [-1, 1], Kronrod weights and embedded Gauss weights (0 at the added nodes), each (k,).

    Integrals of an integrand times a column of tail (k, 4) are the last Legendre coefficients that the nodes
    determine well.
    """

    nodes: _F
    weights: _F
    gauss: _F
    tail: _F

    def errors(self, weighted: _F) -> _F:
        """Error of the rule from the integrand times the weights, (..., k) to (...).

        QUADPACK's heuristic of the difference between the Kronrod and the Gauss rule, with two safeguards because
        these errors are added up into a certificate: a factor 4, and the Legendre coefficients. The difference
        vanishes by accident for some positions of a kink inside the panel; the coefficients do not, all four.
        """
        difference = np.abs(weighted @ (1 - self.gauss / self.weights))
        difference = np.maximum(difference, _TAIL_WEIGHT * np.abs(weighted @ self.tail).max(axis=-1))
        spread = np.abs(weighted - weighted.sum(axis=-1)[..., None] * self.weights / 2).sum(axis=-1)
        with np.errstate(all="ignore"):
            scaled = spread * np.minimum(1.0, 4 * (200 * difference / spread) ** 1.5)
        return np.where((spread > 0) & (difference > 0), scaled, difference)


@cache
def kronrod(order: int) -> Rule:
    """The Gauss-Kronrod rule with 15 or 21 nodes."""
    half, half_weights = (_NODES_15, _KRONROD_15) if order == 15 else (_NODES_21, _KRONROD_21)
    nodes = np.array([-t for t in half] + list(half[-2::-1]))
    weights = np.array(list(half_weights) + list(half_weights[-2::-1]))
    gauss = np.zeros(order)
    gauss[1::2] = np.polynomial.legendre.leggauss(order // 2)[1]
    degrees = np.arange(order - 9, order - 5)
    legendre = np.polynomial.legendre.legvander(nodes, int(degrees[-1]))[:, degrees]  # (k, 4)
    return Rule(nodes, weights, gauss, legendre * (2 * degrees + 1) / 2)


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
    evaluations = 21 * len(panels)
    while True:
        bound = np.maximum(allowed(values.sum(axis=1)), 1e-300)[:controlled, None]
        fair = errors[:controlled] / bound  # (c, n)
        # An error below the noise of abscissae and integrands, or the rounding of the sum, cannot be improved.
        floor = noise[:controlled] + 4e-16 * values[:controlled] + values[controlled : 2 * controlled]
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
        evaluations += 21 * len(new)
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
    rule = kronrod(21)
    half = panels.high / 2 - panels.low / 2  # (n,)
    s = (panels.low / 2 + panels.high / 2)[:, None] + half[:, None] * rule.nodes  # (n, 21)
    logs, rounding = integrands(np.repeat(panels.which, 21), s.ravel())
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        f = np.exp(logs.reshape(len(logs), *s.shape) + np.log(half)[:, None])  # (m, n, 21)
        weighted = f * rule.weights
        values = weighted.sum(axis=2)  # (m, n)
        errors = rule.errors(weighted)
        variation = np.abs(np.diff(f, axis=2)).sum(axis=2)  # (m, n)
        noise = variation * (rounding.reshape(s.shape).max(axis=1) / 2 / half)
    return values, errors, noise
