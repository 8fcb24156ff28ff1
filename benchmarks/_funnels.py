"""Pairs of laws in up to 64 dimensions whose W_1 is known: the public part of Korotin, Kolesov and Burnaev (2022)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

F = NDArray[np.float64]
DATA = Path(__file__).resolve().parent / "data"
HALF = 2.5  # Q is uniform on [-2.5, 2.5]^D
POWER = 8  # points move along their rays by t -> t^8
_BLOCK = 4096


@dataclass(frozen=True, eq=False)
class Funnels:
    """Q uniform on a cube, and P its image along the rays of u(x) = min_n |x - a_n| + b_n towards the centres.

    Along a ray u falls with slope 1, so that nobody moves further than u changes: W_1(P, Q) = E_Q u - E_P u.

    Parameters
    ----------
    centres : ndarray, shape (N, D)
    offsets : ndarray, shape (N,)
    """

    centres: F
    offsets: F

    @property
    def d(self) -> int:
        """D."""
        return int(self.centres.shape[1])

    def draw(self, n: int, rng: np.random.Generator) -> tuple[F, F]:
        """n independent draws of P and of Q each, (n, D)."""
        q = rng.uniform(-HALF, HALF, (n, self.d))
        return self.moved(rng.uniform(-HALF, HALF, (n, self.d)))[0], q

    def truth(self, n: int, rng: np.random.Generator) -> tuple[float, float]:
        """W_1 from n draws of the distance that a point moves, and its standard error."""
        far = self.moved(rng.uniform(-HALF, HALF, (n, self.d)))[1]
        return float(far.mean()), float(far.std() / np.sqrt(n))

    def moved(self, y: F) -> tuple[F, F]:
        """Where the points (n, D) of Q go, (n, D), and how far, (n,)."""
        blocks = [self._moved(y[k : k + _BLOCK]) for k in range(0, len(y), _BLOCK)]
        points, distances = zip(*blocks, strict=True)
        return np.concatenate(points), np.concatenate(distances)

    def _moved(self, y: F) -> tuple[F, F]:
        away = np.linalg.norm(y[:, None] - self.centres, axis=2)  # (n, N)
        heights = away + self.offsets
        active = heights.argmin(axis=1)
        rows = np.arange(len(y))
        radius, height = away[rows, active], heights[rows, active]
        centre = self.centres[active]
        ray = (y - centre) / radius[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            to_box = np.where(ray != 0, (HALF * np.sign(ray) - y) / ray, np.inf).min(axis=1)
            gaps = height[:, None] - self.offsets  # how far another centre may be before it takes over
            # |y + r v - a_m| = u(y) + r - b_m for the r at which funnel m becomes the lower one.
            slopes = gaps - np.einsum("nmd,nd->nm", y[:, None] - self.centres, ray)
            exits = 0.5 * (away**2 - gaps**2) / slopes
        valid = (exits > 0) & (exits > -gaps) & (np.arange(len(self.offsets)) != active[:, None])
        reach = radius + np.minimum(to_box, np.where(valid, exits, np.inf).min(axis=1))
        share = radius / reach
        target = share**POWER * reach
        return centre + target[:, None] * ray, np.abs(radius - target)


def funnels() -> dict[str, Funnels]:
    """The public tasks by their names D_N."""
    with np.load(DATA / "funnels.npz") as held:
        names = sorted((name.removeprefix("centers_") for name in held if name.startswith("centers_")), key=_sizes)
        return {name: Funnels(held[f"centers_{name}"], held[f"bias_{name}"]) for name in names}


def _sizes(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.split("_"))


def published() -> dict[str, dict[str, Any]]:
    """{task: {solver: {"cos", "l2", "w1"}}} as published."""
    found: dict[str, dict[str, Any]] = json.loads((DATA / "funnels_published.json").read_text(encoding="utf-8"))
    return found
