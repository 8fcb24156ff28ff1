"""Sums of smooth terms over many integers from few of them, and limits of series with power-law tails."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from divkit._errors import NotConverged

__all__ = ["Diverges", "Terms", "sum_range", "tail_sum"]

_F = NDArray[np.float64]
Terms = Callable[[_F], _F]  # integers (n,) to non-negative terms (m, n)
_DIRECT: Final = 256  # blocks up to this length are summed term by term
_NODES: Final = 25
_MOMENTS_DIRECT: Final = 4096
_LOCAL: Final = 1e-12  # relative error at which a block is good enough
_NEGLIGIBLE: Final = 1e-19
_FARTHEST: Final = 2.0**52  # beyond it not every integer is a float
_FLAT: Final = 1e-6  # doubling blocks whose sums shrink by less than this share belong to a divergent series


class Diverges(Exception):
    """A result, not an error: a series diverges; the argument says where."""


@cache
def _rule(length: int) -> tuple[_F, _F, _F]:
    """Offsets (k,) in range(length), and weights (k,) that sum polynomials of degree 24 and 16 over the range."""
    ends = np.cos(np.pi * np.arange(_NODES - 1, -1, -1) / (_NODES - 1))
    offsets = np.unique(np.round((ends + 1) / 2 * (length - 1)))
    x = (2 * offsets + 1) / length - 1
    basis = np.polynomial.chebyshev.chebvander(x, _NODES - 1)  # (k, degree)
    moments = _moments(length)
    fine = np.linalg.solve(basis.T, moments)
    coarse = np.linalg.lstsq(basis[:, :17].T, moments[:17], rcond=None)[0]
    return offsets, np.asarray(fine, dtype=np.float64), np.asarray(coarse, dtype=np.float64)


def _moments(length: int) -> _F:
    """Sums of the Chebyshev polynomials T_0, ..., T_24 over the midpoints of `length` cells of [-1, 1]."""
    if length <= _MOMENTS_DIRECT:
        x = (2 * np.arange(length) + 1) / length - 1
        return np.asarray(np.polynomial.chebyshev.chebvander(x, _NODES - 1).sum(axis=0))
    # Euler-Maclaurin at midpoints: h sum f = int f - h^2/24 [f'] + 7 h^4/5760 [f'''] - 31 h^6/967680 [f^(5)] + ...
    h = 2.0 / length
    m = np.arange(_NODES, dtype=np.float64)
    first = m**2
    third = first * (m**2 - 1) * (m**2 - 4) / 15
    fifth = third * (m**2 - 9) * (m**2 - 16) / 63
    even = m % 2 == 0
    integral = np.where(even, 2 / np.where(even, 1 - m**2, 1.0), 0.0)
    jump = 2 * (-(h**2) / 24 * first + 7 * h**4 / 5760 * third - 31 * h**6 / 967680 * fifth)
    return np.asarray(np.where(even, integral + jump, 0.0) / h)


def sum_range(terms: Terms, first: float, count: float, controlled: int) -> tuple[_F, _F, int]:
    """Sums (m,) of `count` terms from `first`, their errors (m,), and how many terms were looked at.

    Blocks on which the controlled terms are no polynomials of degree 24 are halved, in the end summed one by one.
    The rows of terms are the controlled ones, then their rounding errors: what is below those is not resolved.
    """
    sums, errors, looked = np.zeros(1), np.zeros(1), 0
    pending: dict[int, list[float]] = {}
    position = first
    while count > 0:
        length = int(count) if count <= _DIRECT else 2 ** (int(count).bit_length() - 1)
        pending.setdefault(length, []).append(position)
        position, count = position + length, count - length
    while pending:
        length = max(pending)
        starts = np.array(pending.pop(length))
        short = length <= _DIRECT
        offsets, fine, coarse = (np.arange(length), np.ones(length), np.ones(length)) if short else _rule(length)
        values = terms((starts[:, None] + offsets).ravel())
        looked += values.shape[1]
        values = values.reshape(len(values), len(starts), len(offsets))
        block, spread = values @ fine, np.abs(values @ (fine - coarse))  # (m, blocks)
        scale = _NEGLIGIBLE * np.abs(sums).max() + _LOCAL * block[:controlled] + 1e-300
        # The weights of degree 24 are better than their difference to those of degree 16 by about its square root.
        with np.errstate(over="ignore"):
            share = np.sqrt(spread[:controlled] / (np.abs(block[:controlled]) + 1e-300))
        rough = (50 * spread[:controlled] * share > scale).any(axis=0)
        noise = block[controlled : 2 * controlled]
        rough = (rough & (spread[:controlled] > noise).any(axis=0)) if not short else np.zeros(len(starts), dtype=bool)
        sums = sums + block[:, ~rough].sum(axis=1)
        errors = errors + np.minimum(spread[:, ~rough], _LOCAL * block[:, ~rough]).sum(axis=1)
        for start in starts[rough]:
            pending.setdefault(length // 2, []).extend([float(start), float(start) + length // 2])
    return sums, errors, looked


def tail_sum(
    terms: Terms, start: float, step: float, end: float, core: _F, controlled: int, subject: str, limit: float
) -> tuple[_F, _F, int]:
    """Sums (m,) of the terms from `start` to `end`, in doubling blocks, and their errors.

    After `limit` integers the rest is continued as a power law.

    Raises
    ------
    Diverges
        If the first series diverges.
    NotConverged
        If that cannot be told.
    """
    blocks: list[_F] = []
    errors, looked = np.zeros_like(core), 0
    size, position, total = 64.0, start, core
    while (end - position) * step >= 0:
        if abs(position) >= _FARTHEST or abs(position - start) >= limit:
            rest, doubt = _beyond(np.array(blocks), total, controlled, step, subject)
            return np.sum(blocks, axis=0) + rest, errors + doubt, looked
        count = min(size, abs(end - position) + 1)
        first = position if step > 0 else position - count + 1
        block, error, used = sum_range(terms, first, count, controlled)
        blocks.append(block)
        errors, looked = errors + error, looked + used
        position, size = position + step * count, 2 * size
        total = core + np.sum(blocks, axis=0)
        if len(blocks) > 1 and np.all(blocks[-1] <= _NEGLIGIBLE * np.abs(total)):
            break
    return np.sum(blocks, axis=0) if blocks else np.zeros_like(core), errors, looked


def _beyond(blocks: _F, total: _F, controlled: int, step: float, subject: str) -> tuple[_F, _F]:
    """What the series (m,) add beyond the last doubling block (j, m), and how uncertain that is."""
    rest, doubt = np.zeros_like(total), np.zeros_like(total)
    where = f"for x to {'' if step > 0 else '-'}inf"
    for m in reversed(range(len(total))):
        if blocks[-1, m] <= _NEGLIGIBLE * abs(total[m]):
            continue
        if len(blocks) < 9:
            raise NotConverged(f"{subject}: the laws lie too far out on the integers for their tails to be summed")
        ratios = blocks[-4:, m] / blocks[-5:-1, m]
        if m == 0 and ratios.min() > 1 - _FLAT:
            raise Diverges(where)
        if m < controlled and np.ptp(ratios) > 0.03 * (1 - ratios[-1]):
            raise NotConverged(
                f"{subject}: the terms {where} fall so slowly (sums over doubling blocks by the factor "
                f"{ratios[-1]:.6g}) that it cannot be told whether the series converges",
                {"ratio": float(ratios[-1])},
            )
        limit, doubt[m] = _wynn(np.cumsum(blocks[-9:, m]))
        rest[m] = limit - blocks[-9:, m].sum()
    return rest, doubt


def _wynn(partial: _F) -> tuple[float, float]:
    """Limit of a sequence and its error, by Wynn's epsilon algorithm: exact for sums of geometric sequences."""
    previous, current = np.zeros(len(partial) + 1), partial
    best, error = float(partial[-1]), float(abs(partial[-1] - partial[-2]))
    for column in range(1, len(partial)):
        gaps = np.diff(current)
        if np.any(np.abs(gaps) <= 1e-15 * np.abs(current[:-1])):
            break  # what is left is rounding
        previous, current = current, previous[1:-1] + 1 / gaps
        if column % 2 == 0 and len(current) > 1:
            change = float(abs(current[-1] - current[-2]))
            if change < error:
                best, error = float(current[-1]), change
    return best, error
