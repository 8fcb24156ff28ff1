"""The activations of critics by name, apart from torch: settings are checked without it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["WIDTHS"]

# What the number of channels has to be divisible by.
WIDTHS: Final[Mapping[str, int]] = MappingProxyType({"abs": 2, "maxmin": 2, "half": 4, "sort": 1, "relu": 1})
