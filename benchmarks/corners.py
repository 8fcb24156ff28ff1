"""Where do the usual libraries return a wrong number, and what does divkit return there?

Points and costs have few binary digits, so that the inputs are exact and the truth is known by construction; for
probability vectors it is evaluated in 60 digits with mpmath.
Run as ``python benchmarks/corners.py [--json PATH] [--quick]``.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

QUESTION = "Where do the usual libraries return a wrong number, and what does divkit return there?"


@dataclass(frozen=True)
class Corner:
    """One problem with its truth (NaN: it has no answer), and two ways to ask for it."""

    problem: str
    truth: float
    peer: str
    peer_value: Callable[[], float]
    call: str
    value: Callable[[], float]


def lattice_shift(scale: float, offset: float, n: int = 20) -> tuple[np.ndarray, np.ndarray, float]:
    """n distinct lattice points (n, 2), the same moved by (3, 4) scale / 16, and W1 = 5 scale / 16."""
    rng = np.random.default_rng(0)
    cells = rng.choice(256, size=n, replace=False)
    x = np.stack(np.divmod(cells, 16), axis=1) / 4.0  # multiples of 1/4: sums with the offset are exact
    return offset + scale * x, offset + scale * (x + np.array([3.0, 4.0]) / 16), 5 * scale / 16


def planted_assignment(scale: float, n: int = 50) -> tuple[np.ndarray, float]:
    """An integer cost matrix (n, n) whose optimal assignment is planted by its dual, and the optimal mean cost."""
    rng = np.random.default_rng(1)
    u, v = rng.integers(0, 64, size=n), rng.integers(0, 64, size=n)
    reduced = rng.integers(1, 1024, size=(n, n))
    matched = rng.permutation(n)
    reduced[np.arange(n), matched] = 0
    cost = (u[:, None] + v + reduced).astype(float)  # c >= u + v with equality on the assignment
    return cost * scale, float(u.sum() + v.sum()) / n * scale


def two_clusters(apart: float) -> tuple[np.ndarray, float]:
    """Squared distances (40, 40) between two clusters and their translates by (3, 4) / 16: W2 squared is 25/256."""
    x, y, step = lattice_shift(1.0, 0.0)
    away = np.array([apart, 0.0])
    x, y = np.concatenate([x, x + away]), np.concatenate([y, y + away])
    return ((x[:, None] - y) ** 2).sum(axis=-1), step**2


def nearly_equal(step: float) -> tuple[np.ndarray, np.ndarray]:
    """Two probability vectors (5,) that differ by `step` in four places."""
    p = np.array([0.05, 0.1, 0.15, 0.3, 0.4])
    return p, p + step * np.array([1.0, -1.0, 1.0, -1.0, 0.0])


def exact_kl(p: np.ndarray, q: np.ndarray) -> float:
    """KL(p || q) in 60 digits, of the vectors scaled to sum 1 exactly."""
    import mpmath

    with mpmath.workdps(60):
        return float(sum(a * mpmath.log(a / b) for a, b in _normalized_pairs(p, q)))


def exact_jsd(p: np.ndarray, q: np.ndarray) -> float:
    """JSD(p, q) in 60 digits, of the vectors scaled to sum 1 exactly."""
    import mpmath

    with mpmath.workdps(60):
        terms = (a * mpmath.log(2 * a / (a + b)) + b * mpmath.log(2 * b / (a + b)) for a, b in _normalized_pairs(p, q))
        return float(sum(terms) / 2)


def _normalized_pairs(p: np.ndarray, q: np.ndarray) -> list[tuple[Any, Any]]:
    import mpmath

    wide_p, wide_q = ([mpmath.mpf(value) for value in vector.tolist()] for vector in (p, q))
    return [(a / sum(wide_p), b / sum(wide_q)) for a, b in zip(wide_p, wide_q, strict=True)]


def point_corners() -> Iterator[Corner]:
    """Wasserstein distances between points."""
    import ot
    import scipy
    from scipy.stats import wasserstein_distance_nd

    import divkit

    pot, scipy_ = f"POT {ot.__version__}", f"SciPy {scipy.__version__}"
    x, y, truth = lattice_shift(2.0**-27, 0.0)
    yield Corner(
        "20 points in the plane at scale 7.5e-9, translated",
        truth,
        f"{scipy_} stats.wasserstein_distance_nd(x, y)",
        lambda x=x, y=y: wasserstein_distance_nd(x, y),
        "wasserstein1(x, y)",
        lambda x=x, y=y: divkit.wasserstein1(x, y),
    )
    for offset in (1e7, 1e8):
        x, y, truth = lattice_shift(1.0, offset)
        yield Corner(
            f"20 points in the plane at offset {offset:g}, translated",
            truth,
            f"{pot} emd2([], [], dist(x, y, metric='euclidean'))",
            lambda x=x, y=y: ot.emd2([], [], ot.dist(x, y, metric="euclidean")),
            "wasserstein1(x, y)",
            lambda x=x, y=y: divkit.wasserstein1(x, y),
        )
    whole, moved = np.array([0, 1, 3]), np.array([5, 6, 8])
    yield Corner(
        "integer positions on the line: 0, 1, 3 and 5, 6, 8",
        5.0,
        f"{pot} wasserstein_1d(x, y)",
        lambda: ot.wasserstein_1d(whole, moved),
        "wasserstein1(x, y)",
        lambda: divkit.wasserstein1(whole, moved),
    )


def cost_corners() -> Iterator[Corner]:
    """Transport for a given cost matrix."""
    import ot

    from divkit.transport.emd import transport_from_cost

    pot = f"POT {ot.__version__}"

    def corner(problem: str, truth: float, cost: np.ndarray, a: Any = None, b: Any = None) -> Corner:
        given = "" if a is None else ", a, b"
        first, second = ([], []) if a is None else (np.asarray(a), np.asarray(b))
        return Corner(
            problem,
            truth,
            f"{pot} emd2({'[], []' if a is None else 'a, b'}, C)",
            lambda: ot.emd2(first, second, cost),
            f"transport_from_cost(C{given})",
            lambda: transport_from_cost(cost, a, b).cost,
        )

    for power in (-53, -57):
        cost, truth = planted_assignment(2.0**power)
        yield corner(f"50 x 50 costs of size 2**{power + 10}, optimum planted", truth, cost)
    yield corner("a NaN among the costs", math.nan, np.array([[math.nan, 1.0], [1.0, 0.0]]))
    yield corner("infeasible: every cost of one point is infinite", math.nan, np.array([[np.inf, np.inf], [1.0, 1.0]]))
    yield corner("a negative mass", math.nan, np.array([[0.0, 1.0], [1.0, 0.0]]), [1.5, -0.5], [0.5, 0.5])
    cost, truth = two_clusters(2.0**24)
    yield corner("two clusters 2**24 apart, both translated by 5/16, squared distances", truth, cost)


def divergence_corners() -> Iterator[Corner]:
    """KL and JSD of nearly equal probability vectors."""
    import scipy
    from scipy.spatial.distance import jensenshannon
    from scipy.special import rel_entr

    import divkit

    version = f"SciPy {scipy.__version__}"
    for step in (1e-9, 1e-10):
        p, q = nearly_equal(step)
        yield Corner(
            f"5 probabilities, four of which differ by {step:g}",
            exact_jsd(p, q),
            f"{version} spatial.distance.jensenshannon(p, q) ** 2",
            lambda p=p, q=q: jensenshannon(p, q) ** 2,
            "jsd(p, q)",
            lambda p=p, q=q: divkit.jsd(p, q),
        )
        yield Corner(
            f"5 probabilities, four of which differ by {step:g}",
            exact_kl(p, q),
            f"{version} special.rel_entr(p, q).sum()",
            lambda p=p, q=q: rel_entr(p, q).sum(),
            "kl(p, q)",
            lambda p=p, q=q: divkit.kl(p, q),
        )


def corners() -> Iterator[Corner]:
    """Every corner, in the order of the table."""
    yield from point_corners()
    yield from cost_corners()
    yield from divergence_corners()


def relative_error(value: float, truth: float) -> float:
    """(value - truth) / truth; NaN where there is no truth or no value."""
    return (value - truth) / truth


def measure(corner: Corner) -> dict[str, Any]:
    """The row of one corner: what both sides say, and whether the peer warned."""
    from divkit import DivkitError

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        peer = float(corner.peer_value())
    row = {
        **{name: value for name, value in asdict(corner).items() if isinstance(value, str | float)},
        "peer_value": peer,
        "peer_error": relative_error(peer, corner.truth),
        "peer_warned": bool(caught),
    }
    try:
        value = float(corner.value())
    except DivkitError as error:
        return {**row, "value": None, "error": None, "message": f"{type(error).__name__}: {error}"}
    return {**row, "value": value, "error": relative_error(value, corner.truth), "message": None}


def show(rows: list[dict[str, Any]]) -> None:
    """The table on the terminal."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=QUESTION)
    for heading in ("problem", "truth", "peer", "its value", "its error", "warned", "divkit", "value", "error"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        ours = row["message"].partition(":")[0] if row["value"] is None else f"{row['value']:.6g}"
        table.add_row(
            row["problem"],
            "none" if math.isnan(row["truth"]) else f"{row['truth']:.6g}",
            row["peer"],
            f"{row['peer_value']:.6g}",
            _percent(row["peer_error"]),
            "yes" if row["peer_warned"] else "no",
            row["call"],
            ours,
            "" if row["error"] is None else f"{row['error']:.1e}",
        )
    Console(width=180).print(table)


def _percent(error: float) -> str:
    return "" if math.isnan(error) else f"{100 * error:+.3g} %"


def main() -> None:
    """Measure, print, and write the JSON unless --quick is given."""
    from _report import RESULTS, environment, options, write_json

    args = options(QUESTION)
    rows = [measure(corner) for corner in corners()]
    show(rows)
    if args.json or not args.quick:
        plain = [{key: None if item != item else item for key, item in row.items()} for row in rows]  # no NaN in JSON
        write_json(args.json or RESULTS / "corners.json", {"question": QUESTION, **environment(), "rows": plain})


if __name__ == "__main__":
    main()
