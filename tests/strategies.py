"""Hypothesis strategies shared by all tests: probability vectors with zeros, point sets, weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

F = NDArray[np.float64]


def read_only(array: Any) -> F:
    """A float64 array that nobody may write to."""
    copy = np.array(array, dtype=np.float64)
    copy.flags.writeable = False
    return copy


@st.composite
def probabilities(draw: st.DrawFn, n: int | None = None, positive: bool = False) -> F:
    """A probability vector; entries span many orders of magnitude and zeros are common."""
    size = draw(st.integers(1, 8)) if n is None else n
    entry = st.floats(-30.0, 0.0).map(lambda x: float(np.exp(x)))
    weights = draw(st.lists(entry if positive else st.just(0.0) | entry | entry, min_size=size, max_size=size))
    if sum(weights) == 0:
        weights[draw(st.integers(0, size - 1))] = 1.0
    array = np.array(weights)
    return read_only(array / array.sum())


@st.composite
def probability_pairs(draw: st.DrawFn, positive: bool = False) -> tuple[F, F]:
    """Two probability vectors of one length; sometimes nearly equal."""
    n = draw(st.integers(1, 8))
    p = draw(probabilities(n, positive))
    if draw(st.integers(0, 3)) == 0:
        step = draw(st.sampled_from([1e-2, 1e-6, 1e-10, 1e-14]))
        signs = draw(arrays(np.float64, n, elements=st.floats(-1, 1)))
        q = p * (1 + step * signs)
        return p, read_only(q / q.sum())
    return p, draw(probabilities(n, positive))


@st.composite
def point_sets(draw: st.DrawFn, d: int, max_size: int = 6) -> F:
    """(n, d) points on a coarse lattice or anywhere, so that ties and duplicates are common."""
    n = draw(st.integers(1, max_size))
    coordinate = st.integers(-3, 3).map(float) | st.floats(-10, 10, allow_subnormal=False).map(lambda v: round(v, 6))
    return read_only(draw(arrays(np.float64, (n, d), elements=coordinate)))


def masses(n: int) -> st.SearchStrategy[F]:
    """n non-negative weights with a positive sum, unnormalised, zeros common."""
    entry = st.just(0.0) | st.integers(1, 4).map(float) | st.floats(1e-3, 1e3)
    return st.lists(entry, min_size=n, max_size=n).filter(lambda w: sum(w) > 0).map(read_only)
