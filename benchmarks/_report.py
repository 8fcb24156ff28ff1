"""What every benchmark shares: interleaved timing, the facts about the machine, JSON and a table on the screen."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
_PACKAGES = ("divkit", "numpy", "scipy", "numba", "POT")


def single_threaded() -> None:
    """One thread for every library; call before numpy is imported."""
    if "numpy" in sys.modules:
        raise RuntimeError("single_threaded() must come before numpy is imported")
    for library in ("OMP", "OPENBLAS", "MKL", "NUMBA", "DIVKIT"):
        os.environ[f"{library}_NUM_THREADS"] = "1"


def options(question: str) -> argparse.Namespace:
    """The two options that all scripts have."""
    parser = argparse.ArgumentParser(description=question)
    parser.add_argument("--quick", action="store_true", help="small sizes, a minute at most, no file written")
    parser.add_argument("--json", type=Path, default=None, help="where to write the result")
    return parser.parse_args()


def environment(*packages: str) -> dict[str, Any]:
    """Versions, also of these packages, processor, cores and date."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in (*_PACKAGES, *packages)},
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }


def device_name(device: str) -> str:
    """What computed, in words."""
    import torch

    return torch.cuda.get_device_name(device) if device.startswith("cuda") else "CPU"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def write_json(path: Path, payload: Mapping[str, Any]) -> None:
    """Write the payload; infinities are not allowed, so that any reader can parse it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(payload, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    print(f"wrote {path.name}")


def finish(
    name: str,
    question: str,
    rows: Sequence[Mapping[str, Any]],
    args: argparse.Namespace,
    *,
    packages: Sequence[str] = (),
    **facts: Any,
) -> None:
    """Show the rows, and write them unless this is a quick run."""
    show(question, rows)
    if args.json or not args.quick:
        payload = {"question": question, **environment(*packages), **facts, "rows": list(rows)}
        write_json(args.json or RESULTS / f"{name}.json", payload)


def show(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows as a table."""
    from rich.console import Console
    from rich.table import Table

    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = Table(*columns, title=title)
    for row in rows:
        table.add_row(*(_cell(row.get(column, "")) for column in columns))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def race(functions: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each function in each round; all run once per round, so that a slow spell hits all of them."""
    for function in functions.values():
        function()  # warm-up: compilation, page faults
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            times[name].append(time.perf_counter() - start)
    return times


def median(times: Sequence[float]) -> float:
    """The median, in seconds."""
    return statistics.median(times)


def spread(times: Sequence[float]) -> float:
    """Half the range of the middle half, relative to the median."""
    low, _, high = statistics.quantiles(times, n=4)
    return (high - low) / 2 / statistics.median(times)


def ratio(slow: Sequence[float], fast: Sequence[float]) -> float:
    """The median over rounds of the quotient of times measured in the same round."""
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


def repeated(function: Callable[[], object], times: int) -> Callable[[], object]:
    """The function called many times, for calls too short for the clock."""

    def loop() -> None:
        for _ in range(times):
            function()

    return loop


def peak_bytes(function: Callable[[], object]) -> int:
    """Peak of what NumPy and Python allocate during a call, over what they held before."""
    function()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak - before
