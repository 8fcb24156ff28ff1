"""The exact method on laws with atoms: alignment by points, laws of f-divergences under it, and its refusals."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import point_sets, probabilities

import divkit
from divkit import Discrete, Exact, Samples, Unsupported, as_measure
from divkit.catalog import DIVERGENCES, resolve_divergence
from divkit.divergences import DerivedDivergence, FDivergence
from divkit.methods.exact import align, certified

ALL = [name for name, div in DIVERGENCES.items() if isinstance(div, FDivergence | DerivedDivergence)]


@st.composite
def discrete(draw: st.DrawFn, d: int = 1) -> Discrete:
    """Atoms on a coarse lattice, so that two laws share some and one law repeats some."""
    points = draw(point_sets(d, 5))
    return Discrete(draw(probabilities(len(points))), np.round(points))


def by_atom(law: Discrete) -> dict[tuple[float, ...], float]:
    assert law.points is not None
    total: dict[tuple[float, ...], float] = defaultdict(float)
    for atom, mass in zip(law.points.tolist(), law.probs, strict=True):
        total[tuple(atom)] += float(mass)  # 0.0 == -0.0 as keys
    return total


def value(name: str, P: Discrete, Q: Discrete) -> divkit.Estimate:
    return divkit.estimate(P, Q, name, "exact")


@given(P=discrete(), Q=discrete())
def test_agrees_with_masses_collected_atom_by_atom(P: Discrete, Q: Discrete) -> None:
    first, second = by_atom(P), by_atom(Q)
    atoms = sorted(first | second)
    p, q = (np.array([masses.get(atom, 0.0) for atom in atoms]) for masses in (first, second))
    for name in ALL:
        truth, got = float(oracles.divergence(name, p, q)), value(name, P, Q)
        # Repeated atoms add in another order, a rounding of each mass: to that kl is sensitive by |log p/q| < 31 + 1,
        # and the others less, relative to their own value or to 1.
        assert got == pytest.approx(truth, rel=1e-13, abs=1e-14)
        assert got.info["atoms"] == len(atoms)


@given(d=st.integers(1, 3), data=st.data())
def test_alignment_keeps_every_mass_on_its_atom(d: int, data: st.DataObject) -> None:
    P, Q = data.draw(discrete(d)), data.draw(discrete(d))
    p, q = align(P, Q)
    assert len(p) == len(q) == len(by_atom(P) | by_atom(Q))
    for aligned, law in ((p, P), (q, Q)):
        assert aligned.sum() == pytest.approx(1, abs=1e-15)
        assert sorted(aligned[aligned > 0]) == pytest.approx(
            sorted(m for m in by_atom(law).values() if m > 0), rel=1e-15
        )


@given(P=discrete(2), Q=discrete(2), data=st.data())
def test_neither_the_order_nor_the_place_of_the_atoms_counts(P: Discrete, Q: Discrete, data: st.DataObject) -> None:
    assert P.points is not None
    assert Q.points is not None
    order = np.array(data.draw(st.permutations(range(len(P.probs)))))
    moved = Discrete(P.probs[order], P.points[order] * 2.0**900), Discrete(Q.probs, Q.points * 2.0**900)
    for name in ALL:
        assert value(name, *moved) == pytest.approx(float(value(name, P, Q)), rel=1e-13, abs=1e-14)  # as above


@given(P=discrete())
def test_a_law_and_itself_differ_by_nothing(P: Discrete) -> None:
    for name in ALL:
        assert value(name, P, P) == (-math.log(4) if name == "gan" else 0.0)


@given(P=discrete(), Q=discrete())
def test_atoms_of_mass_zero_change_nothing(P: Discrete, Q: Discrete) -> None:
    assert P.points is not None
    padded = Discrete(np.append(P.probs, 0.0), np.append(P.points[:, 0], 99.0))
    for name in ALL:
        # The sums have one term more, and may round in another order.
        assert value(name, padded, Q) == pytest.approx(float(value(name, P, Q)), rel=1e-15, abs=1e-15)


def test_minus_zero_is_the_atom_zero() -> None:
    assert value("kl", Discrete([1.0], [-0.0]), Discrete([1.0], [0.0])) == 0
    assert value("total_variation", Discrete([1.0], [[0.0, -0.0]]), Discrete([1.0], [[-0.0, 0.0]])) == 0


def test_atoms_one_rounding_apart_are_two_atoms() -> None:
    P, Q = Discrete([1.0], [1.0]), Discrete([1.0], [np.nextafter(1.0, 2.0)])
    assert value("kl", P, Q) == math.inf
    assert value("jsd", P, Q) == math.log(2)


@given(P=discrete(), Q=discrete())
def test_the_certificate_holds_the_multiprecision_value(P: Discrete, Q: Discrete) -> None:
    p, q = align(P, Q)
    for name in ALL:
        got, truth = value(name, P, Q), float(oracles.divergence(name, p, q))
        assert got.interval is not None
        # Aligned vectors that sum to 1 + 1e-16 may pass the supremum by as much; their laws cannot.
        assert got.interval[0] <= min(truth, resolve_divergence(name).upper) <= got.interval[1]


@pytest.mark.parametrize("name", ["kl", "gan"])
def test_a_divergence_written_in_u_claims_less_than_one_written_in_logs(name: str) -> None:
    div = resolve_divergence(name)
    assert isinstance(div, FDivergence)
    assert certified(div, 0.0, 1).info["gap"] == (0.0 if name == "kl" else 1e-15)


@pytest.mark.parametrize("name", ["kl", "reverse_kl", "pearson_chi2", "neyman_chi2", "jeffreys"])
def test_an_infinite_divergence_is_certain(name: str) -> None:
    infinite = value(name, Discrete([0.5, 0.5], [0, 1]), Discrete([0.5, 0.5], [2, 3]))
    assert infinite == math.inf
    assert infinite.interval == (math.inf, math.inf)


D1, D2 = Discrete([0.5, 0.5], [0.0, 1.0]), Discrete([1.0], [[0.0, 1.0]])
REFUSED: list[tuple[str, Any, Any, str]] = [
    ("wasserstein1", D1, D1, "wasserstein1 is no f-divergence"),
    ("kl", D1, Samples([0.0]), "it needs two Discrete laws"),
    ("kl", D1, Discrete([0.5, 0.5]), "one law has points and the other has none"),
    ("kl", Discrete([1.0]), Discrete([0.5, 0.5]), "the laws have 1 and 2 atoms and no points to match them by"),
]


@pytest.mark.parametrize(("name", "P", "Q", "message"), REFUSED)
def test_what_it_cannot_compare_is_refused_with_the_reason(name: str, P: Any, Q: Any, message: str) -> None:
    with pytest.raises(Unsupported, match=f"method 'exact' cannot compute {name} here: {message}"):
        divkit.estimate(P, Q, name, "exact")


def test_points_of_other_dimensions_are_refused() -> None:
    assert Exact().refusal(resolve_divergence("kl"), D1, D2) == "the points have dimensions 1 and 2"
    with pytest.raises(divkit.InvalidInput, match="their dimensions are 1 and 2"):
        divkit.estimate(D1, D2, "kl")


def test_a_generator_of_ones_own_is_summed() -> None:
    le_cam = divkit.FDivergence.from_generator(
        "le_cam",
        f=lambda u: (u - 1) ** 2 / (u + 1),
        df=lambda u: (u - 1) * (u + 3) / (u + 1) ** 2,
        f_zero=1.0,
        slope_inf=1.0,
    )
    got = divkit.estimate(D1, Discrete([0.25, 0.75], [1.0, 2.0]), le_cam)
    # Atoms 0, 1, 2 with p = (1/2, 1/2, 0), q = (0, 1/4, 3/4): the sum of (p - q)^2/(p + q).
    assert got == pytest.approx(0.5 + (1 / 16) / (3 / 4) + 0.75, rel=1e-15)
    assert got.divergence == "le_cam"


def test_measures_pass_through_the_adapter_to_the_same_number() -> None:
    import scipy.stats

    listed = as_measure(scipy.stats.rv_discrete(values=([0, 1], [0.25, 0.75]))())
    assert divkit.kl(D1, listed) == divkit.kl([0.5, 0.5], [0.25, 0.75])
