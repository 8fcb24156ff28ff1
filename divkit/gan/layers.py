"""Layers that look at more than one point: minibatch discrimination and virtual batch normalisation."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from divkit._checks import check_integer
from divkit._errors import InvalidInput
from divkit.gan.nets import seeded
from divkit.neural.nets import mlp

__all__ = ["MinibatchDiscrimination", "VirtualBatchNorm", "minibatch_discriminator", "with_virtual_batch_norm"]

_EPS = 1e-5  # added to variances, as torch does


class MinibatchDiscrimination(nn.Module):
    """Appends to each point's features how close those of the batch are to it (Salimans et al. 2016, section 3.2).

    With M_i = f_i T of shape (kernels, dim), the k-th new feature of point i is sum_j exp(-|M_ik - M_jk|_1) over the
    whole batch, itself included. A batch has to be of one kind, data or model: `divkit.gan.nets.values_at` sees to it.

    Parameters
    ----------
    features : int
        Of each point, before.
    kernels : int
        Features that are appended.
    dim : int
    """

    of_one_kind = True

    def __init__(self, features: int, kernels: int = 50, dim: int = 5) -> None:
        super().__init__()
        features, kernels = check_integer("features", features, 1), check_integer("kernels", kernels, 1)
        self.shape = kernels, check_integer("dim", dim, 1)
        self.project = nn.Linear(features, kernels * dim, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """(n, features) to (n, features + kernels)."""
        rows = self.project(features).unflatten(1, self.shape)  # (n, kernels, dim)
        distances = (rows.unsqueeze(0) - rows.unsqueeze(1)).abs().sum(dim=3)  # (n, n, kernels)
        return torch.cat([features, torch.exp(-distances).sum(dim=1)], dim=1)


def minibatch_discriminator(
    d: int, *, width: int = 128, depth: int = 3, kernels: int = 50, dim: int = 5, seed: int = 0
) -> nn.Sequential:
    """A perceptron, points (n, d) to values (n,), with minibatch discrimination before its last layer.

    Parameters
    ----------
    d, width, depth : int
    kernels, dim : int
        As in `MinibatchDiscrimination`.
    seed : int
        For the initial parameters; torch's own generator is left as it was.
    """
    for name, value in {"d": d, "width": width, "depth": depth}.items():
        check_integer(name, value, 1)
    with seeded(seed):
        hidden = mlp(d, width, width=width, depth=depth - 1)
        closeness = MinibatchDiscrimination(width, kernels, dim)
        return nn.Sequential(*hidden, nn.ReLU(), closeness, nn.Linear(width + kernels, 1), nn.Flatten(0))


class VirtualBatchNorm(nn.Module):
    """Normalises each point by a reference batch and itself (Salimans et al. 2016, section 3.5).

    With N reference points, means and mean squares of a channel are those of the reference with weight N/(N + 1), and
    of the point with weight 1/(N + 1): what a point becomes does not depend on the others in its batch. It is made by
    `with_virtual_batch_norm`, whose network shows the reference first.

    Parameters
    ----------
    weight, bias : Tensor, shape (channels,)
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight.detach().clone()), nn.Parameter(bias.detach().clone())
        self._reference: tuple[int, Tensor, Tensor] | None = None
        self.recording = False

    def forward(self, points: Tensor) -> Tensor:
        """(n, channels, ...) to the same shape."""
        rest = list(range(2, points.ndim))
        mean, square = (each.mean(dim=rest) if rest else each for each in (points, points.square()))  # (n, channels)
        if self.recording:
            mean, square = mean.mean(dim=0, keepdim=True), square.mean(dim=0, keepdim=True)
            self._reference = len(points), mean, square
        elif self._reference is None:
            raise InvalidInput("VirtualBatchNorm has seen no reference; make it by with_virtual_batch_norm")
        else:
            count, of_mean, of_square = self._reference
            mean, square = ((count * old + new) / (count + 1) for old, new in ((of_mean, mean), (of_square, square)))
        scale = self.weight * torch.rsqrt((square - mean.square()).clamp_min(0) + _EPS)
        shift = self.bias - mean * scale
        shape = (*scale.shape, *[1] * len(rest))
        return points * scale.reshape(shape) + shift.reshape(shape)


class _Referenced(nn.Module):
    """A network that passes its reference through before each batch."""

    reference: Tensor

    def __init__(self, net: nn.Module, reference: Tensor) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("reference", reference.detach().clone())

    def forward(self, points: Tensor) -> Tensor:
        """As the network."""
        layers = [module for module in self.net.modules() if isinstance(module, VirtualBatchNorm)]
        for layer in layers:
            layer.recording = True
        self.net(self.reference)
        for layer in layers:
            layer.recording = False
        found: Tensor = self.net(points)
        for layer in layers:
            layer._reference = None
        return found


def with_virtual_batch_norm(net: nn.Module, reference: Any) -> nn.Module:
    """A copy of a network with each batch normalisation replaced by a virtual one.

    Parameters
    ----------
    net : torch.nn.Module
        With at least one batch normalisation.
    reference : Tensor, shape (N, ...)
        What the network takes: a fixed batch of noise for a generator, of data for a discriminator.

    Returns
    -------
    torch.nn.Module
        On each batch it computes the reference as well, which takes (N + n)/n of the time.

    Raises
    ------
    InvalidInput
        If nothing in it normalises batches, or for an empty reference.
    """
    fixed = torch.as_tensor(reference, dtype=torch.float32)
    if fixed.ndim < 2 or len(fixed) < 2:
        raise InvalidInput(f"reference must hold at least two points, shape (N, ...), got shape {tuple(fixed.shape)}")
    net = copy.deepcopy(net)
    found = [
        (parent, name, child)
        for parent in net.modules()
        for name, child in parent.named_children()
        if isinstance(child, _BatchNorm)
    ]
    if not found:
        raise InvalidInput("net has no batch normalisation to replace; divkit.gan.dcgan.dcgan_generator has some")
    for parent, name, child in found:
        ones = torch.ones(child.num_features)
        weight = child.weight if child.affine else ones
        setattr(parent, name, VirtualBatchNorm(weight, child.bias if child.affine else torch.zeros_like(ones)))
    return _Referenced(net, fixed)
