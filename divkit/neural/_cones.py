"""Lower envelopes of cones, a 1-Lipschitz layer by itself."""

from __future__ import annotations

import math
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

__all__ = ["Cones"]

_SOFTNESS: Final = 0.1  # of the first minimum, in units of the data
_SLOWNESS: Final = 4.0  # by which w moves less a step than the coordinates of an apex
_SHARPEST: Final = 1e-6
_NEAREST: Final = 1e-6  # distances below this have no direction


class _Softmin(torch.autograd.Function):
    """-t log sum_n exp(-(|z - a_n| + b_n) / t), whose gradient in z is a convex combination of unit vectors."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, anchors: Tensor, offsets: Tensor, log_t: Tensor) -> Tensor:
        """(s, b, d), (s, N, d), (s, N) and (s,) to (s, b)."""
        distances = _distances(z, anchors)  # (s, b, N)
        t = log_t.exp().clamp_min(_SHARPEST).view(-1, 1, 1)
        heights = distances + offsets.unsqueeze(1)
        least = heights.amin(2, keepdim=True)
        shares = ((least - heights) / t).exp_()
        total = shares.sum(2, keepdim=True)
        shares /= total
        values = (least - t * total.log()).squeeze(2)
        mean = (shares * heights).sum(2)
        ctx.save_for_backward(z, anchors, distances, shares, values - mean)
        return values

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor, Tensor]:
        """To z only where it is asked for."""
        z, anchors, distances, shares, below_mean = ctx.saved_tensors
        weights = shares * gradient.unsqueeze(2)  # (s, b, N)
        to_offsets, to_log_t = weights.sum(1), (gradient * below_mean).sum(1)
        weights /= distances.clamp_min(_NEAREST)
        to_anchors = weights.sum(1).unsqueeze(2) * anchors - torch.bmm(weights.mT, z)
        to_z = None
        if ctx.needs_input_grad[0]:
            to_z = weights.sum(2, keepdim=True) * z - torch.bmm(weights, anchors)
        return to_z, to_anchors, to_offsets, to_log_t


def _distances(z: Tensor, anchors: Tensor) -> Tensor:
    """(s, b, N): by a matrix product for training, by differences in float64, in which bounds are computed."""
    if z.dtype == torch.float64:
        return torch.cdist(z, anchors, compute_mode="donot_use_mm_for_euclid_dist")
    squares = z.square().sum(2, keepdim=True) + anchors.square().sum(2).unsqueeze(1)
    return torch.baddbmm(squares, z, anchors.mT, alpha=-2.0).clamp_min_(0.0).sqrt_()


def _softmin(z: Tensor, anchors: Tensor, offsets: Tensor, log_t: Tensor) -> Tensor:
    values: Tensor = _Softmin.apply(z, anchors, offsets, log_t)  # type: ignore[no-untyped-call]
    return values


class Cones(nn.Module):
    """z -> w max_n(c_n - |z - p_n|) + (1 - w) min_n(|z - q_n| + b_n), both softened, with 0 <= w <= 1.

    Each 1-Lipschitz function is a lower envelope of cones, one at each point (McShane 1934), and an upper one; here
    the points are few and learnt. Softened or not, no slope exceeds 1.

    Parameters
    ----------
    copies, d, count : int
        `count` cones of either kind.
    generator : torch.Generator
        For the apices before `place`.
    """

    def __init__(self, copies: int, d: int, count: int, generator: torch.Generator) -> None:
        super().__init__()
        normals = torch.randn((2, copies, count, d), generator=generator)
        self.peaks, self.pits = nn.Parameter(normals[0]), nn.Parameter(normals[1])
        self.peak_offsets, self.pit_offsets = (nn.Parameter(torch.zeros((copies, count))) for _ in range(2))
        self.log_softness = nn.Parameter(torch.full((copies, 2), math.log(_SOFTNESS)))
        self.balance = nn.Parameter(torch.full((copies,), _SLOWNESS / 2))

    def shares(self) -> Tensor:
        """w, (s,)."""
        return self.balance / _SLOWNESS

    def forward(self, z: Tensor) -> Tensor:
        """(s, b, d) to (s, b, 1)."""
        share = self.shares().unsqueeze(1)
        sides = [(self.peaks, self.peak_offsets), (self.pits, self.pit_offsets)]
        below, above = (_softmin(z, *side, self.log_softness[:, i]) for i, side in enumerate(sides))
        return ((1 - share) * above - share * below).unsqueeze(2)

    @torch.no_grad()
    def place(self, x: Tensor, y: Tensor, generator: torch.Generator) -> None:
        """Begin with peaks at some of the points x (s, n, d), and pits at some of y (s, m, d)."""
        for anchors, points in ((self.peaks, x), (self.pits, y)):
            for own, seen in zip(anchors, points, strict=True):
                rows = torch.randperm(len(seen), generator=generator, device=seen.device)
                own.copy_(seen[rows[torch.arange(len(own), device=seen.device) % len(rows)]])

    @torch.no_grad()
    def project(self) -> None:
        """Keep w between 0 and 1, both of which it may reach."""
        self.balance.clamp_(0.0, _SLOWNESS)
