"""Activations between the layers of critics: all are 1-Lipschitz, and all but relu keep the length of gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor

__all__ = ["ACTIVATIONS"]


def half_abs(z: Tensor) -> Tensor:
    """The first half of the channels (..., 2 c) as they are, and the absolute values of the second.

    MaxMin in rotated coordinates: the larger and the smaller of a and b are (a + b)/2 +- |a - b|/2. Between orthogonal
    layers it makes the same functions.
    """
    a, b = z.chunk(2, dim=-1)
    return torch.cat([a, b.abs()], dim=-1)


class _MaxMin(torch.autograd.Function):
    """Backwards only the order is needed, and where two channels tie any order will do."""

    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        a, b = z.chunk(2, dim=-1)
        ctx.save_for_backward(b > a)
        return torch.cat([torch.maximum(a, b), torch.minimum(a, b)], dim=-1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (exchanged,) = ctx.saved_tensors
        larger, smaller = gradients[0].chunk(2, dim=-1)
        return torch.cat([torch.where(exchanged, smaller, larger), torch.where(exchanged, larger, smaller)], dim=-1)


def maxmin(z: Tensor) -> Tensor:
    """Pairs of channels (..., 2 c) in order: the larger of channels i and i + c first."""
    ordered: Tensor = _MaxMin.apply(z)  # type: ignore[no-untyped-call]
    return ordered


def full_sort(z: Tensor) -> Tensor:
    """All channels (..., c) in ascending order."""
    return z.sort(dim=-1).values


def half_sort(z: Tensor) -> Tensor:
    """One half of the channels (..., 2 c) sorted, the other in ordered pairs."""
    a, b = z.chunk(2, dim=-1)
    return torch.cat([full_sort(a), maxmin(b)], dim=-1)


# Of what a layer has just made, which nothing else needs: relu writes over it.
ACTIVATIONS: Final[Mapping[str, Callable[[Tensor], Tensor]]] = MappingProxyType(
    {"abs": half_abs, "maxmin": maxmin, "sort": full_sort, "half": half_sort, "relu": torch.relu_}
)
