"""What the differentiable losses demand of their arguments."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from divkit._array import to_numpy
from divkit._checks import check_order
from divkit._errors import InvalidInput

if TYPE_CHECKING:
    import torch

__all__ = ["check_one_device", "check_points", "check_tensor", "finite_order"]


def check_points(x: Any, y: Any, axes: int) -> None:
    """Raise unless both are non-empty point tensors on one device, with that many axes or (for 1) more."""
    for name, value in (("x", x), ("y", y)):
        check_tensor(name, value)
        if value.ndim < 1 or (axes > 1 and value.ndim != axes) or value.numel() == 0:
            wanted = "(..., n)" if axes == 1 else "(n, d)"
            raise InvalidInput(f"{name} must have shape {wanted} and at least one point, got {tuple(value.shape)}")
    check_one_device({"x": x, "y": y})


def finite_order(p: Any) -> float:
    """The order as a float in [1, inf)."""
    order = check_order(p)
    if math.isinf(order):
        raise InvalidInput(
            "p must be finite for a loss: at p = inf one pair of points would have all of the gradient; "
            "take a large finite p, or divkit.wasserstein for the value"
        )
    return order


def check_tensor(name: str, value: Any) -> None:
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


def check_one_device(tensors: dict[str, torch.Tensor]) -> None:
    devices = {name: value.device for name, value in tensors.items()}
    if len(set(devices.values())) > 1:
        where = ", ".join(f"{name} on {device}" for name, device in devices.items())
        raise InvalidInput(f"all tensors must be on one device, got {where}; move them to {devices['x']}")
