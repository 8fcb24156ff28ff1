"""The data of a training."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from divkit._array import as_float_array
from divkit._checks import check_finite
from divkit._errors import InvalidInput

__all__ = ["checked_points"]


def checked_points(points: Any) -> Tensor:
    """Points (N, ...) in float32, or a refusal."""
    array = np.asarray(as_float_array("points", points), dtype=np.float64)
    if array.ndim == 0 or len(array) < 2:
        raise InvalidInput(f"points must be at least two, shape (N, ...), got shape {array.shape}")
    check_finite("points", array)
    if array.ndim == 1:
        array = array[:, None]
    if not (array != array[:1]).any():
        raise InvalidInput("points are all the same: there is no law to learn; look at how they were read")
    found = torch.as_tensor(array, dtype=torch.float32)
    if not torch.isfinite(found).all():
        raise InvalidInput("points leave the range of float32, in which networks are trained; divide by their size")
    return found
