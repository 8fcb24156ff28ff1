"""The rows, tables and pictures of the benchmark of estimates from samples say what its draws said."""

from __future__ import annotations

import json
import math
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fdiv_benchmark import ROOT, contestants, coverage_tables, kept, markdown, peers, problems, rows, tables

TASKS = problems.tasks()


def job(**changes: Any) -> Any:
    known = {"task": TASKS[0].name, "n": 60, "m": 60, "draw": 0, "divergences": ("kl",), "contestants": ("peers",)}
    return contestants.Job(**known | changes)


def failing(pair: Any) -> float:
    raise ZeroDivisionError("no neighbours")


def test_what_a_peer_raises_is_its_refusal() -> None:
    peer = peers.Peer("broken", "raises", {"kl": failing})
    (record,) = contestants.by_peer(job(), peer, peers.Pair(*TASKS[0].draw(60, 60, 0)))
    assert (record.value, record.refused) == (None, "ZeroDivisionError: no neighbours")


def test_a_value_that_is_no_number_is_a_refusal() -> None:
    peer = peers.Peer("void", "has no answer", {"kl": lambda pair: math.nan})
    (record,) = contestants.by_peer(job(), peer, peers.Pair(*TASKS[0].draw(60, 60, 0)))
    assert (record.value, record.refused) == (None, "returned nan")


def test_a_peer_is_not_asked_beyond_its_draws() -> None:
    peer = peers.Peer("slow", "for few draws", {"kl": lambda pair: 1.0}, most_draws=lambda n, m, d: 2)
    pair = peers.Pair(*TASKS[0].draw(60, 60, 0))
    assert [len(contestants.by_peer(job(draw=draw), peer, pair)) for draw in range(4)] == [1, 1, 0, 0]


def test_a_draw_of_a_task_is_estimated_by_every_formula() -> None:
    _, records = contestants.work(job())
    formulas = {peer.name for peer in peers.PEERS if peer.package is None}
    assert formulas <= {record.contestant for record in records if record.value is not None}


def made(values: list[float | None], contestant: str = "auto", divergence: str = "kl", **extra: Any) -> list[Any]:
    """Results of the first task: one draw a value, None for a refusal."""
    return [
        (
            job(draw=draw, n=1000, m=1000),
            [
                contestants.Record(
                    contestant, divergence, found, found, refused=None if found is not None else "refused", **extra
                )
            ],
        )
        for draw, found in enumerate(values)
    ]


KNOWN = {(TASKS[0].name, name): problems.Truth(0.5, 0.0, "given") for name in problems.DIVERGENCES}


def test_a_row_has_the_errors_of_its_draws() -> None:
    (row,) = rows.rows_of(rows.collected(made([0.5, 0.7, None])), KNOWN)
    assert (row["draws"], row["refusals"], row["mean"], row["bias"]) == (2, 1, 0.6, 0.1)
    assert row["rmse"] == pytest.approx(math.sqrt(0.02), rel=1e-5)  # rows keep six digits
    assert row["bias_error"] == pytest.approx(0.1, rel=1e-5)  # std 0.1 sqrt 2, over sqrt 2


def test_an_uncertain_truth_adds_to_the_standard_error_of_the_bias() -> None:
    known = {key: problems.Truth(0.5, 0.3, "sampled") for key in KNOWN}
    (row,) = rows.rows_of(rows.collected(made([0.5, 1.3])), known)
    assert row["bias_error"] == pytest.approx(0.5, rel=1e-5)  # the hypotenuse of 0.4 and 0.3


def test_coverage_counts_the_limits_that_hold() -> None:
    results = [*made([0.6], lower=0.4, seen=(0.4, 0.8))]
    results += [(found._replace(draw=1), records) for found, records in made([0.7], lower=0.55, seen=(0.55, 0.8))]
    (row,) = rows.rows_of(rows.collected(results), KNOWN)
    assert (row["lower_held"], row["seen_held"], row["seen_offered"]) == (0.5, 0.5, 1.0)


def test_an_infinite_truth_has_no_row() -> None:
    known = {key: problems.Truth(math.inf, 0.0, "given") for key in KNOWN}
    assert rows.rows_of(rows.collected(made([1.0])), known) == []


def test_auto_is_compared_with_the_best_peer_on_the_draws_of_both() -> None:
    # Errors 0.1, 0.1, 0.4 against 0.05 twice from one peer and 1 thrice from another: 0.1/0.05 on two common draws.
    results = [*made([0.6, 0.6, 0.9]), *made([0.55, 0.55, None], "ITE"), *made([1.5, 1.5, 1.5], "NPEET")]
    (row,) = rows.ranked(rows.collected(results), KNOWN)
    assert (row["peer"], row["draws"], row["ratio"]) == ("ITE", 2, pytest.approx(2.0, rel=1e-5))


def test_a_mean_above_the_truth_is_reported_for_lower_bounds_only() -> None:
    high = [0.8 + draw / 100 for draw in range(rows.ENOUGH)]
    found = {
        flag: rows.above(rows.rows_of(rows.collected(made(high, lower=0.1, one_sided=flag)), KNOWN))
        for flag in (True, False)
    }
    assert (len(found[True]), found[False]) == (1, [])


def test_what_cutting_at_zero_adds_to_the_mean_is_not_held_against_a_bound() -> None:
    cut = [(found, [record._replace(raw=0.4) for record in records]) for found, records in made([0.6] * rows.ENOUGH)]
    lower = [(found, [record._replace(lower=0.1, one_sided=True) for record in records]) for found, records in cut]
    assert rows.above(rows.rows_of(rows.collected(lower), KNOWN)) == []


def test_a_mean_of_few_draws_is_not_held_against_a_bound() -> None:
    few = [0.8 + draw / 100 for draw in range(rows.ENOUGH - 1)]
    found = rows.rows_of(rows.collected(made(few, lower=0.1, one_sided=True)), KNOWN)
    assert rows.above(found) == []


def payload() -> dict[str, Any]:
    """A result of the first task, as the script writes it."""
    names = [("auto", 0.5), ("knn", 0.52), ("ITE", 0.7), ("densratio", None)]
    results = [
        result
        for divergence in problems.DIVERGENCES
        for name, at in names
        for result in made([at, at], name, divergence, lower=0.4, one_sided=name == "auto", method="knn")
    ]
    found = rows.collected(results)
    listed = rows.ordered(rows.rows_of(found, KNOWN))
    machine = {"processor": "some", "python": "3", "versions": {"numpy": "2"}, "date": "2024-01-01"}
    return machine | {
        "draws": {"200": 2, "1000": 2, "10000": 2},
        "level": 0.95,
        "peers": [{"name": name, "version": "1", "about": "it"} for name in ("densratio", "ITE")],
        "truths": [
            {"task": task, "divergence": name, "truth": found.value, "error": 0.0, "source": "given"}
            for (task, name), found in KNOWN.items()
        ],
        "summary": rows.summary(found, listed, KNOWN),
        "rows": listed,
    }


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the result of the accuracy and coverage parts."""
    for name in ("fdiv_accuracy", "fdiv_coverage"):
        (tmp_path / f"{name}.json").write_text(json.dumps(payload(), allow_nan=False))
    monkeypatch.setattr(markdown, "RESULTS", tmp_path)
    return tmp_path


@pytest.mark.usefixtures("results")
def test_the_table_of_kl_sets_the_smallest_error_in_bold_and_names_refusals() -> None:
    text = tables.fdiv_kl()
    assert "| Gaussian shift, d = 1 | 1,000 | 0.5 | `knn` | **0** | refused | 0.2 |" in text


@pytest.mark.usefixtures("results")
@pytest.mark.parametrize("name", sorted(set(tables.TABLES) - {"fdiv_speed"}))
def test_every_table_is_made_of_the_result(name: str) -> None:
    assert "Gaussian shift, d = 1" in tables.TABLES[name]() or name in ("fdiv_peers", "fdiv_pictures", "fdiv_promises")


@pytest.mark.usefixtures("results")
def test_limits_that_hold_too_rarely_are_named() -> None:
    text = coverage_tables.fdiv_limits()
    assert "| `auto` | 1,000 | 6 | 100 % | 6 |" in text
    assert "holds less often" not in text


def test_a_limit_above_the_truth_is_in_the_list(results: Path) -> None:
    found = payload()
    found["rows"] = [row | {"lower_held": 0.5, "seen_held": 0.25} for row in found["rows"] if "lower_held" in row][:1]
    (results / "fdiv_coverage.json").write_text(json.dumps(found))
    text = coverage_tables.fdiv_limits()
    assert "| 50 % | 0 | 25 % to 25 %, median 25 % |" in text
    assert "| KL | Gaussian shift, d = 1 | 1,000 | `auto` | 50 % |" in text
    assert "50 %; 25 %" in coverage_tables.fdiv_coverage()


@pytest.mark.usefixtures("results")
def test_the_promises_are_counted() -> None:
    assert "the smallest, or within 10 % of the smallest, in 100 % of 2 rows" in tables.fdiv_promises()


@pytest.fixture(scope="module")
def pictures() -> dict[str, Any]:
    """The names of the script, which draws nothing until it is asked to."""
    pytest.importorskip("matplotlib")
    return runpy.run_path(str(ROOT / "docs" / "accuracy_pictures.py"), run_name="pictures")


def test_each_contestant_with_estimates_has_a_panel(pictures: dict[str, Any]) -> None:
    figure = pictures["kl_picture"](payload())
    assert [axes.get_title() for axes in figure.axes if axes.get_visible()] == ["divkit", "divkit: knn", "ITE"]


def test_the_dot_of_a_task_stands_at_its_truth_and_its_mean(pictures: dict[str, Any]) -> None:
    figure = pictures["kl_picture"](payload())
    panel = next(axes for axes in figure.axes if axes.get_title() == "ITE")
    dots = [line for line in panel.lines if line.get_marker() == "o"]
    assert [np.array(line.get_data()).ravel().tolist() for line in dots] == [[0.5, 0.7]]


def test_a_mean_beyond_the_panel_is_an_open_dot_on_its_edge(pictures: dict[str, Any]) -> None:
    found = rows.rows_of(rows.collected(made([40.0, 40.0])), KNOWN)
    panel = pictures["kl_picture"]({"rows": found}).axes[0]
    (dot,) = (line for line in panel.lines if line.get_marker() == "o")
    assert dot.get_markerfacecolor() == "white"
    assert dot.get_data()[1] == [panel.get_ylim()[1]]


@pytest.mark.slow
@pytest.mark.parametrize("part", ["accuracy", "coverage"])
def test_a_quick_run_ends_well_and_writes_nothing(part: str, tmp_path: Path) -> None:
    script = ROOT / "benchmarks" / "fdiv_accuracy.py"
    before = sorted((ROOT / "benchmarks" / "results").iterdir())
    subprocess.run([sys.executable, str(script), "--quick", "--part", part], check=True, cwd=tmp_path, timeout=120)
    assert sorted((ROOT / "benchmarks" / "results").iterdir()) == before


def test_finished_draws_are_kept_for_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "draws" / "accuracy.jsonl"
    first, second = job(), job(draw=1)
    finished = contestants.work(first)
    kept.Kept(path).add(*finished)
    again = kept.Kept(path)
    assert again.missing([first, second]) == [second]
    assert list(again.results([first])) == [finished]


def test_draws_of_other_sources_are_not_mixed_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "accuracy.jsonl"
    kept.Kept(path)
    monkeypatch.setattr(kept, "sources", lambda: "others")
    with pytest.raises(SystemExit, match="draws by other sources"):
        kept.Kept(path)
