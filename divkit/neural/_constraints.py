"""What keeps the slope of a linear layer in check, during training; what it proves is another matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

__all__ = ["AlmostOrthogonal", "Clipped", "Constraint", "Free", "Orthogonal", "Spectral"]

_TINY = 1e-12


class Constraint(Protocol):
    """How the matrices of a layer, stacked (s, out, in), are constrained."""

    def matrix(self, weight: Tensor, memory: Tensor, learning: bool) -> Tensor:
        """The matrices that act, differentiable in the parameters `weight`.

        `memory` (s, in) is the layer's own, and changed only while `learning`: a fitted critic is one function.
        """
        ...

    def project(self, weight: Tensor) -> None:
        """What is done to the parameters after each step, in place."""
        ...


@dataclass(frozen=True)
class Free:
    """No constraint."""

    def matrix(self, weight: Tensor, memory: Tensor, learning: bool) -> Tensor:
        """The parameters."""
        return weight

    def project(self, weight: Tensor) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Orthogonal:
    """All singular values are 1, restored after each step: no gradient is lost on its way (Anil, Lucas, Grosse 2019).

    Bjorck and Bowie (1971): W <- W (3 - W'W)/2 takes an error e of a singular value to about 3/2 e^2. A step moves them
    by little, so that one iteration after it leaves little of that, and nothing is differentiated through it.

    Parameters
    ----------
    iterations : int
    """

    iterations: int = 1

    def matrix(self, weight: Tensor, memory: Tensor, learning: bool) -> Tensor:
        """The parameters, which are orthogonal."""
        return weight

    def project(self, weight: Tensor) -> None:
        """Towards the nearest matrices with orthonormal rows or columns."""
        _, fan_out, fan_in = weight.shape
        for _ in range(self.iterations):
            if fan_out <= fan_in:
                weight.copy_(torch.baddbmm(weight, weight @ weight.mT, weight, beta=1.5, alpha=-0.5))
            else:
                weight.copy_(torch.baddbmm(weight, weight, weight.mT @ weight, beta=1.5, alpha=-0.5))


@dataclass(frozen=True)
class Spectral:
    """Divided by the largest singular value, which a power iteration follows (Miyato et al. 2018)."""

    def matrix(self, weight: Tensor, memory: Tensor, learning: bool) -> Tensor:
        """weight / sigma; one iteration a step, not differentiated through."""
        with torch.no_grad():
            v = _normalized(memory.unsqueeze(2))  # (s, in, 1)
            u = _normalized(torch.bmm(weight, v))  # (s, out, 1)
            if learning:
                v = _normalized(torch.bmm(weight.mT, u))
                memory.copy_(v.squeeze(2))
        sigma = torch.bmm(u.mT, torch.bmm(weight, v))  # (s, 1, 1)
        return weight / sigma.clamp_min(_TINY)

    def project(self, weight: Tensor) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Clipped:
    """Each entry within [-limit, limit] (Arjovsky, Chintala, Bottou 2017).

    Parameters
    ----------
    limit : float
    """

    limit: float = 0.01

    def matrix(self, weight: Tensor, memory: Tensor, learning: bool) -> Tensor:
        """The parameters."""
        return weight

    def project(self, weight: Tensor) -> None:
        """Clip."""
        weight.clamp_(-self.limit, self.limit)


@dataclass(frozen=True)
class AlmostOrthogonal:
    """W D with D_jj = (sum_i |W'W|_ij)^(-1/2), of norm at most 1 by Gershgorin (Prach and Lampert 2022)."""

    def matrix(self, weight: Tensor, memory: Tensor, learning: bool) -> Tensor:
        """The rescaled parameters."""
        return weight * (weight.mT @ weight).abs().sum(dim=1).clamp_min(_TINY).rsqrt().unsqueeze(1)

    def project(self, weight: Tensor) -> None:
        """Nothing."""


def _normalized(vectors: Tensor) -> Any:
    return vectors / torch.linalg.vector_norm(vectors, dim=1, keepdim=True).clamp_min(_TINY)
