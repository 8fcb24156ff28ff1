"""The table of methods, names and objects for them, and what `auto` takes in which order."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import scipy.stats as st

import divkit
from divkit import Discrete, InvalidInput, Samples, Unsupported, as_measure
from divkit.catalog import DIVERGENCES, resolve_divergence
from divkit.methods import METHODS, Method, method_class, resolve_method, select_method

LINE = Samples([0.0, 1.0])
PLANE = Samples([[0.0, 1.0], [2.0, 3.0]])
ATOMS, PLACED = Discrete([0.5, 0.5]), Discrete([0.5, 0.5], [0.0, 1.0])
NORMAL, STUDENT, POISSON = (as_measure(law) for law in (st.norm(), st.t(3), st.poisson(2.0)))
SPACE = as_measure(st.multivariate_t(np.zeros(3)))
MEASURES = {
    "line": LINE,
    "plane": PLANE,
    "atoms": ATOMS,
    "placed": PLACED,
    "normal": NORMAL,
    "student": STUDENT,
    "poisson": POISSON,
    "space": SPACE,
}


@pytest.mark.parametrize("name", METHODS)
def test_a_name_stands_for_the_default_object(name: str) -> None:
    method = resolve_method(name)
    assert method == method_class(name)()
    assert resolve_method(method) is method


@pytest.mark.parametrize("method", ["", "EXACT", "auto", None, 3, object(), ["exact"]])
def test_what_names_no_method_is_refused_with_all_names(method: Any) -> None:
    known = ", ".join(["auto", *METHODS])
    with pytest.raises(InvalidInput, match=f"method must be one of {known}, or a method object"):
        resolve_method(method)


def test_a_class_is_answered_with_its_object() -> None:
    with pytest.raises(InvalidInput, match=r"got the class MonteCarlo; pass MonteCarlo\(\)"):
        resolve_method(divkit.MonteCarlo)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("P", "Q", "name", "chosen"),
    [
        ("atoms", "atoms", "kl", "exact"),
        ("placed", "placed", "hellinger", "exact"),
        ("line", "line", "wasserstein1", "line"),
        ("placed", "line", "wasserstein2", "line"),
        ("plane", "plane", "wasserstein1", "column_generation"),
        ("normal", "normal", "kl", "closed_form"),
        ("poisson", "poisson", "kl", "closed_form"),
        ("normal", "student", "kl", "quadrature"),
        ("normal", "poisson", "jsd", "quadrature"),
        ("normal", "student", "wasserstein1", "quadrature"),
        ("space", "space", "kl", "monte_carlo"),
    ],
)
def test_auto_takes_the_first_method_that_applies(P: str, Q: str, name: str, chosen: str) -> None:
    assert select_method(resolve_divergence(name), MEASURES[P], MEASURES[Q]).name == chosen


@pytest.mark.parametrize("P", MEASURES)
@pytest.mark.parametrize("Q", MEASURES)
def test_auto_has_a_method_or_all_the_reasons(P: str, Q: str) -> None:
    p, q = MEASURES[P], MEASURES[Q]
    for div in DIVERGENCES.values():
        reasons = {name: method_class(name)().refusal(div, p, q) for name in METHODS}
        if all(reasons.values()):
            with pytest.raises(Unsupported) as caught:
                select_method(div, p, q)
            assert str(caught.value).startswith(f"no method computes {div.name} between {p!r} and {q!r}. ")
        else:
            assert reasons[select_method(div, p, q).name] is None


@pytest.mark.parametrize("name", METHODS)
def test_a_refusal_is_what_estimate_raises(name: str) -> None:
    method, refused = method_class(name)(), 0
    for p in MEASURES.values():
        for q in MEASURES.values():
            div = resolve_divergence("kl" if isinstance(p, Discrete) else "wasserstein1")
            reason = method.refusal(div, p, q)
            if reason is None or (p.dim is not None and q.dim is not None and p.dim != q.dim):
                continue
            refused += 1
            with pytest.raises(Unsupported) as caught:
                method.estimate(div, p, q, level=0.95, rng=np.random.default_rng(0))
            assert str(caught.value) == f"method {name!r} cannot compute {div.name} here: {reason}"
    assert refused > 10


@pytest.mark.parametrize(
    ("P", "Q", "div", "advice"),
    [
        ("line", "placed", "kl", "Two Samples can be compared in any f-divergence, Samples P with a density Q in kl"),
        ("placed", "normal", "kl", "Atoms and a density are mutually singular, so it has its supremum"),
        ("placed", "poisson", "kl", "evaluate its probabilities at the atoms and pass two Discrete laws"),
        ("line", "normal", "wasserstein1", "draw Samples from the law"),
        ("atoms", "atoms", "wasserstein1", "give it points"),
        ("line", "line", divkit.Wasserstein(1.0).dual, "for its value pass divkit.Wasserstein(1)"),
    ],
)
def test_where_nothing_applies_the_message_says_what_to_do(P: str, Q: str, div: Any, advice: str) -> None:
    with pytest.raises(Unsupported) as caught:
        select_method(resolve_divergence(div), MEASURES[P], MEASURES[Q])
    assert advice in str(caught.value)


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        METHODS["mine"] = "here"  # type: ignore[index]


def test_a_method_cannot_be_made_without_its_two_functions() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Method()  # type: ignore[abstract]


def test_points_are_assigned_to_a_method_without_loading_the_machinery_of_densities() -> None:
    code = (
        "import sys, divkit; divkit.wasserstein1([0.], [1.]); "
        "print(*[m for m in ('divkit.methods.quadrature', 'divkit.methods.closed_form') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"
