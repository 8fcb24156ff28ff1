"""Maximum mean discrepancy over a range of bandwidths, with one valid p-value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from divkit._checks import check_integer
from divkit._errors import InvalidInput
from divkit._unit import in_unit
from divkit.two_sample import Labels, Pooled, Prepared, Statistic
from divkit.two_sample.kernels import MOST, Kernel, Scale, median_distance, pairs_refusal, rows_of, unbiased

__all__ = ["AggregatedMMD"]

_F = NDArray[np.float64]
_KERNELS: Final[tuple[Kernel, ...]] = ("gaussian", "laplace")
_FALL: Final = 25.0  # from the weight of the Gaussian kernel of median bandwidth to those of the outermost ones
_LAPLACE: Final = 0.1  # weight of each Laplace kernel


@dataclass(frozen=True)
class AggregatedMMD(Statistic):
    """The least probable of the discrepancies of Gaussian and Laplace kernels of several bandwidths.

    For each kernel, mean, deviation and skewness over all arrangements, the observed one among them, fix a shifted
    Gamma law (Pearson's type III); an arrangement's statistic is -log of the smallest tail probability that its
    discrepancies have under these, each over the weight of its kernel. The Gaussian kernel of median bandwidth, that of
    `MMD`, has most weight, so that little is lost where it is the best, and much is gained where it is not. As every
    arrangement is treated alike, the permutation test of it is valid whatever the laws.

    Parameters
    ----------
    bandwidths : int
        For each kernel, in equal factors.
    reach : float
        The narrowest is the median distance divided by it, the widest the median distance times it.
    max_points : int
        As in `MMD`.

    Notes
    -----
    The aim, and weights that fall from the middle, are those of Schrab et al. (2023), "MMD aggregated two-sample test";
    combining by tail probabilities instead of levels gives a p-value, and takes no second set of permutations.
    """

    name: ClassVar[str] = "mmd_aggregated"
    summary: ClassVar[str] = "the least probable discrepancy over kernels and bandwidths"
    rounding: ClassVar[float] = 1e-6

    bandwidths: int = 5
    reach: float = 8.0
    max_points: int = MOST

    def __post_init__(self) -> None:
        check_integer("bandwidths", self.bandwidths, 1)
        check_integer("max_points", self.max_points, 2)
        if not (self.reach > 1 and math.isfinite(self.reach)):
            raise InvalidInput(f"reach must be finite and above 1, got {self.reach!r}")

    def refusal(self, n: int, m: int, d: int) -> str | None:
        """See `Statistic.refusal`."""
        return pairs_refusal(n, m, self.max_points)

    def prepare(self, pooled: Pooled, rng: np.random.Generator) -> Prepared:
        """See `Statistic.prepare`."""
        points, _ = in_unit(pooled.points)
        n = int(pooled.labels.sum())
        places = np.linspace(-1, 1, self.bandwidths) if self.bandwidths > 1 else np.zeros(1)
        scales, weights = [], []
        for kernel in _KERNELS:
            middle = median_distance(points, kernel, rng)
            scales += [Scale(kernel, middle * self.reach ** float(place)) for place in places]
            weights += [_FALL ** -abs(float(place)) if kernel == "gaussian" else _LAPLACE for place in places]

        def values(labels: Labels) -> _F:
            found, step = [], rows_of(points)
            for scale in scales:
                forms = scale.forms(points)
                parts = [forms(labels[start : start + step]) for start in range(0, len(labels), step)]
                form, mixed = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
                found.append(unbiased(form, mixed, forms.total, n, len(points) - n))
            weighted = [surprise(own) + math.log(weight) for own, weight in zip(found, weights, strict=True)]
            return np.asarray(np.stack(weighted).max(axis=0))

        return Prepared(pooled, values)


def surprise(values: _F) -> _F:
    """-log P(V >= v) for each of these (b,), V of the shifted Gamma law with their first three moments."""
    from scipy.stats import pearson3, skew

    deviation = float(values.std())
    if not deviation > 1e-9 * float(np.abs(values).max(initial=0.0)):
        return np.zeros(len(values))  # all alike: this kernel sees nothing
    standard = (values - values.mean()) / deviation
    return np.asarray(-pearson3.logsf(standard, float(skew(standard))), dtype=np.float64)
