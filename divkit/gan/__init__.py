"""Generators trained by the variational estimators: objectives, a trainer that resumes, and honest evaluation.

Everything here needs torch: ``python -m pip install "divkit[neural]"``.
"""

from __future__ import annotations

from divkit._errors import require

require("torch", "neural")

__all__: list[str] = []
