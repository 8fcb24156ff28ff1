"""Optimal transport between point sets; `Coupling` is what every exact solver returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from divkit._array import as_float_array
from divkit._checks import check_points
from divkit._errors import InvalidInput

__all__ = ["Coupling"]

_F = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Coupling:
    """A transport plan between n and m points with the potentials that prove how good it is.

    The k entries of the plan are `masses[t]` from x[indices_x[t]] to y[indices_y[t]]; they sum to 1.

    Parameters
    ----------
    cost : float
        Sum of plan times cost; for points the cost is d(x, y)^p, so W_p is ``cost ** (1 / p)``.
    indices_x, indices_y : ndarray of int, shape (k,)
    masses : ndarray, shape (k,)
        Positive.
    x_potential, y_potential : ndarray, shape (n,) and (m,)
        Dual feasible to rounding: ``x_potential[i] + y_potential[j] <= cost[i, j]`` for every pair.
    lower, upper : float
        The optimal cost lies between them, to rounding: the dual value and the cost of this plan.
    gap : float
        upper - lower, evaluated as the plan's reduced cost so that it does not drown in cancellation.
    shape : (int, int)
        (n, m).
    info : mapping
        Facts about the computation.

    Examples
    --------
    >>> from divkit.transport.emd import transport_from_cost
    >>> plan = transport_from_cost([[0.0, 2.0], [1.0, 0.0]], x_weights=[1, 3], y_weights=[2, 2])
    >>> plan.cost, plan.gap
    (0.25, 0.0)
    >>> plan.to_dense()
    array([[0.25, 0.  ],
           [0.25, 0.5 ]])
    """

    cost: float
    indices_x: NDArray[np.intp]
    indices_y: NDArray[np.intp]
    masses: _F
    x_potential: _F
    y_potential: _F
    lower: float
    upper: float
    gap: float
    shape: tuple[int, int]
    info: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("indices_x", "indices_y", "masses", "x_potential", "y_potential"):
            view = getattr(self, name).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    def __repr__(self) -> str:
        n, m = self.shape
        return f"Coupling(cost={self.cost!r}, gap={self.gap:.3g}, n={n}, m={m}, entries={len(self.masses)})"

    def to_sparse(self) -> Any:
        """The plan as a `scipy.sparse.coo_array` of shape (n, m)."""
        from scipy.sparse import coo_array

        return coo_array((self.masses.copy(), (self.indices_x.copy(), self.indices_y.copy())), shape=self.shape)

    def to_dense(self) -> _F:
        """The plan as an array of shape (n, m)."""
        plan = np.zeros(self.shape)
        np.add.at(plan, (self.indices_x, self.indices_y), self.masses)
        return plan

    def apply(self, y: Any) -> _F:
        """Barycentric projection: for each x, the mean of what it is matched to.

        Parameters
        ----------
        y : array_like, shape (m,) or (m, e)
            Any quantity attached to the second point set: its positions, labels, colours.

        Returns
        -------
        ndarray, shape (n,) or (n, e)
            Row i is the plan-weighted mean of the rows of y that x[i] is matched to. A point of zero mass is
            matched to nothing, and its mean is undefined: its row is NaN.

        Raises
        ------
        InvalidInput
            If y is not finite or does not have m rows.
        """
        rows = check_points("y", y)  # (m, e)
        n, m = self.shape
        if len(rows) != m:
            raise InvalidInput(f"y must have {m} rows, one for each point of the second set, got {len(rows)}")
        total = np.zeros(n)
        np.add.at(total, self.indices_x, self.masses)
        share = self.masses / total[self.indices_x]  # (k,), sums to 1 in each row: no overflow below
        image = np.zeros((n, rows.shape[1]))
        np.add.at(image, self.indices_x, share[:, None] * rows[self.indices_y])
        image[total == 0] = np.nan
        return image[:, 0] if as_float_array("y", y).ndim == 1 else image
