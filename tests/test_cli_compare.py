"""`divkit compare`: tables in files, a page, and a gate."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("typer")
import divkit
from divkit.cli import run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    rng = np.random.default_rng(0)
    for name, shift in (("a", 0.0), ("b", 15.0)):
        frame = pd.DataFrame(
            {
                "height": rng.normal(170 + shift, 10, 80),
                "town": rng.choice(["u", "v"], 80),
                "[bold]x": rng.normal(size=80),
            }
        )
        frame.to_csv(folder / f"{name}.csv", index=False)
        frame.to_csv(folder / f"{name}.tsv", index=False, sep="\t")
        np.save(folder / f"{name}.npy", frame[["height"]].to_numpy())
    return folder


def compared(folder: Path, *options: str, suffix: str = "csv") -> int:
    return run(["compare", str(folder / f"a.{suffix}"), str(folder / f"b.{suffix}"), *options])


def test_tables_are_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compared(folder) == 0
    printed = capsys.readouterr().out
    assert "by more than chance" in printed
    for word in ("height", "town", "[bold]x", "Jensen-Shannon", "W1 between the laws"):
        assert word in printed


def test_json_is_that_of_the_verb(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compared(folder, "--json", "--seed", "3", "--columns", "height, town") == 0
    held = json.loads(capsys.readouterr().out)
    frames = [pd.read_csv(folder / f"{name}.csv") for name in "ab"]
    own = json.loads(divkit.compare(*frames, columns=["height", "town"], rng=3).to_json())
    assert {key: held[key] for key in own} == own
    assert held["failed"] == []


def test_formats_agree(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = []
    for suffix in ("csv", "tsv"):
        assert compared(folder, "--json", suffix=suffix) == 0
        held = json.loads(capsys.readouterr().out)
        found.append({key: value for key, value in held.items() if key not in "AB"})
    assert found[0] == found[1]
    assert compared(folder, suffix="npy") == 0


def test_a_condition_that_holds_is_exit_code_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compared(folder, "--fail-if", "p_value < 0.01", "--fail-if", "jsd.lower > 0.6") == 1
    assert capsys.readouterr().err.strip() == "divkit: condition holds: p_value < 0.01"
    assert compared(folder, "--json", "--fail-if", "columns[height].adjusted < 0.05") == 1
    assert json.loads(capsys.readouterr().out)["failed"] == ["columns[height].adjusted < 0.05"]
    assert compared(folder, "--fail-if", "p_value > 0.9") == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fail-if", "p < "], "a condition is a name"),
        (["--fail-if", "jds < 1"], "did you mean 'jsd'"),
        (["--columns", "weight"], "no column 'weight'"),
        (["--statistic", "ks", "--fail-if", "p_value < 0.1"], "cannot be judged"),
        (["--level", "2"], "level"),
        (["--correction", "x"], "correction"),
    ],
)
def test_bad_input_is_exit_code_2(
    folder: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compared(folder, *options) == 2
    said = capsys.readouterr().err
    assert said.startswith("divkit: ")
    assert message in said
    assert said.count("\n") == 1


def test_everything_is_printed_and_judged_before_what_cannot_be_judged_ends_it(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conditions = ("--fail-if", "p_value < 0.01", "--fail-if", "columns[nobody].jsd > 0")
    assert compared(folder, "--html", str(tmp_path / "page.html"), *conditions) == 2
    said = capsys.readouterr()
    assert "by more than chance" in said.out
    assert "condition holds: p_value < 0.01" in said.err
    assert (tmp_path / "page.html").exists()
    assert compared(folder, "--html", str(tmp_path / "none" / "page.html")) == 2
    assert "no folder" in capsys.readouterr().err


def test_parts_and_columns_one_by_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compared(folder, "--parts", "", "--columns", "height", "--columns", "town", "--json") == 0
    held = json.loads(capsys.readouterr().out)
    assert held["test"] is None
    assert {column["name"] for column in held["columns"]} == {"height", "town"}


def test_missing_files_and_different_columns(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", str(folder / "a.csv"), str(folder / "none.csv")]) == 2
    assert "there is no file" in capsys.readouterr().err
    assert run(["compare", str(folder / "a.csv"), str(folder / "b.npy")]) == 2
    assert "names of columns" in capsys.readouterr().err


def test_a_page_is_written(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    assert compared(folder, "--html", str(tmp_path / "page.html"), "--fail-if", "p_value < 0.01") == 1
    assert "<title>a.csv and b.csv compared</title>" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "page.html" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ([], 0),
        (["--json"], 0),
        (["--fail-if", "p_value <= 1"], 1),
        (["--fail-if", "p_value < 0.0001"], 0),
        (["--columns", "nothing"], 2),
    ],
)
def test_a_reader_that_leaves_does_not_change_the_exit_code(more, code, tmp_path):
    rng = np.random.default_rng(0)
    names = ",".join(f"column {j}" for j in range(60))
    for name in ("a.csv", "b.csv"):
        np.savetxt(tmp_path / name, rng.normal(size=(30, 60)), delimiter=",", header=names, comments="")
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "divkit", "compare", "a.csv", "b.csv", "--parts", "test", *more]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False)
    os.close(writer)
    assert done.returncode == code
    assert ("divkit:" in done.stderr) == (code > 0)
    assert "pipe" not in done.stderr.lower()
