"""One loop that plays the game of a GAN, stops where it breaks, and goes on where it stopped."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from divkit._errors import InvalidInput, NotConverged
from divkit.gan._points import checked_points
from divkit.gan._state import Players, deferred_interrupt
from divkit.gan.nets import MLPDiscriminator, values_at
from divkit.gan.objectives import Objective, clip_parameters, resolve_objective
from divkit.gan.settings import Settings
from divkit.gan.tricks import Trick
from divkit.neural._checkpoint import digest, read_checkpoint, shapes_of, write_checkpoint
from divkit.neural._parallel import averaged_gradients, averaged_numbers, is_first, processes, share_of_batch

__all__ = ["Callback", "Metrics", "Trainer"]

Metrics = dict[str, float]
Callback = Callable[["Trainer", Metrics], None]
_WARM: Final = 10  # steps that a running mean is short at first
_BLOCK: Final = 4096  # points that are drawn at a time


class Trainer:
    """Trains a generator against a discriminator.

    Parameters
    ----------
    generator, discriminator : torch.nn.Module
        From noise (n, latent) to points (n, ...), and from points to raw values (n,). Changed in place.
    objective : str or Objective
        A name of `divkit.gan.objectives.OBJECTIVES`, or an object.
    points : array_like or Tensor, shape (N,) or (N, ...)
        The data, finite; kept on the device in float32.
    settings : Settings, optional
    tricks : sequence of Trick
        Applied in their order.
    device : str

    Attributes
    ----------
    step : int
        Steps of the generator made so far.
    history : list of dict
        The metrics of all looks.
    average : torch.nn.Module or None
        The generator with the running mean of its parameters.

    Raises
    ------
    InvalidInput
        For data that are not finite, empty, constant or of another shape than the generator makes, networks that do not
        fit, and unknown objectives.

    Examples
    --------
    >>> from divkit.datasets import ring_mixture
    >>> from divkit.gan.nets import mlp_pair
    >>> from divkit.gan.settings import Settings
    >>> from divkit.gan.trainer import Trainer
    >>> generator, discriminator = mlp_pair(2, 2, width=16, depth=1)
    >>> points = ring_mixture().sample(1000, 0)
    >>> trainer = Trainer(generator, discriminator, "non-saturating", points, Settings(steps=20, batch=32))
    >>> trainer.run()
    >>> trainer.step, tuple(trainer.sample(5).shape)
    (20, (5, 2))
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        objective: str | Objective,
        points: Any,
        settings: Settings | None = None,
        *,
        tricks: Sequence[Trick] = (),
        device: str = "cpu",
    ) -> None:
        self.settings = settings = settings or Settings()
        self.objective = resolve_objective(objective)
        self.generator, self.discriminator = generator.to(device), discriminator.to(device)
        self.points = checked_points(points).to(device)
        self._points_digest = digest(self.points)
        self.tricks = tuple(tricks)
        self.average = copy.deepcopy(generator).requires_grad_(False) if settings.averaging is not None else None
        self.draws = torch.Generator(device).manual_seed(settings.seed)
        self.step = 0
        self.history: list[Metrics] = []
        nets = {"generator": generator, "discriminator": discriminator, "average": self.average}
        adams = [
            torch.optim.Adam(net.parameters(), lr=rate, betas=settings.betas, eps=settings.eps, fused=True)
            for net, rate in zip((generator, discriminator), settings.rates, strict=True)
        ]
        self._players = Players({k: net for k, net in nets.items() if net is not None}, adams, self.tricks, self.draws)
        self._check_shapes()
        self._good = self._players.state(0)

    def run(
        self,
        callbacks: Sequence[Callback] = (),
        *,
        checkpoint: str | Path | None = None,
        metrics: str | Path | None = None,
        progress: bool = False,
    ) -> None:
        """Train until `settings.steps`, from a checkpoint if there is one.

        Parameters
        ----------
        callbacks : sequence of callable
            Called at every look with this trainer and the metrics, to which they may add numbers.
        checkpoint : path, optional
            Where the state is saved at every look, and after the step in which the run is interrupted (Ctrl-C); if the
            file is there, training goes on from it, to the same result as without the interruption.
        metrics : path, optional
            A file with the history, one JSON object a line, rewritten at every look.
        progress : bool
            A bar on standard error, where that is a terminal.

        Raises
        ------
        NotConverged
            If a loss is not finite; everything is then as it was at the last look, ``info`` has the step.
        InvalidInput
            For a checkpoint of another training.

        Notes
        -----
        Under `torch.distributed` every process takes its part of each batch, all draw the same random numbers, and
        gradients and metrics are averaged: with losses that are means over points, two processes do what one does with
        the whole batch. Where `divkit.losses.gradient_penalty` draws places, for other networks than perceptrons with
        relu, each process takes the same ones for its part. Callbacks are called in all of them; the first one writes
        the files.
        """
        path = None if checkpoint is None else Path(checkpoint)
        if path is not None and path.exists():
            self.load(path)
        from tqdm import tqdm

        bar = tqdm(total=self.settings.steps, initial=self.step, unit="step", disable=None if progress else True)
        with bar, deferred_interrupt() as interrupted:
            while self.step < self.settings.steps:
                found = self._play()
                bar.update()
                look = self.step % self.settings.look_every == 0 or self.step == self.settings.steps
                if look:
                    self._look(found, callbacks, metrics)
                    bar.set_postfix({name: f"{value:.4g}" for name, value in found.items() if name != "step"})
                if path is not None and is_first() and (look or interrupted):
                    self.save(path)
                if interrupted:
                    raise KeyboardInterrupt

    @property
    def best(self) -> nn.Module:
        """A copy of the generator of the best look by `Settings.keep_best`.

        Raises
        ------
        InvalidInput
            If none was kept.
        """
        if self._players.kept is None:
            raise InvalidInput("no generator was kept: name a metric by Settings(keep_best=...), and run to a look")
        found = copy.deepcopy(self._players.judged)
        found.load_state_dict(self._players.kept)
        return found

    @torch.no_grad()
    def sample(self, count: int, seed: int = 0, *, best: bool = False) -> Tensor:
        """Points (count, ...) of the generator, with its averaged parameters if there are any.

        Parameters
        ----------
        count : int
        seed : int
            Of the noise; the random numbers of the training are left alone.
        best : bool
            Take the generator of the best look instead of the present one.
        """
        net = self.best if best else self._players.judged
        draws = torch.Generator(self.points.device).manual_seed(seed)
        was_training = net.training
        net.eval()
        sizes = [min(_BLOCK, count - start) for start in range(0, count, _BLOCK)]
        found = torch.cat([net(self._noise(size, draws)) for size in sizes])
        net.train(was_training)
        return found

    def save(self, path: str | Path) -> None:
        """All that the next step depends on, in one file."""
        content = {**self._players.state(self.step), "history": json.dumps(self.history)}
        write_checkpoint(Path(path), self._training(), content)

    def load(self, path: str | Path) -> None:
        """Go on from there.

        Raises
        ------
        InvalidInput
            If the file is no checkpoint of this training.
        """
        content = read_checkpoint(Path(path), self._training(), self.points.device)
        self.step, self.history = self._players.restore(content), json.loads(content["history"])
        self._good = self._players.state(self.step)

    def _training(self) -> dict[str, Any]:
        """What two trainings have in common if one can go on where the other stopped."""
        return {
            **asdict(self.settings),
            "objective": self.objective.name,
            "tricks": [repr(trick) for trick in self.tricks],
            "networks": {name: shapes_of(net) for name, net in self._players.nets.items()},
            "points": self._points_digest,
        }

    def _play(self) -> Metrics:
        """One step of the generator, after those of the discriminator."""
        fade = self.settings.fade(self.step)
        for adam, rate in zip(self._players.adams, self.settings.rates, strict=True):
            adam.param_groups[0]["lr"] = rate * fade
        found: Metrics = {}
        for _ in range(self.settings.critic_steps or self.objective.critic_steps):
            found = self._discriminate()
        found = averaged_numbers({**found, "generator_loss": self._generate()}, self.points.device)
        self.step += 1
        found = {"step": self.step, **found}
        self._demand_finite(found)
        if self.average is not None:
            self._follow(self.average)
        return found

    def _discriminate(self) -> Metrics:
        """One step of the discriminator."""
        net, objective = self.discriminator, self.objective
        x = self._batch()
        with torch.no_grad():
            y = self.generator(self._batch_of_noise())
        x, y = self._seen(x), self._seen(y)
        v_p, v_q = values_at(net, x, y)
        loss = total = objective.discriminator_loss(v_p, v_q)
        if objective.penalty is not None:
            total = total + objective.penalty(net, x, y, self.draws)
        self._descend("discriminator", net, total)
        if objective.constraint == "clip":
            clip_parameters(net)
        elif isinstance(net, MLPDiscriminator):
            net.project()
        found = {"discriminator_loss": float(loss.detach())}
        if objective.bound is not None:
            found["bound"] = float(objective.bound(v_p.detach(), v_q.detach()))
        return found

    def _generate(self) -> float:
        """One step of the generator, against the discriminator as it is, or as a trick says."""
        net = self.discriminator
        x, y = self._seen(self._batch()), self._seen(self.generator(self._batch_of_noise()))
        net.requires_grad_(False)
        losses = [trick.generator_loss(net, x, y) for trick in self.tricks]
        loss = next((found for found in losses if found is not None), None)
        if loss is None:
            loss = self.objective.generator_loss(*self._values(x, y))
        self._descend("generator", self.generator, loss)
        net.requires_grad_(True)
        return float(loss.detach())

    def _values(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """What the generator's opponent says of both."""
        for trick in self.tricks:
            parameters = trick.opponent(self.discriminator, self.objective.discriminator_loss, x, y)
            if parameters is not None:
                return values_at(self.discriminator, x, y, parameters)
        if self.objective.paired:
            return values_at(self.discriminator, x, y)
        v_q: Tensor = self.discriminator(y)
        return v_q.new_empty(0), v_q

    def _descend(self, player: str, net: nn.Module, loss: Tensor) -> None:
        adam = self._players.adams[0 if player == "generator" else 1]
        for trick in self.tricks:
            more = trick.own_loss(player, net)
            loss = loss if more is None else loss + more
        adam.zero_grad()
        torch.autograd.backward(loss)
        averaged_gradients(net)
        adam.step()
        for trick in self.tricks:
            trick.after_step(player, net)

    @torch.no_grad()
    def _follow(self, average: nn.Module) -> None:
        """The running mean of the generator's parameters; its buffers as they are."""
        assert self.settings.averaging is not None
        decay = min(self.settings.averaging, self.step / (_WARM + self.step))  # short while there is little to keep
        for own, mean in zip(self.generator.parameters(), average.parameters(), strict=True):
            mean.lerp_(own, 1 - decay)
        for buffer, kept in zip(self.generator.buffers(), average.buffers(), strict=True):
            kept.copy_(buffer)

    def _look(self, found: Metrics, callbacks: Sequence[Callback], metrics: str | Path | None) -> None:
        for callback in callbacks:
            callback(self, found)
        if self.settings.keep_best is not None:
            name = self.settings.keep_best
            if name not in found:
                known = ", ".join(found)
                raise InvalidInput(f"keep_best must be one of {known}, got {name!r}; pass a callback that adds it")
            self._players.note(found[name])
        self.history.append(found)
        self._good = self._players.state(self.step)
        if metrics is not None and is_first():
            lines = "".join(json.dumps(line) + "\n" for line in self.history)
            Path(metrics).write_text(lines, encoding="utf-8")

    def _demand_finite(self, found: Metrics) -> None:
        wrong = [name for name, value in found.items() if not math.isfinite(value)]
        if wrong:
            step, self.step = self.step, self._players.restore(self._good)
            raise NotConverged(
                f"{wrong[0]} of {self.objective.name} is not finite at step {step}, and the networks are again as at "
                f"step {self.step}: use a lower learning rate than {self.settings.learning_rate:g}, or an objective "
                f"with bounded gradients",
                info={"step": step, "restored": self.step},
            )

    @property
    def _time(self) -> float:
        """From 0 to 1."""
        return self.step / self.settings.steps

    def _seen(self, points: Tensor) -> Tensor:
        for trick in self.tricks:
            points = trick.seen(points, self._time, self.draws)
        return points

    def _batch(self) -> Tensor:
        rows = torch.randint(len(self.points), (self.settings.batch,), generator=self.draws, device=self.points.device)
        return self.points[share_of_batch(rows, 0)]

    def _batch_of_noise(self) -> Tensor:
        return share_of_batch(self._noise(self.settings.batch, self.draws), 0)

    def _noise(self, count: int, draws: torch.Generator) -> Tensor:
        return torch.randn((count, self.settings.latent), generator=draws, device=self.points.device)

    @torch.no_grad()
    def _check_shapes(self) -> None:
        """Find out before the first step what does not fit."""
        for trick in self.tricks:
            trick.check(self.settings.batch // processes(), self.discriminator)
        made = self.sample(2)
        if made.shape[1:] != self.points.shape[1:]:
            raise InvalidInput(
                f"points have shape {tuple(self.points.shape)}, but the generator makes points of shape "
                f"{tuple(made.shape[1:])}; reshape the data, or take another generator"
            )
