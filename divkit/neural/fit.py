"""One loop that maximises a variational objective over a stack of critics."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from divkit._errors import InvalidInput, NotConverged
from divkit.neural._ascent import OPTIMIZERS, Ascent
from divkit.neural._checkpoint import digest, read_checkpoint, shapes_of, write_checkpoint
from divkit.neural._parallel import averaged_gradients, is_first, share_of_batch
from divkit.neural.nets import CriticStack

__all__ = ["Fit", "Objective", "Penalty", "Training", "donsker_varadhan", "maximise", "variational"]

# Values (s, b) of each critic at points of P and of Q, to s objectives.
Objective = Callable[[Tensor, Tensor], Tensor]
# Critics, points of P and of Q (s, b, d), random numbers: s penalties, to be subtracted.
Penalty = Callable[[CriticStack, Tensor, Tensor, torch.Generator], Tensor]
_BLOCK: Final = 8192  # points that are judged at a time
_POLISH: Final = 3  # projections before a look: what is judged is what is proven


@dataclass(frozen=True)
class Training:
    """How critics are fitted.

    Parameters
    ----------
    steps : int
        Steps of the optimizer, with a learning rate that falls to 0 along a cosine.
    batch : int
        Points of each law a step, for each critic.
    learning_rate : float or None
        Of "muon": by how much a matrix moves in the spectral norm. None takes 0.002 for "adam", 0.1 for "muon".
    betas : (float, float)
        Of Adam.
    optimizer : str
        "adam" (Kingma and Ba 2015), or "muon": orthogonalised momentum (Jordan et al. 2024) for the matrices of
        orthogonal layers, and Adam at a twentieth of the learning rate for all others.
    check_every : int
        Steps between looks at the validation points; the best state seen there is the result.
    patience : int or None
        Looks without an improvement after which training ends; None never ends early.
    """

    steps: int = 4000
    batch: int = 512
    learning_rate: float | None = None
    betas: tuple[float, float] = (0.9, 0.99)
    optimizer: str = "adam"
    check_every: int = 200
    patience: int | None = None

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "check_every"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.optimizer not in OPTIMIZERS:
            raise InvalidInput(f"optimizer must be one of {', '.join(OPTIMIZERS)}, got {self.optimizer!r}")
        if not (self.largest_rate > 0 and math.isfinite(self.largest_rate)):
            raise InvalidInput(f"learning_rate must be positive and finite, got {self.learning_rate!r}")

    @property
    def largest_rate(self) -> float:
        """The learning rate of the first step."""
        return OPTIMIZERS[self.optimizer] if self.learning_rate is None else self.learning_rate

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        return self.largest_rate * 0.5 * (1 + math.cos(math.pi * step / self.steps))


@dataclass(frozen=True, eq=False)
class Fit:
    """A stack of fitted critics, in the state that was best on the validation points.

    Attributes
    ----------
    critics : CriticStack
    validation : list of list of float
        The objective of each critic at each look.
    best : list of float
    steps : int
        Steps that were made.
    """

    critics: CriticStack
    validation: list[list[float]]
    best: list[float]
    steps: int


def variational(form: Any) -> Objective:
    """E_P[activation(v)] - E_Q[conj_activation(v)] of a `divkit.VariationalForm`, of values (..., n) and (..., m)."""

    def objective(v_p: Tensor, v_q: Tensor) -> Tensor:
        value: Tensor = form.activation(v_p).mean(dim=-1) - form.conj_activation(v_q).mean(dim=-1)
        return value

    return objective


def donsker_varadhan(v_p: Tensor, v_q: Tensor) -> Tensor:
    """E_P[v] - log E_Q[e^v]."""
    return v_p.mean(dim=1) - (torch.logsumexp(v_q, dim=1) - math.log(v_q.shape[1]))


def maximise(
    critics: CriticStack,
    objective: Objective,
    train: tuple[Tensor, Tensor],
    validation: tuple[Tensor, Tensor],
    training: Training,
    *,
    generator: torch.Generator,
    penalty: Penalty | None = None,
    checkpoint: str | Path | None = None,
    progress: bool = False,
) -> Fit:
    """Fit every critic of a stack to its own points.

    Parameters
    ----------
    critics : CriticStack
        Of s critics, changed in place.
    objective : callable
        What is maximised: `variational(form)` or `donsker_varadhan`.
    train, validation : (Tensor, Tensor)
        Points of P and of Q, (s, n, d) and (s, m, d), on the device of the critics.
    training : Training
    generator : torch.Generator
        For batches and penalties, on the same device.
    penalty : callable, optional
    checkpoint : path, optional
        Where the state is saved at every look; if the file is there, training goes on from it, to the same result.
    progress : bool
        A bar on standard error, where that is a terminal.

    Returns
    -------
    Fit
        Its critics are in evaluation mode.

    Raises
    ------
    NotConverged
        If an objective is not finite: ``info`` has the step, and the critics are in their best state until then.

    Notes
    -----
    Under `torch.distributed` every process takes its part of each batch, all draw the same random numbers, and
    gradients are averaged: with objectives and penalties that are means over points, two processes do what one does
    with the whole batch. `donsker_varadhan` takes the logarithm of a mean over each part. The first process saves.
    """
    state = _State(critics, training, generator)
    same = {}
    if checkpoint is not None:
        same = {**asdict(training), "points": digest(*train, *validation), "networks": shapes_of(critics)}
        if Path(checkpoint).exists():
            state.load(Path(checkpoint), same)
    from tqdm import tqdm

    with tqdm(total=training.steps, initial=state.step, unit="step", disable=None if progress else True) as bar:
        while state.step < training.steps and not state.stalled:
            _step(state, objective, train, penalty)
            if state.step % training.check_every == 0 or state.step == training.steps:
                for _ in range(_POLISH):
                    critics.project()
                state.look(judged(critics, objective, *validation))
                if checkpoint is not None and is_first():
                    state.save(Path(checkpoint), same)
            bar.update()
    return state.result()


def _step(state: _State, objective: Objective, train: tuple[Tensor, Tensor], penalty: Penalty | None) -> None:
    """One step on fresh batches."""
    critics, training = state.critics, state.training
    x, y = (share_of_batch(_batch(points, training.batch, state.generator)) for points in train)
    v_p, v_q = critics(torch.cat([x, y], dim=1)).split([x.shape[1], y.shape[1]], dim=1)
    values = objective(v_p, v_q)
    if penalty is not None:
        values = values - penalty(critics, x, y, state.generator)
    if not torch.isfinite(values).all():
        state.restore_best()
        raise NotConverged(
            f"the objective of critic {int((~torch.isfinite(values)).nonzero()[0])} is not finite at step "
            f"{state.step}: the critic has grown beyond the range of its dtype; use a lower learning rate than "
            f"{training.largest_rate:g}, or a bounded divergence",
            info={"step": state.step},
        )
    state.ascent.zero_grad()
    torch.autograd.backward(-values.sum())
    averaged_gradients(critics)
    state.ascent.step(training.rate(state.step))
    critics.project()
    state.step += 1


def _batch(points: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Points (s, b, d) drawn for each critic from its own (s, n, d)."""
    copies, n, _ = points.shape
    rows = torch.randint(n, (copies, size), generator=generator, device=points.device)
    return points[torch.arange(copies, device=points.device).unsqueeze(1), rows]


@torch.no_grad()
def judged(critics: CriticStack, objective: Objective, x: Tensor, y: Tensor) -> list[float]:
    """The objective of each critic at all of its points (s, n, d) and (s, m, d)."""
    return [float(value) for value in objective(_values(critics, x), _values(critics, y))]


def _values(critics: CriticStack, points: Tensor) -> Tensor:
    return torch.cat([critics(points[:, k : k + _BLOCK]) for k in range(0, points.shape[1], _BLOCK)], dim=1)


class _State:
    """What a step changes, which is what a checkpoint has to hold."""

    def __init__(self, critics: CriticStack, training: Training, generator: torch.Generator) -> None:
        self.critics, self.training, self.generator = critics, training, generator
        self.ascent = Ascent(critics, training.optimizer, training.betas)
        self.step, self.waited = 0, 0
        self.validation: list[list[float]] = []
        self.best = [-math.inf] * critics.copies
        self.kept = {name: value.detach().clone() for name, value in critics.state_dict().items()}

    @property
    def stalled(self) -> bool:
        """Whether patience is at its end."""
        return self.training.patience is not None and self.waited >= self.training.patience

    def look(self, values: list[float]) -> None:
        """Keep the state of those critics that are better than before."""
        self.validation.append(values)
        better = [now > before for now, before in zip(values, self.best, strict=True)]
        self.waited = 0 if any(better) else self.waited + 1
        for name, value in self.critics.state_dict().items():
            for i, improved in enumerate(better):
                if improved:
                    self.kept[name][i].copy_(value[i])
        self.best = [max(now, before) for now, before in zip(values, self.best, strict=True)]

    def restore_best(self) -> None:
        self.critics.load_state_dict(self.kept)

    def result(self) -> Fit:
        self.restore_best()
        self.critics.eval()
        return Fit(self.critics, self.validation, self.best, self.step)

    def save(self, path: Path, training: Mapping[str, Any]) -> None:
        """All of it."""
        content = {
            "critics": self.critics.state_dict(),
            "kept": self.kept,
            "ascent": self.ascent.state_dict(),
            "generator": self.generator.get_state(),
            **{name: getattr(self, name) for name in ("step", "waited", "validation", "best")},
        }
        write_checkpoint(path, training, content)

    def load(self, path: Path, training: Mapping[str, Any]) -> None:
        content = read_checkpoint(path, training)
        self.critics.load_state_dict(content["critics"])
        self.kept = dict(content["kept"])
        self.ascent.load_state_dict(content["ascent"])
        self.generator.set_state(content["generator"])
        for name in ("step", "waited", "validation", "best"):
            setattr(self, name, content[name])
