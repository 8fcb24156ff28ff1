"""f-divergences from histograms: equal-mass bins or categories, bias removed, a lower bound with its limit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from divkit._array import as_float_array, is_array
from divkit._checks import check_integer, check_level
from divkit._errors import InvalidInput
from divkit.catalog import resolve_divergence
from divkit.divergences import DerivedDivergence, Divergence, FDivergence
from divkit.measures import Measure, Samples
from divkit.methods import Method
from divkit.methods._binned_cells import (
    EXPECTED,
    Cells,
    category_counts,
    check_counts,
    count_between,
    distinct_rows,
    equal_mass_edges,
)
from divkit.methods._binned_cut import Cut
from divkit.methods._binned_estimate import estimate_categories, estimate_cut, estimate_line
from divkit.methods._derived import derived
from divkit.methods._samples import sample_refusal
from divkit.result import Bound, Estimand, Estimate

__all__ = ["Binned", "fdivergence_from_counts"]

_F = NDArray[np.float64]


@dataclass(frozen=True)
class Binned(Method):
    """The divergence between histograms of two samples on the line, or between counts of categories.

    The cells hold equal masses of the mixture that gives each sample one half; equal values are never split, so an
    increasing map of the data changes nothing. Putting points into cells never raises an f-divergence: what is
    estimated, the divergence of the two *binned* laws, is a lower bound of D(P || Q), the closer the finer the cells.

    Parameters
    ----------
    bins : "auto", "atoms", int or sequence of float
        "auto": a number of cells that grows with the smaller sample; one cell a value where most points are
        repeated and the values are few (rows of any dimension are categories then). "atoms": one cell a distinct
        point. An integer: that many equal-mass cells. A sequence of ascending edges: cells (low, high] between them
        and two outer ones without end.

    Notes
    -----
    The value is the divergence of the frequencies less its leading bias,
    1/2 sum over the cells of u f''(u) (1 - p)/n + u^2 f''(u) (1 - q)/m, u = p/q: second-order delta method; for KL
    with known Q it is Miller and Madow's (K - 1)/(2n). It is not cut at 0, which would bias it up: a value below
    f(1) says that the samples show no difference. Where f has a kink within a standard error of u (total variation
    near equality) the mean effect of the kink at its worst is removed instead: the bound stays one, at the price of a
    value that is too low for laws that are close but not equal.

    Cells in which a sample as small as the smaller one would expect fewer than 10 points of the mixture are merged
    with neighbours, categories with one another ("other"). Where an empty cell would make the divergence of the
    frequencies infinite, cells are merged until each has 4 points on that side: again a lower bound, and finite.

    The interval is one-sided: from the lower limit of the given level to the supremum of the divergence. The limit
    inverts a gamma law with the first three cumulants of the value, which is the chi-square law at equal laws and
    the normal one far from them. ``info["binned_interval"]`` is a two-sided normal interval for the divergence of
    the binned laws, None where normal theory does not hold.

    If the samples do not overlap, cells cannot tell how far apart the laws are. The estimate then comes from the one
    cut between them, with half a point added to each empty side, and its limit from exact binomial limits; an
    `UnreliableEstimateWarning` says so if the divergence may be infinite.

    ``info``: ``bins``; ``edges`` (finite ones; empty for categories); ``x_counts``, ``y_counts``; ``merged`` (cells
    merged away); ``other`` (categories in the last cell); ``plug_in`` and the ``bias`` taken from it; ``one_cut``.

    Examples
    --------
    >>> import numpy as np
    >>> from divkit.catalog import JSD
    >>> from divkit.measures import Samples
    >>> from divkit.methods.binned import Binned
    >>> rng = np.random.default_rng(0)
    >>> x, y = Samples(rng.normal(0.5, 1, 2000)), Samples(rng.normal(0, 1, 3000))
    >>> d = Binned().estimate(JSD, x, y, level=0.95, rng=rng)
    >>> d.bound, d.interval[0] < 0.0305 < d.interval[1]
    ('lower', True)
    """

    bins: int | str | Sequence[float] = "auto"

    name: ClassVar[str] = "binned"
    measures: ClassVar[str] = "two Samples on the line, or of categories"
    divergences: ClassVar[str] = "every f-divergence"
    bound: ClassVar[Bound] = "lower"
    estimand: ClassVar[Estimand] = "population"

    def __post_init__(self) -> None:
        object.__setattr__(self, "bins", _check_bins(self.bins))

    def refusal(self, div: Divergence, P: Measure, Q: Measure) -> str | None:
        """See `Method.refusal`."""
        reason = sample_refusal(div, P, Q)
        if reason is not None or not (isinstance(P, Samples) and isinstance(Q, Samples)):
            return reason
        for name, sample in (("P", P), ("Q", Q)):
            if sample.weights is not None:
                return (
                    f"{name} has weights, and the error bar of a histogram needs counts; draw points in proportion to "
                    f"the weights, or use method 'crossfit'"
                )
        if P.dim == 1 or self.bins == "atoms" or (self.bins == "auto" and _repeated(P.points, Q.points)):
            return None
        return (
            f"the points have {P.dim} coordinates, and a histogram has one; compare the columns one at a time, pass "
            f"Binned('atoms') if rows are categories, or use method 'crossfit' or 'knn'"
        )

    def estimate(self, div: Divergence, P: Measure, Q: Measure, *, level: float, rng: np.random.Generator) -> Estimate:
        """See `Method.estimate`; nothing is random here."""
        self.demand(div, P, Q)
        if isinstance(div, DerivedDivergence):
            return derived(div, self.estimate(div.base, P, Q, level=level, rng=rng))
        assert isinstance(div, FDivergence)  # by the demand above
        assert isinstance(P, Samples)
        assert isinstance(Q, Samples)
        if self.bins == "atoms" or P.dim > 1:
            return estimate_categories(div, category_counts(P.points, Q.points), level)
        x, y = np.sort(P.points[:, 0]), np.sort(Q.points[:, 0])
        if isinstance(self.bins, tuple):
            return estimate_line(div, count_between(x, y, np.array(self.bins)), level)
        if min(len(x), len(y)) >= EXPECTED and (x[-1] < y[0] or y[-1] < x[0]):
            return estimate_cut(div, Cut.between(x, y), level)
        bins = automatic_bins(len(x), len(y)) if self.bins == "auto" else int(self.bins)  # type: ignore[arg-type]
        if self.bins == "auto" and _few_values(x, y, bins):
            return estimate_categories(div, category_counts(x[:, None], y[:, None]), level)
        edges = equal_mass_edges(x, y, min(bins, len(x) + len(y)))
        return estimate_line(div, count_between(x, y, edges), level)


def fdivergence_from_counts(
    div: str | FDivergence | DerivedDivergence, x_counts: Any, y_counts: Any, *, level: float = 0.95
) -> Estimate:
    """D(P || Q) of two laws on categories, from how often each category was observed.

    Parameters
    ----------
    div : str or FDivergence or DerivedDivergence
        A name of `divkit.DIVERGENCES` or an object.
    x_counts, y_counts : array_like of int, shape (K,)
        Counts of the same categories in the same order; zeros are allowed. x are draws of P, the data.
    level : float
        Level of the one-sided interval.

    Returns
    -------
    Estimate
        bound "lower", estimand "population", as `Binned` describes: the leading bias is removed, sparse categories
        are gathered in one ("other", the last cell), and the interval reaches from the lower limit to the supremum.

    Raises
    ------
    InvalidInput
        If counts are negative, not whole or all zero, the lengths differ, or div is no f-divergence.

    Examples
    --------
    >>> from divkit.methods.binned import fdivergence_from_counts
    >>> d = fdivergence_from_counts("kl", [520, 300, 180], [400, 350, 250])
    >>> round(d, 4), round(d.interval[0], 4), d.info["bins"]
    (0.0291, 0.0123, 3)
    """
    level, resolved = check_level(level), resolve_divergence(div)
    x, y = check_counts("x_counts", x_counts), check_counts("y_counts", y_counts)
    if len(x) != len(y):
        raise InvalidInput(
            f"x_counts and y_counts must count the same categories, got {len(x)} and {len(y)} of them; put 0 where a "
            f"category was not seen"
        )
    if isinstance(resolved, DerivedDivergence):
        return derived(resolved, fdivergence_from_counts(resolved.base, x, y, level=level))
    if not isinstance(resolved, FDivergence):
        raise InvalidInput(
            f"div must be an f-divergence, got {resolved.name}; categories have no distance, and for points on the "
            f"line there is divkit.wasserstein1"
        )
    seen = x + y > 0
    return estimate_categories(resolved, Cells(x[seen], y[seen]), level)


def automatic_bins(n: int, m: int) -> int:
    """Cells for samples of these sizes: 2 min(n, m)^(2/5), but no more than expect 10 points each.

    Of n^(1/3), n^(2/5), 2 n^(2/5), 3 n^(2/5) and 2 n^(1/2) the one without a bad case: over shifted normals, Laplace
    against normal, a mixture and exponentials at n = 200, 1,000 and 10,000, fewer cells miss two modes (three to six
    times the error for JSD), more of them cost total variation up to three times the error and bring little elsewhere.
    """
    smaller = min(n, m)
    return max(1, min(round(2 * math.pow(smaller, 0.4)), smaller // EXPECTED))


# ---- what the data are like ----


def _repeated(x: _F, y: _F) -> bool:
    """Whether most points of both samples (n, d), (m, d) occur more than once; columns first, as they sort faster."""
    return all(
        2 * len(np.unique(points[:, j])) < len(points) for points in (x, y) for j in range(points.shape[1])
    ) and all(2 * distinct_rows(points) < len(points) for points in (x, y))


def _few_values(x: _F, y: _F, bins: int) -> bool:
    """Whether two ascending samples consist of repeated values that are no more than the cells to be made."""
    distinct = [1 + int(np.count_nonzero(np.diff(sample))) for sample in (x, y)]
    return max(distinct) <= bins and 2 * distinct[0] < len(x) and 2 * distinct[1] < len(y)


def _check_bins(bins: Any) -> int | Literal["auto", "atoms"] | tuple[float, ...]:
    if isinstance(bins, str):
        if bins == "auto" or bins == "atoms":
            return "auto" if bins == "auto" else "atoms"
        raise InvalidInput(f"bins must be 'auto', 'atoms', a number of cells or a sequence of edges, got {bins!r}")
    if not is_array(bins) or getattr(bins, "ndim", 1) == 0:
        return check_integer("bins", bins, 1)
    edges = as_float_array("bins", bins)
    if edges.ndim != 1 or edges.size == 0 or not np.isfinite(edges).all() or not (np.diff(edges) > 0).all():
        raise InvalidInput(
            f"bins as edges must be finite and ascending, at least one, got {np.array2string(edges, threshold=8)}; "
            f"the outer cells are endless already, so leave infinite edges out, and sort with np.unique(edges)"
        )
    return tuple(edges.tolist())
