"""`Line`, W_p on the line as a method: its certificate, the measures it takes, its refusals."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import oracles
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from strategies import F, masses, point_sets, read_only

import divkit
from divkit import Discrete, InvalidInput, Line, Samples, Unsupported, Wasserstein
from divkit.catalog import DIVERGENCES
from divkit.transport.line import line_estimate


@st.composite
def weighted(draw: st.DrawFn) -> tuple[F, F]:
    points = draw(point_sets(1, 8))[:, 0]
    return points, draw(masses(len(points)))


def exactly(x: F, y: F, a: F, b: F) -> Fraction:
    """W_1 in rational arithmetic, as the integral of |F - G|."""
    jumps = [
        (Fraction(float(point)), sign * Fraction(float(mass)) / sum(map(Fraction, masses.tolist())))
        for sign, points, masses in ((1, x, a), (-1, y, b))
        for point, mass in zip(points, masses, strict=True)
    ]
    jumps.sort(key=lambda jump: jump[0])
    total, height = Fraction(0), Fraction(0)
    for (at, jump), (following, _) in pairwise(jumps):
        height += jump
        total += abs(height) * (following - at)
    return total


@given(first=weighted(), second=weighted())
def test_the_certificate_holds_the_rational_value(first: tuple[F, F], second: tuple[F, F]) -> None:
    (x, a), (y, b) = first, second
    got = line_estimate(x, y, a, b, 1.0)
    assert got.interval is not None
    assert got.interval[0] <= exactly(x, y, a, b) <= got.interval[1]
    assert got.interval[1] - got.interval[0] <= 2.1 * got.info["gap"]
    assert got.level == 1.0


@given(x=point_sets(1, 8), y=point_sets(1, 8), exponent=st.sampled_from([-1000, -30, 0, 30, 900]))
def test_without_weights_the_certificate_holds_at_any_scale(x: F, y: F, exponent: int) -> None:
    u, v = np.ldexp(x[:, 0], exponent), np.ldexp(y[:, 0], exponent)
    got = line_estimate(u, v, None, None, 1.0)
    truth = exactly(u, v, np.ones(len(u)), np.ones(len(v)))
    assert got.interval is not None
    assert got.interval[0] <= truth <= got.interval[1]


@pytest.mark.parametrize("p", [1.0, 2.0, 3.5, math.inf])
@given(x=point_sets(1, 6), data=st.data())
def test_equal_sizes_agree_with_all_matchings(p: float, x: F, data: st.DataObject) -> None:
    y = data.draw(point_sets(1, len(x)).filter(lambda v: len(v) == len(x)))
    got = divkit.estimate(Samples(x), Samples(y), Wasserstein(p), Line())
    assert got == pytest.approx(oracles.assignment(x, y, p), rel=1e-13, abs=1e-15)  # a mean, a power and a root
    assert got.interval is not None
    assert got.interval[0] <= got <= got.interval[1]


@given(first=weighted(), second=weighted(), p=st.sampled_from([1.0, 2.0]))
def test_samples_and_discrete_laws_can_be_mixed(first: tuple[F, F], second: tuple[F, F], p: float) -> None:
    (x, a), (y, b) = first, second
    laws = Samples(x, a), Discrete(divkit.normalize(b), y)
    mixed, plain = divkit.estimate(*laws, Wasserstein(p), "line"), divkit.wasserstein(x, y, a, b, p)
    # Masses normalised once more differ by 1e-16, which moves W_p by at most (1e-15)^(1/p) times a range of 20.
    assert mixed == pytest.approx(plain, rel=1e-12, abs=20 * 1e-15 ** (1 / p))


@pytest.mark.parametrize(
    ("p", "name"), [(1, "wasserstein1"), (2.0, "wasserstein2"), (1.5, "wasserstein1.5"), (math.inf, "wasserstein_inf")]
)
def test_the_estimate_says_what_it_is(p: float, name: str) -> None:
    got = divkit.wasserstein([0.0, 1.0], [2.0], p=p, method="line")
    assert (got.divergence, got.method, got.bound, got.estimand) == (name, "line", "exact", "given")
    assert (got.info["n"], got.info["m"], got.info["p"]) == (2, 1, p)
    assert got.stderr is None


@pytest.mark.parametrize("p", [1.0, 2.0, math.inf])
def test_one_law_is_at_distance_zero_from_itself_with_certainty(p: float) -> None:
    x = read_only([3.0, 1.0, 2.0, 1.0])
    assert divkit.wasserstein(x, x[::-1], p=p).interval == (0.0, 0.0)


def test_a_distance_beyond_the_floats_is_refused() -> None:
    ends = [-1.7e308, 1.7e308]
    with pytest.raises(InvalidInput, match="beyond the range of float64; divide the points by a power of two"):
        divkit.wasserstein(ends, [1.7e308], p=math.inf, method="line")
    assert divkit.wasserstein(ends, [1.7e308]) == pytest.approx(1.7e308, rel=1e-15)


REFUSED: list[tuple[Any, Any, str, str]] = [
    (Samples([0.0]), Samples([0.0]), "kl", "kl is no Wasserstein distance"),
    (Discrete([1.0]), Samples([0.0]), "wasserstein1", "a Discrete without points has no distances; give it points"),
    (Samples([[0.0, 1.0]]), Samples([[0.0, 1.0]]), "wasserstein1", "the dimensions are 2 and 2, not 1"),
    (Samples([0.0]), scipy.stats.norm(), "wasserstein1", "it compares points with points; draw Samples from the law"),
    (scipy.stats.norm(), scipy.stats.norm(), "wasserstein1", "it takes points; for two laws there are closed_form and"),
]


@pytest.mark.parametrize(("P", "Q", "name", "reason"), REFUSED, ids=[r[3][:20] for r in REFUSED])
def test_what_it_cannot_compare_is_refused_with_the_reason(P: Any, Q: Any, name: str, reason: str) -> None:
    with pytest.raises(Unsupported, match=f"method 'line' cannot compute {name} here: {reason}"):
        divkit.estimate(P, Q, name, "line")


def test_no_f_divergence_is_accepted() -> None:
    accepted = [
        name for name, div in DIVERGENCES.items() if Line().refusal(div, Samples([0.0]), Samples([0.0])) is None
    ]
    assert accepted == ["wasserstein1", "wasserstein2"]
