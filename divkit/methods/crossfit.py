"""f-divergences between the laws of two samples, all from one cross-fitted log ratio."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Any, ClassVar, Final, Literal

import numpy as np
from numpy.typing import NDArray

from divkit._checks import check_integer, check_level, check_points, check_rng, check_same_dimension
from divkit._errors import DegenerateDataWarning, InvalidInput
from divkit._stats import clt_interval
from divkit.catalog import DIVERGENCES, resolve_divergence
from divkit.divergences import DerivedDivergence, Divergence, FDivergence
from divkit.measures import Measure, Samples
from divkit.methods import Method
from divkit.methods._cross_fit import Fold, Sides, cross_fit
from divkit.methods._derived import derived
from divkit.methods._diagnostics import doubts_about
from divkit.methods._held_out import HeldOut, lower_bound, plugged_in
from divkit.methods._samples import copied_rows, sample_refusal
from divkit.methods.log_ratio import LogRatioModel, resolve_model
from divkit.result import Bound, Estimand, Estimate

__all__ = ["CrossFit", "estimate_all"]

_F = NDArray[np.float64]
Value = Literal["bound", "plugin"]
_DEFAULT: Final = ("linear", "gaussian", "quadratic", "additive", "mixture", "kernel", "neighbours")
_COPIES: Final = 0.01  # share of the points
_FOR_VALUE: Final = 1.0  # standard errors by which certainty counts where the value is chosen


@dataclass(frozen=True)
class CrossFit(Method):
    """The variational (f-GAN, Nguyen-Wainwright-Jordan) bound of a log ratio fitted on the other folds.

    Each fold's log ratio l comes from models fitted to the other folds, where a race by out-of-fold log loss has
    chosen and calibrated them. With T = f'(e^l), the mean of T over the held-out x less the mean of f*(T) over the
    held-out y is at most D in expectation, whatever l is, and misses D only to second order in the error of l.

    Parameters
    ----------
    models : "auto", str, LogRatioModel, or a sequence of names and models
        What races: names of `divkit.methods.log_ratio.MODELS`, or objects with settings, from simple to flexible.
        "auto" takes linear, gaussian, quadratic, additive, mixture, kernel and neighbours.
    folds : int
        At least 3.

    Notes
    -----
    The interval is one-sided: with probability `level`, D is above its lower end. The normal limit is corrected for
    skewness, and l is clipped to a window that validation points choose, so that no single draw decides. ``info`` has
    the models with the folds that chose them, and ``doubts``, the reasons not to trust the error bars if there are any;
    those come as `UnreliableEstimateWarning`, too. There is no two-sided interval for D, as nothing in two samples can
    say what every model has missed; ``critic_interval`` is one for what the fitted critics see of it (None in doubt).

    Examples
    --------
    >>> import numpy as np
    >>> import divkit
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(1.0, 1.0, (500, 3)), rng.normal(0.0, 1.0, (500, 3))
    >>> d = divkit.estimate(divkit.Samples(x), divkit.Samples(y), "jsd", divkit.CrossFit(), rng=0)
    >>> d.bound, d.estimand, bool(0.2 < d < 0.35)
    ('lower', 'population', True)
    """

    models: str | LogRatioModel | Sequence[str | LogRatioModel] = "auto"
    folds: int = 5

    name: ClassVar[str] = "crossfit"
    measures: ClassVar[str] = "two Samples"
    divergences: ClassVar[str] = "every f-divergence"
    bound: ClassVar[Bound] = "lower"
    estimand: ClassVar[Estimand] = "population"
    draws: ClassVar[bool] = True
    _value: ClassVar[Value] = "bound"

    def __post_init__(self) -> None:
        object.__setattr__(self, "folds", check_integer("folds", self.folds, 3))
        self._models()

    def _models(self) -> list[LogRatioModel]:
        if isinstance(self.models, str) and self.models == "auto":
            return [resolve_model(name) for name in _DEFAULT]
        if isinstance(self.models, Sequence) and not isinstance(self.models, str):
            if not self.models:
                raise InvalidInput("models is empty; name at least one, or pass 'auto'")
            return [resolve_model(model) for model in self.models]
        return [resolve_model(self.models)]

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
        return self.fit(P, Q, rng).estimate(div, level, self._value)

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
        return CrossFitted(sides, cross_fit(sides, self._models(), self.folds, rng))


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
        z = NormalDist().inv_cdf(level)
        best = lower_bound(div, self._held_out, level, _FOR_VALUE)
        safe = best if z <= _FOR_VALUE else lower_bound(div, self._held_out, level, z)
        raw = best.value if value == "bound" else plugged_in(div, self.held_out)
        shown = min(max(raw, div.f_one), div.upper)
        limit = max(min(shown, safe.limit), div.f_one)
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


def estimate_all(
    x: Any,
    y: Any,
    divergences: Sequence[str | Divergence] | None = None,
    *,
    x_weights: Any = None,
    y_weights: Any = None,
    models: str | LogRatioModel | Sequence[str | LogRatioModel] = "auto",
    folds: int = 5,
    level: float = 0.95,
    rng: int | np.random.Generator | None = None,
) -> dict[str, Estimate]:
    """Lower bounds of every f-divergence between the laws of two samples, from one cross-fitted log ratio.

    Parameters
    ----------
    x, y : array_like, shape (n,) or (n, d) and (m,) or (m, d)
        Draws of P and of Q.
    divergences : sequence of str or divergence, optional
        By default every f-divergence of `divkit.DIVERGENCES` but `gan`, the Jensen-Shannon one in another scale.
    x_weights, y_weights : array_like, shape (n,) and (m,), optional
        Importance weights; only their ratios matter.
    models, folds
        As in `CrossFit`.
    level : float
        Of each one-sided limit by itself, not of all at once.
    rng : int, numpy.random.Generator or None

    Returns
    -------
    dict of str to Estimate

    Raises
    ------
    InvalidInput
        For samples, weights, names or settings that are none.
    Unsupported
        For fewer than twice as many points as folds, or a divergence that is no f-divergence.

    Examples
    --------
    >>> import numpy as np
    >>> from divkit.methods.crossfit import estimate_all
    >>> rng = np.random.default_rng(0)
    >>> found = estimate_all(rng.normal(1, 1, 400), rng.normal(0, 1, 400), ["kl", "jsd"], rng=0)
    >>> {name: bool(abs(d - truth) < 0.2) for (name, d), truth in zip(found.items(), (0.5, 0.11))}
    {'kl': True, 'jsd': True}
    """
    level = check_level(level)
    points = check_points("x", x), check_points("y", y)
    check_same_dimension(*points)
    P, Q = Samples(points[0], x_weights), Samples(points[1], y_weights)
    if divergences is None:
        divergences = [name for name, div in DIVERGENCES.items() if sample_refusal(div, P, Q) is None and name != "gan"]
    wanted = [resolve_divergence(divergence) for divergence in divergences]
    method = CrossFit(models, folds)
    for div in wanted:
        method.demand(div, P, Q)
    fitted = method.fit(P, Q, check_rng(rng))
    return {div.name: fitted.estimate(div, level) for div in wanted}
