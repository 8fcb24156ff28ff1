"""Devices of torch, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from divkit._errors import InvalidInput, require

if TYPE_CHECKING:
    import torch

__all__ = ["check_device"]


def check_device(name: str, *, double: bool = False) -> torch.device:
    """The device, which this machine has and torch can use.

    Parameters
    ----------
    name : str
        As in torch: "cpu", "cuda", "cuda:1".
    double : bool
        Whether it has to have float64.

    Raises
    ------
    InvalidInput
        If it does not hold a tensor.
    MissingDependency
        Without torch.
    """
    require("torch", "neural")
    import torch

    try:
        device = torch.device(name)
        torch.zeros(1, dtype=torch.float64 if double else torch.float32, device=device).cpu()
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        number = "float64" if double else "float32"
        reason = str(error).strip().partition("\n")[0]
        raise InvalidInput(
            f"device must be one on which torch can hold {number} here, such as 'cpu' or 'cuda', got {name!r}: {reason}"
        ) from error
    return device
