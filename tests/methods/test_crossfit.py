"""Cross-fitted lower bounds: laws, identities, hostile input; coverage in the slow part."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import scipy.stats as st
from strategies import read_only

import divkit
from divkit import CrossFit, DegenerateDataWarning, InvalidInput, Samples, UnreliableEstimateWarning, Unsupported
from divkit.methods.crossfit import estimate_all

F_DIVERGENCES = ("kl", "reverse_kl", "jsd", "pearson_chi2", "neyman_chi2", "squared_hellinger", "total_variation")


def gaussians(n: int, m: int, d: int, shift: float, seed: int = 0) -> tuple[Any, Any]:
    """Draws of N(shift e_1, 1) and N(0, 1); KL = shift^2 / 2 both ways."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, d)), rng.normal(size=(m, d))
    x[:, 0] += shift
    return read_only(x), read_only(y)


def quiet(x: Any, y: Any, **settings: Any) -> dict[str, divkit.Estimate]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnreliableEstimateWarning)
        return estimate_all(x, y, rng=0, **settings)


@pytest.mark.parametrize("d", [1, 3, 10])
def test_all_divergences_of_shifted_gaussians_are_within_four_standard_errors(d):
    x, y = gaussians(2000, 3000, d, 1.0)
    found = quiet(x, y)
    for name in F_DIVERGENCES:
        truth = float(divkit.estimate(st.norm(1, 1), st.norm(0, 1), name))
        # Four standard errors, and 2 % of the truth for the second-order loss of models with d parameters.
        assert abs(found[name] - truth) <= 4 * found[name].stderr + 0.02 * truth, name
        assert found[name].interval[0] <= truth, name


def test_every_result_is_a_lower_bound_of_the_population():
    x, y = gaussians(300, 200, 2, 0.7)
    for name, value in quiet(x, y).items():
        assert (value.bound, value.estimand, value.divergence, value.method) == (
            "lower",
            "population",
            name,
            "crossfit",
        )
        upper = divkit.DIVERGENCES[name].upper
        assert value.interval[0] <= value <= value.interval[1] == upper


def test_equal_seeds_give_equal_numbers():
    x, y = gaussians(200, 200, 3, 0.7)
    assert quiet(x, y) == quiet(x, y)


def test_equal_laws_are_told_from_nothing():
    limits = [
        quiet(*gaussians(300, 300, 3, 0.0, seed), models=("linear", "quadratic"))["kl"].interval[0] for seed in range(5)
    ]
    # Each limit is 0 with probability 0.95 at least; that three or more of five are not has probability 1e-3.
    assert sum(limit > 0 for limit in limits) <= 2


@pytest.mark.parametrize("scale", [1e-300, 1e-3, 1e300])
def test_units_do_not_matter(scale):
    x, y = gaussians(300, 300, 2, 1.0)
    # Powers of two aside, one rounding of each coordinate, which moves a tree or a fold no further than 1e-6.
    for name, value in quiet(scale * x, scale * y).items():
        assert value == pytest.approx(quiet(x, y)[name], rel=1e-6)


def test_an_offset_of_1e8_does_not_matter():
    x, y = gaussians(300, 300, 2, 1.0)
    x, y = np.round(x, 6), np.round(y, 6)
    # The sum is rounded to 1.5e-8, which is 1e-8 of the spread.
    assert quiet(x + 1e8, y + 1e8)["jsd"] == pytest.approx(quiet(x, y)["jsd"], rel=1e-5)


@pytest.mark.parametrize("model", ["gaussian", "quadratic"])
def test_linear_maps_do_not_matter_to_models_of_all_second_moments(model):
    x, y = gaussians(800, 800, 3, 1.0)
    turn = np.array([[2.0, 0.3, -1.0], [0.0, 0.5, 0.7], [1.0, 0.0, 3.0]])
    straight, turned = (quiet(*pair, models=model)["jsd"] for pair in ((x, y), (x @ turn, y @ turn)))
    # The ridge sees other coordinates: 0.1 against 800 points.
    assert turned == pytest.approx(straight, rel=0.01)


def test_constant_columns_change_nothing():
    x, y = gaussians(300, 300, 2, 1.0)
    wide = [np.column_stack([np.full(len(part), 7.0), part]) for part in (x, y)]
    assert quiet(*wide) == quiet(x, y)


def test_a_weight_of_zero_is_no_point():
    x, y = gaussians(300, 300, 2, 1.0)
    weights = np.concatenate([np.ones(300), np.zeros(50)])
    assert quiet(np.concatenate([x, x[:50] + 9]), y, x_weights=weights) == quiet(x, y, x_weights=np.ones(300))


def test_importance_weights_stand_for_another_law():
    rng = np.random.default_rng(3)
    x, y = rng.normal(0.0, 1.0, 4000), rng.normal(0.0, 1.0, 4000)
    # Weights e^x turn N(0, 1) into N(1, 1): KL = 1/2.
    d = quiet(x, y, x_weights=np.exp(x), models="linear")["kl"]
    assert abs(d - 0.5) <= 4 * d.stderr


def test_only_ratios_of_weights_matter():
    x, y = gaussians(300, 300, 2, 1.0)
    weights = np.random.default_rng(0).uniform(0.5, 2.0, 300)
    once, twice = (quiet(x, y, x_weights=c * weights)["kl"] for c in (1.0, 2.0**40))
    assert once == twice


def test_disjoint_supports_are_named_and_the_limit_is_finite():
    x, y = gaussians(300, 300, 2, 40.0)
    with pytest.warns(UnreliableEstimateWarning, match="disjoint"):
        d = divkit.fdiv_lower_bound(x, y, "kl", rng=0)
    # No sample of 300 can show more than about log 300.
    assert 3.0 < d.interval[0] <= d <= 1 + math.log(300)


def test_disjoint_supports_reach_the_largest_jsd():
    x, y = gaussians(300, 300, 2, 40.0)
    assert quiet(x, y)["jsd"] == pytest.approx(math.log(2), abs=0.01)


def test_heavy_ratios_are_named():
    x, y = gaussians(400, 400, 1, 3.0)
    with pytest.warns(UnreliableEstimateWarning, match=r"density ratios|mean log ratio"):
        assert divkit.fdiv_lower_bound(x, y, "pearson_chi2", rng=0).info["critic_interval"] is None


def test_points_and_columns_are_the_same_on_the_line():
    x, y = gaussians(200, 150, 1, 1.0)
    assert quiet(x[:, 0], y[:, 0]) == quiet(x, y)


@pytest.mark.parametrize("kind", [np.int64, np.float32, list])
def test_integers_float32_and_lists_are_points(kind):
    rng = np.random.default_rng(0)
    x, y = rng.poisson(4, 300), rng.poisson(5, 300)
    convert = (lambda v: v.tolist()) if kind is list else (lambda v: v.astype(kind))
    assert quiet(convert(x), convert(y)) == quiet(x.astype(float), y.astype(float))


def test_samples_of_one_repeated_point_are_equal_laws():
    assert quiet(np.ones((30, 2)), np.ones((40, 2)))["kl"] == 0.0


def test_too_few_points_are_refused_with_the_number_needed():
    with pytest.raises(Unsupported, match=r"P has 9 points; 5 folds take at least 10"):
        estimate_all(np.arange(9.0), np.arange(20.0))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"folds": 2}, "folds must be"),
        ({"models": "forest"}, "must be one of linear"),
        ({"models": ()}, "models is empty"),
        ({"level": 1.0}, "level"),
        ({"divergences": ["kll"]}, "did you mean 'kl'"),
    ],
)
def test_wrong_settings_are_named(settings, message):
    x, y = gaussians(50, 50, 1, 1.0)
    with pytest.raises(InvalidInput, match=message):
        estimate_all(x, y, **settings)


def test_non_finite_and_empty_samples_are_refused():
    for bad, message in ((np.array([1.0, np.nan]), "x must be finite"), (np.zeros((0, 2)), "x is empty")):
        with pytest.raises(InvalidInput, match=message):
            estimate_all(bad, np.zeros(20))


def test_transport_is_no_f_divergence():
    x, y = gaussians(50, 50, 1, 1.0)
    with pytest.raises(Unsupported, match="f-divergences only"):
        divkit.fdiv_lower_bound(x, y, "wasserstein1")


def test_a_method_object_goes_through_estimate():
    x, y = gaussians(200, 200, 2, 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnreliableEstimateWarning)
        d = divkit.estimate(Samples(x), Samples(y), "jsd", CrossFit("linear", folds=4), rng=0)
    assert d.info["models"] == {"linear": 4}


def test_a_divergence_of_ones_own_is_bounded():
    le_cam = divkit.FDivergence.from_generator(
        "le_cam",
        f=lambda u: (u - 1) ** 2 / (u + 1),
        df=lambda u: (u - 1) * (u + 3) / (u + 1) ** 2,
        f_zero=1.0,
        slope_inf=1.0,
    )
    x, y = gaussians(2000, 2000, 1, 1.0)
    d = quiet(x, y, divergences=[le_cam])["le_cam"]
    assert abs(d - float(divkit.estimate(st.norm(1, 1), st.norm(0, 1), le_cam))) <= 4 * d.stderr


def test_the_critic_interval_of_a_derived_divergence_is_in_its_units():
    x, y = gaussians(2000, 2000, 1, 1.0)
    found = quiet(x, y)
    low, high = found["hellinger"].info["critic_interval"]
    assert low < found["hellinger"] < high
    assert (low, high) == pytest.approx(
        [math.sqrt(end / 2) for end in found["squared_hellinger"].info["critic_interval"]]
    )


def test_duplicated_rows_are_named():
    x, y = gaussians(200, 200, 2, 1.0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimate_all(np.concatenate([x, x]), y, ["jsd"], rng=0)
    assert any(issubclass(w.category, DegenerateDataWarning) and "x has 400 points" in str(w.message) for w in caught)


@pytest.mark.slow
@pytest.mark.parametrize(("d", "shift", "n"), [(1, 1.0, 200), (5, 1.0, 200), (2, 1.5, 200), (10, 1.0, 1000)])
def test_lower_limits_hold(d, shift, n):
    draws = 200
    truths = {name: float(divkit.estimate(st.norm(shift, 1), st.norm(0, 1), name)) for name in F_DIVERGENCES}
    below = dict.fromkeys(F_DIVERGENCES, 0)
    for seed in range(draws):
        found = quiet(*gaussians(n, n, d, shift, seed), models=("linear", "gaussian", "quadratic"))
        for name, truth in truths.items():
            below[name] += found[name].interval[0] <= truth
    # 95 % limits: fewer than 176 of 200 below the truth has probability 2e-5.
    assert min(below.values()) >= 176, below


def test_a_point_at_the_end_of_the_range_does_not_break_the_others():
    x, y = gaussians(200, 200, 2, 1.0)
    far = np.concatenate([x, [[1e300, -1e300]]])
    d = quiet(far, y)["jsd"]
    assert abs(d - quiet(x, y)["jsd"]) < 0.05


def test_a_model_that_suits_no_such_sample_is_refused_with_its_reason():
    x, y = gaussians(60, 60, 2, 1.0)
    with pytest.raises(Unsupported, match="boosting: trees take at least 100 points"):
        divkit.fdiv_lower_bound(x, y, critic="boosting")


def test_the_estimate_has_the_limit_of_the_bound():
    x, y = gaussians(500, 400, 2, 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnreliableEstimateWarning)
        bound, estimate = (divkit.estimate(Samples(x), Samples(y), "kl", name, rng=0) for name in ("crossfit", "auto"))
    assert (estimate.method, estimate.bound) == ("plugin", "consistent")
    assert estimate.interval == bound.interval
    assert estimate.info["models"] == bound.info["models"]


def test_more_coordinates_than_points_are_solved():
    rng = np.random.default_rng(0)
    x, y = rng.normal(0.5, 1, (60, 200)), rng.normal(0, 1, (60, 200))
    d = quiet(x, y, divergences=["jsd"], models=("linear", "quadratic"))["jsd"]
    assert 0.2 < d.interval[0] <= math.log(2)  # 200 shifts of a half: nearly disjoint


@pytest.mark.slow
def test_a_million_points_are_judged_in_blocks():
    rng = np.random.default_rng(0)
    x, y = rng.normal(0.5, 1, (1_000_000, 2)), rng.normal(0, 1, (1_000_000, 2))
    d = quiet(x, y, divergences=["kl"], models=("linear", "quadratic"))["kl"]
    assert abs(d - 0.25) <= 4 * d.stderr + 1e-3
