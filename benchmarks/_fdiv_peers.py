"""Other estimators of f-divergences from samples: packages where they are installed, and formulas from their papers.

All of them see P's draws x (n, d) and Q's draws y (m, d) and return nats. A peer's reverse KL is its KL with the
samples exchanged.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.special import digamma, gamma, gammaln

Array = NDArray[np.float64]

_K = 3  # the number of neighbours that ITE and NPEET take by default
_ALL = 10**9
_WIDE = 8  # dimension from which a k-d tree looks at nearly every point


@dataclass
class Pair:
    """Two samples, with the neighbour searches that formulas share."""

    x: Array
    y: Array
    kept: dict[Any, Any] = field(default_factory=dict)

    @property
    def exchanged(self) -> Pair:
        """(y, x), with one memory for all that ask."""
        return self.once("exchanged", lambda: Pair(self.y, self.x))  # type: ignore[no-any-return]

    @property
    def d(self) -> int:
        """Dimension of the points."""
        return int(self.x.shape[1])

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """The thing made at the first time of asking."""
        if key not in self.kept:
            self.kept[key] = make()
        return self.kept[key]

    def radii(self, k: int, l: int, norm: float = 2.0) -> tuple[Array, Array]:
        """Distances (n,) from each x to its k-th neighbour among the other x and to its l-th among y."""

        def search() -> tuple[Array, Array]:
            own = nearest(self.x, self.x, k + 1, norm)[:, -1]  # the first is x itself
            return own, nearest(self.y, self.x, l, norm)[:, -1]

        found: tuple[Array, Array] = self.once((k, l, norm), search)
        return found


def nearest(points: Array, queries: Array, count: int, norm: float = 2.0) -> Array:
    """Distances (n, count) from queries (n, d) to their nearest points, ascending."""
    if norm != 2.0 or points.shape[1] < _WIDE:
        found_by_tree: Array = np.asarray(cKDTree(points).query(queries, count, p=norm)[0], dtype=np.float64)
        return found_by_tree.reshape(len(queries), count)
    squares, found = np.einsum("md,md->m", points, points), []
    for block in np.array_split(queries, max(1, len(queries) * len(points) // 2**22)):
        # Where a tree would look at nearly all points anyway; rounding, 1e-15 of |x|^2, is far below the distances.
        gaps = np.einsum("nd,nd->n", block, block)[:, None] + squares - 2 * block @ points.T
        found.append(np.sort(np.partition(gaps, count - 1, axis=1)[:, :count], axis=1))
    return np.asarray(np.sqrt(np.maximum(np.concatenate(found), 0.0)))


Formula = Callable[[Pair], float]


@dataclass(frozen=True)
class Peer:
    """An estimator: what it offers, where it comes from, and how many draws of one size are worth the wait."""

    name: str
    about: str
    offers: dict[str, Formula]
    package: str | None = None
    module: str | None = None
    most_draws: Callable[[int, int, int], int] = lambda n, m, d: _ALL  # of (n, m, d); 0 means never

    @property
    def version(self) -> str | None:
        """Of the package; None where it is not installed."""
        if self.package is None or self.module is None:
            return "formula"
        if importlib.util.find_spec(self.module) is None:
            return None
        return importlib.metadata.version(self.package)


def _both_ways(kl: Formula) -> dict[str, Formula]:
    return {"kl": kl, "reverse_kl": lambda pair: kl(pair.exchanged)}


def knn_kl(pair: Pair, norm: float = 2.0) -> float:
    """Wang, Kulkarni and Verdu (2009), equation 5, with k = 3 in both samples."""
    own, other = pair.radii(_K, _K, norm)
    n, m = len(pair.x), len(pair.y)
    return float(pair.d * np.mean(np.log(other) - np.log(own)) + math.log(m / (n - 1)))


def knn_kl_growing(pair: Pair) -> float:
    """The same with k = sqrt n of x and l = sqrt m of y (ITE's KnnKiTi)."""
    n, m = len(pair.x), len(pair.y)
    k, l = math.isqrt(n), math.isqrt(m)
    own, other = pair.radii(k, l)
    return float(pair.d * np.mean(np.log(other) - np.log(own)) + math.log(k * m / (l * (n - 1))))


def knn_kl_adaptive(pair: Pair) -> float:
    """Wang, Kulkarni and Verdu (2009), equation 29: all neighbours within the larger of two nearest distances."""
    x, y, n, m = pair.x, pair.y, len(pair.x), len(pair.y)
    trees = pair.once("trees", lambda: (cKDTree(x), cKDTree(y)))
    reach = np.maximum(trees[0].query(x, 2)[0][:, 1], trees[1].query(x, 1)[0]) + 0.5**40  # as the package rounds up
    counts, furthest = [], []
    for tree, points in zip(trees, (x, y), strict=True):
        near = tree.query_ball_point(x, reach)
        size = np.array([len(found) for found in near])
        rows = np.repeat(np.arange(n), size)
        gaps = np.linalg.norm(x[rows] - points[np.concatenate(near).astype(int)], axis=1)
        furthest.append(np.maximum.reduceat(gaps, np.cumsum(size) - size))
        counts.append(size)
    terms = pair.d * np.log(furthest[1] / furthest[0]) + digamma(counts[0] - 1) - digamma(counts[1])
    return float(np.mean(terms) + math.log(m / (n - 1)))


def knn_power(pair: Pair, a: float) -> float:
    """Integral of p^(1+a) q^(-a) by Poczos, Xiong, Sutherland and Schneider (2012), k = 3."""
    own, other = pair.radii(_K, _K)
    n, m = len(pair.x), len(pair.y)
    unbiased = gamma(_K) ** 2 / (gamma(_K - a) * gamma(_K + a))
    ratios = np.exp(a * pair.d * (np.log(other) - np.log(own)))  # (n,)
    return float((m / (n - 1)) ** a * unbiased * ratios.mean())


def knn_entropy(points: Array) -> float:
    """Differential entropy by Kozachenko and Leonenko, k = 3."""
    n, d = points.shape
    radii = nearest(points, points, _K + 1)[:, _K]  # the first is the point itself
    log_ball = d / 2 * math.log(math.pi) - gammaln(d / 2 + 1)
    return float(math.log(n - 1) - digamma(_K) + log_ball + d * np.mean(np.log(radii)))


def knn_jsd(pair: Pair) -> float:
    """Entropy of the mixture (as many points of either side) less the mean of the two entropies (ITE's MDJS_HS)."""
    size = min(len(pair.x), len(pair.y))
    mixture = np.concatenate([pair.x[:size], pair.y[:size]])
    return knn_entropy(mixture) - (knn_entropy(pair.x) + knn_entropy(pair.y)) / 2


def _infomeasure_kl(pair: Pair) -> float:
    return float(import_module("infomeasure").kullback_leiber_divergence(pair.x, pair.y, approach="metric", base="e"))


def _universal(pair: Pair) -> float:
    return float(import_module("universal_divergence").estimate(pair.x, pair.y))


def _fitted_ratio(pair: Pair) -> Any:
    fit = import_module("densratio").densratio
    np.random.seed(0)  # noqa: NPY002 - the package draws its kernel centres from the global generator
    return pair.once("densratio", lambda: fit(pair.x, pair.y, alpha=0, verbose=False))


def _narrow(draws_when_wide: int) -> Callable[[int, int, int], int]:
    """Neighbour searches are slow for many points in many dimensions: fewer draws there."""
    return lambda n, m, d: _ALL if d < _WIDE or max(n, m) <= 1000 else draws_when_wide


PEERS: tuple[Peer, ...] = (
    Peer(
        "infomeasure",
        "kullback_leiber_divergence(x, y, approach='metric', base='e'), k = 4 by default; "
        "it divides a sum over the n points of x by m, so that values for n != m are of another size",
        _both_ways(_infomeasure_kl),
        "infomeasure",
        "infomeasure",
        _narrow(3),
    ),
    Peer(
        "universal-divergence",
        "estimate(x, y), whose Python loops over pairs of points take seconds for 200 points: it stands here as its "
        "formula, Wang et al., adaptive, which gives the same values",
        _both_ways(_universal),
        "universal-divergence",
        "universal_divergence",
        lambda n, m, d: 0,
    ),
    Peer(
        "densratio",
        "densratio(x, y, alpha=0): uLSIF; KL is alpha_KL, Pearson chi2 is 2 alpha_PE; "
        "its search over 169 settings takes seconds for 1,000 points, "
        "and n x n arrays: left out above 200 points",
        _both_ways(lambda pair: float(_fitted_ratio(pair).alpha_KL))
        | {"pearson_chi2": lambda pair: 2 * float(_fitted_ratio(pair).alpha_PE)},
        "densratio",
        "densratio",
        lambda n, m, d: _ALL if max(n, m) <= 200 else 0,
    ),
    Peer(
        "NPEET",
        "formula of NPEET's kldiv: k = 3, maximum norm",
        _both_ways(lambda pair: knn_kl(pair, math.inf)),
        most_draws=_narrow(3),
    ),
    Peer(
        "ITE",
        "formulas of ITE: BDKL_KnnK, 2 (BDHellinger_KnnK)^2, BDChi2_KnnK and MDJS_HS, k = 3",
        _both_ways(knn_kl)
        | {
            "squared_hellinger": lambda pair: 2 - 2 * knn_power(pair, -0.5),
            "pearson_chi2": lambda pair: knn_power(pair, 1.0) - 1,
            "jsd": knn_jsd,
        },
        most_draws=_narrow(3),
    ),
    Peer(
        "ITE, growing k",
        "formula of ITE's BDKL_KnnKiTi",
        _both_ways(knn_kl_growing),
        most_draws=lambda n, m, d: _ALL if max(n, m) <= 1000 else 3,
    ),
    Peer(
        "Wang et al., adaptive",
        "equation 29 of Wang, Kulkarni and Verdu (2009), which universal-divergence follows",
        _both_ways(knn_kl_adaptive),
        most_draws=_narrow(3),
    ),
)
