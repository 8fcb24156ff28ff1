"""How close are the discrete divergences to one pass over memory, and how far ahead of SciPy?"""

from __future__ import annotations

from _report import finish, median, options, peak_bytes, race, ratio, repeated, single_threaded, spread

single_threaded()

import os  # noqa: E402

import numpy as np  # noqa: E402
import scipy.special  # noqa: E402
import scipy.stats  # noqa: E402
from scipy.spatial.distance import jensenshannon  # noqa: E402

import divkit  # noqa: E402
from divkit import exact  # noqa: E402

QUESTION = "How close are the discrete divergences to one pass over memory, and how far ahead of SciPy?"
SEED = 20240607
VERBS = ("kl", "reverse_kl", "jsd", "jeffreys", "pearson_chi2", "squared_hellinger", "total_variation")


def vectors(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    p, q = rng.random((2, n)) + 1e-9
    return p / p.sum(), q / q.sum()


def peers(p: np.ndarray, q: np.ndarray) -> dict:
    return {
        "kl": ("scipy.special.rel_entr(p, q).sum()", lambda: scipy.special.rel_entr(p, q).sum()),
        "jsd": ("scipy.spatial.distance.jensenshannon(p, q)**2", lambda: jensenshannon(p, q) ** 2),
        "pearson_chi2": ("((p - q)**2 / q).sum()", lambda: ((p - q) ** 2 / q).sum()),
        "squared_hellinger": ("((sqrt(p) - sqrt(q))**2).sum()", lambda: ((np.sqrt(p) - np.sqrt(q)) ** 2).sum()),
        "total_variation": ("abs(p - q).sum() / 2", lambda: np.abs(p - q).sum() / 2),
    }


def two_threads(verb, p: np.ndarray, q: np.ndarray):
    def call():
        os.environ["DIVKIT_NUM_THREADS"] = "2"
        try:
            return verb(p, q)
        finally:
            os.environ["DIVKIT_NUM_THREADS"] = "1"

    return call


def large(n: int, rounds: int, rng: np.random.Generator) -> list[dict]:
    p, q = vectors(n, rng)
    rivals, rows = peers(p, q), []
    for name in VERBS:
        verb = getattr(divkit, name)
        functions = {
            "divkit": lambda verb=verb: verb(p, q),
            "two threads": two_threads(verb, p, q),
            "read": lambda: (p.max(), q.max()),
        }
        if name in rivals:
            functions["peer"] = rivals[name][1]
        times = race(functions, rounds)
        facts = {
            "case": name,
            "bins": n,
            "divkit_ms": 1e3 * median(times["divkit"]),
            "spread": spread(times["divkit"]),
            "two_threads_ms": 1e3 * median(times["two threads"]),
            "read_ms": 1e3 * median(times["read"]),
            "divkit_over_read": ratio(times["divkit"], times["read"]),
            "divkit_peak_mb": peak_bytes(functions["divkit"]) / 2**20,
        }
        if name in rivals:
            facts |= {
                "peer": rivals[name][0],
                "peer_ms": 1e3 * median(times["peer"]),
                "peer_over_divkit": ratio(times["peer"], times["divkit"]),
                "peer_peak_mb": peak_bytes(functions["peer"]) / 2**20,
            }
        rows.append(facts)
    return rows


def small(rounds: int, rng: np.random.Generator) -> dict:
    p, q = vectors(100, rng)
    calls = 200
    functions = {
        "divkit": repeated(lambda: divkit.kl(p, q), calls),
        "peer": repeated(lambda: scipy.stats.entropy(p, q), calls),
    }
    times = race(functions, rounds)
    return {
        "case": "kl",
        "bins": 100,
        "divkit_ms": 1e3 * median(times["divkit"]) / calls,
        "spread": spread(times["divkit"]),
        "peer": "scipy.stats.entropy(p, q)",
        "peer_ms": 1e3 * median(times["peer"]) / calls,
        "peer_over_divkit": ratio(times["peer"], times["divkit"]),
    }


def batch(rounds: int, rng: np.random.Generator) -> dict:
    p, q = rng.dirichlet(np.ones(64), 20_000), rng.dirichlet(np.ones(64))
    functions = {"divkit": lambda: exact.kl(p, q), "peer": lambda: scipy.special.rel_entr(p, q).sum(axis=-1)}
    times = race(functions, rounds)
    return {
        "case": "kl, 20000 rows against one",
        "bins": 64,
        "divkit_ms": 1e3 * median(times["divkit"]),
        "spread": spread(times["divkit"]),
        "divkit_peak_mb": peak_bytes(functions["divkit"]) / 2**20,
        "peer": "scipy.special.rel_entr(p, q).sum(axis=-1)",
        "peer_ms": 1e3 * median(times["peer"]),
        "peer_over_divkit": ratio(times["peer"], times["divkit"]),
        "peer_peak_mb": peak_bytes(functions["peer"]) / 2**20,
    }


def main() -> None:
    args = options(QUESTION)
    rng = np.random.default_rng(SEED)
    rounds = 5 if args.quick else 11
    rows = [small(rounds, rng), batch(rounds, rng), *large(10**6 if args.quick else 10**7, rounds, rng)]
    limit = "reading both vectors once (p.max() and q.max()); one thread unless a column says two"
    finish("discrete", QUESTION, rows, args, seed=SEED, limit=limit)


if __name__ == "__main__":
    main()
