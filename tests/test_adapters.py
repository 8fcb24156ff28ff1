"""`as_measure` on scipy.stats objects and on laws of one's own: what is read, and what is refused with which words."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import scipy.stats as st
from hypothesis import given
from hypothesis import strategies as hs
from strategies import F, read_only

import divkit
from divkit import Discrete, InvalidInput, Law, Samples, as_measure, families


def law(value: object) -> Law:
    measure = as_measure(value, "P")
    assert isinstance(measure, Law)
    return measure


def column(*points: float) -> F:
    return read_only(np.array(points)[:, None])


HISTOGRAM = st.rv_histogram(np.histogram([1.0, 1.1, 2.5, 2.6, 2.7, 4.0], bins=[0.0, 1.5, 3.0, 4.5]))
CONTINUOUS = [
    st.norm(1.0, 2.0),
    st.norm(loc=1.0, scale=2.0),
    st.norm(1.0, scale=2.0),
    st.t(3.0, 1.0, scale=0.5),
    st.gamma(2.0, 1.0, 3.0),
    st.gamma(a=2.0, scale=3.0),
    st.beta(2.0, 3.0, -1.0, 4.0),
    st.uniform(-1.0, 3.0),
    st.expon(1.0, 2.0),
    st.laplace(0.5, 2.0),
    st.chi2(3.0),
    st.lognorm(0.7),
    st.truncnorm(-1.0, 2.0),
    HISTOGRAM(),
    HISTOGRAM(2.0, scale=3.0),
]
COUNTING = [st.poisson(3.0), st.poisson(3.0, 2), st.binom(7, 0.3), st.bernoulli(0.3), st.geom(0.4, loc=-1)]


def ident(value: Any) -> str:
    return f"{value.dist.name}{value.args}{value.kwds}"


@pytest.mark.parametrize("frozen", CONTINUOUS, ids=ident)
def test_a_frozen_distribution_keeps_scipys_log_density(frozen: Any) -> None:
    x = np.concatenate([frozen.ppf(np.linspace(0.01, 0.99, 37)), frozen.ppf([1e-9, 1 - 1e-9])])
    np.testing.assert_allclose(law(frozen).log_density(x[:, None]), frozen.logpdf(x), rtol=1e-12)


@pytest.mark.parametrize("frozen", [*CONTINUOUS, *COUNTING], ids=ident)
def test_the_box_is_the_support_and_nothing_lies_outside(frozen: Any) -> None:
    measure = law(frozen)
    assert (measure.low[0], measure.high[0]) == tuple(frozen.support())
    outside = [end for end in (measure.low[0] - 1, measure.high[0] + 1) if math.isfinite(end)]
    assert (measure.log_density(column(*outside, math.inf, -math.inf)) == -math.inf).all()


@pytest.mark.parametrize("frozen", COUNTING, ids=ident)
def test_a_counting_law_has_mass_on_integers_alone(frozen: Any) -> None:
    k = np.arange(-3.0, 12.0)
    measure = law(frozen)
    assert measure.base == "counting"
    np.testing.assert_allclose(measure.log_density(k[:, None]), frozen.logpmf(k), rtol=1e-12)
    assert (measure.log_density(k[:, None] + 0.5) == -math.inf).all()


@pytest.mark.parametrize("frozen", CONTINUOUS, ids=ident)
def test_the_four_tail_functions_are_scipys(frozen: Any) -> None:
    measure, x, u = law(frozen), frozen.ppf([0.2, 0.7]), np.array([1e-12, 0.3])
    for ours, theirs, at in (
        (measure.cdf, frozen.cdf, x),
        (measure.sf, frozen.sf, x),
        (measure.quantile, frozen.ppf, u),
        (measure.isf, frozen.isf, u),
    ):
        assert ours is not None
        np.testing.assert_array_equal(ours(at), theirs(at))


@pytest.mark.parametrize(
    ("frozen", "expected"),
    [
        (st.expon(1.0, 2.0), families.Exponential(0.5, 1.0)),
        (st.laplace(scale=2.0), families.Laplace(0.0, 2.0)),
        (st.uniform(-1.0, 3.0), families.Uniform(-1.0, 2.0)),
        (st.gamma(2.0, scale=3.0), families.Gamma(2.0, 3.0)),
        (st.chi2(3.0, scale=2.0), families.Gamma(1.5, 4.0)),
        (st.beta(2.0, 3.0, -1.0, 4.0), families.Beta(2.0, 3.0, -1.0, 4.0)),
        (st.t(3.0, 1.0, 2.0), families.LocationScale(("scipy.stats.t", 3.0), 1.0, 2.0)),
        (st.bernoulli(0.3), families.Bernoulli(0.3)),
        (st.poisson(3.0), families.Poisson(3.0)),
        (st.poisson(3.0, 2), None),
        (st.binom(7, 0.3), None),
        (st.levy_stable(1.0, 0.5, 0.0, 2.0), None),  # scaled, it is shifted as well
        (HISTOGRAM(), None),
    ],
    ids=lambda v: ident(v) if hasattr(v, "dist") else "",
)
def test_families_are_recognised_with_their_parameters(frozen: Any, expected: object) -> None:
    assert law(frozen).family == expected


def test_a_distribution_that_borrows_a_known_name_is_not_taken_for_it() -> None:
    class Triangle(st.rv_continuous):
        def _pdf(self, x: F) -> F:
            return 2 * x

    assert law(Triangle(a=0.0, b=1.0, name="norm")()).family is None


@pytest.mark.parametrize(
    ("frozen", "kinks"),
    [
        (st.laplace(0.5, 2.0), (0.5,)),
        (st.triang(0.25, 1.0, 2.0), (1.5,)),
        (st.trapezoid(0.25, 0.75, 1.0, 2.0), (1.5, 2.5)),
        (st.dweibull(0.5, 3.0), (3.0,)),
        (HISTOGRAM(2.0, 3.0), (2.0, 6.5, 11.0, 15.5)),
        (st.norm(1.0), ()),
        (st.Mixture([st.Uniform(a=0, b=1), st.Uniform(a=3, b=4)]), (1.0, 3.0)),
    ],
)
def test_kinks_and_jumps_of_the_density_are_named(frozen: Any, kinks: tuple[float, ...]) -> None:
    assert law(frozen).breakpoints == kinks


@pytest.mark.parametrize("frozen", [st.rv_discrete(values=([1, 2, 4], [0.2, 0.5, 0.3]))])
@pytest.mark.parametrize("loc", [0, 3, -2])
def test_listed_values_become_atoms(frozen: Any, loc: int) -> None:
    for measure in (as_measure(frozen(loc)), as_measure(frozen(loc=loc))):
        assert isinstance(measure, Discrete)
        np.testing.assert_array_equal(measure.points, np.array([[1.0], [2.0], [4.0]]) + loc)
        np.testing.assert_array_equal(measure.probs, [0.2, 0.5, 0.3])


MULTIVARIATE = [
    st.multivariate_normal([0.0, 1.0], [[2.0, 0.5], [0.5, 1.0]]),
    st.multivariate_normal([1.0, 2.0], st.Covariance.from_diagonal([1.0, 4.0])),
    st.multivariate_normal(1.0, 4.0),
    st.multivariate_t([0.0, 1.0, 2.0], np.diag([1.0, 2.0, 3.0]), df=3),
]


@pytest.mark.parametrize("frozen", MULTIVARIATE)
def test_multivariate_laws_keep_scipys_log_density_at_any_number_of_points(
    frozen: Any, rng: np.random.Generator
) -> None:
    measure = law(frozen)
    for n in (1, 5):
        x = rng.standard_normal((n, measure.dim))
        np.testing.assert_allclose(measure.log_density(x), np.reshape(frozen.logpdf(x), n), rtol=1e-12)
        assert measure.draw(n, rng).shape == (n, measure.dim)


def test_a_singular_gaussian_lives_on_its_line() -> None:
    measure = law(st.multivariate_normal([0.0, 1.0], [[1.0, 1.0], [1.0, 1.0]], allow_singular=True))
    on_line = measure.log_density(np.array([[0.0, 1.0], [1.0, 2.0]]))
    # The one eigenvalue is 2, along (1, 1)/sqrt 2: N(0, 2) at arc lengths 0 and sqrt 2.
    np.testing.assert_allclose(on_line, st.norm(0, math.sqrt(2)).logpdf([0.0, math.sqrt(2)]), rtol=1e-12)
    assert measure.log_density(np.array([[1.0, 0.0]]))[0] == -math.inf
    assert measure.base == "length"


@pytest.mark.parametrize(
    ("rank", "base"), [(0, "counting"), (1, "length"), (2, "subspace of dimension 2"), (3, "lebesgue")]
)
def test_the_rank_of_the_covariance_says_what_the_density_is_per(rank: int, base: str) -> None:
    cov = np.diag((np.arange(3) < rank).astype(float))
    assert law(st.multivariate_normal(np.zeros(3), cov, allow_singular=True)).base == base


def test_a_singular_gaussian_is_infinitely_far_from_a_regular_law() -> None:
    singular = st.multivariate_normal([0.0, 0.0, 0.0], np.diag([1.0, 1.0, 0.0]), allow_singular=True)
    regular = st.multivariate_t([0.0, 0.0, 0.0], np.eye(3), df=3)
    assert divkit.kl(singular, regular, rng=0) == math.inf
    assert divkit.total_variation(singular, regular, rng=0) == 1.0


NEW_STYLE = [
    (st.Normal(mu=1.0, sigma=2.0), st.norm(1.0, 2.0)),
    (st.Normal(), st.norm()),
    (st.Uniform(a=-1.0, b=3.0), st.uniform(-1.0, 4.0)),
    (st.make_distribution(st.gamma)(a=2.0), st.gamma(2.0)),
    (st.truncate(st.Normal(), lb=-1.0, ub=2.0), st.truncnorm(-1.0, 2.0)),
    (2 * st.Normal() + 3, st.norm(3.0, 2.0)),
    (st.Binomial(n=7, p=0.3), st.binom(7, 0.3)),
    (st.make_distribution(st.poisson)(mu=3.0), st.poisson(3.0)),
]


@pytest.mark.parametrize(("new", "old"), NEW_STYLE, ids=lambda v: type(v).__name__)
def test_newer_classes_agree_with_the_frozen_ones(new: Any, old: Any) -> None:
    a, b = law(new), law(old)
    x = np.array([-5.0, -0.9, 0.0, 0.3, 1.0, 1.9, 40.0])[:, None]
    # SciPy's generic transformations subtract a log normaliser: a few roundings of numbers up to 1000.
    np.testing.assert_allclose(a.log_density(x), b.log_density(x), rtol=1e-12, atol=1e-12)
    assert (a.base, a.low[0], a.high[0]) == (b.base, b.low[0], b.high[0])
    assert a.cdf is not None
    assert b.cdf is not None
    np.testing.assert_allclose(a.cdf(x[:, 0]), b.cdf(x[:, 0]), rtol=1e-9, atol=1e-12)


def test_a_mixture_of_the_newer_kind_is_the_sum_of_its_parts() -> None:
    x = np.linspace(-4, 8, 50)
    mixture = law(st.Mixture([st.Normal(), st.Normal(mu=3.0, sigma=2.0)], weights=[0.3, 0.7]))
    expected = np.log(0.3 * st.norm.pdf(x) + 0.7 * st.norm(3, 2).pdf(x))
    np.testing.assert_allclose(mixture.log_density(x[:, None]), expected, rtol=1e-12)


@pytest.mark.parametrize(
    "value",
    [st.t(3), HISTOGRAM(), st.poisson(3), *MULTIVARIATE[:1], st.Normal(), st.make_distribution(st.gamma)(a=2.0)],
)
def test_draws_depend_on_the_generator_alone(value: Any) -> None:
    np.random.seed(1)  # noqa: NPY002 - the global state is what this test is about
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = (law(value).draw(7, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    assert (law(value).draw(7, np.random.default_rng(4)) != first).any()


@given(n=hs.integers(1, 50), seed=hs.integers(0, 2**32))
def test_draws_have_positive_density(n: int, seed: int) -> None:
    for value in (st.beta(2, 3), st.multivariate_normal([0, 0]), st.geom(0.3)):
        measure = law(value)
        assert np.isfinite(measure.log_density(measure.draw(n, np.random.default_rng(seed)))).all()


REFUSED = [
    (st.norm, r"norm_gen that divkit cannot read as one law; freeze it first by calling it: P\(...\) instead of P"),
    (HISTOGRAM, "rv_histogram .* freeze it first by calling it"),
    (st.rv_discrete(values=([1, 2], [0.3, 0.7])), "rv_sample .* freeze it first by calling it"),
    (st.multivariate_normal, "multivariate_normal_gen .* freeze it first"),
    (st.norm([0, 1], 1), r"P is a batch of distributions \(a parameter has shape \(2,\)\); pass one"),
    (st.norm(0, [1.0]), r"batch of distributions \(a parameter has shape \(1,\)\)"),
    (st.Normal(mu=[0, 1], sigma=1), r"batch of distributions \(shape \(2,\)\)"),
    (st.norm(0, -1), "rejects its parameters"),
    (st.norm(math.nan, 1), "rejects its parameters"),
    (st.norm(math.inf, 1), "rejects its parameters"),
    (st.norm("a"), "P has the parameter 'a'; its parameters must be numbers"),
    (st.Normal(mu=0, sigma=-1), "parameters outside their domain"),
    (st.vonmises(1.0), "law on the circle.*vonmises_line"),
    (st.poisson(3, loc=0.5), r"masses at loc=0\.5 plus integers"),
    (st.dirichlet([1, 2]), r"dirichlet_frozen .*; wrap it in an object with dim and log_density"),
    (st.gaussian_kde([1.0, 2.0, 3.0]), "gaussian_kde .* wrap it"),
    ([0.5, 0.5], r"P must be a measure, got list; wrap arrays in divkit\.Discrete"),
    (np.ones(2), "got ndarray"),
    ("norm", "got str"),
    (None, "got NoneType"),
    (st.Normal, "got ABCMeta"),
    (0.5, "got float"),
]


@pytest.mark.parametrize(("value", "message"), REFUSED, ids=[message[:24] for _, message in REFUSED])
def test_what_is_no_single_law_is_refused_with_the_remedy(value: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        as_measure(value, "P")


@pytest.mark.parametrize("measure", [Discrete([1.0]), Samples([1.0]), as_measure(st.norm())])
def test_measures_pass_as_they_are(measure: divkit.measures.Measure) -> None:
    assert as_measure(measure) is measure


def test_reading_a_scipy_law_does_not_import_torch() -> None:
    code = "import sys, divkit, scipy.stats as s; divkit.as_measure(s.norm()); print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False"]
