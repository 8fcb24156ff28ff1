"""What a drift tool finds on the splits on which comparisons are judged, and how long it takes."""

from __future__ import annotations

import importlib.util
import time
import warnings
from typing import Any

import numpy as np

PEER = "evidently"  # its preset for drift, with its own choice of a score and a threshold for each column


def is_there() -> bool:
    """Whether the peer is installed."""
    return importlib.util.find_spec(PEER) is not None


def moved(x: dict[str, Any], y: dict[str, Any]) -> tuple[int, float]:
    """Columns that are called drifted between two tables, and seconds."""
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from evidently import Report
        from evidently.presets import DataDriftPreset

        reference, current = pd.DataFrame(x), pd.DataFrame(y)
        start = time.perf_counter()
        found = Report([DataDriftPreset()]).run(current, reference).dict()
        seconds = time.perf_counter() - start
    count = next(own["value"]["count"] for own in found["metrics"] if "DriftedColumnsCount" in own["metric_name"])
    return int(count), seconds


def peer_row(name: str, frame: dict[str, Any], split: Any, at_random: list[Any]) -> dict[str, Any]:
    """By a variable, and of random splits the share in which any column, and half of them, are called drifted.

    Splits are pairs of tables.
    """
    moved(*split)  # all is imported
    changed, seconds = moved(*split)
    row = {"data": name, "columns": len(frame), "changed": changed, "seconds": seconds}
    if at_random:
        counts = np.array([moved(*own)[0] for own in at_random])
        row |= {"splits": len(counts), "columns_at_random": float((counts > 0).mean())}
        row |= {"half_at_random": float((2 * counts >= len(frame)).mean())}
    return row
