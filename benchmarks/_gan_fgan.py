"""The univariate table of the f-GAN paper: one Gaussian fitted to a mixture by each divergence."""

from __future__ import annotations

import time
from typing import Any, Final

import numpy as np

Row = dict[str, Any]

# The best mean and standard deviation of one Gaussian, and its divergence, from the f-GAN paper, whose 15 numbers a
# quadrature of 0.67 N(2, 2) + 0.33 N(-1, 0.065) reproduces; JSD there is twice ours.
OPTIMA: Final = {
    "kl": (1.0100, 1.8308, 0.2831),
    "reverse_kl": (1.5782, 1.6319, 0.2480),
    "jsd": (1.3070, 1.7542, 0.0640),
    "jeffreys": (1.3218, 1.7034, 0.5705),
    "pearson_chi2": (0.5737, 1.9274, 0.6457),
    "squared_hellinger": (1.3129, 1.7326, 0.1347),
}


_STEPS: Final = 4000
_REACH, _NODES = 16.0, 100_001  # of the trapezoidal rule that judges the discriminator, without noise


def fitted_gaussian(name: str, seed: int, steps: int | None = None) -> Row:
    """One Gaussian, made of noise by a line, against a network, on draws of the mixture."""
    import scipy.stats
    import torch

    import divkit
    from divkit.datasets import fgan_mixture
    from divkit.gan.nets import MLPDiscriminator
    from divkit.gan.objectives import f_gan
    from divkit.gan.settings import Settings
    from divkit.gan.trainer import Trainer

    steps = steps or _STEPS
    law, draws = fgan_mixture(), torch.Generator().manual_seed(seed)
    generator = torch.nn.Linear(1, 1)
    with torch.no_grad():
        generator.weight.fill_(1.0)
        generator.bias.fill_(0.0)
    discriminator = MLPDiscriminator(1, 64, 2, "none", draws)
    settings = Settings(steps=steps, batch=1024, latent=1, learning_rate=2e-3, betas=(0.5, 0.9), look_every=steps)
    objective = f_gan(divkit.DIVERGENCES[name])
    trainer = Trainer(generator, discriminator, objective, law.sample(200_000, seed), settings)
    start = time.perf_counter()
    trainer.run()
    seconds = time.perf_counter() - start
    assert trainer.average is not None
    mean, std = float(trainer.average.bias), abs(float(trainer.average.weight))
    learnt = scipy.stats.norm(mean, std)
    at = np.linspace(-_REACH, _REACH, _NODES)  # both laws have less than 1e-15 beyond
    step = at[1] - at[0]
    with torch.no_grad():
        values = discriminator(torch.as_tensor(at, dtype=torch.float32)[:, None]).double().numpy()
    form = divkit.DIVERGENCES[name].variational
    gained = np.exp(law.log_density(at[:, None])) @ form.activation(values) * step
    paid = learnt.pdf(at) @ form.conj_activation(values) * step
    best_mean, best_std, truth = OPTIMA[name]
    return {
        "divergence": name,
        "best_mean": best_mean,
        "best_std": best_std,
        "truth": truth,
        "mean": mean,
        "std": std,
        "exact": float(divkit.estimate(law, learnt, name)),
        "bound": float(gained - paid),
        "seconds": seconds,
    }
