"""Fixtures of the transport tests."""

from __future__ import annotations

import pytest

from divkit.transport import _found, _level_solver


@pytest.fixture(scope="module", params=["all pairs", "few arcs"])
def route(request):
    """Both ways in which small problems can be solved: on all pairs at once, and as large ones are."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "few arcs":
            patch.setattr(_found, "FEW_PAIRS", 0)
            patch.setattr(_level_solver, "_MANY", 0)
        yield request.param
