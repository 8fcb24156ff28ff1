"""Trainings on ring and grid: recipes, what each reaches, and when."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any, Final

import numpy as np
from _gan_plain import LOOKED_AT, has_arrived
from _report import RESULTS, environment, median

# What differs from the recommended recipe: the networks' codes and waves, a cure, and settings.
_PLAIN: Final = {"codes": 0, "waves": 0}
RECIPES: Final[dict[str, dict[str, Any]]] = {
    "relativistic": {},
    "relativistic, up to 3 attempts": {"attempts": 3},
    "relativistic, no codes": {"codes": 0},
    "relativistic, no waves": {"waves": 0},
    "relativistic, neither": _PLAIN,
    "relativistic, penalties of 0.1 throughout": {"penalties": (0.1, 1.0)},
    "relativistic, penalties fall from 0.5 to 0.05": {"penalties": (0.5, 0.1)},
    "relativistic, penalties fall from 0.5 to 0.05; neither": {"penalties": (0.5, 0.1), **_PLAIN},
    "relativistic, penalties fall from 0.5 to 0.01": {"penalties": (0.5, 0.02)},
    "relativistic, equal rates, no warmup": {"discriminator_rate": None, "warmup": 0.0},
    "relativistic, eps of 1e-8": {"eps": 1e-8},
    "minimax": {},
    "non-saturating": {},
    "non-saturating, neither": _PLAIN,
    "non-saturating, neither; packing 4": {**_PLAIN, "cure": "packing"},
    "non-saturating, neither; unrolling 3": {**_PLAIN, "cure": "unrolling"},
    "non-saturating, neither; noise": {**_PLAIN, "cure": "noise"},
    "non-saturating, neither; feature matching": {**_PLAIN, "cure": "features"},
    "non-saturating, neither; minibatch discrimination": {**_PLAIN, "cure": "minibatch", "batch": 64},
    "f-gan-kl-trick": {"learning_rate": 3e-4},
    "f-gan-squared_hellinger": {"learning_rate": 3e-4},
    "wgan": {"learning_rate": 1e-4},
    "wgan-gp": {"critic_steps": 1, "learning_rate": 5e-4, "discriminator_rate": 2e-3},
    "wgan-lp": {"critic_steps": 1, "learning_rate": 5e-4, "discriminator_rate": 2e-3},
    "wgan-groupsort": {"critic_steps": 1, "learning_rate": 5e-4, "discriminator_rate": 1e-3},
}
STEPS: Final = {"ring": 10_000, "grid": 15_000}
AT_THE_END: Final = 25_000  # of which a perfect sampler's reverse KL to 25 modes is 0.0005; of 2,500 it is 0.005
_EVERY: Final = 250  # steps between looks
Row = dict[str, Any]


def recipe_row(problem: str, recipe: str, *, steps: int, seeds: range, device: str, data_seed: int) -> Row:
    """One recipe over seeds; two trainings at a time, a thread each."""
    job = partial(training, problem, recipe, steps, device, data_seed)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        found = summary(problem, recipe, steps, list(pool.map(job, seeds)))
    return {**found, "first_seed": seeds.start, "processor": environment()["processor"]}


def with_kept(rows: list[Row]) -> list[Row]:
    """With those rows of the file that were not measured now: by problem, recipe, first seed and steps."""
    file = RESULTS / "gan_modes.json"
    kept = json.loads(file.read_text(encoding="utf-8"))["rows"] if file.exists() else []
    found = {(row["problem"], row["recipe"], row["first_seed"], row["steps"]): row for row in [*kept, *rows]}
    problems, recipes = list(STEPS), list(RECIPES)
    order = sorted(found, key=lambda key: (problems.index(key[0]), recipes.index(key[1]), *key[2:]))
    return [found[key] for key in order]


def training(problem: str, recipe: str, steps: int, device: str, data_seed: int, seed: int) -> Row:
    """One training, or as many as it takes: its end, and when it had arrived."""
    import torch

    from divkit._errors import NotConverged
    from divkit.gan.attempts import attempt_seed, best_attempt

    torch.set_num_threads(1)
    changes = {"steps": steps, "look_every": min(_EVERY, steps), **RECIPES[recipe]}
    attempts = changes.pop("attempts", 1)
    data, make = prepared(problem, recipe.partition(",")[0], changes, device, data_seed)
    looks: list[tuple[float, Any]] = []
    spent = 0.0

    def attempt(k: int) -> Any:
        nonlocal spent
        trainer = make(attempt_seed(seed, k))
        seen, seconds = watched(trainer, data)
        looks.extend((spent + at, report) for at, report in seen)
        spent += seconds
        return trainer

    try:
        found = best_attempt(attempt, attempts=attempts)
    except NotConverged as error:
        print(f"{problem}, {recipe}, seed {seed}: {error}", flush=True)
        nothing = {"captured": 0, "high_quality": 0.0, "reverse_kl": np.inf, "seconds": 0.0, "arrived": None}
        return {**nothing, "attempts": attempts, "ended": error.info["step"]}
    end, shown = (report_of(found.trainer, data, count, best=True) for count in (AT_THE_END, LOOKED_AT))
    arrived = [at for at, report in looks if has_arrived(report)]
    return {
        "captured": shown.captured,
        "high_quality": end.high_quality,
        "reverse_kl": end.reverse_kl,
        "seconds": spent,
        "arrived": arrived[0] if arrived else None,
        "attempts": len(found.values),
    }


def prepared(problem: str, name: str, changes: Row, device: str, data_seed: int) -> tuple[Any, Callable[[int], Any]]:
    """The data of a recipe, and from a seed to its trainer."""
    from divkit.gan.objectives import relativistic, resolve_objective
    from divkit.gan.problems import load_problem
    from divkit.gan.trainer import Trainer

    cure, factor_and_end = (changes.pop(option, None) for option in ("cure", "penalties"))
    if "learning_rate" in changes:
        changes.setdefault("discriminator_rate", None)  # the same
    networks = {option: changes.pop(option) for option in ("codes", "waves") if option in changes}
    data = load_problem(problem, rng=data_seed, **networks)
    objective = data.objective() if name == "relativistic" else resolve_objective(name)
    if factor_and_end:
        objective = relativistic(factor_and_end[0], end=factor_and_end[1])

    def make(seed: int) -> Any:
        generator, discriminator = data.players(objective, seed=seed)
        discriminator, tricks = cured(cure, discriminator, seed)
        settings = data.settings(seed=seed, keep_best="excess", **changes)
        return Trainer(generator, discriminator, objective, data.points, settings, tricks=tricks, device=device)

    return data, make


def cured(cure: str | None, discriminator: Any, seed: int) -> tuple[Any, list[Any]]:
    """The discriminator and the tricks of a cure."""
    from divkit.gan.layers import minibatch_discriminator
    from divkit.gan.nets import mlp_pair
    from divkit.gan.tricks import FeatureMatching, InstanceNoise, Packing, Unrolling

    if cure == "minibatch":
        return minibatch_discriminator(2, kernels=16, seed=seed), []
    if cure == "packing":
        return mlp_pair(2, 8, seed=seed)[1], [Packing(4)]
    tricks = {"unrolling": Unrolling(3), "noise": InstanceNoise(0.2), "features": FeatureMatching()}
    return discriminator, [tricks[cure]] if cure else []


def watched(trainer: Any, data: Any) -> tuple[list[tuple[float, Any]], float]:
    """Train: the report of each look with the seconds until then, and all seconds, less those of the reports.

    Seconds are those of the processor, of one thread: on a machine with nothing else to do, those of the clock.
    """
    from divkit.gan.callbacks import HeldOutDistance

    looks: list[tuple[float, Any]] = []
    watching = 0.0
    start = time.process_time()

    def look(own: Any, _: dict[str, float]) -> None:
        nonlocal watching
        before = time.process_time()
        looks.append((before - start - watching, report_of(own, data, LOOKED_AT)))
        watching += time.process_time() - before

    trainer.run([HeldOutDistance(data.held_out, data.restored, seen=data.points), look])
    return looks, time.process_time() - start - watching


def report_of(trainer: Any, data: Any, count: int, *, best: bool = False) -> Any:
    """Modes and quality of points of the trainer."""
    from divkit.gan.evaluate import modes

    return modes(data.restored(trainer.sample(count, best=best).cpu().numpy()), data.law)


def summary(problem: str, recipe: str, steps: int, found: list[Row]) -> Row:
    """Means over the trainings, their worst, and the median of when they arrived."""
    arrived = [row["arrived"] for row in found]
    return {
        "problem": problem,
        "recipe": recipe,
        "steps": steps,
        "seeds": len(found),
        "captured": float(np.mean([row["captured"] for row in found])),
        "captured_least": min(row["captured"] for row in found),
        "high_quality": float(np.mean([row["high_quality"] for row in found])),
        "high_quality_least": min(row["high_quality"] for row in found),
        "reverse_kl_most": finite(max(row["reverse_kl"] for row in found)),
        "seconds": float(np.mean([row["seconds"] for row in found])),
        "arrived": median(arrived) if None not in arrived else None,
        "arrivals": sum(seconds is not None for seconds in arrived),
        "not_finite": sum("ended" in row for row in found),
        "attempts": sum(row["attempts"] for row in found),
    }


def finite(value: float) -> float | None:
    """JSON has no infinity."""
    return value if np.isfinite(value) else None
