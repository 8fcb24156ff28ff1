"""The state of a training in one file, which only the same training goes on from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from divkit._errors import InvalidInput

__all__ = ["digest", "read_checkpoint", "shapes_of", "write_checkpoint"]


def digest(*tensors: Tensor) -> str:
    """A short name of what tensors hold: equal ones have the same, others in practice never."""
    found = hashlib.sha256()
    for tensor in tensors:
        found.update(str((tensor.dtype, tuple(tensor.shape))).encode())
        found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:16]


def shapes_of(net: nn.Module) -> list[list[int]]:
    """Of all that a network keeps."""
    return [list(value.shape) for value in net.state_dict().values()]


def write_checkpoint(path: Path, training: Mapping[str, Any], content: Mapping[str, Any]) -> None:
    """Replaced at once: a run that is killed while saving leaves the file before."""
    part = path.with_name(path.name + ".part")
    torch.save({**content, "training": dict(training)}, part)
    part.replace(path)


def read_checkpoint(path: Path, training: Mapping[str, Any], device: str | torch.device = "cpu") -> dict[str, Any]:
    """The content of a checkpoint of the same training.

    Raises
    ------
    InvalidInput
        If the file is no checkpoint, or one of another training.
    """
    try:
        content: dict[str, Any] = torch.load(path, weights_only=True, map_location=device)
        theirs = content["training"]
    except Exception as error:
        raise InvalidInput(f"{path} is no checkpoint of a training ({error}); name another file") from error
    for name, own in training.items():
        if theirs.get(name) != own:
            raise InvalidInput(
                f"{path} is a checkpoint of another training: {name} is {theirs.get(name)!r} there and {own!r} here; "
                f"name another file, or pass that"
            )
    return content
