"""`divkit train`: a GAN on a toy law, on digits or on a file, with metrics, pictures and a checkpoint in a folder."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from divkit._errors import InvalidInput, require

if TYPE_CHECKING:
    from divkit.gan.objectives import Objective
    from divkit.gan.problems import Problem
    from divkit.gan.trainer import Callback, Trainer

__all__ = ["Run", "Wanted", "train"]

_LEAST = 10  # points of a kind that estimators take
_SHOWN = 2500  # points that are kept
_LEFT = ("metrics.jsonl", "checkpoint.pt", "curves.png")  # by each attempt in its folder


class Wanted(NamedTuple):
    """What the command line asks for."""

    problem: str
    objective: str | None
    steps: int
    batch: int
    learning_rate: float | None
    width: int
    depth: int
    codes: int | None
    waves: int | None
    look_every: int
    seed: int
    attempts: int
    device: str
    resume: bool
    progress: bool


class Run(NamedTuple):
    """What came of it: the metrics of the last look, what is said of the points in the end, and the files."""

    objective: str
    metrics: dict[str, float]
    report: dict[str, Any]
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
    from divkit.gan.attempts import best_attempt
    from divkit.gan.objectives import resolve_objective
    from divkit.gan.problems import load_problem

    problem = load_problem(wanted.problem, codes=wanted.codes, waves=wanted.waves, rng=wanted.seed)
    objective = problem.objective() if wanted.objective is None else resolve_objective(wanted.objective)
    _check_folder(wanted, problem, out)
    attempt = partial(_trained, wanted, problem, objective, out)
    if wanted.attempts == 1:
        trainer, made, told = attempt(0), 1, {}
    else:
        found = best_attempt(attempt, attempts=wanted.attempts)
        trainer, made = found.trainer, len(found.values)
        told = {"attempt": found.chosen + 1, "attempts": made}
    points = trainer.sample(_SHOWN, best=trainer.settings.keep_best is not None).cpu().numpy()
    np.save(out / "samples.npy", problem.restored(points))
    report = {**judged(problem, points, wanted.seed), **told}
    (out / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    files = [out / "report.json", out / "samples.npy"]
    for folder in (_folder(out, k) for k in range(made)):
        left = (folder / name for name in _LEFT)
        files += [*(path for path in left if path.exists()), *sorted(folder.glob("step-*.png"))]
    return Run(objective.name, trainer.history[-1], report, files)


def _check_folder(wanted: Wanted, problem: Problem, out: Path) -> None:
    """Raise where a training would be lost, or could not go on."""
    there = (out / "checkpoint.pt").exists()
    if there and not wanted.resume:
        raise InvalidInput(f"{out} holds a training already; go on with --resume, or name another folder with --out")
    if wanted.resume and not there:
        raise InvalidInput(f"{out} holds no checkpoint.pt to resume; leave --resume out, or name its folder with --out")
    if wanted.attempts > 1 and not len(problem.held_out):
        raise InvalidInput("attempts must be 1 where there are too few points to hold some out, by which to choose")


def _folder(out: Path, k: int) -> Path:
    """Of the k-th attempt."""
    return out / f"attempt-{k + 1}" if k else out


def _trained(wanted: Wanted, problem: Problem, objective: Objective, out: Path, k: int) -> Trainer:
    """The k-th attempt, from the checkpoint in its folder if there is one."""
    from divkit.gan.attempts import attempt_seed
    from divkit.gan.pictures import curves
    from divkit.gan.trainer import Trainer

    folder, seed, title = _folder(out, k), attempt_seed(wanted.seed, k), f"{problem.name}, {objective.name}"
    rate = {} if wanted.learning_rate is None else {"learning_rate": wanted.learning_rate, "discriminator_rate": None}
    settings = problem.settings(
        steps=wanted.steps,
        batch=wanted.batch,
        look_every=wanted.look_every,
        keep_best="excess" if len(problem.held_out) else None,
        seed=seed,
        **rate,
    )
    players = problem.players(objective, width=wanted.width, depth=wanted.depth, seed=seed)
    trainer = Trainer(*players, objective, problem.points, settings, device=wanted.device)
    folder.mkdir(parents=True, exist_ok=True)
    watched = watching(problem, title, folder)
    metrics, checkpoint, drawn = (folder / name for name in _LEFT)
    trainer.run(watched, checkpoint=checkpoint, metrics=metrics, progress=wanted.progress)
    curves(trainer.history, title=title).savefig(drawn, dpi=110)
    return trainer


def watching(problem: Problem, title: str, out: Path) -> list[Callback]:
    """What is measured and drawn at the looks."""
    from divkit.gan.callbacks import HeldOutDistance, ModesHeld, Pictures

    found: list[Callback] = []
    if len(problem.held_out):
        found.append(HeldOutDistance(problem.held_out, problem.restored, seen=problem.points))
    if problem.law is not None:
        found.append(ModesHeld(problem.law, problem.restored))
    return [*found, Pictures(problem.points, out, problem.restored, title)]


def judged(problem: Problem, made: Any, seed: int) -> dict[str, Any]:
    """What the estimators say of the points in the end, in original units: numbers with their limits."""
    from divkit.gan.evaluate import classes, quality

    points, held_out, seen = (problem.restored(own) for own in (made, problem.held_out, problem.points))
    if len(held_out) < _LEAST:
        return {"remark": f"{len(held_out)} points were held out, too few to judge by; give more"}
    found = quality(points, held_out, seen, rng=seed)
    report: dict[str, Any] = {
        "wasserstein1": float(found.wasserstein1),
        "wasserstein1_null": float(found.null),
        "nearest": found.nearest,
        "nearest_null": found.nearest_null,
        "copies": found.copies,
    }
    for name, value in found.divergences.items():
        assert value.interval is not None
        report |= {name: float(value), f"{name}_lower": value.interval[0]}
    if problem.labels is not None:
        own = classes(points, seen, problem.labels)
        report |= {"classes_covered": own.covered, "classes": own.classes, "classes_reverse_kl": own.reverse_kl}
        report |= {"confidence": own.confidence, "confidence_null": own.confidence_null}
    return report
