"""What the next step of a training depends on, as it is kept in memory and in a checkpoint."""

from __future__ import annotations

import copy
import math
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import nn

from divkit.gan.tricks import Trick

__all__ = ["Players", "deferred_interrupt"]

_ALIKE: Final = 0.5  # of the least value: W_1 of a thousand points in the plane scatters by a quarter of itself


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
        self.kept: dict[str, Any] | None = None  # the state of `judged` at the look that is kept
        self.there: dict[str, Any] | None = None  # and that of all players

    @property
    def judged(self) -> nn.Module:
        """The network that points are drawn from."""
        return self.nets.get("average", self.nets["generator"])

    def note(self, value: float, setback: float | None = None) -> bool:
        """Keep the network that points are drawn from, unless one before was clearly better.

        Metrics are of samples, and scatter: what is within half as much again as the least value is as good, and the
        latest of these is kept. So it is the end of a training, unless that went wrong. Whether all players went back
        to that look, the value being more than `setback` times the least.
        """
        if value <= self.least + _ALIKE * abs(self.least):
            self.kept = {name: own.clone() for name, own in self.judged.state_dict().items()}
            self.there = None if setback is None else self._of_players()
        self.least = min(self.least, value)
        if self.there is None or setback is None or value <= setback * self.least:
            return False
        self._set(self.there)
        return True

    def state(self, step: int) -> dict[str, Any]:
        """A copy of everything."""
        return copy.deepcopy(
            {
                **self._of_players(),
                "draws": self.draws.get_state(),
                "least": self.least,
                "kept": self.kept,
                "there": self.there,
                "step": step,
            }
        )

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
        self.kept, self.there = copy.deepcopy(state["kept"]), copy.deepcopy(state["there"])
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
