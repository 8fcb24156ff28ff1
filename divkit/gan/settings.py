"""How a GAN is trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from divkit._checks import check_integer
from divkit._errors import InvalidInput

__all__ = ["ALIKE", "Settings"]

ALIKE: Final = 1.5  # times its least value a metric may be to be as good: it is of samples, and scatters

_SCHEDULES: Final[Mapping[str, Callable[[float], float]]] = {
    "constant": lambda t: 1.0,
    "linear": lambda t: 1.0 - t,
    "cosine": lambda t: 0.5 * (1 + math.cos(math.pi * t)),
}


@dataclass(frozen=True)
class Settings:
    """How a GAN is trained.

    Parameters
    ----------
    steps : int
        Of the generator.
    batch : int
        Points of the data, and of the model, a step of either network.
    latent : int
        Dimension of the noise, standard normal.
    learning_rate, discriminator_rate : float
        Of Adam; the second is the first one by default.
    betas : (float, float)
    eps : float
        Of Adam, positive; more than its usual 1e-8, as gradients vanish where players are near their equilibrium, and
        what is left of them, noise, is not to be divided by its own size.
    schedule : {"constant", "linear", "cosine"}
        Of both rates, to 0.
    warmup : float
        Share of the training, in [0, 1), during which both rates rise from 0: at full rates the first steps of a game
        can kill every unit of the generator, and nothing comes back from that.
    critic_steps : int or None
        Steps of the discriminator for each of the generator; None takes those of the objective.
    averaging : float or None
        Decay of the running mean of the generator's parameters, from which points are drawn in the end; None for none.
    look_every : int
        Steps between metrics.
    keep_best : str or None
        A metric that callbacks add: the generator of the last look at which it is at most 1.5 times its least value is
        kept as `Trainer.best`.
    setback : float or None
        With `keep_best`: where the metric is more than so many times its least value, networks and optimizers go back
        to the look that is kept, and the training goes on from there with other batches. More than 1.5; None for never.
    seed : int
    """

    steps: int = 10_000
    batch: int = 256
    latent: int = 2
    learning_rate: float = 2e-4
    discriminator_rate: float | None = None
    betas: tuple[float, float] = (0.0, 0.99)
    eps: float = 1e-5
    schedule: str = "cosine"
    warmup: float = 0.0
    critic_steps: int | None = None
    averaging: float | None = 0.999
    look_every: int = 100
    keep_best: str | None = None
    setback: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "latent", "look_every"):
            object.__setattr__(self, name, check_integer(name, getattr(self, name), 1))
        if self.critic_steps is not None:
            object.__setattr__(self, "critic_steps", check_integer("critic_steps", self.critic_steps, 1))
        for name in ("learning_rate", "discriminator_rate", "eps"):
            rate = getattr(self, name)
            if rate is not None and not (rate > 0 and math.isfinite(rate)):
                raise InvalidInput(f"{name} must be positive and finite, got {rate!r}")
        if self.schedule not in _SCHEDULES:
            raise InvalidInput(f"schedule must be one of {', '.join(_SCHEDULES)}, got {self.schedule!r}")
        if self.setback is not None and not (self.setback > ALIKE and math.isfinite(self.setback)):
            raise InvalidInput(f"setback must be finite and above {ALIKE}, or None, got {self.setback!r}")
        if not 0 <= self.warmup < 1:
            raise InvalidInput(f"warmup must be in [0, 1), a share of the steps, got {self.warmup!r}")
        if self.averaging is not None and not 0 <= self.averaging < 1:
            raise InvalidInput(f"averaging must be in [0, 1) or None, got {self.averaging!r}")

    @property
    def rates(self) -> tuple[float, float]:
        """Learning rates of generator and discriminator."""
        return self.learning_rate, self.discriminator_rate or self.learning_rate

    def fade(self, step: int) -> float:
        """The share of the learning rates at a step."""
        rising = min(1.0, (step + 1) / (self.warmup * self.steps)) if self.warmup else 1.0
        return rising * _SCHEDULES[self.schedule](step / self.steps)
