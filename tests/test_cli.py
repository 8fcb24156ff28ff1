"""The command line: real data from files, tables and JSON, and one line on standard error for everything wrong."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse
import scipy.special
import scipy.stats
from scipy.spatial.distance import cdist
from strategies import F

from divkit.examples import shifted_uniform
from divkit.methods import METHODS

datasets = pytest.importorskip("sklearn.datasets")
typer = pytest.importorskip("typer")


def shell(*arguments: object, prelude: str = "") -> tuple[int, str, str]:
    """Exit code, standard output and standard error of `python -m divkit` in a process of its own."""
    start = ["-c", f"import sys, runpy\n{prelude}\nrunpy.run_module('divkit', run_name='__main__')"] if prelude else []
    command = [sys.executable, *(start or ["-m", "divkit"]), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Any:
    """The same in this process, which is faster by the imports."""
    from divkit.cli import run

    def call(*arguments: object) -> tuple[int, str, str]:
        code = run([str(a) for a in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def parsed(result: tuple[int, str, str]) -> dict[str, Any]:
    """The JSON of a successful call; constants such as NaN and Infinity, which JSON does not have, are an error."""
    code, out, err = result
    assert (code, err) == (0, "")

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    loaded = json.loads(out, parse_constant=refuse)
    assert isinstance(loaded, dict)
    return loaded


def transport_by_lp(x: F, y: F) -> float:
    """W_1 of equally weighted points by HiGHS."""
    n, m = len(x), len(y)
    marginals = scipy.sparse.vstack(
        [
            scipy.sparse.kron(scipy.sparse.eye(n), np.ones((1, m))),
            scipy.sparse.kron(np.ones((1, n)), scipy.sparse.eye(m)),
        ]
    )
    masses = np.concatenate([np.full(n, 1 / n), np.full(m, 1 / m)])
    solution = scipy.optimize.linprog(cdist(x, y).ravel(), A_eq=marginals, b_eq=masses, method="highs")
    assert solution.status == 0
    return float(solution.fun)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of wine and of digits, in every format that is read."""
    base = tmp_path_factory.mktemp("data")
    wine, digits = datasets.load_wine(), datasets.load_digits()
    images = {}
    for k, name in enumerate("pq"):
        rows = wine.data[wine.target == k]
        header = ",".join(wine.feature_names)
        np.savetxt(base / f"{name}.csv", rows, "%.17g", ",", header=header, comments="")
        np.savetxt(base / f"{name}_bare.csv", rows, "%.17g", ",")
        np.savetxt(base / f"{name}.tsv", rows, "%.17g", "\t", header=header.replace(",", "\t"), comments="")
        np.savetxt(base / f"{name}_alcohol.csv", rows[:, 0], "%.17g", header="alcohol", comments="")
        np.save(base / f"{name}.npy", rows)
        images[name] = digits.data[digits.target == k]
        np.save(base / f"{name}_digits.npy", images[name][:120])
        counts = np.bincount(images[name].astype(int).ravel(), minlength=17)
        np.savetxt(base / f"{name}_intensities.csv", counts / counts.sum(), "%.17g", header="share", comments="")
        np.savetxt(base / f"{name}_row.csv", (counts / counts.sum())[None, :], "%.17g", ",")
    np.savez(base / "digits.npz", zero=images["p"][:120], one=images["q"][:120])
    for name, text in BAD_FILES.items():
        (base / name).write_text(text)
    return base


BAD_FILES = {
    "empty.csv": "",
    "header.csv": "a,b\n",
    "ragged.csv": "1,2\n3\n",
    "text.csv": "1,2\n3,red\n",
    "nan.csv": "1,2\n3,nan\n",
    "counts.csv": "3\n1\n",
    "line.csv": "1,2,3\n",
    "half.csv": "0.5\n0.5\n",
    "apart.csv": "1\n0\n",
    "other.csv": "0\n1\n",
    "table.txt": "1\n",
}


def test_w1_of_two_wines_agrees_with_a_linear_program(folder: Path, cli: Any) -> None:
    p, q = (np.load(folder / f"{name}.npy") for name in "pq")
    code, out, err = shell("estimate", "wasserstein1", folder / "p.csv", folder / "q.csv", "--json")
    value = parsed((code, out, err))
    # HiGHS stops at reduced costs of 1e-7, for costs up to 1000 and a value of about 560.
    assert value["value"] == pytest.approx(transport_by_lp(p, q), rel=1e-9)
    assert (value["method"], value["bound"], value["estimand"]) == ("column_generation", "exact", "given")
    assert value["kind"] == "samples"
    assert value["interval"][0] <= value["value"] <= value["interval"][1]
    for ending in ("_bare.csv", ".tsv", ".npy"):
        again = parsed(cli("estimate", "wasserstein1", folder / f"p{ending}", folder / f"q{ending}", "--json"))
        assert again["value"] == value["value"]


def test_w1_of_one_column_agrees_with_scipy(folder: Path, cli: Any) -> None:
    files = folder / "p_alcohol.csv", folder / "q_alcohol.csv"
    p, q = (np.load(folder / f"{name}.npy")[:, 0] for name in "pq")
    value = parsed(cli("estimate", "wasserstein1", *files, "--json"))
    # SciPy's plain sums over 130 levels: 130 roundings of values below 15.
    assert value["value"] == pytest.approx(scipy.stats.wasserstein_distance(p, q), rel=1e-12)
    assert value["method"] == "line"
    assert parsed(cli("estimate", "wasserstein1", *files, "--json", "--method", "lp"))["method"] == "lp"
    assert parsed(cli("estimate", "wasserstein2", *files, "--json"))["value"] >= value["value"]


def test_w1_of_digits_agrees_with_the_best_assignment(folder: Path, cli: Any) -> None:
    costs = cdist(np.load(folder / "p_digits.npy"), np.load(folder / "q_digits.npy"))
    matched = costs[scipy.optimize.linear_sum_assignment(costs)].mean()
    value = parsed(shell("estimate", "wasserstein1", folder / "p_digits.npy", folder / "q_digits.npy", "--json"))
    assert value["value"] == pytest.approx(matched, rel=1e-12)  # both sum 120 optimal distances
    archive = folder / "digits.npz"
    again = parsed(cli("estimate", "wasserstein1", f"{archive}:zero", f"{archive}:one", "--json"))
    assert again["value"] == value["value"]


def test_kl_of_pixel_intensities_agrees_with_scipy(folder: Path, cli: Any) -> None:
    files = folder / "p_intensities.csv", folder / "q_intensities.csv"
    p, q = (np.loadtxt(file, skiprows=1) for file in files)
    value = parsed(shell("estimate", "kl", *files, "--json"))
    assert value["value"] == pytest.approx(scipy.special.rel_entr(p, q).sum(), rel=1e-12)  # 17 terms of size 0.1
    assert (value["kind"], value["method"], value["level"]) == ("probabilities", "exact", 1.0)
    assert (
        parsed(cli("estimate", "kl", folder / "p_row.csv", folder / "q_row.csv", "--json"))["value"] == value["value"]
    )


def test_the_table_shows_what_json_holds(folder: Path, cli: Any) -> None:
    arguments = "estimate", "jsd", folder / "p_row.csv", folder / "q_row.csv"
    value = parsed(cli(*arguments, "--json"))
    code, out, err = cli(*arguments)
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert (code, err) == (0, "")
    assert f"{value['value']:.12g}" in lines["jsd"]
    assert "exact (given)" in lines["bound"]
    assert "certain" in lines["interval"]


def test_infinity_is_a_string_in_json(folder: Path, cli: Any) -> None:
    value = parsed(cli("estimate", "kl", folder / "apart.csv", folder / "other.csv", "--json"))
    assert value["value"] == "inf"
    assert value["interval"] == ["inf", "inf"]


WRONG: list[tuple[list[str], str]] = [
    (["kl", "missing.csv", "half.csv"], "there is no file"),
    (["kl", "table.txt", "half.csv"], "must end in .csv, .tsv, .npy or .npz"),
    (["wasserstein1", "ragged.csv", "p.csv"], "line 2 has 1 cells, the first has 2"),
    (["wasserstein1", "text.csv", "p.csv"], "line 2, column 2 is 'red', not a number"),
    (["wasserstein1", "empty.csv", "p.csv"], "holds no numbers"),
    (["wasserstein1", "header.csv", "p.csv"], "holds no numbers"),
    (["wasserstein1", "nan.csv", "p.csv"], "P ("),
    (["wasserstein1", "p.csv", "nan.csv"], "points must be finite, but points[(1, 1)] is nan"),
    (["wasserstein1", "line.csv", "line.csv"], "one line of 3 numbers could be one point or 3 points"),
    (["wasserstein1", "half.csv", "p.csv"], "their dimensions are 1 and 13"),
    (["wasserstein1", "digits.npz", "p.npy"], "holds the arrays zero, one; pick one as"),
    (["wasserstein1", "half.csv", "apart.csv", "--kind", "probabilities"], "Discrete without points has no distances"),
    (["kl", "counts.csv", "half.csv"], "could hold probabilities, counts or samples (they sum to 4 and 1)"),
    (["kl", "counts.csv", "half.csv", "--kind", "probabilities"], "sums to 4; a probability vector sums to 1"),
    (["kl", "p.csv", "q.csv", "--kind", "probabilities"], "one row or one column, the file has shape (59, 13)"),
    (["kl", "half.csv", "line.csv", "--kind", "samples"], "one line of 3 numbers could be one point or 3 points"),
    (["--all", "half.csv", "half.csv"], "P has 2 points; 5 folds take at least 10"),
    (["--all", "p.csv", "q.csv", "--method", "knn"], "--all compares samples, by method crossfit"),
    (["--all", "kl", "p.csv", "q.csv"], "divkit estimate takes P Q with --all"),
    (["kl", "half.csv", "p_row.csv"], "the laws have 2 and 17 atoms"),
    (["kll", "half.csv", "half.csv"], "divergence 'kll' is unknown; did you mean 'kl'"),
    (["kl", "half.csv", "half.csv", "--method", "best"], "method must be one of auto, exact,"),
    (["kl", "half.csv", "half.csv", "--method", "emd"], "method 'emd' cannot compute kl here"),
    (["kl", "half.csv", "half.csv", "--level", "95"], "level must be a number between 0 and 1"),
    (["kl", "half.csv", "half.csv", "--level", "high"], "See divkit --help."),
    (["kl", "half.csv", "half.csv", "--seed", "-1"], "See divkit --help."),
    (["kl", "half.csv", "half.csv", "--kind", "rows"], "See divkit --help."),
    (["kl", "half.csv"], "divkit estimate takes DIVERGENCE P Q"),
    (["kl", "half.csv", "half.csv", "--nonsense"], "See divkit --help."),
]


def test_a_divergence_of_two_tables_is_one_between_samples(folder: Path, cli: Any) -> None:
    code, out, err = cli("estimate", "jsd", folder / "p.csv", folder / "q.csv", "--method", "crossfit", "--json")
    value = json.loads(out)
    assert code == 0
    assert err.startswith("divkit: warning: crossfit: 59 points (effective) are few for 13 dimensions")
    assert (value["kind"], value["bound"], value["estimand"]) == ("samples", "lower", "population")
    # Two cultivars of wine, 13 measurements: nearly separable, so that JSD is near log 2.
    assert 0.3 < value["interval"][0] <= value["value"] <= math.log(2)


def test_all_divergences_come_with_their_limits(folder: Path, cli: Any) -> None:
    _, out, _ = cli("estimate", "--all", folder / "p.csv", folder / "q.csv", "--json")
    found = json.loads(out)["divergences"]
    assert set(found) == {
        "kl", "reverse_kl", "jsd", "pearson_chi2", "neyman_chi2", "squared_hellinger", "hellinger", "total_variation",
        "jeffreys",
    }  # fmt: skip
    assert all(value["interval"][0] <= value["value"] for value in found.values())
    code, out, _ = cli("estimate", "--all", folder / "p.csv", folder / "q.csv")
    assert code == 0
    assert "total_variation" in out


def test_a_two_sample_test_of_files_is_that_of_their_points(folder: Path, cli: Any) -> None:
    from divkit import two_sample_test

    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(40, 2)), rng.normal(size=(30, 2)) + 0.5
    np.save(folder / "x.npy", x)
    np.savetxt(folder / "y.csv", y, delimiter=",")
    found = parsed(cli("test", folder / "x.npy", folder / "y.csv", "--json", "--permutations", 99))
    expected = two_sample_test(x, y, permutations=99, rng=0)
    assert found["p_value"] == expected.p_value
    assert found["value"] == pytest.approx(expected.statistic)
    assert (found["n"], found["m"]) == (40, 30)
    code, out, _ = cli("test", folder / "x.npy", folder / "y.csv", "--statistic", "wasserstein1", "--stop-after", 5)
    assert code == 0
    assert "p-value" in out
    code, _, err = cli("test", folder / "x.npy", folder / "y.csv", "--paired")
    assert code == 2
    assert "paired takes as many points in y as in x, got 40 and 30" in err


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=[f"{k}-{a[0]}-{a[1]}" for k, (a, _) in enumerate(WRONG)])
def test_an_error_is_one_line_and_exit_code_2(folder: Path, cli: Any, arguments: list[str], message: str) -> None:
    located = [str(folder / a) if "." in a else a for a in arguments]
    code, out, err = cli("estimate", *located)
    assert (code, out) == (2, "")
    assert err.startswith("divkit: ")
    assert err.endswith("\n")
    assert err.count("\n") == 1
    assert message in err


def test_an_error_of_a_real_process_has_no_traceback(folder: Path) -> None:
    code, out, err = shell("estimate", "kl", folder / "counts.csv", folder / "half.csv")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "they sum to 4 and 1" in err


def test_the_version_is_that_of_the_package() -> None:
    from importlib.metadata import version

    assert shell("--version") == (0, f"divkit {version('divkit')}\n", "")


def test_the_table_of_methods_lists_every_method(cli: Any) -> None:
    code, out, err = cli("methods")
    assert (code, err) == (0, "")
    assert set(METHODS) <= set(out.replace("│", " ").split())
    code, out, _ = cli("methods", "--json")
    assert [row["method"] for row in json.loads(out)] == list(METHODS)


@pytest.mark.parametrize("arguments", [[], ["example"]])
def test_no_command_shows_the_commands(arguments: list[str], cli: Any) -> None:
    code, out, err = cli(*arguments)
    assert (code, err) == (2, "")
    assert "Usage: divkit" in out


def test_the_example_writes_a_picture_and_a_table_that_holds_the_lectures_values(tmp_path: Path, cli: Any) -> None:
    pytest.importorskip("matplotlib")
    target = tmp_path / "new" / "folder"
    value = parsed(cli("example", "shifted-uniform", "--save", target, "--n", 20, "--json"))
    picture, table = (target / f"shifted_uniform.{ending}" for ending in ("png", "csv"))
    assert value["files"] == [str(picture), str(table)]
    assert picture.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert picture.stat().st_size > 10_000
    lines = [line.split(",") for line in table.read_text().splitlines()]
    assert lines[0] == ["theta", "source", *shifted_uniform.COLUMNS]
    exact = {float(row[0]): [float(cell) for cell in row[2:]] for row in lines[1:] if row[1] == "exact"}
    assert len(exact) == 9
    for theta, row in exact.items():
        apart = [math.inf, math.inf, math.log(2), math.inf, 2.0, 1.0, abs(theta)]
        assert row == (apart if theta else [0.0] * 7)
    assert len(value["rows"]) == 27
    assert value["rows"][0]["kl"] == "inf"


def test_the_example_prints_its_table(tmp_path: Path, cli: Any) -> None:
    pytest.importorskip("matplotlib")
    code, out, err = cli("example", "shifted-uniform", "--save", tmp_path, "--n", 5)
    assert (code, err) == (0, "")
    assert out.count("lecture") == 9
    assert out.endswith(f"wrote {tmp_path / 'shifted_uniform.png'} and {tmp_path / 'shifted_uniform.csv'}\n")


@pytest.mark.parametrize(("module", "extra"), [("typer", "cli"), ("rich", "cli")])
def test_without_the_extra_of_the_command_line_one_line_says_how_to_get_it(module: str, extra: str) -> None:
    code, out, err = shell("methods", prelude=f"sys.modules['{module}'] = None")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f'python -m pip install "divkit[{extra}]"' in err


def test_without_matplotlib_the_example_says_how_to_get_it_and_leaves_nothing_behind(tmp_path: Path) -> None:
    prelude = "sys.modules['matplotlib'] = sys.modules['matplotlib.figure'] = None"
    code, out, err = shell("example", "shifted-uniform", "--save", tmp_path / "new", "--n", 1, prelude=prelude)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert 'pip install "divkit[plot]"' in err
    assert not (tmp_path / "new").exists()


def test_warmup_compiles_what_later_calls_would_and_says_how_long_it_took(cli: Any) -> None:
    code, out, err = cli("warmup")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) == 3
    assert all(re.fullmatch(r".+: \d+\.\d s", line) for line in lines)
