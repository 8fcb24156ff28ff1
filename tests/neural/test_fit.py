"""The loop: it finds known optima, goes on from a checkpoint bit by bit, and stops where it must."""

from __future__ import annotations

import itertools
import math

import pytest
from two_processes import run_by_one_and_two

torch = pytest.importorskip("torch")

from divkit import InvalidInput, NotConverged, Wasserstein, wasserstein1  # noqa: E402
from divkit.catalog import DIVERGENCES, KL  # noqa: E402
from divkit.neural.fit import Training, donsker_varadhan, judged, maximise, variational  # noqa: E402
from divkit.neural.lipschitz import proven_lipschitz  # noqa: E402
from divkit.neural.nets import critic_stack  # noqa: E402
from divkit.neural.penalties import slope_penalty  # noqa: E402

W1 = variational(Wasserstein(1).dual.variational)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def samples(copies=1, n=400, d=2, shift=1.0, seed=0):
    x, y = torch.randn((2, copies, n, d), generator=seeded(seed))
    return x + shift, y


def fitted(objective=W1, training=None, copies=1, train=None, validation=None, seed=0, **settings):
    chosen = {name: settings.pop(name) for name in ("constraint", "activation") if name in settings}
    critics = critic_stack(2, width=8, depth=2, copies=copies, generator=seeded(seed), **chosen)
    return maximise(
        critics,
        objective,
        train or samples(copies),
        validation or samples(copies, seed=1),
        training or Training(steps=60, batch=64, check_every=20),
        generator=seeded(seed + 1),
        **settings,
    )


def test_the_shift_of_a_law_is_found():
    fit = fitted(training=Training(steps=300, batch=128, learning_rate=1e-2, check_every=50))
    x, y = samples(seed=1)
    mean_gap = float((x.mean(dim=1) - y.mean(dim=1)).norm())  # a linear critic reaches it
    exact = float(wasserstein1(x[0].numpy(), y[0].numpy()))  # no 1-Lipschitz critic exceeds it
    assert 0.93 * mean_gap < fit.best[0] < exact * proven_lipschitz(fit.critics) * (1 + 1e-5)


def test_the_best_state_on_the_validation_points_is_the_result():
    validation = samples(seed=1)
    fit = fitted(validation=validation)
    assert judged(fit.critics, W1, *validation) == pytest.approx(fit.best, rel=1e-5)
    assert fit.best[0] == max(look[0] for look in fit.validation)
    assert fit.steps == 60
    assert len(fit.validation) == 3


def test_critics_of_a_stack_are_fitted_to_their_own_points():
    x, y = samples(2)
    x[1] += 3.0
    fit = fitted(copies=2, train=(x, y), validation=(x, y), training=Training(steps=200, batch=64, check_every=50))
    assert fit.best[1] - fit.best[0] > 3.0


@pytest.mark.parametrize("name", ["kl", "jsd", "squared_hellinger", "total_variation", "pearson_chi2"])
def test_every_variational_form_grows(name):
    fit = fitted(
        variational(DIVERGENCES[name].variational),
        Training(steps=150, batch=64, check_every=10),
        constraint="none",
        activation="relu",
    )
    assert fit.best[0] > fit.validation[0][0]


def test_the_form_of_donsker_and_varadhan_is_above_that_of_kl():
    v_p, v_q = torch.randn((2, 3, 50), generator=seeded())
    assert torch.all(donsker_varadhan(v_p, v_q) >= variational(KL.variational)(v_p, v_q) - 1e-5)
    shifted = donsker_varadhan(v_p + 7.0, v_q + 7.0)
    assert torch.allclose(shifted, donsker_varadhan(v_p, v_q), atol=1e-4)


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_training_goes_on_from_a_checkpoint_bit_by_bit(tmp_path, optimizer):
    training = Training(steps=60, batch=32, check_every=20, optimizer=optimizer)
    whole = fitted(training=training)
    path = tmp_path / "state.pt"
    stopping = variational(Wasserstein(1).dual.variational)
    calls = 0

    def interrupted(v_p, v_q):
        nonlocal calls
        calls += 1
        if calls > 45:  # steps and looks
            raise KeyboardInterrupt
        return stopping(v_p, v_q)

    with pytest.raises(KeyboardInterrupt):
        fitted(interrupted, training, checkpoint=path)
    assert path.exists()
    resumed = fitted(training=training, checkpoint=path, seed=0)
    assert resumed.validation == whole.validation
    before, after = whole.critics.state_dict(), resumed.critics.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    fitted(training=Training(steps=20, check_every=20), checkpoint=tmp_path / "a.pt")
    with pytest.raises(InvalidInput, match="checkpoint of another training"):
        fitted(training=Training(steps=40, check_every=20), checkpoint=tmp_path / "a.pt")
    with pytest.raises(InvalidInput, match="points is"):
        fitted(training=Training(steps=20, check_every=20), train=samples(seed=2), checkpoint=tmp_path / "a.pt")


def test_an_objective_that_is_not_finite_stops_with_its_step_and_the_best_state():
    calls = itertools.count()

    def objective(v_p, v_q):
        value = W1(v_p, v_q)
        return value * math.inf if next(calls) == 26 else value  # steps 0 to 19, a look, steps 20 to 25

    critics = critic_stack(2, width=8, depth=2, generator=seeded())
    with pytest.raises(NotConverged, match="critic 0 is not finite at step 25") as caught:
        maximise(critics, objective, samples(), samples(seed=1), Training(60, 32, check_every=20), generator=seeded(1))
    assert caught.value.info == {"step": 25}
    assert all(torch.isfinite(value).all() for value in critics.state_dict().values())


def test_patience_ends_training_early():
    still = (torch.zeros((1, 100, 2)), torch.zeros((1, 100, 2)))
    fit = fitted(train=still, validation=still, training=Training(1000, 16, check_every=5, patience=3))
    assert fit.steps <= 25


def test_a_penalty_keeps_slopes_near_one():
    loose, tight = (
        fitted(
            training=Training(steps=400, batch=64, check_every=400),
            constraint="none",
            activation="relu",
            penalty=penalty,
        )
        for penalty in (None, slope_penalty(10.0))
    )
    z = torch.randn((1, 500, 2), generator=seeded(3))
    with torch.no_grad():
        typical = [float(fit.critics.slopes(z).norm(dim=2).median()) for fit in (loose, tight)]
    assert typical[1] == pytest.approx(1.0, abs=0.15)
    assert typical[0] > 3


def test_a_one_sided_penalty_leaves_small_slopes_alone():
    critics = critic_stack(2, width=8, constraint="none", activation="relu", generator=seeded())
    with torch.no_grad():
        critics.parts[-1].weight *= 0.1
    x, y = samples()
    with torch.no_grad():
        assert float(slope_penalty(one_sided=True)(critics, x, y, seeded())) == 0.0
        assert float(slope_penalty()(critics, x, y, seeded())) > 5.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps"),
        ({"batch": 0}, "batch"),
        ({"check_every": 0}, "check_every"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"optimizer": "sgd"}, "optimizer must be one of adam, muon"),
    ],
)
def test_settings_that_train_nothing_are_refused(settings, message):
    with pytest.raises(InvalidInput, match=message):
        Training(**settings)


SCRIPT = """
import os, sys, torch
import torch.distributed as dist
from divkit import Wasserstein
from divkit.neural.fit import Training, maximise, variational
from divkit.neural.nets import critic_stack
from divkit.neural.penalties import slope_penalty
torch.set_num_threads(1)
if int(os.environ["WORLD_SIZE"]) > 1:
    dist.init_process_group("gloo")
seeded = lambda seed: torch.Generator().manual_seed(seed)
x, y = torch.randn((2, 1, 300, 2), generator=seeded(0), dtype=torch.float64)
critics = critic_stack(
    2, width=8, depth=2, constraint="none", activation="relu", generator=seeded(1)
).double()
fit = maximise(
    critics,
    variational(Wasserstein(1).dual.variational),
    (x + 1, y),
    (x + 1, y),
    Training(30, 32, check_every=10),
    generator=seeded(2),
    penalty=slope_penalty(),
    checkpoint=sys.argv[1] + ".state",
)
maximise(
    critics := critic_stack(2, width=8, depth=2, generator=seeded(1)).double(),
    variational(Wasserstein(1).dual.variational),
    (x + 1, y),
    (x + 1, y),
    Training(30, 32, 0.1, optimizer="muon", check_every=10),
    generator=seeded(2),
)
if int(os.environ["RANK"]) == 0:
    states = [each.state_dict() for each in (fit.critics, critics)]
    torch.save({f"{i} {name}": value for i, state in enumerate(states) for name, value in state.items()}, sys.argv[1])
if dist.is_initialized():
    dist.destroy_process_group()
"""


def test_two_processes_do_what_one_does_with_the_whole_batch(tmp_path):
    run_by_one_and_two(SCRIPT, tmp_path)
    one, two = (torch.load(tmp_path / str(world)) for world in (1, 2))
    # In float64: sums in another order differ by rounding, which thirty steps may carry on.
    assert all(torch.allclose(one[name], two[name], atol=1e-9) for name in one)
