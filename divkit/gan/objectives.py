"""What a discriminator and a generator minimise, made of the same divergences that the estimators use."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.functional import softplus

from divkit._errors import InvalidInput
from divkit.catalog import DIVERGENCES
from divkit.divergences import IPM, FDivergence, Wasserstein
from divkit.gan.penalties import Penalty, between, zero_centred
from divkit.neural.fit import variational
from divkit.variational import VariationalForm

__all__ = [
    "OBJECTIVES",
    "PENALTY",
    "PENALTY_END",
    "Objective",
    "clip_parameters",
    "f_gan",
    "relativistic",
    "resolve_objective",
    "smoothed",
    "wasserstein_gan",
]

# Values (n,) of the discriminator at points of P, the data, and of Q, the model; to a scalar.
Loss = Callable[[Tensor, Tensor], Tensor]
PENALTY: Final = 0.5
PENALTY_END: Final = 0.04
_CLIP: Final = 0.01  # Arjovsky, Chintala and Bottou (2017), algorithm 1


@dataclass(frozen=True)
class Objective:
    """The game of one GAN.

    Parameters
    ----------
    name : str
    discriminator_loss, generator_loss : callable
        From raw outputs v_p (n,) at data and v_q (n,) at the model's points to what either minimises.
    bound : callable or None
        From v_p and v_q to the lower bound of the divergence that they show; None where there is none.
    penalty : callable or None
        Added to the loss of the discriminator: from discriminator, data, the model's points (n, ...) and a
        `torch.Generator` to a scalar.
    constraint : {"none", "clip", "spectral", "groupsort"}
        What the discriminator has to be made of for the objective to mean what it says.
    critic_steps : int
        Steps of the discriminator for each of the generator, as published.
    paired : bool
        Whether `generator_loss` looks at v_p; if not, it may be given an empty one.
    penalty_end : float
        What the penalty is multiplied by in the end of the training, positive; on the way there it changes by equal
        factors from 1.

    Raises
    ------
    InvalidInput
        For a `penalty_end` that is not positive and finite.
    """

    name: str
    discriminator_loss: Loss
    generator_loss: Loss
    bound: Loss | None = None
    penalty: Penalty | None = None
    constraint: str = "none"
    critic_steps: int = 1
    paired: bool = True
    penalty_end: float = 1.0

    def __post_init__(self) -> None:
        if not (self.penalty_end > 0 and math.isfinite(self.penalty_end)):
            raise InvalidInput(f"penalty_end must be positive and finite, got {self.penalty_end!r}")

    def share_of_penalty(self, time: float) -> float:
        """What the penalty is multiplied by at a time from 0 to 1."""
        return float(self.penalty_end**time)


def f_gan(divergence: FDivergence, *, trick: bool = False, name: str | None = None) -> Objective:
    """The f-GAN of Nowozin, Cseke and Tomioka (2016): a saddle point of E_P[g_f(v)] - E_Q[f*(g_f(v))].

    Parameters
    ----------
    divergence : FDivergence
    trick : bool
        Have the generator maximise E_Q[g_f(v)] instead of E_Q[f*(g_f(v))]: equation (8) there, and the non-saturating
        loss of Goodfellow et al. (2014) for `divkit.DIVERGENCES["gan"]`. Its gradient does not vanish where the
        discriminator is sure, and it is no longer that of the divergence.
    name : str, optional

    Raises
    ------
    InvalidInput
        If it is no `FDivergence`.
    """
    if not isinstance(divergence, FDivergence):
        raise InvalidInput(f"divergence must be an FDivergence, got {divergence!r}; for W_1 use wasserstein_gan()")
    return _of_form(name or f"f-gan-{divergence.name}{'-trick' if trick else ''}", divergence.variational, trick=trick)


def wasserstein_gan(name: str, *, penalty: Penalty | None = None, constraint: str = "none") -> Objective:
    """E_P[v] - E_Q[v] of a discriminator with slopes of about 1: W_1 by Kantorovich and Rubinstein.

    Parameters
    ----------
    name : str
    penalty : callable or None
        What trains slopes towards 1.
    constraint : str
        What keeps them bounded, as in `Objective`.
    """
    form = Wasserstein(1).dual.variational
    return _of_form(name, form, penalty=penalty, constraint=constraint, critic_steps=5)


def _of_form(name: str, form: VariationalForm, *, trick: bool = False, **rest: Any) -> Objective:
    """The saddle point of a variational bound."""
    bound = variational(form)
    shown = form.activation if trick else form.conj_activation

    def follow(_: Tensor, v_q: Tensor) -> Tensor:
        value: Tensor = -shown(v_q).mean()
        return value

    return Objective(name, lambda v_p, v_q: -bound(v_p, v_q), follow, bound, paired=False, **rest)


def smoothed(label: float = 0.9) -> Objective:
    """The non-saturating GAN with one-sided label smoothing (Salimans et al. 2016).

    Parameters
    ----------
    label : float
        Of the data, in (0, 1]; that of the model's points stays 0. At the best discriminator D = label p/(p + q).

    Raises
    ------
    InvalidInput
        For a label outside (0, 1].
    """
    if not 0 < label <= 1:
        raise InvalidInput(f"label must be in (0, 1], got {label!r}")

    def discriminate(v_p: Tensor, v_q: Tensor) -> Tensor:
        return label * softplus(-v_p).mean() + (1 - label) * softplus(v_p).mean() + softplus(v_q).mean()

    return replace(
        OBJECTIVES["non-saturating"],
        name=f"smoothed-{label:g}",
        discriminator_loss=discriminate,
        bound=None,
    )


def relativistic(factor: float = PENALTY, *, end: float = PENALTY_END) -> Objective:
    """R3GAN (Huang et al. 2024): pairs of data and model, each told apart from the other (Jolicoeur-Martineau 2019);
    R1 and R2 keep it stable, and fall during the training.

    Parameters
    ----------
    factor : float
        Of the penalties at the start, `divkit.gan.penalties.zero_centred`: larger is steadier.
    end : float
        Of them at the end, as a share of `factor`: smaller is sharper.

    Raises
    ------
    InvalidInput
        For a factor that is negative or not finite, and an `end` that is not positive and finite.
    """
    return Objective(
        "relativistic" if (factor, end) == (PENALTY, PENALTY_END) else f"relativistic-{factor:g}-{end:g}",
        lambda v_p, v_q: softplus(v_q - v_p).mean(),
        lambda v_p, v_q: softplus(v_p - v_q).mean(),
        penalty=zero_centred(factor),
        penalty_end=end,
    )


def _all() -> dict[str, Objective]:
    gan = DIVERGENCES["gan"]
    assert isinstance(gan, FDivergence)
    found = [
        f_gan(gan, name="minimax"),
        f_gan(gan, trick=True, name="non-saturating"),
        wasserstein_gan("wgan", constraint="clip"),
        wasserstein_gan("wgan-gp", penalty=between(10.0)),
        wasserstein_gan("wgan-lp", penalty=between(10.0, one_sided=True)),
        wasserstein_gan("wgan-spectral", constraint="spectral"),
        wasserstein_gan("wgan-groupsort", constraint="groupsort"),
        relativistic(),
    ]
    for div in DIVERGENCES.values():
        if isinstance(div, FDivergence) and div.name != "gan":
            found += [f_gan(div), f_gan(div, trick=True)]
    return {objective.name: objective for objective in found}


OBJECTIVES: Final[Mapping[str, Objective]] = MappingProxyType(_all())


@torch.no_grad()
def clip_parameters(discriminator: torch.nn.Module, limit: float = _CLIP) -> None:
    """Cut all parameters to [-limit, limit], as WGAN does after each step."""
    for parameter in discriminator.parameters():
        parameter.clamp_(-limit, limit)


def resolve_objective(objective: str | Objective | Any) -> Objective:
    """The objective of that name, or the one that is given.

    Raises
    ------
    InvalidInput
        For what is neither; the message has the names.
    """
    if isinstance(objective, Objective):
        return objective
    if isinstance(objective, FDivergence):
        return f_gan(objective)
    if isinstance(objective, IPM | Wasserstein):
        raise InvalidInput("objective: W_1 takes a constraint; name one of wgan, wgan-gp, wgan-lp, wgan-groupsort")
    if not isinstance(objective, str) or objective not in OBJECTIVES:
        raise InvalidInput(f"objective must be an Objective or one of {', '.join(OBJECTIVES)}; got {objective!r}")
    return OBJECTIVES[objective]
