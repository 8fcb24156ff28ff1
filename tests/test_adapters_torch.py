"""`as_measure` on torch.distributions: in float64, -inf off the support, and without touching torch's own state."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats as st

import divkit
from divkit import Discrete, InvalidInput, Law, as_measure, families

torch = pytest.importorskip("torch")
td = torch.distributions


def t(*values: float, **options: Any) -> Any:
    return torch.tensor(values[0] if len(values) == 1 else list(values), **options)


def law(value: object) -> Law:
    measure = as_measure(value, "P")
    assert isinstance(measure, Law)
    return measure


def mixture(*parts: float) -> Any:
    ends = torch.tensor(parts).reshape(-1, 2)
    return td.MixtureSameFamily(td.Categorical(torch.ones(len(ends))), td.Uniform(ends[:, 0], ends[:, 1]))


# All parameters are multiples of a power of two, so that float32 holds them exactly and SciPy has the same law.
PAIRS = {
    "normal": (lambda: td.Normal(0.5, 2.0), st.norm(0.5, 2.0)),
    "student": (lambda: td.StudentT(3.0, 0.5, 2.0), st.t(3.0, 0.5, 2.0)),
    "gamma": (lambda: td.Gamma(2.5, 4.0), st.gamma(2.5, scale=0.25)),
    "beta": (lambda: td.Beta(1.5, 2.0), st.beta(1.5, 2.0)),
    "uniform": (lambda: td.Uniform(-1.0, 3.0), st.uniform(-1.0, 4.0)),
    "exponential": (lambda: td.Exponential(2.0), st.expon(scale=0.5)),
    "laplace": (lambda: td.Laplace(0.5, 2.0), st.laplace(0.5, 2.0)),
    "lognormal": (lambda: td.LogNormal(0.0, 0.5), st.lognorm(0.5)),
    "halfnormal": (lambda: td.HalfNormal(2.0), st.halfnorm(scale=2.0)),
    "cauchy": (lambda: td.Cauchy(0.5, 2.0), st.cauchy(0.5, 2.0)),
    "chi2": (lambda: td.Chi2(3.0), st.chi2(3.0)),
    "weibull": (lambda: td.Weibull(2.0, 1.5), st.weibull_min(1.5, scale=2.0)),
    "pareto": (lambda: td.Pareto(1.0, 2.5), st.pareto(2.5)),
    "gumbel": (lambda: td.Gumbel(0.5, 2.0), st.gumbel_r(0.5, 2.0)),
    "shifted exponential": (
        lambda: td.TransformedDistribution(td.Exponential(1.0), [td.AffineTransform(1.0, 2.0)]),
        st.expon(1.0, 2.0),
    ),
    "one uniform of two": (lambda: mixture(0.0, 1.0, 1.0, 2.0), st.uniform(0.0, 2.0)),
    "poisson": (lambda: td.Poisson(3.0), st.poisson(3.0)),
    "bernoulli": (lambda: td.Bernoulli(0.25), st.bernoulli(0.25)),
    "binomial": (lambda: td.Binomial(7, t(0.25)), st.binom(7, 0.25)),
    "geometric": (lambda: td.Geometric(0.25), st.geom(0.25, loc=-1)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_float32_parameters_give_float64_log_densities(name: str) -> None:
    make, twin = PAIRS[name]
    measure, scipy = law(make()), law(twin)
    x = np.unique(twin.ppf(np.linspace(0.013, 0.987, 29)))[:, None]
    # In float32, torch's own log_prob is off by 1e-7 relative to the largest term.
    np.testing.assert_allclose(measure.log_density(x), scipy.log_density(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", PAIRS)
def test_support_base_and_outside_are_scipys(name: str) -> None:
    make, twin = PAIRS[name]
    measure, scipy = law(make()), law(twin)
    assert (measure.low[0], measure.high[0], measure.base) == (scipy.low[0], scipy.high[0], scipy.base)
    x = np.array([-600.0, -3.0, -0.5, 0.4, 600.0, math.inf, -math.inf])[:, None]
    np.testing.assert_array_equal(measure.log_density(x) == -math.inf, scipy.log_density(x) == -math.inf)


@pytest.mark.parametrize("name", PAIRS)
def test_distribution_functions_agree_where_torch_has_them(name: str) -> None:
    make, twin = PAIRS[name]
    measure = law(make())
    x, u = np.append(twin.ppf([0.2, 0.7]), [-1e9, 1e9]), np.array([0.25, 0.5])
    if measure.cdf is not None:
        with np.errstate(over="ignore"):  # in SciPy's Gumbel law
            expected = twin.cdf(x)
        # torch's incomplete gamma function is good to 1e-9, and its erf to the last digits.
        np.testing.assert_allclose(measure.cdf(x), expected, atol=1e-8)
    if measure.quantile is not None:
        np.testing.assert_allclose(measure.quantile(u), twin.ppf(u), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", PAIRS)
def test_draws_are_reproducible_and_leave_torchs_state_alone(name: str) -> None:
    make, twin = PAIRS[name]
    measure = law(make())
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, second = (measure.draw(4000, np.random.default_rng(3)) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    np.testing.assert_array_equal(first, second)
    levels = twin.cdf(first[:, 0])
    # Frequencies below the three quartiles of a right sampler are within 5 standard errors of theirs; exact for a
    # continuous law, and for a discrete one at its own values.
    for value in np.unique(np.quantile(first, [0.25, 0.5, 0.75], method="inverted_cdf")):
        frequency, p = float((first <= value).mean()), float(twin.cdf(value))
        assert abs(frequency - p) <= 5 * math.sqrt(p * (1 - p) / 4000) + 1e-12
    assert levels.min() >= 0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (td.Exponential(2.0), families.Exponential(2.0)),
        (td.Laplace(0.5, 2.0), families.Laplace(0.5, 2.0)),
        (td.Uniform(-1.0, 3.0), families.Uniform(-1.0, 3.0)),
        (td.Gamma(2.5, 4.0), families.Gamma(2.5, 0.25)),
        (td.Chi2(3.0), families.Gamma(1.5, 2.0)),
        (td.Beta(1.5, 2.0), families.Beta(1.5, 2.0)),
        (td.Bernoulli(0.25), families.Bernoulli(0.25)),
        (td.Bernoulli(logits=t(0.0)), families.Bernoulli(0.5)),
        (td.Poisson(3.0), families.Poisson(3.0)),
        (td.StudentT(3.0), None),
    ],
)
def test_families_are_recognised_with_their_parameters(value: object, expected: object) -> None:
    assert law(value).family == expected


GAUSSIANS = {
    "covariance": lambda cov: td.MultivariateNormal(t(0.0, 1.0), covariance_matrix=cov),
    "scale": lambda cov: td.MultivariateNormal(t(0.0, 1.0), scale_tril=torch.linalg.cholesky(cov.double()).float()),
    "precision": lambda cov: td.MultivariateNormal(t(0.0, 1.0), precision_matrix=torch.linalg.inv(cov)),
}


@pytest.mark.parametrize("given", GAUSSIANS)
def test_a_gaussian_is_one_law_in_density_and_family(given: str) -> None:
    measure = law(GAUSSIANS[given](torch.tensor([[4.0, 1.0], [1.0, 1.0]])))
    assert isinstance(measure.family, families.Gaussian)
    np.testing.assert_allclose(measure.family.cov, [[4.0, 1.0], [1.0, 1.0]], rtol=1e-6)  # as given, in float32
    x = np.random.default_rng(0).standard_normal((5, 2))
    expected = st.multivariate_normal(measure.family.mean, measure.family.cov).logpdf(x)
    np.testing.assert_allclose(measure.log_density(x), expected, rtol=1e-12)


def test_a_covariance_is_read_to_the_digit_it_was_given_in() -> None:
    cov = torch.tensor([[0.1, 0.0], [0.0, 0.3]])
    measure = law(td.MultivariateNormal(torch.zeros(2), cov))
    assert isinstance(measure.family, families.Gaussian)
    np.testing.assert_allclose(measure.family.cov, cov.double().numpy(), rtol=4e-16)


def test_independent_normals_are_a_diagonal_gaussian() -> None:
    measure = law(td.Independent(td.Normal(t(0.0, 1.0), t(1.0, 2.0)), 1))
    x = np.array([[0.5, -1.0], [3.0, 2.0]])
    expected = st.multivariate_normal([0.0, 1.0], np.diag([1.0, 4.0])).logpdf(x)
    np.testing.assert_allclose(measure.log_density(x), expected, rtol=1e-14)
    assert isinstance(measure.family, families.Gaussian)
    np.testing.assert_array_equal(measure.family.cov, np.diag([1.0, 4.0]))


def test_independent_uniforms_have_a_box() -> None:
    measure = law(td.Independent(td.Uniform(t(0.0, 1.0), t(2.0, 4.0)), 1))
    np.testing.assert_array_equal((measure.low, measure.high), [[0.0, 1.0], [2.0, 4.0]])
    np.testing.assert_allclose(measure.log_density(np.array([[1.0, 2.0], [1.0, 0.0]])), [-math.log(6.0), -math.inf])


def test_a_mixture_of_disjoint_parts_has_density_in_each_of_them() -> None:
    measure = law(mixture(0.0, 1.0, 3.0, 5.0))
    logs = measure.log_density(np.array([0.5, 2.0, 4.0])[:, None])
    np.testing.assert_allclose(logs, [math.log(0.5), -math.inf, math.log(0.25)], rtol=1e-14)
    assert measure.breakpoints == (1.0, 3.0)


def test_a_mixture_of_normals_is_the_sum_of_its_parts() -> None:
    value = td.MixtureSameFamily(td.Categorical(t(0.25, 0.75)), td.Normal(t(0.0, 3.0), t(1.0, 2.0)))
    x = np.linspace(-4, 8, 50)
    expected = np.log(0.25 * st.norm.pdf(x) + 0.75 * st.norm(3, 2).pdf(x))
    np.testing.assert_allclose(law(value).log_density(x[:, None]), expected, rtol=1e-12)


@pytest.mark.parametrize("value", [td.Categorical(t(1.0, 1.0, 2.0)), td.Categorical(logits=t(0.0, 0.0, math.log(2)))])
def test_a_categorical_law_is_discrete_on_its_indices(value: Any) -> None:
    for _ in range(2):
        measure = as_measure(value)
        assert isinstance(measure, Discrete)
        np.testing.assert_allclose(measure.probs, [0.25, 0.25, 0.5], rtol=1e-7)  # float32 logits
        np.testing.assert_array_equal(measure.points, [[0.0], [1.0], [2.0]])
        _ = value.probs, value.logits  # torch caches these on the object: they must not count afterwards


def test_a_law_on_the_simplex_has_a_density_of_its_own_kind() -> None:
    p, q = td.Dirichlet(torch.ones(3)), td.Dirichlet(2 * torch.ones(3))
    assert law(p).base == "simplex"
    # KL = log B(2,2,2) - log B(1,1,1) - sum of (2 - 1)(psi(1) - psi(3)) = log(2/120) + 3 * 1.5, B(1,1,1) = 1/2.
    value = divkit.kl(p, q, rng=0, level=0.999)
    truth = math.log(1 / 120) - math.log(1 / 2) + 4.5
    assert value.interval is not None
    assert value.interval[0] <= truth <= value.interval[1]
    assert divkit.kl(p, st.multivariate_normal(np.zeros(3)), rng=0) == math.inf


def test_counts_off_the_total_have_no_mass() -> None:
    x = np.array([[1.0, 2.0], [1.0, 1.0], [1.5, 1.5]])
    logs = law(td.Multinomial(3, t(0.25, 0.75))).log_density(x)
    np.testing.assert_allclose(logs, [math.log(3 * 0.25 * 0.75**2), -math.inf, -math.inf], rtol=1e-12)


def test_parameters_that_require_gradients_are_read() -> None:
    value = td.Normal(torch.tensor(0.5, requires_grad=True), torch.tensor(2.0))
    assert divkit.kl(value, st.norm(0.5, 2.0)) == 0


def test_a_class_that_torch_does_not_know_is_evaluated_in_its_own_precision() -> None:
    class Shifted(td.Distribution):
        arg_constraints: dict[str, Any] = {}  # noqa: RUF012 - torch's protocol
        support = td.constraints.real

        def __init__(self) -> None:
            self.net = torch.nn.Linear(1, 1)
            torch.nn.init.ones_(self.net.weight)
            torch.nn.init.zeros_(self.net.bias)
            super().__init__()

        def log_prob(self, x: Any) -> Any:
            return td.Normal(0.0, 1.0).log_prob(self.net(x[..., None])[..., 0])

        def sample(self, shape: Any = ()) -> Any:
            return torch.randn(shape)

    measure = law(Shifted())
    assert (measure.name, measure.family) == ("Shifted", None)
    x = np.array([-1.0, 0.5])
    np.testing.assert_allclose(measure.log_density(x[:, None]), st.norm.logpdf(x), rtol=1e-6)  # float32
    np.testing.assert_array_equal(*(measure.draw(5, np.random.default_rng(1)) for _ in range(2)))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda: td.Normal(t(0.0, 1.0), 1.0), r"P is a batch of distributions, batch_shape \(2,\); pass one, or wrap"),
        (lambda: td.Normal(torch.zeros(1), 1.0), r"batch_shape \(1,\)"),
        (lambda: td.Wishart(3.0, torch.eye(2)), r"scalar or vector events, got event_shape \(2, 2\)"),
        (lambda: td.VonMises(0.0, 1.0), "law on the circle"),
        (lambda: td.Normal(t(math.nan), t(1.0), validate_args=False), "loc = nan, which torch does not allow"),
        (lambda: td.Normal(t(0.0), t(0.0), validate_args=False), r"scale = 0\.0, which torch does not allow"),
        (lambda: td.Normal, "P must be a measure, got type"),
        (lambda: torch.zeros(3), "P must be a measure, got Tensor"),
    ],
)
def test_what_is_no_single_law_is_refused_with_the_remedy(value: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        as_measure(value(), "P")
