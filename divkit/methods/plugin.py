"""f-divergences between the laws of two samples, by putting a cross-fitted log ratio into the integrand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from divkit.methods._one_fit import OneFit, Value
from divkit.result import Bound

__all__ = ["PlugIn"]


@dataclass(frozen=True)
class PlugIn(OneFit):
    """The integrand of the divergence at the cross-fitted log ratio, averaged over both samples.

    With c = q/(p + q), D = f(1) + E_P[g c] + E_Q[g c] for the centred generator g: every term is non-negative, and none
    has the variance of the density ratio itself, which `crossfit` pays for being a bound. In exchange the value depends
    to first order on the log ratio. It is the more accurate of the two for most samples, and the interval is the
    same: the lower limit of the bound. Log ratios count as no more than 1 + log m and no less than -1 - log n, with
    effective sizes: beyond, neither sample says what they are, and divergences like Pearson chi2 would rest on them
    alone.

    Parameters
    ----------
    models, folds
        As in `CrossFit`.

    Examples
    --------
    >>> import numpy as np
    >>> import divkit
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(1.0, 1.0, (500, 3)), rng.normal(0.0, 1.0, (500, 3))
    >>> d = divkit.estimate(divkit.Samples(x), divkit.Samples(y), "jsd", divkit.PlugIn(), rng=0)
    >>> d.bound, d.estimand, bool(0.2 < d < 0.35)
    ('consistent', 'population', True)
    """

    name: ClassVar[str] = "plugin"
    bound: ClassVar[Bound] = "consistent"
    value: ClassVar[Value] = "plugin"
