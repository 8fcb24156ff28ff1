"""What importing and the first calls load."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("scipy", "numba", "ot", "torch", "matplotlib", "sklearn")


def loaded_after(code: str) -> set[str]:
    probe = f"{code}\nimport sys\nprint(*[m for m in {HEAVY!r} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_importing_divkit_loads_nothing_heavy() -> None:
    assert loaded_after("import divkit") == set()


def test_importing_every_verb_loads_numpy_alone() -> None:
    assert loaded_after("from divkit import wasserstein1, kl, estimate, Discrete, Samples, DIVERGENCES") == set()


def test_wasserstein1_on_equal_sizes_loads_numpy_alone() -> None:
    assert loaded_after("import divkit; divkit.wasserstein1([0.], [1.])") == set()


@pytest.mark.parametrize(
    "call",
    [
        "wasserstein1([0.], [1., 2.])",
        "kl([.5, .5], [.25, .75])",
        "estimate(divkit.Discrete([1.]), divkit.Discrete([1.]), 'jsd')",
    ],
)
def test_compiled_paths_load_neither_pot_nor_torch(call: str) -> None:
    assert not loaded_after(f"import divkit; divkit.{call}") & {"ot", "torch", "matplotlib"}


def test_laws_of_scipy_load_neither_pot_nor_torch() -> None:
    code = "import divkit, scipy.stats as s; divkit.estimate(s.norm(), s.norm(1), 'kl')"
    assert not loaded_after(code) & {"ot", "torch", "matplotlib", "numba"}
