"""The modules of the benchmark of estimates from samples, which lie beside their script and not in a package."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_FOLDER = str(ROOT / "benchmarks")
_PARTS = ("problems", "peers", "contestants", "kept", "rows", "tables", "coverage_tables")

sys.path.insert(0, _FOLDER)  # as for the script itself
try:
    problems, peers, contestants, kept, rows, tables, coverage_tables, markdown = (
        importlib.import_module(f"_{name}") for name in (*(f"fdiv_{part}" for part in _PARTS), "markdown")
    )
finally:
    sys.path.remove(_FOLDER)
