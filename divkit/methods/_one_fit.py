"""What `crossfit` and `plugin` share: one cross-fitted log ratio, from which every f-divergence follows."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Final, Literal

import numpy as np
from numpy.typing import NDArray

from divkit._checks import check_integer
from divkit._errors import DegenerateDataWarning, InvalidInput
from divkit._stats import clt_interval
from divkit.divergences import DerivedDivergence, Divergence, FDivergence
from divkit.measures import Measure, Samples
from divkit.methods import Method
from divkit.methods._cross_fit import Fold, Sides, cross_fit
from divkit.methods._derived import derived
from divkit.methods._diagnostics import doubts_about
from divkit.methods._held_moments import HeldOut
from divkit.methods._held_out import lower_bound, plugged_in
from divkit.methods._samples import copied_rows, sample_refusal
from divkit.methods.log_ratio import LogRatioModel, resolve_model
from divkit.result import Estimand, Estimate

__all__ = ["CrossFitted", "OneFit", "Value", "racing_models"]

_F = NDArray[np.float64]
Value = Literal["bound", "plugin"]
_DEFAULT: Final = ("linear", "gaussian", "quadratic", "additive", "mixture", "kernel", "neighbours")
_COPIES: Final = 0.01  # share of the points


@dataclass(frozen=True)
class OneFit(Method):
    """The settings of a cross-fit, and the way from two samples to an estimate."""

    models: str | LogRatioModel | Sequence[str | LogRatioModel] = "auto"
    folds: int = 5

    measures: ClassVar[str] = "two Samples"
    divergences: ClassVar[str] = "every f-divergence"
    estimand: ClassVar[Estimand] = "population"
    draws: ClassVar[bool] = True
    value: ClassVar[Value]

    def __post_init__(self) -> None:
        object.__setattr__(self, "folds", check_integer("folds", self.folds, 3))
        racing_models(self.models)

    def refusal(self, div: Divergence, P: Measure, Q: Measure) -> str | None:
        """Why this method cannot estimate div(P || Q), in a clause; None if it can."""
        reason = sample_refusal(div, P, Q)
        if reason is not None:
            return reason
        for name, measure in (("P", P), ("Q", Q)):
            assert isinstance(measure, Samples)
            count = len(measure.points) if measure.weights is None else int(np.count_nonzero(measure.weights))
            if count < 2 * self.folds:
                return f"{name} has {count} points; {self.folds} folds take at least {2 * self.folds}"
        return None

    def estimate(self, div: Divergence, P: Measure, Q: Measure, *, level: float, rng: np.random.Generator) -> Estimate:
        """div(P || Q) with a lower limit.

        Raises
        ------
        Unsupported
            If `refusal` is not None.
        """
        self.demand(div, P, Q)
        return self.fit(P, Q, rng).estimate(div, level, self.value)

    def fit(self, P: Measure, Q: Measure, rng: np.random.Generator) -> CrossFitted:
        """The cross-fitted log ratio of two Samples, from which every divergence follows."""
        assert isinstance(P, Samples)
        assert isinstance(Q, Samples)
        (x, x_weights), (y, y_weights) = _present(P), _present(Q)
        for name, points in (("x", x), ("y", y)):
            copies = copied_rows(points)
            if copies > _COPIES * len(points):
                warnings.warn(
                    f"{self.name}: {name} has {len(points)} points, {copies} of them copies of others: draws with "
                    f"repetition (bootstrap, oversampling) are not independent, and folds then have seen what they "
                    f"judge; pass each point once, with {name}_weights if its multiplicity means something",
                    DegenerateDataWarning,
                    stacklevel=4,
                )
        sides = Sides.of(x, y, x_weights, y_weights)
        return CrossFitted(sides, cross_fit(sides, racing_models(self.models), self.folds, rng))


def racing_models(models: str | LogRatioModel | Sequence[str | LogRatioModel]) -> list[LogRatioModel]:
    """The models that race, from names and objects; those of "auto" are from simple to flexible.

    Raises
    ------
    InvalidInput
        For unknown names, no models at all, and objects that are none.
    """
    if isinstance(models, str) and models == "auto":
        return [resolve_model(name) for name in _DEFAULT]
    if isinstance(models, Sequence) and not isinstance(models, str):
        if not models:
            raise InvalidInput("models is empty; name at least one, or pass 'auto'")
        return [resolve_model(model) for model in models]
    return [resolve_model(models)]


def _present(sample: Samples) -> tuple[_F, _F | None]:
    """Points that carry weight, and their weights."""
    if sample.weights is None:
        return sample.points, None
    kept = sample.weights > 0
    return sample.points[kept], sample.weights[kept]


class CrossFitted:
    """A cross-fitted log ratio of two samples.

    Attributes
    ----------
    x, y : ndarray, shape (n,) and (m,)
        The log ratio at each point by models that have not seen it.
    """

    def __init__(self, sides: Sides, folds: Sequence[Fold]) -> None:
        self.x, self.y = np.empty(len(sides.x)), np.empty(len(sides.y))
        for fold in folds:
            self.x[fold.x_rows], self.y[fold.y_rows] = fold.x, fold.y
        self._sides, self._folds = sides, folds
        self._held_out = [
            (
                HeldOut.of(fold.choice.x, fold.choice.y, fold.x_seen_weights, fold.y_seen_weights),
                HeldOut.of(fold.x, fold.y, sides.x_weights[fold.x_rows], sides.y_weights[fold.y_rows]),
            )
            for fold in folds
        ]

    def estimate(self, div: Divergence, level: float, value: Value = "bound") -> Estimate:
        """One divergence: a lower bound, or the plug-in estimate; with the lower limit of the bound in either case."""
        if isinstance(div, DerivedDivergence):
            return derived(div, self.estimate(div.base, level, value))
        assert isinstance(div, FDivergence)
        best = lower_bound(div, self._held_out, level)
        raw = best.value if value == "bound" else plugged_in(div, self.held_out)
        shown = min(max(raw, div.f_one), div.upper)
        limit = max(min(shown, best.limit), div.f_one)
        name = "crossfit" if value == "bound" else "plugin"
        doubts = doubts_about(name, div, self.held_out, self._sides.x.shape[1], stacklevel=4)
        return Estimate(
            shown,
            divergence=div.name,
            method=name,
            bound="lower" if value == "bound" else "consistent",
            estimand="population",
            stderr=best.stderr,
            interval=(limit, div.upper),
            level=level,
            info={
                "n": len(self.x),
                "m": len(self.y),
                "models": dict(self.models),
                "raw": raw,
                "critic_interval": None if doubts else clt_interval(best.value, best.stderr, level),
                "doubts": doubts,
            },
        )

    @cached_property
    def held_out(self) -> HeldOut:
        """The log ratios with the weights of their points."""
        return HeldOut.of(self.x, self.y, self._sides.x_weights, self._sides.y_weights)

    @cached_property
    def models(self) -> dict[str, int]:
        """How many folds each combination of models was chosen in; "none" where nothing told the laws apart."""
        counts: dict[str, int] = {}
        for fold in self._folds:
            name = "+".join(model.name for model in fold.choice.models) or "none"
            counts[name] = counts.get(name, 0) + 1
        return counts
