"""Several processes train the same generator."""

from __future__ import annotations

import json

import pytest
from two_processes import run_by_one_and_two

torch = pytest.importorskip("torch")

SCRIPT = """
import os, sys, torch
import torch.distributed as dist
from divkit.datasets import ring_mixture
from divkit.gan.nets import mlp_pair
from divkit.gan.settings import Settings
from divkit.gan.trainer import Trainer
from divkit.gan.tricks import InstanceNoise, Packing
torch.set_num_threads(1)
if int(os.environ["WORLD_SIZE"]) > 1:
    dist.init_process_group("gloo")
for objective in ("wgan-gp", "relativistic"):
    generator, _ = mlp_pair(2, 2, width=8, depth=2)
    _, discriminator = mlp_pair(2, 4, width=8, depth=2)
    tricks = [InstanceNoise(0.1), Packing(2)]
    settings = Settings(steps=12, batch=16, look_every=6)
    path = f"{sys.argv[1]}-{objective}"
    trainer = Trainer(generator, discriminator, objective, ring_mixture().sample(200, 0), settings, tricks=tricks)
    trainer.run(metrics=path + ".jsonl", checkpoint=path + ".state")
    if int(os.environ["RANK"]) == 0:
        torch.save(trainer.sample(20), path + ".pt")
if dist.is_initialized():
    dist.destroy_process_group()
"""


def test_two_processes_do_what_one_does_with_the_whole_batch(tmp_path):
    run_by_one_and_two(SCRIPT, tmp_path)
    for objective in ("wgan-gp", "relativistic"):
        one, two = (torch.load(tmp_path / f"{world}-{objective}.pt") for world in (1, 2))
        # Sums in another order differ by the rounding of float32, which twelve steps may carry on.
        torch.testing.assert_close(one, two, atol=2e-4, rtol=2e-4)
        histories = [(tmp_path / f"{world}-{objective}.jsonl").read_text().splitlines() for world in (1, 2)]
        for alone, together in zip(*histories, strict=True):
            assert json.loads(together) == pytest.approx(json.loads(alone), abs=2e-4)
