"""W_p between large point sets from both sides by entropic regularisation, without an n x m array."""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import dataclass
from typing import ClassVar, Final, get_args

import numpy as np
from numpy.typing import NDArray

from divkit._checks import check_integer
from divkit._device import check_device
from divkit._errors import InvalidInput, NotConverged
from divkit._threads import one_blas_thread
from divkit._unit import in_unit
from divkit.divergences import Divergence, Wasserstein
from divkit.measures import Measure
from divkit.methods import Method
from divkit.result import Bound, Estimand, Estimate
from divkit.transport._found import OnLimit
from divkit.transport._points import mass_points, point_refusal, weighted_points
from divkit.transport._streamed import Bracket, Streamed

__all__ = ["Sinkhorn"]

_F = NDArray[np.float64]
_FALL: Final = 0.7  # epsilon from one step to the next, until it is small enough
_FIRST_GOAL: Final = 0.05  # epsilon of the first bracket, relative to the mean cost
_SHARE: Final = 0.8  # of the tolerance that epsilon may be, relative to the optimum: it costs about as much
_LEAST: Final = 1e-5  # epsilon, relative to the mean cost: what float32 resolves
_RESOLVED: Final = 1e-4  # a bracket, likewise
_RELAXATION: Final = 1.7  # once epsilon stays: as in successive over-relaxation
_LOOK: Final = 20  # steps between brackets


@dataclass(frozen=True)
class Sinkhorn(Method):
    """Sinkhorn's algorithm in the log domain, annealed, and always a bracket: a plan above, potentials below.

    The scaled plan is rounded to one with the right marginals, whose cost is at least W_p^p; the potentials are made
    feasible by c-transforms, so that their value is at most W_p^p. Costs are made anew, block by block, in every step:
    the memory is that of the points. Steps are in float32, brackets in float64.

    Parameters
    ----------
    tolerance : float
        Width of the bracket of W_p^p at which to stop, relative to its upper end; or 1e-4 of the mean cost between the
        sets, which is what float32 resolves, should that be more.
    max_iterations : int
        Steps, each of two half-steps.
    on_limit : {"raise", "bracket"}
        What to do where these are not enough: raise `NotConverged` with the bracket in its info, or return the bracket.
    device : str, optional
        Of torch, such as "cuda" or "cpu", for steps and brackets; by default NumPy, on the processors.

    Notes
    -----
    Cuturi (2013), "Sinkhorn distances"; rounding by Altschuler, Weed and Rigollet (2017), algorithm 2; over-relaxation
    by Thibault et al. (2021). For an exact value there is `ColumnGeneration`.

    Examples
    --------
    >>> import numpy as np
    >>> import divkit
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(300, 3)), rng.normal(size=(200, 3)) + 1.0
    >>> d = divkit.wasserstein1(x, y, method="sinkhorn")
    >>> low, high = d.interval
    >>> d.bound, bool(low <= divkit.wasserstein1(x, y) <= high), bool(high / low < 1.011)
    ('upper', True, True)
    """

    name: ClassVar[str] = "sinkhorn"
    measures: ClassVar[str] = "two point sets (Samples, or Discrete with points)"
    divergences: ClassVar[str] = "W_p, 1 <= p < inf"
    bound: ClassVar[Bound] = "upper"
    estimand: ClassVar[Estimand] = "given"

    tolerance: float = 0.01
    max_iterations: int = 2000
    on_limit: OnLimit = "raise"
    device: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.tolerance, int | float) or not 0 < self.tolerance < 1:
            raise InvalidInput(f"tolerance must be a number in (0, 1), a relative gap; got {self.tolerance!r}")
        check_integer("max_iterations", self.max_iterations, 1)
        if self.on_limit not in get_args(OnLimit):
            raise InvalidInput(f"on_limit must be 'raise' or 'bracket', got {self.on_limit!r}")
        if self.device is not None and not isinstance(self.device, str):
            raise InvalidInput(f"device must be the name of a device of torch or None, got {self.device!r}")

    def refusal(self, div: Divergence, P: Measure, Q: Measure) -> str | None:
        """Why this method cannot compute div(P || Q), in a clause; None if it can."""
        reason = point_refusal(div, P, Q)
        if reason is None and isinstance(div, Wasserstein) and math.isinf(div.p):
            return "p must be finite"
        return reason

    def estimate(self, div: Divergence, P: Measure, Q: Measure, *, level: float, rng: np.random.Generator) -> Estimate:
        """W_p from above; the interval is a bracket, certain at any `level`. `rng` is not used.

        Raises
        ------
        Unsupported
            If `refusal` is not None.
        NotConverged
            If the bracket is wider than wanted after all steps, unless it is asked for.
        InvalidInput
            For a device that is not there.
        MissingDependency
            For a device without torch.
        """
        self.demand(div, P, Q)
        assert isinstance(div, Wasserstein)
        (x, a), (y, b) = (mass_points(*weighted_points(measure)) for measure in (P, Q))
        points, unit = in_unit(np.concatenate([x, y]))
        far = math.sqrt(float((np.ptp(points, axis=0) ** 2).sum())) or 1.0
        places, unit = points / far, unit * far  # no distance is above 1
        problem = self._problem(places[: len(x)], places[len(x) :], a, b, div.p)
        descent = _Descent(problem, self.tolerance)
        with one_blas_thread() if self.device is None else nullcontext():  # the threads are those of the blocks
            found = descent.run(self.max_iterations)
        high, low = found.upper + problem.rounding(), max(found.lower - problem.rounding(), 0.0)
        low, high = (unit * end ** (1 / div.p) for end in (low, high))
        info = {"gap": high - low, "p": div.p, "epsilon": descent.epsilon, "iterations": descent.steps}
        if not descent.is_narrow and self.on_limit == "raise":
            raise NotConverged(
                f"sinkhorn holds {div.name} between {low:.6g} and {high:.6g} after {descent.steps} steps, wider than "
                f"tolerance = {self.tolerance:g} allows; raise it or max_iterations, take on_limit='bracket', or "
                f"method 'column_generation', which is exact",
                info={**info, "lower": low, "upper": high},
            )
        return Estimate(
            high, divergence=div.name, method=self.name, bound="upper", interval=(low, high), level=1.0, info=info
        )

    def _problem(self, x: _F, y: _F, a: _F, b: _F, p: float) -> Streamed:
        """Point sets in NumPy or on a device of torch."""
        if self.device is None:
            return Streamed(x, y, a, b, p)
        device = check_device(self.device, double=True)
        from divkit.transport._streamed_torch import StreamedTorch

        return StreamedTorch(x, y, a, b, p, device)


class _Descent:
    """Steps with falling epsilon until the bracket is narrow."""

    def __init__(self, problem: Streamed, tolerance: float) -> None:
        self._problem, self._tolerance = problem, tolerance
        self._f, self._g = problem.start()
        self._mean = problem.mean_cost() or 1.0
        self._goal, self._size = _FIRST_GOAL * self._mean, self._mean
        self._best = Bracket(0.0, math.inf, math.inf)
        self.steps = 0

    @property
    def epsilon(self) -> float:
        """The regularisation, relative to the mean cost."""
        return self._size / self._mean

    @property
    def is_narrow(self) -> bool:
        """Whether the bracket is as narrow as wanted."""
        low, high, _ = self._best
        return math.isfinite(high) and high - low <= max(self._tolerance * high, _RESOLVED * self._mean)

    def run(self, most: int) -> Bracket:
        """The best bracket found."""
        while self.steps < most and not self.is_narrow:
            there = self._size <= self._goal
            count = min(_LOOK if there else 1, most - self.steps)
            for _ in range(count):
                self._f, self._g = self._problem.half_steps(self._f, self._g, self._size, _RELAXATION if there else 1.0)
            self.steps += count
            if there or self.steps == most:
                self._look()
            else:
                self._size = max(_FALL * self._size, self._goal)
        return self._best

    def _look(self) -> None:
        """Narrow the bracket, and ask for a smaller epsilon where that has become necessary."""
        first = math.isinf(self._best.upper)
        found = self._problem.bracket(self._f, self._g, self._size)
        self._best = Bracket(max(self._best.lower, found.lower), min(self._best.upper, found.upper), found.repaired)
        if first:
            self._goal = min(_SHARE * self._tolerance * found.upper, self._size)
        elif found.repaired < (found.upper - found.lower) / 2:
            self._goal = _FALL * self._size
        self._goal = max(self._goal, _LEAST * self._mean)
