"""W_1 between the laws that two samples come from, between a lower and an upper bound."""

from __future__ import annotations

import math
import warnings
from statistics import NormalDist
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from divkit._checks import check_integer, check_level, check_points, check_rng, check_same_dimension
from divkit._errors import InvalidInput, UnreliableEstimateWarning, require
from divkit._stats import pareto_tail
from divkit._w1_from_below import ONCE, judged_by_held_out, some
from divkit.methods._held_out import Bounded
from divkit.methods._samples import centred, in_units
from divkit.methods.kr import KRCritic
from divkit.result import Estimate
from divkit.transport.coupling import optimal_transport

__all__ = ["Bounds", "wasserstein1_bounds"]

_F = NDArray[np.float64]
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
    critic: KRCritic | None = None,
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
        At least 3: parts of which each judges a function fitted to the others; or 1: a fifth of the points judges one.
    points : int
        At most so many points of each sample enter an exact transport problem, the others are left out there.
    critic : KRCritic, optional
        A network that is fitted for each fold, and taken where it does better on a part of the other points. It sees
        what no simple function sees, and takes minutes; with it, `folds` = 1 suits many points. Its own folds do not
        matter, and a constraint that proves nothing ("gp", "lp") is of no use here.
    rng : int, numpy.random.Generator or None
        For the folds, and for directions.

    Returns
    -------
    Bounds
        ``lower``, of ``bound="lower"``: what 1-Lipschitz functions, fitted without the points that judge them, tell
        apart. ``info["sources"]`` counts the folds in which each kind was chosen; "none" says that nothing was found.
        With a critic, ``info["critics"]`` says of what the network of each fold is made.
        ``upper``, of ``bound="upper"``: the exact W_1 between the samples. ``info["null"]`` has that between the halves
        of x and of y: from half as many points, it is more than W_1 = 0 would leave of the bound in the mean.

    Raises
    ------
    InvalidInput
        For arguments that do not meet these requirements, for fewer than twice as many points as folds (10
        with `folds` = 1), and for distances beyond the range of float64.
    MissingDependency
        For a critic without torch.
    NotConverged
        If the optimality of a transport plan cannot be proved, or the objective of a critic is not finite.

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
    is looked for (max-sliced); and the potentials of exact transport, extended to all of space (McShane 1934). Where
    laws are equal, functions owe their signs to one another's folds: a limit above 0 takes a value that is sqrt(2) of
    its reach above 0.

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
    folds, points = check_integer("folds", folds, 1), check_integer("points", points, 2)
    if folds == 2:
        raise InvalidInput("folds must be 1, or at least 3: one part judges, one chooses, and one is fitted to; got 2")
    least = 2 * (folds if folds > 1 else ONCE)
    x, y = check_points("x", x), check_points("y", y)
    check_same_dimension(x, y)
    for name, sample in (("x", x), ("y", y)):
        if len(sample) < least:
            raise InvalidInput(
                f"{name} must have at least {least} points for folds = {folds}, it has {len(sample)}; "
                f"use more points{' or fewer folds' if folds > 3 else ''}"
            )
    if not (critic is None or isinstance(critic, KRCritic)):
        raise InvalidInput(f"critic must be a divkit.KRCritic or None, got {type(critic).__name__}")
    if critic is not None:
        require("torch", "neural")
    samples, exponent = centred(x, y)
    _warn_of_tails(samples)
    each = (1 + level) / 2
    found, facts = judged_by_held_out(samples, folds, points, each, critic, rng)
    lower = _from_below(found, {"n": len(x), "m": len(y), "raw": found.value, **facts})
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


def _from_below(found: Bounded, info: dict[str, Any]) -> _Side:
    """W_1 is not negative, whatever a bound says."""
    value = max(found.value, 0.0)
    return _Side("lower", value, found.stderr, max(min(found.limit, value), 0.0), info)


def _upper(samples: tuple[_F, _F], points: int, level: float, rng: np.random.Generator) -> _Side:
    """The W_1 between the samples, plus the sampling error of the optimal function."""
    x, y = (some(sample, points, rng) for sample in samples)
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
