"""Penalties on the slopes of critics, which train towards a Lipschitz constant and prove none."""

from __future__ import annotations

import torch
from torch import Tensor

from divkit._errors import InvalidInput
from divkit.neural._parallel import processes, share_of_batch
from divkit.neural.fit import Penalty
from divkit.neural.nets import CriticStack

__all__ = ["excess_of", "slope_penalty"]


def slope_penalty(factor: float = 10.0, *, one_sided: bool = False) -> Penalty:
    """factor E[(|f'(z)| - 1)^2] at random points z between points of P and of Q, one place a pair.

    Parameters
    ----------
    factor : float
        Not negative.
    one_sided : bool
        Count slopes above 1 only (Petzka, Fischer and Lukovnikov 2018); both sides are Gulrajani et al. (2017),
        equation (3).

    Returns
    -------
    callable
        To be subtracted from what is maximised, as in `divkit.neural.fit.maximise`. Slopes are those of
        `CriticStack.slopes`, so that one backward pass is enough.
    """
    if not factor >= 0:
        raise InvalidInput(f"factor must be at least 0, got {factor!r}")

    def penalty(critics: CriticStack, x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
        copies, size = x.shape[0], x.shape[1] * processes()  # drawn for the whole batch, as the batch itself is
        places = torch.rand((copies, size, 1), generator=generator, device=x.device, dtype=x.dtype)
        return factor * excess_of(critics.slopes(torch.lerp(x, y, share_of_batch(places))), one_sided)

    return penalty


def excess_of(slopes: Tensor, one_sided: bool) -> Tensor:
    """The mean over points of (|slope| - 1)^2, or of its part above 1: (s, b, d) to (s,)."""
    excess = torch.linalg.vector_norm(slopes, dim=2) - 1
    if one_sided:
        excess = excess.clamp_min(0.0)
    mean: Tensor = (excess * excess).mean(dim=1)
    return mean
