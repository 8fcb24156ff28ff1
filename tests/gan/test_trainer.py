"""The loop: exact repetition and resume, what stops it, what it refuses, and that it learns."""

from __future__ import annotations

import contextlib
import math
import signal
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from divkit import InvalidInput, NotConverged  # noqa: E402
from divkit.datasets import ring_mixture  # noqa: E402
from divkit.gan.evaluate import modes  # noqa: E402
from divkit.gan.nets import mlp_pair  # noqa: E402
from divkit.gan.objectives import OBJECTIVES, Objective  # noqa: E402
from divkit.gan.settings import Settings  # noqa: E402
from divkit.gan.trainer import Trainer  # noqa: E402
from divkit.gan.tricks import FeatureMatching, HistoricalAveraging, InstanceNoise, Packing, Unrolling  # noqa: E402

POINTS = ring_mixture().sample(500, 0)
SMALL = {"steps": 12, "batch": 16, "look_every": 4}


def trainer(objective="non-saturating", tricks=(), points=POINTS, width=8, packs=1, **settings):
    constraint = OBJECTIVES[objective].constraint if isinstance(objective, str) else "none"
    chosen = Settings(**{**SMALL, **settings})
    generator, _ = mlp_pair(chosen.latent, 2, width=width, depth=2, seed=chosen.seed)
    _, discriminator = mlp_pair(chosen.latent, 2 * packs, width=width, depth=2, constraint=constraint, seed=chosen.seed)
    return Trainer(generator, discriminator, objective, points, chosen, tricks=tricks)


@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
def test_every_objective_trains_and_repeats_itself(objective):
    first, second = trainer(objective), trainer(objective)
    for one in (first, second):
        one.run()
    assert first.history == second.history
    assert [line["step"] for line in first.history] == [4, 8, 12]
    assert all(math.isfinite(value) for line in first.history for value in line.values())
    assert ("bound" in first.history[0]) == (OBJECTIVES[objective].bound is not None)


TRICKS = [
    ("none", ()),
    ("noise", (InstanceNoise(0.1),)),
    ("packing", (Packing(2),)),
    ("features", (FeatureMatching(),)),
    ("averaging", (HistoricalAveraging(0.1),)),
    ("unrolling", (Unrolling(2),)),
]


@pytest.mark.parametrize(("name", "tricks"), TRICKS, ids=[name for name, _ in TRICKS])
@pytest.mark.parametrize("objective", ["wgan-gp", "relativistic"])
def test_a_run_that_is_stopped_goes_on_as_if_it_had_not_been(tmp_path, objective, name, tricks):
    def fresh():
        own = tuple(type(trick)(*_settings(trick)) for trick in tricks)
        return trainer(objective, own, packs=2 if name == "packing" else 1)

    whole = fresh()
    whole.run(metrics=tmp_path / "whole.jsonl")

    def fail(running, _):
        if running.step == 8:
            raise RuntimeError("the machine is gone")

    with pytest.raises(RuntimeError, match="gone"):
        fresh().run([fail], checkpoint=tmp_path / "state", metrics=tmp_path / "parts.jsonl")
    later = fresh()
    later.run(checkpoint=tmp_path / "state", metrics=tmp_path / "parts.jsonl")
    assert (tmp_path / "parts.jsonl").read_text() == (tmp_path / "whole.jsonl").read_text()
    assert torch.equal(later.sample(20), whole.sample(20))
    for own, other in zip(later.discriminator.parameters(), whole.discriminator.parameters(), strict=True):
        assert torch.equal(own, other)


def _settings(trick):
    return [getattr(trick, name) for name in trick.__dataclass_fields__ if not name.startswith("_")]


def test_an_interrupt_is_obeyed_at_the_end_of_the_step_and_saves(tmp_path):
    def interrupting(v_p, v_q):
        interrupting.calls += 1
        if interrupting.calls == 6:
            signal.raise_signal(signal.SIGINT)
        return OBJECTIVES["minimax"].discriminator_loss(v_p, v_q)

    interrupting.calls = 0
    before = signal.getsignal(signal.SIGINT)
    whole = trainer(replace(OBJECTIVES["minimax"], name="own"))
    whole.run()
    with pytest.raises(KeyboardInterrupt):
        trainer(replace(OBJECTIVES["minimax"], name="own", discriminator_loss=interrupting)).run(
            checkpoint=tmp_path / "state"
        )
    assert signal.getsignal(signal.SIGINT) is before
    later = trainer(replace(OBJECTIVES["minimax"], name="own"))
    later.load(tmp_path / "state")
    assert later.step == 6
    later.run()
    assert later.history == whole.history
    assert torch.equal(later.sample(20), whole.sample(20))


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    trainer().run(checkpoint=tmp_path / "state")
    with pytest.raises(InvalidInput, match=r"learning_rate is 0\.0002 there and 0\.01 here"):
        trainer(learning_rate=0.01).run(checkpoint=tmp_path / "state")
    with pytest.raises(InvalidInput, match="objective is 'non-saturating' there and 'minimax' here"):
        trainer("minimax").run(checkpoint=tmp_path / "state")
    with pytest.raises(InvalidInput, match="networks is"):
        trainer(width=16).run(checkpoint=tmp_path / "state")
    with pytest.raises(InvalidInput, match="points is"):
        trainer(points=ring_mixture().sample(500, 1)).run(checkpoint=tmp_path / "state")
    (tmp_path / "other").write_text("nothing")
    with pytest.raises(InvalidInput, match="is no checkpoint of a training"):
        trainer().run(checkpoint=tmp_path / "other")


def test_what_is_not_finite_stops_the_run_in_its_last_good_state():
    def broken(v_p, v_q):
        broken.calls += 1
        return v_q.mean() * (math.nan if broken.calls > 10 else 1.0)

    broken.calls = 0
    game = Objective("broken", broken, OBJECTIVES["minimax"].generator_loss)
    running = trainer(game)
    with pytest.raises(NotConverged, match=r"discriminator_loss of broken is not finite at step 11.* step 8") as caught:
        running.run()
    assert (running.step, caught.value.info) == (8, {"step": 11, "restored": 8})
    assert all(torch.isfinite(parameter).all() for parameter in running.generator.parameters())


def test_callbacks_see_the_trainer_and_add_to_the_metrics():
    running = trainer()

    def count(own, metrics):
        metrics["captured"] = modes(own.sample(100).numpy(), ring_mixture()).captured

    running.run([count])
    assert all("captured" in line for line in running.history)


def test_the_best_look_is_kept_and_comes_back_with_a_checkpoint(tmp_path):
    values = {4: 3.0, 8: 1.0, 12: 2.0}
    seen = {}

    def judge(own, metrics):
        metrics["badness"] = values[own.step]
        seen[own.step] = own.sample(10)

    running = trainer(keep_best="badness")
    running.run([judge], checkpoint=tmp_path / "state")
    assert torch.equal(running.sample(10, best=True), seen[8])
    assert torch.equal(running.sample(10), seen[12])
    again = trainer(keep_best="badness")
    again.load(tmp_path / "state")
    assert torch.equal(again.sample(10, best=True), seen[8])
    with pytest.raises(InvalidInput, match=r"no generator was kept: name a metric by Settings\(keep_best"):
        trainer().sample(10, best=True)
    with pytest.raises(InvalidInput, match=r"keep_best must be one of step, .* got 'badness'; pass a callback"):
        trainer(keep_best="badness").run()


def test_what_went_wrong_goes_back_to_the_look_that_is_kept_and_resumes_to_the_bit(tmp_path):
    def run(values, folder, *stops):
        for stop in stops:
            running = trainer(keep_best="badness", setback=3.0, steps=16, look_every=4)

            def judge(own, metrics, stop=stop):
                metrics["badness"] = values[own.step]
                if own.step == stop:
                    raise KeyboardInterrupt

            with contextlib.suppress(KeyboardInterrupt):
                running.run([judge], checkpoint=folder)
        return running

    bad, good = {4: 3.0, 8: 1.0, 12: 9.0, 16: 1.2}, {4: 3.0, 8: 1.0, 12: 1.4, 16: 1.2}
    whole = run(bad, tmp_path / "whole", None)
    assert ["set_back" in line for line in whole.history] == [False, False, True, False]
    well = run(good, tmp_path / "well", None)
    assert not any("set_back" in line for line in well.history)
    assert not torch.equal(well.sample(10), whole.sample(10))
    parts = run(bad, tmp_path / "parts", 8, 16, None)
    assert torch.equal(parts.sample(10), whole.sample(10))
    assert parts.history == whole.history


def test_the_penalty_changes_by_equal_factors():
    seen = []

    def penalty(discriminator, x, y, draws):
        found = next(discriminator.parameters()).sum()
        found.register_hook(lambda gradient: seen.append(float(gradient)))
        return found

    game = replace(OBJECTIVES["minimax"], name="own", penalty=penalty, penalty_end=1 / 16)
    running = trainer(game, steps=4)
    with torch.no_grad():
        before = running.generator[0].weight.clone()
    running.run()
    assert not torch.equal(before, running.generator[0].weight)
    assert seen == pytest.approx([1, 1 / 2, 1 / 4, 1 / 8])
    assert game.share_of_penalty(1.0) == pytest.approx(1 / 16)
    with pytest.raises(InvalidInput, match="penalty_end must be positive and finite, got 0"):
        replace(game, penalty_end=0.0)


def test_looking_does_not_change_the_training():
    quiet, curious = trainer(look_every=12), trainer(look_every=3)
    quiet.run()
    curious.run([lambda own, _: own.sample(50)])
    assert torch.equal(quiet.sample(10), curious.sample(10))


def test_the_average_follows_the_generator():
    plain, averaged = trainer(averaging=None), trainer(averaging=0.0)
    for own in (plain, averaged):
        own.run()
    assert torch.allclose(plain.sample(10), averaged.sample(10))  # a decay of 0 is the generator itself
    slow = trainer(averaging=0.9)
    slow.run()
    assert not torch.allclose(slow.sample(10), plain.sample(10))


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.full((10, 2), np.nan), "points"),
        (np.zeros((10, 2)), "points are all the same"),
        (np.zeros((1, 2)), "at least two"),
        (np.random.default_rng(0).normal(size=(10, 3)), r"the generator makes points of shape \(2,\)"),
        (np.array([["a", "b"], ["c", "d"]]), "points must hold real numbers"),
        (np.array([[1e300, 0.0], [0.0, 0.0]]), "range of float32"),
        ([], "at least two"),
    ],
)
def test_points_that_cannot_be_learnt_are_refused(points, message):
    with pytest.raises(InvalidInput, match=message):
        trainer(points=points)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps"),
        ({"learning_rate": 0.0}, "learning_rate must be positive"),
        ({"discriminator_rate": math.inf}, "discriminator_rate must be positive"),
        ({"eps": 0.0}, "eps must be positive"),
        ({"schedule": "never"}, "schedule must be one of constant, linear, cosine"),
        ({"averaging": 1.0}, r"averaging must be in \[0, 1\)"),
        ({"setback": 1.5}, "setback must be finite and above 1.5"),
        ({"warmup": 1.0}, r"warmup must be in \[0, 1\), a share of the steps"),
        ({"critic_steps": 0}, "critic_steps"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(InvalidInput, match=message):
        Settings(**settings)


def test_rates_rise_before_they_fall():
    plain, warm = Settings(steps=1000), Settings(steps=1000, warmup=0.1)
    shares = [warm.fade(step) / plain.fade(step) for step in (0, 49, 99, 100, 500)]
    assert shares == pytest.approx([0.01, 0.5, 1.0, 1.0, 1.0])


def test_a_short_training_finds_the_ring():
    running = trainer("relativistic", width=64, steps=600, batch=128, learning_rate=2e-3, look_every=300)
    running.run()
    found = modes(running.sample(2000).numpy(), ring_mixture(std=0.05))
    assert found.captured == 8
