"""How long does `import divkit` take beyond NumPy, and what do the first calls add?"""

from __future__ import annotations

import statistics
import subprocess
import sys

from _report import finish, options

QUESTION = "How long does `import divkit` take beyond NumPy, and what do the first calls add?"
STEPS = {
    "import numpy": "import numpy",
    "import divkit": "import divkit",
    "from divkit import wasserstein1, kl, estimate": "from divkit import wasserstein1, kl, estimate",
    "first wasserstein1([0.], [1.])": "wasserstein1([0.], [1.])",
    "first kl of two vectors (loads numba and its cache)": "kl([.5, .5], [.25, .75])",
    "second kl": "kl([.5, .5], [.25, .75])",
}
HEAVY = ("scipy", "numba", "ot", "torch", "matplotlib")


def measure() -> list[tuple[float, str]]:
    """Milliseconds and heavy modules present after each step, in one fresh process."""
    lines = ["import sys, time", f"heavy = {HEAVY!r}"]
    for code in STEPS.values():
        lines += [
            "t = time.perf_counter()",
            code,
            "t = time.perf_counter() - t",
            "print(1e3 * t, '+'.join(m for m in heavy if m in sys.modules) or '-')",
        ]
    result = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    return [(float(ms), loaded) for ms, loaded in (line.split() for line in result.stdout.splitlines())]


def main() -> None:
    args = options(QUESTION)
    runs = [measure() for _ in range(4 if args.quick else 21)][1:]  # the first one warms the file cache
    rows = [
        {"step": step, "median_ms": statistics.median(run[k][0] for run in runs), "loaded": runs[0][k][1]}
        for k, step in enumerate(STEPS)
    ]
    finish("import_time", QUESTION, rows, args, runs=len(runs), limit="import divkit: 30 ms beyond NumPy's import")


if __name__ == "__main__":
    main()
