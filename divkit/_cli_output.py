"""What all commands share: two options, a console, and JSON."""

from __future__ import annotations

import json
import math
import sys
from typing import Annotated, Any

import typer
from rich.console import Console

__all__ = ["Json", "Seed", "console", "print_json"]

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table; infinities as the string inf.")]
Seed = Annotated[int, typer.Option(help="Seed of every random number.", min=0)]


def console(width: int = 110) -> Console:
    """As wide as the terminal, or as wide as said where there is none."""
    return Console(width=None if sys.stdout.isatty() else width)


def print_json(payload: Any) -> None:
    """Print the payload, infinities as strings."""
    typer.echo(json.dumps(_finite(payload), indent=2))


def _finite(item: Any) -> Any:
    """The payload with infinities as strings, which JSON has no number for."""
    if isinstance(item, dict):
        return {key: _finite(value) for key, value in item.items()}
    if isinstance(item, list | tuple):
        return [_finite(value) for value in item]
    return str(item) if isinstance(item, float) and not math.isfinite(item) else item
