"""Runs a script that uses torch.distributed, by one process and by two."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run_by_one_and_two(script: str, folder: Path) -> None:
    """The script gets the path of its output, which ends with the number of processes."""
    file = folder / "train.py"
    file.write_text(script)
    port = 20_000 + os.getpid() % 20_000
    shared = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    for world in (1, 2):
        running = [
            subprocess.Popen(
                [sys.executable, str(file), str(folder / str(world))],
                env={**shared, "WORLD_SIZE": str(world), "RANK": str(rank), "LOCAL_RANK": str(rank)},
            )
            for rank in range(world)
        ]
        assert [process.wait(timeout=120) for process in running] == [0] * world
