"""Numbers as they are shown, and text as a page may hold it."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_EVEN, Context, Decimal
from html import escape as escape_markup
from typing import Final

__all__ = ["escape", "number", "percent"]

_CONTEXT: Final = Context(prec=800)  # digits of the longest float64


def number(value: float | None, rounding: str = ROUND_HALF_EVEN) -> str:
    """Four digits, whole numbers as they are, a dash for what is not there.

    Parameters
    ----------
    value : float or None
    rounding : str
        As in `decimal`: lower limits are rounded down, upper ones up.
    """
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value):,}".replace("-", "−")
    exact = Decimal(repr(float(value)))  # 0.001 is meant, not the float next to it
    rounded = float(exact.quantize(Decimal(1).scaleb(exact.adjusted() - 3), rounding, _CONTEXT))
    text = f"{rounded:,.0f}" if 1e4 <= abs(rounded) < 1e6 else f"{rounded:.4g}"
    return text.replace("-", "−") if "e" not in text else text.replace("-", "−", int(text[0] == "-"))


def percent(share: float) -> str:
    """One digit after the point; what is not 0 is not shown as 0."""
    return "<0.1%" if 0 < share < 0.0005 else f"{share:.1%}"


def escape(text: str) -> str:
    """No markup, and no character that a page must not have."""
    return escape_markup("".join(c if c in "\t\n" or _is_allowed(ord(c)) else "�" for c in text))


def _is_allowed(code: int) -> bool:
    return code >= 32 and not 0xD800 <= code < 0xE000  # control characters, halves of pairs
