"""Penalised logistic regression by Newton's method: the log ratio as a linear function of features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from divkit._errors import NotConverged

__all__ = ["fit_logistic", "logistic_log_ratio"]

_F = NDArray[np.float64]
_STEPS: Final = 100
_DECREMENT: Final = 1e-9  # of the objective per point: far below what a log loss can tell apart
_LARGE: Final = 100_000  # numbers in a design from which its curvature is computed in single precision
_LEAST_PENALTY: Final = 1e-6  # keeps separable samples and collinear features solvable


def logistic_log_ratio(
    features: Callable[[_F], _F], x: _F, y: _F, x_weights: _F, y_weights: _F, penalty: _F
) -> Callable[[_F], _F]:
    """The log ratio a + b . phi(z) of greatest penalised likelihood, as a function of points.

    Parameters
    ----------
    features : callable
        Points (k, d) to (k, c).
    x, y : ndarray, shape (n, d) and (m, d)
    x_weights, y_weights : ndarray, shape (n,) and (m,)
    penalty : ndarray, shape (c,)
        Half of it times the squared coefficient of each standardised feature is added to the negative log likelihood.

    Returns
    -------
    callable
        Points (k, d) to (k,).
    """
    design = features(np.concatenate([x, y]))  # (n + m, c)
    weights = np.concatenate([x_weights, y_weights])
    centre = weights @ design / weights.sum()
    design = design - centre
    scale = np.sqrt(weights @ design**2 / weights.sum())
    scale = np.where(scale > 0, scale, 1.0)
    design /= scale
    labels = np.concatenate([np.ones(len(x)), np.zeros(len(y))])
    offset = float(np.log(x_weights.sum() / y_weights.sum()))
    coefficients = fit_logistic(design, labels, weights, offset, penalty)
    slope = coefficients[1:] / scale
    intercept = float(coefficients[0] - centre @ slope)

    def log_ratio(points: _F) -> _F:
        return np.asarray(features(points) @ slope + intercept)

    return log_ratio


def fit_logistic(design: _F, labels: _F, weights: _F, offset: float, penalty: _F) -> _F:
    """Intercept and coefficients (1 + c,) of P(label 1) = sigmoid(offset + a + b . phi).

    Parameters
    ----------
    design : ndarray, shape (k, c)
        Features of about unit variance.
    labels, weights : ndarray, shape (k,)
    offset : float
        The log odds that the coefficients start from.
    penalty : ndarray, shape (c,)
        The intercept is not penalised.

    Raises
    ------
    NotConverged
        If Newton's method makes no progress, which a convex objective with finite features does not allow for.
    """
    from scipy.special import expit

    design = np.column_stack([np.ones(len(design)), design])
    penalty = np.maximum(np.concatenate([[0.0], penalty]), _LEAST_PENALTY)
    signs = 2 * labels - 1

    def objective(linear: _F, coefficients: _F) -> float:
        return float(weights @ np.logaddexp(0.0, -signs * linear) + 0.5 * penalty @ coefficients**2)

    # The gradient, in full precision, decides where Newton's method ends; for the curvature seven digits do.
    coarse = design.astype(np.float32) if design.size >= _LARGE else design
    coefficients = np.zeros(design.shape[1])
    linear = np.full(len(design), offset)
    value = objective(linear, coefficients)
    for _ in range(_STEPS):
        chance = expit(linear)
        gradient = design.T @ (weights * (chance - labels)) + penalty * coefficients
        step = _newton_step(coarse, weights * chance * (1 - chance), penalty, gradient)
        decrement = float(gradient @ step)
        if decrement <= _DECREMENT * weights.sum():
            return np.asarray(coefficients - step)
        moved, size = design @ step, 1.0
        while (trial := objective(linear - size * moved, coefficients - size * step)) > value - 1e-4 * size * decrement:
            size /= 2
            if size < 1e-9:
                raise NotConverged("Newton's method for a logistic model makes no progress: are the features finite?")
        coefficients, linear, value = coefficients - size * step, linear - size * moved, trial
    raise NotConverged(f"Newton's method for a logistic model did not end within {_STEPS} steps")


def _newton_step(design: Any, curvature: _F, penalty: _F, gradient: _F) -> _F:
    """(R' R + diag(penalty))^-1 gradient, R = sqrt(curvature) design (k, c), through the smaller of R' R and R R'."""
    root = design * np.sqrt(curvature).astype(design.dtype)[:, None]
    rows, columns = root.shape
    if columns <= rows:
        hessian = (root.T @ root).astype(np.float64)
        hessian[np.diag_indices_from(hessian)] += penalty
        try:
            return _solved(hessian, gradient)
        except np.linalg.LinAlgError:
            if design.dtype == np.float64:
                raise
            return _newton_step(design.astype(np.float64), curvature, penalty, gradient)
    root = root.astype(np.float64)
    lean = root / penalty  # Woodbury: (D + R'R)^-1 = D^-1 - D^-1 R' (I + R D^-1 R')^-1 R D^-1
    small = lean @ root.T
    small[np.diag_indices_from(small)] += 1.0
    return np.asarray(gradient / penalty - lean.T @ _solved(small, lean @ gradient))


def _solved(matrix: _F, right: _F) -> _F:
    """matrix^-1 right for a positive definite matrix, which is overwritten."""
    from scipy.linalg import cho_factor, cho_solve

    factor = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
    return np.asarray(cho_solve(factor, right, check_finite=False))
