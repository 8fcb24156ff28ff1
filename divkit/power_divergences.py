"""The power divergences of Cressie and Read, every order as one constructor."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from divkit._array import namespace
from divkit._errors import InvalidInput
from divkit._generators import exp_excess, quiet
from divkit.catalog import KL, REVERSE_KL
from divkit.divergences import FDivergence
from divkit.variational import VariationalForm

__all__ = ["alpha_divergence", "cressie_read"]

_INF = math.inf


def alpha_divergence(a: float) -> FDivergence:
    """The power divergence with f(u) = (u^a - 1 - a (u - 1)) / (a (a - 1)).

    Parameters
    ----------
    a : float
        Any finite order. 1 is KL, 0 reverse KL (their limits), 2 half of Pearson's chi2, -1 half of
        Neyman's, 1/2 twice the squared Hellinger distance of this package.

    Returns
    -------
    FDivergence
        Named ``alpha(a)``.

    Raises
    ------
    InvalidInput
        If a is not finite.

    Notes
    -----
    Cressie and Read (1984), equation (2.1), with lambda = a - 1: their 2 n I^lambda is 2 n times this.

    Examples
    --------
    >>> import divkit
    >>> d = divkit.estimate(
    ...     divkit.Discrete([0.5, 0.5]), divkit.Discrete([0.25, 0.75]), divkit.alpha_divergence(2.0)
    ... )
    >>> round(d, 12)
    0.166666666667
    """
    if not math.isfinite(a):
        raise InvalidInput(f"a must be finite, got {a!r}")
    if a in (0.0, 1.0):
        base = KL if a == 1.0 else REVERSE_KL
        return replace(base, name=f"alpha({a:g})", reverse_name=None)
    c = 1.0 / (a * (a - 1.0))
    form = VariationalForm(lambda l: namespace(l).expm1((a - 1) * l) / (a - 1), lambda l: namespace(l).expm1(a * l) / a)

    def conj(t: Any) -> Any:
        base = 1 + (a - 1) * np.asarray(t, dtype=np.float64)
        value = (np.maximum(base, 0.0) ** (a / (a - 1)) - 1) / a
        return value if a > 1 else np.where(base < 0, _INF, value)

    return FDivergence(
        name=f"alpha({a:g})",
        f=lambda u: c * (u**a - 1 - a * (u - 1)),
        df=lambda u: (u ** (a - 1) - 1) / (a - 1),
        f_zero=1 / a if a > 0 else _INF,
        slope_inf=_INF if a > 1 else 1 / (1 - a),
        conj=quiet(conj),
        conj_domain=(-_INF, _INF if a > 1 else 1 / (1 - a)),
        integrand_q=quiet(lambda l: c * (exp_excess(a * l) - a * exp_excess(l))),
        integrand_p=quiet(lambda l: c * (exp_excess((a - 1) * l) + (a - 1) * exp_excess(-l))),
        variational=form,
        log_ratio=form,
        power=(a, c),
    )


def cressie_read(lam: float) -> FDivergence:
    """The power divergence in Cressie and Read's parameter: `alpha_divergence(lam + 1)`."""
    return alpha_divergence(lam + 1.0)
