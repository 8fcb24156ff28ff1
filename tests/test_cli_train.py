"""`divkit train`: what it writes, resuming, and one-line refusals."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("torch")

from divkit.cli import run

SHORT = ["--steps", "8", "--look-every", "4", "--batch", "16", "--width", "8", "--depth", "1"]


def test_a_training_leaves_metrics_points_pictures_and_a_checkpoint(tmp_path, capsys):
    out = tmp_path / "ring"
    assert run(["train", "ring", "--out", str(out), "--json", *SHORT]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["problem"], found["objective"]) == ("ring", "relativistic")
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [4, 8]
    assert lines[-1] == found["metrics"]
    assert {"captured", "high_quality"} <= set(lines[-1])
    assert np.load(out / "samples.npy").shape == (2500, 2)
    assert (out / "checkpoint.pt").exists()
    assert list(out.glob("step-*.png"))
    assert (out / "curves.png").exists()
    report = json.loads((out / "report.json").read_text())
    assert report == found["report"]
    assert report["wasserstein1"] > report["wasserstein1_null"] > 0
    assert 0 <= report["jsd_lower"] <= report["jsd"] <= np.log(2)


def test_digits_are_judged_by_their_classes(tmp_path, capsys):
    assert run(["train", "digits", "--out", str(tmp_path / "a"), "--json", *SHORT]) == 0
    report = json.loads(capsys.readouterr().out)["report"]
    assert report["classes"] == 10
    assert 1 <= report["classes_covered"] <= 10


def test_a_file_with_few_points_says_that_it_cannot_be_judged(tmp_path, capsys):
    np.save(tmp_path / "few.npy", np.random.default_rng(0).normal(size=(30, 2)))
    assert run(["train", str(tmp_path / "few.npy"), "--out", str(tmp_path / "a"), *SHORT]) == 0
    assert "3 points were held out" in " ".join(capsys.readouterr().out.split())


def test_a_folder_that_holds_a_training_is_not_overwritten(tmp_path, capsys):
    out = str(tmp_path / "a")
    assert run(["train", "swissroll", "--out", out, *SHORT]) == 0
    before = (tmp_path / "a" / "metrics.jsonl").read_text()
    capsys.readouterr()
    assert run(["train", "swissroll", "--out", out, *SHORT]) == 2
    assert "holds a training already; go on with --resume" in capsys.readouterr().err
    assert run(["train", "swissroll", "--out", out, "--resume", *SHORT]) == 0
    assert (tmp_path / "a" / "metrics.jsonl").read_text() == before
    assert run(["train", "ring", "--out", out, "--resume", "--objective", "wgan-gp", *SHORT]) == 2
    assert "checkpoint of another training" in capsys.readouterr().err
    assert run(["train", "swissroll", "--out", out, "--resume", *SHORT, "--width", "16"]) == 2
    assert "networks is" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["circle"], "problem must be one of ring, grid"),
        (["ring", "--objective", "w-gan"], "objective must be an Objective or one of minimax"),
        (["nothing.npy"], "nothing.npy"),
        (["ring", "--resume"], "holds no checkpoint.pt to resume"),
        (["ring", "--learning-rate", "-1"], "learning_rate must be positive"),
    ],
)
def test_what_cannot_be_trained_is_one_line(tmp_path, capsys, arguments, message):
    assert run(["train", *arguments, "--out", str(tmp_path / "a"), *SHORT]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_help_lists_the_objectives(capsys):
    assert run(["train", "--help"]) == 0
    text = "".join(capsys.readouterr().out.split())
    assert "wgan-groupsort" in text


def test_attempts_have_folders_of_their_own_and_the_best_is_told(tmp_path, capsys):
    out = tmp_path / "ring"
    arguments = ["train", "ring", "--out", str(out), "--json", "--attempts", "2", *SHORT]
    assert run(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    report = found["report"]
    assert report["attempts"] == 2  # eight steps are never enough
    folders = {1: out, 2: out / "attempt-2"}
    histories = {
        k: [json.loads(line) for line in (own / "metrics.jsonl").read_text().splitlines()] for k, own in folders.items()
    }
    assert histories[1] != histories[2]
    least = {k: min(line["excess"] for line in history) for k, history in histories.items()}
    chosen = report["attempt"]
    assert least[chosen] <= 1.5 * least[3 - chosen]
    assert found["metrics"] == histories[chosen][-1]
    assert str(folders[2] / "checkpoint.pt") in found["files"]
    samples = np.load(out / "samples.npy")

    (folders[2] / "checkpoint.pt").unlink()  # stopped between the first and the second
    assert run([*arguments, "--resume"]) == 0
    assert json.loads(capsys.readouterr().out) == found
    np.testing.assert_array_equal(np.load(out / "samples.npy"), samples)


def test_one_attempt_is_the_first_of_several(tmp_path):
    for name, attempts in (("a", "1"), ("b", "3")):
        assert run(["train", "swissroll", "--out", str(tmp_path / name), "--attempts", attempts, *SHORT]) == 0
    assert (tmp_path / "a" / "metrics.jsonl").read_text() == (tmp_path / "b" / "metrics.jsonl").read_text()


def test_attempts_without_held_out_points_are_refused(tmp_path, capsys):
    np.save(tmp_path / "few.npy", np.random.default_rng(0).normal(size=(5, 2)))
    assert run(["train", str(tmp_path / "few.npy"), "--out", str(tmp_path / "a"), "--attempts", "2", *SHORT]) == 2
    assert "attempts must be 1" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()
