"""Penalties on the slopes of discriminators: between the laws, and at their points."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeGuard

import torch
from torch import Tensor, nn

from divkit._errors import InvalidInput
from divkit.gan.nets import MLPDiscriminator, values_at
from divkit.losses import gradient_penalty
from divkit.neural._parallel import processes, share_of_batch
from divkit.neural.penalties import excess_of

__all__ = ["Penalty", "ZeroCentred", "between", "judged", "zero_centred"]

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
        if has_slopes(discriminator):
            size = len(x) * processes()  # drawn for the whole batch, as the batch itself is
            places = torch.rand((size, 1), generator=generator, device=x.device, dtype=x.dtype)
            slopes = discriminator.slopes(torch.lerp(x.detach(), y.detach(), share_of_batch(places, 0)))
            return factor * excess_of(slopes.unsqueeze(0), one_sided)[0]
        return gradient_penalty(discriminator, x, y, factor=factor, one_sided=one_sided, generator=generator)

    return penalty


@dataclass(frozen=True)
class ZeroCentred:
    """What `zero_centred` makes.

    Parameters
    ----------
    factor : float
    """

    factor: float

    def __post_init__(self) -> None:
        if not (self.factor >= 0 and math.isfinite(self.factor)):
            raise InvalidInput(f"factor must be finite and at least 0, got {self.factor!r}")

    def __call__(self, discriminator: nn.Module, x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
        """By a derivative of the derivative."""
        points = torch.cat([x.detach(), y.detach()]).requires_grad_()
        (slopes,) = torch.autograd.grad(discriminator(points).sum(), points, create_graph=True)
        return self.of_slopes(slopes, len(x))

    def of_slopes(self, slopes: Tensor, count: int) -> Tensor:
        """From the slopes at all points, of which the first are of the data."""
        squares = slopes.flatten(1).square().sum(1)  # (n + m,)
        return self.factor / 2 * (squares[:count].mean() + squares[count:].mean())


def zero_centred(factor: float = 1.0) -> ZeroCentred:
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
    return ZeroCentred(factor)


def judged(
    discriminator: nn.Module, x: Tensor, y: Tensor, penalty: Penalty | None, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Values at data and model, (n,) and (m,), and the penalty: in one pass where it is on the slopes at these points.

    Parameters
    ----------
    discriminator : torch.nn.Module
    x, y : Tensor, shape (n, ...) and (m, ...)
    penalty : callable or None
    generator : torch.Generator
    """
    if isinstance(penalty, ZeroCentred) and has_slopes(discriminator):
        values, slopes = discriminator.values_and_slopes(torch.cat([x, y]))
        return values[: len(x)], values[len(x) :], penalty.of_slopes(slopes, len(x))
    v_p, v_q = values_at(discriminator, x, y)
    return v_p, v_q, None if penalty is None else penalty(discriminator, x, y, generator)


def has_slopes(discriminator: nn.Module) -> TypeGuard[MLPDiscriminator]:
    """Whether its slopes are written out, so that penalties on them need no second derivative."""
    return isinstance(discriminator, MLPDiscriminator) and discriminator.stack.activation == "relu"
