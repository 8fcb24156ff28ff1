"""Differentiable losses for torch: tensors in, a scalar tensor with its gradient out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from divkit._array import FloatArray, to_numpy
from divkit._checks import check_order
from divkit._errors import InvalidInput, Unsupported, require
from divkit.methods import Method
from divkit.transport import Coupling

if TYPE_CHECKING:
    import torch

__all__ = ["wasserstein"]


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
    order = _finite_order(p)
    tensors = {"x": x, "y": y}
    tensors |= {
        name: weights for name, weights in (("x_weights", x_weights), ("y_weights", y_weights)) if weights is not None
    }
    for name, value in tensors.items():
        _check_tensor(name, value)
    _check_one_device(tensors)
    dtype = torch.promote_types(x.dtype, y.dtype)

    def couple(points: FloatArray, others: FloatArray, a: FloatArray | None, b: FloatArray | None) -> Coupling:
        return _coupling(points, others, a, b, order, method)

    from divkit._transport_torch import transport_loss

    compute = transport_loss
    if torch.compiler.is_compiling():  # torch.compile would translate NumPy code too, and fail at it
        compute = torch.compiler.disable(transport_loss)
    return compute(x, y, x_weights, y_weights, order, dtype, couple)


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


def _finite_order(p: Any) -> float:
    """The order as a float in [1, inf)."""
    order = check_order(p)
    if math.isinf(order):
        raise InvalidInput(
            "p must be finite for a loss: at p = inf one pair of points would have all of the gradient; "
            "take a large finite p, or divkit.wasserstein for the value"
        )
    return order


def _check_tensor(name: str, value: Any) -> None:
    """Raise unless the value is a dense float32 or float64 tensor."""
    import torch

    if not isinstance(value, torch.Tensor):
        raise InvalidInput(
            f"{name} must be a torch.Tensor, got {type(value).__name__}; "
            f"pass torch.as_tensor({name}), or use divkit.wasserstein for a value without a gradient"
        )
    if value.dtype not in (torch.float32, torch.float64):
        raise InvalidInput(f"{name} must be float32 or float64, got {value.dtype}; pass {name}.float()")
    if value.is_meta or value.layout != torch.strided:
        to_numpy(name, value)  # refuses both, with the remedy


def _check_one_device(tensors: dict[str, torch.Tensor]) -> None:
    devices = {name: value.device for name, value in tensors.items()}
    if len(set(devices.values())) > 1:
        where = ", ".join(f"{name} on {device}" for name, device in devices.items())
        raise InvalidInput(f"all tensors must be on one device, got {where}; move them to {devices['x']}")
