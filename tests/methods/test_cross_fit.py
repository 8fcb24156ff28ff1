"""The race of models among folds: a fold has no say in what judges it, and every other one has."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from divkit.methods._cross_fit import Sides, cross_fit
from divkit.methods.log_ratio import resolve_model

MODELS = [resolve_model(name) for name in ("linear", "gaussian", "quadratic", "mixture")]


def sides(n, m, seed=0):
    rng = np.random.default_rng(seed)
    return Sides(rng.normal(0.5, 1.2, (n, 2)), rng.normal(size=(m, 2)), np.ones(n), np.ones(m))


def fitted(points, folds=5):
    return cross_fit(points, MODELS, folds, np.random.default_rng(7))


@pytest.mark.parametrize(("n", "m"), [(150, 120), (2100, 2000), (300, 4000)])
def test_points_that_are_held_out_decide_nothing_about_their_fold(n, m):
    points = sides(n, m)
    before = fitted(points)
    for i in (0, 3):
        x, y = points.x.copy(), points.y.copy()
        x[before[i].x_rows] += 5.0
        y[before[i].y_rows] -= 3.0
        after = fitted(replace(points, x=x, y=y))
        np.testing.assert_array_equal(after[i].x_rows, before[i].x_rows)
        assert [model.name for model in after[i].choice.models] == [model.name for model in before[i].choice.models]
        np.testing.assert_array_equal(after[i].choice.weights, before[i].choice.weights)
        assert after[i].choice.shift == before[i].choice.shift
        others = [j for j in range(5) if j != i]
        assert any(after[j].choice.shift != before[j].choice.shift for j in others)


@pytest.mark.parametrize(("n", "m"), [(150, 120), (2100, 2000)])
def test_all_other_folds_calibrate_what_judges_a_fold(n, m):
    for fold in fitted(sides(n, m)):
        assert len(fold.choice.x) == n - len(fold.x_rows)
        assert len(fold.choice.y) == m - len(fold.y_rows)


def test_three_folds_are_enough_for_many_points():
    assert all(len(fold.choice.x) == 2100 - 700 for fold in fitted(sides(2100, 2100), folds=3))


def test_where_nothing_tells_the_laws_apart_no_fold_decides_anew():
    """Models with one setting each: folds that have seen all of them might be taken for judges."""
    rng = np.random.default_rng(3)
    points = Sides(rng.normal(size=(2200, 2)), rng.normal(size=(2200, 2)), np.ones(2200), np.ones(2200))
    models = [resolve_model(name) for name in ("linear", "gaussian")]
    folds = cross_fit(points, models, 5, np.random.default_rng(7))
    assert any(not fold.choice.models for fold in folds)
    assert all(len(fold.choice.x) == 2200 - 440 for fold in folds)
