"""Which objectives keep all modes, how soon, and what does a step cost beside a plain loop?"""

from __future__ import annotations

import argparse
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np
from _report import device_name, finish, median

QUESTION = "Which objectives keep all modes, how soon, and what does a step cost beside a plain loop?"
SEED = 20261122
# The same for all seeds and both laws.
RECIPES: Final[dict[str, dict[str, Any]]] = {
    "relativistic": {"learning_rate": 1e-3},
    "non-saturating": {"learning_rate": 1e-3},
    "minimax": {"learning_rate": 1e-3},
    "wgan-gp": {"learning_rate": 1e-3, "critic_steps": 1},
    "wgan-lp": {"learning_rate": 1e-3, "critic_steps": 1},
    "wgan-groupsort": {"learning_rate": 1e-3, "critic_steps": 1},
    "wgan": {"learning_rate": 1e-4},
    "f-gan-kl-trick": {"learning_rate": 3e-4},
    "f-gan-squared_hellinger": {"learning_rate": 3e-4},
}
ENOUGH: Final = 0.95  # share of high quality at which a training has arrived, with all modes held
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
    parser.add_argument("--steps", type=int, default=None, help="of the generator; 16,000 by default")
    parser.add_argument("--seeds", type=int, default=None, help="trainings of each objective; 5 by default")
    parser.add_argument("--objectives", nargs="+", default=list(RECIPES), help="only these")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    args.steps = args.steps or (20 if args.quick else 16_000)
    args.seeds = args.seeds or (1 if args.quick else 5)
    return args


def mode_trainings(args: argparse.Namespace) -> list[Row]:
    """Ring and grid: modes, quality and time of each objective, over seeds; two trainings at a time, a thread each."""
    objectives = args.objectives[:1] if args.quick else args.objectives
    rows = []
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for problem in ("ring", "grid"):
            for objective in objectives:
                one = partial(training, problem, objective, args.steps, args.device)
                found = list(pool.map(one, range(args.seeds)))
                rows.append(summary(problem, objective, args.steps, found))
                print(rows[-1], flush=True)
    return rows


def training(problem: str, objective: str, steps: int, device: str, seed: int) -> Row:
    """One training: its end, and when it had arrived."""
    import torch

    from divkit.gan.evaluate import modes
    from divkit.gan.problems import load_problem
    from divkit.gan.settings import Settings
    from divkit.gan.trainer import Trainer

    torch.set_num_threads(1)
    data = load_problem(problem, rng=SEED)
    settings = Settings(steps=steps, latent=2, look_every=max(1, min(250, steps)), seed=seed, **RECIPES[objective])
    players = data.players(objective, seed=seed)
    trainer = Trainer(*players, objective, data.points, settings, device=device)
    looks: list[tuple[float, Any]] = []
    watching = 0.0
    start = time.perf_counter()

    def look(own: Trainer, _: dict[str, float]) -> None:
        nonlocal watching
        before = time.perf_counter()
        report = modes(data.restored(own.sample(2500).cpu().numpy()), data.law)
        looks.append((before - start - watching, report))
        watching += time.perf_counter() - before

    trainer.run([look])
    end = looks[-1][1]
    arrived = [seconds for seconds, report in looks if report.captured == end.components and good(report)]
    return {
        "captured": end.captured,
        "high_quality": end.high_quality,
        "reverse_kl": end.reverse_kl,
        "seconds": looks[-1][0],
        "arrived": arrived[0] if arrived else None,
    }


def good(report: Any) -> bool:
    return bool(report.high_quality >= ENOUGH)


def summary(problem: str, objective: str, steps: int, found: list[Row]) -> Row:
    """Means over the trainings, their worst, and the median of when they arrived."""
    arrived = [row["arrived"] for row in found]
    return {
        "problem": problem,
        "objective": objective,
        "steps": steps,
        "seeds": len(found),
        **RECIPES[objective],
        "captured": float(np.mean([row["captured"] for row in found])),
        "captured_least": min(row["captured"] for row in found),
        "high_quality": float(np.mean([row["high_quality"] for row in found])),
        "high_quality_least": min(row["high_quality"] for row in found),
        "reverse_kl_most": max(row["reverse_kl"] for row in found),
        "seconds": float(np.mean([row["seconds"] for row in found])),
        "arrived": median(arrived) if None not in arrived else None,
        "arrivals": sum(seconds is not None for seconds in arrived),
    }


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

    data = load_problem("ring", rng=SEED)

    def loop() -> None:
        settings = Settings(steps=count, latent=2, averaging=None, look_every=count)
        Trainer(*data.players("wgan-gp"), "wgan-gp", data.points, settings, device=device).run()

    return loop


def _plain(count: int, device: str) -> Any:
    """What a tutorial writes: two passes for data and model, autograd's own penalty, numbers fetched each step."""
    import torch
    from torch import nn

    from divkit.gan.problems import load_problem

    data = torch.as_tensor(load_problem("ring", rng=SEED).points, dtype=torch.float32)

    def net(fan_in: int, fan_out: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        for a, b in ((fan_in, 128), (128, 128), (128, 128)):
            layers += [nn.Linear(a, b), nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear(128, fan_out)).to(device)

    def loop() -> None:
        generator, critic = net(2, 2), net(2, 1)
        adams = [torch.optim.Adam(own.parameters(), lr=2e-4, betas=(0.0, 0.9)) for own in (generator, critic)]
        for _ in range(count):
            for _ in range(5):
                x = data[torch.randint(len(data), (256,))].to(device)
                y = generator(torch.randn(256, 2, device=device)).detach()
                between = torch.rand(256, 1, device=device)
                z = (between * x + (1 - between) * y).requires_grad_()
                (slopes,) = torch.autograd.grad(critic(z).sum(), z, create_graph=True)
                penalty = 10 * ((slopes.norm(dim=1) - 1) ** 2).mean()
                loss = critic(y).mean() - critic(x).mean() + penalty
                adams[1].zero_grad()
                loss.backward()
                adams[1].step()
            loss = -critic(generator(torch.randn(256, 2, device=device))).mean()
            adams[0].zero_grad()
            loss.backward()
            adams[0].step()

    return loop


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


PARTS = {"modes": mode_trainings, "speed": speed, "fgan": f_gans}

if __name__ == "__main__":
    main()
