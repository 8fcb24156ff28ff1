"""The verbs for samples: lower bounds of f-divergences between the laws that the samples come from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, cast

import numpy as np
from numpy.typing import NDArray

from divkit._checks import check_level, check_points, check_rng, check_same_dimension
from divkit._errors import InvalidInput, Unsupported
from divkit._stats import clt_interval
from divkit.catalog import KL, resolve_divergence
from divkit.divergences import DerivedDivergence, Divergence, FDivergence
from divkit.measures import Samples
from divkit.methods._critic_ratio import log_ratios_of
from divkit.methods._derived import derived
from divkit.methods._diagnostics import doubts_about
from divkit.methods._held_moments import HeldOut
from divkit.methods._held_out import by_critic, reach_of, unclipped
from divkit.methods.crossfit import CrossFit
from divkit.methods.log_ratio import LogRatioModel
from divkit.result import Estimate

__all__ = ["donsker_varadhan", "fdiv_lower_bound"]

_F = NDArray[np.float64]
CriticOutput = Literal["log_ratio", "T"]
Critic = str | LogRatioModel | Sequence[str | LogRatioModel] | Callable[[_F], Any]
_FEWEST: Final = 2


def fdiv_lower_bound(
    x: Any,
    y: Any,
    divergence: str | Divergence = "kl",
    *,
    critic: Critic = "auto",
    critic_output: CriticOutput = "log_ratio",
    x_weights: Any = None,
    y_weights: Any = None,
    folds: int = 5,
    level: float = 0.95,
    rng: int | np.random.Generator | None = None,
) -> Estimate:
    """A lower bound of an f-divergence between the laws of two samples, with a lower confidence limit.

    D(P || Q) >= E_P[T] - E_Q[f*(T)] for every critic T (Nguyen, Wainwright and Jordan 2010, equation (3)); with
    T = f'(p/q) it is an equality.

    Parameters
    ----------
    x, y : array_like, shape (n,) or (n, d) and (m,) or (m, d)
        Independent draws of P, the data, and of Q, the model.
    divergence : str or divergence
        An f-divergence by name or as an object.
    critic : str, LogRatioModel, sequence of these, or callable
        "auto", a name of `divkit.methods.log_ratio.MODELS` or a model object: fitted here, every point judged by a fit
        that has not seen it (method "crossfit"). A callable is taken as it is: it maps points (k, d) to k numbers and
        must not have seen x and y, which are held-out data for it.
    critic_output : {"log_ratio", "T"}
        What a callable returns: l = log p/q, from which T = f'(e^l), or T itself.
    x_weights, y_weights : array_like, shape (n,) and (m,), optional
        Importance weights; only their ratios matter.
    folds : int
        At least 3; not used for a callable.
    level : float
        Of the lower limit.
    rng : int, numpy.random.Generator or None
        For the folds and for models that draw.

    Returns
    -------
    Estimate
        ``bound="lower"``; ``interval`` is (lower limit, largest value that the divergence can take).

    Raises
    ------
    InvalidInput
        For arguments that do not meet these requirements, and for a critic with non-finite or out-of-domain output.
    Unsupported
        If the divergence is no f-divergence, or has no conjugate while critic_output is "T", or there are fewer than
        twice as many points as folds.

    Examples
    --------
    >>> import numpy as np
    >>> import divkit
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(1.0, 1.0, 2000), rng.normal(0.0, 1.0, 2000)
    >>> d = divkit.fdiv_lower_bound(x, y, "kl", critic="linear", rng=0)  # truth: 0.5
    >>> bool(d.interval[0] < 0.5), bool(abs(d - 0.5) < 0.1)
    (True, True)
    >>> d = divkit.fdiv_lower_bound(x, y, "kl", critic=lambda z: z[:, 0] - 0.5)
    >>> d.info["critic"]
    'log_ratio'
    """
    level, div = check_level(level), resolve_divergence(divergence)
    P, Q = _samples(x, y, x_weights, y_weights)
    function = _as_function(critic)
    if function is not None:
        if critic_output not in ("log_ratio", "T"):
            raise InvalidInput(f"critic_output must be 'log_ratio' or 'T', got {critic_output!r}")
        return _by_critic(div, P, Q, function, critic_output, level)
    return _fitted(critic, folds).estimate(div, P, Q, level=level, rng=check_rng(rng))


def donsker_varadhan(
    x: Any,
    y: Any,
    *,
    critic: Critic = "auto",
    x_weights: Any = None,
    y_weights: Any = None,
    folds: int = 5,
    level: float = 0.95,
    rng: int | np.random.Generator | None = None,
) -> Estimate:
    """E_P[l] - log E_Q[e^l], the Donsker-Varadhan form of KL(P || Q): an estimate, not a bound.

    In population it is at most KL for every l, and closer than the form of `fdiv_lower_bound`. From samples it is
    biased up, as log of a mean is below the mean of what it estimates on average: no certificate follows, so that
    ``bound`` is "consistent". Its variance is the smaller the less e^l varies.

    Parameters
    ----------
    x, y, critic, x_weights, y_weights, folds, level, rng
        As in `fdiv_lower_bound`; a callable critic returns l, up to any constant.

    Returns
    -------
    Estimate
        Of KL, in nats. The lower end of `interval` is that of ``info["critic_interval"]``, a two-sided normal interval
        by the delta method for what the critic sees of KL; the other end is inf, as no sample shows what it misses.

    Raises
    ------
    InvalidInput, Unsupported
        As in `fdiv_lower_bound`.

    Notes
    -----
    Donsker and Varadhan (1975); for neural critics Belghazi et al. (2018), "MINE".

    Examples
    --------
    >>> import numpy as np
    >>> import divkit
    >>> rng = np.random.default_rng(0)
    >>> d = divkit.donsker_varadhan(rng.normal(1, 1, 2000), rng.normal(0, 1, 2000), critic="linear", rng=0)
    >>> d.bound, bool(abs(d - 0.5) < 0.1)
    ('consistent', True)
    """
    level = check_level(level)
    P, Q = _samples(x, y, x_weights, y_weights)
    function = _as_function(critic)
    if function is not None:
        held = _held_out(P, Q, function)
    else:
        method = _fitted(critic, folds)
        method.demand(KL, P, Q)
        held = method.fit(P, Q, check_rng(rng)).held_out
    highest = float(held.y.max())
    ratios = np.exp(held.y - highest)  # (m,)
    mean = float(held.y_shares @ ratios)
    raw = float(held.x_shares @ held.x) - highest - math.log(mean)
    variance = float(held.x_shares**2 @ (held.x - held.x_shares @ held.x) ** 2)
    variance += float(held.y_shares**2 @ (ratios / mean - 1) ** 2)
    value, stderr = max(raw, 0.0), math.sqrt(variance)
    seen = clt_interval(raw, stderr, level, 0.0)
    doubts = doubts_about("donsker_varadhan", KL, held, P.dim, stacklevel=2)
    return Estimate(
        value,
        divergence="kl",
        method="donsker_varadhan",
        bound="consistent",
        estimand="population",
        stderr=stderr,
        interval=(seen[0], math.inf),
        level=level,
        info={"n": len(held.x), "m": len(held.y), "raw": raw, "critic_interval": seen, "doubts": doubts},
    )


def _as_function(critic: Critic) -> Callable[[_F], Any] | None:
    """The critic if it is a function of points, None if it names what is to be fitted."""
    return critic if callable(critic) and not isinstance(critic, LogRatioModel | type) else None


def _fitted(critic: Critic, folds: int) -> CrossFit:
    return CrossFit(cast("str", critic), folds)  # which checks it


def _samples(x: Any, y: Any, x_weights: Any, y_weights: Any) -> tuple[Samples, Samples]:
    points = check_points("x", x), check_points("y", y)
    check_same_dimension(*points)
    return Samples(points[0], x_weights), Samples(points[1], y_weights)


def _held_out(P: Samples, Q: Samples, critic: Callable[[_F], Any]) -> HeldOut:
    """What a critic says about both samples, checked."""
    values = []
    for name, sample in (("x", P), ("y", Q)):
        found = np.asarray(critic(sample.points.copy()), dtype=np.float64)
        count = len(sample.points)
        if found.shape not in ((count,), (count, 1)):
            raise InvalidInput(f"critic({name}) must have shape ({count},), one number a point, got {found.shape}")
        if not np.isfinite(found).all():
            raise InvalidInput(
                f"critic({name}) must be finite, but {int((~np.isfinite(found)).sum())} of {count} values are not"
            )
        if count < _FEWEST:
            raise InvalidInput(f"{name} has {count} point; a standard error takes at least {_FEWEST}")
        values.append(found.reshape(count))
    weights = (
        np.ones(len(sample.points)) if sample.weights is None else np.asarray(sample.weights) for sample in (P, Q)
    )
    return HeldOut.of(values[0], values[1], *weights)


def _by_critic(
    div: Divergence, P: Samples, Q: Samples, critic: Callable[[_F], Any], output: CriticOutput, level: float
) -> Estimate:
    """The bound that somebody else's critic gives on data it has not seen."""
    if isinstance(div, DerivedDivergence):
        return derived(div, _by_critic(div.base, P, Q, critic, output, level))
    if not isinstance(div, FDivergence):
        raise Unsupported(f"{div.name} is no f-divergence; for W_1 use divkit.wasserstein1")
    held = _held_out(P, Q, critic)
    if output == "log_ratio":
        found = unclipped(div, held, level)
    else:
        values, conjugate = np.concatenate([held.x, held.y]), _conjugate(div, held)
        reach = reach_of(len(held.x), len(held.y))
        x, y = (log_ratios_of(div, side, reach) for side in (held.x, held.y))
        found = by_critic(HeldOut(x, y, held.x_shares, held.y_shares), values, conjugate, level)
    if not math.isfinite(found.value):
        raise InvalidInput(
            f"critic: the terms of {div.name} leave the range of float64 (log ratios up to "
            f"{max(float(np.abs(held.x).max()), float(np.abs(held.y).max())):.3g}); clip its output: any critic gives "
            f"a bound"
        )
    doubts = doubts_about("fdiv_lower_bound", div, held, P.dim, stacklevel=3) if output == "log_ratio" else []
    return Estimate(
        min(max(found.value, div.f_one), div.upper),
        divergence=div.name,
        method="fdiv_lower_bound",
        bound="lower",
        estimand="population",
        stderr=found.stderr,
        interval=(min(max(found.limit, div.f_one), div.upper), div.upper),
        level=level,
        info={"n": len(held.x), "m": len(held.y), "critic": output, "raw": found.value, "doubts": doubts},
    )


def _conjugate(div: FDivergence, held: HeldOut) -> _F:
    """f*(T) at the points of x, then those of y, T being the critic's own output."""
    if div.conj is None:
        raise Unsupported(f"{div.name} has no conjugate in closed form; give the critic as a log ratio")
    for name, values in (("x", held.x), ("y", held.y)):
        low, high = div.conj_domain
        if values.min() < low or values.max() > high:
            raise InvalidInput(
                f"critic({name}) must be in [{low:g}, {high:g}], where the conjugate of {div.name} is finite, but "
                f"reaches from {values.min():.6g} to {values.max():.6g}; if it is a log ratio, pass "
                f"critic_output='log_ratio'"
            )
    return np.asarray(div.conj(np.concatenate([held.x, held.y])), dtype=np.float64)
