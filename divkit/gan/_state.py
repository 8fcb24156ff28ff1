"""What the next step of a training depends on, as it is kept in memory and in a checkpoint."""

from __future__ import annotations

import copy
import math
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from divkit.gan.settings import ALIKE
from divkit.gan.tricks import Trick

__all__ = ["Players", "deferred_interrupt"]


class Players:
    """Networks, their optimizers, tricks and random numbers.

    Parameters
    ----------
    nets : mapping of str to Module
    adams : sequence of Optimizer
    tricks : sequence of Trick
    draws : torch.Generator
    """

    def __init__(
        self,
        nets: Mapping[str, nn.Module],
        adams: Sequence[torch.optim.Optimizer],
        tricks: Sequence[Trick],
        draws: torch.Generator,
    ) -> None:
        self.nets, self.adams, self.tricks, self.draws = dict(nets), list(adams), list(tricks), draws
        self.least = math.inf
        self.kept: dict[str, Any] | None = None  # networks, optimizers and tricks at the look that is kept

    @property
    def judged(self) -> nn.Module:
        """The network that points are drawn from."""
        return self.nets[self._judged]

    @property
    def judged_then(self) -> dict[str, Any] | None:
        """Its state at the look that is kept."""
        return None if self.kept is None else self.kept["nets"][self._judged]

    @property
    def kept_value(self) -> float | None:
        """The metric at the look that is kept."""
        return None if self.kept is None else float(self.kept["value"])

    @property
    def _judged(self) -> str:
        return "average" if "average" in self.nets else "generator"

    def note(self, value: float, setback: float | None = None) -> bool:
        """Keep the players as they are, unless they were clearly better before.

        Metrics are of samples, and scatter: what is within half as much again as the least value is as good, and the
        latest of these is kept. So it is the end of a training, unless that went wrong. Whether all players went back
        to that look, the value being more than `setback` times the least.
        """
        if value <= self.least + (ALIKE - 1) * abs(self.least):
            self.kept = {**self._of_players(), "value": value}
        self.least = min(self.least, value)
        if self.kept is None or setback is None or value <= setback * self.least:
            return False
        self._set(self.kept)
        return True

    def state(self, step: int) -> dict[str, Any]:
        """A copy of everything; what is kept is never changed, and so is not copied."""
        now = {"draws": self.draws.get_state(), "least": self.least, "kept": self.kept, "step": step}
        return {**self._of_players(), **now}

    def _of_players(self) -> dict[str, Any]:
        """A copy of networks, optimizers and tricks."""
        return copy.deepcopy(
            {
                "nets": {name: net.state_dict() for name, net in self.nets.items()},
                "adams": [adam.state_dict() for adam in self.adams],
                "tricks": [trick.state_dict() for trick in self.tricks],
            }
        )

    def restore(self, state: Mapping[str, Any]) -> int:
        """Go back to a copy; its step."""
        self._set(state)
        self.draws.set_state(state["draws"].cpu())
        self.least = float(state["least"])
        self.kept = state["kept"]
        return int(state["step"])

    def _set(self, state: Mapping[str, Any]) -> None:
        """Networks, optimizers and tricks as they were."""
        for name, net in self.nets.items():
            net.load_state_dict(state["nets"][name])
        for adam, kept in zip(self.adams, state["adams"], strict=True):
            adam.load_state_dict(copy.deepcopy(kept))
        for trick, kept in zip(self.tricks, state["tricks"], strict=True):
            trick.load_state_dict(copy.deepcopy(kept))


@contextmanager
def deferred_interrupt() -> Iterator[list[int]]:
    """A list to which the first Ctrl-C is added, so that a step can be ended before it is obeyed; the second one is
    obeyed at once. Outside of the main thread, where there are no signals, nothing changes.
    """
    asked: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def note(number: int, _: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)
