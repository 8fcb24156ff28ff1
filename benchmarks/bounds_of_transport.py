"""How fast are sliced distances beside POT's, and how narrow is Sinkhorn's bracket, after how long, in what memory?"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from _report import device_name, finish, median, race, ratio

QUESTION = (
    "How fast are sliced distances beside POT's, and how narrow is Sinkhorn's bracket, after how long, in what memory?"
)
SEED = 20261126
PROJECTIONS = 50
MOST_EXACT = 20_000  # points of which the exact value is asked for
MOST_DENSE = 20_000  # points that a peer may hold all pairs of
Row = dict[str, Any]


def main() -> None:
    args = options()
    for part in tuple(PARTS) if args.part == "all" else (args.part,):
        device = {"device": device_name(args.device)} if part in WITH_TORCH else {}
        packages = [name for name in ("torch", "geomloss") if part in WITH_TORCH and importlib.util.find_spec(name)]
        finish(f"bounds_{part}", QUESTION, PARTS[part](args), args, packages=packages, seed=SEED, **device)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=QUESTION)
    parser.add_argument("--quick", action="store_true", help="small sizes, no file written")
    parser.add_argument("--json", type=Path, default=None, help="where to write")
    parser.add_argument("--part", choices=("all", *PARTS), default="all")
    parser.add_argument("--device", default="cpu", help="as in torch, for sinkhorn_device")
    return parser.parse_args()


def clouds(n: int, d: int, shift: float = 0.5) -> tuple[Any, Any]:
    rng = np.random.default_rng([SEED, n, d])
    return rng.normal(size=(n, d)), rng.normal(size=(n, d)) + shift / np.sqrt(d)


def sliced(args: argparse.Namespace) -> list[Row]:
    """The same number of directions for both, in turns; their values differ by the directions that were drawn."""
    import ot

    import divkit
    from divkit.transport.sliced import Sliced

    rows = []
    for n in (500,) if args.quick else (2000, 10_000, 100_000):
        for d in (10, 64):
            x, y = clouds(n, d)
            functions = {
                "divkit": lambda x=x, y=y: divkit.wasserstein1(x, y, method=Sliced(PROJECTIONS), rng=0),
                "POT": lambda x=x, y=y: ot.sliced_wasserstein_distance(x, y, n_projections=PROJECTIONS, p=1, seed=0),
            }
            times = race(functions, 1 if args.quick else 5)
            values = {name: float(function()) for name, function in functions.items()}
            rows.append(
                {
                    "n": n,
                    "d": d,
                    "projections": PROJECTIONS,
                    "divkit_ms": 1e3 * median(times["divkit"]),
                    "pot_ms": 1e3 * median(times["POT"]),
                    "pot_over_divkit": ratio(times["POT"], times["divkit"]),
                    "values_ratio": values["divkit"] / values["POT"],
                }
            )
    return rows


def sinkhorn(args: argparse.Namespace) -> list[Row]:
    """W_1 between normal clouds: the bracket beside the exact value; and the memory of a run of two steps."""
    import divkit

    rows = []
    for n, d in ((300, 10),) if args.quick else ((1000, 10), (5000, 2), (5000, 10)):
        x, y = clouds(n, d)
        exact = divkit.wasserstein1(x, y)
        start = time.perf_counter()
        found = divkit.wasserstein1(x, y, method="sinkhorn")
        seconds = time.perf_counter() - start
        assert found.interval is not None
        low, high = found.interval
        rows.append(
            {
                "n": n,
                "d": d,
                "seconds": seconds,
                "steps": found.info["iterations"],
                "lower": low / exact - 1,
                "upper": high / exact - 1,
                "width": (high - low) / high,
            }
        )
    for n in () if args.quick else (50_000,):
        rows.append({"n": n, "d": 10, "steps": 2, **memory(n)})
    return rows


def sinkhorn_device(args: argparse.Namespace) -> list[Row]:
    """W_1 to 1 % on a device of torch, and what geomloss says there, with the same epsilon and without debiasing."""
    import divkit
    from divkit.transport.sinkhorn import Sinkhorn

    rows = []
    sizes = (300,) if args.quick else (1000, 5000) if args.device == "cpu" else (5000, 20_000, 50_000, 100_000)
    method = Sinkhorn(device=args.device)
    divkit.wasserstein1(*clouds(300, 10), method=method)
    for n in sizes:
        x, y = clouds(n, 10)
        exact = divkit.wasserstein1(x, y) if n <= MOST_EXACT else None
        start_peak(args.device)
        start = time.perf_counter()
        found = divkit.wasserstein1(x, y, method=method)
        seconds = time.perf_counter() - start
        assert found.interval is not None
        row = {"n": n, "d": 10, "seconds": seconds, "steps": found.info["iterations"], **peak(args.device)}
        row |= {"width": found.info["gap"] / found.interval[1], "exact": None if exact is None else float(exact)}
        row |= {"lower": found.interval[0], "upper": found.interval[1]}
        rows.append(row | geomloss_row(x, y, found, args.device))
    return rows


def geomloss_row(x: Any, y: Any, found: Any, device: str) -> Row:
    """Seconds and value of geomloss, at the epsilon at which ours stopped; nothing where it is not installed."""
    try:
        import torch
        from geomloss import SamplesLoss
    except ImportError:
        return {}
    online = len(x) > MOST_DENSE
    if online and importlib.util.find_spec("pykeops") is None:
        return {}
    sides = [torch.as_tensor(own, dtype=torch.float32).to(device) for own in (x, y)]
    some = slice(None, None, -(-len(x) // 300))
    epsilon = found.info["epsilon"] * float(torch.cdist(*(own[some] for own in sides)).mean())
    loss = SamplesLoss(
        "sinkhorn", p=1, blur=epsilon, scaling=0.9, debias=False, backend="online" if online else "tensorized"
    )
    loss(*(own[:300] for own in sides))
    start = time.perf_counter()
    value = float(loss(*sides))
    return {"geomloss_seconds": time.perf_counter() - start, "geomloss": value}


def start_peak(device: str) -> None:
    """Measure memory from here."""
    if device != "cpu":
        import torch

        torch.cuda.reset_peak_memory_stats(device)


def peak(device: str) -> Row:
    """Memory of the device that was taken at most."""
    if device == "cpu":
        return {}
    import torch

    return {"peak_megabytes": torch.cuda.max_memory_allocated(device) / 2**20}


def memory(n: int) -> Row:
    """Time of two steps and a bracket, and peak memory of the process that took them, all that it imports included."""
    code = (
        "import resource, time; import numpy as np; import divkit; from divkit.transport.sinkhorn import Sinkhorn; "
        f"rng = np.random.default_rng(0); x, y = rng.normal(size=(2, {n}, 10)); "
        "divkit.wasserstein1(x[:50], y[:50], method='sinkhorn'); "
        "start = time.perf_counter(); "
        "divkit.wasserstein1(x, y, method=Sinkhorn(max_iterations=2, on_limit='bracket')); "
        "print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, kilobytes = map(float, done.stdout.split())
    return {"seconds": seconds, "peak_megabytes": kilobytes / 1024, "matrix_megabytes": 8 * n * n / 2**20}


PARTS = {"sliced": sliced, "sinkhorn": sinkhorn, "sinkhorn_device": sinkhorn_device}
WITH_TORCH = ("sinkhorn_device",)

if __name__ == "__main__":
    main()
