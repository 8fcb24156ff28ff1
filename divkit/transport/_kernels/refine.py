"""Splitting the flows between groups of points into flows between their points."""

from __future__ import annotations

import numpy as np

from divkit._compile import compiled

__all__ = ["refine_flows"]

_OPTIONS = {"error_model": "numpy", "nogil": True}


@compiled(**_OPTIONS)
def refine_flows(rows, columns, flows, x_starts, y_starts, x_masses, y_masses):
    """Flows (rows, columns, flows) between points that add up to the given ones between groups, all masses met.

    Group I of x holds the points [x_starts[I], x_starts[I + 1]); masses (n,), (m,) and flows are int64, and the flows
    of each group add up to its mass. Each flow takes what is left of its two groups in their order: a north-west
    corner rule, with at most n + m + (number of flows) parts.
    """
    room = len(rows) + len(x_masses) + len(y_masses)
    out_rows, out_columns = np.empty(room, np.int64), np.empty(room, np.int64)
    out_flows = np.empty(room, np.int64)
    x_at, y_at = x_starts.copy(), y_starts.copy()
    x_left, y_left = x_masses.copy(), y_masses.copy()
    count = 0
    for t in range(len(rows)):
        a, b, rest = rows[t], columns[t], flows[t]
        while rest > 0:
            i, j = x_at[a], y_at[b]
            if x_left[i] == 0:
                x_at[a] += 1
                continue
            if y_left[j] == 0:
                y_at[b] += 1
                continue
            part = min(rest, min(x_left[i], y_left[j]))
            out_rows[count], out_columns[count], out_flows[count] = i, j, part
            count += 1
            rest -= part
            x_left[i] -= part
            y_left[j] -= part
    return out_rows[:count], out_columns[:count], out_flows[:count]
