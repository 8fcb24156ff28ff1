"""The two terms of a variational bound, for critics and GAN objectives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

__all__ = ["Elementwise", "VariationalForm"]

Elementwise = Callable[[Any], Any]


@dataclass(frozen=True)
class VariationalForm:
    """The two terms of a variational bound: D >= E_P[activation(v)] - E_Q[conj_activation(v)].

    Both functions act elementwise on NumPy arrays and on torch tensors (they are differentiable there), and
    `conj_activation` is one overflow-safe expression, never a conjugate applied to an activation.

    Parameters
    ----------
    activation : callable
        Maps the raw critic output v into the domain of the conjugate.
    conj_activation : callable
        f*(activation(v)).
    constraint : {"none", "lipschitz"}
        What v must satisfy for the bound to hold.
    """

    activation: Elementwise
    conj_activation: Elementwise
    constraint: Literal["none", "lipschitz"] = "none"

    def scaled(self, c: float) -> VariationalForm:
        """The form of c times the divergence."""
        activation, conj_activation = self.activation, self.conj_activation
        return replace(self, activation=lambda v: c * activation(v), conj_activation=lambda v: c * conj_activation(v))
