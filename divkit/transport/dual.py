"""Dual potentials of optimal transport: c-transforms, Lipschitz extensions, and the lower bounds that they prove.

For the cost c(x, y) = |x - y|_2^p the dual value of potentials u and v with u_i + v_j <= c(x_i, y_j) for every pair,
sum_i a_i u_i + sum_j b_j v_j, is at most W_p^p. For p = 1 one function f does for both, u = f(x) and v = -f(y): W_1 is
the largest E_P[f] - E_Q[f] over 1-Lipschitz f, with P the law of x and Q that of y.
"""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from divkit._array import as_float_array
from divkit._checks import check_finite, check_order, check_points, check_same_dimension
from divkit._errors import InvalidInput
from divkit.result import Estimate
from divkit.transport._dual_certificate import Critic, best_dual
from divkit.transport._pairs import envelope, extent, steepest, times_two_to

__all__ = ["LipschitzPotential", "c_transform", "certified_lower_bound", "lipschitz_constant", "mcshane_extension"]

_F = NDArray[np.float64]


def c_transform(potential: Any, x: Any, y: Any, p: float = 1.0) -> _F:
    """The largest v on y with potential_i + v_j <= |x_i - y_j|^p for every pair.

    v_j = min_i |x_i - y_j|^p - potential_i. The memory is that of the points: no n x m array is made.

    Parameters
    ----------
    potential : array_like, shape (n,)
        Finite values on x, in units of the cost.
    x, y : array_like, shape (n,) or (n, d), and (m,) or (m, d)
    p : float
        Finite, >= 1.

    Returns
    -------
    ndarray, shape (m,)

    Raises
    ------
    InvalidInput
        For arguments that do not meet these requirements, or results beyond the range of float64.

    Notes
    -----
    Distances come from differences of coordinates, at any scale and offset. With c the cost at the minimising point i
    and e = 2^-53, v_j is off by at most e [(p (d + 2)/2 + 10) c + |c - potential_i|], to first order in e, and by what
    the smallest float64 rounds: the constant is one rounding a difference, two a square and its sum, and those of the
    power and the scale.

    Examples
    --------
    >>> from divkit.transport.dual import c_transform
    >>> c_transform([0.0, 1.0], x=[0.0, 3.0], y=[1.0, 2.0])
    array([1., 0.])
    """
    x, y = _point_pair(x, y)
    values, p = _potential(potential, len(x)), _finite_order(p)
    frame = extent(x, y)
    lift = frame.lift() if p == 1.0 else 0
    factor = times_two_to(1.0, frame.exponent - lift, p)
    if factor == math.inf:
        raise InvalidInput(
            f"the costs |x - y| ** {p:g} leave the range of float64, as distances reach 2**{frame.exponent}; "
            f"divide x and y by 2.0**{frame.exponent} and the potential by its power"
        )
    return _in_range(envelope(frame.place(x, lift), values, frame.place(y, lift), p, factor), "the c-transform")


@dataclass(frozen=True, eq=False)
class LipschitzPotential:
    """The function f(y) = min_i values_i + lipschitz |points_i - y|_2, on all of space.

    It is Lipschitz with constant `lipschitz` whatever the values are, and a distance apart from its values only where
    these are steeper than that. `mcshane_extension` checks the arguments; this class takes them as they are.

    Parameters
    ----------
    points : ndarray, shape (n, d)
    values : ndarray, shape (n,)
    lipschitz : float

    Examples
    --------
    >>> from divkit.transport.dual import mcshane_extension
    >>> f = mcshane_extension([0.0, 1.0], x=[0.0, 3.0])
    >>> f([-1.0, 0.5, 3.0])
    array([1. , 0.5, 1. ])
    """

    points: _F
    values: _F
    lipschitz: float = 1.0

    def __post_init__(self) -> None:
        for name in ("points", "values"):
            view = getattr(self, name).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    def __repr__(self) -> str:
        n, d = self.points.shape
        return f"LipschitzPotential(n={n}, d={d}, lipschitz={self.lipschitz:g})"

    def __call__(self, y: Any) -> _F:
        """The values at y, (m,) or (m, d), as an array (m,).

        Raises
        ------
        InvalidInput
            For points of another dimension, or values beyond the range of float64.
        """
        y = check_points("y", y)
        check_same_dimension(self.points, y, "x", "y")
        frame = extent(self.points, y)
        fraction, exponent = math.frexp(self.lipschitz)
        lift = frame.lift(exponent)
        factor = times_two_to(fraction, exponent + frame.exponent - lift)
        if factor == math.inf:
            raise InvalidInput(
                f"lipschitz = {self.lipschitz:g} times distances up to 2**{frame.exponent} leaves the range of "
                f"float64; divide the points by a power of two"
            )
        placed, y = frame.place(self.points, lift), frame.place(y, lift)
        return _in_range(envelope(placed, -self.values, y, 1.0, factor), "the extension")


def mcshane_extension(potential: Any, x: Any, lipschitz: float = 1.0) -> LipschitzPotential:
    """The largest function with a given Lipschitz constant that does not exceed the potential on x.

    If the potential is L-Lipschitz on x, f agrees with it there, and no other L-Lipschitz function that does is larger
    anywhere (McShane 1934). If not, f is the largest L-Lipschitz function below it: the Pasch-Hausdorff envelope.

    Parameters
    ----------
    potential : array_like, shape (n,)
        Finite values on x.
    x : array_like, shape (n,) or (n, d)
    lipschitz : float
        The constant L, finite, >= 0, in units of the potential over those of x (Euclidean).

    Returns
    -------
    LipschitzPotential
        Callable on points anywhere; each value is the minimum over x, off by at most
        2^-53 [(d/2 + 8) L |x_i - y| + |f(y)|] with x_i the minimising point.

    Raises
    ------
    InvalidInput
        For arguments that do not meet these requirements.

    Examples
    --------
    >>> from divkit.transport.dual import mcshane_extension
    >>> f = mcshane_extension([0.0, 5.0], x=[[0.0, 0.0], [3.0, 4.0]])
    >>> f([[0.0, 1.0], [6.0, 8.0]])
    array([ 1., 10.])
    """
    x = check_points("x", x)
    values = _potential(potential, len(x))
    if not isinstance(lipschitz, numbers.Real) or isinstance(lipschitz, bool) or not 0 <= float(lipschitz) < math.inf:
        raise InvalidInput(f"lipschitz must be a finite number >= 0, got {lipschitz!r}")
    return LipschitzPotential(x.copy(), values.copy(), float(lipschitz))


def lipschitz_constant(potential: Any, x: Any) -> float:
    """The largest slope |potential_i - potential_j| / |x_i - x_j|_2 over all pairs: the least L that fits the values.

    Parameters
    ----------
    potential : array_like, shape (n,)
    x : array_like, shape (n,) or (n, d)

    Returns
    -------
    float
        0 for a constant potential; inf if two values differ at one point, or if the slope is beyond float64.
        The relative error is at most (d/2 + 4) 2^-53.

    Raises
    ------
    InvalidInput
        For arguments that are not finite or do not fit each other.

    Examples
    --------
    >>> from divkit.transport.dual import lipschitz_constant
    >>> lipschitz_constant([0.0, 1.0, 4.0], x=[0.0, 2.0, 3.0])
    3.0
    """
    x = check_points("x", x)
    values = _potential(potential, len(x))[:, None]  # (n, 1)
    frame, heights = extent(x), extent(values)
    if not heights.columns.any():
        return 0.0
    lift = frame.lift()
    slope = steepest(frame.place(x, lift), heights.place(values, 0)[:, 0])
    return times_two_to(slope, heights.exponent - frame.exponent + lift)


def certified_lower_bound(
    potential: Any | Critic, x: Any, y: Any, x_weights: Any = None, y_weights: Any = None, p: float = 1.0
) -> Estimate:
    """A lower bound of W_p between two weighted point sets from any potential whatever.

    The potential u on x is made feasible by c-transforms, v_j = min_i |x_i - y_j|^p - u_i and then
    u_i = min_j |x_i - y_j|^p - v_j, neither of which lowers the dual value sum a u + sum b v <= W_p^p. The better the
    potential, the closer the bound; an optimal one gives W_p itself, a constant one gives at least 0.

    Parameters
    ----------
    potential : array_like, shape (n,), or callable
        Values on x in units of the cost, or a function of points (k, d) with values (k,) such as a critic. The sign is
        that of ``sup E_P[f] - E_Q[f]`` over 1-Lipschitz f, with P the law of x and Q that of y: larger on x than on y.
        For p = 1 a function is used on both sides, f(x) completed to y and -f(y) completed to x, and the better
        bound counts; for other p it is the potential on x. A critic of Lipschitz constant K serves best as f / K.
    x, y : array_like, shape (n,) or (n, d), and (m,) or (m, d)
        A function is called with copies of the points of positive mass as (k, d).
    x_weights, y_weights : array_like, shape (n,) and (m,), optional
        Non-negative; only their ratios matter. Equal by default.
    p : float
        Finite, >= 1.

    Returns
    -------
    Estimate
        ``bound="lower"``: the root of the dual value, or 0. W_p is certainly in the `interval`, whose lower end takes
        off all rounding. `info` has the signed ``dual`` value in units of the cost, the sizes, the ``side`` the
        potential was taken from ("x" or "y"), and for a function and p = 1 its ``violation``: the largest
        f(x_i) - f(y_j) - |x_i - y_j|, 0 for one that is 1-Lipschitz between the two sets.

    Raises
    ------
    InvalidInput
        For arguments that do not meet these requirements, or a bound beyond the range of float64.

    Notes
    -----
    O(n m d) operations on all cores (DIVKIT_NUM_THREADS limits them), O((n + m) d) numbers of memory.

    Examples
    --------
    >>> from divkit.transport.dual import certified_lower_bound
    >>> bound = certified_lower_bound(lambda points: -points[:, 0], x=[0.0, 1.0], y=[3.0, 5.0])
    >>> bound
    Estimate(3.5, wasserstein1, method='c_transform', bound='lower', interval=(3.5, inf), level=1)
    >>> 3.5 - 1e-13 < bound.interval[0] < 3.5
    True
    """
    x, y = _point_pair(x, y)
    p = _finite_order(p)
    given: _F | Critic = potential if callable(potential) else _potential(potential, len(x))
    return best_dual(given, x, y, x_weights, y_weights, p)


def _point_pair(x: Any, y: Any) -> tuple[_F, _F]:
    """Two point sets (n, d) and (m, d)."""
    x, y = check_points("x", x), check_points("y", y)
    check_same_dimension(x, y)
    return x, y


def _potential(potential: Any, n: int) -> _F:
    """The values (n,) of a potential on x."""
    values = np.asarray(as_float_array("potential", potential), dtype=np.float64)
    if values.shape != (n,):
        raise InvalidInput(f"potential must have shape ({n},), one value a point of x, got {values.shape}")
    check_finite("potential", values)
    return values


def _finite_order(p: float) -> float:
    order = check_order(p)
    if math.isinf(order):
        raise InvalidInput("p must be finite: W_inf has no dual potentials; a large finite p bounds it from below")
    return order


def _in_range(values: _F, what: str) -> _F:
    if not np.isfinite(values).all():
        raise InvalidInput(
            f"{what} leaves the range of float64; divide the points by a power of two, and the potential by its power"
        )
    return values
