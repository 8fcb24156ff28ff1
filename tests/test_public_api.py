"""The public surface: what there is, where it lives, and that it is documented."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from typing import Any

import pytest

import divkit
from divkit.methods import METHODS, Method, method_class

NAMES = sorted(set(divkit.__all__) - {"__version__"})


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_exists_and_has_a_docstring(name: str) -> None:
    value: Any = getattr(divkit, name)
    if name in ("DIVERGENCES", "METHODS"):
        assert len(value) > 0
    else:
        assert inspect.getdoc(value)


def test_the_table_of_names_and_the_type_checkers_imports_agree() -> None:
    import ast

    tree = ast.parse(inspect.getsource(divkit))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in ast.walk(block) if isinstance(node, ast.ImportFrom)]
    typed = {alias.name for node in imports for alias in node.names}
    assert typed == set(NAMES)


def test_dir_lists_the_public_names() -> None:
    assert set(dir(divkit)) == set(divkit.__all__)


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'wasserstein3'"):
        _ = divkit.wasserstein3


def test_no_module_shadows_a_public_name() -> None:
    modules = {info.name for info in pkgutil.iter_modules(divkit.__path__)}
    assert modules & set(divkit._PUBLIC) == set()


def modules() -> list[str]:
    return [info.name for info in pkgutil.walk_packages(divkit.__path__, "divkit.") if "__main__" not in info.name]


@pytest.mark.parametrize("name", modules())
def test_every_module_lists_what_it_offers(name: str) -> None:
    module = importlib.import_module(name)
    assert inspect.getdoc(module)
    if inspect.getsource(module).count("\n") > 3:
        offered = getattr(module, "__all__", None)
        assert offered is not None or name.endswith("_kernels")
        for item in offered or ():
            assert hasattr(module, item), item


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_a_frozen_dataclass_that_describes_itself(name: str) -> None:
    cls = method_class(name)
    assert issubclass(cls, Method)
    assert cls.name == name
    assert dataclasses.is_dataclass(cls)
    assert cls.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert cls.__subclasses__() == []
    assert cls.measures
    assert cls.divergences
    assert cls() == cls()
    assert inspect.getdoc(cls)
