"""Stacks of critics that are trained at once, and generators."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Final, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from divkit._activation_widths import WIDTHS
from divkit._errors import InvalidInput
from divkit.neural._activations import ACTIVATIONS
from divkit.neural._cones import Cones
from divkit.neural._constraints import AlmostOrthogonal, Clipped, Constraint, Free, Orthogonal, Spectral

__all__ = ["ACTIVATIONS", "CONSTRAINTS", "Cones", "CriticStack", "Residual", "StackedLinear", "critic_stack", "mlp"]

CONSTRAINTS: Final[Mapping[str, Constraint]] = MappingProxyType(
    {
        "none": Free(),
        "groupsort": Orthogonal(),
        "aol": AlmostOrthogonal(),
        "spectral": Spectral(),
        "clip": Clipped(),
    }
)


class StackedLinear(nn.Module):
    """z -> W z + b for s matrices at once.

    Parameters
    ----------
    copies, fan_in, fan_out : int
    constraint : Constraint
    generator : torch.Generator
        For the initial matrices, which have orthonormal rows or columns.
    """

    memory: Tensor

    def __init__(
        self, copies: int, fan_in: int, fan_out: int, constraint: Constraint, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.constraint = constraint
        normals = torch.randn((copies, max(fan_out, fan_in), min(fan_out, fan_in)), generator=generator)
        rotations = torch.linalg.qr(normals).Q  # (s, larger, smaller)
        self.weight = nn.Parameter(rotations if fan_out >= fan_in else rotations.mT.contiguous())
        self.bias = nn.Parameter(torch.randn((copies, fan_out), generator=generator) / math.sqrt(fan_in))
        self.register_buffer("memory", torch.randn((copies, fan_in), generator=generator))

    def matrix(self) -> Tensor:
        """The matrices that act, (s, out, in)."""
        return self.constraint.matrix(self.weight, self.memory, self.training and torch.is_grad_enabled())

    def forward(self, z: Tensor) -> Tensor:
        """(s, b, in) to (s, b, out), or (b, in) to (b, out) by a single matrix."""
        return self.applied(self.matrix().squeeze(0) if z.ndim == 2 else self.matrix(), z)

    def applied(self, matrix: Tensor, z: Tensor) -> Tensor:
        """As `forward`, with the matrices (s, out, in) at hand, or the single one (out, in)."""
        if z.ndim == 2:
            return torch.addmm(self.bias.squeeze(0), z, _transposed(matrix))
        return torch.baddbmm(self.bias.unsqueeze(1), z, matrix.mT)

    @torch.no_grad()
    def project(self) -> None:
        """What the constraint does after a step."""
        self.constraint.project(self.weight)


class Residual(nn.Module):
    """z -> z - 2 W T^-1 relu(W'z + b), T_ii = sum_j |W'W|_ij q_j / q_i: 1-Lipschitz (Araujo et al. 2023, "SLL").

    Parameters
    ----------
    copies, width : int
    generator : torch.Generator
    """

    def __init__(self, copies: int, width: int, generator: torch.Generator) -> None:
        super().__init__()
        normals = torch.randn((copies, width, width), generator=generator)
        self.weight = nn.Parameter(torch.linalg.qr(normals).Q)
        self.bias = nn.Parameter(torch.randn((copies, width), generator=generator) / math.sqrt(width))
        self.log_q = nn.Parameter(torch.zeros((copies, width)))

    def scales(self) -> Tensor:
        """The diagonal of T, (s, width)."""
        gram = (self.weight.mT @ self.weight).abs()
        return torch.einsum("sij,sj->si", gram, self.log_q.exp()) * (-self.log_q).exp()

    def forward(self, z: Tensor) -> Tensor:
        """(s, b, width) to the same shape."""
        inner = torch.relu(torch.baddbmm(self.bias.unsqueeze(1), z, self.weight))
        return torch.baddbmm(z, inner / self.scales().clamp_min(1e-12).unsqueeze(1), self.weight.mT, alpha=-2.0)

    def project(self) -> None:
        """Nothing: the layer is 1-Lipschitz whatever its parameters are."""


Layer = StackedLinear | Residual | Cones


class CriticStack(nn.Module):
    """s real functions of points that are trained side by side, each with parameters of its own.

    Parameters
    ----------
    layers : sequence of modules
        From (s, b, d) to (s, b, 1); each has `project`.
    activation : str
        A name of `ACTIVATIONS`, between linear layers.
    """

    def __init__(self, layers: list[Layer], activation: str) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.activation = activation

    @property
    def parts(self) -> list[Layer]:
        """The layers with their types, which `torch.nn.ModuleList` forgets."""
        return cast("list[Layer]", list(self.layers))

    @property
    def copies(self) -> int:
        """s."""
        return int(next(self.parameters()).shape[0])

    def one(self, k: int) -> CriticStack:
        """The k-th critic by itself, with parameters of its own."""
        found = copy.deepcopy(self)
        for tensor in (*found.parameters(), *found.buffers()):
            tensor.data = tensor.data[k : k + 1].clone()
        return found

    def forward(self, z: Tensor) -> Tensor:
        """Values (s, b) at points (b, d), the same for all, or (s, b, d)."""
        plain = self._is_plain()
        if plain:
            z = z.reshape(z.shape[-2:])
        elif z.ndim == 2:
            z = z.expand(self.copies, *z.shape)
        act = ACTIVATIONS[self.activation]
        last = len(self.layers) - 1
        for i, layer in enumerate(self.parts):
            z = layer(z)
            if i < last and isinstance(layer, StackedLinear):
                z = act(z)
        return z.T if plain else z.squeeze(2)

    def _is_plain(self) -> bool:
        """Whether it is one chain of matrices: products of two matrices are faster than of stacks of one."""
        return self.copies == 1 and all(isinstance(layer, StackedLinear) for layer in self.parts)

    def slopes(self, z: Tensor) -> Tensor:
        """The second of `values_and_slopes`, for less where no values are needed."""
        layers, matrices, z = self._chain(z)
        with torch.no_grad():  # the slopes of relu do not change with what it is applied to
            hidden = _hidden(layers, matrices, z)
        return _pulled_back(matrices, hidden, self.copies)

    def values_and_slopes(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Values (s, b) and gradients (s, b, d) in the points (s, b, d), by the chain rule written out for relu.

        Ordinary functions of the parameters: a penalty on slopes needs one backward pass, and none through a backward.

        Raises
        ------
        InvalidInput
            For another activation, or residual layers.
        """
        layers, matrices, z = self._chain(z)
        hidden = _hidden(layers, matrices, z)
        values = layers[-1].applied(matrices[-1], hidden[-1])
        return values.reshape(self.copies, -1), _pulled_back(matrices, hidden, self.copies)

    def _chain(self, z: Tensor) -> tuple[list[StackedLinear], list[Tensor], Tensor]:
        """Layers, their matrices and the points; without the first axis if there is a single critic."""
        layers = [layer for layer in self.parts if isinstance(layer, StackedLinear)]
        if self.activation != "relu" or len(layers) < len(self.layers):
            raise InvalidInput("slopes are written out for relu between linear layers only")
        matrices = [layer.matrix() for layer in layers]
        if self.copies > 1:
            return layers, matrices, z
        return layers, [matrix.squeeze(0) for matrix in matrices], z.squeeze(0)

    def place(self, x: Tensor, y: Tensor, generator: torch.Generator) -> None:
        """Let layers that are made of points begin at some of these, (s, n, d) and (s, m, d)."""
        for layer in self.parts:
            if isinstance(layer, Cones):
                layer.place(x, y, generator)

    @torch.no_grad()
    def project(self) -> None:
        """What the constraints do after a step."""
        for layer in self.parts:
            layer.project()


_NARROW: Final = 16  # a factor with fewer inputs makes products slow if it lies in memory along the wrong side


def _transposed(matrix: Tensor) -> Tensor:
    """(out, in) to (in, out), in memory too if there are few inputs."""
    return matrix.mT.contiguous() if matrix.shape[1] < _NARROW else matrix.mT


def _hidden(layers: list[StackedLinear], matrices: list[Tensor], z: Tensor) -> list[Tensor]:
    """What each layer but the last passes on."""
    found = []
    for layer, matrix in zip(layers[:-1], matrices[:-1], strict=True):
        z = torch.relu_(layer.applied(matrix, z))
        found.append(z)
    return found


def _pulled_back(matrices: list[Tensor], hidden: list[Tensor], copies: int) -> Tensor:
    """Slopes (s, b, d) by the chain rule, from the last matrix to the first."""
    gradient = matrices[-1].expand(*hidden[-1].shape)
    for matrix, passed in zip(reversed(matrices[1:-1]), reversed(hidden[1:]), strict=True):
        gradient = (gradient * passed.detach().sign()) @ matrix
    gradient = gradient * hidden[0].detach().sign()
    if gradient.ndim == 2:
        return linear(gradient, _transposed(matrices[0])).expand(copies, -1, -1)
    return gradient @ matrices[0]


def critic_stack(
    d: int,
    *,
    width: int = 128,
    depth: int = 6,
    constraint: str = "groupsort",
    activation: str = "maxmin",
    copies: int = 1,
    generator: torch.Generator | None = None,
) -> CriticStack:
    """A stack of multilayer critics of points in d dimensions.

    Parameters
    ----------
    d, width, depth : int
        `depth` hidden layers of `width` units; an even width for activations of pairs.
    constraint : str
        A name of `CONSTRAINTS`, "sll" for residual layers, or "cones" for one layer of `width` peaks and as many pits.
    activation : str
        A name of `ACTIVATIONS`.
    copies : int
    generator : torch.Generator, optional

    Raises
    ------
    InvalidInput
        For sizes below 1, unknown names, and an odd width with pairs.
    """
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    for name, value in (("d", d), ("width", width), ("depth", depth), ("copies", copies)):
        if value < 1:
            raise InvalidInput(f"{name} must be at least 1, got {value}")
    if activation not in ACTIVATIONS:
        raise InvalidInput(f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
    if constraint != "cones" and width % WIDTHS[activation]:
        raise InvalidInput(f"width must be divisible by {WIDTHS[activation]} for {activation}, got {width}")
    if constraint == "cones":
        return CriticStack([Cones(copies, d, width, generator)], activation)
    if constraint == "sll":
        first = StackedLinear(copies, d, width, Orthogonal(), generator)
        residuals = [Residual(copies, width, generator) for _ in range(depth)]
        return CriticStack([first, *residuals, StackedLinear(copies, width, 1, Orthogonal(), generator)], activation)
    if constraint not in CONSTRAINTS:
        raise InvalidInput(f"constraint must be one of {', '.join(CONSTRAINTS)}, sll, cones; got {constraint!r}")
    kind, widths = CONSTRAINTS[constraint], [d, *[width] * depth, 1]
    layers: list[Layer] = [
        StackedLinear(copies, fan_in, fan_out, kind, generator) for fan_in, fan_out in pairwise(widths)
    ]
    stack = CriticStack(layers, activation)
    if constraint == "none" and activation == "relu":
        with torch.no_grad():  # relu passes half of the energy on (He et al. 2015)
            for layer in layers[1:]:
                cast("StackedLinear", layer).weight.mul_(math.sqrt(2.0))
    stack.project()
    return stack


def mlp(d_in: int, d_out: int, *, width: int = 128, depth: int = 3) -> nn.Sequential:
    """A plain multilayer perceptron with relu, (b, d_in) to (b, d_out): a generator, or a critic of f-divergences."""
    widths = [d_in, *[width] * depth]
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.Linear(widths[-1], d_out))
