"""Every example in a docstring is true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import divkit
from divkit._errors import MissingDependency

MODULES = ["divkit"] + [
    info.name for info in pkgutil.walk_packages(divkit.__path__, "divkit.") if not info.name.endswith("__main__")
]


def examples(name: str) -> list[doctest.DocTest]:
    """The examples of a module: those the finder sees, and those of functions that are made at run time."""
    try:
        module = importlib.import_module(name)
    except (ImportError, MissingDependency) as error:
        pytest.skip(str(error))
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = {test.name: test for test in finder.find(module, name)}
    for public in getattr(module, "__all__", ()):
        value = getattr(module, public)
        if callable(value) and getattr(value, "__module__", "").startswith("divkit"):
            found.update({test.name: test for test in finder.find(value, f"{name}.{public}")})
    return [test for test in found.values() if test.examples]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_are_true(name: str) -> None:
    runner = doctest.DocTestRunner(verbose=False)
    report: list[str] = []
    for test in examples(name):
        runner.run(test, out=report.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(report)


def test_examples_are_found_at_all() -> None:
    for name, least in (("divkit.api", 10), ("divkit.exact", 1), ("divkit.measures", 1)):
        assert len(examples(name)) >= least
