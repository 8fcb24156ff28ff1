"""`Coupling`: plans, potentials and barycentric projection."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from divkit._errors import InvalidInput
from divkit.transport import Coupling
from divkit.transport.emd import EMD, transport_from_cost


@pytest.fixture
def coupling() -> Coupling:
    """Three points against two, the second one without mass."""
    return transport_from_cost([[0.0, 3.0], [1.0, 1.0], [2.0, 1.0]], x_weights=[1, 0, 1], y_weights=[3, 1])


def test_dense_and_sparse_plans_agree(coupling):
    np.testing.assert_array_equal(coupling.to_sparse().toarray(), coupling.to_dense())


def test_the_plan_has_the_given_marginals(coupling):
    plan = coupling.to_dense()
    np.testing.assert_array_equal(plan.sum(axis=1), [0.5, 0.0, 0.5])
    np.testing.assert_array_equal(plan.sum(axis=0), [0.75, 0.25])


def test_apply_averages_the_matched_rows(coupling):
    np.testing.assert_array_equal(coupling.apply([[4.0, 0.0], [8.0, 1.0]])[[0, 2]], [[4.0, 0.0], [6.0, 0.5]])


def test_apply_gives_nan_to_a_point_without_mass(coupling):
    assert np.isnan(coupling.apply([[4.0, 0.0], [8.0, 1.0]])[1]).all()


def test_apply_keeps_one_dimensional_quantities_one_dimensional(coupling):
    np.testing.assert_array_equal(coupling.apply([4.0, 8.0]), [4.0, np.nan, 6.0])


def test_apply_to_huge_values_does_not_overflow():
    image = transport_from_cost([[1.0, 1.0]]).apply([1.5e308, 1.5e308])
    # two halves of the same number: exact
    assert image[0] == 1.5e308


def test_apply_refuses_the_wrong_number_of_rows(coupling):
    with pytest.raises(InvalidInput, match="y must have 2 rows"):
        coupling.apply([1.0, 2.0, 3.0])


def test_apply_of_a_translation_finds_the_images(rng):
    x = rng.normal(size=(30, 3))
    v = np.array([0.5, -1.0, 2.0])
    order = rng.permutation(30)
    image = EMD().solve(x, (x + v)[order], p=2).apply((x + v)[order])
    # each row has one match with share exactly 1
    np.testing.assert_array_equal(image, x + v)


def test_arrays_of_a_coupling_are_read_only(coupling):
    with pytest.raises(ValueError, match="read-only"):
        coupling.masses[0] = 1.0


def test_the_dense_plan_is_a_copy(coupling):
    coupling.to_dense()[0, 0] = 7.0
    assert coupling.to_dense()[0, 0] == 0.5


def test_repr_tells_the_size(coupling):
    assert repr(coupling).endswith("n=3, m=2, entries=3)")


def test_importing_transport_loads_neither_pot_nor_scipy():
    code = "import sys, divkit.transport; sys.exit(bool({'ot', 'scipy', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_importing_the_methods_loads_neither_pot_nor_scipy():
    code = "import sys, divkit.transport.emd, divkit.transport.lp; sys.exit(bool({'ot', 'scipy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
