"""`divkit train`: a GAN on a toy law, on digits or on a file, with metrics, pictures and a checkpoint in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from divkit._errors import InvalidInput, require

if TYPE_CHECKING:
    from divkit.gan.problems import Problem
    from divkit.gan.trainer import Metrics, Trainer

__all__ = ["Run", "Wanted", "train"]

_PICTURES = 8  # of a whole training
_SHOWN = 2500  # points that are drawn for metrics and pictures


class Wanted(NamedTuple):
    """What the command line asks for."""

    problem: str
    objective: str
    steps: int
    batch: int
    learning_rate: float
    width: int
    depth: int
    look_every: int
    seed: int
    device: str
    resume: bool
    progress: bool


class Run(NamedTuple):
    """What came of it: the metrics of the last look, and the files that were written."""

    metrics: dict[str, float]
    files: list[Path]


def train(wanted: Wanted, out: Path) -> Run:
    """Train, or go on with the training that a folder holds.

    Raises
    ------
    InvalidInput
        For unknown names, a folder that holds a training unless it is to be resumed, and one that holds another.
    MissingDependency
        Without torch or matplotlib.
    NotConverged
        If a loss is not finite.
    """
    require("torch", "neural")
    require("matplotlib", "plot")
    from divkit.gan.objectives import resolve_objective
    from divkit.gan.problems import load_problem
    from divkit.gan.settings import Settings
    from divkit.gan.trainer import Trainer

    objective = resolve_objective(wanted.objective)
    problem = load_problem(wanted.problem, rng=wanted.seed)
    checkpoint = out / "checkpoint.pt"
    if checkpoint.exists() and not wanted.resume:
        raise InvalidInput(f"{out} holds a training already; go on with --resume, or name another folder with --out")
    if wanted.resume and not checkpoint.exists():
        raise InvalidInput(f"{out} holds no checkpoint.pt to resume; leave --resume out, or name its folder with --out")
    settings = Settings(
        steps=wanted.steps,
        batch=wanted.batch,
        latent=problem.latent,
        learning_rate=wanted.learning_rate,
        look_every=wanted.look_every,
        seed=wanted.seed,
    )
    players = problem.players(objective, width=wanted.width, depth=wanted.depth, seed=wanted.seed)
    trainer = Trainer(*players, objective, problem.points, settings, device=wanted.device)
    out.mkdir(parents=True, exist_ok=True)
    watch = _Watch(problem, out)
    trainer.run([watch], checkpoint=checkpoint, metrics=out / "metrics.jsonl", progress=wanted.progress)
    samples = out / "samples.npy"
    np.save(samples, problem.restored(made_by(trainer)))
    pictures = sorted(out.glob("step-*.png"))
    return Run(trainer.history[-1], [out / "metrics.jsonl", samples, checkpoint, *pictures])


def made_by(trainer: Trainer) -> Any:
    """Points of the generator in the units of the networks."""
    return trainer.sample(_SHOWN).cpu().numpy()


class _Watch:
    """A callback: what is known of the law, and now and then a picture."""

    def __init__(self, problem: Problem, out: Path) -> None:
        self.problem, self.out = problem, out

    def __call__(self, trainer: Trainer, metrics: Metrics) -> None:
        """Add the modes that are held, and draw."""
        from divkit.gan.evaluate import modes
        from divkit.gan.pictures import drawn

        made = made_by(trainer)
        points = self.problem.restored(made)
        if self.problem.law is not None:
            report = modes(points, self.problem.law)
            metrics |= {"captured": report.captured, "high_quality": report.high_quality}
            if report.captured:
                metrics["reverse_kl"] = report.reverse_kl
        steps = trainer.settings.steps
        if trainer.step * _PICTURES // steps > (trainer.step - trainer.settings.look_every) * _PICTURES // steps:
            data = self.problem.points[:_SHOWN]
            if data.ndim == 4:  # images as the networks see them
                points = made
            else:
                data = self.problem.restored(data)
            title = f"{self.problem.name}, {trainer.objective.name}, step {trainer.step:,}"
            drawn(data, points, title=title).savefig(self.out / f"step-{trainer.step:07d}.png", dpi=110)
