"""Differentiable losses for torch: tensors in, a scalar tensor with its gradient out."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from divkit._array import FloatArray
from divkit._checks import check_integer
from divkit._errors import InvalidInput, Unsupported, require
from divkit._loss_checks import check_one_device, check_points, check_tensor, finite_order
from divkit.catalog import resolve_divergence
from divkit.divergences import IPM, Divergence, FDivergence, Wasserstein
from divkit.methods import Method
from divkit.transport import Coupling

if TYPE_CHECKING:
    import torch

__all__ = ["gradient_penalty", "sliced_wasserstein", "variational_terms", "wasserstein", "wasserstein_1d"]


def wasserstein(
    x: torch.Tensor,
    y: torch.Tensor,
    p: float = 1.0,
    *,
    x_weights: torch.Tensor | None = None,
    y_weights: torch.Tensor | None = None,
    method: str | Method = "auto",
) -> torch.Tensor:
    """Exact W_p between two point sets, differentiable in the points and in the weights.

    Parameters
    ----------
    x, y : torch.Tensor, shape (n,) or (n, d) and (m,) or (m, d)
        Points, float32 or float64, on one device.
    p : float
        Order in [1, inf).
    x_weights, y_weights : torch.Tensor, shape (n,) and (m,), optional
        Non-negative masses, float32 or float64; only their ratios matter. Equal by default.
    method : str or Method
        As in `divkit.optimal_transport`; a method object must have the Euclidean metric.

    Returns
    -------
    torch.Tensor
        Scalar, (inf over couplings of E |x - y|^p)^(1/p), in the units of x, on the device of x and y and in the
        wider of their dtypes. Plan and value are computed in float64 on the CPU.

    Raises
    ------
    MissingDependency
        If torch is not installed.
    InvalidInput
        For arguments that are no such tensors, empty or non-finite points, weights that do not fit, different
        dimensions, and values beyond the range of the dtype.
    Unsupported
        For a method without a plan, under `torch.vmap`, and for derivatives that mix weights with points.
    NotConverged
        If the optimality of the plan cannot be proved.

    Notes
    -----
    By the envelope theorem the optimal plan and the optimal potentials are held fixed. In the points, W_p is
    (sum of plan * |x_i - y_j|^p)^(1/p); in the weights, the derivative of W_p^p is the pair of potentials, chained
    with the normalisation. Where several plans or potentials are optimal the gradient is one of the generalised
    gradients (Clarke's). That is common in the weights: equal masses leave the potentials free. Pairs at distance 0
    contribute the subgradient 0, and so does everything where W_p = 0, although for p > 1 the slope in the
    weights is infinite there.

    Second derivatives in the points are those of the fixed plan, which is right wherever the plan is unique.

    Examples
    --------
    >>> import torch
    >>> from divkit import losses
    >>> x = torch.tensor([[0.0, 0.0], [0.0, 1.0]], requires_grad=True)
    >>> loss = losses.wasserstein(x, torch.tensor([[3.0, 0.0], [3.0, 1.0]]), p=2)
    >>> loss.backward()
    >>> loss.item(), x.grad.tolist()
    (3.0, [[-0.5, 0.0], [-0.5, 0.0]])
    """
    torch = require("torch", "neural")
    order = finite_order(p)
    tensors = {"x": x, "y": y}
    tensors |= {
        name: weights for name, weights in (("x_weights", x_weights), ("y_weights", y_weights)) if weights is not None
    }
    for name, value in tensors.items():
        check_tensor(name, value)
    check_one_device(tensors)
    dtype = torch.promote_types(x.dtype, y.dtype)

    def couple(points: FloatArray, others: FloatArray, a: FloatArray | None, b: FloatArray | None) -> Coupling:
        return _coupling(points, others, a, b, order, method)

    from divkit._transport_torch import transport_loss

    compute = transport_loss
    if torch.compiler.is_compiling():  # torch.compile would translate NumPy code too, and fail at it
        compute = torch.compiler.disable(transport_loss)
    return compute(x, y, x_weights, y_weights, order, dtype, couple)


def wasserstein_1d(x: torch.Tensor, y: torch.Tensor, p: float = 1.0) -> torch.Tensor:
    """W_p between point sets on the line, batched over leading axes, differentiable in the points.

    Parameters
    ----------
    x, y : torch.Tensor, shape (..., n) and (..., m)
        Points of equal weight along the last axis, float32 or float64, on one device; leading axes broadcast.
    p : float
        Order in [1, inf).

    Returns
    -------
    torch.Tensor, shape (...)
        (integral of |F^-1 - G^-1|^p)^(1/p), by two sorts, in the units of x.

    Raises
    ------
    MissingDependency
        If torch is not installed.
    InvalidInput
        For arguments that are no such tensors, and for empty ones.

    Notes
    -----
    The gradient moves each point towards the quantile of the other sample that it is matched to. It is 0 where the
    distance is.

    Examples
    --------
    >>> import torch
    >>> from divkit import losses
    >>> x = torch.tensor([0.0, 1.0, 3.0], requires_grad=True)
    >>> loss = losses.wasserstein_1d(x, torch.tensor([5.0, 6.0, 8.0]))
    >>> loss.backward()
    >>> loss.item(), [round(g, 4) for g in x.grad.tolist()]
    (5.0, [-0.3333, -0.3333, -0.3333])
    """
    require("torch", "neural")
    order = finite_order(p)
    check_points(x, y, 1)
    from divkit._line_torch import line_distance

    return line_distance(x, y, order)


def sliced_wasserstein(
    x: torch.Tensor,
    y: torch.Tensor,
    p: float = 1.0,
    *,
    projections: int = 100,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """The sliced W_p between point sets: the mean over random directions u of W_p(u . x, u . y)^p, to the power 1/p.

    Parameters
    ----------
    x, y : torch.Tensor, shape (n, d) and (m, d)
        Points of equal weight, float32 or float64, on one device.
    p : float
        Order in [1, inf).
    projections : int
        Number of directions, uniform on the sphere.
    generator : torch.Generator, optional
        For the directions, on the device of the points.

    Returns
    -------
    torch.Tensor
        Scalar. At most W_p, for each set of directions.

    Raises
    ------
    MissingDependency
        If torch is not installed.
    InvalidInput
        For arguments that do not meet these requirements.

    Notes
    -----
    Rabin, Peyre, Delon and Bernot (2011), "Wasserstein barycenter and its application to texture mixing".

    Examples
    --------
    >>> import torch
    >>> from divkit import losses
    >>> x = torch.zeros(3, 2, requires_grad=True)
    >>> loss = losses.sliced_wasserstein(x, torch.ones(4, 2), generator=torch.Generator().manual_seed(0))
    >>> 0.8 < loss.item() < 1.0  # 2/pi of the distance, sqrt 2, in the mean
    True
    """
    torch = require("torch", "neural")
    order = finite_order(p)
    check_points(x, y, 2)
    if x.shape[1] != y.shape[1]:
        raise InvalidInput(f"x and y must have the same number of columns, got {x.shape[1]} and {y.shape[1]}")
    count = check_integer("projections", projections, 1)
    from divkit._line_torch import line_distance

    dtype = torch.promote_types(x.dtype, y.dtype)
    directions = torch.randn((count, x.shape[1]), generator=generator, device=x.device, dtype=dtype)
    directions = directions / torch.linalg.vector_norm(directions, dim=1, keepdim=True)
    each = line_distance(directions @ x.to(dtype).mT, directions @ y.to(dtype).mT, order)  # (projections,)
    if order == 1:
        return each.mean()
    size = each.detach().amax()
    if not size > 0:
        return each.sum()
    return size * ((each / size) ** order).mean() ** (1 / order)


def variational_terms(
    divergence: str | Divergence | IPM, v_p: torch.Tensor, v_q: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The two terms of a variational bound, D >= first - second, from the raw outputs of a critic.

    A critic is trained to make the difference large; a generator that makes v_q, to make it small.

    Parameters
    ----------
    divergence : str or divergence
        An f-divergence, or "wasserstein1", whose critic has to be 1-Lipschitz for the bound to hold.
    v_p, v_q : torch.Tensor, shape (n,) or (n, 1), and (m,) or (m, 1)
        What the critic says at points of P, the data, and of Q, the model.

    Returns
    -------
    tuple of torch.Tensor
        Scalars: the mean of activation(v) over v_p and of f*(activation(v)) over v_q, as in
        `divkit.FDivergence.variational`.

    Raises
    ------
    InvalidInput
        For an unknown name, tensors of another shape, and empty ones.
    Unsupported
        For a divergence without a variational form, such as the Hellinger metric.

    Examples
    --------
    >>> import torch
    >>> from divkit import losses
    >>> first, second = losses.variational_terms("wasserstein1", torch.tensor([2.0, 4.0]), torch.tensor([1.0]))
    >>> (first - second).item()
    2.0
    """
    require("torch", "neural")
    div = resolve_divergence(divergence) if not isinstance(divergence, IPM) else divergence
    if isinstance(div, Wasserstein):
        div = div.dual
    if not isinstance(div, FDivergence | IPM):
        raise Unsupported(f"{div.name} has no variational form; take that of its base, {div.base.name}")
    for name, value in (("v_p", v_p), ("v_q", v_q)):
        check_tensor(name, value)
        if value.numel() == 0 or value.numel() != value.shape[0]:
            raise InvalidInput(
                f"{name} must have one number a point, shape (n,) or (n, 1) with n > 0, got {tuple(value.shape)}"
            )
    form = div.variational
    return form.activation(v_p).mean(), form.conj_activation(v_q).mean()


def gradient_penalty(
    critic: Callable[[torch.Tensor], torch.Tensor],
    x: torch.Tensor,
    y: torch.Tensor,
    *,
    factor: float = 10.0,
    one_sided: bool = False,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """factor E[(|grad f(z)| - 1)^2] at random points z between those of x and of y, one place a pair (WGAN-GP).

    Parameters
    ----------
    critic : callable
        From points (n, ...) to n numbers, (n,) or (n, 1), each of its own point alone: no batch normalisation.
    x, y : torch.Tensor, shape (n, ...)
        Points of the data and of the model, float32 or float64, on one device. No gradient flows to them.
    factor : float
        Not negative.
    one_sided : bool
        Count slopes above 1 only (WGAN-LP: Petzka, Fischer and Lukovnikov 2018); both sides are Gulrajani et al.
        (2017), equation (3).
    generator : torch.Generator, optional
        For the places, on the device of the points.

    Returns
    -------
    torch.Tensor
        Scalar, to be added to what the critic minimises. It trains towards slope 1 and proves none.

    Raises
    ------
    MissingDependency
        If torch is not installed.
    InvalidInput
        For points of different shapes, a negative factor, and a critic without one number a point.

    Examples
    --------
    >>> import torch
    >>> from divkit import losses
    >>> x, y = torch.zeros(4, 2), torch.ones(4, 2)
    >>> losses.gradient_penalty(lambda z: 3 * z[:, 0], x, y).item()  # 10 (3 - 1)^2
    40.0
    """
    require("torch", "neural")
    for name, value in (("x", x), ("y", y)):
        check_tensor(name, value)
    check_one_device({"x": x, "y": y})
    if x.shape != y.shape or x.ndim < 2 or x.numel() == 0:
        raise InvalidInput(
            f"x and y must have one shape (n, ...) with at least one point, got {tuple(x.shape)} and {tuple(y.shape)}; "
            f"draw as many of the one as of the other"
        )
    if not (factor >= 0 and math.isfinite(factor)):
        raise InvalidInput(f"factor must be finite and at least 0, got {factor!r}")
    from divkit._penalty_torch import penalty_between

    return penalty_between(critic, x.detach(), y.detach(), factor, one_sided, generator)


def _coupling(
    x: FloatArray,
    y: FloatArray,
    x_weights: FloatArray | None,
    y_weights: FloatArray | None,
    p: float,
    method: str | Method,
) -> Coupling:
    """The optimal coupling of points (n, d) and (m, d) for the cost |x - y|^p."""
    metric = "euclidean" if isinstance(method, str) else getattr(method, "metric", "euclidean")
    if metric != "euclidean":
        raise Unsupported(
            f"the loss differentiates the Euclidean distance, but the method has metric {metric!r}; leave metric out"
        )
    from divkit.transport.coupling import optimal_transport

    return optimal_transport(x, y, x_weights, y_weights, p, method)
