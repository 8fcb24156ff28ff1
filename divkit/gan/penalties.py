"""Penalties on the slopes of discriminators: between the laws, and at their points."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from divkit._errors import InvalidInput
from divkit.gan.nets import MLPDiscriminator
from divkit.losses import gradient_penalty
from divkit.neural._parallel import processes, share_of_batch
from divkit.neural.penalties import excess_of

__all__ = ["Penalty", "between", "zero_centred"]

# Discriminator, points of the data and of the model (n, ...), random numbers: a scalar to be added to its loss.
Penalty = Callable[[nn.Module, Tensor, Tensor, torch.Generator], Tensor]


def between(factor: float = 10.0, *, one_sided: bool = False) -> Penalty:
    """factor E[(|grad D(z)| - 1)^2] at random points between data and model, as `divkit.losses.gradient_penalty`.

    Parameters
    ----------
    factor : float
    one_sided : bool
        Count slopes above 1 only.
    """

    def penalty(discriminator: nn.Module, x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
        if isinstance(discriminator, MLPDiscriminator) and discriminator.stack.activation == "relu":
            size = len(x) * processes()  # drawn for the whole batch, as the batch itself is
            places = torch.rand((size, 1), generator=generator, device=x.device, dtype=x.dtype)
            slopes = discriminator.slopes(torch.lerp(x.detach(), y.detach(), share_of_batch(places, 0)))
            return factor * excess_of(slopes.unsqueeze(0), one_sided)[0]
        return gradient_penalty(discriminator, x, y, factor=factor, one_sided=one_sided, generator=generator)

    return penalty


def zero_centred(factor: float = 1.0) -> Penalty:
    """factor/2 (E_P |grad D|^2 + E_Q |grad D|^2): R1 and R2 (Mescheder, Geiger and Nowozin 2018, equation (9)).

    Parameters
    ----------
    factor : float
        Finite and not negative.

    Raises
    ------
    InvalidInput
        For another factor.
    """
    if not (factor >= 0 and math.isfinite(factor)):
        raise InvalidInput(f"factor must be finite and at least 0, got {factor!r}")

    def penalty(discriminator: nn.Module, x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
        points = torch.cat([x.detach(), y.detach()])
        if isinstance(discriminator, MLPDiscriminator) and discriminator.stack.activation == "relu":
            slopes = discriminator.slopes(points)
        else:
            points.requires_grad_()
            (slopes,) = torch.autograd.grad(discriminator(points).sum(), points, create_graph=True)
        squares = slopes.flatten(1).square().sum(1)  # (2 n,)
        return factor / 2 * (squares[: len(x)].mean() + squares[len(x) :].mean())

    return penalty
