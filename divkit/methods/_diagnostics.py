"""When an estimate made from a log ratio should not be trusted, in sentences."""

from __future__ import annotations

import math
import warnings
from typing import Final

import numpy as np
from numpy.typing import NDArray

from divkit._errors import UnreliableEstimateWarning
from divkit._stats import effective_size, pareto_tail
from divkit.divergences import FDivergence
from divkit.methods._held_moments import HeldOut

__all__ = ["doubts_about", "reasons_for_doubt"]

_F = NDArray[np.float64]
_SHARE: Final = 0.1  # of all weight on one point
_HEAVY: Final = 0.5  # tail index from which a variance is infinite
_A_DIMENSION: Final = 5  # points
_FEW: Final = 50
_CEILING: Final = 2.0  # nats below log of the sample size


def doubts_about(method: str, div: FDivergence, held: HeldOut, d: int, stacklevel: int) -> list[str]:
    """`reasons_for_doubt`, said in one `UnreliableEstimateWarning` if there are any."""
    reasons = reasons_for_doubt(div, held, d)
    if reasons:
        warnings.warn(f"{method}: {'; '.join(reasons)}", UnreliableEstimateWarning, stacklevel=stacklevel + 1)
    return reasons


def reasons_for_doubt(div: FDivergence, held: HeldOut, d: int) -> list[str]:
    """What speaks against normal error bars for this divergence; an empty list if nothing was found.

    Parameters
    ----------
    div : FDivergence
    held : HeldOut
        Log ratios at all points by models that have not seen them.
    d : int
        Coordinates that vary.
    """
    n, m = held.sizes
    if held.x.min() > held.y.max():  # all else follows from that
        return [
            f"a critic separates all {len(held.x)} points of x from all {len(held.y)} of y: the supports may be "
            f"disjoint, and {div.name} then is {div.upper:g}; only the lower limit means something"
        ]
    found = []
    if min(n, m) < max(_FEW, _A_DIMENSION * d):
        found.append(
            f"{min(n, m):.4g} points (effective) are few for {d} dimension{'' if d == 1 else 's'}; take at least "
            f"{max(_FEW, _A_DIMENSION * d)}"
        )
    if math.isinf(div.slope_inf):
        found += _one_side(div, held.y_shares * _scaled(held.y), float(held.x_shares @ held.x), ("x", "y"), (n, m))
    if math.isinf(div.f_zero):
        found += _one_side(div, held.x_shares * _scaled(-held.x), -float(held.y_shares @ held.y), ("y", "x"), (m, n))
    return found


def _scaled(l: _F) -> _F:
    """e^l without overflow, relative to the largest."""
    return np.asarray(np.exp(l - l.max()))


def _one_side(
    div: FDivergence, weights: _F, mean: float, names: tuple[str, str], sizes: tuple[float, float]
) -> list[str]:
    """Doubts about the mean of the density ratio over the sample names[1], which averages 1."""
    found = []
    ceiling = math.log(min(sizes)) - _CEILING
    if mean > ceiling:
        found.append(
            f"the mean log ratio over {names[0]}, {mean:.3g}, is above log(min(n, m)) - 2 = {ceiling:.3g}: no sample "
            f"of this size can bound {div.name} there from below; take more points, or a bounded divergence such as jsd"
        )
    largest = float(weights.max() / weights.sum())
    if largest > _SHARE:
        found.append(
            f"one point of {names[1]} carries {largest:.0%} of all density ratios (effective size "
            f"{effective_size(weights):.3g} of {len(weights)}): {names[1]} hardly reaches where {names[0]} is; take "
            f"more points of it, or a bounded divergence such as jsd"
        )
    if div.power is not None and abs(div.power[0] - 0.5) > 1:  # it integrates the square of the ratio
        tail = pareto_tail(weights**2)
        if tail is not None and tail > _HEAVY:
            found.append(
                f"the squared density ratios at {names[1]} have tail index {tail:.2f}; above 0.5 their variance is "
                f"infinite and no error bar of {div.name} holds; take a bounded divergence such as jsd or "
                f"squared_hellinger"
            )
    return found
