"""Which objectives keep all modes, how soon, and what does a step cost beside a plain loop?"""

from __future__ import annotations

import argparse
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from _gan_digits import JUDGED, NETWORKS, digits_row
from _gan_fgan import OPTIMA, fitted_gaussian
from _gan_modes import RECIPES, STEPS, recipe_row, with_kept
from _gan_plain import plain_loop, plain_training
from _report import device_name, finish, median

QUESTION = "Which objectives keep all modes, how soon, and what does a step cost beside a plain loop?"
SEED = 20261122
IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
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
    parser.add_argument("--steps", type=int, default=None, help="of the generator; 10,000 and 15,000 by default")
    parser.add_argument("--seeds", type=int, default=None, help="trainings of each recipe; 5 by default")
    parser.add_argument("--first-seed", type=int, default=0, help="the seeds are those from here on")
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
    """Ring and grid: modes, quality and time of each recipe, over seeds."""
    rows = []
    for problem in args.laws:
        for recipe in args.recipes[:1] if args.quick else args.recipes:
            if problem == "ring" and recipe.endswith("no waves"):
                continue  # it has none
            common = {
                "seeds": range(args.first_seed, args.first_seed + args.seeds),
                "device": args.device,
                "data_seed": SEED,
            }
            rows.append(recipe_row(problem, recipe, steps=args.steps or STEPS[problem], **common))
            print(rows[-1], flush=True)
    return rows if args.quick else with_kept(rows)


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


def f_gans(args: argparse.Namespace) -> list[Row]:
    """The f-GAN paper's univariate table: what is learnt by each divergence, beside what is best."""
    import torch

    torch.set_num_threads(1)
    return [fitted_gaussian(name, SEED, args.steps) for name in OPTIMA]


def digits(args: argparse.Namespace) -> list[Row]:
    """Handwritten digits, by convolutions and by perceptrons, one thread; what they make is drawn."""
    import torch

    from divkit.gan.pictures import drawn

    torch.set_num_threads(1)
    rows = []
    judged = 50 if args.quick else JUDGED
    for name in ["perceptrons"] if args.quick else NETWORKS:
        row, images = digits_row(name, steps=args.steps, device=args.device, seed=SEED, judged=judged)
        rows.append(row)
        if not args.quick:
            drawn(*images, title=f"digits, {name}").savefig(IMAGES / f"gan_digits_{name}.png", dpi=110)
    return rows


PARTS = {"modes": mode_trainings, "plain": plain_trainings, "speed": speed, "fgan": f_gans, "digits": digits}

if __name__ == "__main__":
    main()
