"""What a two-sample test found."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from divkit._checks import check_level
from divkit.result import Estimate

__all__ = ["TestResult"]

_F = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TestResult:
    """The outcome of a permutation test of the hypothesis that two samples come from one law.

    Parameters
    ----------
    name : str
        The statistic.
    statistic : float
        Its value for the samples as they are.
    p_value : float
        The probability, if the laws are equal, of a statistic at least as large: (1 + b)/(1 + B) with b of B permuted
        statistics at or above the observed one, never 0. It is at most alpha with a probability of at most alpha.
    null : ndarray, shape (B,)
        The permuted statistics.
    n, m : int
        Sizes of x and y.
    effect : Estimate or None
        How far apart they are, where the statistic has a unit.
    exceedances : int
        b, or the number at which the test was told to stop.
    info : mapping
        ``arrangements`` is "all" where every arrangement of the labels was visited, else "drawn"; ``stopped`` says
        whether the test ended early.
    """

    __test__ = False  # pytest is not to collect it

    name: str
    statistic: float
    p_value: float
    null: _F
    n: int
    m: int
    effect: Estimate | None
    exceedances: int
    info: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        view = self.null.view()
        view.flags.writeable = False
        object.__setattr__(self, "null", view)

    def __repr__(self) -> str:
        effect = "" if self.effect is None else f", effect={self.effect!r}"
        return (
            f"TestResult({self.name}, statistic={self.statistic:.6g}, p_value={self.p_value:.4g}, "
            f"permutations={len(self.null)}{effect})"
        )

    def p_interval(self, level: float = 0.95) -> tuple[float, float]:
        """Where the p-value of all arrangements lies, with probability `level` over the permutations drawn.

        By Clopper and Pearson (1934); the p-value itself where all arrangements were visited. Where the test stopped
        early the number of permutations was random, and the interval is the one for negative binomial counts.
        """
        from scipy.stats import beta

        level = check_level(level)
        if self.info.get("arrangements") == "all":
            return self.p_value, self.p_value
        b, count, tail = self.exceedances, len(self.null), (1 - level) / 2
        low = 0.0 if b == 0 else float(beta.ppf(tail, b, count - b + 1))
        if self.info.get("stopped"):
            high = 1.0 if b == count else float(beta.ppf(1 - tail, b, count - b))
        else:
            high = 1.0 if b == count else float(beta.ppf(1 - tail, b + 1, count - b))
        return low, high

    def to_dict(self) -> dict[str, Any]:
        """Everything but the permuted statistics as plain Python values, with their mean and deviation instead."""
        largest = float(np.abs(self.null).max(initial=0.0)) or 1.0  # squares of large ones would overflow
        spread = float((self.null / largest).std()) * largest if len(self.null) else 0.0
        middle = float(self.null.mean()) if len(self.null) else math.nan
        return {
            "statistic": self.name,
            "value": self.statistic,
            "p_value": self.p_value,
            "permutations": len(self.null),
            "null_mean": middle if math.isfinite(middle) else None,
            "null_std": spread,
            "n": self.n,
            "m": self.m,
            "effect": None if self.effect is None else self.effect.to_dict(),
            "info": dict(self.info),
        }
