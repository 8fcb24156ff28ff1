"""How fast is exact transport between point sets, alone and against POT, and in how much memory?"""

from __future__ import annotations

from _report import finish, median, ratio, repeated, single_threaded, spread

single_threaded()

import argparse  # noqa: E402
import importlib.util  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Iterable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

from _transport_child import in_fresh_process  # noqa: E402
from _transport_problems import CORES, SEED, Problem, by_divkit, by_pot, exponent, relative_gap  # noqa: E402

QUESTION = "How fast is exact transport between point sets, alone and against POT, and in how much memory?"
AGREEMENT = 1e-9  # both sides stop at a relative gap far below; what differs by more is no race
FITTED = 1000  # points from which times are fitted: below, what every call costs is not negligible
REPEATED = 1000  # points up to which calls are made again and again
GAUSSIANS = "shifted Gaussians"
ALL_CORES = "all cores"
CLOCK = "processor time on one thread, wall time on all cores"
Row = dict[str, Any]


def main() -> None:
    args = options()
    parts = tuple(PARTS) if args.part == "all" else (args.part,)
    target: Path | None = args.json
    for part in parts:
        question, rows, facts = PARTS[part](args)
        if target is not None and len(parts) > 1:
            args.json = target.with_name(f"{target.stem}_{part}{target.suffix}")
        finish(f"exact_transport_{part}", question, rows, args, seed=SEED, clock=CLOCK, **facts)
        check(rows)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=QUESTION)
    parser.add_argument("--quick", action="store_true", help="small sizes, a minute at most, no file written")
    parser.add_argument("--json", type=Path, default=None, help="where to write; _PART is added if all parts run")
    parser.add_argument("--part", choices=("all", *PARTS), default="all", help="what to measure")
    parser.add_argument(
        "--large",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="the scale part also with 100,000 points in the plane, 50,000 in 64 dimensions and with random masses; "
        "on by default, off with --quick",
    )
    args = parser.parse_args()
    args.large = not args.quick if args.large is None else args.large
    return args


def check(rows: Iterable[Row]) -> None:
    """Stop if two contestants disagree."""
    for row in rows:
        if row.get("relative_difference", 0.0) > AGREEMENT:
            raise SystemExit(f"the values differ by {row['relative_difference']:.2g}, relatively: {row}")


def interleaved(functions: dict[str, Callable[[], Any]], rounds: dict[str, int]) -> dict[str, list[float]]:
    """Seconds of each function, one call of each a round until its rounds are over: a slow spell hits all of them.

    Seconds of the processor for what runs on one thread, of the wall clock for what runs on all cores.
    """
    times: dict[str, list[float]] = {name: [] for name in functions}
    for k in range(max(rounds.values())):
        for name, function in functions.items():
            if k < rounds[name]:
                clock = time.perf_counter if name == ALL_CORES else time.process_time
                start = clock()
                function()
                times[name].append(clock() - start)
    return times


def races(quick: bool) -> list[Problem]:
    if quick:
        few = [Problem(GAUSSIANS, n, d) for n, d in ((10, 2), (100, 10), (500, 2), (500, 10))]
        return [*few, Problem("one law twice", 500, 2, p=2), Problem("grid", 500, 2, masses="random")]
    dimensions = (2, 10, 64)
    plain = [Problem(GAUSSIANS, n, d) for d in dimensions for n in (10, 30, 100, 300, 1000, 5000, 10_000)]
    squares = [Problem(GAUSSIANS, n, d, p=2) for d in dimensions for n in (1000, 5000)]
    weighted = [Problem(GAUSSIANS, n, d, masses="random") for d in dimensions for n in (1000, 5000)]
    others = [Problem(kind, 5000, d) for kind in ("one law twice", "far clusters", "grid") for d in (2, 10)]
    return [*plain, *squares, *weighted, *others]


def rounds_of(problem: Problem, quick: bool) -> tuple[int, int]:
    """Rounds of divkit and of POT."""
    if problem.n <= 300:
        return (5, 5) if quick else (31, 31)
    if problem.n <= 1000:
        return (3, 3) if quick else (11, 11)
    plain = problem == Problem(GAUSSIANS, problem.n, problem.d)
    return (3, 3) if problem.n <= 5000 and plain else (3, 1)


def contest(problem: Problem, quick: bool) -> Row:
    """One problem: divkit on one thread, on all cores, POT, and column generation where `auto` may not take it."""
    short, found = problem.n <= REPEATED, {}
    functions: dict[str, Callable[[], Any]] = {
        "divkit": by_divkit(problem),
        ALL_CORES: by_divkit(problem, threads=CORES),
        "pot": by_pot(problem),
    }
    if short:
        functions["column generation"] = by_divkit(problem, method="column_generation")
    functions = {name: keeping(found, name, function) for name, function in functions.items()}
    calls = calls_for(functions.values()) if short else 1  # long calls are made as often as they are timed
    rounds = {name: rounds_of(problem, quick)[name == "pot"] for name in functions}
    times = interleaved({name: repeated(function, calls) for name, function in functions.items()}, rounds)
    ours, theirs = found["divkit"], found["pot"]
    return {**problem.facts, **compared(times, calls), "method": ours.info["method"]} | {
        "gap": relative_gap(ours),
        "relative_difference": abs(ours.cost - theirs) / theirs,
    }


def keeping(found: dict[str, Any], name: str, function: Callable[[], Any]) -> Callable[[], None]:
    """The function with its result put into `found`: what is compared is what was timed."""

    def call() -> None:
        found[name] = function()

    return call


def calls_for(functions: Iterable[Callable[[], Any]]) -> int:
    """How many calls of the fastest make 20 ms, which the clock and the scheduler can be trusted with."""
    seconds = []
    for function in functions:
        function()
        start = time.process_time()
        function()
        seconds.append(time.process_time() - start)
    return max(1, round(0.02 / min(seconds)))


def compared(times: dict[str, list[float]], calls: int) -> Row:
    ours, pot = times["divkit"], times["pot"]
    even = len(ours) == len(pot)
    facts: Row = {
        "divkit_ms": 1e3 * median(ours) / calls,
        "spread": spread(ours),
        "all_cores_ms": 1e3 * median(times[ALL_CORES]) / calls,
        "pot_ms": 1e3 * median(pot) / calls,
        "pot_over_divkit": ratio(pot, ours) if even else median(pot) / median(ours),
        "repeats": len(ours) * calls,
        "pot_repeats": len(pot) * calls,
    }
    if "column generation" in times:
        facts["column_generation_ms"] = 1e3 * median(times["column generation"]) / calls
    return facts


def race(args: argparse.Namespace) -> tuple[str, list[Row], Row]:
    weighed = (500,) if args.quick else (5000, 10_000)
    rows = []
    for problem in races(args.quick):
        by_divkit(problem.small)(), by_pot(problem.small)()
        row = contest(problem, args.quick)
        if problem.n in weighed and problem == Problem(GAUSSIANS, problem.n, problem.d):
            for solver in ("divkit", "pot") if problem.d == 2 else ("divkit",):  # POT's matrix does not depend on d
                row[f"{solver}_peak_mb"] = in_fresh_process(problem, solver)["peak_mb"]
        rows.append(row)
    facts = {
        "cores_used": CORES,
        "exponents": {name: exponents(plain(rows), f"{name}_ms") for name in ("divkit", "pot")},
        "slower_than_pot": [
            f"{row['case']}, n = {row['n']}, d = {row['d']}" for row in rows if row["pot_over_divkit"] < 1
        ],
        "pot_call": "ot.emd2(a, b, ot.dist(x, y, metric), numItermax=10**8), both steps timed, one thread",
    }
    return "How much faster than POT's cost matrix and dense network simplex, at equal values?", rows, facts


def plain(rows: list[Row]) -> list[Row]:
    """The rows of the shifted Gaussians with p = 1 and equal masses, which times are fitted to."""
    return [row for row in rows if Problem(GAUSSIANS, row["n"], row["d"]).facts.items() <= row.items()]


def exponents(rows: list[Row], column: str) -> dict[str, float | None]:
    """The exponent of time against n for each dimension."""
    found = {}
    for d in sorted({row["d"] for row in rows}):
        fitted = [row for row in rows if row["d"] == d and row["n"] >= FITTED]
        found[str(d)] = exponent([row["n"] for row in fitted], [row[column] for row in fitted])
    return found


def scale(args: argparse.Namespace) -> tuple[str, list[Row], Row]:
    sizes = (500, 1000) if args.quick else (1000, 2000, 5000, 10_000, 20_000, 50_000)
    dimensions = (2, 10) if args.quick else (2, 10, 64)
    problems = [Problem(GAUSSIANS, n, d) for d in dimensions for n in sizes if args.large or n * d <= 20_000 * 64]
    if args.large:
        problems.insert(len(sizes), Problem(GAUSSIANS, 100_000, 2))
        problems += [Problem(GAUSSIANS, 50_000, d, masses="random") for d in (2, 10)]
    rows = [grown(problem, args.quick) for problem in problems]
    facts = {"cores_used": CORES, "exponents": exponents(plain(rows), "seconds")}
    return "How do time and memory of an optimal plan grow with the number of points?", rows, facts


def grown(problem: Problem, quick: bool) -> Row:
    """One problem solved in two processes: on one thread, and (not in a quick run) on all cores."""
    repeats = 1 if quick or problem.n > 5000 else 3
    alone = in_fresh_process(problem, "divkit", 1, repeats)
    row = {**problem.facts, "seconds": median(alone["seconds"]), "repeats": repeats, "peak_mb": alone["peak_mb"]}
    if not quick:
        shared = in_fresh_process(problem, "divkit", CORES, repeats)
        row |= {"all_cores_seconds": median(shared["seconds"]), "all_cores_peak_mb": shared["peak_mb"]}
    return row | {name: alone[name] for name in ("gap", "rounds", "arcs")}


def assignment(args: argparse.Namespace) -> tuple[str, list[Row], Row]:
    rows = []
    for n in (500, 1000) if args.quick else (1000, 2000, 5000):
        for d in (2, 10):
            rows.append(matched(Problem(GAUSSIANS, n, d), 3 if args.quick or n > 1000 else 7))
    facts = {"cores_used": CORES, "lapx": installed_version("lapx")}
    return "How much faster than assignment solvers, where sizes and masses are equal?", rows, facts


def installed_version(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def matched(problem: Problem, rounds: int) -> Row:
    """divkit, SciPy and lapx on one assignment problem; each of the others with the time of its cost matrix."""
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    x, y, _, _ = problem.draw()

    def by_scipy() -> float:
        cost = cdist(x, y)
        return float(cost[linear_sum_assignment(cost)].mean())

    functions: dict[str, Callable[[], Any]] = {"divkit": by_divkit(problem), "scipy": by_scipy}
    if importlib.util.find_spec("lap") is not None:
        import lap

        functions["lapx"] = lambda: lap.lapjv(cdist(x, y))[0] / problem.n
    ours, theirs = functions["divkit"](), by_scipy()
    times = interleaved(functions, dict.fromkeys(functions, rounds))
    facts: Row = {**problem.facts, "divkit_ms": 1e3 * median(times["divkit"]), "spread": spread(times["divkit"])}
    for name in ("scipy", "lapx"):
        there = name in times
        facts[f"{name}_ms"] = 1e3 * median(times[name]) if there else None
        facts[f"{name}_over_divkit"] = ratio(times[name], times["divkit"]) if there else None
    return facts | {
        "gap": relative_gap(ours),
        "relative_difference": abs(ours.cost - theirs) / theirs,
        "repeats": rounds,
    }


def tolerance(args: argparse.Namespace) -> tuple[str, list[Row], Row]:
    sizes = ((2000, 2),) if args.quick else ((10**5, 2), (10**5, 10), (10**6, 2))
    rows = []
    for problem in (Problem(GAUSSIANS, n, d) for n, d in sizes):
        thorough = 2000 < problem.n <= 10**5
        for wanted in (0.01, 0.001) if thorough else (0.01,):
            found = in_fresh_process(problem, "divkit", CORES, tolerance=wanted)
            row = {**problem.facts, "tolerance": wanted, "all_cores_seconds": found["seconds"][0]}
            if thorough:
                row["seconds"] = in_fresh_process(problem, "divkit", 1, tolerance=wanted)["seconds"][0]
            rows.append(row | {name: found[name] for name in ("gap", "peak_mb", "value")})
    question = "How soon is the cost of transport known to a per cent, or to a thousandth?"
    return question, rows, {"cores_used": CORES}


PARTS: dict[str, Callable[[argparse.Namespace], tuple[str, list[Row], Row]]] = {
    "race": race,
    "scale": scale,
    "assignment": assignment,
    "tolerance": tolerance,
}

if __name__ == "__main__":
    main()
