"""Compile every kernel ahead, by using each verb that has one on a small problem."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["STEPS"]


def _discrete() -> None:
    from divkit import exact
    from divkit.catalog import DIVERGENCES
    from divkit.divergences import FDivergence

    p, q = np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.25, 0.5])
    for divergence in DIVERGENCES.values():
        if isinstance(divergence, FDivergence):
            exact.fdivergence(divergence, p, q)
    for dtype in (np.float32, np.float64):
        exact.kl(p.astype(dtype), q.astype(dtype))


def _line() -> None:
    from divkit.api import wasserstein
    from divkit.transport.line import Line

    rng = np.random.default_rng(0)
    x, y, weights = rng.normal(size=20_000), rng.normal(size=20_001), rng.random(20_000)
    for p in (1.0, 2.0):
        wasserstein(x, y, weights, p=p)
        wasserstein(x, y, p=p)
        wasserstein(x, x[::-1], p=p)
        Line().solve(x[:100], y[:120], p=p)


def _plane() -> None:
    from divkit.transport.column_generation import ColumnGeneration
    from divkit.transport.dual import certified_lower_bound, lipschitz_constant

    rng = np.random.default_rng(0)
    for d in (2, 3, 4, 8):
        x, y = rng.normal(size=(400, d)), rng.normal(size=(400, d)) + 1.0
        ColumnGeneration().solve(x[:20], y[:20])  # few points have a kernel of their own
        for p in (1.0, 2.0):
            plan = ColumnGeneration().solve(x, y, rng.random(400), rng.random(400), p=p)
            certified_lower_bound(plan.x_potential, x, y, p=p)
        lipschitz_constant(plan.x_potential, x)


STEPS: tuple[tuple[str, Callable[[], None]], ...] = (
    ("divergences of probability vectors", _discrete),
    ("Wasserstein distances on the line", _line),
    ("exact transport by column generation, and its certificates", _plane),
)
