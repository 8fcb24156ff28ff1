"""From what the caller passes to what a solver can be trusted with: masses that balance exactly, distances near 1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from divkit._array import as_float_array
from divkit._checks import check_weights
from divkit._errors import InvalidInput

__all__ = ["METRICS", "Distances", "Masses", "balance", "distances", "power_of_two"]

_F = NDArray[np.float64]

# What the distance is multiplied by when the points are multiplied by s > 0: s ** degree.
METRICS: Final[dict[str, int]] = {
    "euclidean": 1,
    "cityblock": 1,
    "chebyshev": 1,
    "minkowski": 1,
    "sqeuclidean": 2,
    **dict.fromkeys(("braycurtis", "canberra", "correlation", "cosine", "jensenshannon"), 0),
    **dict.fromkeys(("mahalanobis", "seuclidean"), 0),
    **dict.fromkeys(("dice", "hamming", "jaccard", "rogerstanimoto", "russellrao", "sokalsneath", "yule"), 0),
}

# SciPy reads every non-zero number as True under these.
_BOOLEAN: Final = frozenset(("dice", "jaccard", "rogerstanimoto", "russellrao", "sokalsneath", "yule"))

_EXACT = 2.0**53  # integers up to here are float64, and so are their sums
_GRID = 2.0**52  # one bit less: rounding n masses may push the total above the grid
_FAR = 2.0**400  # beside coordinates of at most 1; its square is far from overflow
_SMALLEST_ON_GRID = 2.0**-40  # a lighter mass would keep fewer than 12 significant bits


@dataclass(frozen=True, eq=False)
class Masses:
    """Two mass vectors of equal total.

    Parameters
    ----------
    x, y : ndarray, shape (n,) and (m,)
        Zero where a point carries nothing.
    total : float
        Their common sum.
    exact : bool
        Whether the masses are integers, so that sums and differences of them, and flows, are exact.
    """

    x: _F
    y: _F
    total: float
    exact: bool

    @property
    def rows(self) -> NDArray[np.intp]:
        """Indices of the points of x with positive mass."""
        return np.flatnonzero(self.x)

    @property
    def columns(self) -> NDArray[np.intp]:
        """Indices of the points of y with positive mass."""
        return np.flatnonzero(self.y)


def balance(x_weights: Any, y_weights: Any, n: int, m: int) -> Masses:
    """Masses of equal total from two weight vectors, None meaning equal weights.

    Counts (and equal weights) become integers with the very ratios given; other weights are rounded to
    2**-52 of the total, about what their normalisation costs anyway. Integers matter: permuting a weighted set
    then changes nothing, equal laws are at distance 0, and no flow is rounded. Only if some positive
    weight is below 2**-40 of the total do both stay floating point, so that it is not lost.

    Raises
    ------
    InvalidInput
        For weights of the wrong shape, negative, not finite, or all zero.
    """
    if x_weights is None and y_weights is None:
        divisor = math.gcd(n, m)
        return Masses(np.full(n, float(m // divisor)), np.full(m, float(n // divisor)), float(n * m // divisor), True)
    x, y = _weights("x_weights", x_weights, n), _weights("y_weights", y_weights, m)
    x_total, y_total = math.fsum(x), math.fsum(y)
    if _whole(x) and _whole(y):
        divisor = math.gcd(int(x_total), int(y_total))
        if x_total * (y_total / divisor) <= _EXACT:
            return Masses(x * (y_total / divisor), y * (x_total / divisor), x_total * (y_total / divisor), exact=True)
    x, y = x / x_total, y / y_total  # by the correctly rounded sum, which does not depend on the order
    if min(x[x > 0].min(), y[y > 0].min()) < _SMALLEST_ON_GRID:
        return Masses(x, y, 1.0, exact=False)
    x, y = np.rint(x * _GRID), np.rint(y * _GRID)
    surplus = float(x.sum() - y.sum())  # exact: integers below 2**53
    side = x if surplus < 0 else y
    side[np.argmax(side)] += abs(surplus)
    return Masses(x, y, float(x.sum()), exact=True)


def _weights(name: str, value: Any, n: int) -> _F:
    """Valid weights (n,) in a scale where their sum neither overflows nor loses digits."""
    if check_weights(name, value, n) is None:
        return np.ones(n)
    weights = np.asarray(as_float_array(name, value), dtype=np.float64)
    return weights if _whole(weights) else np.ldexp(weights, -power_of_two(float(weights.max())))


def _whole(weights: _F) -> bool:
    return bool(weights.max() <= _EXACT and np.all(weights == np.rint(weights))) and math.fsum(weights) <= _EXACT


def power_of_two(value: float) -> int:
    """The exponent e with value <= 2**e < 2 value, for which scaling by 2**-e is exact; 0 for 0."""
    return math.frexp(value)[1] if value > 0 else 0


@dataclass(frozen=True, eq=False)
class Distances:
    """The distance matrix `values * 2**exponent`, with values (n, m) in [0, 1] between points with mass."""

    values: _F
    exponent: int


def distances(x: _F, y: _F, metric: str, masses: Masses) -> Distances:
    """All distances between the rows of x (n, d) and y (m, d), safe at every scale and offset.

    The points are divided by a power of two, which rounds nothing and keeps squares from over- and
    underflowing. They are not shifted: SciPy's `cdist` subtracts coordinates first, and the difference of two
    float64 numbers is correctly rounded at any offset, while subtracting a centre beforehand would add an error of its
    own. (What an offset destroys is the form |x|^2 + |y|^2 - 2 x.y, which is not used.)

    Only points with mass set the scale. Others that lie astronomically far outside are moved to the boundary of a box,
    which shortens their distances: potentials that are feasible for these are feasible for the true ones.

    Raises
    ------
    InvalidInput
        If the metric is undefined for some pair.
    """
    if metric in _BOOLEAN and not all(np.all((points == 0) | (points == 1)) for points in (x, y)):
        raise InvalidInput(
            f"metric {metric!r} compares sets given as 0 and 1, but x or y holds other numbers; use hamming"
        )
    scaled = METRICS[metric] > 0  # other metrics are no norms: every point counts for their scale
    heavy = (x[masses.rows], y[masses.columns]) if scaled else (x, y)
    size = power_of_two(max(float(np.abs(points).max()) for points in heavy))
    with np.errstate(over="ignore"):
        x_unit, y_unit = (np.clip(np.ldexp(points, -size), -_FAR, _FAR) for points in (x, y))
    values = _pairwise(x_unit, y_unit, metric)  # (n, m)
    if not math.isfinite(float(values.max())):
        i, j = (int(k) for k in np.argwhere(~np.isfinite(values))[0])
        raise InvalidInput(
            f"metric {metric!r} is {values[i, j]} between x[{i}] = {x[i][:8]} and y[{j}] = {y[j][:8]}; "
            f"drop such points, or build the cost matrix yourself and pass it to transport_from_cost"
        )
    everyone = masses.x.all() and masses.y.all()
    extra = power_of_two(float((values if everyone else values[np.ix_(masses.rows, masses.columns)]).max()))
    if extra:
        np.ldexp(values, -extra, out=values)
    return Distances(values, size * METRICS[metric] + extra)


def _pairwise(x: _F, y: _F, metric: str) -> _F:
    """The distances (n, m) as SciPy computes them."""
    from scipy.spatial import distance

    cdist: Any = distance.cdist
    # In one dimension these are |x - y|, without the detour over squares.
    simple = x.shape[1] == 1 and metric in ("euclidean", "cityblock", "chebyshev", "minkowski")
    try:
        values: _F = cdist(x, y, "cityblock" if simple else metric)
    except (ValueError, np.linalg.LinAlgError) as error:
        raise InvalidInput(f"metric {metric!r} does not apply to these points: {error}") from error
    return np.maximum(values, 0.0, out=values)  # cosine and correlation reach -1e-16 by rounding; NaN stays
