"""Several processes that fit the same networks, each to its part of every batch."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor, nn

from divkit._errors import InvalidInput

__all__ = ["averaged_gradients", "averaged_numbers", "is_first", "processes", "share_of_batch"]


def processes() -> int:
    """How many processes take part, 1 without `torch.distributed`."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def is_first() -> bool:
    """Whether this process is the one that writes files."""
    return processes() == 1 or dist.get_rank() == 0


def share_of_batch(batch: Tensor, dim: int = 1) -> Tensor:
    """This process's part of what all have drawn alike: of a stack's batch (s, b, d), or with dim 0 of points (b, ...).

    Raises
    ------
    InvalidInput
        If the batch cannot be shared out equally: a mean of unequal means would be another one.
    """
    count = processes()
    if count == 1:
        return batch
    if batch.shape[dim] % count:
        raise InvalidInput(f"batch must be divisible by the {count} processes, got {batch.shape[dim]}")
    return batch.chunk(count, dim=dim)[dist.get_rank()]


def averaged_numbers(numbers: dict[str, float], device: torch.device) -> dict[str, float]:
    """The mean over processes of each number, the same in all; one that is not finite makes the mean so."""
    count = processes()
    if count == 1:
        return numbers
    flat = torch.tensor(list(numbers.values()), dtype=torch.float64, device=device)
    dist.all_reduce(flat)
    return dict(zip(numbers, (flat / count).tolist(), strict=True))


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
