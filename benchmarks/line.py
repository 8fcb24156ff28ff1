"""How close is W1 on the line to the time of its two sorts, and how far ahead of SciPy?"""

from __future__ import annotations

from _report import finish, median, options, race, ratio, repeated, single_threaded, spread

single_threaded()

import os  # noqa: E402

import numpy as np  # noqa: E402
import scipy.stats  # noqa: E402

from divkit import exact, wasserstein1  # noqa: E402

QUESTION = "How close is W1 on the line to the time of its two sorts, and how far ahead of SciPy?"
SEED = 20240607


def with_threads(threads: int, function):
    """The function with another number of threads."""

    def call():
        os.environ["DIVKIT_NUM_THREADS"] = str(threads)
        try:
            return function()
        finally:
            os.environ["DIVKIT_NUM_THREADS"] = "1"

    return call


def row(case: str, n: int, functions: dict, rounds: int, value: float, reference: float, calls: int = 1) -> dict:
    times = race(functions, rounds)
    facts = {
        "case": case,
        "n": n,
        "divkit_ms": 1e3 * median(times["divkit"]) / calls,
        "spread": spread(times["divkit"]),
        "scipy_ms": 1e3 * median(times["scipy"]) / calls,
        "scipy_over_divkit": ratio(times["scipy"], times["divkit"]),
        "relative_difference": abs(value - reference) / reference,
    }
    if "sorts" in times:
        facts["two_sorts_ms"] = 1e3 * median(times["sorts"]) / calls
        facts["divkit_over_two_sorts"] = ratio(times["divkit"], times["sorts"])
    if "two threads" in times:
        facts["two_threads_ms"] = 1e3 * median(times["two threads"]) / calls
    return facts


def large(n: int, rounds: int, rng: np.random.Generator) -> list[dict]:
    x, y, longer = rng.standard_normal(n), rng.standard_normal(n) + 0.1, rng.standard_normal(n + n // 10)
    a, b = rng.random(n), rng.random(n)
    peer = scipy.stats.wasserstein_distance
    cases = {
        "equal sizes": ((x, y), lambda: (np.sort(x), np.sort(y))),
        "unequal sizes": ((x, longer), lambda: (np.sort(x), np.sort(longer))),
        "weighted": ((x, y, a, b), lambda: (np.argsort(x), np.argsort(y))),
    }
    rows = []
    for case, (arguments, sorts) in cases.items():
        functions = {
            "divkit": lambda arguments=arguments: wasserstein1(*arguments),
            "sorts": sorts,
            "scipy": lambda arguments=arguments: peer(*arguments),
            "two threads": with_threads(2, lambda arguments=arguments: wasserstein1(*arguments)),
        }
        rows.append(row(case, n, functions, rounds, float(wasserstein1(*arguments)), peer(*arguments)))
    return rows


def small(rounds: int, rng: np.random.Generator) -> list[dict]:
    peer, calls, rows = scipy.stats.wasserstein_distance, 200, []
    x, y, longer, a, b = rng.random(100), rng.random(100), rng.random(107), rng.random(100), rng.random(100)
    for case, arguments in {"equal sizes": (x, y), "unequal sizes": (x, longer), "weighted": (x, y, a, b)}.items():
        functions = {
            "divkit": repeated(lambda arguments=arguments: wasserstein1(*arguments), calls),
            "scipy": repeated(lambda arguments=arguments: peer(*arguments), calls),
        }
        rows.append(row(case, 100, functions, rounds, float(wasserstein1(*arguments)), peer(*arguments), calls))
    return rows


def batch(rounds: int, rng: np.random.Generator) -> dict:
    x, y = rng.standard_normal((2, 50, 2000))

    def loop() -> list[float]:
        return [scipy.stats.wasserstein_distance(r, s) for r, s in zip(x, y, strict=True)]

    functions = {
        "divkit": lambda: exact.wasserstein(x, y),
        "sorts": lambda: (np.sort(x), np.sort(y)),
        "scipy": loop,
    }
    return row("50 rows", 2000, functions, rounds, float(exact.wasserstein(x, y).sum()), sum(loop()))


def main() -> None:
    args = options(QUESTION)
    rng = np.random.default_rng(SEED)
    rounds = 5 if args.quick else 11
    rows = small(rounds, rng)
    rows.append(batch(rounds, rng))
    for n in (10**5,) if args.quick else (10**5, 10**6, 10**7):
        rows += large(n, rounds if n < 10**7 else 5, rng)
    limit = "two np.sort of the same arrays (two np.argsort where weighted), one thread"
    finish("line", QUESTION, rows, args, seed=SEED, limit=limit)


if __name__ == "__main__":
    main()
