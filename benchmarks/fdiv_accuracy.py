"""How far from the truth are f-divergences estimated from samples, by divkit and by its peers, and do limits hold?"""

from __future__ import annotations

from _report import finish, median, race, ratio, show, single_threaded, spread, write_json

single_threaded()

import argparse  # noqa: E402
import os  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from concurrent.futures import ProcessPoolExecutor, as_completed  # noqa: E402
from contextlib import contextmanager  # noqa: E402
from functools import partial  # noqa: E402
from importlib import import_module  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
from _fdiv_contestants import LEVEL, LIMITED, OURS, Job, Record, true_value, work  # noqa: E402
from _fdiv_kept import Kept  # noqa: E402
from _fdiv_peers import PEERS  # noqa: E402
from _fdiv_problems import DIVERGENCES, SEED, TRUTH_DRAWS, Task, task_of, tasks  # noqa: E402
from _fdiv_rows import Row, Truths, collected, ordered, rounded, rows_of, summary  # noqa: E402
from _report import RESULTS, environment  # noqa: E402

QUESTION = "How far from the truth are f-divergences estimated from samples, and do the limits hold?"
SIZES = (200, 1000, 10_000)
UNEQUAL = ((1000, 10_000), (10_000, 1000))
UNEQUAL_TASKS = (
    "Gaussian shift, d = 5",
    "correlated Gaussians, d = 4",
    "Laplace against normal, d = 3",
    "mixture against normal, d = 2",
    "exponentials, d = 1",
)
COVERED = ("kl", "jsd", "squared_hellinger", "total_variation", "pearson_chi2")
DRAWS = {200: 20, 1000: 10, 10_000: 2}  # what ends in a quarter of an hour on two cores
QUICK_TASKS = ("Gaussian shift, d = 1", "correlated Gaussians, d = 4", "Laplace against normal, d = 3")
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main() -> None:
    args = options()
    target: Path | None = args.json
    for part in tuple(PARTS) if args.part == "all" else (args.part,):
        if target is not None and args.part == "all":
            args.json = target.with_name(f"{target.stem}_{part}{target.suffix}")
        PARTS[part](args)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=QUESTION)
    parser.add_argument("--quick", action="store_true", help="few tasks and draws, a minute at most, no file written")
    parser.add_argument("--json", type=Path, default=None, help="where to write; _PART is added if all parts run")
    parser.add_argument("--part", choices=("all", *PARTS), default="all", help="what to measure")
    parser.add_argument(
        "--draws", type=int, default=None, help="of each pair of samples; fewer of large ones by default"
    )
    parser.add_argument("--large-draws", type=int, default=None, help="the same for 10,000 points")
    parser.add_argument("--tasks", default="", help="only tasks whose name contains this")
    parser.add_argument("--sizes", type=int, nargs="+", default=None, help="only these numbers of points of the larger")
    parser.add_argument("--kept", type=Path, default=None, help="file of finished draws, to go on with and add to")
    parser.add_argument("--processes", type=int, default=CORES, help="draws at a time, each on one thread")
    return parser.parse_args()


def chosen_tasks(args: argparse.Namespace) -> list[Task]:
    return [
        task
        for task in tasks()
        if args.tasks in task.name and (not args.quick or args.tasks or task.name in QUICK_TASKS)
    ]


def sizes_of(task: Task, args: argparse.Namespace, largest: int) -> list[tuple[int, int]]:
    """The numbers of points (n, m) of a task, up to the largest that a part asks for."""
    every = [(n, n) for n in SIZES] + list(UNEQUAL if task.name in UNEQUAL_TASKS else ())
    wanted = args.sizes or (SIZES[:1] if args.quick else SIZES)
    return [(n, m) for n, m in every if max(n, m) in wanted and max(n, m) <= largest]


def accuracy(args: argparse.Namespace) -> None:
    jobs = [
        Job(task.name, n, m, draw, DIVERGENCES, (*OURS, "peers"), draw < alone(n, m))
        for task in chosen_tasks(args)
        for n, m in sizes_of(task, args, SIZES[-1])
        for draw in range(draws_of(max(n, m), args))
    ]
    start = time.perf_counter()
    truths, results = computed(args, jobs)
    found = collected(results)
    rows = ordered(rows_of(found, truths))
    draws = {str(size): draws_of(size, args) for size in SIZES}
    facts: dict[str, Any] = {"draws": draws, "peers": peers(), "skipped": skipped(truths)}
    facts |= {"truths": listed(truths), "summary": summary(found, rows, truths)}
    written("fdiv_accuracy", args, rows, facts | {"wall_seconds": round(time.perf_counter() - start)})
    kept = ("task", "n", "m", "contestant", "divergence", "truth", "rmse", "bias", "lower_held", "seconds")
    show(QUESTION, [{key: row.get(key, "") for key in kept} for row in rows if row["divergence"] in ("kl", "jsd")])
    show("auto against the peer that comes nearest", facts["summary"]["ranks"])
    show("auto, relative errors", facts["summary"]["relative_errors"])
    show("lower bounds whose mean is above the truth", facts["summary"]["above_truth"])


def draws_of(size: int, args: argparse.Namespace) -> int:
    """Draws of samples of which the larger has that many points."""
    if size > 1000 and args.large_draws:
        return int(args.large_draws)
    return int(args.draws or (2 if args.quick else DRAWS[size]))


def alone(n: int, m: int) -> int:
    """Draws for which divkit's methods are asked for more than `auto` needs of them."""
    return 3 if max(n, m) <= 1000 else 1


def coverage(args: argparse.Namespace) -> None:
    draws = args.draws or (6 if args.quick else 200)
    jobs = [
        Job(task.name, n, m, draw, COVERED, LIMITED)
        for task in chosen_tasks(args)
        for n, m in sizes_of(task, args, 1000)
        for draw in range(draws)
    ]
    start = time.perf_counter()
    truths, results = computed(args, jobs)
    rows = ordered(rows_of(collected(results), truths))
    facts: dict[str, Any] = {"draws": draws, "level": LEVEL, "skipped": skipped(truths), "truths": listed(truths)}
    written("fdiv_coverage", args, rows, facts | {"wall_seconds": round(time.perf_counter() - start)})
    kept = ("task", "n", "contestant", "divergence", "truth", "mean", "lower_held", "seen_held", "draws", "warned")
    show("Do the limits hold?", [{key: row.get(key, "") for key in kept} for row in rows])


def computed(args: argparse.Namespace, jobs: list[Job]) -> tuple[Truths, list[tuple[Job, list[Record]]]]:
    """The truths and all draws, on all cores, the longest jobs first."""
    asked = {(job.task, divergence) for job in jobs for divergence in (*job.divergences, "jsd")}
    draws = 100_000 if args.quick else TRUTH_DRAWS
    kept = Kept(args.kept)
    todo = sorted(kept.missing(jobs), key=lambda job: -max(job.n, job.m) * task_of(job.task).d)
    with ProcessPoolExecutor(args.processes) as pool:
        values = [pool.submit(true_value, *key, draws) for key in sorted(asked)]
        futures = [pool.submit(work, job) for job in todo]
        for count, future in enumerate(as_completed(futures), 1):
            kept.add(*future.result())
            if count % max(1, len(todo) // 20) == 0:
                print(f"{count} of {len(todo)} draws", flush=True)
        found = [value.result() for value in values]
    return {(task, divergence): value for task, divergence, value in found}, list(kept.results(jobs))


def listed(truths: Truths) -> list[Row]:
    return [
        {"task": task, "divergence": divergence, "truth": rounded(found.value), "error": rounded(found.error)}
        | {"source": found.source}
        for (task, divergence), found in truths.items()
    ]


def skipped(truths: Truths) -> list[str]:
    """What has no finite truth, by name."""
    return [
        f"{divergence} of {task}: infinite" for (task, divergence), found in truths.items() if found.value == np.inf
    ]


def peers() -> list[Row]:
    return [{"name": peer.name, "version": peer.version or "not installed", "about": peer.about} for peer in PEERS]


def written(name: str, args: argparse.Namespace, rows: list[Row], facts: Row) -> None:
    if args.json or not args.quick:
        payload = {"question": QUESTION, **environment(), "seed": SEED, **facts, "rows": rows}
        write_json(args.json or RESULTS / f"{name}.json", payload)


def speed(args: argparse.Namespace) -> None:
    rounds = 3 if args.quick else 5
    rows = [
        one_fit(1000 if args.quick else 10_000, 10, rounds),
        *neighbours(2000 if args.quick else 100_000, 3, rounds),
    ]
    finish("fdiv_speed", "How long does it take?", rows, args, seed=SEED, cores_used=CORES, peers=peers())


@contextmanager
def threads(count: int) -> Iterator[None]:
    """All libraries on that many threads."""
    from threadpoolctl import threadpool_limits

    before = os.environ["DIVKIT_NUM_THREADS"]
    os.environ["DIVKIT_NUM_THREADS"] = str(count)
    try:
        with threadpool_limits(count):
            yield
    finally:
        os.environ["DIVKIT_NUM_THREADS"] = before


def one_fit(n: int, d: int, rounds: int) -> Row:
    """All divergences of two samples of a Gaussian shift."""
    from divkit.methods.crossfit import estimate_all

    x, y = task_of("Gaussian shift, d = 10").draw(n, n, 0)
    row: Row = {"case": "all divergences from one fit", "n": n, "d": d}
    for label, count in {"divkit": 1, "divkit, all cores": CORES}.items():
        with threads(count):
            times = race({label: lambda: estimate_all(x, y, rng=0)}, rounds)[label]
        row[label] = median(times)
        row[f"{label}, spread"] = spread(times)
    return row | {"repeats": rounds}


def neighbours(n: int, d: int, rounds: int) -> list[Row]:
    """KL by nearest neighbours, k = 5: divkit, two plain queries of a k-d tree, and universal-divergence."""
    import divkit
    from divkit.methods.knn import KNN

    rng = np.random.default_rng(SEED)
    x, y = rng.standard_normal((2, n, d))
    y[:, 0] += 1
    P, Q, method, rows = divkit.Samples(x), divkit.Samples(y), KNN(k=5, interval=False), []
    for count in (1, CORES):
        functions: dict[str, Callable[[], float]] = {
            "divkit": lambda: divkit.estimate(P, Q, "kl", method),
            "plain": partial(plain_kl, x, y, 5, count),
        }
        if count == 1 and all(peer.version for peer in PEERS if peer.name == "universal-divergence"):
            functions["universal"] = lambda: universal_kl(x, y, 5)
        with threads(count):
            times = race(functions, rounds)
            values = {f"{name}_value": float(function()) for name, function in functions.items()}
        row: Row = {"case": "KL by nearest neighbours, k = 5", "n": n, "d": d, "threads": count}
        row |= {name: median(found) for name, found in times.items()}
        row |= {f"{name}_over_divkit": ratio(times[name], times["divkit"]) for name in times if name != "divkit"}
        rows.append(row | values | {"spread": spread(times["divkit"]), "repeats": rounds})
    return rows


def plain_kl(x: Any, y: Any, k: int, workers: int) -> float:
    from scipy.spatial import cKDTree

    own = cKDTree(x).query(x, k + 1, workers=workers)[0][:, -1]
    other = cKDTree(y).query(x, k, workers=workers)[0][:, -1]
    return float(x.shape[1] * np.mean(np.log(other / own)) + np.log(len(y) / (len(x) - 1)))


def universal_kl(x: Any, y: Any, k: int) -> float:
    return float(import_module("universal_divergence").estimate(x, y, k=k))


PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "accuracy": accuracy,
    "coverage": coverage,
    "speed": speed,
}

if __name__ == "__main__":
    main()
