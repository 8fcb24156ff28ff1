"""Congruence of symmetric matrices in double-double arithmetic (106 bits), for nearly singular pencils."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["congruence"]

_F = NDArray[np.float64]
_DD = tuple[_F, _F]  # an unevaluated sum high + low
_SPLITTER = 134217729.0  # 2^27 + 1, Dekker (1971)


def _two_sum(a: _F, b: _F) -> _DD:
    """a + b without error (Knuth)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _split(a: _F) -> _DD:
    wide = _SPLITTER * a
    high = wide - (wide - a)
    return high, a - high


def _two_product(a: _F, b: _F) -> _DD:
    """a b without error (Dekker)."""
    product = a * b
    (a_high, a_low), (b_high, b_low) = _split(a), _split(b)
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


def _less_product(a: _DD, b: _DD, c: _DD) -> _DD:
    """a - b c."""
    product, error = _two_product(b[0], c[0])
    error = error + (b[0] * c[1] + b[1] * c[0])
    total, low = _two_sum(a[0], -product)
    low = low + (a[1] - error)
    high = total + low
    return high, low - (high - total)


def _quotient(a: _DD, b: _DD) -> _DD:
    first = a[0] / b[0]
    rest, _ = _less_product(a, (first, np.zeros_like(first)), b)
    return _two_sum(first, rest / b[0])


def congruence(s: _F, other: _F, mean: _F, other_mean: _F) -> tuple[_F, _F]:
    """The difference of two Gaussians in coordinates that make the first one standard.

    Parameters
    ----------
    s, other : ndarray, shape (d, d)
        Symmetric; s positive definite.
    mean, other_mean : ndarray, shape (d,)

    Returns
    -------
    difference : ndarray, shape (d, d)
        D^(-1/2) L^(-1) (other - s) L^(-T) D^(-1/2) with s = L D L'.
    gap : ndarray, shape (d,)
        D^(-1/2) L^(-1) (other_mean - mean).

    Notes
    -----
    Elimination in double-double arithmetic: relative errors are about 1e-31 times the condition number of s,
    where plain float64 has 1e-16 times it.
    """
    d = len(s)
    pencil: _DD = (s.copy(), np.zeros_like(s))
    difference = _two_sum(other, -s)
    gap = _two_sum(other_mean, -mean)
    for k in range(d - 1):
        rest = slice(k + 1, d)
        pivot = _at(pencil, (k, k))
        factor = _quotient(_at(pencil, (rest, k)), pivot)  # (d - k - 1,)
        column = _at(factor, (slice(None), None))
        row = _at(factor, (None, slice(None)))
        _put(
            pencil, (rest, rest), _less_product(_at(pencil, (rest, rest)), column, _at(pencil, (slice(k, k + 1), rest)))
        )
        lines = _less_product(
            _at(difference, (rest, slice(None))), column, _at(difference, (slice(k, k + 1), slice(None)))
        )
        _put(difference, (rest, slice(None)), lines)
        lines = _less_product(
            _at(difference, (slice(None), rest)), _at(difference, (slice(None), slice(k, k + 1))), row
        )
        _put(difference, (slice(None), rest), lines)
        _put(gap, rest, _less_product(_at(gap, rest), factor, _at(gap, slice(k, k + 1))))
    root = np.sqrt(np.diagonal(pencil[0]))
    whitened = difference[0] / root / root[:, None]
    np.fill_diagonal(whitened, np.diagonal(difference[0]) / np.diagonal(pencil[0]))  # one rounding, no roots
    return (whitened + whitened.T) / 2, gap[0] / root


def _at(pair: _DD, index: Any) -> _DD:
    return pair[0][index], pair[1][index]


def _put(pair: _DD, index: Any, value: _DD) -> None:
    pair[0][index], pair[1][index] = value
