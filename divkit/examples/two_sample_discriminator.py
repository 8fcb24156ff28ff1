"""What is a trained discriminator worth as a test of whether two laws are equal?

It keeps its level: half of the points train it, labels of the other half are permuted, and where the laws are equal it
tells half of these right. Its power is that of what it has learnt. The energy distance and the maximum mean discrepancy
see the shift of one coordinate better, from all of the points. A correlation of two they lose among few other
coordinates, where the discriminator still finds it. From 200 points in 50 dimensions none of them does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from divkit._checks import check_integer
from divkit.examples._study import PALETTE, Table, canvas, styled
from divkit.two_sample import Statistic
from divkit.two_sample.classifier import Classifier
from divkit.two_sample.kernels import MMD, Energy
from divkit.two_sample.permutation import two_sample_test

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["CHANGES", "TESTS", "Power", "figure", "run"]

_F = NDArray[np.float64]
_DIMENSIONS = (2, 5, 20, 50)
_LEVEL: Final = 0.05
_PERMUTATIONS: Final = 199  # so that .05 is a multiple of 1/200
_SHIFT: Final = 0.5
_CORRELATION: Final = 0.9
_MODELS: Final = ("linear", "kernel")  # of the log ratio; which of them serves is decided on the points that train


def _moved(y: _F) -> _F:
    return np.column_stack([y[:, 0] + _SHIFT, y[:, 1:]])


def _correlated(y: _F) -> _F:
    second = _CORRELATION * y[:, 0] + math.sqrt(1 - _CORRELATION**2) * y[:, 1]
    return np.column_stack([y[:, 0], second, y[:, 2:]])


# What is done to draws y (n, d) of N(0, I), which are then compared with other draws.
CHANGES: Final[dict[str, Callable[[_F], _F]]] = {
    "none": lambda y: y,
    "shift": _moved,
    "correlation": _correlated,
}
TESTS: Final[dict[str, Statistic]] = {
    "accuracy": Classifier(_MODELS, "accuracy"),
    "log loss": Classifier(_MODELS, "log_loss"),
    "energy": Energy(),
    "mmd": MMD(),
}


@dataclass(frozen=True, eq=False)
class Power:
    """How often each test rejects, at a level of .05.

    Attributes
    ----------
    rows : list of dict
        ``change`` from N(0, I), ``d`` and ``test``: "accuracy" and "log loss" are those of a discriminator on held-out
        points. ``rejected`` is the share of so many ``pairs`` of samples that the test rejects, between ``low`` and
        ``high`` with 95 % (Clopper and Pearson); all tests see the same pairs. ``silent`` is the share with p = 1: no
        model of the discriminator did better than none, and every arrangement of the labels is as good as the observed
        one. ``accuracy`` is the mean of the discriminator's, with its ``stderr``.
    """

    rows: Table

    def column(self, change: str, test: str, name: str) -> list[float]:
        """One number of a test, by dimension."""
        return [float(row[name]) for row in self.rows if (row["change"], row["test"]) == (change, test)]

    def level(self, test: str) -> tuple[float, float, float]:
        """The share that a test rejects where nothing differs, over all dimensions, and its 95 % interval."""
        pairs = np.array(self.column("none", test, "pairs"))
        return _share(round(float(pairs @ self.column("none", test, "rejected"))), int(pairs.sum()))


def run(
    dimensions: Sequence[int] = _DIMENSIONS, *, n: int = 200, repeats: int = 40, nulls: int = 80, seed: int = 0
) -> Power:
    """Every change in every dimension, by every test.

    Parameters
    ----------
    dimensions : sequence of int
        At least 2.
    n : int
        Points of either sample, at least 24.
    repeats, nulls : int
        Pairs of samples where something has changed, and where nothing has; in each dimension, at least 2.
    seed : int

    Raises
    ------
    InvalidInput
        For numbers out of range.
    """
    n, repeats, nulls = (check_integer(*each) for each in (("n", n, 24), ("repeats", repeats, 2), ("nulls", nulls, 2)))
    rng = np.random.default_rng(check_integer("seed", seed, 0))
    rows: Table = []
    for change in CHANGES:
        for d in dimensions:
            pairs = nulls if change == "none" else repeats
            rows += _rows(change, check_integer("dimensions", d, 2), n, pairs, rng)
    return Power(rows)


def _rows(change: str, d: int, n: int, pairs: int, rng: np.random.Generator) -> Table:
    """All tests of the same pairs of samples."""
    p_values: dict[str, list[float]] = {name: [] for name in TESTS}
    accuracies = []
    for _ in range(pairs):
        x, y = rng.standard_normal((2, n, d))
        y = CHANGES[change](y)
        for name, statistic in TESTS.items():
            found = two_sample_test(x, y, statistic, permutations=_PERMUTATIONS, rng=rng)
            p_values[name].append(found.p_value)
            if name == "accuracy":
                assert found.effect is not None
                accuracies.append(float(found.effect))
    stderr = float(np.std(accuracies, ddof=1) / math.sqrt(pairs))
    rows: Table = []
    for name, values in p_values.items():
        row: dict[str, Any] = {"change": change, "d": d, "test": name, "pairs": pairs}
        row |= zip(("rejected", "low", "high"), _share(sum(p <= _LEVEL for p in values), pairs), strict=True)
        row["silent"] = sum(p == 1.0 for p in values) / pairs
        if name == "accuracy":
            row |= {"accuracy": float(np.mean(accuracies)), "stderr": stderr}
        rows.append(row)
    return rows


def _share(count: int, total: int) -> tuple[float, float, float]:
    """A share of independent trials and its 95 % interval."""
    from scipy.stats import binomtest

    low, high = binomtest(count, total).proportion_ci(0.95, "exact")
    return count / total, float(low), float(high)


def figure(found: Power) -> Figure:
    """Shares of rejections by dimension, one panel a change.

    Raises
    ------
    MissingDependency
        Without matplotlib.
    """
    picture = canvas(13, 4.4)
    titles = {
        "none": "Equal laws",
        "shift": f"One mean moved by {_SHIFT:g}",
        "correlation": f"Two coordinates correlated by {_CORRELATION:g}",
    }
    labels = {"accuracy": "discriminator, accuracy", "log loss": "discriminator, log loss", "mmd": "MMD"}
    for axes, (change, title) in zip(picture.subplots(1, 3), titles.items(), strict=True):
        styled(axes, title, "dimension", "share of rejections")
        for k, (test, color) in enumerate(zip(TESTS, PALETTE, strict=False)):
            places = np.array(found.column(change, test, "d"))
            shares, low, high = (np.array(found.column(change, test, name)) for name in ("rejected", "low", "high"))
            axes.errorbar(
                places * 1.07 ** (k - 1.5),  # side by side
                shares,
                (shares - low, high - shares),
                fmt="o-",
                color=color,
                linewidth=2,
                elinewidth=1,
                label=labels.get(test, test),
            )
        axes.axhline(_LEVEL, color="0.6", linewidth=1)
        axes.set_xscale("log")
        axes.set_xticks(places, [f"{d:g}" for d in places])
        axes.minorticks_off()
        axes.set_ylim(-0.02, 0.32 if change == "none" else 1.05)
    picture.axes[0].legend(frameon=False, fontsize=11, loc="upper right")
    return picture
