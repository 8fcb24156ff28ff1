"""The spread of an estimate from disjoint subsamples, and what its drift with the size says about its bias."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Spread", "spread"]

_F = NDArray[np.float64]
_POINTS_A_NEIGHBOUR = 4  # a block has at least so many points for each neighbour, or it is all one ball


@dataclass(frozen=True)
class Spread:
    """What an estimate does on subsamples.

    Attributes
    ----------
    stderr : float
        Standard error at the full size.
    block_mean : float
        Mean over subsamples of one `groups`-th of the size.
    groups, subsamples : int
    """

    stderr: float
    block_mean: float
    groups: int
    subsamples: int

    def bias(self, value: float, d: int) -> float:
        """The bias left in the value if it falls like size^(-1/d), by Richardson's extrapolation."""
        rate = 1.0 / d
        return (self.block_mean - value) / float(self.groups**rate - 1)

    def interval(self, value: float, d: int, level: float) -> tuple[float, float]:
        """Sampling error to both sides, after the side to which the bias points has been moved by it.

        By Student's t, since the standard error is itself an estimate: every cut compares so many blocks of either
        sample, and all cuts are of the same points.
        """
        from scipy.special import stdtrit

        reach = -float(stdtrit(2 * (self.groups - 1), (1 - level) / 2)) * self.stderr
        corrected = value - self.bias(value, d)
        return min(value, corrected) - reach, max(value, corrected) + reach


def spread(
    read: Callable[[Sequence[_F]], float],
    samples: Sequence[_F],
    neighbours: int,
    subsamples: int,
    rng: np.random.Generator,
) -> Spread | None:
    """The spread of ``read`` over blocks of about size^(3/4) points, drawn without replacement.

    The samples are cut at random into about size^(1/4) blocks each, again and again until there are enough. The
    blocks of one cut share no point, so their values are independent and the variance among them, divided by
    their number, is that of the whole without a correction for the finite population: Politis and Romano's (1994)
    scaling with the root of the size. Both samples are cut into equally many, so that n != m keeps its ratio.
    Blocks of size^(2/3) cover less: their own radii are too wide for the local ratios to vary as they do in all.

    Returns
    -------
    Spread or None
        None if there are too few points for two blocks.
    """
    size = min(len(sample) for sample in samples)
    groups = min(round(size**0.25), size // (_POINTS_A_NEIGHBOUR * neighbours))
    if groups < 2:
        return None
    cuts = math.ceil(subsamples / groups)
    values = np.empty((cuts, groups))
    for cut in range(cuts):
        parts = [np.array_split(rng.permutation(len(sample)), groups) for sample in samples]
        for g in range(groups):
            values[cut, g] = read([sample[part[g]] for sample, part in zip(samples, parts, strict=True)])
    stderr = math.sqrt(float(values.var(axis=1, ddof=1).mean()) / groups)
    return Spread(stderr, float(values.mean()), groups, cuts * groups)
