"""A race of log-ratio models within the training folds: out-of-fold log loss decides, the simpler one if in doubt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from divkit.methods.log_ratio import LogRatio, LogRatioModel

__all__ = ["Choice", "Entry", "choose", "combined", "recalibration"]

_F = NDArray[np.float64]
_PATIENCE: Final = 0.5  # standard errors by which a more flexible entry must win
_STEEPEST: Final = 20.0  # largest weight of a model's logits in a combination


@dataclass(frozen=True, eq=False)
class Entry:
    """One model with its out-of-fold log ratios at the validation points.

    Parameters
    ----------
    model : LogRatioModel
    x, y : ndarray, shape (a,) and (b,)
    """

    model: LogRatioModel
    x: _F
    y: _F


@dataclass(frozen=True, eq=False)
class Choice:
    """shift + sum of weights times the log ratios of the models; no models mean a log ratio of 0.

    Parameters
    ----------
    models : tuple of LogRatioModel
    weights : ndarray, shape (len(models),)
        Non-negative; their sum is the temperature by which logits are calibrated.
    shift : float
    x, y : ndarray, shape (a,) and (b,)
        The combined log ratios at the validation points.
    loss : float
        Balanced log loss there.
    """

    models: tuple[LogRatioModel, ...]
    weights: _F
    shift: float
    x: _F
    y: _F
    loss: float


def combined(choice: Choice, fits: Sequence[LogRatio]) -> LogRatio:
    """The log ratio of a choice, from those of its models as they were fitted."""

    def log_ratio(points: _F) -> _F:
        parts = (w * f(points) for w, f in zip(choice.weights, fits, strict=True))
        return choice.shift + sum(parts, np.zeros(len(points)))

    return log_ratio


def _log_losses(x: _F, y: _F) -> tuple[_F, _F]:
    """-log P(own label) of each validation point, when both laws are equally likely: (a,) and (b,)."""
    return np.logaddexp(0.0, -x), np.logaddexp(0.0, y)


def choose(entries: Sequence[Sequence[Entry]], x_weights: _F, y_weights: _F) -> Choice:
    """The calibrated model, or convex combination of models, that the validation points recommend.

    Of each model the setting of least loss enters. From the constant 0 over the models in their order to the
    combination of all, the first whose loss is within half a standard error (of the difference) of the least one is
    taken.

    Parameters
    ----------
    entries : sequence of sequences of Entry
        For each model, in the order of their flexibility, its settings.
    x_weights, y_weights : ndarray, shape (a,) and (b,)
    """
    a, b = x_weights / x_weights.sum(), y_weights / y_weights.sum()
    finalists = [min(group, key=lambda entry: _loss(entry.x, entry.y, a, b)) for group in entries if group]
    nothing = Choice((), np.zeros(0), 0.0, np.zeros(len(a)), np.zeros(len(b)), float(np.log(2.0)))
    candidates = [nothing, *(_calibrated([entry], a, b) for entry in finalists)]
    if len(finalists) > 1:
        candidates.append(_calibrated(finalists, a, b))
    best = min(candidates, key=lambda choice: choice.loss)
    return next(choice for choice in candidates if _as_good(choice, best, a, b))


def _loss(x: _F, y: _F, a: _F, b: _F) -> float:
    own, other = _log_losses(x, y)
    return float(a @ own + b @ other) / 2


def _as_good(choice: Choice, best: Choice, a: _F, b: _F) -> bool:
    """Whether the losses differ by no more than half a standard error of their difference."""
    if choice is best:
        return True
    ours, theirs = _log_losses(choice.x, choice.y), _log_losses(best.x, best.y)
    x_gaps, y_gaps = ours[0] - theirs[0], ours[1] - theirs[1]
    gap = float(a @ x_gaps + b @ y_gaps) / 2
    variance = sum(float(weights**2 @ (gaps - weights @ gaps) ** 2) for weights, gaps in ((a, x_gaps), (b, y_gaps)))
    return gap <= _PATIENCE * 0.5 * float(np.sqrt(variance))


def recalibration(x: _F, y: _F) -> tuple[float, float]:
    """Factor and shift of log ratios by which those at validation points x (a,) and y (b,) have the least log loss.

    (1, 0) unless they are better by more than half a standard error of the difference.
    """
    a, b = (np.full(len(side), 1 / len(side)) for side in (x, y))
    (factor,), shift = _least_loss(x[None], y[None], a, b)
    trials = [(x, y), (factor * x + shift, factor * y + shift)]
    plain, best = (Choice((), np.ones(1), 0.0, l_x, l_y, _loss(l_x, l_y, a, b)) for l_x, l_y in trials)
    return (1.0, 0.0) if _as_good(plain, best, a, b) else (float(factor), shift)


def _calibrated(entries: Sequence[Entry], a: _F, b: _F) -> Choice:
    """The non-negative combination with a shift of least balanced log loss."""
    x = np.stack([entry.x for entry in entries])  # (k, a)
    y = np.stack([entry.y for entry in entries])
    weights, shift = _least_loss(x, y, a, b)
    l_x, l_y = weights @ x + shift, weights @ y + shift
    kept = weights > 0
    models = tuple(entry.model for entry, keep in zip(entries, kept, strict=True) if keep)
    return Choice(models, weights[kept], shift, l_x, l_y, _loss(l_x, l_y, a, b))


def _least_loss(x: _F, y: _F, a: _F, b: _F) -> tuple[_F, float]:
    """Non-negative weights (k,) and the shift of logits x (k, a) and y (k, b) that have the least balanced log loss."""
    from scipy.optimize import minimize
    from scipy.special import expit

    size = np.maximum(np.sqrt((x**2) @ a + (y**2) @ b), 1e-12)  # (k,): steps of the search in units of the logits

    def loss(parameters: _F) -> tuple[float, _F]:
        shift, weights = parameters[0], parameters[1:] / size
        l_x, l_y = weights @ x + shift, weights @ y + shift
        from_x, from_y = a * expit(-l_x), b * expit(l_y)
        slope = from_y @ y.T - from_x @ x.T
        value = a @ np.logaddexp(0.0, -l_x) + b @ np.logaddexp(0.0, l_y)
        return float(value) / 2, np.concatenate([[from_y.sum() - from_x.sum()], slope / size]) / 2

    start = np.concatenate([[0.0], size / len(x)])
    limits = [(None, None), *((0.0, _STEEPEST * s) for s in size)]
    found: Any = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=limits, options={"ftol": 1e-10})
    weights = found.x[1:] / size
    used = weights * size > 1e-3 * float((weights * size).sum())
    return np.where(used, weights, 0.0), float(found.x[0])
