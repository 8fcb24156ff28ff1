"""The gradient penalty of any critic, by a derivative of its derivative."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from divkit._errors import InvalidInput
from divkit.neural.penalties import excess_of

__all__ = ["penalty_between"]


def penalty_between(
    critic: Callable[[Tensor], Tensor],
    x: Tensor,
    y: Tensor,
    factor: float,
    one_sided: bool,
    generator: torch.Generator | None,
) -> Tensor:
    """As `divkit.losses.gradient_penalty`, of points that fit together."""
    dtype = torch.promote_types(x.dtype, y.dtype)
    places = torch.rand(x.shape[:1] + (1,) * (x.ndim - 1), generator=generator, device=x.device, dtype=dtype)
    between = torch.lerp(x.to(dtype), y.to(dtype), places).requires_grad_()
    with torch.enable_grad():
        values = critic(between)
        if values.numel() != len(between):
            raise InvalidInput(f"critic must give one number a point, got shape {tuple(values.shape)}")
        if not values.requires_grad:
            raise InvalidInput(
                "critic must be differentiable in its points, but its values have no gradient; leave out detach() and "
                "no_grad()"
            )
        (slopes,) = torch.autograd.grad(
            values.sum(), between, create_graph=True, allow_unused=True, materialize_grads=True
        )
    return factor * excess_of(slopes.flatten(1).unsqueeze(0), one_sided)[0]
