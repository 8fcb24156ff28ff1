"""Steps of the optimizer: Adam, and orthogonalised momentum for matrices that are kept orthogonal."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor

from divkit.neural._constraints import Orthogonal
from divkit.neural.nets import CriticStack, StackedLinear

__all__ = ["OPTIMIZERS", "Ascent", "orthogonalised"]

OPTIMIZERS: Final[Mapping[str, float]] = MappingProxyType({"adam": 2e-3, "muon": 0.1})  # and their learning rates
_MOMENTUM: Final = 0.95
_OTHERS: Final = 0.05  # learning rate of Adam for what is no orthogonal matrix, in units of that for matrices
# An odd polynomial of degree 5 that takes all of [0.003, 1] to about 1 in five steps (Jordan et al. 2024).
_QUINTIC: Final = (3.4445, -4.7750, 2.0315)
_ITERATIONS: Final = 5
_TINY: Final = 1e-20


def orthogonalised(matrices: Tensor) -> Tensor:
    """About U V' of the singular value decompositions U S V' of (s, out, in), by products only; 0 stays 0."""
    a, b, c = _QUINTIC
    wide = matrices if matrices.shape[1] <= matrices.shape[2] else matrices.mT
    found: Tensor = wide / torch.linalg.matrix_norm(wide, keepdim=True).clamp_min(_TINY)
    if found.shape[1] > 1:  # a row is its own direction
        for _ in range(_ITERATIONS):
            gram = torch.bmm(found, found.mT)
            found = torch.baddbmm(found, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), found, beta=a)
    return found if wide is matrices else found.mT


class Ascent:
    """What turns gradients of a stack of critics into a step.

    "adam" takes all parameters. "muon" moves each orthogonal matrix by the learning rate in the spectral norm, in the
    direction in which the objective rises most (Bernstein and Newhouse 2024; Jordan et al. 2024): no direction of it
    moves more than another, as suits a matrix whose singular values all have to be 1. Adam takes the rest.

    Parameters
    ----------
    critics : CriticStack
    optimizer : str
        One of `OPTIMIZERS`.
    betas : (float, float)
        Of Adam.
    """

    def __init__(self, critics: CriticStack, optimizer: str, betas: tuple[float, float]) -> None:
        self.matrices = _orthogonal(critics) if optimizer == "muon" else []
        self.momenta = [torch.zeros_like(matrix) for matrix in self.matrices]
        rest = [p for p in critics.parameters() if not any(p is matrix for matrix in self.matrices)]
        self.share = _OTHERS if optimizer == "muon" else 1.0
        self.adam = torch.optim.Adam(rest, betas=betas, fused=True)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self.adam.zero_grad()
        for matrix in self.matrices:
            matrix.grad = None

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Down the gradients, by so much."""
        for group in self.adam.param_groups:
            group["lr"] = rate * self.share
        self.adam.step()
        for matrix, momentum in zip(self.matrices, self.momenta, strict=True):
            assert matrix.grad is not None
            momentum.lerp_(matrix.grad, 1 - _MOMENTUM)
            matrix.sub_(orthogonalised(torch.lerp(matrix.grad, momentum, _MOMENTUM)), alpha=rate)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint has to hold."""
        return {"adam": self.adam.state_dict(), "momenta": self.momenta}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self.adam.load_state_dict(state["adam"])
        for own, saved in zip(self.momenta, state["momenta"], strict=True):
            own.copy_(saved)


def _orthogonal(critics: CriticStack) -> list[torch.nn.Parameter]:
    linear = [layer for layer in critics.parts if isinstance(layer, StackedLinear)]
    return [layer.weight for layer in linear if isinstance(layer.constraint, Orthogonal)]
