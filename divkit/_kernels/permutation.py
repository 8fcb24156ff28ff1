"""Loops of permutation tests: labels handed out at random, and statistics of the line from one sort."""

from __future__ import annotations

import numpy as np

from divkit._compile import compiled

__all__ = ["hand_out", "line_values"]

_OPTIONS = {"error_model": "numpy", "nogil": True}


@compiled(**_OPTIONS)
def hand_out(out, order, starts, chosen, rng):
    """Rows of labels (b, N) with as many True in each group as asked, all such rows equally likely.

    Group g is order[starts[g]:starts[g + 1]] and gets chosen[g] of them. Invariant: of the `left` places that are still
    to be labelled, `wanted` get True, so the next one does with probability wanted/left (selection sampling).
    """
    for row in range(out.shape[0]):
        for g in range(chosen.size):
            wanted, left = chosen[g], starts[g + 1] - starts[g]
            for k in range(starts[g], starts[g + 1]):
                take = rng.random() * left < wanted
                out[row, order[k]] = take
                wanted -= 1 if take else 0
                left -= 1


@compiled(**_OPTIONS)
def line_values(out, labels, n, order, gaps, power):
    """Of F - G on each of L lines, for rows of labels (b, N): integral of |F - G|^power, or sup |F - G| for power 0.

    Parameters: out (b, L); labels, True for n points of x in every row; order (L, N) sorts the pooled points; gaps
    (L, N) to the next one, the last of which is 0. Invariant: F - G = excess/(n m) exactly, in integers.
    """
    lines, total = order.shape
    m = total - n
    unit = 1.0 / (np.float64(n) * np.float64(m))
    for row in range(labels.shape[0]):
        for line in range(lines):
            excess, found = 0, 0.0
            for k in range(total):
                excess += m if labels[row, order[line, k]] else -n
                gap = gaps[line, k]
                if power == 1:
                    found += abs(excess) * gap
                elif power == 2:
                    found += (excess * unit) * (excess * unit) * gap
                elif gap > 0.0:  # points that tie jump together
                    found = max(found, np.float64(abs(excess)))
            out[row, line] = found if power == 2 else found * unit
