"""How long does a whole comparison take, and does it find drift in real data where there is some and only there?"""

from __future__ import annotations

import argparse
import resource
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from _compare_peer import PEER, is_there, peer_row
from _report import finish

QUESTION = (
    "How long does a whole comparison take, and does it find drift in real data where there is some and only there?"
)
SEED = 20261126
LEVEL = 0.05
Row = dict[str, Any]


def main() -> None:
    args = options()
    for part in tuple(PARTS) if args.part == "all" else (args.part,):
        packages = ["scikit-learn", *([PEER] if part == "peer" and is_there() else [])]
        finish(f"compare_{part}", QUESTION, PARTS[part](args), args, packages=packages, seed=SEED)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=QUESTION)
    parser.add_argument("--quick", action="store_true", help="small tables and few splits, no file written")
    parser.add_argument("--json", type=Path, default=None, help="where to write")
    parser.add_argument("--part", choices=("all", *PARTS), default="all")
    parser.add_argument("--splits", type=int, default=None, help="random splits of each data set; 200 by default")
    args = parser.parse_args()
    args.splits = args.splits or (2 if args.quick else 200)
    return args


def speed(args: argparse.Namespace) -> list[Row]:
    """Two tables of so many rows and 20 columns, of which three moved: all, and by parts."""
    sizes = (300,) if args.quick else (1000, 10_000, 1_000_000)
    return [timed(n) for n in sizes]


def timed(n: int) -> Row:
    """Seconds of a comparison with everything, of its parts, and of the page."""
    import divkit

    x, y = table(n, 0.0, SEED), table(n, 0.1, SEED + 1)
    small = ({name: values[:50] for name, values in side.items()} for side in (x, y))
    divkit.compare(*small, rng=0)  # compiled
    seconds = {}
    for name, parts in (
        ("all", ("divergences", "wasserstein1", "test")),
        ("columns", ()),
        ("test", ("test",)),
        ("divergences", ("divergences",)),
        ("wasserstein1", ("wasserstein1",)),
    ):
        start = time.perf_counter()
        found = divkit.compare(x, y, parts=parts, rng=0)
        seconds[name] = time.perf_counter() - start
        if name == "all":
            start = time.perf_counter()
            size = len(found.to_html())
            seconds["page"] = time.perf_counter() - start
            changed = len(found.changed)
    own = {f"{name}_seconds": taken for name, taken in seconds.items()}
    for name in ("test", "divergences", "wasserstein1"):
        own[f"{name}_seconds"] -= own["columns_seconds"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"n": n, "columns": 20, **own, "page_kilobytes": size / 1024, "changed": changed, "peak_megabytes": peak}


def table(n: int, shift: float, seed: int) -> dict[str, Any]:
    """Sixteen numbers, of which one moves and one has gaps, two counts and two columns of categories, one moving."""
    rng = np.random.default_rng(seed)
    found: dict[str, Any] = {f"number {j}": rng.normal(size=n) for j in range(15)}
    found["number 0"] = found["number 0"] + 3 * shift
    found["gaps"] = np.where(rng.random(n) < 0.05 + shift, np.nan, rng.lognormal(size=n))
    found |= {"count": rng.poisson(3, n), "day": np.datetime64("2026-01-01") + rng.integers(0, 90, n)}
    found["town"] = rng.choice(["Ulm", "Bern", "Graz"], n, p=[0.4 + shift, 0.4 - shift, 0.2])
    found["kind"] = rng.choice([f"kind {j}" for j in range(12)], n)
    return found


# Data set to the variable that splits it: its name, and from the table and the target to a side.
SPLITS: dict[str, tuple[str, Any]] = {
    "wine": ("first grower, others", lambda frame, target: target == 0),
    "breast_cancer": ("malignant, benign", lambda frame, target: target == 0),
    "diabetes": ("women, men", lambda frame, target: frame["sex"] > 0),
    "digits": ("0 to 4, 5 to 9", lambda frame, target: target < 5),
}


def data(args: argparse.Namespace) -> list[Row]:
    """Data sets of scikit-learn, split by a variable and at random."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        return list(pool.map(partial(split_row, args.splits), SPLITS))


def split_row(splits: int, name: str) -> Row:
    """What a split by a variable shows, and in how many random ones of the same sizes anything is found."""
    import divkit

    frame, side = table_of(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = divkit.compare(*parted(frame, side), rng=0)
        tests, columns = [], []
        for k in range(splits):
            own = divkit.compare(*at_random(frame, side, k), parts=["test"], rng=k)
            tests.append(own.p_value is not None and own.p_value <= LEVEL)
            columns.append(len(own.changed) > 0)
    assert found.bounds is not None
    return {
        "data": name,
        "split": SPLITS[name][0],
        "n": found.n,
        "m": found.m,
        "columns": len(frame),
        "p_value": found.p_value,
        "jsd_lower": found.divergences["jsd"].interval[0],
        "w1_lower": found.bounds.lower.interval[0],
        "w1_upper": found.bounds.upper.interval[1],
        "changed": len(found.changed),
        "splits": splits,
        "found_at_random": float(np.mean(tests)),
        "columns_at_random": float(np.mean(columns)),
    }


def table_of(name: str) -> tuple[dict[str, Any], Any]:
    """A data set, and which of its rows are on the first side."""
    import sklearn.datasets

    loaded = getattr(sklearn.datasets, f"load_{name}")()
    frame = {str(own): loaded.data[:, j] for j, own in enumerate(loaded.feature_names)}
    side = SPLITS[name][1](frame, loaded.target)
    frame.pop("sex", None)  # which splits one of them
    return frame, side


def at_random(frame: dict[str, Any], side: Any, k: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The k-th random split, in the sizes of the sides."""
    return parted(frame, side[np.random.default_rng([SEED, k]).permutation(len(side))])


def parted(frame: dict[str, Any], side: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The rows on either side."""
    first, second = ({name: values[own] for name, values in frame.items()} for own in (side, ~side))
    return first, second


def peer(args: argparse.Namespace) -> list[Row]:
    """A drift tool on the same splits and on a table of 10,000 rows; nothing where it is not installed."""
    if not is_there():
        return []
    large = table(10_000, 0.0, SEED), table(10_000, 0.1, SEED + 1)
    rows = [peer_row("20 columns, 10,000 rows", large[0], large, [])]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        return [*rows, *pool.map(partial(peer_split_row, args.splits), SPLITS)]


def peer_split_row(splits: int, name: str) -> Row:
    """What the peer says of a data set."""
    frame, side = table_of(name)
    return peer_row(name, frame, parted(frame, side), [at_random(frame, side, k) for k in range(splits)])


PARTS = {"speed": speed, "data": data, "peer": peer}

if __name__ == "__main__":
    main()
