"""The floors of the package: a module imports only from lower ones, at any depth of its code."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import divkit

ROOT = Path(divkit.__file__).parent

# From the ground up. A module may import from any floor before its own, and from its own floor only where it is
# listed as a package ("x/" stands for every module of the package x that is not named elsewhere).
FLOORS: list[set[str]] = [
    {"_errors", "_compile", "_activation_widths"},
    {"_array", "_device", "_threads", "_generators", "_kernels", "_kernels/", "families", "variational"}
    | {"transport/_kernels"}
    | {f"transport/_kernels/{name}" for name in ("c_transform", "monotone", "kd", "simplex", "sinkhorn", "refine")},
    {"_checks", "result", "divergences", "_divergence_check"},
    {"measures", "catalog", "_files"},
    {"_table_times"},
    {"_table_columns"},
    {"_tables"},
    {"_table_files"},
    {
        "power_divergences",
        "_adapters_scipy",
        "_adapters_torch",
        "_wasserstein_1d",
        "_mixture",
        "_segment",
        "_stats",
        "_unit",
    },
    {"adapters", "datasets", "exact"},
    {"methods", "transport"},
    {"neural"},
    {"neural/_activations", "neural/_checkpoint", "neural/_cones", "neural/_constraints"},
    {"neural/nets", "neural/_parallel"},
    {"neural/"},
    {"methods/"},
    {"transport/"},  # line hands two laws to quadrature
    {"_transport_torch", "_line_torch", "_penalty_torch", "_loss_checks"},
    {"_w1_from_below"},
    {"lower_bounds", "wasserstein_bounds"},
    {"api"},
    {"two_sample"},
    {"two_sample/_arrangements", "two_sample/result", "two_sample/functions"},
    {"two_sample/line"},
    {"two_sample/"},
    {"comparison"},
    {"comparison/_noted", "comparison/_markup", "comparison/_pair", "comparison/conditions", "comparison/_figures"},
    {"comparison/"},
    {"comparison/_joint", "comparison/_shown", "comparison/pictures"},
    {"comparison/_svg"},
    {"comparison/report"},
    {"comparison/result"},
    {"comparison/verb"},
    {"losses", "_warmup"},
    {"gan"},
    {"gan/"},
    {"examples"},
    {"examples/"},
    {"_cli_measures", "_cli_output", "_cli_pipe", "_cli_train", "_gan_names"},
    {"_cli_examples", "_cli_test", "_cli_compare"},
    {"cli"},
    {"__main__"},
    {"__init__"},
]
# Imports that go up on purpose, inside functions: each is a lookup by name that the floors below cannot know.
UPWARDS = {
    ("divergences", "catalog"),  # reverse() finds the named partner
    ("divergences", "_divergence_check"),  # check() loads its checks on use
}


def dotted(path: Path) -> str:
    name = path.relative_to(ROOT).with_suffix("").as_posix()
    return name.removesuffix("/__init__") or name


MODULES = {dotted(path): path for path in sorted(ROOT.rglob("*.py"))}


def floor(name: str) -> int:
    for level, members in enumerate(FLOORS):
        if name in members:
            return level
    for level, members in enumerate(FLOORS):
        if "/" in name and name.split("/")[0] + "/" in members:
            return level
    raise AssertionError(f"module {name} has no floor; add it to FLOORS where it belongs")


def runtime_imports(path: Path) -> set[str]:
    """Modules of divkit imported anywhere in a file, except for type checking."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    own = (name for name in found if name.split(".")[0] == "divkit")
    inside = {name.removeprefix("divkit").removeprefix(".").replace(".", "/") for name in own}
    return {name for name in inside if name in MODULES}


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_imports_only_lower_floors(name: str) -> None:
    own, package = floor(name), name.split("/")[0]
    for other in runtime_imports(MODULES[name]) - {name}:
        if (name, other) in UPWARDS:
            continue
        same_package = other.split("/")[0] == package and floor(other) == own
        assert floor(other) < own or same_package, f"{name} (floor {own}) imports {other} (floor {floor(other)})"


def test_packages_have_no_import_cycles() -> None:
    graph = {name: runtime_imports(path) - {name} for name, path in MODULES.items()}
    for name, other in UPWARDS:
        graph[name].discard(other)
    graph["__init__"] = set()
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"import cycle: {' -> '.join([*trail, name])}"
        if name not in done:
            for other in graph[name]:
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_every_listed_module_exists() -> None:
    listed = {name for members in FLOORS for name in members}
    missing = {name for name in listed if not name.endswith("/") and name not in MODULES}
    assert missing == set()
