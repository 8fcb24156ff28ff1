"""Which objectives keep all modes, how soon, and what does a step cost beside a plain loop?"""

from __future__ import annotations

import argparse
import json
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np
from _gan_plain import LOOKED_AT, has_arrived, plain_loop, plain_training
from _report import RESULTS, device_name, finish, median

QUESTION = "Which objectives keep all modes, how soon, and what does a step cost beside a plain loop?"
SEED = 20261122
# The same for all seeds: objective, what is taken away from networks or added to them, and settings.
RECIPES: Final[dict[str, dict[str, Any]]] = {
    "relativistic": {},
    "relativistic, no codes": {"codes": 0},
    "relativistic, no waves": {"waves": 0},
    "relativistic, neither": {"codes": 0, "waves": 0},
    "minimax": {},
    "non-saturating": {},
    "non-saturating, neither": {"codes": 0, "waves": 0},
    "non-saturating, neither; packing 4": {"codes": 0, "waves": 0, "tricks": "packing"},
    "non-saturating, neither; unrolling 3": {"codes": 0, "waves": 0, "tricks": "unrolling"},
    "non-saturating, neither; noise": {"codes": 0, "waves": 0, "tricks": "noise"},
    "non-saturating, neither; feature matching": {"codes": 0, "waves": 0, "tricks": "features"},
    "non-saturating, neither; minibatch discrimination": {"codes": 0, "waves": 0, "tricks": "minibatch"},
    "f-gan-kl-trick": {"learning_rate": 3e-4},
    "f-gan-squared_hellinger": {"learning_rate": 3e-4},
    "wgan": {"learning_rate": 1e-4},
    "wgan-gp": {"critic_steps": 1, "learning_rate": 5e-4, "discriminator_rate": 2e-3},
    "wgan-lp": {"critic_steps": 1, "learning_rate": 5e-4, "discriminator_rate": 2e-3},
    "wgan-groupsort": {"critic_steps": 1, "learning_rate": 5e-4, "discriminator_rate": 5e-3},
}
STEPS: Final = {"ring": 10_000, "grid": 12_000}
RATES: Final = {"ring": 1e-3, "grid": 2e-3}  # where a recipe has none of its own
FEW: Final = 1000  # points whose exact W_1 to held-out ones decides which look was best
AT_THE_END: Final = 25_000  # of which a perfect sampler's reverse KL to 25 modes is 0.0005; of 2,500 it is 0.005
Row = dict[str, Any]


def main() -> None:
    args = options()
    for part in tuple(PARTS) if args.part == "all" else (args.part,):
        facts = {"packages": ["torch"], "seed": SEED, "device": device_name(args.device)}
        finish(f"gan_{part}", QUESTION, PARTS[part](args), args, **facts)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=QUESTION)
    parser.add_argument("--quick", action="store_true", help="few steps, no file written")
    parser.add_argument("--json", type=Path, default=None, help="where to write")
    parser.add_argument("--part", choices=("all", *PARTS), default="all")
    parser.add_argument("--steps", type=int, default=None, help="of the generator; 10,000 and 12,000 by default")
    parser.add_argument("--seeds", type=int, default=None, help="trainings of each recipe; 5 by default")
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), help="only these; others are kept from the file")
    parser.add_argument("--laws", nargs="+", default=list(STEPS), help="only these; others are kept from the file")
    parser.add_argument("--minutes", type=float, default=None, help="that the plain loop is given; 20 by default")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    args.steps = args.steps or (20 if args.quick else None)
    args.seeds = args.seeds or (1 if args.quick else 5)
    args.minutes = args.minutes or (0.02 if args.quick else 20.0)
    return args


def mode_trainings(args: argparse.Namespace) -> list[Row]:
    """Ring and grid: modes, quality and time of each recipe, over seeds; two trainings at a time, a thread each."""
    recipes = args.recipes[:1] if args.quick else args.recipes
    rows = []
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for problem in args.laws:
            for recipe in recipes:
                if problem == "ring" and recipe.endswith("no waves"):
                    continue  # it has none
                steps = args.steps or STEPS[problem]
                found = list(pool.map(partial(training, problem, recipe, steps, args.device), range(args.seeds)))
                rows.append(summary(problem, recipe, steps, found))
                print(rows[-1], flush=True)
    return rows if args.quick else with_kept(rows)


def with_kept(rows: list[Row]) -> list[Row]:
    """With those rows of the file that were not measured now, in the order of the recipes."""
    file = RESULTS / "gan_modes.json"
    kept = json.loads(file.read_text(encoding="utf-8"))["rows"] if file.exists() else []
    found = {(row["problem"], row["recipe"]): row for row in [*kept, *rows]}
    return [found[problem, recipe] for problem in STEPS for recipe in RECIPES if (problem, recipe) in found]


def training(problem: str, recipe: str, steps: int, device: str, seed: int) -> Row:
    """One training: its end, and when it had arrived."""
    import torch

    from divkit.gan.layers import minibatch_discriminator
    from divkit.gan.nets import mlp_pair
    from divkit.gan.problems import load_problem
    from divkit.gan.settings import Settings
    from divkit.gan.trainer import Trainer
    from divkit.gan.tricks import FeatureMatching, InstanceNoise, Packing, Unrolling

    torch.set_num_threads(1)
    rates = dict(RECIPES[recipe])
    cure, objective = rates.pop("tricks", None), recipe.partition(",")[0]
    tricks = {
        "packing": Packing(4),
        "unrolling": Unrolling(3),
        "noise": InstanceNoise(0.2),
        "features": FeatureMatching(),
    }
    data = load_problem(problem, rng=SEED, **{name: rates.pop(name) for name in ("codes", "waves") if name in rates})
    every = max(1, min(250, steps))
    kept = {"look_every": every, "keep_best": "wasserstein1"}
    settings = Settings(steps, latent=data.latent, seed=seed, **kept, **{"learning_rate": RATES[problem], **rates})
    generator, discriminator = data.players(objective, seed=seed)
    if cure == "packing":
        _, discriminator = mlp_pair(2, 8, seed=seed)
    elif cure == "minibatch":
        discriminator = minibatch_discriminator(2, kernels=16, seed=seed)
    chosen = [tricks[cure]] if cure in tricks else []
    trainer = Trainer(generator, discriminator, objective, data.points, settings, tricks=chosen, device=device)
    looks, seconds = watched(trainer, data)
    end, shown = (report_of(trainer, data, count, best=True) for count in (AT_THE_END, LOOKED_AT))
    arrived = [at for at, report in looks if has_arrived(report)]
    return {
        "captured": shown.captured,
        "high_quality": end.high_quality,
        "reverse_kl": end.reverse_kl,
        "seconds": seconds,
        "arrived": arrived[0] if arrived else None,
    }


def watched(trainer: Any, data: Any) -> tuple[list[tuple[float, Any]], float]:
    """Train: the report of each look with the seconds until then, and all seconds, less those of the reports."""
    from divkit import wasserstein1

    looks: list[tuple[float, Any]] = []
    watching = 0.0
    held_out = data.restored(data.held_out[:FEW])
    start = time.perf_counter()

    def look(own: Any, metrics: dict[str, float]) -> None:
        nonlocal watching
        metrics["wasserstein1"] = float(wasserstein1(data.restored(own.sample(FEW).cpu().numpy()), held_out))
        before = time.perf_counter()
        looks.append((before - start - watching, report_of(own, data, LOOKED_AT)))
        watching += time.perf_counter() - before

    trainer.run([look])
    return looks, time.perf_counter() - start - watching


def report_of(trainer: Any, data: Any, count: int, *, best: bool = False) -> Any:
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
    }


def finite(value: float) -> float | None:
    """JSON has no infinity."""
    return value if np.isfinite(value) else None


def speed(args: argparse.Namespace) -> list[Row]:
    """Steps a second of WGAN-GP on the ring, beside a plain loop with a double backward pass, in turns."""
    import torch

    torch.set_num_threads(1)
    count = 20 if args.quick else 300
    ours, plain = _ours(count, args.device), _plain(count, args.device)
    times: dict[str, list[float]] = {"divkit": [], "plain": []}
    for _ in range(1 if args.quick else 7):
        for name, loop in (("divkit", ours), ("plain", plain)):
            start = time.perf_counter()
            loop()
            times[name].append(time.perf_counter() - start)
    rates = {name: count / median(own) for name, own in times.items()}
    pairs = [b / a for a, b in zip(times["divkit"], times["plain"], strict=True)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        {
            "task": "wgan-gp, ring, 3 x 128, batch 256, five steps of the discriminator",
            "steps_a_second": rates["divkit"],
            "plain_steps_a_second": rates["plain"],
            "ratio": median(pairs),
            "peak_megabytes": peak,
        }
    ]


def _ours(count: int, device: str) -> Any:
    from divkit.gan.problems import load_problem
    from divkit.gan.settings import Settings
    from divkit.gan.trainer import Trainer

    data = load_problem("ring", rng=SEED, codes=0, waves=0)

    def loop() -> None:
        settings = Settings(steps=count, latent=2, betas=(0.0, 0.9), averaging=None, look_every=count)
        Trainer(*data.players("wgan-gp"), "wgan-gp", data.points, settings, device=device).run()

    return loop


def _plain(count: int, device: str) -> Any:
    """A plain loop with the networks and settings of ours."""
    from divkit.gan.problems import load_problem

    data = load_problem("ring", rng=SEED, codes=0, waves=0)
    own: Row = {"width": 128, "betas": (0.0, 0.9), "rate": 2e-4, "factor": 10.0}
    return lambda: plain_loop(data, device, lambda step, _: step == count, **own)


def plain_trainings(args: argparse.Namespace) -> list[Row]:
    """How soon a plain WGAN-GP holds all modes with 95 % of its points near one, if it does so in the minutes given.

    Networks of 3 x 512, rate 1e-4, betas (0.5, 0.9) and a penalty of 0.1, as the toys of Gulrajani et al. (2017).
    """
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        return list(pool.map(partial(plain_training, args.minutes, args.device, SEED), STEPS))


# The best mean and standard deviation of one Gaussian, and its divergence, from the f-GAN paper, whose 15 numbers a
# quadrature of 0.67 N(2, 2) + 0.33 N(-1, 0.065) reproduces; JSD there is twice ours.
OPTIMA: Final = {
    "kl": (1.0100, 1.8308, 0.2831),
    "reverse_kl": (1.5782, 1.6319, 0.2480),
    "jsd": (1.3070, 1.7542, 0.0640),
    "jeffreys": (1.3218, 1.7034, 0.5705),
    "pearson_chi2": (0.5737, 1.9274, 0.6457),
    "squared_hellinger": (1.3129, 1.7326, 0.1347),
}


def f_gans(args: argparse.Namespace) -> list[Row]:
    """The f-GAN paper's univariate table: what is learnt by each divergence, beside what is best."""
    import torch

    torch.set_num_threads(1)
    steps = 20 if args.quick else 4000
    return [fitted_gaussian(name, best, steps) for name, best in OPTIMA.items()]


def fitted_gaussian(name: str, best: tuple[float, float, float], steps: int) -> Row:
    """One Gaussian, made of noise by a line, against a network, on draws of the mixture."""
    import torch

    from divkit import DIVERGENCES
    from divkit.datasets import fgan_mixture
    from divkit.gan.nets import MLPDiscriminator
    from divkit.gan.objectives import f_gan
    from divkit.gan.settings import Settings
    from divkit.gan.trainer import Trainer

    law, draws = fgan_mixture(), torch.Generator().manual_seed(SEED)
    generator = torch.nn.Linear(1, 1)
    with torch.no_grad():
        generator.weight.fill_(1.0)
        generator.bias.fill_(0.0)
    discriminator = MLPDiscriminator(1, 64, 2, "none", draws)
    settings = Settings(steps=steps, batch=1024, latent=1, learning_rate=2e-3, betas=(0.5, 0.9), look_every=steps)
    objective = f_gan(DIVERGENCES[name])
    trainer = Trainer(generator, discriminator, objective, law.sample(200_000, SEED), settings)
    start = time.perf_counter()
    trainer.run()
    seconds = time.perf_counter() - start
    assert trainer.average is not None
    assert objective.bound is not None
    fresh = torch.as_tensor(law.sample(400_000, SEED + 1), dtype=torch.float32)
    with torch.no_grad():
        v_p, v_q = discriminator(fresh), discriminator(trainer.sample(400_000, seed=1))
        bound = float(objective.bound(v_p.double(), v_q.double()))
    mean, sigma = float(trainer.average.bias), abs(float(trainer.average.weight))
    return {
        "divergence": name,
        "best_mean": best[0],
        "best_std": best[1],
        "truth": best[2],
        "mean": mean,
        "std": sigma,
        "bound": bound,
        "seconds": seconds,
    }


PARTS = {"modes": mode_trainings, "plain": plain_trainings, "speed": speed, "fgan": f_gans}

if __name__ == "__main__":
    main()
