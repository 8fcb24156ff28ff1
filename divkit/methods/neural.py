"""f-divergences between the laws of two samples through a network, by their variational forms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from divkit._stats import clt_interval
from divkit.divergences import DerivedDivergence, Divergence, FDivergence
from divkit.measures import Measure, Samples
from divkit.methods import Method
from divkit.methods._critic_ratio import log_ratios_of
from divkit.methods._critics import (
    Network,
    Splits,
    as_function,
    check_settings,
    fitted,
    splits_of,
    weights_refusal,
)
from divkit.methods._derived import derived
from divkit.methods._held_moments import HeldOut
from divkit.methods._held_out import lower_bound, reach_of
from divkit.methods._race import recalibration
from divkit.methods._samples import in_blocks, sample_refusal, standardized
from divkit.result import Bound, Estimand, Estimate

if TYPE_CHECKING:
    from divkit.neural.fit import Fit

__all__ = ["NeuralBound"]

_F = NDArray[np.float64]
_I = NDArray[np.intp]
_LOOK: Final = 100  # steps between looks at the validation points


@dataclass(frozen=True)
class NeuralBound(Method):
    """E_P[T] - E_Q[f*(T)] of a network T that was fitted to make it large, at points that it has not seen.

    The objective is the divergence itself: the f-GAN discriminator of Nowozin, Cseke and Tomioka (2016), judged on
    held-out points. `CrossFit` gives all divergences from one fit of smaller models; a network is for what none of
    these can follow.

    Parameters
    ----------
    width, depth : int
        Units of a hidden layer, and hidden layers.
    steps, batch : int
        Steps of Adam, and points of each law a step.
    learning_rate : float
    folds : int or None
        Each part is judged by a network fitted to the others, and all networks are trained at once; 1 holds a fifth of
        the points out. None takes 5 below 20,000 points and 1 from there on.
    device : str
        As in torch: "cpu", "cuda".
    progress : bool

    Notes
    -----
    Of the states that training goes through, the one that is best on an eighth of the training points is judged. The
    log ratio for which its T would be optimal is recalibrated on the same eighth where that helps, and cut to a window
    that they choose; it is not believed beyond the sizes of the samples: no draw of Q stands for more than all of them.
    ``info["raw"]`` is the value before it is cut to the range of the divergence, ``info["critic_interval"]`` an
    interval with two ends for what the network sees of it.

    Examples
    --------
    >>> import numpy as np
    >>> import divkit
    >>> rng = np.random.default_rng(0)
    >>> P, Q = divkit.Samples(rng.normal(1.0, 1.0, (1000, 2))), divkit.Samples(rng.normal(0.0, 1.0, (1000, 2)))
    >>> method = divkit.NeuralBound(width=16, depth=1, steps=200, learning_rate=0.01)
    >>> d = divkit.estimate(P, Q, "jsd", method, rng=0)  # 0.20
    >>> d.bound, d.estimand, bool(0.12 < d < 0.25)
    ('lower', 'population', True)
    """

    width: int = 64
    depth: int = 2
    steps: int = 2000
    batch: int = 256
    learning_rate: float = 2e-3
    folds: int | None = None
    device: str = "cpu"
    progress: bool = False

    name: ClassVar[str] = "neural"
    measures: ClassVar[str] = "two Samples"
    divergences: ClassVar[str] = "every f-divergence"
    bound: ClassVar[Bound] = "lower"
    estimand: ClassVar[Estimand] = "population"
    requires: ClassVar[str | None] = "neural"
    draws: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_settings(self)

    def refusal(self, div: Divergence, P: Measure, Q: Measure) -> str | None:
        """Why this method cannot estimate div(P || Q), in a clause; None if it can."""
        return sample_refusal(div, P, Q) or weights_refusal(P, Q)

    def estimate(self, div: Divergence, P: Measure, Q: Measure, *, level: float, rng: np.random.Generator) -> Estimate:
        """div(P || Q) with a lower limit.

        Raises
        ------
        Unsupported
            If `refusal` is not None.
        InvalidInput
            For fewer points than the splits take.
        MissingDependency
            Without torch.
        NotConverged
            If the objective is not finite.
        """
        self.demand(div, P, Q)
        if isinstance(div, DerivedDivergence):
            return derived(div, self.estimate(div.base, P, Q, level=level, rng=rng))
        assert isinstance(div, FDivergence)
        assert isinstance(P, Samples)
        assert isinstance(Q, Samples)
        samples = standardized(P.points, Q.points)
        splits = splits_of(len(samples[0]), len(samples[1]), self.folds, rng)
        fit = self._fitted(div, samples, splits, rng)
        parts = self._judged(div, fit, samples, splits)
        found = lower_bound(div, parts, level)
        value = min(max(found.value, div.f_one), div.upper)
        info: dict[str, Any] = {
            "n": len(samples[0]),
            "m": len(samples[1]),
            "folds": len(splits.held),
            "raw": found.value,
            "critic_interval": clt_interval(found.value, found.stderr, level),
            "validation": tuple(fit.best),
            "steps": fit.steps,
        }
        return Estimate(
            value,
            divergence=div.name,
            method=self.name,
            bound=self.bound,
            estimand=self.estimand,
            stderr=found.stderr,
            interval=(max(min(found.limit, value), div.f_one), div.upper),
            level=level,
            info=info,
        )

    @staticmethod
    def _judged(div: FDivergence, fit: Fit, samples: tuple[_F, _F], splits: Splits) -> list[tuple[HeldOut, HeldOut]]:
        """What the networks say of p/q at the points that chose their state, and at those that judge them."""
        reach = reach_of(*map(len, samples))
        parts = []
        for k, held in enumerate(splits.held):
            critic = as_function(fit.critics.one(k))

            def log_ratios(rows: tuple[_I, _I], critic: Callable[[_F], _F] = critic) -> list[_F]:
                values = (in_blocks(critic, sample[own]) for sample, own in zip(samples, rows, strict=True))
                return [log_ratios_of(div, np.asarray(div.variational.activation(v)), reach) for v in values]

            seen, judging = log_ratios((splits.validation[0][k], splits.validation[1][k])), log_ratios(held)
            factor, shift = recalibration(seen[0], seen[1])
            parts.append((_evenly(factor, shift, seen), _evenly(factor, shift, judging)))
        return parts

    def _fitted(self, div: FDivergence, samples: tuple[_F, _F], splits: Splits, rng: np.random.Generator) -> Fit:
        """The networks of all folds."""
        from divkit.neural.fit import Training

        training = Training(self.steps, self.batch, self.learning_rate, check_every=_LOOK)
        network = Network(self.width, self.depth, "none", "relu", self.device)
        return fitted(samples, splits, div.variational, training, network, rng, progress=self.progress)


def _evenly(factor: float, shift: float, log_ratios: list[_F]) -> HeldOut:
    """Recalibrated log ratios at points that count the same."""
    x, y = (factor * l + shift for l in log_ratios)
    return HeldOut.of(x, y, np.ones(len(x)), np.ones(len(y)))
