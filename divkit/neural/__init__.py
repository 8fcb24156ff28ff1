"""Networks as critics: 1-Lipschitz layers, proofs of their constants, and one loop that fits them."""

from __future__ import annotations

from divkit._errors import require

require("torch", "neural")

__all__: list[str] = []
