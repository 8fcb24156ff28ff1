"""The log ratio that a critic stands for: f'(p/q) = T, solved for log p/q."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from divkit.divergences import FDivergence

__all__ = ["log_ratios_of"]

_F = NDArray[np.float64]
_HALVINGS: Final = 52


def log_ratios_of(div: FDivergence, critic: _F, reach: float) -> _F:
    """The l in [-reach, reach] with f'(e^l) nearest to the critic.

    Where f' is a step, as for the total variation, its two levels are the critic's certainties: a critic of a share s
    of the way from one to the other stands for log s/(1 - s).

    Parameters
    ----------
    div : FDivergence
    critic : ndarray, shape (n,)
        Values T of the critic.
    reach : float
        Positive.
    """
    optimal = div.log_ratio.activation
    bottom, half, top = (float(optimal(np.full(1, l))[0]) for l in (-reach, reach / 2, reach))
    if half == top:
        return np.asarray(np.clip(logit(np.clip((critic - bottom) / (top - bottom), 0.0, 1.0)), -reach, reach))
    low, high = np.full(len(critic), -reach), np.full(len(critic), reach)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        above = optimal(middle) < critic
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.asarray((low + high) / 2)
