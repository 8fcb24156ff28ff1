"""What the methods that train networks share: splits, units of the data, and held-out values in float64."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from divkit._checks import check_integer
from divkit._device import check_device
from divkit._errors import InvalidInput
from divkit.measures import Measure, Samples
from divkit.methods._samples import in_blocks
from divkit.variational import VariationalForm

if TYPE_CHECKING:
    import torch

    from divkit.neural.fit import Fit, Penalty, Training
    from divkit.neural.nets import CriticStack

__all__ = [
    "Network",
    "Splits",
    "as_function",
    "check_settings",
    "consecutive",
    "fitted",
    "held_out_values",
    "splits_of",
    "weights_refusal",
]

_F = NDArray[np.float64]
_I = NDArray[np.intp]
_SINGLE: Final = 20_000  # points of the smaller sample from which a fifth is held out once, instead of every fifth
_VALIDATION: Final = 8  # one of so many training points chooses the state


@dataclass(frozen=True, eq=False)
class Splits:
    """For each critic the points that it is fitted to, chosen by and judged by.

    Parameters
    ----------
    train, validation : tuple of ndarray of int, shape (s, a) and (s, b)
        Rows of x and of y; equally many for each critic.
    held : list of (ndarray of int, ndarray of int)
        The rows of x and of y that judge each critic.
    """

    train: tuple[_I, _I]
    validation: tuple[_I, _I]
    held: list[tuple[_I, _I]]

    def only(self, folds: list[int]) -> Splits:
        """Those of some critics."""
        train, validation = ((own[0][folds], own[1][folds]) for own in (self.train, self.validation))
        return Splits(train, validation, [self.held[k] for k in folds])


def check_settings(method: Any, counts: Sequence[str] = ("width", "depth", "steps", "batch")) -> None:
    """Check what all methods that train networks are given, of counts these.

    Raises
    ------
    InvalidInput
        For numbers that are no counts, and a learning rate that is not positive and finite.
    """
    for name in counts:
        object.__setattr__(method, name, check_integer(name, getattr(method, name), 1))
    if method.folds is not None:
        object.__setattr__(method, "folds", check_integer("folds", method.folds, 1))
    rate = method.learning_rate
    if rate is not None and not (rate > 0 and math.isfinite(rate)):
        raise InvalidInput(f"learning_rate must be positive and finite, got {rate!r}")


def splits_of(n: int, m: int, folds: int | None, rng: np.random.Generator) -> Splits:
    """Every fold judged once by the critic fitted to the others; with folds = 1 a fifth of the points, once.

    Raises
    ------
    InvalidInput
        If there are too few points for the folds.
    """
    single = folds == 1 or (folds is None and min(n, m) >= _SINGLE)
    count = 5 if single or folds is None else folds
    least = 2 * _VALIDATION  # a validation point, and one to spare, beside the points of the smallest training part
    for name, size in (("x", n), ("y", m)):
        if size < max(least, 2 * count):
            raise InvalidInput(
                f"{name} must have at least {max(least, 2 * count)} points to be split for a network with {count} "
                f"folds, it has {size}; use more points, or method 'line' or 'column_generation' for these points"
            )
    parts = [np.array_split(rng.permutation(size), count) for size in (n, m)]
    judged = range(1 if single else count)
    train: tuple[list[_I], list[_I]] = ([], [])
    validation: tuple[list[_I], list[_I]] = ([], [])
    for k in judged:
        for side, own in enumerate(parts):
            rest = rng.permutation(np.concatenate([part for j, part in enumerate(own) if j != k]))
            rest = rest[: sum(map(len, own)) - len(own[0])]  # the first fold is the largest: equally many for all
            cut = max(1, len(rest) // _VALIDATION)
            validation[side].append(rest[:cut])
            train[side].append(rest[cut:])
    return Splits(
        (np.stack(train[0]), np.stack(train[1])),
        (np.stack(validation[0]), np.stack(validation[1])),
        [(parts[0][k], parts[1][k]) for k in judged],
    )


def weights_refusal(P: Measure, Q: Measure) -> str | None:
    """Why networks are not fitted to samples with weights, in a clause; None without any."""
    for name, measure in (("P", P), ("Q", Q)):
        if isinstance(measure, Samples) and measure.weights is not None:
            return (
                f"{name} has weights, and batches are drawn with equal ones; resample the points by their weights "
                f"(rng.choice(points, size, p=weights))"
            )
    return None


@dataclass(frozen=True)
class Network:
    """The critics of a method, as `divkit.neural.nets.critic_stack` takes them, and where they are trained."""

    width: int
    depth: int
    constraint: str
    activation: str
    device: str


def fitted(
    samples: tuple[_F, _F],
    splits: Splits,
    form: VariationalForm,
    training: Training,
    network: Network,
    rng: np.random.Generator,
    *,
    penalty: Penalty | None = None,
    progress: bool = False,
) -> Fit:
    """The critics of all folds, trained at once to make a variational form large; then in float64, on the CPU."""
    import torch

    from divkit.neural.fit import maximise, variational
    from divkit.neural.nets import critic_stack

    device = check_device(network.device)
    seeds = [int(seed) for seed in rng.integers(2**62, size=2)]
    critics = critic_stack(
        samples[0].shape[1],
        width=network.width,
        depth=network.depth,
        constraint=network.constraint,
        activation=network.activation,
        copies=len(splits.held),
        generator=torch.Generator().manual_seed(seeds[0]),
    ).to(device)
    train, validation = (_on_device(samples, rows, device) for rows in (splits.train, splits.validation))
    draws = torch.Generator(device).manual_seed(seeds[1])
    critics.place(*train, draws)
    fit = maximise(
        critics,
        variational(form),
        train,
        validation,
        training,
        generator=draws,
        penalty=penalty,
        progress=progress,
    )
    fit.critics.to("cpu").double()  # proofs and held-out values are about one function
    return fit


def _on_device(samples: tuple[_F, _F], rows: tuple[_I, _I], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows (s, a) and (s, b) of both samples as float32 tensors (s, a, d) and (s, b, d)."""
    import torch

    x, y = (
        torch.as_tensor(sample[own], dtype=torch.float32).to(device) for sample, own in zip(samples, rows, strict=True)
    )
    return x, y


def consecutive(folds: list[_F]) -> list[_I]:
    """Where each fold lies among all that follow one another."""
    ends = np.cumsum([len(fold) for fold in folds])
    return np.split(np.arange(ends[-1]), ends[:-1])


def held_out_values(
    critics: Sequence[Callable[[_F], _F]], samples: tuple[_F, _F], splits: Splits, *, centred: bool
) -> tuple[list[_F], list[_F]]:
    """What each critic says at the points that judge it: a list for x and one for y.

    If `centred`, less its mean over the validation points of both: where a constant tells nothing apart, it would only
    add variance between folds.
    """
    found: tuple[list[_F], list[_F]] = ([], [])
    for k, (critic, rows) in enumerate(zip(critics, splits.held, strict=True)):
        seen = [critic(sample[own[k]]).mean() for sample, own in zip(samples, splits.validation, strict=True)]
        middle = sum(seen) / 2 if centred else 0.0
        for values, sample, own in zip(found, samples, rows, strict=True):
            values.append(in_blocks(critic, sample[own]) - middle)
    return found


def as_function(critic: CriticStack) -> Callable[[_F], _F]:
    """A single critic in float64 as a function of points (b, d)."""
    import torch

    def values(points: _F) -> _F:
        with torch.no_grad():
            return np.asarray(critic(torch.from_numpy(np.ascontiguousarray(points)))[0].numpy())

    return values
