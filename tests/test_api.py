"""The verbs: what a bare array means, what can be mixed, what `auto` takes, and what is refused with which words."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import oracles
import pytest
import scipy.special
import scipy.stats as st
from hypothesis import given, settings
from hypothesis import strategies as hs
from strategies import F, masses, point_sets, probability_pairs, read_only

import divkit
from divkit import Discrete, InvalidInput, Samples, Unsupported
from divkit.catalog import DIVERGENCES, resolve_divergence

VERBS = [name for name in DIVERGENCES if name != "gan" and not name.startswith("wasserstein")]
P, Q = read_only([0.5, 0.25, 0.25]), read_only([0.25, 0.5, 0.25])
X, Y = read_only([0.0, 1.0, 3.0]), read_only([5.0, 6.0, 8.0])


def verb(name: str) -> Any:
    return getattr(divkit, name)


@pytest.mark.parametrize("name", VERBS)
@settings(max_examples=20)  # the sums themselves have their tests; this one is about the ways to them
@given(pair=probability_pairs())
def test_vectors_measures_and_estimate_give_one_number(name: str, pair: tuple[F, F]) -> None:
    p, q = pair
    value = verb(name)(p, q)
    assert value == verb(name)(Discrete(p), q) == verb(name)(p, Discrete(q))
    assert value == divkit.estimate(Discrete(p), Discrete(q), name)
    assert (value.divergence, value.method, value.bound, value.estimand) == (name, "exact", "exact", "given")
    # Vectors that sum to 1 + 1e-16 may pass the supremum by as much; their laws cannot.
    truth = min(oracles.divergence(name, p, q), resolve_divergence(name).upper)
    assert value.interval is not None
    assert value.interval[0] <= truth <= value.interval[1]
    assert value.level == 1.0


@pytest.mark.parametrize(
    "convert",
    [list, tuple, lambda v: v.astype(np.float32), lambda v: v.astype(">f8"), lambda v: np.repeat(v, 2)[::2]],
    ids=["list", "tuple", "float32", "big endian", "strided"],
)
@pytest.mark.parametrize("name", VERBS)
def test_the_container_does_not_matter(name: str, convert: Any) -> None:
    assert verb(name)(convert(P), convert(Q)) == verb(name)(P, Q)  # multiples of 1/4 in every type


@pytest.mark.parametrize("options", [{"requires_grad": True}, {"dtype": "float16"}, {"dtype": "bfloat16"}, {}])
def test_tensors_are_read_by_every_verb(options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    if "dtype" in options:
        options = {"dtype": getattr(torch, options["dtype"])}
    p, q = (torch.tensor(v.tolist(), **options) for v in (P, Q))
    assert divkit.kl(p, q) == divkit.kl(P, Q)
    assert divkit.wasserstein1(p, q) == divkit.wasserstein1(P, Q)
    assert type(divkit.wasserstein1(torch.tensor([True, False]), [0])) is divkit.Estimate


@given(x=point_sets(1), y=point_sets(1), p=hs.sampled_from([1.0, 2.0, math.inf]))
def test_a_column_is_a_vector(x: F, y: F, p: float) -> None:
    value = divkit.wasserstein(x, y, p=p)
    assert value == divkit.wasserstein(x[:, 0], y, p=p) == divkit.wasserstein(x[:, 0], y[:, 0], p=p)
    assert value.method == "line"


@given(x=point_sets(1), y=point_sets(1), data=hs.data())
def test_arrays_samples_and_discrete_points_give_one_distance(x: F, y: F, data: hs.DataObject) -> None:
    a, b = data.draw(masses(len(x))), data.draw(masses(len(y)))
    value = divkit.wasserstein1(x, y, a, b)
    samples, atoms = Samples(x, a), Discrete(divkit.normalize(a), x)
    others = [divkit.wasserstein1(P, Samples(y, b)) for P in (samples, atoms)]
    for other in (*others, divkit.estimate(samples, Samples(y, b), "wasserstein1")):
        # Masses normalised twice carry one more rounding, which the certificates allow for.
        assert abs(other - value) <= other.info["gap"] + value.info["gap"]
    assert divkit.wasserstein1(x, Samples(y)) == divkit.wasserstein1(x, y)


@pytest.mark.parametrize("d", [2, 3])
@given(data=hs.data())
def test_points_in_space_agree_with_all_matchings(d: int, data: hs.DataObject) -> None:
    n = data.draw(hs.integers(1, 4))
    x, y = (data.draw(point_sets(d, n).filter(lambda v: len(v) == n)) for _ in range(2))
    value = divkit.wasserstein1(x, y)
    assert value == pytest.approx(oracles.assignment(x, y, 1), rel=1e-12, abs=1e-14)
    assert value.method == "column_generation"
    assert value.interval is not None
    assert value.interval[0] <= value <= value.interval[1]


def test_ranges_and_integers_are_positions() -> None:
    assert divkit.wasserstein1(range(3), range(5)) == 1.0
    assert divkit.wasserstein1(np.array([0, 1], dtype=np.uint8), [2, 1]) == 1.0  # |0 - 2| does not wrap around


AUTO = [
    ((P, Q), "kl", "exact"),
    ((X, Y), "wasserstein1", "line"),
    ((X[:, None], Y), "wasserstein1", "line"),
    ((np.eye(2), np.zeros((1, 2))), "wasserstein1", "column_generation"),
    ((Discrete(P, X), Samples(Y)), "wasserstein1", "line"),
    ((st.norm(), st.norm(1)), "kl", "closed_form"),
    ((st.norm(), st.norm(1)), "wasserstein1", "closed_form"),
    ((st.norm(), st.t(3)), "kl", "quadrature"),
    ((st.norm(), st.t(3)), "wasserstein1", "quadrature"),
    ((st.multivariate_t(np.zeros(3)), st.multivariate_normal(np.zeros(3))), "jsd", "monte_carlo"),
]


@pytest.mark.parametrize(("pair", "name", "method"), AUTO, ids=[f"{n}-{m}-{k}" for k, (_, n, m) in enumerate(AUTO)])
def test_the_estimate_names_what_auto_chose(pair: tuple[Any, Any], name: str, method: str) -> None:
    value = verb(name)(*pair, rng=0)
    assert (value.method, value.divergence) == (method, name)


def test_laws_of_scipy_have_their_textbook_divergence() -> None:
    assert divkit.kl(st.norm(0, 1), st.norm(1, 1)) == 0.5
    assert divkit.wasserstein(st.norm(0, 1), st.norm(3, 1), p=2) == 3.0
    binomial = divkit.kl(st.binom(5, 0.3), st.poisson(1.5))
    k = np.arange(6)
    truth = scipy.special.rel_entr(st.binom(5, 0.3).pmf(k), st.poisson(1.5).pmf(k)).sum()
    assert binomial == pytest.approx(truth, rel=1e-9)  # quadrature aims at 1e-10


@pytest.mark.parametrize("method", ["exact", divkit.Exact()])
def test_a_method_may_be_a_name_or_an_object(method: Any) -> None:
    assert divkit.kl(P, Q, method=method) == divkit.kl(P, Q)


@pytest.mark.parametrize("method", ["line", "emd", "lp", divkit.EMD(metric="cityblock")])
def test_all_transport_methods_agree_on_the_line(method: Any) -> None:
    # The optimal potential of an LP is exact here: vertices of integer problems are integers.
    assert divkit.wasserstein1(X, Y, method=method) == pytest.approx(5.0, rel=1e-12)


def test_equal_seeds_give_equal_estimates_and_levels_order_intervals() -> None:
    laws = st.multivariate_t(np.zeros(3)), st.multivariate_normal(np.zeros(3))
    first, second = (divkit.jsd(*laws, rng=np.random.default_rng(5), level=0.5) for _ in range(2))
    wide = divkit.jsd(*laws, rng=5, level=0.99)
    assert first.to_dict() == second.to_dict()
    assert (float(wide), wide.level) == (float(first), 0.99)
    assert first.interval is not None
    assert wide.interval is not None
    assert wide.interval[0] < first.interval[0] < first.interval[1] < wide.interval[1]


@pytest.mark.parametrize(("scale", "shift"), [(1e-300, 0.0), (1e300, 0.0), (1.0, 1e8), (2.0**-1000, 0.0)])
def test_distances_survive_extreme_units(scale: float, shift: float) -> None:
    x, y = np.array([[0.0, 0.0], [0.0, 1.0]]), np.array([[3.0, 4.0], [3.0, 5.0]])
    for a, b in ((x, y), (x[:, 1], y[:, 1])):
        expected = scale * divkit.wasserstein1(a, b)
        assert divkit.wasserstein1(scale * a + shift, scale * b + shift) == pytest.approx(expected, rel=1e-12)


def test_a_distance_beyond_the_largest_float_is_an_error_not_a_number() -> None:
    with pytest.raises(InvalidInput, match="beyond the range of float64; divide the points by a power of two"):
        divkit.wasserstein([-1.7e308, 1.7e308], [1.7e308], p=2)


def test_inputs_are_left_alone() -> None:
    before = [v.copy() for v in (P, Q, X, Y)]
    divkit.kl(P, Q)
    divkit.wasserstein(X, Y, P, Q, 2)
    divkit.wasserstein1(X[:, None] * [1, 1], Y[:, None] * [1, 1], P, Q)
    for now, then in zip((P, Q, X, Y), before, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_carries_its_name_and_a_true_example(name: str) -> None:
    assert verb(name).__name__ == verb(name).__qualname__ == name
    example = verb(name).__doc__.rpartition(">>> ")[2]
    call, expected = example.splitlines()[:2]
    assert eval(call, {"divkit": divkit}) == float(expected)


D = Discrete([0.5, 0.5], [0.0, 1.0])
REFUSALS: list[tuple[str, tuple[Any, ...], dict[str, Any], type[Exception], str]] = [
    (
        "kl",
        ([[0.5, 0.5]], P),
        {},
        InvalidInput,
        r"p must be a probability vector of shape \(n,\), got shape \(1, 2\); wr",
    ),
    ("kl", (P, np.eye(2)), {}, InvalidInput, r"q must be .*divkit\.Samples\(q\), or use divkit\.exact for a batch"),
    ("kl", ([[1], [1, 2]], P), {}, InvalidInput, "p must be a rectangular array"),
    ("kl", ([], []), {}, InvalidInput, "equal, positive length"),
    ("kl", (P, [0.5, 0.5]), {}, InvalidInput, "got 3 and 2; laws on different atoms need divkit.Discrete with points"),
    ("kl", (P, "ab"), {}, InvalidInput, "q must be a measure, got str"),
    ("kl", (None, Q), {}, InvalidInput, "p must be a measure, got NoneType"),
    ("kl", (P, Q), {"level": 95}, InvalidInput, "level must be a number between 0 and 1"),
    ("kl", (P, Q), {"rng": "a"}, InvalidInput, "rng must be None"),
    ("kl", (P, Q), {"method": "best"}, InvalidInput, "method must be one of auto, exact, .*; got 'best'"),
    ("kl", (P, Q), {"method": divkit.Exact}, InvalidInput, r"got the class Exact; pass Exact\(\)"),
    ("kl", (P, Q), {"method": None}, InvalidInput, "method must be one of"),
    ("kl", (P, Q), {"method": "line"}, Unsupported, "method 'line' cannot compute kl here: kl is no Wasserstein"),
    ("kl", (D, Samples(Y)), {}, Unsupported, "Two Samples can be compared in any f-divergence"),
    ("kl", (st.norm(), Samples(X)), {}, Unsupported, "draw Samples from the law"),
    ("kl", (D, st.norm()), {}, Unsupported, "mutually singular.*evaluate its probabilities at the atoms"),
    ("kl", (D, [0.5, 0.5]), {}, Unsupported, "one law has points and the other has none"),
    ("kl", (D, Discrete([1.0], [[1, 2]])), {}, InvalidInput, "their dimensions are 1 and 2"),
    ("wasserstein1", ([], [1.0]), {}, InvalidInput, "x is empty"),
    ("wasserstein1", ([1.0], np.zeros((0, 2))), {}, InvalidInput, "y is empty"),
    ("wasserstein1", (1.0, [1.0]), {}, InvalidInput, "x must be a measure, got float"),
    ("wasserstein1", (np.ones((2, 2)), np.ones((2, 3))), {}, InvalidInput, "x and y must have the same .* got 2 and 3"),
    ("wasserstein1", ([1.0], np.ones((2, 3))), {}, InvalidInput, "got 1 and 3"),
    ("wasserstein1", (Samples([1.0]), Samples(np.ones((1, 2)))), {}, InvalidInput, "dimensions are 1 and 2"),
    ("wasserstein1", ([math.nan], [1.0]), {}, InvalidInput, r"x must be finite, but x\[0\] is nan"),
    ("wasserstein1", ([[0, math.inf]], [[1.0, 0]]), {}, InvalidInput, r"x\[\(0, 1\)\] is inf"),
    ("wasserstein1", (X, Y, [1, 1]), {}, InvalidInput, r"x_weights must have shape \(3,\)"),
    (
        "wasserstein1",
        (X, Samples(Y), P, Q),
        {},
        InvalidInput,
        "y_weights goes with an array y; the measure y has its own",
    ),
    ("wasserstein1", (D, Y), {"x_weights": [1, 1]}, InvalidInput, "x_weights goes with an array x"),
    ("wasserstein1", (Discrete(P), Discrete(Q)), {}, Unsupported, "Discrete without points has no distances; give it"),
    ("wasserstein1", (X, st.norm()), {}, Unsupported, "draw Samples from the law"),
    ("wasserstein1", (X, Y), {"method": "exact"}, Unsupported, "wasserstein1 is no f-divergence"),
    ("wasserstein", (X, Y), {"p": 0.5}, InvalidInput, "p must be a number >= 1"),
    ("wasserstein", (X, Y), {"p": True}, InvalidInput, "p must be a number >= 1"),
    ("estimate", (P, Q, "kl"), {}, InvalidInput, r"P must be a measure, got ndarray; wrap arrays in divkit\.Discrete"),
    ("estimate", (D, D, "kll"), {}, InvalidInput, "divergence 'kll' is unknown; did you mean 'kl'"),
    ("estimate", (D, D, None), {}, InvalidInput, "divergence must be a name or a divergence object"),
    ("estimate", (D, D, divkit.Wasserstein().dual), {}, Unsupported, r"for its value pass divkit\.Wasserstein\(1\)"),
    ("estimate", (D, D, "kl"), {"level": 0}, InvalidInput, "level must be"),
    ("estimate", (D, D, "kl"), {"rng": -1}, InvalidInput, "rng must be"),
]


@pytest.mark.parametrize(
    ("name", "arguments", "options", "error", "message"),
    REFUSALS,
    ids=[f"{k}-{r[0]}-{r[4][:20]}" for k, r in enumerate(REFUSALS)],
)
def test_what_has_no_answer_is_refused_with_the_remedy(
    name: str, arguments: tuple[Any, ...], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        verb(name)(*arguments, **options)
