"""f-divergences between the laws of two samples, all from one cross-fitted log ratio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from divkit._checks import check_level, check_points, check_rng, check_same_dimension
from divkit.catalog import DIVERGENCES, resolve_divergence
from divkit.divergences import Divergence
from divkit.measures import Samples
from divkit.methods._one_fit import OneFit, Value
from divkit.methods._samples import sample_refusal
from divkit.methods.log_ratio import LogRatioModel
from divkit.result import Bound, Estimate

__all__ = ["CrossFit", "estimate_all"]


@dataclass(frozen=True)
class CrossFit(OneFit):
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

    name: ClassVar[str] = "crossfit"
    bound: ClassVar[Bound] = "lower"
    value: ClassVar[Value] = "bound"


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
