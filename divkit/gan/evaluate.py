"""How good a generator's points are, by the estimators and by what is known of the law."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from divkit._array import as_float_array
from divkit._checks import check_points, check_rng, check_same_dimension
from divkit._errors import InvalidInput, require
from divkit._mixture import GaussianMixture
from divkit.api import wasserstein1
from divkit.exact import kl
from divkit.methods.crossfit import estimate_all
from divkit.result import Estimate

__all__ = ["ClassReport", "ModeReport", "Quality", "classes", "flat", "modes", "quality"]

_F = NDArray[np.float64]
_COVERED: Final = 0.1  # of a class's share of the data
_PARTS: Final = 5  # of the data, each classified by what was fitted to the others
_RADIUS: Final = 3.0  # in standard deviations, as in the literature: a perfect sampler in the plane has 98.89 % within


@dataclass(frozen=True)
class ModeReport:
    """What points show of the components of a mixture.

    Attributes
    ----------
    captured : int
        Components with at least one point within three standard deviations (Mahalanobis).
    components : int
    high_quality : float
        Share of the points within three standard deviations of their nearest component.
    reverse_kl : float
        KL, in nats, of the shares of the components among those points to their weights in the mixture; inf if there is
        no such point.
    counts : tuple of int
        High-quality points of each component.
    """

    captured: int
    components: int
    high_quality: float
    reverse_kl: float
    counts: tuple[int, ...]


def modes(points: Any, law: GaussianMixture) -> ModeReport:
    """Which components of a mixture points have reached, as in VEEGAN and PacGAN.

    Parameters
    ----------
    points : array_like, shape (n, d) or (n,)
    law : GaussianMixture

    Returns
    -------
    ModeReport

    Raises
    ------
    InvalidInput
        For points that are not finite, or of another dimension.

    Examples
    --------
    >>> import numpy as np
    >>> from divkit.datasets import ring_mixture
    >>> from divkit.gan.evaluate import modes
    >>> law = ring_mixture()
    >>> found = modes(law.sample(2500, np.random.default_rng(0)), law)
    >>> found.captured, 0.98 < found.high_quality < 1, found.reverse_kl < 0.01
    (8, True, True)
    """
    sample = check_points("points", points)
    if sample.shape[1] != law.dim:
        raise InvalidInput(f"points must have {law.dim} columns, as the law has, got {sample.shape[1]}")
    distances = np.stack([_mahalanobis(sample, law, k) for k in range(len(law.weights))], axis=1)  # (n, k)
    nearest = distances.argmin(axis=1)
    good = distances[np.arange(len(sample)), nearest] <= _RADIUS
    counts = np.bincount(nearest[good], minlength=len(law.weights))
    total = int(counts.sum())
    divergence = float(kl(counts / total, law.weights)) if total else math.inf
    return ModeReport(int((counts > 0).sum()), len(counts), total / len(sample), divergence, tuple(counts.tolist()))


def _mahalanobis(points: _F, law: GaussianMixture, k: int) -> _F:
    """Distances (n,) from component k in its standard deviations."""
    factor = np.linalg.cholesky(law.covariances[k])
    return np.asarray(np.linalg.norm(np.linalg.solve(factor, (points - law.means[k]).T), axis=0))


@dataclass(frozen=True)
class Quality:
    """How far a generator's points are from data that it has not seen, beside how far other data are.

    Attributes
    ----------
    wasserstein1, null : Estimate
        Exact W_1 to the held-out points, of the points made and of as many of the training points: what no generator
        can be expected to fall below.
    divergences : dict of str to Estimate
        `kl`, `reverse_kl` and `jsd` of the law of the data to that of the generator, lower bounds with limits by
        cross-fitting; 0 is what equal laws show.
    nearest, nearest_null : float
        Median distance to the nearest training point, of the points made and of the held-out points. A generator that
        repeats its training points is at 0, one that has learnt their law near the second number.
    copies : int
        Points made that are training points.
    """

    wasserstein1: Estimate
    null: Estimate
    divergences: dict[str, Estimate]
    nearest: float
    nearest_null: float
    copies: int

    @property
    def excess(self) -> float:
        """W_1 of the points made over that of data; nan if the latter is 0."""
        return self.wasserstein1 / self.null if self.null else math.nan


def quality(
    made: Any, held_out: Any, training: Any, *, level: float = 0.95, rng: int | np.random.Generator | None = None
) -> Quality:
    """How good points are, beside data that were held out of the training.

    Parameters
    ----------
    made, held_out, training : array_like, shape (k, ...), (m, ...) and (n, ...)
        Points, or images, which are flattened.
    level : float
        Of the limits of the divergences, each by itself.
    rng : int, numpy.random.Generator or None
        For the training points that are taken, and for folds.

    Returns
    -------
    Quality

    Raises
    ------
    InvalidInput
        For points that are not finite, or of different dimensions.
    Unsupported
        For fewer than ten points of a kind.

    Examples
    --------
    >>> import numpy as np
    >>> from divkit.gan.evaluate import quality
    >>> rng = np.random.default_rng(0)
    >>> training, held_out, made = (rng.normal(size=(200, 2)) for _ in range(3))
    >>> report = quality(made, held_out, training, rng=0)
    >>> report.wasserstein1.bound, 0.5 < report.excess < 1.5, report.copies
    ('exact', True, 0)
    """
    from scipy.spatial import cKDTree

    y, x, seen = (flat(name, value) for name, value in (("made", made), ("held_out", held_out), ("training", training)))
    check_same_dimension(y, x, "made", "held_out")
    check_same_dimension(seen, x, "training", "held_out")
    generator = check_rng(rng)
    count = min(len(y), len(seen))
    some = seen[generator.permutation(len(seen))[:count]]
    tree = cKDTree(seen)
    to_made, to_held_out = (tree.query(points)[0] for points in (y, x))
    return Quality(
        wasserstein1(y[:count], x),
        wasserstein1(some, x),
        estimate_all(x, y, ["kl", "reverse_kl", "jsd"], level=level, rng=generator),
        float(np.median(to_made)),
        float(np.median(to_held_out)),
        int(np.count_nonzero(to_made == 0)),
    )


@dataclass(frozen=True)
class ClassReport:
    """Which classes of labelled data a generator's points fall into.

    Attributes
    ----------
    covered : int
        Classes with at least a tenth of their share of the data.
    classes : int
    reverse_kl : float
        KL, in nats, of the shares of the classes among the points to those of the data.
    shares : tuple of float
    confidence, confidence_null : float
        Mean probability of the class that is taken, of the points and of data that the classifier has not seen.
    accuracy : float
        Of the classifier, on data that it has not seen.
    """

    covered: int
    classes: int
    reverse_kl: float
    shares: tuple[float, ...]
    confidence: float
    confidence_null: float
    accuracy: float


def classes(made: Any, training: Any, labels: Any) -> ClassReport:
    """Which classes points fall into, by a logistic classifier of the data (scikit-learn's).

    Parameters
    ----------
    made, training : array_like, shape (k, ...) and (n, ...)
        Points, or images, which are flattened.
    labels : array_like, shape (n,)
        Of at least two classes, each with five points or more.

    Raises
    ------
    InvalidInput
        For points that are not finite, or of different dimensions, and for labels that do not fit.
    MissingDependency
        Without scikit-learn.
    """
    linear, selection = (require(f"sklearn.{name}", "boosting") for name in ("linear_model", "model_selection"))
    y, x, kinds = flat("made", made), flat("training", training), np.asarray(labels)
    check_same_dimension(y, x, "made", "training")
    names, found = np.unique(kinds, return_inverse=True)
    if kinds.shape != (len(x),) or len(names) < 2 or np.bincount(found).min() < _PARTS:
        raise InvalidInput(
            f"labels must name one of at least two classes for each of the {len(x)} training points, and each class "
            f"for {_PARTS} of them or more; got shape {kinds.shape} with {len(names)} classes"
        )
    scale = x.std() or 1.0
    x, y = x / scale, y / scale
    model = linear.LogisticRegression(max_iter=2000)
    unseen = selection.cross_val_predict(model, x, found, cv=_PARTS, method="predict_proba")
    probabilities = model.fit(x, found).predict_proba(y)
    counts = np.bincount(probabilities.argmax(axis=1), minlength=len(names))
    shares, expected = counts / len(y), np.bincount(found) / len(x)
    return ClassReport(
        int(np.count_nonzero(shares >= _COVERED * expected)),
        len(names),
        float(kl(shares, expected)),
        tuple(shares.tolist()),
        float(probabilities.max(axis=1).mean()),
        float(unseen.max(axis=1).mean()),
        float(np.mean(unseen.argmax(axis=1) == found)),
    )


def flat(name: str, points: Any) -> _F:
    """Points (n, d), checked; images (n, ...) are flattened."""
    array = np.asarray(as_float_array(name, points))
    return check_points(name, array.reshape(len(array), -1) if array.ndim > 2 else array)
