"""W_1 between the laws that two samples come from, between a lower and an upper bound."""

from __future__ import annotations

import math
import warnings
from statistics import NormalDist
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from divkit._checks import check_integer, check_level, check_points, check_rng, check_same_dimension
from divkit._errors import InvalidInput, UnreliableEstimateWarning
from divkit._stats import pareto_tail
from divkit.methods._held_out import bound_of, fold_shares
from divkit.methods._samples import centred, in_units
from divkit.result import Estimate
from divkit.transport._witnesses import WITNESSES, Witness
from divkit.transport.coupling import optimal_transport

__all__ = ["Bounds", "wasserstein1_bounds"]

_F = NDArray[np.float64]
_I = NDArray[np.intp]
_RACE: Final = 2000  # points of each sample that choose among witnesses, at most
_HEAVY: Final = 0.5  # tail index from which the variance of a distance is infinite


class Bounds(NamedTuple):
    """A quantity between two bounds.

    Parameters
    ----------
    lower, upper : Estimate
        Each with a one-sided interval: the quantity is above ``lower.interval[0]`` and below ``upper.interval[1]``.
    """

    lower: Estimate
    upper: Estimate


def wasserstein1_bounds(
    x: Any,
    y: Any,
    *,
    level: float = 0.95,
    folds: int = 4,
    points: int = 20_000,
    rng: int | np.random.Generator | None = None,
) -> Bounds:
    """W_1 between the laws of two samples, from below and from above.

    `wasserstein1` is exact for the points; as an estimate of the distance between their laws it is too large on
    average, in many dimensions by far. Here the laws are meant.

    Parameters
    ----------
    x, y : array_like, shape (n,) or (n, d) and (m,) or (m, d)
        Independent draws of P and of Q.
    level : float
        W_1(P, Q) is between ``lower.interval[0]`` and ``upper.interval[1]`` with this probability; each side by itself
        errs half as often.
    folds : int
        At least 3: parts of which each is judged by a function fitted to the others.
    points : int
        At most so many points of each sample enter an exact transport problem, the others are left out there.
    rng : int, numpy.random.Generator or None
        For the folds, and for directions.

    Returns
    -------
    Bounds
        ``lower``, of ``bound="lower"``: what 1-Lipschitz functions, fitted without the points that judge them, tell
        apart. ``info["sources"]`` counts the folds in which each kind was chosen; "none" says that nothing was found.
        ``upper``, of ``bound="upper"``: the exact W_1 between the samples. ``info["null"]`` has that between the halves
        of x and of y: from half as many points, it is more than W_1 = 0 would leave of the bound in the mean.

    Raises
    ------
    InvalidInput
        For arguments that do not meet these requirements, for fewer than twice as many points as folds, and for
        distances beyond the range of float64.
    NotConverged
        If the optimality of a transport plan cannot be proved.

    Warns
    -----
    UnreliableEstimateWarning
        For tails so heavy that the mean distance has no standard error.

    Notes
    -----
    **Lower.** W_1(P, Q) is the largest E_P[f] - E_Q[f] over 1-Lipschitz f (Kantorovich and Rubinstein), so each f gives
    a lower bound, and an f that has not seen the points an unbiased estimate of one with a plain standard error. Five
    kinds race on the other folds: the coordinate along the difference of means; the optimal functions of the distance
    from the centre, of all marginals put together (the root of the sum of their squared W_1), and of a projection that
    is looked for (max-sliced); and the potentials of exact transport, extended to all of space (McShane 1934).

    **Upper.** The W_1 between samples is a supremum of averages, and its mean at least the supremum of the means. With
    f the optimal function of the laws, W_1(P, Q) exceeds it by less than the sampling error of f, which is normal, with
    the variance that the optimal potentials of the samples show. Both limits rest on moments of the draws, and know
    nothing of what no draw has shown.

    Examples
    --------
    >>> import numpy as np
    >>> import divkit
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(1.0, 1.0, (1000, 2)), rng.normal(0.0, 1.0, (1000, 2))  # W_1 = sqrt 2
    >>> lower, upper = divkit.wasserstein1_bounds(x, y, rng=0)
    >>> lower.bound, upper.bound, bool(lower.interval[0] < 2**0.5 < upper.interval[1])
    ('lower', 'upper', True)
    """
    level, rng = check_level(level), check_rng(rng)
    folds, points = check_integer("folds", folds, 3), check_integer("points", points, 2)
    x, y = check_points("x", x), check_points("y", y)
    check_same_dimension(x, y)
    for name, sample in (("x", x), ("y", y)):
        if len(sample) < 2 * folds:
            raise InvalidInput(
                f"{name} must have at least {2 * folds} points for {folds} folds, it has {len(sample)}; "
                f"use more points or fewer folds"
            )
    samples, exponent = centred(x, y)
    _warn_of_tails(samples)
    each = (1 + level) / 2
    lower = _lower(samples, folds, points, each, rng)
    upper = _upper(samples, points, each, rng)
    return Bounds(_scaled(lower, exponent, each), _scaled(upper, exponent, each))


class _Side(NamedTuple):
    """A bound in the unit of the centred samples."""

    bound: Literal["lower", "upper"]
    value: float
    stderr: float
    limit: float
    info: dict[str, Any]


def _scaled(side: _Side, exponent: int, level: float) -> Estimate:
    """The bound in the units of the data."""
    value, stderr, limit = (in_units(number, exponent) for number in (side.value, side.stderr, side.limit))
    info = {name: _fact(fact, exponent) for name, fact in side.info.items()}
    return Estimate(
        value,
        divergence="wasserstein1",
        method="wasserstein1_bounds",
        bound=side.bound,
        estimand="population",
        stderr=stderr,
        interval=(limit, math.inf) if side.bound == "lower" else (0.0, limit),
        level=level,
        info=info,
    )


def _fact(fact: Any, exponent: int) -> Any:
    """Distances, which are floats here, in the units of the data; counts as they are."""
    if isinstance(fact, tuple):
        return tuple(_fact(part, exponent) for part in fact)
    return in_units(fact, exponent) if isinstance(fact, float) else fact


def _warn_of_tails(samples: tuple[_F, _F]) -> None:
    for name, sample in zip("xy", samples, strict=True):
        index = pareto_tail(np.linalg.norm(sample - np.median(sample, axis=0), axis=1))
        if index is not None and index >= _HEAVY:
            warnings.warn(
                f"wasserstein1_bounds: the tail of {name} falls like |{name}|^-{1 / index:.2g}, so that distances "
                f"have no variance: the limits do not hold at their level; transform the data, or compare bounded "
                f"features",
                UnreliableEstimateWarning,
                stacklevel=3,
            )


# ---- from below ----


def _lower(samples: tuple[_F, _F], folds: int, points: int, level: float, rng: np.random.Generator) -> _Side:
    """What functions fitted to the other folds tell apart on each."""
    parts = [np.array_split(rng.permutation(len(sample)), folds) for sample in samples]
    values = [np.zeros(len(sample)) for sample in samples]
    sources: dict[str, int] = {}
    for k in range(folds):
        name, witness = _fitted(samples, parts, k, points, rng)
        sources[name] = sources.get(name, 0) + 1
        middle = _middle(witness, [_rows(samples[i], parts[i], [k]) for i in range(2)])
        for i, sample in enumerate(samples):
            held = parts[i][k]
            values[i][held] = witness(sample[held]) - middle
    found = bound_of(values[0], values[1], *fold_shares(*parts), level)
    info = {"n": len(samples[0]), "m": len(samples[1]), "raw": found.value, "sources": sources}
    value = max(found.value, 0.0)
    return _Side("lower", value, found.stderr, max(min(found.limit, value), 0.0), info)


def _rows(sample: _F, parts: list[_I], left_out: list[int]) -> _F:
    return np.asarray(sample[np.concatenate([part for k, part in enumerate(parts) if k not in left_out])])


def _middle(witness: Witness, training: list[_F]) -> float:
    """Halfway between what a witness says of either sample it was fitted to: constants of folds would add variance."""
    few = (sample[:_RACE] for sample in training)
    return sum(float(witness(sample).mean()) for sample in few) / 2


def _fitted(
    samples: tuple[_F, _F], parts: list[list[_I]], fold: int, points: int, rng: np.random.Generator
) -> tuple[str, Witness]:
    """The kind of witness that does best on the next fold, fitted to all folds but its own."""
    judge = (fold + 1) % len(parts[0])
    fresh = [sample[part[judge]][:_RACE] for sample, part in zip(samples, parts, strict=True)]
    seen = [_some(_rows(sample, part, [fold, judge]), _RACE, rng) for sample, part in zip(samples, parts, strict=True)]
    best, promise = "none", 0.0
    for name, fit in WITNESSES.items():
        witness = fit(seen[0], seen[1], rng)
        gap = float(witness(fresh[0]).mean() - witness(fresh[1]).mean())
        if gap > promise:
            best, promise = name, gap
    if best == "none":
        return best, lambda z: np.zeros(len(z))
    train = [_some(_rows(sample, part, [fold]), points, rng) for sample, part in zip(samples, parts, strict=True)]
    return best, WITNESSES[best](train[0], train[1], rng)


def _some(sample: _F, count: int, rng: np.random.Generator) -> _F:
    """At most so many of the points."""
    return sample if len(sample) <= count else sample[rng.choice(len(sample), count, replace=False)]


# ---- from above ----


def _upper(samples: tuple[_F, _F], points: int, level: float, rng: np.random.Generator) -> _Side:
    """The W_1 between the samples, plus the sampling error of the optimal function."""
    x, y = (_some(sample, points, rng) for sample in samples)
    found = optimal_transport(x, y)
    variance = float(found.x_potential.var(ddof=1) / len(x) + found.y_potential.var(ddof=1) / len(y))
    stderr = math.sqrt(variance)
    info = {
        "n": len(x),
        "m": len(y),
        "source": "empirical",
        "gap": float(found.gap),
        "null": tuple(_between_halves(sample, rng) for sample in (x, y)),
    }
    limit = found.upper + max(NormalDist().inv_cdf(level), 0.0) * stderr
    return _Side("upper", found.upper, stderr, limit, info)


def _between_halves(sample: _F, rng: np.random.Generator) -> float:
    first, second = np.array_split(sample[rng.permutation(len(sample))], 2)
    return float(optimal_transport(first, second).cost)
