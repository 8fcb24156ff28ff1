"""Divergences as data: what an f-divergence is, and how to write one's own.

Conventions: P is the data, Q the model, u = p/q, l = log u, natural logarithms, and always D(P || Q).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from divkit._array import namespace
from divkit._errors import InvalidInput
from divkit.variational import Elementwise, VariationalForm

__all__ = ["IPM", "DerivedDivergence", "Divergence", "FDivergence", "VariationalForm", "Wasserstein"]

_F = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class FDivergence:
    """D(P || Q) = E_Q[f(u); q > 0] + slope_inf * P(q = 0), with u = p/q and f convex on [0, inf).

    Use `from_generator` for your own: it needs f, its derivative and its two limits, and derives the rest.

    Parameters
    ----------
    name : str
        Lower-case identifier, shown in results.
    f, df : callable
        The generator and a derivative (any subgradient where there is a kink), elementwise on u > 0.
    f_zero, slope_inf : float
        f(0+) and lim f(u)/u for u to infinity; may be inf.
    conj : callable or None
        f*(t) = sup over u >= 0 of u t - f(u), elementwise; inf beyond `conj_domain`. None if there is no
        closed form: no estimator needs more than `log_ratio` and `variational`.
    conj_domain : (float, float)
        The closure of the set where f* is finite.
    integrand_q, integrand_p : callable
        The *centred* generator g(u) = f(u) - f(1) - f'(1)(u - 1) >= 0 in the log ratio, as an integrand under
        Q, g(e^l), and under P, g(e^l)/e^l. Accurate near l = 0, and without overflow of their own: integrand_q is
        finite for l <= 0 and integrand_p for l >= 0 wherever the value is below 1e308.
        D = f(1) + E_Q[integrand_q(l)] for equivalent laws, as the centring has expectation 0.
    variational : VariationalForm
        For a raw critic, as f-GAN uses it.
    log_ratio : VariationalForm
        The optimal critic and its conjugate as functions of a log ratio: T(l) = f'(e^l) and f*(T(l)).
    reverse_name : str or None
        Name of the divergence with P and Q exchanged, where it has one.
    power : (float, float) or None
        (a, c) if D = c (integral of p^a q^(1-a) - 1), which many parametric families have in closed form.

    See Also
    --------
    divkit.DIVERGENCES : the ready-made ones by name.
    """

    name: str
    f: Elementwise
    df: Elementwise
    f_zero: float
    slope_inf: float
    conj: Elementwise | None
    conj_domain: tuple[float, float]
    integrand_q: Elementwise
    integrand_p: Elementwise
    variational: VariationalForm
    log_ratio: VariationalForm
    reverse_name: str | None = None
    power: tuple[float, float] | None = None

    def __repr__(self) -> str:
        return f"FDivergence({self.name!r})"

    @classmethod
    def from_generator(
        cls,
        name: str,
        *,
        f: Elementwise,
        df: Elementwise,
        f_zero: float,
        slope_inf: float,
        conj: Elementwise | None = None,
        conj_domain: tuple[float, float] = (-math.inf, math.inf),
        variational: VariationalForm | None = None,
    ) -> FDivergence:
        """An f-divergence from its generator alone.

        Parameters
        ----------
        name : str
            Identifier shown in results.
        f, df : callable
            Generator and derivative, elementwise on u > 0 for NumPy arrays (torch tensors too, if critics
            are to be trained with it).
        f_zero, slope_inf : float
            f(0+) and the slope at infinity; they decide what disjoint supports cost.
        conj, conj_domain, variational
            As in the class, where a closed form is known. By default the critic is the log ratio itself,
            through f*(f'(u)) = u f'(u) - f(u).

        Returns
        -------
        FDivergence
            Run `.check()` on it once.

        Examples
        --------
        >>> import divkit
        >>> le_cam = divkit.FDivergence.from_generator(
        ...     "le_cam",
        ...     f=lambda u: (u - 1) ** 2 / (u + 1),
        ...     df=lambda u: (u - 1) * (u + 3) / (u + 1) ** 2,
        ...     f_zero=1.0,
        ...     slope_inf=1.0,
        ... )
        >>> le_cam.check()
        []
        """
        f_one, df_one = float(f(np.float64(1.0))), float(df(np.float64(1.0)))

        def centred(u: _F) -> Any:
            return np.maximum(f(u) - f_one - df_one * (u - 1), 0.0)  # convex: below 0 by rounding alone

        def integrand_p(l: _F) -> Any:
            u = np.exp(l)
            with np.errstate(over="ignore", invalid="ignore"):
                return np.where(l > 0, f(u) / u - f_one / u - df_one * -np.expm1(-l), centred(u) / u)

        def optimal(l: Any) -> Any:
            return df(namespace(l).exp(l))

        def conj_optimal(l: Any) -> Any:
            u = namespace(l).exp(l)
            return u * df(u) - f(u)

        log_ratio = VariationalForm(optimal, conj_optimal)
        return cls(
            name=name,
            f=f,
            df=df,
            f_zero=float(f_zero),
            slope_inf=float(slope_inf),
            conj=conj,
            conj_domain=conj_domain,
            integrand_q=lambda l: centred(np.exp(l)),
            integrand_p=integrand_p,
            variational=variational or log_ratio,
            log_ratio=log_ratio,
        )

    @property
    def f_one(self) -> float:
        """f(1), the value for equal laws: 0 for a divergence proper, -log 4 for `gan`."""
        return float(self.f(np.float64(1.0)))

    @property
    def upper(self) -> float:
        """The supremum, attained by mutually singular laws: f(0+) + slope at infinity."""
        return self.f_zero + self.slope_inf

    @property
    def centred_limits(self) -> tuple[float, float]:
        """(g(0+), slope of g at infinity) of the centred generator g that the integrands use."""
        df_one = float(self.df(np.float64(1.0)))
        return self.f_zero - self.f_one + df_one, self.slope_inf - df_one

    def reverse(self) -> FDivergence:
        """The divergence with its arguments exchanged: D(Q || P) as a divergence of (P, Q)."""
        if self.reverse_name is not None:
            from divkit.catalog import DIVERGENCES

            known = DIVERGENCES[self.reverse_name]
            assert isinstance(known, FDivergence)
            return known
        f, df, swap_q, swap_p = self.f, self.df, self.integrand_q, self.integrand_p
        reversed_ = FDivergence.from_generator(
            f"reverse_{self.name}",
            f=lambda u: u * f(1 / u),
            df=lambda u: f(1 / u) - df(1 / u) / u,
            f_zero=self.slope_inf,
            slope_inf=self.f_zero,
        )
        power = None if self.power is None else (1 - self.power[0], self.power[1])
        return replace(reversed_, integrand_q=lambda l: swap_p(-l), integrand_p=lambda l: swap_q(-l), power=power)

    def scaled(self, c: float, name: str) -> FDivergence:
        """c times this divergence, under a name of its own.

        Raises
        ------
        InvalidInput
            If c is not a positive finite number.
        """
        if not (0 < c < math.inf):
            raise InvalidInput(f"c must be a positive finite number, got {c!r}; a negative one is no divergence")
        f, df, conj = self.f, self.df, self.conj
        integrand_q, integrand_p = self.integrand_q, self.integrand_p
        return FDivergence(
            name=name,
            f=lambda u: c * f(u),
            df=lambda u: c * df(u),
            f_zero=c * self.f_zero,
            slope_inf=c * self.slope_inf,
            conj=None if conj is None else lambda t: c * conj(t / c),
            conj_domain=(c * self.conj_domain[0], c * self.conj_domain[1]),
            integrand_q=lambda l: c * integrand_q(l),
            integrand_p=lambda l: c * integrand_p(l),
            variational=self.variational.scaled(c),
            log_ratio=self.log_ratio.scaled(c),
            power=None if self.power is None else (self.power[0], c * self.power[1]),
        )

    def check(self) -> list[str]:
        """What is wrong with this divergence, in sentences; an empty list if nothing was found.

        Looks at convexity, f(1) = 0, the derivative, the two limits, the integrands, the conjugate
        (Fenchel-Young with equality at the derivative) and the variational terms, on grids of u in
        [1e-6, 1e6].
        """
        from divkit._divergence_check import problems

        return problems(self)


@dataclass(frozen=True)
class DerivedDivergence:
    """An increasing function of an f-divergence, such as the Hellinger metric.

    Parameters
    ----------
    name : str
    base : FDivergence
        The divergence that methods compute.
    transform, derivative : callable
        Float to float: the increasing function and its derivative (for the standard error).
    """

    name: str
    base: FDivergence
    transform: Callable[[float], float]
    derivative: Callable[[float], float]

    @property
    def upper(self) -> float:
        """The supremum."""
        return self.transform(self.base.upper)


@dataclass(frozen=True)
class IPM:
    """An integral probability metric: sup over a class of critics v of E_P v - E_Q v."""

    name: str
    variational: VariationalForm


@dataclass(frozen=True)
class Wasserstein:
    """W_p with Euclidean ground cost: (inf over couplings of E |x - y|^p)^(1/p), in the units of x.

    Parameters
    ----------
    p : float
        Order, >= 1; inf is the essential supremum of the displacement.
    """

    p: float = 1.0

    def __post_init__(self) -> None:
        if not self.p >= 1:
            raise InvalidInput(f"p must be >= 1 (np.inf included), got {self.p!r}")

    @property
    def name(self) -> str:
        """`wasserstein1` for p = 1, and so on; `wasserstein_inf`."""
        return "wasserstein_inf" if self.p == math.inf else f"wasserstein{self.p:g}"

    @property
    def dual(self) -> IPM:
        """The Kantorovich-Rubinstein form, for p = 1 only.

        Raises
        ------
        InvalidInput
            If p is not 1.
        """
        if self.p != 1:
            raise InvalidInput(f"only W_1 has a Kantorovich-Rubinstein form, p is {self.p:g}")
        return IPM(self.name, VariationalForm(lambda v: v, lambda v: v, "lipschitz"))


Divergence = FDivergence | DerivedDivergence | Wasserstein | IPM
