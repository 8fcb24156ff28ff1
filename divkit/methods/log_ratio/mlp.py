"""A small neural network on the CPU, for log ratios that no other model here can follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from divkit._errors import require
from divkit.methods.log_ratio import LogRatio
from divkit.methods.log_ratio._features import tamed

__all__ = ["MLP"]

_F = NDArray[np.float64]


@dataclass(frozen=True)
class MLP:
    """Two hidden layers beside a linear path, trained by AdamW on the balanced log loss, stopped by a tenth held out.

    Parameters
    ----------
    width : int
        Units of a hidden layer.
    epochs : int
        At most so many passes over the points.
    batch : int
    learning_rate, weight_decay : float
    """

    width: int = 64
    epochs: int = 60
    batch: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3

    name: ClassVar[str] = "mlp"

    def unsuited(self, n: int, m: int, d: int) -> str | None:
        """A tenth is held out to stop by."""
        return None if min(n, m) >= 40 else "a network takes at least 40 points of each law"

    def variants(self, n: int, m: int, d: int) -> Sequence[MLP]:
        """Itself: networks are too slow for a race."""
        return [self]

    def fit(self, x: _F, y: _F, x_weights: _F, y_weights: _F, rng: np.random.Generator) -> LogRatio:
        """The fitted log ratio.

        Raises
        ------
        MissingDependency
            Without torch.
        """
        torch = require("torch", "neural")
        z = np.concatenate([tamed(x), tamed(y)])
        labels = np.concatenate([np.ones(len(x)), np.zeros(len(y))])
        weights = np.concatenate([x_weights / x_weights.sum(), y_weights / y_weights.sum()]) * len(z) / 2
        order = rng.permutation(len(z))
        held, kept = order[: len(z) // 10], order[len(z) // 10 :]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**31)))
            network = _Network(torch, z.shape[1], self.width)
            parts = [
                tuple(torch.from_numpy(np.ascontiguousarray(part[which], np.float32)) for part in (z, labels, weights))
                for which in (kept, held)
            ]
            _train(torch, network, parts[0], parts[1], self)

        def log_ratio(points: _F) -> _F:
            with torch.no_grad():
                return np.asarray(network(torch.from_numpy(tamed(points).astype(np.float32))).numpy(), dtype=np.float64)

        return log_ratio


class _Network:
    """linear(z) + hidden layers(z), as a function with its parameters."""

    def __init__(self, torch: Any, d: int, width: int) -> None:
        nn = torch.nn
        self.linear = nn.Linear(d, 1)
        self.layers = nn.Sequential(
            nn.Linear(d, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 1)
        )
        self.parameters = [*self.linear.parameters(), *self.layers.parameters()]

    def __call__(self, z: Any) -> Any:
        return (self.linear(z) + self.layers(z)).squeeze(-1)


def _train(torch: Any, network: _Network, train: Any, held: Any, settings: MLP) -> None:
    """Leave the network with the parameters of least held-out loss."""

    def loss(part: Any) -> Any:
        z, labels, weights = part
        terms = torch.nn.functional.binary_cross_entropy_with_logits(network(z), labels, weights, reduction="mean")
        return terms

    count = len(train[0])
    steps = settings.epochs * -(-count // settings.batch)
    optimiser = torch.optim.AdamW(network.parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    best, kept = float("inf"), [p.detach().clone() for p in network.parameters]
    for _ in range(settings.epochs):
        for rows in torch.randperm(count).split(settings.batch):
            optimiser.zero_grad()
            loss(tuple(part[rows] for part in train)).backward()
            optimiser.step()
            schedule.step()
        with torch.no_grad():
            now = float(loss(held))
        if now < best:
            best, kept = now, [p.detach().clone() for p in network.parameters]
    with torch.no_grad():
        for parameter, value in zip(network.parameters, kept, strict=True):
            parameter.copy_(value)
