"""Does a high likelihood mean good samples, or do good samples mean a high likelihood?

Neither. A narrow Gaussian about every training point draws what look like data and are copies, and it gives other data
next to no probability. A model that is 1 % the law of the data and 99 % noise is at most log 100 = 4.6 nats below that
law at every point, in every dimension, and 99 of 100 of its draws are noise. Both models are those of Theis, van den
Oord and Bethge (2016), "A note on the evaluation of generative models".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from divkit._checks import check_integer
from divkit._mixture import GaussianMixture
from divkit.api import estimate, wasserstein1
from divkit.examples._study import PALETTE, Table, canvas, styled
from divkit.methods.monte_carlo import MonteCarlo
from divkit.two_sample.permutation import two_sample_test

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Judged", "Kernels", "figure", "noisy", "run"]

_F = NDArray[np.float64]
_DIMENSIONS = (3, 10, 30, 100)
_WIDTH: Final = 0.01  # of the kernels; in three dimensions the nearest of 400 points is 25 times as far
_KEPT: Final = 0.01  # of the law of the data in the noisy model
_NOISE: Final = 10.0  # standard deviation
_DRAWN: Final = 4000  # held-out points for the likelihood, and draws from either law for the divergences
_FEWER: Final = 10  # times
_LEVEL: Final = 0.05
_MODELS = {"law": "the law itself", "kernels": "kernels at training points", "noisy": "1 % law, 99 % noise"}


@dataclass(frozen=True, eq=False)
class Kernels:
    """The law with density (1/n) sum_i N(x; points[i], width^2 I): a kernel density estimate.

    Parameters
    ----------
    points : ndarray, shape (n, d)
    width : float
        Standard deviation of each kernel in each direction; positive.
    """

    points: _F
    width: float = _WIDTH

    @property
    def dim(self) -> int:
        """Dimension d of the space."""
        return int(self.points.shape[1])

    def log_density(self, at: _F) -> _F:
        """Log density at points (m, d), shape (m,)."""
        from scipy.spatial.distance import cdist
        from scipy.special import logsumexp

        exponents = cdist(at, self.points, "sqeuclidean") / (-2 * self.width**2)  # (m, n)
        scale = math.log(len(self.points)) + self.dim * math.log(self.width * math.sqrt(2 * math.pi))
        return np.asarray(logsumexp(exponents, axis=1) - scale)

    def sample(self, n: int, rng: np.random.Generator) -> _F:
        """n independent draws, shape (n, d)."""
        which = rng.integers(len(self.points), size=n)
        return np.asarray(self.points[which] + self.width * rng.standard_normal((n, self.dim)))


Model = Kernels | GaussianMixture


@dataclass(frozen=True, eq=False)
class Judged:
    """Three models of N(0, I), by their likelihood and by their samples.

    Attributes
    ----------
    rows : list of dict
        ``d``, ``quantity``, and its value for each model: ``law`` is N(0, I) itself, ``kernels`` and ``noisy`` are the
        two models. The quantities are "gap", the mean log likelihood of held-out points less that under the law, in
        nats, with its "stderr", and "worst", the least difference at one of them; "kl", KL of the law to the model by
        Monte Carlo, between "kl_low" and "kl_high" (95 %), and "jsd" likewise; "wasserstein1", exact, between draws of
        the model and held-out points, and "null" between fresh data and these, means over as many training sets as
        there are tests; "p_value", the median of energy tests of the same, "rejected", the share that reject at .05,
        and "rejected_of_few" with a tenth of the points; "copies", the share of the draws that are nearer to a training
        point than 99 % of held-out points are; "outlying", that of draws farther from 0 than 99 % of the law.
    n : int
        Points of either sample in the tests of many.
    """

    rows: Table
    n: int

    def column(self, model: str, name: str) -> list[float]:
        """One number of one model, by dimension."""
        return [float(row[model]) for row in self.rows if row["quantity"] == name]

    @property
    def dimensions(self) -> list[int]:
        """The dimensions, as asked for."""
        return [int(row["d"]) for row in self.rows if row["quantity"] == "gap"]


def run(dimensions: Sequence[int] = _DIMENSIONS, *, n: int = 400, repeats: int = 40, seed: int = 0) -> Judged:
    """Every model in every dimension.

    Parameters
    ----------
    dimensions : sequence of int
    n : int
        Training points, draws of the model, and held-out points to test them against; at least 20.
    repeats : int
        Training sets whose models are tested.
    seed : int

    Raises
    ------
    InvalidInput
        For numbers out of range.

    Warns
    -----
    UnreliableEstimateWarning
        In one and two dimensions, where the few points far from all kernels decide KL.
    """
    n, repeats = check_integer("n", n, 2 * _FEWER), check_integer("repeats", repeats, 1)
    rng = np.random.default_rng(check_integer("seed", seed, 0))
    rows: Table = []
    for d in (check_integer("dimensions", value, 1) for value in dimensions):
        models = _models(rng.standard_normal((n, d)))
        held_out = rng.standard_normal((_DRAWN, d))
        looks = [_look(n, d, rng) for _ in range(repeats)]
        null = {"null": float(np.mean([look["law"]["wasserstein1"] for look in looks]))}
        found = {
            name: _likelihood(model, models["law"], held_out, rng) | _summary([look[name] for look in looks]) | null
            for name, model in models.items()
        }
        rows += [{"d": d, "quantity": each, **{name: found[name][each] for name in found}} for each in found["law"]]
    return Judged(rows, n)


def noisy(d: int) -> GaussianMixture:
    """0.01 N(0, I) + 0.99 N(0, 100 I) in d dimensions: its density is at least a hundredth of that of N(0, I)."""
    return _centred([_KEPT, 1 - _KEPT], [1.0, _NOISE**2], d)


def _centred(weights: Sequence[float], variances: Sequence[float], d: int) -> GaussianMixture:
    """A mixture of Gaussians about 0."""
    return GaussianMixture(np.array(weights), np.zeros((len(weights), d)), np.array(variances))


def _models(training: _F) -> dict[str, Model]:
    d = training.shape[1]
    return {"law": _centred([1.0], [1.0], d), "kernels": Kernels(training), "noisy": noisy(d)}


def _likelihood(model: Model, law: Model, held_out: _F, rng: np.random.Generator) -> dict[str, float]:
    """What the density of the model says of data that it has not seen."""
    gaps = model.log_density(held_out) - law.log_density(held_out)  # (m,)
    kl, jsd = (estimate(law, model, divergence, MonteCarlo(_DRAWN), rng=rng) for divergence in ("kl", "jsd"))
    assert kl.interval is not None
    return {
        "gap": float(gaps.mean()),
        "stderr": float(gaps.std(ddof=1) / math.sqrt(len(gaps))),
        "worst": float(gaps.min()),
        "kl": float(kl),
        "kl_low": kl.interval[0],
        "kl_high": kl.interval[1],
        "jsd": float(jsd),
    }


def _look(n: int, d: int, rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """What draws of every model look like beside data, for one training set."""
    from scipy.spatial import cKDTree
    from scipy.stats import chi2

    training, held_out = rng.standard_normal((2, n, d))
    tree, few, reach = cKDTree(training), n // _FEWER, chi2.ppf(0.99, d)
    near = np.quantile(tree.query(held_out)[0], 0.01)
    found = {}
    for name, model in _models(training).items():
        made = model.sample(n, rng)
        many, fewer = (
            two_sample_test(held_out[:count], made[:count], permutations=199, rng=rng).p_value for count in (n, few)
        )
        found[name] = {
            "wasserstein1": float(wasserstein1(made, held_out)),
            "p_value": many,
            "p_value_of_few": fewer,
            "copies": float(np.mean(tree.query(made)[0] < near)),
            "outlying": float(np.mean((made**2).sum(axis=1) > reach)),
        }
    return found


def _summary(looks: Sequence[dict[str, float]]) -> dict[str, float]:
    """Means over training sets, the median of p-values and the shares of those that reject."""
    columns = {name: np.array([look[name] for look in looks]) for name in looks[0]}
    many, few = columns.pop("p_value"), columns.pop("p_value_of_few")
    return {
        **{name: float(values.mean()) for name, values in columns.items()},
        "p_value": float(np.median(many)),
        "rejected": float((many <= _LEVEL).mean()),
        "rejected_of_few": float((few <= _LEVEL).mean()),
    }


def figure(found: Judged) -> Figure:
    """Nats below the law, W1 beside its null, and how often the energy test rejects.

    Raises
    ------
    MissingDependency
        Without matplotlib.
    """
    picture = canvas(13, 4.4)
    left, middle, right = picture.subplots(1, 3)
    dimensions = found.dimensions
    for (name, label), color in zip(_MODELS.items(), PALETTE, strict=False):
        line: dict[str, Any] = {"color": color, "marker": "o", "linewidth": 2}
        if name != "law":
            left.plot(dimensions, [-gap for gap in found.column(name, "gap")], label=label, **line)
        ratios = np.array(found.column(name, "wasserstein1")) / found.column(name, "null")
        middle.plot(dimensions, ratios, label=label, **line)
        right.plot(dimensions, found.column(name, "rejected"), **line)
        right.plot(dimensions, found.column(name, "rejected_of_few"), linestyle=":", **line)
    left.axhline(-math.log(_KEPT), color="0.6", linewidth=1)
    left.text(dimensions[0], -1.25 * math.log(_KEPT), "log 100", fontsize=12)
    right.axhline(_LEVEL, color="0.6", linewidth=1)
    right.plot([], [], color="0.3", linewidth=2, label=f"{found.n} points")
    right.plot([], [], ":", color="0.3", linewidth=2, label=f"{found.n // _FEWER} points")
    styled(left, "Likelihood", "dimension", "nats below the law of the data")
    styled(middle, "Samples", "dimension", "$W_1$ to held-out data over its null")
    styled(right, "Energy test at .05", "dimension", "share of rejections")
    for axes in (left, middle):
        axes.set_yscale("log")
    for axes, place in ((middle, "upper right"), (right, (0.02, 0.68))):
        axes.legend(frameon=False, fontsize=11, loc=place)
    for axes in (left, middle, right):
        axes.set_xscale("log")
        axes.set_xticks(dimensions, [f"{d:g}" for d in dimensions])
        axes.minorticks_off()
    return picture
