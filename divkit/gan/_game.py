"""One step of the game of a GAN."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from divkit.gan._state import Players
from divkit.gan.nets import MLPDiscriminator, values_at
from divkit.gan.objectives import Objective, clip_parameters
from divkit.gan.penalties import judged
from divkit.gan.settings import Settings
from divkit.gan.tricks import Trick
from divkit.neural._parallel import averaged_gradients, averaged_numbers, share_of_batch

__all__ = ["Game", "Metrics"]

Metrics = dict[str, float]
_WARM: Final = 10  # steps that a running mean is short at first


class Game:
    """Two players, what they minimise, and the points they look at.

    Parameters
    ----------
    generator, discriminator : torch.nn.Module
        On the device of the points.
    objective : Objective
    points : Tensor, shape (N, ...)
    settings : Settings
    tricks : sequence of Trick
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        objective: Objective,
        points: Tensor,
        settings: Settings,
        tricks: Sequence[Trick],
    ) -> None:
        self.generator, self.discriminator = generator, discriminator
        self.objective, self.points, self.settings, self.tricks = objective, points, settings, tuple(tricks)
        self.average = copy.deepcopy(generator).requires_grad_(False) if settings.averaging is not None else None
        self.draws = torch.Generator(points.device).manual_seed(settings.seed)
        nets = {"generator": generator, "discriminator": discriminator, "average": self.average}
        adams = [
            torch.optim.Adam(net.parameters(), lr=rate, betas=settings.betas, eps=settings.eps, fused=True)
            for net, rate in zip((generator, discriminator), settings.rates, strict=True)
        ]
        self.players = Players({k: net for k, net in nets.items() if net is not None}, adams, self.tricks, self.draws)

    def play(self, step: int, *, look: bool) -> Metrics:
        """One step of the generator, after those of the discriminator; `step` are made already.

        The losses; where there is a look at it, also the bound, if the objective has one.
        """
        fade = self.settings.fade(step)
        for adam, rate in zip(self.players.adams, self.settings.rates, strict=True):
            adam.param_groups[0]["lr"] = rate * fade
        found: Metrics = {}
        steps = self.settings.critic_steps or self.objective.critic_steps
        for k in range(steps):
            found = self._discriminate(step, look=look and k == steps - 1)
        return averaged_numbers({**found, "generator_loss": self._generate(step)}, self.points.device)

    def _discriminate(self, step: int, *, look: bool) -> Metrics:
        """One step of the discriminator."""
        net, objective = self.discriminator, self.objective
        x = self._batch()
        with torch.no_grad():
            y = self.generator(self._batch_of_noise())
        x, y = self._seen(x, step), self._seen(y, step)
        v_p, v_q, penalty = judged(net, x, y, objective.penalty, self.draws)
        loss = objective.discriminator_loss(v_p, v_q)
        self._descend(
            "discriminator",
            net,
            loss if penalty is None else loss + objective.share_of_penalty(step / self.settings.steps) * penalty,
        )
        if objective.constraint == "clip":
            clip_parameters(net)
        elif isinstance(net, MLPDiscriminator):
            net.project()
        found = {"discriminator_loss": float(loss.detach())}
        if look and objective.bound is not None:
            found["bound"] = float(objective.bound(v_p.detach(), v_q.detach()))
        return found

    def _generate(self, step: int) -> float:
        """One step of the generator, against the discriminator as it is, or as a trick says."""
        net = self.discriminator
        x, y = self._seen(self._batch(), step), self._seen(self.generator(self._batch_of_noise()), step)
        losses = [trick.generator_loss(net, x, y) for trick in self.tricks]
        loss = next((found for found in losses if found is not None), None)
        if loss is None:
            loss = self.objective.generator_loss(*self._values(x, y))
        self._descend("generator", self.generator, loss)
        return float(loss.detach())

    def _values(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """What the generator's opponent says of both."""
        for trick in self.tricks:
            parameters = trick.opponent(self.discriminator, self.objective.discriminator_loss, x, y)
            if parameters is not None:
                return values_at(self.discriminator, x, y, parameters)
        v_q: Tensor = self.discriminator(y)
        with torch.no_grad():  # nothing of the generator is in them
            v_p: Tensor = self.discriminator(x) if self.objective.paired else v_q.new_empty(0)
        return v_p, v_q

    def _descend(self, player: str, net: nn.Module, loss: Tensor) -> None:
        adam = self.players.adams[0 if player == "generator" else 1]
        for trick in self.tricks:
            more = trick.own_loss(player, net)
            loss = loss if more is None else loss + more
        adam.zero_grad()
        own = [parameter for parameter in net.parameters() if parameter.requires_grad]
        torch.autograd.backward(loss, inputs=own)  # and not in the opponent's parameters
        averaged_gradients(net)
        adam.step()
        for trick in self.tricks:
            trick.after_step(player, net)

    @torch.no_grad()
    def follow(self, step: int) -> None:
        """The running mean of the generator's parameters after `step` steps; its buffers as they are."""
        average, longest = self.average, self.settings.averaging
        if average is None or longest is None:
            return
        decay = min(longest, step / (_WARM + step))  # short while there is little to keep
        for own, mean in zip(self.generator.parameters(), average.parameters(), strict=True):
            mean.lerp_(own, 1 - decay)
        for buffer, kept in zip(self.generator.buffers(), average.buffers(), strict=True):
            kept.copy_(buffer)

    def _seen(self, points: Tensor, step: int) -> Tensor:
        for trick in self.tricks:
            points = trick.seen(points, step / self.settings.steps, self.draws)
        return points

    def _batch(self) -> Tensor:
        rows = torch.randint(len(self.points), (self.settings.batch,), generator=self.draws, device=self.points.device)
        return self.points[share_of_batch(rows, 0)]

    def _batch_of_noise(self) -> Tensor:
        return share_of_batch(self.noise(self.settings.batch, self.draws), 0)

    def noise(self, count: int, draws: torch.Generator) -> Tensor:
        """Standard normal, (count, latent)."""
        return torch.randn((count, self.settings.latent), generator=draws, device=self.points.device)
