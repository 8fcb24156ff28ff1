"""The transport loss in torch: the plan as a constant, the distances as a differentiable function of the points."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from divkit._checks import check_points, check_same_dimension, check_weights
from divkit._errors import InvalidInput, Unsupported
from divkit.transport import Coupling
from divkit.transport.dual import c_transform

__all__ = ["transport_loss"]

_F = NDArray[np.float64]
_B = NDArray[np.bool_]
Couple = Callable[[_F, _F, _F | None, _F | None], Coupling]

_FAR: Final = 900.0  # log2 of the largest cost, in units of the largest between points with mass
_STEEPEST: Final = 1e300  # potentials are cut here: an infinite one would turn 0 * slope into NaN
_NO_FORWARD_MODE: Final = (
    "forward-mode derivatives (jvp, jacfwd, hessian of torch.func) are not supported for a loss with weights; "
    "use reverse mode: backward, torch.func.grad, torch.func.jacrev"
)


def transport_loss(
    x: torch.Tensor,
    y: torch.Tensor,
    x_weights: torch.Tensor | None,
    y_weights: torch.Tensor | None,
    p: float,
    dtype: torch.dtype,
    couple: Couple,
) -> torch.Tensor:
    """W_p of points (n, d) and (m, d) as a scalar of `dtype` on the device of x; see `divkit.losses.wasserstein`.

    `couple` gets float64 arrays (x, y, x_weights, y_weights) and returns the optimal plan for the cost |x - y|^p.
    """
    device = x.device
    x, y = x.to("cpu", torch.float64), y.to("cpu", torch.float64)
    a, b = (None if weights is None else weights.to("cpu", torch.float64) for weights in (x_weights, y_weights))
    fixed = (None if tensor is None else tensor.detach() for tensor in (x, y, a, b))
    plan = _Pairs(*_apply(_OptimalPlan, couple, p, torch.finfo(dtype).max, *fixed))
    x, y = (points[:, None] if points.ndim == 1 else points for points in (x, y))  # (n, d), (m, d)
    steps = (x[plan.rows] - y[plan.columns]) / plan.reach[:, None]  # (k, d)
    # In units of the longest move; no row is 0, so that the root has a derivative.
    lengths = steps.square().sum(1).sqrt() * (plan.reach / plan.longest)  # (k,)
    costs = lengths if p == 1 else lengths**p  # (k,)
    total = (plan.masses * costs).sum() if a is None and b is None else _weighted_total(plan, costs, x, y, a, b)
    if p != 1 and len(plan.rows):
        total = total ** (1 / p)
    return (total * plan.longest).to(device, dtype)


class _Pairs(NamedTuple):
    """The k pairs of an optimal plan whose points differ, and the scales that keep their distances in range.

    Pair t moves `masses[t]` from x[rows[t]] to y[columns[t]], at most `reach[t]` > 0 along each axis; `longest` is the
    largest of the distances. The potentials are in units of longest^p.
    """

    rows: torch.Tensor
    columns: torch.Tensor
    masses: torch.Tensor
    reach: torch.Tensor
    longest: torch.Tensor
    u: torch.Tensor
    v: torch.Tensor


def _weighted_total(
    plan: _Pairs, costs: Any, x: torch.Tensor, y: torch.Tensor, a: torch.Tensor | None, b: torch.Tensor | None
) -> Any:
    """sum masses * costs, with the derivative `masses` in the costs (k,) and the potentials in the weights.

    Each of the two is added as a product with a difference that is exactly 0, so that the value stays as it is.
    """
    constant = costs.detach()
    masses = _apply(_Constant, plan.masses, *(weights for weights in (a, b) if weights is not None))
    total = (plan.masses * constant).sum() + (masses * (costs - constant)).sum()
    for weights, potentials in ((a, plan.u), (b, plan.v)):
        if weights is not None:
            share = weights / weights.detach().max()
            share = share / share.sum()  # (n,), or (m,)
            total = total + (share - share.detach()) @ _apply(_Constant, potentials, x, y)
    return total


def _apply(function: type[torch.autograd.Function], *inputs: Any) -> Any:
    """`function.apply`, which torch leaves without types."""
    apply: Any = function.apply
    return apply(*inputs)


class _OptimalPlan(torch.autograd.Function):
    """The plan for the values of the tensors, without derivative; a Function because torch.func unwraps those."""

    @staticmethod
    def forward(couple: Couple, p: float, largest: float, *tensors: torch.Tensor | None) -> tuple[torch.Tensor, ...]:
        """`_Pairs` of x, y, x_weights, y_weights."""
        given: list[Any] = [None if tensor is None else tensor.numpy() for tensor in tensors]
        x, y, a, b = given
        x, y = check_points("x", x), check_points("y", y)
        check_same_dimension(x, y)
        for name, weights, n in (("x_weights", a, len(x)), ("y_weights", b, len(y))):
            check_weights(name, weights, n)
        x_heavy, y_heavy = (np.ones(n, bool) if w is None else w > 0 for w, n in ((a, len(x)), (b, len(y))))
        x_unit, y_unit, unit = _in_units(x, y, x_heavy, y_heavy, p)
        coupling = couple(x_unit, y_unit, a, b)
        potentials = _tight_potentials(coupling, x_unit, y_unit, x_heavy, y_heavy, p)
        return tuple(torch.from_numpy(np.array(part)) for part in _pairs(x, y, p, coupling, potentials, unit, largest))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Nothing of the plan has a derivative."""
        ctx.mark_non_differentiable(*output)

    @staticmethod
    def vmap(info: Any, in_dims: Any, *inputs: Any) -> Any:
        """Refuse: plans of a batch differ in size."""
        raise Unsupported(
            "torch.vmap over this loss is not supported: each problem has a plan of its own; "
            "write torch.stack([losses.wasserstein(a, b) for a, b in zip(xs, ys)])"
        )


class _Constant(torch.autograd.Function):
    """Values that depend on tensors by a derivative that is not known: it is refused rather than taken to be 0."""

    @staticmethod
    def forward(values: torch.Tensor, *sources: torch.Tensor) -> torch.Tensor:
        """The values as they are."""
        return values.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep the number of inputs."""
        ctx.count = len(inputs)

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> Any:
        """First derivatives of the loss send exact zeros here; anything else asks for the unknown derivative."""
        _apply(_Vanishing, slope)
        return (None,) * ctx.count

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        """Refuse: forward mode cannot tell a first derivative from a mixed one."""
        raise Unsupported(_NO_FORWARD_MODE)

    @staticmethod
    def vmap(info: Any, in_dims: Any, *inputs: Any) -> Any:
        """Refuse: only a batch of tangents leads here."""
        raise Unsupported(_NO_FORWARD_MODE)


class _Vanishing(torch.autograd.Function):
    """Raises for a tensor that is not 0; a Function because it has to look at values under torch.vmap too."""

    @staticmethod
    def forward(slope: torch.Tensor) -> torch.Tensor:
        """Check the values; NaN passes, as it would anywhere in torch."""
        if bool((slope.abs() > 0).any()):
            raise Unsupported(
                "second derivatives that mix points with weights are not supported: plan and potentials are constants; "
                "take them in the points or in the weights alone, with the others detached"
            )
        return slope.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        """The result is not used."""
        ctx.mark_non_differentiable(output)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None], slope: torch.Tensor) -> tuple[torch.Tensor, int | None]:
        """Check the whole batch at once."""
        return _apply(_Vanishing, slope), in_dims[0]


def _in_units(x: _F, y: _F, x_heavy: _B, y_heavy: _B, p: float) -> tuple[_F, _F, int]:
    """The points divided by a power of two, so that their costs neither over- nor underflow, and its exponent.

    The largest distance between points with mass becomes at most 1 and, but for the dimension, at least 1/4. Points
    without mass that lie far outside are moved to the boundary of a box: no cost overflows, and their potentials are
    cut.
    """
    heavy = np.concatenate([x[x_heavy], y[y_heavy]])
    size = math.frexp(float(np.abs(heavy).max()))[1]
    heavy = np.ldexp(heavy, -size)  # so that the extent of subnormal or enormous coordinates is right
    low, high = heavy.min(axis=0), heavy.max(axis=0)  # (d,)
    diagonal = math.sqrt(x.shape[1])
    extra = math.frexp(float((high - low).max()))[1] + math.ceil(math.log2(diagonal))
    far = (2.0 ** min(_FAR / p, 400.0) - 1) / diagonal
    with np.errstate(over="ignore"):
        low, high = np.ldexp(low, -extra) - far, np.ldexp(high, -extra) + far
        x_unit, y_unit = (np.clip(np.ldexp(points, -size - extra), low, high) for points in (x, y))
    return x_unit, y_unit, size + extra


def _tight_potentials(coupling: Coupling, x: _F, y: _F, x_heavy: _B, y_heavy: _B, p: float) -> tuple[_F, _F]:
    """The coupling's potentials (n,) and (m,), for points without mass the largest feasible ones, x before y.

    Where mass is 0 that is the slope of the first mass; smaller values would be generalised gradients too.
    """
    u, v = coupling.x_potential.copy(), coupling.y_potential.copy()
    if not x_heavy.all():
        u[~x_heavy] = c_transform(v[y_heavy], y[y_heavy], x[~x_heavy], p)
    if not y_heavy.all():
        v[~y_heavy] = c_transform(u, x, y[~y_heavy], p)
    return u, v


def _pairs(
    x: _F, y: _F, p: float, coupling: Coupling, potentials: tuple[_F, _F], unit: int, largest: float
) -> tuple[Any, ...]:
    """The fields of `_Pairs` as arrays."""
    with np.errstate(over="ignore"):
        steps = x[coupling.indices_x] - y[coupling.indices_y]  # (k, d)
    reach = np.abs(steps).max(axis=1)  # (k,)
    moved = reach > 0
    rows, columns, masses = (part[moved] for part in (coupling.indices_x, coupling.indices_y, coupling.masses))
    if not moved.any():
        return rows, columns, masses, reach[moved], 1.0, np.zeros(len(x)), np.zeros(len(y))
    steps, reach = steps[moved], reach[moved]
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = reach * np.linalg.norm(steps / reach[:, None], axis=1)  # (k,)
    longest = float(lengths.max())
    value = longest * float(np.sum(masses * (lengths / longest) ** p)) ** (1 / p) if longest < math.inf else math.inf
    if not value <= largest:
        raise InvalidInput(f"distances between x and y exceed {largest:.3g}, the range of their dtype; scale both down")
    with np.errstate(over="ignore", invalid="ignore"):
        factor = np.exp2(p * (unit - math.log2(longest)))
        u, v = (np.clip(np.where(part == 0, 0.0, part * factor), -_STEEPEST, _STEEPEST) for part in potentials)
    return rows, columns, masses, reach, longest, u, v
