"""Time and peak memory of one solver on one problem, in a process that does nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from _report import single_threaded

if __name__ == "__main__":
    single_threaded()

import contextlib
import ctypes
import gc
import time

from _transport_problems import Problem, by_divkit, by_pot, relative_gap

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def in_fresh_process(
    problem: Problem, solver: str, threads: int = 1, repeats: int = 1, tolerance: float = 0.0
) -> dict[str, Any]:
    """{"seconds": [...], "peak_mb", "value", ...} of `solver`, "divkit" or "pot", in a process of its own."""
    order = {"problem": asdict(problem), "solver": solver, "threads": threads}
    order |= {"repeats": repeats, "tolerance": tolerance}
    result = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), json.dumps(order)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def _status(field: str) -> int:
    """A size in the process status of Linux, in bytes."""
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(field + ":"))
    return 1024 * int(line.split()[1])


def _start_of_peak() -> int:
    """Bytes held now; what is measured as the peak from here on."""
    gc.collect()
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # glibc only: what the warm-up has freed must not hide what comes
            ctypes.CDLL(None).malloc_trim(0)
    if not _STATUS.exists():
        return _peak()
    _CLEAR.write_text("5")  # forget the peak of imports and compilation
    return _status("VmRSS")


def _peak() -> int:
    """The largest resident size so far.

    Not `ru_maxrss` on Linux: there it starts at the size of the process that this one was started from.
    """
    if _STATUS.exists():
        return _status("VmHWM")
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _measured(order: dict[str, Any]) -> dict[str, Any]:
    problem = Problem(**order["problem"])
    settings = {"threads": order["threads"], "tolerance": order["tolerance"]} if order["solver"] == "divkit" else {}
    prepare: Any = by_divkit if order["solver"] == "divkit" else by_pot
    prepare(problem.small, **settings)()
    solve = prepare(problem, **settings)
    before, seconds = _start_of_peak(), []
    # On one thread the time that other tenants of the machine take away does not count.
    clock = time.process_time if order["threads"] == 1 else time.perf_counter
    for _ in range(order["repeats"]):
        start = clock()
        found = solve()
        seconds.append(clock() - start)
    facts = {"seconds": seconds, "peak_mb": (_peak() - before) / 2**20}
    if order["solver"] == "pot":
        return {**facts, "value": found}
    search = {name: found.info.get(name) for name in ("method", "rounds", "arcs")}
    return {**facts, "value": found.cost, "gap": relative_gap(found), **search}


if __name__ == "__main__":
    print(json.dumps(_measured(json.loads(sys.argv[1]))))
