"""How far are quadrature and the discrete sums from values computed in multiprecision arithmetic?"""

from __future__ import annotations

import json
import math
from pathlib import Path

import mpmath as mp
import numpy as np
import scipy.stats as st
from _report import finish, options

from divkit import estimate, exact

QUESTION = "How far are quadrature and the discrete sums from values computed in multiprecision arithmetic?"
SEED = 20240607
TRUTH = Path(__file__).resolve().parent.parent / "tests" / "data" / "truth_1d.json"
NAMES = {
    "kl": "kl",
    "reverse_kl": "reverse_kl",
    "jsd": "jsd",
    "pearson_chi2": "pearson_chi2",
    "neyman_chi2": "neyman_chi2",
    "sq_hellinger": "squared_hellinger",
    "tv": "total_variation",
    "w1": "wasserstein1",
}
TERMS = {
    "kl": lambda p, q: p * mp.log(p / q) - p + q,
    "jeffreys": lambda p, q: (p - q) * mp.log(p / q),
    "jsd": lambda p, q: (p * mp.log(2 * p / (p + q)) + q * mp.log(2 * q / (p + q))) / 2,
    "pearson_chi2": lambda p, q: (p - q) ** 2 / q,
    "squared_hellinger": lambda p, q: (mp.sqrt(p) - mp.sqrt(q)) ** 2,
    "total_variation": lambda p, q: abs(p - q) / 2,
}


def law(spec: dict):
    """The scipy.stats law that an entry of the truth file describes."""
    match spec["kind"]:
        case "normal":
            return st.norm(spec["mean"], spec["std"])
        case "laplace":
            return st.laplace(spec["loc"], spec["scale"])
        case "exponential":
            return st.expon(scale=1 / spec["rate"])
        case "beta":
            return st.beta(spec["a"], spec["b"])
        case "uniform":
            return st.uniform(spec["low"], spec["high"] - spec["low"])
        case "gamma":
            return st.gamma(spec["shape"], scale=spec["scale"])
        case "normal_mixture":
            components = [st.Normal(mu=c["mean"], sigma=c["std"]) for c in spec["components"]]
            return st.Mixture(components, weights=spec["weights"])
    raise ValueError(f"no law for {spec['kind']!r}")


def quadrature_rows() -> list[dict]:
    rows = []
    for entry in json.loads(TRUTH.read_text()):
        p, q = law(entry["p"]), law(entry["q"])
        errors, infinite = [], 0
        for key, name in NAMES.items():
            truth, value = float(entry[key]), float(estimate(p, q, name, "quadrature"))
            if math.isinf(truth):
                if value != math.inf:
                    raise SystemExit(f"{entry['name']} {name}: {value} instead of inf")
                infinite += 1
            else:
                errors.append(abs(value - truth) / truth)
        rows.append(
            {
                "method": "quadrature",
                "problem": entry["name"],
                "finite_values": len(errors),
                "infinite_recognised": infinite,
                "worst_relative_error": max(errors),
            }
        )
    return rows


def discrete_rows(steps: tuple[float, ...]) -> list[dict]:
    rng = np.random.default_rng(SEED)
    p = rng.random(300) ** 8
    p /= p.sum()
    rows = []
    for step in steps:
        q = p * np.exp(step * rng.standard_normal(300))
        q /= q.sum()
        errors = []
        with mp.workdps(60):
            for name, term in TERMS.items():
                truth = mp.fsum(term(mp.mpf(a), mp.mpf(b)) for a, b in zip(p.tolist(), q.tolist(), strict=True))
                errors.append(float(abs(exact.fdivergence(name, p, q) / truth - 1)))
        rows.append(
            {
                "method": "exact",
                "problem": f"300 bins, log ratios of size {step:g}",
                "finite_values": len(errors),
                "infinite_recognised": 0,
                "worst_relative_error": max(errors),
            }
        )
    return rows


def main() -> None:
    args = options(QUESTION)
    steps = (1.0, 1e-4) if args.quick else (3.0, 1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12)
    rows = [*quadrature_rows(), *discrete_rows(steps)]
    finish("truth", QUESTION, rows, args, seed=SEED, limit="1e-9 for quadrature, 1e-14 for discrete sums")


if __name__ == "__main__":
    main()
