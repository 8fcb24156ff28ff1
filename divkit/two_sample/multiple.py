"""One test for each feature, with p-values that stay valid for all of them together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from divkit._array import as_float_array
from divkit._checks import check_integer, check_rng
from divkit._errors import InvalidInput
from divkit.two_sample._arrangements import Arrangements
from divkit.two_sample.line import Lines
from divkit.two_sample.permutation import pooled_samples

__all__ = ["CORRECTIONS", "FeatureTests", "benjamini_hochberg", "feature_tests", "holm"]

_F = NDArray[np.float64]
_POWERS: Final = {"wasserstein1": 1, "cramer": 2, "ks": 0}
_ROUNDING: Final = 1e-12  # relative to the largest value; what is closer counts as equal


def holm(p_values: ArrayLike) -> _F:
    """Adjusted p-values: those at most alpha have, with probability 1 - alpha, no false one among them.

    Parameters
    ----------
    p_values : array_like, shape (k,)
        In [0, 1]; dependent in any way.

    Notes
    -----
    Holm (1979): the i-th smallest is multiplied by k - i + 1, and none is below a smaller one.

    Examples
    --------
    >>> from divkit.two_sample.multiple import holm
    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    p = _checked(p_values)
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    found = np.empty_like(p)
    found[order] = np.minimum(steps, 1.0)
    return found


def benjamini_hochberg(p_values: ArrayLike) -> _F:
    """Adjusted p-values: of those at most alpha, a share of alpha is false on average.

    Parameters
    ----------
    p_values : array_like, shape (k,)
        In [0, 1]; independent, or positively dependent.

    Notes
    -----
    Benjamini and Hochberg (1995), by `scipy.stats.false_discovery_control`.

    Examples
    --------
    >>> from divkit.two_sample.multiple import benjamini_hochberg
    >>> benjamini_hochberg([0.01, 0.04, 0.03])
    array([0.03, 0.04, 0.04])
    """
    from scipy.stats import false_discovery_control

    return np.asarray(false_discovery_control(_checked(p_values)), dtype=np.float64)


CORRECTIONS: Final[Mapping[str, Callable[[ArrayLike], _F]]] = MappingProxyType(
    {"holm": holm, "benjamini-hochberg": benjamini_hochberg}
)


def _checked(p_values: ArrayLike) -> _F:
    p = np.asarray(as_float_array("p_values", p_values), dtype=np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise InvalidInput(f"p_values must be a vector of numbers in [0, 1], got {p_values!r}")
    return p


@dataclass(frozen=True, eq=False)
class FeatureTests:
    """One permutation test for each of d features.

    Parameters
    ----------
    name : str
        The statistic.
    statistics : ndarray, shape (d,)
        In the units of each feature; KS has none.
    p_values : ndarray, shape (d,)
        Each by itself.
    adjusted : ndarray, shape (d,)
        Valid together, by `correction`.
    correction : str
    permutations : int
    """

    name: str
    statistics: _F
    p_values: _F
    adjusted: _F
    correction: str
    permutations: int


def feature_tests(
    x: Any,
    y: Any,
    statistic: str = "wasserstein1",
    *,
    correction: str = "holm",
    permutations: int = 999,
    paired: bool = False,
    strata: tuple[Any, Any] | None = None,
    rng: int | np.random.Generator | None = None,
) -> FeatureTests:
    """Which features of two samples differ in law: a permutation test for each, all on the same permutations.

    Parameters
    ----------
    x, y : array_like, shape (n, d) and (m, d)
    statistic : {"wasserstein1", "ks", "cramer"}
    correction : {"holm", "benjamini-hochberg"}
        Holm's keeps the probability of any false alarm at its level; Benjamini and Hochberg's, the share of false ones.
    permutations, paired, strata, rng
        As in `divkit.two_sample_test`. A p-value of 1/(1 + permutations), the least there is, times d must be small
        enough for Holm's to reach the level that is wanted.

    Returns
    -------
    FeatureTests

    Raises
    ------
    InvalidInput
        As `divkit.two_sample_test`, and for unknown names.

    Examples
    --------
    >>> import numpy as np
    >>> from divkit.two_sample.multiple import feature_tests
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(200, 3)), rng.normal(size=(200, 3)) + [0.0, 0.5, 0.0]
    >>> feature_tests(x, y, rng=0).adjusted < 0.05
    array([False,  True, False])
    """
    if statistic not in _POWERS:
        raise InvalidInput(f"statistic must be one of {', '.join(_POWERS)} for features, got {statistic!r}")
    if correction not in CORRECTIONS:
        raise InvalidInput(f"correction must be one of {', '.join(CORRECTIONS)}, got {correction!r}")
    permutations, generator = check_integer("permutations", permutations, 1), check_rng(rng)
    pooled = pooled_samples(x, y, paired=paired, strata=strata)
    lines, units = Lines.of_columns(pooled.points, _POWERS[statistic])
    arrangements = Arrangements(pooled)
    observed = lines.values(pooled.labels[None])[0]  # (d,)
    exceeding, largest, count = np.zeros(len(observed), np.intp), np.abs(observed), 0
    for labels in arrangements.blocks(permutations, lines.rows, generator):
        values = lines.values(labels)
        largest = np.maximum(largest, values.max(axis=0, initial=0.0))
        exceeding += (values >= observed - _ROUNDING * largest).sum(axis=0)
        count += len(labels)
    p_values = (1 + exceeding) / (1 + count)
    return FeatureTests(statistic, observed * units, p_values, CORRECTIONS[correction](p_values), correction, count)
