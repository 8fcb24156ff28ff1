"""The convolutions of DCGAN, for square images (Radford, Metz and Chintala 2016)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Final

import torch
from torch import nn

from divkit._errors import InvalidInput

__all__ = ["SIDES", "dcgan_discriminator", "dcgan_generator"]

# Of square images, each with the sides of its feature maps.
SIDES: Final = {8: (2, 4, 8), 28: (7, 14, 28), 32: (4, 8, 16, 32), 64: (4, 8, 16, 32, 64)}
_NORMS: Final[dict[str, Callable[[int], nn.Module]]] = {
    "batch": nn.BatchNorm2d,
    "layer": lambda channels: nn.GroupNorm(1, channels),
}


def dcgan_generator(latent: int, channels: int, side: int, *, width: int = 64) -> nn.Sequential:
    """(n, latent) to images (n, channels, side, side) in [-1, 1]: Radford, Metz and Chintala (2016).

    Transposed convolutions that double the side, batch normalisation everywhere but at the output, relu, tanh at the
    end.

    Parameters
    ----------
    latent, channels : int
    side : {8, 28, 32, 64}
    width : int
        Channels before the last layer; each layer towards the noise has twice as many.
    """
    sides = _sides(side)
    depths = [width * 2**i for i in reversed(range(len(sides) - 1))]  # channels at each side but the last
    layers: list[nn.Module] = [
        nn.Unflatten(1, (latent, 1, 1)),
        nn.ConvTranspose2d(latent, depths[0], sides[0], bias=False),
        nn.BatchNorm2d(depths[0]),
        nn.ReLU(),
    ]
    for fan_in, fan_out in pairwise(depths):
        layers += [nn.ConvTranspose2d(fan_in, fan_out, 4, 2, 1, bias=False), nn.BatchNorm2d(fan_out), nn.ReLU()]
    layers += [nn.ConvTranspose2d(depths[-1], channels, 4, 2, 1), nn.Tanh()]
    return _initialised(nn.Sequential(*layers))


def dcgan_discriminator(channels: int, side: int, *, width: int = 64, normalise: str = "batch") -> nn.Sequential:
    """Images (n, channels, side, side) to raw values (n,): strided convolutions, leaky relu of 0.2, no normalisation of
    the input.

    Parameters
    ----------
    channels : int
    side : {8, 28, 32, 64}
    width : int
        Channels of the first layer; each further one has twice as many.
    normalise : {"batch", "layer"}
        Over what; "layer" where a penalty is on the slope at each image, which must not depend on the others
        (Gulrajani et al. 2017, section 4).
    """
    sides = _sides(side)
    depths = [width * 2**i for i in range(len(sides) - 1)]
    if normalise not in _NORMS:
        raise InvalidInput(f"normalise must be one of {', '.join(_NORMS)}, got {normalise!r}")
    norm = _NORMS[normalise]
    layers: list[nn.Module] = [nn.Conv2d(channels, depths[0], 4, 2, 1), nn.LeakyReLU(0.2)]
    for fan_in, fan_out in pairwise(depths):
        layers += [nn.Conv2d(fan_in, fan_out, 4, 2, 1, bias=False), norm(fan_out), nn.LeakyReLU(0.2)]
    layers += [nn.Conv2d(depths[-1], 1, sides[0]), nn.Flatten(0)]
    return _initialised(nn.Sequential(*layers))


def _sides(side: int) -> tuple[int, ...]:
    if side not in SIDES:
        raise InvalidInput(f"side must be one of {', '.join(map(str, SIDES))}, got {side!r}; resize the images")
    return SIDES[side]


@torch.no_grad()
def _initialised(net: nn.Sequential) -> nn.Sequential:
    """All weights from N(0, 0.02^2), those of normalisations around 1, as in the paper."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.weight.normal_(0.0, 0.02)
            if module.bias is not None:
                module.bias.zero_()
        elif isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
            module.weight.normal_(1.0, 0.02)
            module.bias.zero_()
    return net
