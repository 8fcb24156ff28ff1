"""A plain WGAN-GP, and when a training has arrived."""

from __future__ import annotations

import time
from typing import Any, Final

ENOUGH: Final = 0.95  # share of high quality at which a training has arrived, with all modes held
LOOKED_AT: Final = 2500  # points, as in the literature
Row = dict[str, Any]


def has_arrived(report: Any) -> bool:
    """Whether all modes are held, and nearly all points are near one."""
    return bool(report.captured == report.components and report.high_quality >= ENOUGH)


def plain_loop(
    data: Any, device: str, done: Any, *, width: int, betas: tuple[float, float], rate: float, factor: float
) -> None:
    """What a tutorial writes: two passes for data and model, autograd's own penalty, five steps of the critic.

    It ends when done(step, generator) says so.
    """
    import torch
    from torch import nn

    points = torch.as_tensor(data.points, dtype=torch.float32, device=device)

    def net(fan_in: int, fan_out: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        for a, b in ((fan_in, width), (width, width), (width, width)):
            layers += [nn.Linear(a, b), nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear(width, fan_out)).to(device)

    generator, critic = net(2, 2), net(2, 1)
    adams = [torch.optim.Adam(own.parameters(), lr=rate, betas=betas) for own in (generator, critic)]
    step = 0
    while not done(step, generator):
        for _ in range(5):
            x = points[torch.randint(len(points), (256,), device=device)]
            y = generator(torch.randn(256, 2, device=device)).detach()
            between = torch.rand(256, 1, device=device)
            z = (between * x + (1 - between) * y).requires_grad_()
            (slopes,) = torch.autograd.grad(critic(z).sum(), z, create_graph=True)
            penalty = factor * ((slopes.norm(dim=1) - 1) ** 2).mean()
            loss = critic(y).mean() - critic(x).mean() + penalty
            adams[1].zero_grad()
            loss.backward()
            adams[1].step()
        loss = -critic(generator(torch.randn(256, 2, device=device))).mean()
        adams[0].zero_grad()
        loss.backward()
        adams[0].step()
        step += 1


def plain_training(minutes: float, device: str, seed: int, problem: str) -> Row:
    """How soon the plain loop arrives on one law, if it does so in time."""
    import torch

    from divkit.gan.evaluate import modes
    from divkit.gan.problems import load_problem

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    data = load_problem(problem, rng=seed, codes=0, waves=0)
    start, best, row = time.perf_counter(), 0.0, {"problem": problem}

    @torch.no_grad()
    def done(step: int, generator: Any) -> bool:
        nonlocal best
        if step % 100:
            return False
        report = modes(data.restored(generator(torch.randn(LOOKED_AT, 2, device=device)).cpu().numpy()), data.law)
        best = max(best, report.high_quality)
        seconds = time.perf_counter() - start
        there = has_arrived(report)
        row.update(steps=step, captured=report.captured, high_quality=report.high_quality, best=best, seconds=seconds)
        row["arrived"] = seconds if there else None
        return there or seconds > 60 * minutes

    plain_loop(data, device, done, width=512, betas=(0.5, 0.9), rate=1e-4, factor=0.1)
    return row
