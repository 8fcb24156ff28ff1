"""Each statistic against its definition, and laws that they all obey."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.stats import binom
from two_sample_oracles import ON_THE_LINE, energy, mmd, neighbours, some

import divkit
from divkit.two_sample import STATISTICS, Pooled, statistic_class
from divkit.two_sample.aggregated import AggregatedMMD, surprise
from divkit.two_sample.classifier import Classifier
from divkit.two_sample.kernels import MMD, Energy, QuadraticForms
from divkit.two_sample.line import Wasserstein1
from divkit.two_sample.neighbours import NearestNeighbours


def values_of(statistic: Any, x: Any, y: Any, rows: int = 5, seed: int = 0) -> tuple[Any, Any]:
    """Rows of labels, the observed ones first, and what the statistic makes of them."""
    pooled = Pooled(np.concatenate([x, y]), np.repeat([True, False], [len(x), len(y)]))
    prepared = statistic.prepare(pooled, np.random.default_rng(seed))
    order = [np.random.default_rng(k).permutation(len(pooled.labels)) for k in range(rows)]
    labels = np.stack([pooled.labels, *(pooled.labels[own] for own in order)])
    return labels, prepared.values(labels)


@pytest.mark.parametrize("name", ON_THE_LINE)
@given(
    x=st.lists(st.integers(-5, 5) | st.floats(-10, 10), min_size=1, max_size=8),
    y=st.lists(st.integers(-5, 5) | st.floats(-10, 10), min_size=1, max_size=8),
)
def test_on_the_line_every_statistic_is_that_of_its_definition(name: str, x: list[float], y: list[float]) -> None:
    a, b = (np.array(side, dtype=float)[:, None] for side in (x, y))
    labels, values = values_of(statistic_class(name)(), a, b)
    pooled = np.concatenate([a, b])
    expected = [ON_THE_LINE[name](pooled[row], pooled[~row]) for row in labels]
    assert values == pytest.approx(expected, abs=1e-7 if name in ("cramer", "energy") else 1e-12)  # theirs are roots


@pytest.mark.parametrize(("n", "m", "d"), [(7, 5, 2), (30, 40, 3), (900, 800, 2)])
def test_energy_is_that_of_its_definition(n: int, m: int, d: int, rng: np.random.Generator) -> None:
    x, y = some(rng, n, d), some(rng, m, d) + 0.3
    labels, values = values_of(Energy(), x, y)
    pooled = np.concatenate([x, y])
    expected = [energy(pooled[row], pooled[~row]) for row in labels]
    assert values == pytest.approx(expected, rel=1e-5, abs=1e-6)  # float32
    effect = divkit.two_sample_test(x, y, permutations=1).effect
    assert effect is not None
    assert effect == pytest.approx(expected[0], rel=1e-10)
    assert effect.interval is not None
    assert effect.interval[0] <= expected[0] <= effect.interval[1]


@pytest.mark.parametrize("kernel", ["gaussian", "laplace"])
@pytest.mark.parametrize(("n", "m"), [(8, 8), (5, 12), (2, 9)])
def test_mmd_is_that_of_its_definition(kernel: Any, n: int, m: int, rng: np.random.Generator) -> None:
    x, y = some(rng, n, 2), some(rng, m, 2) + 0.5
    labels, values = values_of(MMD(kernel, bandwidth=0.8), x, y)
    pooled = np.concatenate([x, y])
    expected = [mmd(pooled[row], pooled[~row], kernel, 0.8) for row in labels]
    assert values == pytest.approx(expected, abs=1e-6)
    found = divkit.two_sample_test(x, y, MMD(kernel, bandwidth=0.8), permutations=1)
    assert found.effect == pytest.approx(expected[0], abs=1e-12)


def test_the_usual_bandwidth_is_the_median_distance(rng: np.random.Generator) -> None:
    x, y = 7 * some(rng, 40, 3), 7 * some(rng, 40, 3)
    effect = divkit.two_sample_test(x, y, "mmd", permutations=1).effect
    assert effect is not None
    both = np.concatenate([x, y])
    assert effect.info["bandwidth"] == pytest.approx(np.median(cdist(both, both)[np.triu_indices(80, 1)]), rel=1e-9)


def test_blocks_of_the_matrix_make_up_the_whole(rng: np.random.Generator) -> None:
    points = some(rng, 2500, 2)  # three blocks a side
    labels = np.stack([rng.permutation(np.arange(2500) < 1000) for _ in range(3)])
    forms = QuadraticForms(points, "euclidean", lambda distances: distances)
    matrix = cdist(points, points)
    s = labels - labels.mean(axis=1, keepdims=True)
    for _ in range(2):  # made, then kept
        form, mixed = forms(labels)
        assert form == pytest.approx(np.einsum("bi,ij,bj->b", s, matrix, s), rel=1e-5)
        assert mixed == pytest.approx(s @ matrix.sum(axis=1), rel=1e-5)
    exact = (*forms.exact(labels[0]), forms.total)
    assert exact == pytest.approx((s[0] @ matrix @ s[0], s[0] @ matrix.sum(axis=1), matrix.sum()), rel=1e-10)


@pytest.mark.parametrize("k", [1, 5])
def test_neighbours_are_those_of_sorted_distances(k: int, rng: np.random.Generator) -> None:
    x, y = some(rng, 20, 3), some(rng, 15, 3)
    labels, values = values_of(NearestNeighbours(k), x, y)
    pooled = np.concatenate([x, y])
    assert values == pytest.approx([neighbours(pooled[row], pooled[~row], k) for row in labels])


def test_copies_of_points_are_no_reason_to_reject() -> None:
    # All points of five atoms: a tree that lists the points of x first would call them each other's neighbours.
    rng = np.random.default_rng(4)
    x, y = rng.integers(0, 5, (60, 1)), rng.integers(0, 5, (60, 1))
    assert divkit.two_sample_test(x, y, "knn", rng=0).p_value > 0.05


def test_sliced_values_are_means_over_directions(rng: np.random.Generator) -> None:
    x, y = some(rng, 20, 2), some(rng, 30, 2) + np.array([1.0, 0.0])
    _, values = values_of(Wasserstein1(projections=4000), x, y, rows=0)
    angles = np.linspace(0, np.pi, 2000, endpoint=False)
    lines = np.stack([np.cos(angles), np.sin(angles)])
    expected = np.mean([ON_THE_LINE["wasserstein1"](x @ v[:, None], y @ v[:, None]) for v in lines.T])
    assert values[0] == pytest.approx(expected, rel=0.03)  # of 4,000 directions: standard error 1 %


# Not those of a random fit or order, and not what is relative to the permutations drawn.
@pytest.mark.parametrize("name", [name for name in STATISTICS if name not in ("classifier", "knn", "mmd_aggregated")])
def test_exchanging_the_samples_changes_nothing(name: str, rng: np.random.Generator) -> None:
    d = 1 if name in ("ks", "cramer") else 2
    x, y = some(rng, 25, d), some(rng, 18, d)
    one, other = (divkit.two_sample_test(a, b, name, permutations=1, rng=2).statistic for a, b in ((x, y), (y, x)))
    assert one == pytest.approx(other, rel=1e-5, abs=1e-6)  # float32


def test_energy_does_not_notice_rotations_and_shifts(rng: np.random.Generator) -> None:
    x, y = some(rng, 25, 3), some(rng, 18, 3) + 0.4
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    plain = divkit.two_sample_test(x, y, permutations=1).effect
    turned = divkit.two_sample_test(x @ turn + 5, y @ turn + 5, permutations=1).effect
    assert plain == pytest.approx(float(turned or 0.0), rel=1e-10)


def test_surprise_ranks_arrangements_and_is_blind_where_all_are_alike() -> None:
    values = np.random.default_rng(0).gamma(2.0, size=500)
    found = surprise(values)
    assert (np.argsort(found) == np.argsort(values)).all()
    assert (surprise(np.full(9, 3.0)) == 0).all()


def test_the_aggregated_test_sees_what_the_median_bandwidth_does_not(rng: np.random.Generator) -> None:
    # Two spikes far apart, between which only the scale of 0.01 tells the laws apart.
    centres = np.tile([-10.0, 10.0], 75)[:, None]
    x, y = centres + 0.02 * some(rng, 150, 1), centres + 0.02 * np.abs(some(rng, 150, 1))
    assert divkit.two_sample_test(x, y, "mmd", rng=0).p_value > 0.05
    assert divkit.two_sample_test(x, y, AggregatedMMD(bandwidths=7, reach=1000.0), rng=0).p_value < 0.01


@pytest.mark.parametrize("score", ["log_loss", "accuracy"])
def test_the_classifier_scores_what_was_held_out(score: Any, rng: np.random.Generator) -> None:
    x, y = some(rng, 300, 2) + np.array([1.5, 0.0]), some(rng, 300, 2)
    found = divkit.two_sample_test(x, y, Classifier("linear", score), rng=0)
    assert found.p_value == 0.001
    assert found.effect is not None
    assert (found.effect.info["n"], found.effect.info["m"]) == (150, 150)
    if score == "accuracy":  # the best line has Phi(0.75)
        assert abs(found.effect - 0.773) < 0.07
        assert found.effect.divergence == "accuracy"
    else:
        assert found.effect.bound == "lower"
        assert found.statistic == pytest.approx(float(found.effect))
        assert 0.1 < found.effect < 0.3  # the divergence is 0.207


def test_pairs_are_held_out_together(rng: np.random.Generator) -> None:
    x = some(rng, 60, 1)
    y = x + 0.5 + 0.1 * some(rng, 60, 1)
    found = divkit.two_sample_test(x, y, Classifier("linear"), paired=True, rng=0)
    assert found.effect is not None
    assert found.effect.info["n"] == found.effect.info["m"] == 30
    assert found.p_value < 0.05


def test_strata_that_leave_nothing_to_train_on_are_refused(rng: np.random.Generator) -> None:
    strata = np.arange(20), np.repeat(np.arange(10), 2)  # one point of x in each, so that none trains
    with pytest.raises(divkit.Unsupported, match="the strata leave 0 points of one of them to train on"):
        divkit.two_sample_test(some(rng, 20, 1), some(rng, 20, 1), Classifier("linear"), strata=strata)


def test_a_classifier_without_a_model_for_so_few_points_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(divkit.Unsupported, match="no model suits half of 12 and 12 points: boosting: "):
        divkit.two_sample_test(some(rng, 12, 50), some(rng, 12, 50), Classifier("boosting"))


@pytest.mark.slow
@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize(("n", "m", "d", "ties"), [(40, 40, 1, False), (30, 50, 1, True), (40, 40, 20, False)])
def test_the_level_is_kept(name: str, n: int, m: int, d: int, ties: bool) -> None:
    if d > 1 and name in ("ks", "cramer"):
        pytest.skip("it is for points on the line")
    repeats = 1000
    statistic: Any = Classifier("linear") if name == "classifier" else name
    p_values = np.empty(repeats)
    for k in range(repeats):
        rng = np.random.default_rng(k)
        x, y = rng.normal(size=(n, d)), rng.normal(size=(m, d))
        if ties:
            x, y = np.round(x), np.round(y)
        p_values[k] = divkit.two_sample_test(x, y, statistic, permutations=99, rng=rng).p_value
    assert p_values.min() > 0
    for level in (0.01, 0.05):
        assert (p_values <= level + 1e-12).sum() <= binom.ppf(0.9995, repeats, level)
        if not ties and name != "classifier":  # which calls all points alike where it has learnt nothing
            assert (p_values <= level + 1e-12).sum() >= binom.ppf(0.0005, repeats, level)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MMD("box"), "kernel must be one of gaussian, laplace"),  # type: ignore[arg-type]
        (lambda: MMD(bandwidth=0.0), "bandwidth must be positive and finite"),
        (lambda: NearestNeighbours(0), "k must be an integer >= 1"),
        (lambda: Wasserstein1(0), "projections must be an integer >= 1"),
        (lambda: AggregatedMMD(0), "bandwidths must be an integer >= 1"),
        (lambda: AggregatedMMD(reach=1.0), "reach must be finite and above 1"),
        (lambda: Classifier("tree"), "a model of the log ratio must be one of"),
        (lambda: Classifier(score="auc"), "score must be one of log_loss, accuracy"),  # type: ignore[arg-type]
        (lambda: Energy(max_points=1), "max_points must be an integer >= 2"),
    ],
)
def test_settings_that_are_none_are_refused(make: Any, message: str) -> None:
    with pytest.raises(divkit.InvalidInput, match=message):
        make()
