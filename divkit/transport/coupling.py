"""The verb for plans: an optimal coupling of two point sets by whatever method suits them."""

from __future__ import annotations

import math
from typing import Any

from divkit._checks import check_order, check_points, check_same_dimension
from divkit._errors import InvalidInput, Unsupported
from divkit.divergences import Wasserstein
from divkit.measures import Samples
from divkit.methods import Method, resolve_method, select_method
from divkit.transport import Coupling
from divkit.transport.column_generation import ColumnGeneration, OnLimit

__all__ = ["optimal_transport"]


def optimal_transport(
    x: Any,
    y: Any,
    x_weights: Any = None,
    y_weights: Any = None,
    p: float = 1.0,
    method: str | Method = "auto",
    tolerance: float = 0.0,
    *,
    max_seconds: float | None = None,
    on_limit: OnLimit = "raise",
    progress: bool = False,
) -> Coupling:
    """An optimal plan between two point sets for the cost |x - y|^p, with the potentials that prove it.

    Parameters
    ----------
    x, y : array_like, shape (n,) or (n, d), and (m,) or (m, d)
    x_weights, y_weights : array_like, shape (n,) and (m,), optional
        Non-negative masses; only their ratios matter. Equal by default.
    p : float
        Order, finite and at least 1. Between many points in several dimensions 1 and 2 are far faster than others.
    method : str or Method
        "line", "emd", "lp", "column_generation", or such an object with settings; "auto" takes "line" in one dimension,
        above it "column_generation" for p = 1 and 2, and "emd" for other orders.
    tolerance : float
        Stop as soon as (upper - lower) / upper of the cost is known to be at most this; 0 solves to optimality. Methods
        other than column_generation always do.
    max_seconds : float, optional
        Limit on the time, which only column_generation can keep (in steps of seconds for very many points).
    on_limit : {"raise", "bracket"}
        At the limit, raise `NotConverged` with the bracket in its info, or return the best plan with its bracket.
    progress : bool
        Show the state of column_generation on stderr.

    Returns
    -------
    Coupling
        ``cost`` is that of the plan, W_p^p if optimal; the optimum is in [``lower``, ``upper``], and ``gap`` is what is
        between them.

    Raises
    ------
    InvalidInput
        For arguments that do not meet these requirements, or costs beyond the range of float64.
    Unsupported
        For a method without a plan, and for max_seconds with a method that cannot keep it.
    NotConverged
        At the limit, or if optimality cannot be proved.

    Examples
    --------
    >>> import divkit
    >>> plan = divkit.optimal_transport([[0.0, 0.0], [1.0, 0.0]], [[0.0, 3.0], [1.0, 1.0]])
    >>> plan.cost, plan.gap
    (2.0, 0.0)
    >>> plan.indices_x, plan.indices_y, plan.masses
    (array([0, 1]), array([0, 1]), array([0.5, 0.5]))
    """
    p = check_order(p)
    if math.isinf(p):
        raise InvalidInput("p must be finite for a plan: at p = inf there is no cost to add up; use divkit.wasserstein")
    wanted = ColumnGeneration(tolerance=tolerance, max_seconds=max_seconds, on_limit=on_limit, progress=progress)
    x, y = check_points("x", x), check_points("y", y)
    check_same_dimension(x, y)
    chosen = _chosen(x, y, p, method, wanted)
    solver: Any = chosen
    coupling: Coupling = solver.solve(x, y, x_weights, y_weights, p)
    return coupling


def _chosen(x: Any, y: Any, p: float, method: str | Method, wanted: ColumnGeneration) -> Method:
    """The method object, with the settings of the call where it is column generation."""
    auto = isinstance(method, str) and method == "auto"
    if auto and p in (1, 2) and x.shape[1] > 1:  # what select_method finds, in a tenth of the time of a small problem
        return wanted
    chosen = select_method(Wasserstein(p), Samples(x), Samples(y)) if auto else resolve_method(method)
    if isinstance(chosen, ColumnGeneration):
        if isinstance(method, ColumnGeneration) and wanted not in (ColumnGeneration(), method):
            raise InvalidInput(
                f"tolerance, max_seconds, on_limit and progress go either into the call or into the method object, got "
                f"{wanted} beside {method}; pass method='column_generation', or leave them out of the call"
            )
        return method if isinstance(method, ColumnGeneration) else wanted
    if not hasattr(chosen, "solve"):
        raise Unsupported(
            f"method {chosen.name!r} gives no plan; use 'line', 'emd', 'lp', 'column_generation' or 'auto'"
        )
    if wanted.max_seconds is not None and not auto:
        raise Unsupported(f"method {chosen.name!r} cannot keep max_seconds; only 'column_generation' can")
    if wanted.max_seconds is not None and p not in (1, 2) and x.shape[1] > 1:
        raise Unsupported(f"max_seconds needs column generation, which needs p = 1 or 2, got p = {p:g}; leave it out")
    return chosen
