"""The verbs: each puts a divergence, two measures and a method together and returns an `Estimate`."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from divkit._array import is_array
from divkit._checks import (
    check_level,
    check_line_or_points,
    check_order,
    check_rng,
    check_same_dimension,
    check_seed,
    check_vector,
    undrawn,
)
from divkit._errors import InvalidInput
from divkit.adapters import as_measure
from divkit.catalog import DIVERGENCES, resolve_divergence
from divkit.divergences import DerivedDivergence, Divergence, FDivergence, Wasserstein
from divkit.measures import Discrete, Measure, Samples, checked_samples
from divkit.methods import Method, resolve_method, select_method
from divkit.result import Estimate

__all__ = [
    "estimate",
    "hellinger",
    "jeffreys",
    "jsd",
    "kl",
    "neyman_chi2",
    "pearson_chi2",
    "reverse_kl",
    "squared_hellinger",
    "total_variation",
    "wasserstein",
    "wasserstein1",
]

_F = NDArray[np.float64]


def estimate(
    P: Any,
    Q: Any,
    divergence: str | Divergence,
    method: str | Method = "auto",
    *,
    level: float = 0.95,
    rng: int | np.random.Generator | None = None,
) -> Estimate:
    """D(P || Q) between two measures, by any method.

    Parameters
    ----------
    P, Q : measure
        `Discrete`, `Samples`, a scipy.stats or torch.distributions object, or a `Density` of your own.
        P is the data, Q the model.
    divergence : str or divergence
        A name of `divkit.DIVERGENCES`, or an object: `FDivergence`, `Wasserstein(p)`, ...
    method : str or Method
        A name of `divkit.METHODS`, a method object with its settings, or "auto": the first that applies of exact, line,
        column_generation and emd for atoms, of closed_form, quadrature and monte_carlo for laws, of plugin, knn and
        binned for f-divergences from samples. `estimate(...).method` shows the choice.
    level : float
        Confidence level of the interval of a random estimate.
    rng : int, numpy.random.Generator or None
        Source of randomness; equal seeds give equal results.

    Returns
    -------
    Estimate

    Raises
    ------
    InvalidInput
        For bare arrays and malformed measures.
    Unsupported
        If the method (or, for "auto", every method) cannot compute this; the message says why.
    NotConverged
        If the method has no answer it can vouch for.

    Examples
    --------
    >>> import scipy.stats as st
    >>> import divkit
    >>> d = divkit.estimate(st.norm(0, 1), st.norm(1, 1), "kl")
    >>> float(d), d.method, d.bound
    (0.5, 'closed_form', 'exact')
    """
    div = resolve_divergence(divergence)
    return _run(div, as_measure(P, "P"), as_measure(Q, "Q"), method, check_level(level), rng)


def _run(div: Divergence, P: Measure, Q: Measure, method: str | Method, level: float, rng: Any) -> Estimate:
    if P.dim is not None and Q.dim is not None and P.dim != Q.dim:
        raise InvalidInput(f"the two laws must live in one space, but their dimensions are {P.dim} and {Q.dim}")
    chosen = select_method(div, P, Q) if isinstance(method, str) and method == "auto" else resolve_method(method)
    generator = check_rng(rng) if chosen.draws or rng is not None else undrawn()
    return chosen.estimate(div, P, Q, level=level, rng=generator)


class FDivergenceVerb(Protocol):
    """The signature shared by the verbs for f-divergences."""

    __name__: str
    __qualname__: str

    def __call__(
        self,
        p: Any,
        q: Any,
        *,
        method: str | Method = "auto",
        level: float = 0.95,
        rng: int | np.random.Generator | None = None,
    ) -> Estimate:
        """D(P || Q)."""
        ...


_VERB_DOC = """{summary}

Parameters
----------
p, q : array_like, shape (n,), or measure
    Probability vectors, compared atom by atom (P is the data, Q the model), or any two measures that
    `divkit.estimate` takes: `Discrete`, scipy.stats and torch.distributions objects, a `Density`.
method, level, rng
    As in `divkit.estimate`.

Returns
-------
Estimate
    {unit}; inf where the divergence is infinite.

Raises
------
InvalidInput
    If a vector is negative somewhere or does not sum to 1 (to 1e-8; to 1e-5 for float32), the lengths
    differ, or an array is not one-dimensional.
Unsupported, NotConverged
    As in `divkit.estimate`.

See Also
--------
divkit.exact : the same for batches of plain arrays.

Examples
--------
>>> import divkit
>>> round(divkit.{name}([0.5, 0.5], [0.25, 0.75]), 6)
{value}
"""


def _fdivergence_verb(name: str, summary: str, unit: str, value: float) -> FDivergenceVerb:
    div = DIVERGENCES[name]
    assert isinstance(div, FDivergence | DerivedDivergence)

    def verb(
        p: Any,
        q: Any,
        *,
        method: str | Method = "auto",
        level: float = 0.95,
        rng: int | np.random.Generator | None = None,
    ) -> Estimate:
        level = check_level(level)
        check_seed(rng)
        bare = is_array(p), is_array(q)
        for argument, value, is_bare in (("p", p, bare[0]), ("q", q, bare[1])):
            if is_bare:
                check_vector(argument, value)
        if all(bare) and isinstance(method, str) and method in ("auto", "exact"):
            from divkit import exact
            from divkit.methods.exact import certified

            return certified(div, exact.fdivergence(div, p, q), len(p))
        P = Discrete(p) if bare[0] else as_measure(p, "p")
        Q = Discrete(q) if bare[1] else as_measure(q, "q")
        return _run(div, P, Q, method, level, rng)

    verb.__name__ = verb.__qualname__ = name
    verb.__doc__ = _VERB_DOC.format(summary=summary, unit=unit, name=name, value=value)
    return verb


kl = _fdivergence_verb("kl", "Kullback-Leibler divergence KL(P || Q) = sum p log(p/q).", "In nats", 0.143841)
reverse_kl = _fdivergence_verb(
    "reverse_kl", "Reverse Kullback-Leibler divergence KL(Q || P) = sum q log(q/p).", "In nats", 0.130812
)
jsd = _fdivergence_verb(
    "jsd",
    "Jensen-Shannon divergence [KL(P, M) + KL(Q, M)]/2 with M = (P + Q)/2.",
    "In nats, between 0 and log 2",
    0.033822,
)
pearson_chi2 = _fdivergence_verb("pearson_chi2", "Pearson's chi2 divergence sum (p - q)^2 / q.", "At least 0", 0.333333)
neyman_chi2 = _fdivergence_verb("neyman_chi2", "Neyman's chi2 divergence sum (p - q)^2 / p.", "At least 0", 0.25)
squared_hellinger = _fdivergence_verb(
    "squared_hellinger", "Squared Hellinger distance sum (sqrt p - sqrt q)^2.", "Between 0 and 2", 0.068148
)
hellinger = _fdivergence_verb(
    "hellinger", "Hellinger distance sqrt(sum (sqrt p - sqrt q)^2 / 2), a metric.", "Between 0 and 1", 0.184592
)
total_variation = _fdivergence_verb(
    "total_variation", "Total variation distance sum |p - q| / 2.", "Between 0 and 1", 0.25
)
jeffreys = _fdivergence_verb("jeffreys", "Jeffreys divergence KL(P || Q) + KL(Q || P).", "In nats", 0.274653)


def wasserstein(
    x: Any,
    y: Any,
    x_weights: Any = None,
    y_weights: Any = None,
    p: float = 1.0,
    *,
    method: str | Method = "auto",
    level: float = 0.95,
    rng: int | np.random.Generator | None = None,
) -> Estimate:
    """W_p between two point sets (or two laws): (inf over couplings of E |x - y|^p)^(1/p), Euclidean.

    Parameters
    ----------
    x, y : array_like, shape (n,) or (n, d) and (m,) or (m, d), or measures
        Points; bare arrays are positions, as in SciPy. Measures are those of `divkit.estimate`.
    x_weights, y_weights : array_like, shape (n,) and (m,), optional
        Non-negative masses; only their ratios matter. Equal by default.
    p : float
        Order in [1, inf].
    method, level, rng
        As in `divkit.estimate`; "auto" takes `line` in one dimension, above it `column_generation` for p = 1
        and 2, and `emd` for other orders.

    Returns
    -------
    Estimate
        In the units of x, exact for the given points: `interval` is the certificate.

    Raises
    ------
    InvalidInput
        For empty or non-finite points, weights that do not fit, different dimensions.
    Unsupported, NotConverged
        As in `divkit.estimate`.

    Examples
    --------
    >>> import divkit
    >>> float(divkit.wasserstein([[0, 0], [0, 1]], [[3, 0], [3, 1]], p=2))
    3.0
    """
    level, p = check_level(level), check_order(p)
    check_seed(rng)
    bare = is_array(x), is_array(y)
    if all(bare):
        a, b = check_line_or_points("x", x), check_line_or_points("y", y)
        if a.ndim == b.ndim == 1 and isinstance(method, str) and method in ("auto", "line"):
            from divkit.transport.line import line_estimate

            return line_estimate(a, b, x_weights, y_weights, p)
        P, Q = (
            checked_samples(own, weights) if own.ndim == 2 else Samples(own, weights)
            for own, weights in ((a, x_weights), (b, y_weights))
        )
        check_same_dimension(P.points, Q.points)
        return _run(Wasserstein(p), P, Q, method, level, rng)
    for name, is_bare, weights in (("x", bare[0], x_weights), ("y", bare[1], y_weights)):
        if not is_bare and weights is not None:
            raise InvalidInput(f"{name}_weights goes with an array {name}; the measure {name} has its own weights")
    P_, Q_ = (
        Samples(value, weights) if is_bare else as_measure(value, name)
        for name, value, weights, is_bare in (("x", x, x_weights, bare[0]), ("y", y, y_weights, bare[1]))
    )
    return _run(Wasserstein(p), P_, Q_, method, level, rng)


def wasserstein1(
    x: Any,
    y: Any,
    x_weights: Any = None,
    y_weights: Any = None,
    *,
    method: str | Method = "auto",
    level: float = 0.95,
    rng: int | np.random.Generator | None = None,
) -> Estimate:
    """W_1, the earth mover's distance, between two point sets or two laws.

    `wasserstein` with p = 1; arguments, result and errors are the same.

    Examples
    --------
    >>> import divkit
    >>> float(divkit.wasserstein1([0.0, 1.0, 3.0], [5.0, 6.0, 8.0]))
    5.0
    """
    return wasserstein(x, y, x_weights, y_weights, 1.0, method=method, level=level, rng=rng)
