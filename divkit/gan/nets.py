"""Perceptrons as generators and discriminators, with noise that jumps and waves that see what is narrow."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from divkit._checks import check_integer
from divkit._errors import InvalidInput
from divkit.neural.nets import ACTIVATIONS, critic_stack, mlp

__all__ = [
    "FourierFeatures",
    "MLPDiscriminator",
    "SignedNoise",
    "mlp_pair",
    "seeded",
    "values_at",
]


class FourierFeatures(nn.Module):
    """Appends cosines and sines of random projections to points (Rahimi and Recht 2007; Tancik et al. 2020).

    A perceptron learns what varies slowly first; with waves as inputs it sees modes that are narrow and close.

    Parameters
    ----------
    d : int
    waves : int
        Projections, each with a cosine and a sine.
    scale : float
        Standard deviation of the frequencies, in radians by the unit of the points.
    generator : torch.Generator, optional
        For the frequencies.
    """

    frequencies: Tensor

    def __init__(self, d: int, waves: int, scale: float, generator: torch.Generator | None = None) -> None:
        super().__init__()
        d, waves = check_integer("d", d, 1), check_integer("waves", waves, 1)
        if not (scale > 0 and math.isfinite(scale)):
            raise InvalidInput(f"scale must be positive and finite, got {scale!r}")
        self.register_buffer("frequencies", scale * torch.randn((d, waves), generator=generator))

    def forward(self, points: Tensor) -> Tensor:
        """(n, d) to (n, d + 2 waves)."""
        phases = points @ self.frequencies
        return torch.cat([points, torch.cos(phases), torch.sin(phases)], dim=1)

    def pulled_back(self, features: Tensor, slopes: Tensor) -> Tensor:
        """Slopes in the features as slopes in the points, from both, (n, d + 2 waves), to (n, d)."""
        d, waves = self.frequencies.shape
        cos, sin = features[:, d : d + waves], features[:, d + waves :]
        by_phase = slopes[:, d + waves :] * cos - slopes[:, d : d + waves] * sin
        found: Tensor = slopes[:, :d] + by_phase @ self.frequencies.mT
        return found


class MLPDiscriminator(nn.Module):
    """A perceptron, points (n, d) to values (n,): one critic of `divkit.neural.nets`.

    Parameters
    ----------
    d, width, depth : int
    constraint : str
        A name of `divkit.neural.nets.CONSTRAINTS`; relu between the layers, MaxMin for "groupsort".
    generator : torch.Generator, optional
        For the initial parameters.
    waves : FourierFeatures, optional
        Of the points, in front; only where nothing is constrained.
    """

    def __init__(
        self,
        d: int,
        width: int,
        depth: int,
        constraint: str = "none",
        generator: torch.Generator | None = None,
        waves: FourierFeatures | None = None,
    ) -> None:
        super().__init__()
        if waves is not None and constraint not in ("none", "clip"):
            raise InvalidInput(f"waves have slopes of their own, so that no constraint {constraint!r} would hold")
        activation = "maxmin" if constraint == "groupsort" else "relu"
        d_in = d if waves is None else d + 2 * waves.frequencies.shape[1]
        self.waves = waves
        self.stack = critic_stack(
            d_in, width=width, depth=depth, constraint=constraint, activation=activation, generator=generator
        )

    def forward(self, points: Tensor) -> Tensor:
        """(n, d) to (n,)."""
        values: Tensor = self.stack(self._inputs(points)).squeeze(0)
        return values

    def features(self, points: Tensor) -> Tensor:
        """What the last hidden layer says, (n, width)."""
        z = self._inputs(points)
        for layer in self.stack.parts[:-1]:
            z = ACTIVATIONS[self.stack.activation](layer(z))
        return z

    def values_and_slopes(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Values (n,) and gradients in the points, (n, d), as those of `CriticStack`; only for relu."""
        inputs = self._inputs(points)
        values, slopes = (found.squeeze(0) for found in self.stack.values_and_slopes(inputs.unsqueeze(0)))
        return values, slopes if self.waves is None else self.waves.pulled_back(inputs, slopes)

    def slopes(self, points: Tensor) -> Tensor:
        """The second of `values_and_slopes`, for less where no values are needed."""
        inputs = self._inputs(points)
        slopes = self.stack.slopes(inputs.unsqueeze(0)).squeeze(0)
        return slopes if self.waves is None else self.waves.pulled_back(inputs, slopes)

    def project(self) -> None:
        """What the constraint does after a step."""
        self.stack.project()

    def _inputs(self, points: Tensor) -> Tensor:
        return points if self.waves is None else self.waves(points)


class SignedNoise(nn.Module):
    """Replaces the last coordinates of normal noise by their signs.

    A continuous function of normal noise has connected values: between modes that are apart there must be a bridge, and
    points on it. With signs the noise falls into 2^codes parts, each of which can become a mode of its own (as the
    categorical codes of Chen et al. 2016 and of Khayatkhoei, Singh and Elgammal 2018).

    Parameters
    ----------
    codes : int
        Coordinates that become signs.
    """

    def __init__(self, codes: int) -> None:
        super().__init__()
        self.codes = check_integer("codes", codes, 1)

    def forward(self, noise: Tensor) -> Tensor:
        """(n, latent) to (n, latent)."""
        plain, signed = noise[:, : -self.codes], noise[:, -self.codes :]
        return torch.cat([plain, torch.where(signed < 0, -1.0, 1.0)], dim=1)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Initial parameters inside come from a seed; torch's own generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def mlp_pair(
    latent: int,
    d: int,
    *,
    width: int = 128,
    depth: int = 3,
    codes: int = 0,
    waves: int = 0,
    scale: float = 10.0,
    constraint: str = "none",
    seed: int = 0,
) -> tuple[nn.Module, nn.Module]:
    """A generator (n, latent) to (n, d), and a discriminator (n, d) to (n,), both of `depth` hidden layers.

    Parameters
    ----------
    latent, d, width, depth : int
    codes : int
        Coordinates of the noise, fewer than `latent`, of which only the sign counts: for laws of separate modes.
    waves, scale : int and float
        Of the discriminator's `FourierFeatures`, if there are any: for laws of narrow modes.
    constraint : str
        Of the discriminator, as in `divkit.gan.objectives.Objective`.
    seed : int
        For the initial parameters; torch's own generator is left as it was.

    Raises
    ------
    InvalidInput
        For sizes below 1, as many codes as noise or more, and unknown constraints.
    """
    sizes = {"latent": latent, "d": d, "width": width, "depth": depth}
    for name, value in sizes.items():
        check_integer(name, value, 1)
    if not 0 <= check_integer("codes", codes, 0) < latent:
        raise InvalidInput(f"codes must be fewer than latent = {latent}, got {codes}; take more noise")
    with seeded(seed):
        generator = mlp(latent, d, width=width, depth=depth)
    if codes:
        generator = nn.Sequential(SignedNoise(codes), *generator)
    draws = torch.Generator().manual_seed(seed)
    features = FourierFeatures(d, waves, scale, draws) if waves else None
    return generator, MLPDiscriminator(d, width, depth, constraint, draws, features)


def values_at(
    net: nn.Module, x: Tensor, y: Tensor, parameters: Mapping[str, Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """What a discriminator says of the points of both, (n,) and (m,).

    In one pass, but in two where it normalises batches, or has a layer with the attribute `of_one_kind`: in a mixed one
    it would meet other means than in one of the model alone, from which the generator learns.

    Parameters
    ----------
    net : torch.nn.Module
    x, y : Tensor, shape (n, ...) and (m, ...)
    parameters : mapping of str to Tensor, optional
        Taken in place of its own.
    """

    def values(points: Tensor) -> Tensor:
        found: Tensor = net(points) if parameters is None else functional_call(net, dict(parameters), (points,))
        return found

    if any(isinstance(own, _BatchNorm) or getattr(own, "of_one_kind", False) for own in net.modules()):
        return values(x), values(y)
    both = values(torch.cat([x, y]))
    return both[: len(x)], both[len(x) :]
