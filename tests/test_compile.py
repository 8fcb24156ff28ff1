"""Compiled code works where no cache can be written, and is cached where one can."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import divkit
from divkit._compile import compiled

PACKAGE = Path(divkit.__file__).parent


@pytest.fixture(scope="module")
def unwritable(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A copy of the package and an environment in which no cache folder can be made, not even by root.

    Where folders should be there are files: one in place of every __pycache__, and one above the home.
    """
    root = tmp_path_factory.mktemp("installation")
    shutil.copytree(PACKAGE, root / "divkit", ignore=shutil.ignore_patterns("__pycache__"))
    for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
        (folder / "__pycache__").write_text("no folder", encoding="utf-8")
    (root / "file").write_text("no folder", encoding="utf-8")
    hidden = ("NUMBA_CACHE_DIR", "NUMBA_CACHE_LOCATOR_CLASSES", "XDG_CACHE_HOME", "LOCALAPPDATA")
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    home = str(root / "file" / "home")
    return root, {**kept, "HOME": home, "USERPROFILE": home, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}


def run(code: str, place: tuple[Path, dict[str, str]]) -> subprocess.CompletedProcess[str]:
    root, environment = place
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def test_numba_itself_refuses_to_cache_there(unwritable: tuple[Path, dict[str, str]]) -> None:
    root, _ = unwritable
    (root / "plain.py").write_text("from numba import njit\n@njit(cache=True)\ndef f(x):\n    return x\n", "utf-8")
    assert "no locator available" in run("import plain", unwritable).stderr


@pytest.mark.parametrize(
    ("call", "value"),
    [
        ("divkit.wasserstein1([0.0], [1.0, 2.0])", "1.5"),
        ("divkit.total_variation([0.5, 0.5], [0.25, 0.75])", "0.25"),
        ("divkit.Line().solve([0.0, 1.0], [3.0, 2.0]).cost", "2.0"),
    ],
)
def test_compiled_code_runs_without_a_cache(call: str, value: str, unwritable: tuple[Path, dict[str, str]]) -> None:
    root, _ = unwritable
    code = f"import divkit; assert divkit.__file__.startswith({str(root)!r}), divkit.__file__; print({call})"
    done = run(code, unwritable)
    assert (done.stdout.strip(), done.stderr) == (value, "")


def test_compiled_code_is_cached_where_a_folder_can_be_written(tmp_path: Path) -> None:
    source = "from divkit._compile import compiled\n@compiled()\ndef f(x):\n    return x + 1\nprint(f(1))\n"
    (tmp_path / "plain.py").write_text(source, "utf-8")
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    assert run("import plain", (tmp_path, environment)).stdout == "2\n"
    assert list((tmp_path / "cache").rglob("plain.f-*.nbi"))


def test_other_errors_of_the_compiler_are_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**options: object) -> None:
        raise RuntimeError("out of registers")

    monkeypatch.setattr("divkit._compile.njit", broken)
    with pytest.raises(RuntimeError, match="out of registers"):
        compiled()(lambda x: x)
