"""What held-out points show of a critic: its moments under either law, by the own sample and by both."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from divkit.divergences import FDivergence

__all__ = ["HeldOut", "Moments", "Terms", "Window", "believed_range", "central", "moments", "skewness_of", "terms_of"]

_F = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Log ratios l at draws x of P and y of Q that their models have not seen.

    Parameters
    ----------
    x, y : ndarray, shape (n,) and (m,)
        The log ratios.
    x_shares, y_shares : ndarray, shape (n,) and (m,)
        Normalised weights, each of sum 1.
    """

    x: _F
    y: _F
    x_shares: _F
    y_shares: _F

    @classmethod
    def of(cls, x: _F, y: _F, x_weights: _F, y_weights: _F) -> HeldOut:
        """From weights of any sum."""
        return cls(x, y, x_weights / x_weights.sum(), y_weights / y_weights.sum())

    @property
    def sizes(self) -> tuple[float, float]:
        """Effective sizes of both samples."""
        return 1 / float(self.x_shares @ self.x_shares), 1 / float(self.y_shares @ self.y_shares)

    def both_as(self, low: float, high: float) -> tuple[_F, _F]:
        """Weights of all n + m points that stand for P and for Q: with c = q/(p + q) = sigmoid(-l), E_Q[h] is the sum
        of the means of h c over both samples, and E_P[h] that of h (1 - c). Log ratios are believed from low to high.
        """
        from scipy.special import expit

        x, y = (np.clip(l, low, high) for l in (self.x, self.y))
        return (
            np.concatenate([self.x_shares * expit(x), self.y_shares * expit(y)]),
            np.concatenate([self.x_shares * expit(-x), self.y_shares * expit(-y)]),
        )


class Window(NamedTuple):
    """The interval to which log ratios are clipped before they become a critic: any critic gives a lower bound."""

    low: float
    high: float


class Terms(NamedTuple):
    """T and f*(T) at the points of x, then those of y, (n + m,), which `held` has the log ratios of."""

    held: HeldOut
    critic: _F
    conjugate: _F


class Moments(NamedTuple):
    """Mean, variance and third central moment of a function under a law."""

    mean: float
    variance: float
    third: float


def terms_of(div: FDivergence, held: HeldOut, window: Window) -> Terms:
    """T = f'(e^l) and f*(T), relative to l = 0, where T - f*(T) = f(1): nothing cancels where laws are nearly equal."""
    critic, conjugate = div.log_ratio.activation, div.log_ratio.conj_activation
    l, zero = np.clip(np.concatenate([held.x, held.y]), *window), np.zeros(1)
    return Terms(held, critic(l) - critic(zero), conjugate(l) - conjugate(zero))


def moments(terms: Terms, believed: tuple[float, float]) -> tuple[list[Moments], list[Moments]]:
    """Moments of T under P and of f*(T) under Q: each by its own sample, and by both samples.

    By both, what Q meets rarely and P often is seen there; exact as far as l is.
    """
    held, t, c = terms
    n, (to_p, to_q) = len(held.x), held.both_as(*believed)
    return [central(t[:n], held.x_shares), central(t, to_p)], [central(c[n:], held.y_shares), central(c, to_q)]


def central(values: _F, shares: _F) -> Moments:
    total = float(shares.sum())
    if total <= 0:
        return Moments(0.0, 0.0, 0.0)
    mean = float(shares @ values) / total
    gaps = values - mean
    size = total**2 / float(shares @ shares)
    squares = gaps * gaps
    return Moments(
        mean, float(shares @ squares) / total * size / max(size - 1, 1.0), float(shares @ (squares * gaps)) / total
    )


def skewness_of(third: float, stderr: float) -> float:
    """third / stderr^3; 0 for a mean that does not vary, or so little that the cube vanishes."""
    cube = stderr * stderr * stderr  # inf for what ** would refuse
    return third / cube if cube > 0 else 0.0


def believed_range(n: float, m: float) -> tuple[float, float]:
    """Log ratios beyond these say of one sample that it has less than a point where the other lies: no sample shows it.

    Between samples that do not overlap they keep the variance of a point that might have been seen.
    """
    return -math.log(n), math.log(m)
