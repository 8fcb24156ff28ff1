"""Several processes that fit the same critics, each to its part of every batch."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor, nn

from divkit._errors import InvalidInput

__all__ = ["averaged_gradients", "is_first", "processes", "share_of_batch"]


def processes() -> int:
    """How many processes take part, 1 without `torch.distributed`."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def is_first() -> bool:
    """Whether this process is the one that writes files."""
    return processes() == 1 or dist.get_rank() == 0


def share_of_batch(batch: Tensor) -> Tensor:
    """This process's part of a batch (s, b, d) that all have drawn alike.

    Raises
    ------
    InvalidInput
        If the batch cannot be shared out equally: a mean of unequal means would be another one.
    """
    count = processes()
    if count == 1:
        return batch
    if batch.shape[1] % count:
        raise InvalidInput(f"batch must be divisible by the {count} processes, got {batch.shape[1]}")
    return batch.chunk(count, dim=1)[dist.get_rank()]


def averaged_gradients(net: nn.Module) -> None:
    """Replace each gradient by its mean over processes, in one exchange."""
    count = processes()
    if count == 1:
        return
    gradients = [parameter.grad for parameter in net.parameters() if parameter.grad is not None]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    dist.all_reduce(flat)
    flat /= count
    start = 0
    for gradient in gradients:
        gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
        start += gradient.numel()
