"""Proven Lipschitz constants of networks, in the Euclidean norm."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor, nn

from divkit._errors import InvalidInput, Unsupported
from divkit.neural.nets import Cones, CriticStack, Residual, StackedLinear

__all__ = ["proven_lipschitz", "proven_lipschitz_of_each"]

_ROUNDING: Final = 2.0**-52
_SWISH: Final = 1.0999  # the largest slope of z sigmoid(z) is 1.09984 (at z = 2.3994)
_GELU: Final = 1.13  # that of z Phi(z) is 1.12890 (at z = sqrt 2), and that of its approximation by tanh 1.1290
_SLOPES: Final[Mapping[type[nn.Module], Callable[[Any], float]]] = MappingProxyType(
    {
        nn.Identity: lambda layer: 1.0,
        nn.Flatten: lambda layer: 1.0,
        nn.ReLU: lambda layer: 1.0,
        nn.ReLU6: lambda layer: 1.0,
        nn.Tanh: lambda layer: 1.0,
        nn.Hardtanh: lambda layer: 1.0,
        nn.Softsign: lambda layer: 1.0,
        nn.Softplus: lambda layer: 1.0,
        nn.LogSigmoid: lambda layer: 1.0,
        nn.Sigmoid: lambda layer: 0.25,
        nn.LeakyReLU: lambda layer: max(1.0, abs(layer.negative_slope)),
        nn.ELU: lambda layer: max(1.0, layer.alpha),
        nn.SiLU: lambda layer: _SWISH,
        nn.GELU: lambda layer: _GELU,
    }
)


def proven_lipschitz(net: nn.Module) -> float:
    """An upper bound of |net(a) - net(b)| / |a - b|, from the exact norms of its layers.

    Parameters
    ----------
    net : torch.nn.Module
        Layers in sequence: `torch.nn.Linear` and `torch.nn.Sequential`, activations whose largest slope is known, and
        the layers of `divkit.neural.nets`. A stack counts as all of its critics.

    Returns
    -------
    float
        The product of the largest singular values of all matrices, computed in float64 and rounded up, and of the
        largest slopes of activations. It is for the function in exact arithmetic. inf if a parameter is not finite.

    Raises
    ------
    Unsupported
        For a layer of which no bound is known here: what cannot be proven is not guessed.

    Notes
    -----
    A power iteration converges from below, so it proves nothing; here a full singular value decomposition is made. The
    product is exact where the layers are orthogonal and the activations keep the length of gradients; for others it can
    be far too large.

    Examples
    --------
    >>> import torch
    >>> from divkit.neural.lipschitz import proven_lipschitz
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU())
    >>> with torch.no_grad():
    ...     _ = net[0].weight.copy_(torch.diag(torch.tensor([3.0, 1.0])))
    >>> round(proven_lipschitz(net), 12)
    3.0
    """
    if not isinstance(net, nn.Module):
        raise InvalidInput(f"net must be a torch.nn.Module, got {type(net).__name__}")
    return max(proven_lipschitz_of_each(net))


@torch.no_grad()
def proven_lipschitz_of_each(net: nn.Module) -> list[float]:
    """The constants of all critics of a stack; of a network as it is, a list of one.

    Parameters
    ----------
    net : torch.nn.Module

    Returns
    -------
    list of float

    Raises
    ------
    Unsupported
        As `proven_lipschitz`.
    """
    if isinstance(net, CriticStack):
        bounds = [1.0] * net.copies
        for layer in net.parts:
            bounds = [a * b for a, b in zip(bounds, _of_layer(layer), strict=True)]
        return bounds
    return _of_layer(net)


def _of_layer(layer: nn.Module) -> list[float]:
    if isinstance(layer, nn.Sequential):
        return [math.prod(_of_layer(part)[0] for part in layer)]
    if isinstance(layer, nn.Linear):
        return _norms(layer.weight.unsqueeze(0))
    if isinstance(layer, StackedLinear):
        return _norms(layer.matrix())
    if isinstance(layer, Residual):
        return _of_residual(layer)
    if isinstance(layer, Cones):
        return _of_cones(layer)
    slope = _SLOPES.get(type(layer))
    if slope is None:
        raise Unsupported(
            f"no Lipschitz constant is known for a layer {type(layer).__name__}; known are Linear, Sequential, "
            f"{', '.join(kind.__name__ for kind in _SLOPES)} and the layers of divkit.neural.nets. Replace the "
            f"layer, or read its value without a proof"
        )
    return [slope(layer)]


def _norms(matrices: Tensor) -> list[float]:
    """The largest singular values of (s, out, in), rounded up."""
    exact = matrices.detach().to("cpu", torch.float64)
    if not torch.isfinite(exact).all():
        return [math.inf] * len(exact)
    # The error of a computed singular value is a modest multiple of the dimension in units of the norm.
    slack = 1 + 8 * max(exact.shape[1:]) * _ROUNDING
    return [float(norm) * slack for norm in torch.linalg.matrix_norm(exact, 2)]


def _of_residual(layer: Residual) -> list[float]:
    """z -> z - 2 W T^-1 relu(W'z + b) has slopes of at most max(1, 2 l - 1), with l = |W T^-1/2|^2.

    The slopes of relu are a diagonal D between 0 and 1; W T^-1 D W' is symmetric with eigenvalues g between 0 and l,
    and the derivative of the layer has the eigenvalues 1 - 2 g. So rounding of T does no harm.
    """
    scales = layer.scales().detach().to("cpu", torch.float64).clamp_min(1e-12)  # (s, width), as they act
    weight = layer.weight.detach().to("cpu", torch.float64)
    if not (torch.isfinite(scales).all() and torch.isfinite(weight).all()):
        return [math.inf] * len(weight)
    return [max(1.0, 2 * norm**2 - 1) for norm in _norms(weight * scales.rsqrt().unsqueeze(1))]


def _of_cones(layer: Cones) -> list[float]:
    """|w| + |1 - w|: distances have slope 1, and an envelope, softened or not, has a mean of slopes of its parts."""
    shares = layer.shares().detach().to("cpu", torch.float64)
    finite = torch.stack([torch.isfinite(own).reshape(len(own), -1).all(1).cpu() for own in layer.parameters()]).all(0)
    bounds = (shares.abs() + (1 - shares).abs()) * (1 + 4 * _ROUNDING)
    return [float(bound) if ok else math.inf for bound, ok in zip(bounds, finite, strict=True)]
