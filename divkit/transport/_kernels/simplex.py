"""The network simplex for transport on a list of arcs, started from any potentials.

Nodes 0 .. n-1 are the points of x, n .. n+m-1 those of y, and n+m is a hub that every node may use at a price. A
basis is a spanning tree rooted at the hub. Each node but the root stores the arc to its parent: arcs leave the nodes
of x and enter those of y, so the direction is known from the node. With pi the tree's potentials (f = -pi on x,
g = pi on y), an arc (s, t) can enter if cost + pi[s] - pi[t] < 0.

Invariants between calls: flows (int64) meet all masses exactly; the tree is strongly feasible (a basic arc without
flow points to the root), so that the method cannot cycle although most pivots move nothing; size[u] counts the
subtree of u.
"""

from __future__ import annotations

import numpy as np

from divkit._compile import compiled

__all__ = ["PARENT", "hang_on_hub", "pivot", "price_of_hub", "recompute_potentials"]

_OPTIONS = {"error_model": "numpy", "nogil": True}
_CHILD, _NEXT, _PREVIOUS, PARENT = 0, 1, 2, 3  # columns of links
_UNLIMITED = np.int64(2**62)


@compiled(**_OPTIONS)
def _add_child(links, parent, u):
    head = links[parent, _CHILD]
    links[u, _NEXT] = head
    links[u, _PREVIOUS] = -1
    if head >= 0:
        links[head, _PREVIOUS] = u
    links[parent, _CHILD] = u


@compiled(**_OPTIONS)
def _remove_child(links, parent, u):
    before, after = links[u, _PREVIOUS], links[u, _NEXT]
    if before >= 0:
        links[before, _NEXT] = after
    else:
        links[parent, _CHILD] = after
    if after >= 0:
        links[after, _PREVIOUS] = before


@compiled(**_OPTIONS)
def hang_on_hub(x_masses, y_masses, f, g, price, links, arc_cost, flow, potential, size):
    """The start: every node hangs from the hub by an arc of cost f + price or g + price, which carries its mass.

    The tree's potentials are then f + price and g + price: up to a constant, what came in.
    """
    n, m = len(x_masses), len(y_masses)
    hub = n + m
    links[:] = -1
    potential[hub] = 0.0
    size[hub] = n + m + 1
    for u in range(n + m - 1, -1, -1):
        links[u, PARENT] = hub
        size[u] = 1
        if u < n:
            arc_cost[u] = f[u] + price
            flow[u] = x_masses[u]
            potential[u] = -arc_cost[u]
        else:
            arc_cost[u] = g[u - n] + price
            flow[u] = y_masses[u - n]
            potential[u] = arc_cost[u]
        _add_child(links, hub, u)


@compiled(**_OPTIONS)
def recompute_potentials(n, ground, level, links, arc_cost, potential, queue):
    """Potentials from the tree alone, which removes what pivots have accumulated by rounding.

    The node `ground` is at `level`, and all others follow along the paths of the tree from there: a huge cost blurs the
    potentials beyond it only.
    """
    hub = len(links) - 1
    potential[ground] = level
    below, u = -1, ground
    while True:
        queue[0] = u
        start, end = 0, 1
        while start < end:
            v = queue[start]
            start += 1
            child = links[v, _CHILD]
            while child >= 0:
                if child != below:
                    potential[child] = potential[v] - arc_cost[child] if child < n else potential[v] + arc_cost[child]
                    queue[end] = child
                    end += 1
                child = links[child, _NEXT]
        if u == hub:
            return
        parent = links[u, PARENT]
        potential[parent] = potential[u] + arc_cost[u] if u < n else potential[u] - arc_cost[u]
        below, u = u, parent


@compiled(**_OPTIONS)
def price_of_hub(rise, far_rise, far, links, arc_cost):
    """Make the arcs of the hub dearer, those of far nodes by far_rise; potentials are to be recomputed.

    far (nodes,) is bool.
    """
    child = links[len(links) - 1, _CHILD]
    while child >= 0:
        arc_cost[child] += far_rise if far[child] else rise
        child = links[child, _NEXT]


@compiled(**_OPTIONS)
def _entering(sources, targets, costs, potential, relative, absolute, block, position):
    """The most violated arc of the first block that has one, from `position` on and around; -1 if there is none.

    An arc counts as violated below -absolute, if that is more than rounding: `relative` times its two potentials.
    """
    arcs = len(costs)
    seen = 0
    while seen < arcs:
        count = min(block, arcs - seen, arcs - position)
        best, entering = -absolute, -1
        for e in range(position, position + count):
            tail, head = potential[sources[e]], potential[targets[e]]
            reduced = costs[e] + tail - head
            if reduced < best and reduced < -relative * (abs(tail) + abs(head)):
                best, entering = reduced, e
        seen += count
        position += count
        if position >= arcs:
            position = 0
        if entering >= 0:
            return entering, position
    return -1, position


@compiled(**_OPTIONS)
def _leaving(n, source, target, links, flow, size):
    """(the node whose arc to its parent leaves, the flow to be moved, whether it is on the side of target, the apex).

    Of all blocking arcs the last one in the direction of the cycle, counted from the apex: that keeps the tree strongly
    feasible.
    """
    u, v = source, target
    u_least = v_least = _UNLIMITED
    u_out = v_out = -1
    while u != v:
        if size[u] < size[v]:
            if u < n and flow[u] < u_least:
                u_least, u_out = flow[u], u
            u = links[u, PARENT]
        else:
            if v >= n and flow[v] <= v_least:
                v_least, v_out = flow[v], v
            v = links[v, PARENT]
    if v_least <= u_least:
        return v_out, v_least, True, u
    return u_out, u_least, False, u


@compiled(**_OPTIONS)
def _push(n, source, target, apex, amount, links, flow):
    """Move flow around the cycle that the entering arc closes."""
    u = source
    while u != apex:
        flow[u] += -amount if u < n else amount
        u = links[u, PARENT]
    u = target
    while u != apex:
        flow[u] += amount if u < n else -amount
        u = links[u, PARENT]


@compiled(**_OPTIONS)
def _rehang(leaving, inside, outside, cost, amount, links, arc_cost, flow, size):
    """Reverse the path from `inside` up to `leaving` and hang it under `outside`.

    `inside` is not yet entered among the children of `outside`: the caller moves potentials first.
    """
    total = size[leaving]
    parent, new_cost, new_flow = outside, cost, amount
    u, before, first = inside, np.int32(0), True
    while True:
        old_parent, old_cost, old_flow, old_size = links[u, PARENT], arc_cost[u], flow[u], size[u]
        _remove_child(links, old_parent, u)
        links[u, PARENT] = parent
        arc_cost[u] = new_cost
        flow[u] = new_flow
        size[u] = total - before
        if not first:
            _add_child(links, parent, u)
        first = False
        if u == leaving:
            return
        before = old_size
        parent, new_cost, new_flow, u = u, old_cost, old_flow, old_parent


@compiled(**_OPTIONS)
def _shift(start, count, amount, links, potential, queue):
    """Add to the potentials of the subtree of `start`, which has `count` nodes.

    Breadth first and without branches: the loads of consecutive nodes do not wait for each other, which is what
    a walk along the tree's links spends its time on.
    """
    sibling = links[start, _NEXT]
    links[start, _NEXT] = -1
    queue[0] = start
    end = 1
    for k in range(count):
        u = queue[k]
        potential[u] += amount
        link = links[u, _CHILD]
        queue[end] = link
        end += link >= 0
        link = links[u, _NEXT]
        queue[end] = link
        end += link >= 0
    links[start, _NEXT] = sibling


@compiled(**_OPTIONS)
def pivot(
    n,
    sources,
    targets,
    costs,
    relative,
    absolute,
    block,
    limit,
    links,
    arc_cost,
    flow,
    potential,
    size,
    queue,
    position,
):
    """Up to `limit` pivots; returns (pivots made, whether no arc is violated, position).

    queue has two entries more than there are nodes. `position` is where the next search for an arc begins.
    """
    nodes = len(links)
    hub = nodes - 1
    for pivots in range(limit):
        entering, position = _entering(sources, targets, costs, potential, relative, absolute, block, position)
        if entering < 0:
            return pivots, True, position
        source, target, cost = sources[entering], targets[entering], costs[entering]
        leaving, amount, on_target_side, apex = _leaving(n, source, target, links, flow, size)
        inside, outside = (target, source) if on_target_side else (source, target)
        if amount > 0:
            _push(n, source, target, apex, amount, links, flow)
        moved = size[leaving]
        u = links[leaving, PARENT]
        while u != apex:
            size[u] -= moved
            u = links[u, PARENT]
        u = outside
        while u != apex:
            size[u] += moved
            u = links[u, PARENT]
        shift = potential[outside] + (-cost if inside < n else cost) - potential[inside]
        _rehang(leaving, inside, outside, cost, amount, links, arc_cost, flow, size)
        if 2 * moved <= nodes:
            _shift(inside, moved, shift, links, potential, queue)
        else:
            _shift(hub, nodes - moved, -shift, links, potential, queue)
        _add_child(links, outside, inside)
    return limit, False, position
