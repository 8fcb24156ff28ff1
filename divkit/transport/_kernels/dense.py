"""Transport between few points: all pairs as arcs of one network simplex, in one compiled call."""

from __future__ import annotations

import numpy as np

from divkit._compile import compiled
from divkit.transport._kernels.pairs import pair_cost
from divkit.transport._kernels.simplex import PARENT, hang_on_hub, pivot, recompute_potentials

__all__ = ["solve_all_pairs"]

_OPTIONS = {"error_model": "numpy", "nogil": True}
_SPREAD = 64.0
_SLICE = 1 << 20  # pivots of one call; there is no clock to look at


@compiled(**_OPTIONS)
def solve_all_pairs(x, y, x_masses, y_masses, p, relative):
    """(rows, columns, flows, f, g, mass left on the hub) of the transport problem with cost |x_i - y_j|^p.

    x (n, d), y (m, d); x_masses, y_masses int64 of equal totals; p is 1 or 2. Arcs count as violated beyond `relative`
    times their two potentials. f is lowered so that no pair is violated at all: f_i = min_j cost_ij - g_j.

    Where the largest cost is more than 64 times the median of m costs, nothing is solved and the last number is -1: the
    potentials of far pairs would blur those of the others.
    """
    n, m = x.shape[0], y.shape[0]
    costs, sources, targets = np.empty(n * m), np.empty(n * m, np.int32), np.empty(n * m, np.int32)
    f, g = np.empty(n), np.full(m, np.inf)
    largest = 0.0
    for i in range(n):
        least = np.inf
        for j in range(m):
            cost = pair_cost(x, y, i, j, p)
            t = i * m + j
            costs[t], sources[t], targets[t] = cost, i, n + j
            least = min(least, cost)
            largest = max(largest, cost)
        f[i] = least
    some = np.empty(max(n, m))
    for t in range(max(n, m)):
        some[t] = costs[(t % n) * m + (t + t // n) % m]
    if largest > _SPREAD * np.median(some):
        none = np.empty(0, np.int64)
        return none, none, none, f, g, np.int64(-1)
    # Half of the way to the nearest point for x, the rest for y: most arcs of a good plan are nearly tight then.
    for i in range(n):
        f[i] *= 0.5
        for j in range(m):
            g[j] = min(g[j], costs[i * m + j] - f[i])
    nodes = n + m + 1
    links = np.empty((nodes, 4), np.int32)
    arc_cost, potential, flow = np.zeros(nodes), np.zeros(nodes), np.zeros(nodes, np.int64)
    size, queue = np.empty(nodes, np.int32), np.empty(nodes + 2, np.int32)
    hang_on_hub(x_masses, y_masses, f, g, 4.0 * largest + 1e-300, links, arc_cost, flow, potential, size)
    block = max(64, int(2.0 * np.sqrt(float(n * m))))
    finished, position = False, 0
    while not finished:
        _, finished, position = pivot(
            n,
            sources,
            targets,
            costs,
            relative,
            0.0,
            block,
            _SLICE,
            links,
            arc_cost,
            flow,
            potential,
            size,
            queue,
            position,
        )
    recompute_potentials(n, n + m, 0.0, links, arc_cost, potential, queue)
    middle = 0.5 * (potential[0] + potential[n])
    for j in range(m):
        g[j] = potential[n + j] - middle
    for i in range(n):
        least = np.inf
        for j in range(m):
            least = min(least, costs[i * m + j] - g[j])
        f[i] = least
    return (*_plan(n, m, links, flow), f, g, _on_hub(n, links, flow))


@compiled(**_OPTIONS)
def _plan(n, m, links, flow):
    """The arcs of the tree that carry mass: (rows, columns, flows), the hub's left out."""
    hub, count = n + m, 0
    for u in range(n + m):
        count += links[u, PARENT] != hub and flow[u] > 0
    rows, columns, flows = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.int64)
    t = 0
    for u in range(n + m):
        other = links[u, PARENT]
        if other != hub and flow[u] > 0:
            rows[t], columns[t], flows[t] = min(u, other), max(u, other) - n, flow[u]
            t += 1
    return rows, columns, flows


@compiled(**_OPTIONS)
def _on_hub(n, links, flow):
    """The mass of x that no arc carries."""
    hung, hub = np.int64(0), len(links) - 1
    for u in range(n):
        if links[u, PARENT] == hub:
            hung += flow[u]
    return hung
