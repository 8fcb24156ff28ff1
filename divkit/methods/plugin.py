"""f-divergences between the laws of two samples, by putting a cross-fitted log ratio into the integrand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from divkit.divergences import Divergence
from divkit.measures import Measure
from divkit.methods import Method
from divkit.methods.crossfit import CrossFit
from divkit.methods.log_ratio import LogRatioModel
from divkit.result import Bound, Estimand, Estimate

__all__ = ["PlugIn"]


@dataclass(frozen=True)
class PlugIn(Method):
    """The integrand of the divergence at the cross-fitted log ratio, averaged over both samples.

    With c = q/(p + q), D = f(1) + E_P[g c] + E_Q[g c] for the centred generator g: every term is non-negative, and none
    has the variance of the density ratio itself, which `crossfit` pays for being a bound. In exchange the value depends
    to first order on the log ratio. It is the more accurate of the two for most samples, and the interval is the
    same: the lower limit of the bound.

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

    models: str | LogRatioModel | Sequence[str | LogRatioModel] = "auto"
    folds: int = 5

    name: ClassVar[str] = "plugin"
    measures: ClassVar[str] = "two Samples"
    divergences: ClassVar[str] = "every f-divergence"
    bound: ClassVar[Bound] = "consistent"
    estimand: ClassVar[Estimand] = "population"
    draws: ClassVar[bool] = True

    def __post_init__(self) -> None:
        CrossFit(self.models, self.folds)  # which checks them

    def refusal(self, div: Divergence, P: Measure, Q: Measure) -> str | None:
        """Why this method cannot estimate div(P || Q), in a clause; None if it can."""
        return CrossFit(self.models, self.folds).refusal(div, P, Q)

    def estimate(self, div: Divergence, P: Measure, Q: Measure, *, level: float, rng: np.random.Generator) -> Estimate:
        """An estimate of div(P || Q) with a lower limit.

        Raises
        ------
        Unsupported
            If `refusal` is not None.
        """
        self.demand(div, P, Q)
        return CrossFit(self.models, self.folds).fit(P, Q, rng).estimate(div, level, "plugin")
