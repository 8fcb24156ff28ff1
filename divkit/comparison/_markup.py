"""Text as a page may hold it."""

from __future__ import annotations

from html import escape as escape_markup

__all__ = ["escape"]


def escape(text: str) -> str:
    """No markup, and no character that a page must not have."""
    return escape_markup("".join(c if c in "\t\n" or _is_allowed(ord(c)) else "�" for c in text))


def _is_allowed(code: int) -> bool:
    return code >= 32 and not 0xD800 <= code < 0xE000  # control characters, halves of pairs
