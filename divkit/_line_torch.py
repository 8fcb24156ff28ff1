"""W_p on the line between batches of torch tensors, by sorting; differentiable."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

__all__ = ["line_distance"]


def line_distance(x: Tensor, y: Tensor, p: float) -> Tensor:
    """W_p between x (..., n) and y (..., m) with equal weights, (...).

    Where a distance is 0, so is its gradient, although for p > 1 the slope has no limit there.
    """
    x, y = x.sort(dim=-1).values, y.sort(dim=-1).values
    n, m = x.shape[-1], y.shape[-1]
    if n == m:
        gaps, widths = (x - y).abs(), x.new_full((n,), 1 / n)
    else:
        # Levels at which either quantile function jumps, in units of 1/(n m): integers, so that equal ones are equal.
        levels = np.union1d(m * np.arange(1, n + 1), n * np.arange(1, m + 1))
        ends = torch.from_numpy(levels).to(x.device)
        gaps = (x[..., (ends - 1) // m] - y[..., (ends - 1) // n]).abs()
        widths = torch.diff(ends, prepend=ends.new_zeros(1)).to(x.dtype) / (n * m)
    if p == 1:
        return (gaps * widths).sum(dim=-1)
    size = gaps.detach().amax(dim=-1, keepdim=True)  # powers of numbers up to 1 neither overflow nor all vanish
    size = torch.where(size > 0, size, torch.ones_like(size))
    cost = ((gaps / size) ** p * widths).sum(dim=-1)
    root = torch.where(cost > 0, cost, torch.ones_like(cost)) ** (1 / p)
    return torch.where(cost > 0, root, torch.zeros_like(root)) * size.squeeze(-1)
