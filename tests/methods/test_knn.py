"""Nearest-neighbour divergences: hand-worked values, slow oracles, closed forms, identities."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from knn_oracles import kl as slow_kl
from knn_oracles import neighbour_labels, normal_pair, power_mean
from scipy import stats
from strategies import point_sets, read_only

from divkit._errors import InvalidInput, Unsupported
from divkit.adapters import as_measure
from divkit.catalog import (
    DIVERGENCES,
    GAN,
    HELLINGER,
    JEFFREYS,
    JSD,
    KL,
    NEYMAN_CHI2,
    PEARSON_CHI2,
    REVERSE_KL,
    SQUARED_HELLINGER,
    TOTAL_VARIATION,
    WASSERSTEIN1,
)
from divkit.divergences import FDivergence
from divkit.measures import Discrete, Law, Samples
from divkit.methods._knn_local import kl_reading, least_k, power_reading
from divkit.methods._knn_pooled import pooled_reading
from divkit.methods._knn_search import coordinates
from divkit.methods.knn import KNN
from divkit.power_divergences import alpha_divergence

X, Y = read_only([0.0, 1.0, 3.0, 7.0]), read_only([0.4, 2.1, 5.2, 6.5])
BOUNDED = [JSD, TOTAL_VARIATION, GAN]
LOCAL = [KL, REVERSE_KL, JEFFREYS, SQUARED_HELLINGER, PEARSON_CHI2, NEYMAN_CHI2]
LE_CAM = FDivergence.from_generator(
    "le_cam",
    f=lambda u: (u - 1) ** 2 / (u + 1),
    df=lambda u: (u - 1) * (u + 3) / (u + 1) ** 2,
    f_zero=1.0,
    slope_inf=1.0,
)


def value(div, x, y, k=None, **settings):
    method = KNN(k, **{"interval": False, **settings})
    return method.estimate(div, Samples(x), Samples(y), level=0.95, rng=np.random.default_rng(0))


# ---- four points by hand ----


def test_kl_of_four_points_by_hand():
    # k = 1. Radii 1, 1, 2, 4 (each the distance in x, the larger one). Points of x in the balls 1, 1, 1, 1; of y
    # 1 (0.4), 1 (0.4), 1 (2.1), 2 (5.2, 6.5), each and one more: digamma(1) - digamma(2) = -1 three times,
    # digamma(1) - digamma(3) = -3/2 once; the mean is -9/8, plus log 4/3.
    assert value(KL, X, Y, k=1).info["raw"] == pytest.approx(math.log(4 / 3) - 9 / 8, rel=1e-13)


def test_reverse_kl_of_four_points_by_hand():
    # Round y, k = 1: radii 1.7, 1.7, 1.8 (to x = 7), 1.3; one other y in each; of x 2 (0, 1), 2 (1, 3), 1 (7), 1 (7).
    # The third ball is set by x: digamma(2) - digamma(1) = 1. The others by y: -3/2, -3/2, -1. The mean is -3/4.
    assert value(REVERSE_KL, X, Y, k=1).info["raw"] == pytest.approx(math.log(4 / 3) - 0.75, rel=1e-13)


@pytest.mark.filterwarnings("ignore::divkit._errors.UnreliableEstimateWarning")
def test_pearson_chi2_of_four_points_by_hand():
    # k = 3: third distances in x 7, 6, 4, 7, to y 5.2, 4.2, 2.6, 4.9. u = (4/3) nu/rho, and the factor is
    # Gamma(3)^2 / (Gamma(2) Gamma(4)) = 2/3.
    mean = (5.2 / 7 + 4.2 / 6 + 2.6 / 4 + 4.9 / 7) / 4
    assert value(PEARSON_CHI2, X, Y, k=3).info["raw"] == pytest.approx(4 / 3 * 2 / 3 * mean - 1, rel=1e-12)


def test_jsd_of_two_triples_by_hand():
    # x = 0, 1, 2.5 and y = 10, 11, 12.5: the nearest one and the nearest two others are all of the own sample. With one
    # pseudo-count in halves the odds are 1.5 / 0.5 = 3 and 2.5 / 0.5 = 5. The one-step value at l = log 3 for x and
    # -log 3 for y is log 2 - softplus(-l) = log 2 - log 4/3 = log 3/2; at 5 it is log 2 - log 6/5 = log 5/3.
    found = value(JSD, [0.0, 1.0, 2.5], [10.0, 11.0, 12.5], k=1)
    assert found.info["raw"] == pytest.approx(2 * math.log(5 / 3) - math.log(3 / 2), rel=1e-13)


# ---- slow oracles ----


@st.composite
def pairs(draw, smallest=5):
    d = draw(st.integers(1, 3))
    seed, n, m = draw(st.integers(0, 2**16)), draw(st.integers(smallest, 14)), draw(st.integers(smallest, 14))
    if draw(st.booleans()):  # on a lattice, so that distances tie and points coincide
        rng = np.random.default_rng(seed)
        x, y = (rng.integers(0, 4, (size, d)).astype(float) for size in (n, m))
    else:
        x, y = normal_pair(d, n, m, seed)
    return read_only(x), read_only(y)


@given(pairs(), st.integers(1, 4))
def test_kl_is_the_loop_over_all_pairs(pair, k):
    x, y = coordinates(*pair)
    assert kl_reading(x, y, k).value == pytest.approx(slow_kl(x, y, k), abs=1e-10)


@given(st.integers(0, 2**16), st.integers(1, 3), st.sampled_from([-1.0, -0.5, 0.25, 0.5, 0.75, 1.5, 2.0]))
def test_power_integrals_are_the_loop_over_all_pairs(seed, d, a):
    x, y = normal_pair(d, 9, 11, seed)
    k = least_k(a)
    sides = [power_mean(x, y, k, a - 1)] if a >= 0.5 else []
    sides += [power_mean(y, x, k, -a)] if a <= 0.5 else []
    assert power_reading(x, y, k, a, 3.0).value == pytest.approx(3 * (np.mean(sides) - 1), rel=1e-9)


@given(pairs(), st.integers(1, 4))
def test_the_pooled_estimate_of_le_cam_is_the_loop_over_all_pairs(pair, k):
    x, y = coordinates(*pair)
    n, m = len(x), len(y)
    steps = []
    for count in (k, 2 * k):
        near_x, near = neighbour_labels(x, y, count).T
        u = (near_x + n / (n + m)) / (near - near_x + m / (n + m)) * m / n
        critic = LE_CAM.df(u)
        steps.append(critic[:n].mean() - (u * critic - LE_CAM.f(u))[n:].mean())
    assert pooled_reading(LE_CAM, x, y, k).value == pytest.approx(2 * steps[1] - steps[0], abs=1e-10)


# ---- closed forms ----


def exact(div, P, Q):
    from divkit.api import estimate

    return float(estimate(P, Q, div, "closed_form"))


@pytest.mark.parametrize("div", LOCAL + BOUNDED, ids=lambda d: d.name)
@pytest.mark.parametrize("d", [1, 2])
def test_estimates_of_a_small_shift_come_close_to_the_truth(div, d):
    shift = 0.5
    x, y = normal_pair(d, 1500, 2000, 7, shift)
    if div in BOUNDED:  # only the shifted coordinate matters
        from divkit.api import estimate

        truth = float(estimate(stats.norm(shift), stats.norm(), div, "quadrature"))
    else:
        truth = exact(div, stats.norm(shift), stats.norm())
    found = value(div, x, y, interval=True, subsamples=30)
    # Four standard errors (one in 16,000 by chance) and the bias it reports itself.
    assert abs(found.info["raw"] - truth) < 4 * found.stderr + abs(found.info["bias"])
    assert found.stderr < 0.1


@pytest.mark.parametrize("d", [1, 3])
def test_kl_to_a_known_normal_law_comes_close_to_the_truth(d):
    x, _ = normal_pair(d, 1500, 1, 3)
    law = as_measure(stats.norm() if d == 1 else stats.multivariate_normal(np.zeros(d), np.eye(d)))
    found = KNN().estimate(KL, Samples(x), law, level=0.95, rng=np.random.default_rng(0))
    assert abs(found - 0.5) < 4 * found.stderr + abs(found.info["bias"])


def test_kl_to_a_known_law_does_not_depend_on_the_units():
    x, _ = normal_pair(2, 500, 1, 5)
    scale = np.array([1e-6, 1e8])
    plain = Law(2, lambda x: stats.norm.logpdf(x).sum(axis=1))
    scaled = Law(2, lambda x: stats.norm.logpdf(x / scale).sum(axis=1) - np.log(scale).sum())
    one, other = (
        KNN(interval=False).estimate(KL, Samples(points), law, level=0.95, rng=np.random.default_rng(0))
        for points, law in ((x, plain), (x * scale, scaled))
    )
    assert other == pytest.approx(one, rel=1e-9)


def test_kl_to_a_law_is_infinite_where_a_point_has_density_zero():
    found = KNN().estimate(
        KL, Samples([0.2, 0.5, 1.5]), as_measure(stats.uniform()), level=0.95, rng=np.random.default_rng(0)
    )
    assert math.isinf(found)
    assert "1 of 3 points" in found.info["reason"]


# ---- identities ----


@pytest.mark.parametrize("d", [1, 3])
def test_reverse_kl_is_kl_with_the_samples_exchanged(d):
    x, y = normal_pair(d, 150, 220, 1)
    assert value(REVERSE_KL, x, y).info["raw"] == pytest.approx(value(KL, y, x).info["raw"], abs=1e-12)


@pytest.mark.parametrize("div", [JEFFREYS, JSD, SQUARED_HELLINGER, TOTAL_VARIATION], ids=lambda d: d.name)
def test_symmetric_divergences_do_not_notice_an_exchange(div):
    x, y = normal_pair(2, 150, 220, 2)
    assert value(div, x, y) == pytest.approx(value(div, y, x), abs=1e-12)


def test_jeffreys_is_the_sum_of_both_directions():
    x, y = normal_pair(2, 150, 220, 3)
    both = value(KL, x, y).info["raw"] + value(REVERSE_KL, x, y).info["raw"]
    assert value(JEFFREYS, x, y).info["raw"] == pytest.approx(both, abs=1e-12)


def test_neyman_is_pearson_with_the_samples_exchanged():
    x, y = normal_pair(2, 150, 220, 4, shift=0.3)
    assert value(NEYMAN_CHI2, x, y).info["raw"] == pytest.approx(value(PEARSON_CHI2, y, x).info["raw"], rel=1e-12)


def test_alpha_two_is_half_of_pearson():
    x, y = normal_pair(2, 150, 220, 5, shift=0.3)
    half = value(PEARSON_CHI2, x, y).info["raw"] / 2
    assert value(alpha_divergence(2.0), x, y).info["raw"] == pytest.approx(half, rel=1e-12)


@pytest.mark.parametrize(("a", "div"), [(1.0, KL), (0.0, REVERSE_KL)])
def test_the_limits_of_the_power_divergences_are_kl_and_its_reverse(a, div):
    x, y = normal_pair(2, 150, 220, 6)
    assert value(alpha_divergence(a), x, y) == value(div, x, y)


def test_gan_is_twice_jsd_less_log_four():
    x, y = normal_pair(2, 150, 220, 8)
    assert value(GAN, x, y) == pytest.approx(2 * value(JSD, x, y) - math.log(4), abs=1e-12)


def test_hellinger_is_the_root_of_half_the_squared_distance():
    x, y = normal_pair(2, 150, 220, 9)
    assert value(HELLINGER, x, y) == pytest.approx(math.sqrt(value(SQUARED_HELLINGER, x, y) / 2))


@given(st.integers(0, 2**16), st.sampled_from([KL, JSD, SQUARED_HELLINGER]))
def test_the_order_of_the_points_does_not_matter(seed, div):
    x, y = normal_pair(2, 30, 40, seed)
    rng = np.random.default_rng(seed)
    moved = value(div, rng.permutation(x), rng.permutation(y), k=4)
    assert moved.info["raw"] == pytest.approx(value(div, x, y, k=4).info["raw"], abs=1e-10)


@given(point_sets(2, 12), point_sets(2, 12))
def test_values_of_small_lattice_samples_are_finite_and_in_range(x, y):
    if min(len(x), len(y)) < 4:
        return
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for div in LOCAL + BOUNDED:
            found = value(div, x, y)
            assert div.f_one <= found <= div.upper
            assert math.isfinite(found)


# ---- what is refused ----


def test_discrete_laws_are_refused():
    with pytest.raises(Unsupported, match="it takes two Samples"):
        KNN().demand(KL, Discrete([1.0], [0.0]), Samples([0.0]))


def test_wasserstein_distances_are_refused():
    assert KNN().refusal(WASSERSTEIN1, Samples(X), Samples(Y)) == "it estimates f-divergences only"


def test_weighted_samples_are_refused_with_the_remedy():
    reason = KNN().refusal(KL, Samples(X, [1, 1, 1, 2]), Samples(Y))
    assert reason is not None
    assert "P has weights" in reason
    assert "crossfit" in reason


def test_unbounded_divergences_without_an_estimate_are_refused():
    own = FDivergence.from_generator(
        "cubic", f=lambda u: u**3 - 1, df=lambda u: 3 * u**2, f_zero=-1.0, slope_inf=math.inf
    )
    reason = KNN().refusal(own, Samples(X), Samples(Y))
    assert reason is not None
    assert "unbounded" in reason


def test_against_a_law_only_kl_is_offered():
    reason = KNN().refusal(JSD, Samples(X), as_measure(stats.norm()))
    assert reason is not None
    assert "KL only" in reason


@pytest.mark.parametrize("settings", [{"k": 0}, {"k": 1.5}, {"k": True}, {"subsamples": 1}])
def test_settings_that_are_no_counts_are_refused(settings):
    with pytest.raises(InvalidInput, match="must be an integer >="):
        KNN(**settings)


@pytest.mark.parametrize(("a", "least"), [(2.0, 3), (-1.0, 3), (0.5, 2), (3.0, 5), (1.2, 1)])
def test_too_few_neighbours_for_a_finite_variance_are_refused(a, least):
    assert least_k(a) == least
    if least > 1:
        with pytest.raises(InvalidInput, match=rf"k must be at least {least} "):
            value(alpha_divergence(a), X, Y, k=least - 1)


def test_every_catalogued_f_divergence_is_offered():
    samples = Samples(X), Samples(Y)
    refused = [name for name, div in DIVERGENCES.items() if KNN().refusal(div, *samples)]
    assert refused == ["wasserstein1", "wasserstein2"]
