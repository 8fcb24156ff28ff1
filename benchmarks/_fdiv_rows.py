"""From single estimates to rows: error, bias and coverage over draws, and what they say together."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from _fdiv_contestants import OURS, Job, Record
from _fdiv_peers import PEERS
from _fdiv_problems import Truth, task_of
from _fdiv_tables import RELATIVE, WITHIN
from numpy.typing import NDArray

Row = dict[str, Any]
Truths = Mapping[tuple[str, str], Truth]
Cell = tuple[str, int, int]  # task, n, m
Draws = dict[tuple[Cell, str, str], dict[int, Record]]  # by cell, contestant, divergence; then by draw

RANKED = ("kl", "reverse_kl")
NEAR = ("jsd", "squared_hellinger", "total_variation")
WORTH = 0.05  # the JSD from which relative errors are asked for
ENOUGH = 10  # draws from which two standard errors mean something
_DIGITS = 6


def collected(results: Iterable[tuple[Job, list[Record]]]) -> Draws:
    """The records of all draws, sorted into cells."""
    draws: Draws = defaultdict(dict)
    for job, records in results:
        for record in records:
            draws[(job.task, job.n, job.m), record.contestant, record.divergence][job.draw] = record
    return draws


def rows_of(draws: Draws, truths: Truths) -> list[Row]:
    """One row a cell, contestant and divergence, where the truth is finite."""
    rows = []
    for (cell, contestant, divergence), found in draws.items():
        known = truths[cell[0], divergence]
        if math.isfinite(known.value):
            rows.append(_row(cell, contestant, divergence, list(found.values()), known))
    return rows


def _row(cell: Cell, contestant: str, divergence: str, records: list[Record], known: Truth) -> Row:
    values = np.array([record.value for record in records if record.value is not None])
    row: Row = {
        "task": cell[0],
        "d": task_of(cell[0]).d,
        "n": cell[1],
        "m": cell[2],
        "contestant": contestant,
        "divergence": divergence,
        "truth": known.value,
        "draws": len(values),
        "refusals": len(records) - len(values),
    }
    reasons = {record.refused for record in records if record.refused}
    methods = {record.method for record in records if record.method} - {contestant}
    row |= {"refused": sorted(reasons)[0]} if reasons else {}
    row |= {"method": ", ".join(sorted(methods))} if methods else {}
    if len(values):
        row |= _errors(values, known) | _limits(records, known) | _times(records)
    return {key: rounded(value) for key, value in row.items()}


def _errors(values: NDArray[np.float64], known: Truth) -> Row:
    bias = float(values.mean()) - known.value
    low, high = np.quantile(values, (0.1, 0.9))
    row = {
        "mean": float(values.mean()),
        "rmse": rmse(values, known.value),
        "bias": bias,
        "low": float(low),
        "high": float(high),
    }
    if len(values) > 1:
        own = float(values.std(ddof=1)) / math.sqrt(len(values))
        row["bias_error"] = math.hypot(own, known.error)  # of the draws, and of the truth
    return row


def _uncut(raw: list[float], known: Truth) -> Row:
    """Bias and its error before values are cut at the least one that the divergence can have, which lifts the mean."""
    if len(raw) < 2:
        return {}
    own = statistics.stdev(raw) / math.sqrt(len(raw))
    return {"raw_bias": statistics.fmean(raw) - known.value, "raw_bias_error": math.hypot(own, known.error)}


def rmse(values: NDArray[np.float64], known: float) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(np.mean((values - known) ** 2)))


def _limits(records: list[Record], known: Truth) -> Row:
    """How often limits hold; a truth that is itself uncertain is moved in their disfavour by nothing."""
    lower = [record.lower for record in records if record.lower is not None]
    pairs = [record.seen for record in records if record.seen is not None]
    row: Row = {}
    if lower:
        row["one_sided"] = any(record.one_sided for record in records)
        if row["one_sided"]:
            row |= _uncut([record.raw for record in records if record.raw is not None], known)
        row["lower_held"] = sum(limit <= known.value for limit in lower) / len(lower)
        row["mean_lower"] = statistics.fmean(lower)
    if pairs:
        row["seen_offered"] = len(pairs) / len(records)
        row["seen_held"] = sum(low <= known.value <= high for low, high in pairs) / len(pairs)
    if lower or pairs:
        row["warned"] = sum(record.warned for record in records) / len(records)
    return row


def _times(records: list[Record]) -> Row:
    seconds = [record.seconds for record in records if record.seconds is not None]
    return {"seconds": statistics.median(seconds)} if seconds else {}


def rounded(value: Any) -> Any:
    """Floats to a few significant digits, also inside lists; infinities as None, as JSON has none."""
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    return value


def summary(draws: Draws, rows: list[Row], truths: Truths) -> dict[str, Any]:
    """What the rows say about divkit's promises."""
    ranks, near = ranked(draws, truths), close(rows, truths)
    return {
        "ranks": ranks,
        "ranks_within": share(row["ratio"] <= WITHIN for row in ranks),
        "relative_errors": near,
        "relative_errors_within": share(row["relative_rmse"] <= RELATIVE for row in near),
        "above_truth": above(rows),
        "lower_bound_rows": sum(judged(row) for row in rows),
    }


def share(flags: Iterable[bool]) -> float | None:
    """The share that is true; None of nothing."""
    held = list(flags)
    return sum(held) / len(held) if held else None


def ranked(draws: Draws, truths: Truths) -> list[Row]:
    """For each cell and KL: the peer against which `auto` does worst, on the draws that both have."""
    rows = []
    for (cell, contestant, divergence), ours in draws.items():
        if contestant != "auto" or divergence not in RANKED:
            continue
        known = truths[cell[0], divergence].value
        rivals = []
        for peer in PEERS:
            both = paired(ours, draws.get((cell, peer.name, divergence), {}))
            if both is not None:
                mine, theirs = rmse(both[0], known), rmse(both[1], known)
                rivals.append((mine / theirs if theirs > 0 else math.inf, peer.name, mine, theirs, len(both[0])))
        if rivals:
            ratio, name, mine, theirs, count = max(rivals)
            row = {"task": cell[0], "n": cell[1], "m": cell[2], "divergence": divergence, "rmse": mine, "peer": name}
            row |= {"peer_rmse": theirs, "ratio": ratio, "draws": count}
            rows.append({key: rounded(value) for key, value in row.items()})
    return rows


def paired(
    ours: Mapping[int, Record], theirs: Mapping[int, Record]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """The values of the draws that both have answered; None without any."""
    both = [
        (record.value, theirs[draw].value)
        for draw, record in ours.items()
        if draw in theirs and record.value is not None and theirs[draw].value is not None
    ]
    return (np.array(both)[:, 0], np.array(both)[:, 1]) if both else None


def close(rows: list[Row], truths: Truths) -> list[Row]:
    """Relative errors of `auto` for the bounded divergences at the largest equal sizes, up to ten dimensions."""
    largest = max((row["n"] for row in rows if row["n"] == row["m"]), default=0)
    found = []
    for row in rows:
        chosen = row["contestant"] == "auto" and row["divergence"] in NEAR and row["d"] <= 10 and "rmse" in row
        if chosen and row["n"] == row["m"] == largest and truths[row["task"], "jsd"].value >= WORTH:
            picked = {key: row[key] for key in ("task", "n", "divergence", "truth", "draws")}
            errors = {f"relative_{key}": rounded(row[key] / row["truth"]) for key in ("rmse", "bias")}
            found.append(picked | errors)
    return found


def judged(row: Row) -> bool:
    """Whether a row has a lower bound and enough draws to tell its mean from the truth."""
    return bool(row.get("one_sided")) and row["draws"] >= ENOUGH


def above(rows: list[Row]) -> list[Row]:
    """Rows of lower bounds whose mean over draws, before the cut, is over two standard errors above the truth."""
    keys = ("task", "n", "m", "contestant", "divergence", "truth", "raw_bias", "raw_bias_error", "bias", "draws")
    return [
        {key: row[key] for key in keys} for row in rows if judged(row) and row["raw_bias"] > 2 * row["raw_bias_error"]
    ]


def ordered(rows: list[Row]) -> list[Row]:
    """As the tasks, sizes and contestants are listed, whatever order the draws came in."""
    from _fdiv_problems import DIVERGENCES, tasks

    names = [task.name for task in tasks()]
    contestants = [*OURS, *(peer.name for peer in PEERS)]
    places = (names, contestants, list(DIVERGENCES))

    def place(row: Row) -> tuple[int, ...]:
        task, contestant, divergence = (
            places[k].index(row[key]) for k, key in enumerate(("task", "contestant", "divergence"))
        )
        return task, row["n"], row["m"], contestant, divergence

    return sorted(rows, key=place)
