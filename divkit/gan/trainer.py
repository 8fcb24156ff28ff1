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

from divkit._device import check_device
from divkit._errors import InvalidInput, NotConverged
from divkit.gan._game import Game, Metrics
from divkit.gan._points import checked_points
from divkit.gan._state import deferred_interrupt
from divkit.gan.objectives import Objective, resolve_objective
from divkit.gan.settings import Settings
from divkit.gan.tricks import Trick
from divkit.neural._checkpoint import digest, read_checkpoint, shapes_of, write_checkpoint
from divkit.neural._parallel import is_first, processes

__all__ = ["Callback", "Metrics", "Trainer"]

Callback = Callable[["Trainer", Metrics], None]
_BLOCK: Final = 4096  # points that are drawn at a time
_NOTHING_KEPT: Final = "no generator was kept: name a metric by Settings(keep_best=...), and run to a look"


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
        place = check_device(device)
        self.generator, self.discriminator = generator.to(place), discriminator.to(place)
        self.points = checked_points(points).to(place)
        self._points_digest = digest(self.points)
        self.tricks = tuple(tricks)
        self._game = Game(generator, discriminator, self.objective, self.points, settings, self.tricks)
        self._players, self.average = self._game.players, self._game.average
        self.step = 0
        self.history: list[Metrics] = []
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
                following = self.step + 1
                look = following % self.settings.look_every == 0 or following == self.settings.steps
                found = self._play(look)
                bar.update()
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
        if self._players.judged_then is None:
            raise InvalidInput(_NOTHING_KEPT)
        found = copy.deepcopy(self._players.judged)
        found.load_state_dict(self._players.judged_then)
        return found

    @property
    def best_value(self) -> float:
        """The metric of `Settings.keep_best` at the look whose generator is kept.

        Raises
        ------
        InvalidInput
            If none was kept.
        """
        found = self._players.kept_value
        if found is None:
            raise InvalidInput(_NOTHING_KEPT)
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
        found = torch.cat([net(self._game.noise(size, draws)) for size in sizes])
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
            "penalty_end": self.objective.penalty_end,
            "tricks": [repr(trick) for trick in self.tricks],
            "networks": {name: shapes_of(net) for name, net in self._players.nets.items()},
            "points": self._points_digest,
        }

    def _play(self, look: bool) -> Metrics:
        """One step, or a refusal of what came out."""
        found = {"step": self.step + 1, **self._game.play(self.step, look=look)}
        wrong = [name for name, value in found.items() if not math.isfinite(value)]
        if wrong:
            self.step = self._players.restore(self._good)
            raise NotConverged(
                f"{wrong[0]} of {self.objective.name} is not finite at step {found['step']:.0f}, and the networks are "
                f"again as at step {self.step}: use a lower learning rate than {self.settings.learning_rate:g}, or an "
                f"objective with bounded gradients",
                info={"step": found["step"], "restored": self.step},
            )
        self.step += 1
        self._game.follow(self.step)
        return found

    def _look(self, found: Metrics, callbacks: Sequence[Callback], metrics: str | Path | None) -> None:
        for callback in callbacks:
            callback(self, found)
        if self.settings.keep_best is not None:
            name = self.settings.keep_best
            if name not in found:
                known = ", ".join(found)
                raise InvalidInput(f"keep_best must be one of {known}, got {name!r}; pass a callback that adds it")
            if self._players.note(found[name], self.settings.setback):
                found["set_back"] = 1.0
        self.history.append(found)
        self._good = self._players.state(self.step)
        if metrics is not None and is_first():
            lines = "".join(json.dumps(line) + "\n" for line in self.history)
            Path(metrics).write_text(lines, encoding="utf-8")

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
