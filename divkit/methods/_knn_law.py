"""A sample against a known density: the rows that the one-sample KL estimate averages over."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from divkit._errors import InvalidInput, NotConverged
from divkit.measures import Law, Samples
from divkit.methods._knn_local import Reading
from divkit.methods._knn_search import mapped, neighbours, whitener
from divkit.methods._samples import standardized

__all__ = ["law_reading", "law_rows"]

_F = NDArray[np.float64]


def law_rows(P: Samples, Q: Law) -> _F | str:
    """Rows (z, log density of Q per unit volume of z), (n, d + 1), or why the divergence is certainly infinite.

    z are the points of P in the coordinates distances are taken in.

    Raises
    ------
    InvalidInput
        If the log density is NaN or of another shape, or a coordinate of P is constant.
    NotConverged
        If the density is infinite at a point.
    """
    x = P.points
    log_q = np.asarray(Q.log_density(x), dtype=np.float64)
    if log_q.shape != (len(x),):
        raise InvalidInput(f"log_density of {Q.name} must return shape ({len(x)},), it returned {log_q.shape}")
    if np.isnan(log_q).any():
        raise InvalidInput(f"log_density of {Q.name} is NaN at {int(np.isnan(log_q).sum())} of {len(x)} points of P")
    if (log_q == np.inf).any():
        raise NotConverged(f"the density of {Q.name} is infinite at a point of P; drop that point, or use 'binned'")
    missed = int((log_q == -np.inf).sum())
    if missed:
        return f"{missed} of {len(x)} points of P fell where the density of {Q.name} is 0"
    z = standardized(x, x[:0])[0]  # (n, c)
    flat = int((x.min(axis=0) == x.max(axis=0)).sum())
    if flat:
        raise InvalidInput(
            f"P has {flat} constant of {x.shape[1]} coordinates, so it has no density to compare with that of "
            f"{Q.name}; leave those coordinates out of both"
        )
    log_volume = float((_log_range(z) - _log_range(x)).sum())
    if z.shape[1] > 1:
        matrix = whitener(z, z[:0])
        if matrix.shape[1] < matrix.shape[0]:
            raise InvalidInput(
                f"the {x.shape[1]} coordinates of P are linearly dependent (rank {matrix.shape[1]}), so it has no "
                f"density to compare with that of {Q.name}; leave the dependent ones out of both"
            )
        z = mapped(z, matrix)
        log_volume += float(np.linalg.slogdet(matrix)[1])
    return np.column_stack([z, log_q - log_volume])


def _log_range(points: _F) -> _F:
    """log(max - min) of each column, (d,); halves first, since the difference may overflow."""
    return np.asarray(np.log(points.max(axis=0) / 2 - points.min(axis=0) / 2) + math.log(2.0))


def law_reading(rows: _F, k: int) -> Reading:
    """KL(P || Q) from `law_rows`: minus the entropy of P by Kozachenko and Leonenko, minus the mean of log q.

    Raises
    ------
    InvalidInput
        If more than k points coincide.
    """
    from scipy.special import digamma, gammaln

    z, log_q = np.ascontiguousarray(rows[:, :-1]), rows[:, -1]
    n, d = z.shape
    _, radius, _ = neighbours(z).radii(z, k, skip=1)
    if not radius.min() > 0:
        raise InvalidInput(
            f"{int((radius == 0).sum())} of the {n} points of P coincide with {k} or more others, where no density "
            f"exists, and against one that has a density the divergence would be infinite; drop repeated points "
            f"(np.unique(points, axis=0)) or take k above the number of repeats"
        )
    log_ball = d / 2 * math.log(math.pi) - float(gammaln(d / 2 + 1))  # volume of the unit ball
    log_p = float(digamma(k)) - math.log(n - 1) - log_ball - d * np.log(radius)  # (n,)
    value = float((log_p - log_q).mean())
    return Reading(value)
