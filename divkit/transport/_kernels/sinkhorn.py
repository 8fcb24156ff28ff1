"""Half-steps of Sinkhorn's algorithm in the log domain, on a list of arcs."""

from __future__ import annotations

import numpy as np

from divkit._compile import compiled

__all__ = ["soft_minimum_step"]

_OPTIONS = {"error_model": "numpy", "nogil": True}
_FAST = {"nnan", "nsz", "reassoc", "contract", "arcp", "afn"}


@compiled(fastmath=_FAST, **_OPTIONS)
def _sum_of_exponentials(values, least, scale, bits, powers):
    """Sum of exp(-(values - least) scale) to 1e-6, for values (k,).

    2^whole is made by writing its exponent into the bits of a float32, and 2^fraction by a polynomial: unlike the
    library's exp, all of it vectorises. `powers` is the memory of `bits` (int32) seen as float32.
    """
    count = len(values)
    total = np.float32(0.0)
    unit = 1.4426950408889634 * scale
    for q in range(count):
        z = np.float32(max((least - values[q]) * unit, -120.0))
        whole = np.floor(z)
        bits[q] = (np.int32(whole) + np.int32(127)) << np.int32(23)
        values[q] = z - whole
    for q in range(count):
        r = np.float32(values[q]) * np.float32(0.6931471805599453)
        series = np.float32(1 / 120) + r * np.float32(1 / 720)
        series = np.float32(1 / 6) + r * (np.float32(1 / 24) + r * series)
        total += powers[q] * (np.float32(1.0) + r * (np.float32(1.0) + r * (np.float32(0.5) + r * series)))
    return total


@compiled(**_OPTIONS)
def soft_minimum_step(low, high, pointers, partners, costs, own, other, log_masses, epsilon, relaxation):
    """own <- (1 - r) own + r (softmin_epsilon over its arcs of cost - other, plus epsilon log mass), in place.

    Only nodes [low, high). The arcs of node i are [pointers[i], pointers[i + 1]) of partners and costs; a node without
    arcs stays as it is.
    """
    widest = 1
    for i in range(low, high):
        widest = max(widest, pointers[i + 1] - pointers[i])
    values = np.empty(widest, np.float64)
    bits = np.empty(widest, np.int32)
    powers = bits.view(np.float32)
    for i in range(low, high):
        start, stop = pointers[i], pointers[i + 1]
        if stop == start:
            continue
        least = np.inf
        for e in range(start, stop):
            value = costs[e] - other[partners[e]]
            values[e - start] = value
            least = min(least, value)
        total = np.float64(_sum_of_exponentials(values[: stop - start], least, 1.0 / epsilon, bits, powers))
        target = least - epsilon * np.log(total) + epsilon * log_masses[i]
        own[i] += relaxation * (target - own[i])
