"""What has been found to keep a GAN together, each a small object that a trainer is given."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from divkit._checks import check_integer
from divkit._errors import InvalidInput
from divkit.gan.nets import values_at
from divkit.gan.objectives import Loss
from divkit.neural._parallel import processes, share_of_batch

__all__ = ["FeatureMatching", "HistoricalAveraging", "InstanceNoise", "Packing", "Trick", "Unrolling", "feature_gap"]


class Trick:
    """Something that a trainer does besides; by itself it does nothing.

    Subclasses change what the discriminator sees of points, what either player minimises, or the discriminator that the
    generator meets.
    """

    def check(self, batch: int, discriminator: nn.Module) -> None:
        """Raise InvalidInput if it does not fit."""

    def seen(self, points: Tensor, time: float, draws: torch.Generator) -> Tensor:
        """What the discriminator sees of points (n, ...), of the data or of the model, at a time from 0 to 1."""
        return points

    def own_loss(self, player: str, net: nn.Module) -> Tensor | None:
        """Added to the loss of "generator" or "discriminator"."""
        return None

    def generator_loss(self, discriminator: nn.Module, x: Tensor, y: Tensor) -> Tensor | None:
        """Taken instead of that of the objective, from points as the discriminator sees them."""
        return None

    def opponent(self, discriminator: nn.Module, loss: Loss, x: Tensor, y: Tensor) -> Mapping[str, Tensor] | None:
        """Parameters of the discriminator that the generator plays against, if they are not the present ones."""
        return None

    def after_step(self, player: str, net: nn.Module) -> None:
        """Look at a network that has just been changed."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint has to hold."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""


@dataclass(frozen=True)
class InstanceNoise(Trick):
    """The same Gaussian noise on data and on the model's points, falling to 0 (Sonderby et al. 2017; Arjovsky 2017).

    Parameters
    ----------
    std : float
        At the start, in the units of the data.
    until : float
        Share of the training after which there is none.
    """

    std: float = 0.1
    until: float = 0.5

    def __post_init__(self) -> None:
        if not (self.std >= 0 and math.isfinite(self.std)):
            raise InvalidInput(f"std must be finite and at least 0, got {self.std!r}")
        if not 0 < self.until <= 1:
            raise InvalidInput(f"until must be in (0, 1], got {self.until!r}")

    def seen(self, points: Tensor, time: float, draws: torch.Generator) -> Tensor:
        """Points with noise."""
        std = self.std * max(0.0, 1 - time / self.until)
        if std == 0:
            return points
        shape = (len(points) * processes(), *points.shape[1:])  # for the whole batch, as the batch itself is
        noise = torch.randn(shape, generator=draws, device=points.device, dtype=points.dtype)
        return points + std * share_of_batch(noise, 0)


@dataclass(frozen=True)
class Packing(Trick):
    """The discriminator judges m points of one kind at once, side by side (PacGAN: Lin et al. 2018).

    Parameters
    ----------
    m : int
        Divides the batch; the discriminator takes points of m times as many coordinates, or channels.
    """

    m: int = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "m", check_integer("m", self.m, 2))

    def check(self, batch: int, discriminator: nn.Module) -> None:
        """The batch has to fall into packs."""
        if batch % self.m:
            raise InvalidInput(f"batch of a process must be divisible by m = {self.m} of Packing, got {batch}")

    def seen(self, points: Tensor, time: float, draws: torch.Generator) -> Tensor:
        """(n, c, ...) to (n / m, m c, ...)."""
        return points.reshape(len(points) // self.m, self.m * points.shape[1], *points.shape[2:])


def feature_gap(features: Any, x: Tensor, y: Tensor) -> Tensor:
    """|E_P h - E_Q h|^2 of features h (n, k): the difference of the *means* (Salimans et al. 2016, section 3.1)."""
    gap: Tensor = features(x).flatten(1).mean(0) - features(y).flatten(1).mean(0)
    return gap.square().sum()


@dataclass(frozen=True)
class FeatureMatching(Trick):
    """The generator makes the mean of what the discriminator's last hidden layer says equal under data and model.

    The discriminator needs a method `features`, from points (n, ...) to (n, k).
    """

    def check(self, batch: int, discriminator: nn.Module) -> None:
        """There must be features."""
        if not callable(getattr(discriminator, "features", None)):
            raise InvalidInput(
                f"FeatureMatching needs a discriminator with a method features(points), and "
                f"{type(discriminator).__name__} has none; divkit.gan.nets.MLPDiscriminator has it"
            )

    def generator_loss(self, discriminator: nn.Module, x: Tensor, y: Tensor) -> Tensor | None:
        """The gap of the means."""
        return feature_gap(discriminator.features, x, y)


@dataclass(frozen=True)
class HistoricalAveraging(Trick):
    """Adds factor |theta - mean of all theta so far|^2 to the loss of both players (Salimans et al. 2016, section 3.3).

    Parameters
    ----------
    factor : float
    """

    factor: float = 1.0
    _means: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not (self.factor >= 0 and math.isfinite(self.factor)):
            raise InvalidInput(f"factor must be finite and at least 0, got {self.factor!r}")

    def own_loss(self, player: str, net: nn.Module) -> Tensor | None:
        """The squared distance from the mean."""
        kept = self._means.get(player)
        if kept is None:
            return None
        gaps = [(own - mean).square().sum() for own, mean in zip(net.parameters(), kept["mean"], strict=True)]
        return self.factor * torch.stack(gaps).sum()

    @torch.no_grad()
    def after_step(self, player: str, net: nn.Module) -> None:
        """One more value in the mean."""
        kept = self._means.setdefault(player, {"count": 0, "mean": [torch.zeros_like(p) for p in net.parameters()]})
        kept["count"] += 1
        for own, mean in zip(net.parameters(), kept["mean"], strict=True):
            mean.lerp_(own, 1 / kept["count"])

    def state_dict(self) -> dict[str, Any]:
        """The means."""
        return dict(self._means)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self._means.clear()
        self._means.update({name: {"count": own["count"], "mean": list(own["mean"])} for name, own in state.items()})


@dataclass(frozen=True)
class Unrolling(Trick):
    """The generator plays against the discriminator as it would be after k steps of gradient descent on this batch.

    Its gradient passes through those steps; the discriminator itself then makes its one real step (Metz et al. 2017).

    Parameters
    ----------
    k : int
    rate : float
        Of the steps that are imagined, by gradient descent.
    """

    k: int = 5
    rate: float = 0.01

    def __post_init__(self) -> None:
        object.__setattr__(self, "k", check_integer("k", self.k, 1))
        if not (self.rate > 0 and math.isfinite(self.rate)):
            raise InvalidInput(f"rate must be positive and finite, got {self.rate!r}")

    def opponent(self, discriminator: nn.Module, loss: Loss, x: Tensor, y: Tensor) -> Mapping[str, Tensor] | None:
        """Its parameters after k steps, with their history."""
        parameters = {name: own.detach().requires_grad_() for name, own in discriminator.named_parameters()}
        for _ in range(self.k):
            value = loss(*values_at(discriminator, x, y, parameters))
            found = torch.autograd.grad(value, list(parameters.values()), create_graph=True)
            parameters = {
                name: own - self.rate * slope for (name, own), slope in zip(parameters.items(), found, strict=True)
            }
        return parameters
