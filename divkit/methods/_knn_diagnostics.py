"""When a nearest-neighbour estimate should not be trusted, as warnings that say why and what to do."""

from __future__ import annotations

import math
import warnings
from typing import Final

from divkit._errors import DegenerateDataWarning, UnreliableEstimateWarning
from divkit.methods._knn_interval import Spread
from divkit.methods._knn_local import Reading

__all__ = ["warn_of_drift", "warn_of_few", "warn_of_no_interval", "warn_of_reading", "warn_of_ties"]

_DRIFT: Final = 3.0  # standard errors
_LEVEL: Final = 6  # stack frames from here to the caller of a verb


def warn_of_ties(share: float) -> None:
    """Warn if points coincide."""
    if share > 0:
        warnings.warn(
            f"knn: {share:.3g} of the points coincide with another one, which draws from a density never do; where "
            f"they fill a ball of radius 0 the laws are compared by counts at that point. For counts of categories "
            f"use method 'binned'; for rounded measurements the value is that of the rounded laws",
            DegenerateDataWarning,
            stacklevel=_LEVEL,
        )


def warn_of_few(name: str, size: int, d: int) -> None:
    """Warn if there are too few points for neighbours to be near."""
    if size < 2.0**d:
        _warn(
            name,
            f"{size} points in {d} dimensions are fewer than 2^{d}, so that nearest neighbours are far away; use "
            f"method 'crossfit', or fewer coordinates",
        )


def warn_of_no_interval(size: int, k: int) -> None:
    """Warn that subsamples would be too small."""
    warnings.warn(
        f"knn: {size} points are too few for an interval from subsamples at k = {k}; the estimate has none. Use more "
        f"points, a smaller k, or interval=False",
        UnreliableEstimateWarning,
        stacklevel=_LEVEL,
    )


def warn_of_reading(name: str, reading: Reading, n: int, m: int, d: int, k: int) -> None:
    """Warn of each reason why the estimate of the divergence may be far off."""
    size = min(n, m)
    ceiling = max(math.log(size) - 2, 0.0)
    if reading.separate:
        _warn(
            name,
            f"no point has one of the other sample among its {k} nearest neighbours: the supports look disjoint, and "
            f"the value says no more than that the divergence is large; use total_variation, or wasserstein1 for how "
            f"far apart they are",
        )
    elif max(reading.logs, default=-math.inf) > ceiling:
        _warn(
            name,
            f"{max(reading.logs):.3g} nats is above log(min(n, m)) - 2 = {ceiling:.3g}, beyond which {size} points "
            f"cannot tell; read it as a lower figure, and use more points, or jsd",
        )
    if reading.steep:
        _warn(
            name,
            "much of it comes from where one sample has hardly a point, and neighbours see little of that: it is "
            "likely to be far too low; use method 'crossfit', or a bounded divergence such as squared_hellinger",
        )
    warn_of_few(name, size, d)


def warn_of_drift(name: str, value: float, found: Spread) -> None:
    """Warn if the value still changes with the number of points by much more than its standard error."""
    if abs(found.block_mean - value) > _DRIFT * found.stderr:
        _warn(
            name,
            f"with a {found.groups}-th of the points it is {found.block_mean:.3g} in the mean, with all {value:.3g}: "
            f"it still changes with their number by more than {_DRIFT:g} standard errors; use more points or method "
            f"'crossfit', and for chi2 a bounded divergence",
        )


def _warn(name: str, reason: str) -> None:
    warnings.warn(f"knn: the estimate of {name} is unreliable: {reason}", UnreliableEstimateWarning, _LEVEL)
