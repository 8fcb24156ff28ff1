"""The models of the log ratio: what each is exact for, and the parts they are made of."""

from __future__ import annotations

import itertools
from typing import ClassVar

import numpy as np
import pytest
from scipy.special import expit
from strategies import read_only

import divkit
from divkit import InvalidInput
from divkit.methods._race import Entry, choose
from divkit.methods.log_ratio import MODELS, LogRatioModel, _logistic, resolve_model
from divkit.methods.log_ratio._features import Whitening, natural_splines, tamed
from divkit.methods.log_ratio._logistic import fit_logistic


def draws(n: int, m: int, d: int, shift: float = 1.0, seed: int = 0):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, d)), rng.normal(size=(m, d))
    x[:, 0] += shift
    return read_only(x), read_only(y), read_only(np.ones(n)), read_only(np.ones(m))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("n", "m"), [(1500, 1500), (3000, 750)])
def test_every_model_finds_the_log_ratio_of_shifted_gaussians(name, n, m):
    model = resolve_model(name)
    log_ratio = model.fit(*draws(n, m, 2), np.random.default_rng(0))
    points = np.random.default_rng(1).normal(0.5, 1.0, (2000, 2))
    truth = points[:, 0] - 0.5  # of variance 1 where these points are
    error = float(np.sqrt(np.mean((log_ratio(points) - truth) ** 2)))
    # What a tenth to a third of the spread means for the bound: half of its square, 0.005 to 0.08 nats.
    assert error <= {"linear": 0.12, "gaussian": 0.12, "quadratic": 0.2, "additive": 0.3, "kernel": 0.3}.get(name, 0.6)


@pytest.mark.parametrize("name", MODELS)
def test_weights_of_two_are_points_given_twice(name):
    model = resolve_model(name)
    if name in ("mixture", "kernel", "neighbours", "boosting", "mlp", "rulsif", "additive"):
        pytest.skip(f"{name} draws points or counts them: the repeated point is another one there")
    x, y, x_weights, y_weights = draws(200, 200, 2)
    twice = model.fit(np.concatenate([x, x[:50]]), y, np.ones(250), y_weights, np.random.default_rng(0))
    heavy = model.fit(x, y, x_weights + (np.arange(200) < 50), y_weights, np.random.default_rng(0))
    assert heavy(x) == pytest.approx(twice(x), abs=1e-6)  # Newton stops at a decrement of 1e-9 a point


@pytest.mark.parametrize("name", MODELS)
def test_every_model_survives_separated_and_far_points(name):
    x, y, x_weights, y_weights = draws(120, 120, 2, shift=50.0)
    far = np.array(x)
    far[0] = 1e12
    log_ratio = resolve_model(name).fit(far, y, x_weights, y_weights, np.random.default_rng(0))
    assert np.isfinite(log_ratio(np.array([[1e12, 1e12], [0.0, 0.0], [50.0, 0.0]]))).all()


def test_a_gaussian_model_knows_different_covariances():
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 2.0, (4000, 1)), rng.normal(0, 1.0, (4000, 1))
    log_ratio = resolve_model("gaussian").variants(4000, 4000, 1)[-1].fit(x, y, np.ones(4000), np.ones(4000), rng)
    z = np.linspace(-3, 3, 7)[:, None]
    truth = -np.log(2.0) + 0.5 * z[:, 0] ** 2 * (1 - 0.25)
    assert log_ratio(z) == pytest.approx(truth, abs=0.25)  # variances to 2.2 % each: 0.03 * 9 / 2 at the ends


def test_logistic_regression_agrees_with_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    design, labels = rng.normal(size=(300, 4)), rng.integers(0, 2, 300).astype(float)
    weights = rng.uniform(0.5, 2.0, 300)
    ours = fit_logistic(design, labels, weights, 0.0, np.full(4, 2.5))
    peer = LogisticRegression(C=1 / 2.5, tol=1e-10, max_iter=10_000).fit(design, labels, sample_weight=weights)
    assert ours == pytest.approx(np.concatenate([peer.intercept_, peer.coef_[0]]), abs=1e-5)


def test_a_curvature_in_single_precision_leads_to_the_same_coefficients(monkeypatch):
    rng = np.random.default_rng(1)
    design, weights = rng.normal(size=(2000, 6)), rng.uniform(0.5, 2.0, 2000)
    labels = (rng.uniform(size=2000) < expit(design @ np.linspace(-1, 1, 6))).astype(float)
    args = design, labels, weights, 0.3, np.full(6, 0.1)
    exact = fit_logistic(*args)
    monkeypatch.setattr(_logistic, "_LARGE", 1)
    # Newton's method ends where half its decrement is 1e-9 a point: a distance of some 1e-4 standard errors.
    assert fit_logistic(*args) == pytest.approx(exact, abs=1e-5)


def test_a_curvature_that_single_precision_cannot_invert_is_computed_in_double(monkeypatch):
    rng = np.random.default_rng(1)
    column = rng.normal(size=4000)
    design = np.column_stack([column, column + 1e-6 * rng.normal(size=4000)])  # eigenvalues 2 and 1e-12 a point
    labels = (rng.uniform(size=4000) < expit(column)).astype(float)
    args = design, labels, np.ones(4000), 0.0, np.zeros(2)
    exact = fit_logistic(*args)
    solved, refusals = _logistic._solved, itertools.cycle((True, False))

    def solved_at_the_second_attempt(matrix, right):
        """As a factorisation that meets a negative pivot in what single precision has left of the curvature."""
        if next(refusals):
            raise np.linalg.LinAlgError
        return solved(matrix, right)

    monkeypatch.setattr(_logistic, "_LARGE", 1)
    monkeypatch.setattr(_logistic, "_solved", solved_at_the_second_attempt)
    assert design @ fit_logistic(*args)[1:] == pytest.approx(design @ exact[1:], abs=1e-6)


def test_separable_samples_have_finite_coefficients():
    design = np.linspace(-1, 1, 40)[:, None]
    found = fit_logistic(design, (design[:, 0] > 0).astype(float), np.ones(40), 0.0, np.zeros(1))
    assert np.isfinite(found).all()


def test_splines_are_linear_beyond_their_knots_and_smooth_at_them():
    knots = np.array([-2.0, -0.5, 0.3, 1.0, 2.5])
    step = 1e-3
    outside = natural_splines(np.array([3.0, 4.0, 5.0, -3.0, -4.0, -5.0]), knots)
    assert np.diff(outside[:3], 2, axis=0) == pytest.approx(0, abs=1e-9)
    assert np.diff(outside[3:], 2, axis=0) == pytest.approx(0, abs=1e-9)
    for knot in knots:
        grid = natural_splines(knot + step * np.arange(-3, 4), knots)
        # Second differences of a C2 cubic change by its third derivative, 6 / reach^3 or so, times the step.
        assert np.abs(np.diff(grid, 3, axis=0)).max() <= 10 * step**3


def test_taming_is_the_identity_for_usual_points_and_monotone():
    z = np.linspace(-1e6, 1e6, 10_001)
    assert np.all(np.diff(tamed(z)) > 0)
    assert np.array_equal(tamed(z / 2e5), z / 2e5)


def test_whitening_gives_unit_covariance_within_and_drops_flat_directions():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 2)) @ np.array([[1.0, 2.0, 3.0], [0.0, 1.0, -1.0]])
    white = Whitening(x, x, np.ones(500), np.ones(500))
    assert np.cov(white(x).T, bias=True) == pytest.approx(np.eye(2), abs=1e-6)


def entries(x, y, name="linear"):
    return [Entry(resolve_model(name), x, y)]


def test_noise_is_no_reason_to_leave_the_constant():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.3, 400), rng.normal(0, 0.3, 400)
    assert choose([entries(*noise)], np.ones(400), np.ones(400)).models == ()


def test_the_simpler_of_two_equally_good_models_is_taken():
    rng = np.random.default_rng(0)
    x, y = rng.normal(1, 1, 500) - 0.5, rng.normal(0, 1, 500) - 0.5
    chosen = choose([entries(x, y), entries(x, y, "quadratic")], np.ones(500), np.ones(500))
    assert [model.name for model in chosen.models] == ["linear"]


def test_calibration_finds_scale_and_shift():
    rng = np.random.default_rng(0)
    x, y = rng.normal(1, 1, 20_000) - 0.5, rng.normal(0, 1, 20_000) - 0.5
    chosen = choose([entries(3 * x + 1, 3 * y + 1)], np.ones(20_000), np.ones(20_000))
    # Standard errors of the two coefficients are about sqrt(5 / 20,000) = 0.016.
    assert (chosen.weights[0], chosen.shift) == pytest.approx((1 / 3, -1 / 3), abs=0.03)


class Fixed:
    """A model of somebody else's: it knows the answer."""

    name: ClassVar[str] = "fixed"

    def unsuited(self, n, m, d):
        return None

    def variants(self, n, m, d):
        return [self]

    def fit(self, x, y, x_weights, y_weights, rng):
        return lambda points: points[:, 0]


def test_a_model_of_ones_own_takes_part():
    assert isinstance(Fixed(), LogRatioModel)
    x, y, _, _ = draws(400, 400, 1)
    d = divkit.fdiv_lower_bound(x, y, "jsd", critic=Fixed(), rng=0)
    assert d.info["models"] == {"fixed": 5}


@pytest.mark.parametrize("wrong", ["forest", 3, Fixed])
def test_what_is_no_model_is_refused(wrong):
    with pytest.raises(InvalidInput, match="must be one of linear"):
        resolve_model(wrong)
