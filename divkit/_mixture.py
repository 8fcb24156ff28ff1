"""Gaussian mixtures: density, tails, quantiles and draws."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from divkit._array import as_float_array
from divkit._checks import check_finite, check_integer, check_rng
from divkit._errors import InvalidInput
from divkit.families import Gaussian
from divkit.measures import Discrete

__all__ = ["GaussianMixture"]

_F = NDArray[np.float64]
_SYMMETRY = 1e-10  # relative: what products such as A @ A.T lose to rounding, and no more


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """The law with density sum_k weights[k] N(x; means[k], covariances[k]).

    It can be passed wherever a measure is expected.

    Parameters
    ----------
    weights : array_like, shape (k,)
        Non-negative, sum 1 (to 1e-8). `divkit.normalize` makes counts into one.
    means : array_like, shape (k,) or (k, d)
        Shape (k,) means d = 1.
    covariances : array_like
        Shape (k,): one variance a component, the same in all directions (not the standard deviation).
        Shape (d, d): one positive definite matrix for all components. Shape (k, d, d): one a component.

    Attributes
    ----------
    weights, means, covariances : ndarray
        Read-only, of shapes (k,), (k, d) and (k, d, d).

    Raises
    ------
    InvalidInput
        If the shapes do not fit, a number is not finite, or a covariance is not positive definite.

    Examples
    --------
    >>> from divkit.datasets import GaussianMixture
    >>> law = GaussianMixture([0.5, 0.5], means=[-1.0, 1.0], covariances=[1.0, 1.0])
    >>> law.dim, law.cdf([0.0])
    (1, array([0.5]))
    """

    weights: _F
    means: _F
    covariances: _F
    _factors: _F = field(init=False, repr=False)  # (k, d, d) lower Cholesky factors

    def __post_init__(self) -> None:
        weights = _probabilities(self.weights)
        k = len(weights)
        means = as_float_array("means", self.means)
        if means.ndim == 1:
            means = means[:, None]  # (k, 1)
        if means.ndim != 2 or len(means) != k or means.shape[1] == 0:
            raise InvalidInput(
                f"means must have shape ({k},) or ({k}, d), one row a weight, got {np.shape(self.means)}"
            )
        check_finite("means", means)
        covariances = _matrices(self.covariances, k, means.shape[1])
        held = {"weights": weights, "means": means, "covariances": covariances, "_factors": _cholesky(covariances)}
        for name, array in held.items():
            copy = np.array(array, dtype=np.float64)
            copy.flags.writeable = False
            object.__setattr__(self, name, copy)

    def __repr__(self) -> str:
        return f"GaussianMixture(components={len(self.weights)}, d={self.dim})"

    @property
    def dim(self) -> int:
        """Dimension d of the space."""
        return int(self.means.shape[1])

    @property
    def support(self) -> tuple[float, float]:
        """(-inf, inf): a Gaussian is positive everywhere."""
        return -math.inf, math.inf

    @property
    def family(self) -> Gaussian | None:
        """The Gaussian that this is if only one component has weight, None otherwise."""
        (used,) = np.nonzero(self.weights)
        return Gaussian(self.means[used[0]], self.covariances[used[0]]) if len(used) == 1 else None

    def log_density(self, points: Any) -> _F:
        """Log density at points (n, d), shape (n,)."""
        x = np.asarray(points, dtype=np.float64)
        if x.ndim != 2 or x.shape[1] != self.dim:
            raise InvalidInput(f"points must have shape (n, {self.dim}), got {x.shape}")
        with np.errstate(divide="ignore"):
            logs = np.log(self.weights)[:, None] + np.stack(
                [_gaussian_log(x - mean, factor) for mean, factor in zip(self.means, self._factors, strict=True)]
            )  # (k, n)
        return np.asarray(np.logaddexp.reduce(logs, axis=0))

    def sample(self, n: int, rng: Any = None) -> _F:
        """n independent draws, shape (n, d), in random order."""
        count, generator = check_integer("n", n, 1), check_rng(rng)
        which = generator.choice(len(self.weights), size=count, p=self.weights / self.weights.sum())
        noise = generator.standard_normal((count, self.dim))
        draws = self.means[which]  # (n, d), a copy
        for k, factor in enumerate(self._factors):
            draws[which == k] += noise[which == k] @ factor.T
        return draws

    def cdf(self, x: Any) -> _F:
        """P(X <= x), elementwise, for d = 1."""
        return self._tail(np.asarray(x, dtype=np.float64), 1.0)

    def sf(self, x: Any) -> _F:
        """P(X > x), elementwise, for d = 1; small values keep their relative accuracy."""
        return self._tail(np.asarray(x, dtype=np.float64), -1.0)

    def quantile(self, q: Any) -> _F:
        """The x with cdf(x) = q, elementwise, for d = 1; -inf at 0 and inf at 1.

        Where the cdf has a flat stretch at exactly this height, some point of the stretch.
        """
        return self._inverse("quantile", q, 1.0)

    def isf(self, q: Any) -> _F:
        """The x with sf(x) = q, elementwise, for d = 1; accurate for the smallest q."""
        return self._inverse("isf", q, -1.0)

    @cached_property
    def _line(self) -> tuple[_F, _F, _F]:
        """(weights, means, standard deviations) of the components with weight, each (k,), for d = 1."""
        if self.dim != 1:
            raise InvalidInput(f"cdf, sf, quantile and isf need d = 1; this mixture has d = {self.dim}")
        used = self.weights > 0
        return self.weights[used], self.means[used, 0], self._factors[used, 0, 0]

    def _tail(self, x: _F, side: float) -> _F:
        from scipy.special import ndtr

        weights, means, stds = self._line
        return np.asarray(ndtr(side * (x[..., None] - means) / stds) @ weights)

    def _inverse(self, name: str, q: Any, side: float) -> _F:
        weights, means, stds = self._line
        prob = np.asarray(q, dtype=np.float64)
        if not ((prob >= 0) & (prob <= 1)).all():
            raise InvalidInput(f"{name} takes probabilities between 0 and 1, got {prob[~((prob >= 0) & (prob <= 1))]}")
        left = prob <= 0.5  # from 1/2 on, 1 - q is exact and the other tail is the accurate one
        x = np.empty_like(prob)
        x[left] = side * _left_quantile(prob[left], weights, side * means, stds)
        x[~left] = -side * _left_quantile(1 - prob[~left], weights, -side * means, stds)
        return x


def _probabilities(weights: Any) -> _F:
    """Mixture weights (k,), checked and scaled to sum 1 to the last digit."""
    law = Discrete(weights)
    return np.asarray(law.probs / law.probs.sum())


def _matrices(covariances: Any, k: int, d: int) -> _F:
    """Covariances of any accepted shape as symmetric matrices (k, d, d)."""
    given = as_float_array("covariances", covariances)
    check_finite("covariances", given)
    if given.shape == (k,):
        return np.asarray(given[:, None, None] * np.eye(d))
    if given.shape not in ((d, d), (k, d, d)):
        raise InvalidInput(
            f"covariances must have shape ({k},), ({d}, {d}) or ({k}, {d}, {d}) for {k} components in "
            f"{d} dimensions, got {given.shape}"
        )
    full = np.broadcast_to(given, (k, d, d))
    if (np.abs(full - full.mT) > _SYMMETRY * np.abs(full).max()).any():
        raise InvalidInput("covariances must be symmetric; use (C + C.T) / 2 if the difference is noise")
    return np.asarray((full + full.mT) / 2)


def _cholesky(covariances: _F) -> _F:
    """Lower Cholesky factors (k, d, d)."""
    factors = np.empty_like(covariances)
    for k, covariance in enumerate(covariances):
        try:
            factors[k] = np.linalg.cholesky(covariance)
        except np.linalg.LinAlgError:
            smallest = float(np.linalg.eigvalsh(covariance)[0])
            raise InvalidInput(
                f"covariances must be positive definite, but covariance {k} has smallest eigenvalue {smallest:g}; "
                f"add a small multiple of the identity if it is one in exact arithmetic"
            ) from None
    return factors


def _gaussian_log(gaps: _F, factor: _F) -> _F:
    """Log density of N(0, factor factor') at gaps (n, d)."""
    if len(factor) == 1:
        z = gaps / factor[0, 0]  # (n, 1)
    else:
        from scipy.linalg import solve_triangular

        z = solve_triangular(factor, gaps.T, lower=True, check_finite=False).T  # (n, d)
    with np.errstate(over="ignore"):
        squares = np.einsum("nd,nd->n", z, z)
    logs = -0.5 * (squares + len(factor) * math.log(2 * math.pi)) - np.log(np.diagonal(factor)).sum()
    return np.asarray(logs)


def _left_quantile(q: _F, weights: _F, means: _F, stds: _F) -> _F:
    """Quantiles for q <= 1/2 of a mixture on the line: Newton steps on log cdf inside a shrinking bracket."""
    from scipy.special import log_ndtr, ndtri

    parts = means + stds * ndtri(q)[:, None]  # (n, k): the answer lies between the components' quantiles
    low, high = parts.min(axis=1), parts.max(axis=1)
    x = np.where(np.isfinite(low), low / 2 + high / 2, low)
    active = np.isfinite(low) & (low < high)
    log_weights = np.log(weights)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        target = np.log(q)
        for _ in range(4400):  # two steps a bit of the widest bracket float64 can hold
            if not active.any():
                break
            at = np.nonzero(active)[0]
            z = (x[at, None] - means) / stds  # (a, k)
            log_cdf = np.logaddexp.reduce(log_weights + log_ndtr(z), axis=1)
            slope = np.exp(-0.5 * z * z - 0.5 * math.log(2 * math.pi) - log_cdf[:, None]) @ (weights / stds)
            excess = log_cdf - target[at]
            low[at], high[at] = np.where(excess < 0, x[at], low[at]), np.where(excess < 0, high[at], x[at])
            step = x[at] - excess / slope
            middle = low[at] / 2 + high[at] / 2
            # Newton only where it stays inside and at least halves the bracket's reach.
            newton = (step > low[at]) & (step < high[at]) & (np.abs(step - x[at]) < (high[at] - low[at]) / 2)
            fresh = np.where(newton, step, middle)
            active[at] = (fresh != x[at]) & (excess != 0) & (np.nextafter(low[at], high[at]) < high[at])
            x[at] = np.where(active[at], fresh, x[at])
    return np.asarray(x, dtype=np.float64)
