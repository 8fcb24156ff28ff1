"""Point sets and weights for the tests of exact transport."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from divkit.divergences import Wasserstein
from divkit.measures import Samples
from divkit.transport.emd import EMD


def distance(x, y, p=1.0, *, x_weights=None, y_weights=None, method=None):
    """W_p through the method interface."""
    return (method or EMD()).estimate(
        Wasserstein(p), Samples(x, x_weights), Samples(y, y_weights), level=0.95, rng=np.random.default_rng(0)
    )


def frozen(array):
    array = np.array(array)
    array.flags.writeable = False
    return array


@st.composite
def point_sets(draw, count=2, max_size=8):
    """`count` sets of up to max_size points in a common dimension, on a coarse lattice so that ties are common."""
    d = draw(st.integers(1, 3))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    sizes = [draw(st.integers(1, max_size)) for _ in range(count)]
    if draw(st.booleans()):
        return [frozen(rng.integers(-3, 4, size=(n, d)).astype(float)) for n in sizes]
    return [frozen(rng.normal(size=(n, d))) for n in sizes]


@st.composite
def weights(draw, n):
    """Weights with zeros, as counts or as floats."""
    counts = draw(st.lists(st.integers(0, 5), min_size=n, max_size=n).filter(any))
    factor = draw(st.sampled_from([1.0, 0.37, 1e-200, 1e200]))
    return frozen(np.array(counts) * factor)
