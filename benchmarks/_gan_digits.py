"""Scikit-learn's digits, by convolutions and by perceptrons: classes, and W_1 to held-out digits beside its null."""

from __future__ import annotations

import time
from typing import Any, Final

Row = dict[str, Any]
# Of either kind of network: width, and steps of the generator.
NETWORKS: Final = {"convolutions": (64, 2500), "perceptrons": (256, 5000)}
_LOOKS: Final = 20
JUDGED: Final = 449  # points made, as many as are held out


def digits_row(networks: str, *, steps: int | None, device: str, seed: int, judged: int = JUDGED) -> tuple[Row, Any]:
    """One training, and what the estimators and a classifier of the training digits say of it; data and points made."""
    import torch

    from divkit.gan.callbacks import HeldOutDistance
    from divkit.gan.evaluate import classes, quality
    from divkit.gan.problems import load_problem
    from divkit.gan.trainer import Trainer

    width, own_steps = NETWORKS[networks]
    steps = steps or own_steps
    data = load_problem("digits", rng=seed)
    data = data if networks == "convolutions" else data.flattened()
    settings = data.settings(steps=steps, look_every=max(1, steps // _LOOKS), keep_best="wasserstein1", seed=seed)
    players = data.players("relativistic", width=width, seed=seed)
    trainer = Trainer(*players, "relativistic", data.points, settings, device=device)
    start = time.perf_counter()
    trainer.run([HeldOutDistance(data.held_out[:judged], data.restored)])
    seconds = time.perf_counter() - start
    made, seen, held_out = (
        data.restored(own)
        for own in (trainer.sample(judged, best=True).cpu().numpy(), data.points, data.held_out[:judged])
    )
    found, kinds = quality(made, held_out, seen, rng=seed), classes(made, seen, data.labels)
    row = {
        "networks": networks,
        "width": width,
        "steps": steps,
        "threads": torch.get_num_threads(),
        "seconds": seconds,
        "covered": kinds.covered,
        "reverse_kl": kinds.reverse_kl,
        "confidence": kinds.confidence,
        "confidence_null": kinds.confidence_null,
        "wasserstein1": float(found.wasserstein1),
        "null": float(found.null),
        "excess": found.excess,
        "nearest": found.nearest,
        "nearest_null": found.nearest_null,
        "copies": found.copies,
    }
    images = (own.reshape(-1, 1, 8, 8) / 8 - 1 for own in (held_out, made))
    return row, tuple(images)
