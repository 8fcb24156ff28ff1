"""W2 between Gaussians, the Bures-Wasserstein distance, without inverses and without cancellation."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from divkit.families import Gaussian
from divkit.methods._forms import EPS, Number

__all__ = ["wasserstein2"]

_F = NDArray[np.float64]


def wasserstein2(p: Gaussian, q: Gaussian) -> Number:
    """W2 = sqrt(|mean gap|^2 + min over orthogonal U of |Sp^(1/2) - Sq^(1/2) U|^2), U a polar factor.

    Equal to the trace formula, without its cancellation and without inverses, so that singular covariances need
    no care. Bhatia, Jain and Lim (2019), "On the Bures-Wasserstein distance", theorem 1.
    """
    gap = float(np.hypot.reduce(p.mean - q.mean))
    size = math.sqrt(max(float(np.diagonal(p.cov).max()), float(np.diagonal(q.cov).max())))
    if size == 0:
        return Number(gap, 4 * EPS * gap)
    exponent = math.frexp(size)[1]
    p_cov, q_cov = np.ldexp(p.cov, -2 * exponent), np.ldexp(q.cov, -2 * exponent)
    if not (_off_diagonal(p_cov) or _off_diagonal(q_cov)):
        apart = np.sqrt(np.diagonal(p_cov)) - np.sqrt(np.diagonal(q_cov))
        error = 2 * EPS
    else:
        (p_root, p_error), (q_root, q_error) = _root(p_cov), _root(q_cov)
        left, _, right = np.linalg.svd(q_root @ p_root)
        apart = p_root - q_root @ (left @ right)
        error = p_error + q_error + 8 * len(p_cov) * EPS
    spread = math.ldexp(float(np.linalg.norm(apart)), exponent)
    value = math.hypot(gap, spread)
    return Number(value, 4 * EPS * value + math.ldexp(error, exponent))


def _off_diagonal(matrix: _F) -> bool:
    return bool((matrix != np.diag(np.diagonal(matrix))).any())


def _root(cov: _F) -> tuple[_F, float]:
    """The symmetric square root, and a bound on how far rounding moves the law in W2.

    N(0, S) and N(0, S + E) are at most sqrt(trace |E|) apart, and |E|_F / (2 sqrt(smallest eigenvalue)).
    """
    d = len(cov)
    values, vectors = np.linalg.eigh(cov)
    noise = 4 * d * EPS * float(values[-1])
    values = np.where(values > 16 * d * EPS * values[-1], values, 0.0)
    root = (vectors * np.sqrt(values)) @ vectors.T
    error = math.sqrt(d * noise)
    if values[0] > 0:
        error = min(error, math.sqrt(d) * noise / math.sqrt(float(values[0])))
    return root, error
