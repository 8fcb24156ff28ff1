"""How much of W_1 do critics prove, against known truths, and what does a step of a certified one cost?"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _funnels import Funnels, funnels, published
from _report import device_name, finish, median, race, ratio, spread

QUESTION = "How much of W_1 do critics prove, and what does a step of a certified one cost?"
SEED = 20261121
STEPS = {"laws": 3000, "penalties": 4000}
Row = dict[str, Any]


def main() -> None:
    args = options()
    for part in tuple(PARTS) if args.part == "all" else (args.part,):
        own = argparse.Namespace(**{**vars(args), "steps": args.steps or (20 if args.quick else STEPS.get(part, 8000))})
        facts = {"packages": ["torch"], "seed": SEED, "device": device_name(args.device)}
        finish(f"critics_{part}", QUESTION, PARTS[part](own), args, **facts)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=QUESTION)
    parser.add_argument("--quick", action="store_true", help="few points and steps, no file written")
    parser.add_argument("--json", type=Path, default=None, help="where to write")
    parser.add_argument("--part", choices=("all", *PARTS), default="all")
    parser.add_argument("--tasks", default="", help="only tasks whose name contains this")
    parser.add_argument(
        "--steps",
        type=int,
        default=None,
        help="of training",
    )
    parser.add_argument("--kept", type=Path, default=None, help="file of finished tasks, to go on with and add to")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    if args.kept and args.part not in ("laws", "layers", "penalties"):
        parser.error("--kept is for --part laws, layers or penalties, with a file for each")
    return args


def laws(args: argparse.Namespace) -> list[Row]:
    """The public tasks: what one call proves of the truth."""
    return over_tasks(args, law)


def layers(args: argparse.Namespace) -> list[Row]:
    """The same with networks of orthogonal layers only."""
    return over_tasks(args, partial(law, constraint="groupsort"))


def penalties(args: argparse.Namespace) -> list[Row]:
    """The public tasks: critics that are penalised, and prove nothing."""
    return over_tasks(args, penalised)


def over_tasks(args: argparse.Namespace, measured: Callable[[str, Funnels, argparse.Namespace], Row]) -> list[Row]:
    rows: list[Row] = []
    if args.kept and args.kept.exists():
        rows = [json.loads(line) for line in args.kept.read_text(encoding="utf-8").splitlines()]
        if any(row["steps"] != args.steps for row in rows):
            raise SystemExit(f"{args.kept} has tasks with another number of steps; name another file")
    for name, task in funnels().items():
        wanted = name == "2_4" if args.quick else args.tasks in name
        if wanted and name not in {row["task"] for row in rows}:
            rows.append(measured(name, task, args))
            print(rows[-1], flush=True)
            if args.kept:
                with args.kept.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
    return rows


def drawn(task: Funnels, args: argparse.Namespace) -> tuple[Any, Any, float, float]:
    """100,000 points of each law, the truth and its standard error."""
    rng = np.random.default_rng(SEED)
    x, y = task.draw(2000 if args.quick else 100_000, rng)
    return (x, y, *task.truth(20_000 if args.quick else 1_000_000, rng))


def law(name: str, task: Funnels, args: argparse.Namespace, constraint: str = "auto") -> Row:
    """All values are shares of the truth; seconds are for everything, from the arrays to the numbers."""
    import divkit

    x, y, truth, error = drawn(task, args)
    critic = divkit.KRCritic(constraint, width=128, steps=args.steps, batch=1024, device=args.device)
    points = 1000 if args.quick else 10_000
    found, seconds = timed(partial(divkit.wasserstein1_bounds, x, y, folds=1, points=points, critic=critic, rng=0))
    lower, upper = found
    made_of = lower.info["critics"][0]
    return {
        "task": name,
        "truth": truth,
        "truth_error": error / truth,
        "published_SO": published()[name]["SO"]["w1"] / truth,
        "value": lower / truth,
        "limit": lower.interval[0] / truth,
        "stderr": lower.stderr / truth,
        "source": next(iter(lower.info["sources"])),
        **made_of,
        "upper": upper / truth,
        "null": max(upper.info["null"]) / truth,
        "steps": args.steps,
        "seconds": seconds,
    }


def penalised(name: str, task: Funnels, args: argparse.Namespace) -> Row:
    """Values as shares of the truth, and the published ones."""
    import divkit

    x, y, truth, _ = drawn(task, args)
    row: Row = {"task": name, "truth": truth, "steps": args.steps}
    for label in ("gp", "lp"):
        method = divkit.KRCritic(label, width=128, depth=3, steps=args.steps, batch=512, folds=1, device=args.device)
        found, seconds = timed(partial(divkit.wasserstein1, x, y, method=method, rng=0))
        row |= {label: found / truth, f"{label}_certified": found.info["certified"] / truth}
        row |= {f"{label}_published": published()[name][label.upper()]["w1"] / truth, f"{label}_seconds": seconds}
    return row


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    return function(), time.perf_counter() - start


def toys(args: argparse.Namespace) -> list[Row]:
    """Laws whose best critic is known: two points, two images, and a point against the sphere round it, a cone."""
    import divkit

    rng = np.random.default_rng(SEED)
    method = divkit.KRCritic(device=args.device, **({"steps": args.steps} if args.quick else {}))
    rows = []
    for name, d in (("two points", 2), ("two images", 2500), ("cone", 1), ("cone", 2), ("cone", 128)):
        n = 500 if args.quick or name == "two images" else 20_000
        truth = 35.0 if name == "two images" else 1.0
        if name == "cone":
            y = rng.standard_normal((n, d))
            y /= np.linalg.norm(y, axis=1, keepdims=True)
        elif name == "two points":
            y = np.tile(np.eye(d)[0], (n, 1))
        else:  # nothing, and a square of 35 by 35 ones in an image of 50 by 50
            y = np.tile(np.pad(np.ones((35, 35)), (7, 8)).ravel(), (n, 1))
        found, seconds = timed(partial(divkit.wasserstein1, np.zeros_like(y), y, method=method, rng=0))
        rows.append({"task": name, "d": d, "truth": truth, "value": float(found), "seconds": seconds})
    return rows


def neural(args: argparse.Namespace) -> list[Row]:
    """KL of 20-dimensional Gaussians from 1 to 5 nats, and JSD, by networks from 100,000 points."""
    import divkit

    n, d = (1000, 20) if args.quick else (100_000, 20)
    rows = []
    for kl in (1.0,) if args.quick else (1.0, 2.0, 3.0, 4.0, 5.0):
        shift = np.full(d, np.sqrt(2 * kl / d))
        x, y = np.random.default_rng([SEED, int(kl)]).standard_normal((2, n, d))
        P, Q = divkit.Samples(x + shift), divkit.Samples(y)
        for name in ("kl", "jsd"):
            truth = kl if name == "kl" else on_a_line(np.sqrt(2 * kl), name)
            steps = min(args.steps, 4000)
            method = divkit.NeuralBound(steps=steps, batch=1024, device=args.device)
            found, seconds = timed(partial(divkit.estimate, P, Q, name, method, rng=0))
            row = {"divergence": name, "kl": kl, "truth": truth, "value": float(found), "limit": found.interval[0]}
            rows.append(row | {"stderr": found.stderr, "n": n, "d": d, "steps": steps, "seconds": seconds})
    return rows


def on_a_line(shift: float, name: str) -> float:
    """The divergence of N(shift, 1) from N(0, 1): a rotation takes the others there."""
    import scipy.stats

    import divkit

    return float(divkit.estimate(scipy.stats.norm(shift, 1), scipy.stats.norm(0, 1), name))


def steps(args: argparse.Namespace) -> list[Row]:
    """A step of a certified critic against one of a plain network, and one backward pass against two."""
    import torch

    torch.set_num_threads(1)
    sizes = ((64, 3, 16),) if args.quick else ((128, 3, 16), (128, 6, 16), (512, 3, 64))
    return [step(width, depth, d, args.quick) for width, depth, d in sizes]


def step(width: int, depth: int, d: int, quick: bool) -> Row:
    """Milliseconds a step with 512 points of each law, for critics of one size."""
    from divkit.neural.penalties import slope_penalty

    count = 5 if quick else 40
    run = partial(train, width, depth, d, count)
    times = race(
        {
            "plain": partial(run, "none", "relu"),
            "certified": partial(run, "groupsort", "abs", None, "muon"),
            "penalty": partial(run, "none", "relu", slope_penalty()),
            "double_backward": partial(run, "none", "relu", double_backward),
        },
        3 if quick else 5,
    )
    row: Row = {"width": width, "depth": depth, "d": d, "batch": 512}
    row |= {f"{name}_ms": 1e3 * median(found) / count for name, found in times.items()}
    row["certified_over_plain"] = ratio(times["certified"], times["plain"])
    row["double_backward_over_penalty"] = ratio(times["double_backward"], times["penalty"])
    # Forward and backward are three products of 2 b in out operations for each matrix.
    row["gigaflops_a_plain_step"] = 6e-9 * 1024 * (d * width + (depth - 1) * width**2 + width)
    return row | {"spread": spread(times["plain"])}


def train(
    width: int,
    depth: int,
    d: int,
    count: int,
    constraint: str,
    activation: str,
    penalty: Any = None,
    optimizer: str = "adam",
) -> None:
    """So many steps on draws of the normal law."""
    import torch

    from divkit import Wasserstein
    from divkit.neural.fit import Training, maximise, variational
    from divkit.neural.nets import critic_stack

    x, y = torch.randn((2, 1, 4096, d), generator=torch.Generator().manual_seed(SEED))
    maximise(
        critic_stack(d, width=width, depth=depth, constraint=constraint, activation=activation),
        variational(Wasserstein(1).dual.variational),
        (x, y),
        (x[:, :64], y[:, :64]),
        Training(count, 512, optimizer=optimizer, check_every=count),
        generator=torch.Generator().manual_seed(0),
        penalty=penalty,
    )


def double_backward(critics: Any, x: Any, y: Any, generator: Any) -> Any:
    """The gradient penalty as it is mostly written: autograd's slopes, differentiated once more."""
    import torch

    z = torch.lerp(x, y, torch.rand((*x.shape[:2], 1), generator=generator)).requires_grad_()
    (slopes,) = torch.autograd.grad(critics(z).sum(), z, create_graph=True)
    excess = torch.linalg.vector_norm(slopes, dim=2) - 1
    return 10.0 * (excess * excess).mean(dim=1)


PARTS: dict[str, Callable[[argparse.Namespace], list[Row]]] = {
    "laws": laws,
    "layers": layers,
    "penalties": penalties,
    "toys": toys,
    "neural": neural,
    "steps": steps,
}

if __name__ == "__main__":
    main()
