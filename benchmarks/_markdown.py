"""Benchmark results as Markdown: the parts that all tables are made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"


def load(name: str) -> dict[str, Any]:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def markdown(heads: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    escaped = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in escaped)]) + "\n"


def footer(result: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items() if name != "divkit")
    device = f" and {result['device']}" if result.get("device", "CPU") != "CPU" else ""
    return f"\n<sub>{result['processor']}{device}, Python {result['python']}, {versions}; {result['date']}.</sub>\n"


def ms(value: float | None) -> str:
    return "" if value is None else f"{value * 1e3:.3g} us" if value < 1 else f"{value:.3g} ms"


def times(value: float | None) -> str:
    return "" if value is None else f"{value:.3g} x"
