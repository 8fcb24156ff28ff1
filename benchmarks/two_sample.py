"""How fast are the permutation tests, and what do they see, beside those of hyppo and SciPy?"""

from __future__ import annotations

import argparse
import importlib.util
import resource
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from _report import finish, median
from _two_sample_problems import ALTERNATIVES, rows

QUESTION = "How fast are the permutation tests, and what do they see, beside those of hyppo and SciPy?"
SEED = 20261127
OURS = ("energy", "mmd", "mmd_aggregated", "wasserstein1", "knn")
LEVEL = 0.05
Row = dict[str, Any]


def main() -> None:
    args = options()
    for part in tuple(PARTS) if args.part == "all" else (args.part,):
        peers = ["hyppo"] if importlib.util.find_spec("hyppo") else []
        finish(f"two_sample_{part}", QUESTION, PARTS[part](args), args, packages=peers, seed=SEED)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=QUESTION)
    parser.add_argument("--quick", action="store_true", help="few repetitions and small sizes, no file written")
    parser.add_argument("--json", type=Path, default=None, help="where to write")
    parser.add_argument("--part", choices=("all", *PARTS), default="all")
    parser.add_argument("--repeats", type=int, default=None, help="draws of every alternative; 300 by default")
    args = parser.parse_args()
    args.repeats = args.repeats or (3 if args.quick else 300)
    return args


def speed(args: argparse.Namespace) -> list[Row]:
    """Seconds of a test with B = 999, beside one that evaluates the statistic anew for every permutation."""
    rng = np.random.default_rng(SEED)
    small, large, line = (100, 300, 1000) if args.quick else (1000, 20_000, 100_000)
    found = []
    for n, name, rounds in ((small, "energy", 7), (small, "mmd", 7), (large, "energy", 1), (large, "mmd", 1)):
        x, y = rng.normal(size=(2, n, 10))
        found.append(timed(name, x, y, rounds, peer_of(name) if n == small else None))
    x, y = rng.normal(size=(2, line))
    return [*found, timed("wasserstein1", x, y, 5, scipy_test)]


def timed(name: str, x: Any, y: Any, rounds: int, peer: Callable[[Any, Any, int], float] | None) -> Row:
    """One statistic on one pair of samples; a peer is timed for a few permutations, of which 999 take as many times."""
    import divkit

    divkit.two_sample_test(x[:50], y[:50], name, permutations=9)  # compiled
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        divkit.two_sample_test(x, y, name, rng=0)
        times.append(time.perf_counter() - start)
    seconds = median(times)
    row: Row = {"statistic": name, "n": len(x), "d": 1 if x.ndim == 1 else x.shape[1], "seconds": seconds}
    row["peak_megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if peer is not None:
        row["peer"] = "scipy" if peer is scipy_test else "hyppo"
        each = peer(x, y, 3) if len(x) < 10_000 else peer(x, y, 9)
        row |= {"peer_seconds_a_permutation": each, "peer_over_divkit": 999 * each / seconds}
    return row


def peer_of(name: str) -> Callable[[Any, Any, int], float] | None:
    """Hyppo's test by the same statistic."""
    if not importlib.util.find_spec("hyppo"):
        return None

    def seconds(x: Any, y: Any, permutations: int) -> float:
        from hyppo.ksample import MMD, Energy

        test = {"energy": Energy, "mmd": MMD}[name]()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that these are few
            test.test(x[:30], y[:30], reps=permutations, auto=False)
            times = []
            for count in (permutations, 2 * permutations):  # what every permutation adds
                start = time.perf_counter()
                test.test(x, y, reps=count, auto=False)
                times.append(time.perf_counter() - start)
        return (times[1] - times[0]) / permutations

    return seconds


def scipy_test(x: Any, y: Any, permutations: int) -> float:
    """Seconds a permutation of scipy.stats.permutation_test with scipy.stats.wasserstein_distance."""
    from scipy.stats import permutation_test, wasserstein_distance

    start = time.perf_counter()
    permutation_test((x, y), wasserstein_distance, n_resamples=permutations, alternative="greater", rng=0)
    return (time.perf_counter() - start) / (permutations + 1)


def power(args: argparse.Namespace) -> list[Row]:
    """Share of rejections at 0.05 on the same draws."""
    job = partial(power_row, args.repeats)
    wanted = rows()[::5] if args.quick else rows()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        return list(pool.map(job, wanted))


def power_row(repeats: int, problem: tuple[str, int]) -> Row:
    """One alternative in one dimension."""
    import divkit

    name, d = problem
    peers = hyppo_tests() if importlib.util.find_spec("hyppo") else {}
    found: dict[str, list[bool]] = {test: [] for test in (*OURS, *peers)}
    for k in range(repeats):
        rng = np.random.default_rng([SEED, k, d])
        x, y = ALTERNATIVES[name](d, rng)
        for test in OURS:
            found[test].append(divkit.two_sample_test(x, y, test, permutations=499, rng=k).p_value <= LEVEL)
        for test, p_value in peers.items():
            found[test].append(p_value(x, y) <= LEVEL)
    return {
        "alternative": name,
        "d": d,
        "repeats": repeats,
        **{test: float(np.mean(own)) for test, own in found.items()},
    }


def hyppo_tests() -> dict[str, Callable[[Any, Any], float]]:
    """Its tests for two samples, in their quick forms, where these are what it takes by itself."""
    from hyppo.ksample import MMD, Energy, Hotelling, KSample

    tests = {
        "hyppo Energy": Energy(),
        "hyppo MMD": MMD(),
        "hyppo Hotelling": Hotelling(),
        "hyppo Dcorr": KSample("Dcorr"),
        "hyppo Hsic": KSample("Hsic"),
        "hyppo RV": KSample("RV"),
    }

    def p_value(test: Any, x: Any, y: Any) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return float(np.ravel(test.test(x, y)[1])[0])

    return {name: partial(p_value, test) for name, test in tests.items()}


PARTS = {"speed": speed, "power": power}

if __name__ == "__main__":
    main()
