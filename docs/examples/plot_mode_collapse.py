"""
What lies between the modes
===========================

Eight narrow Gaussians on a ring. Each generator has the same network, the same batches and the same number of steps;
what differs is the objective, and what is done besides.
"""

from divkit.examples import mode_collapse as study

found = study.run()
for row in found.rows:
    print(
        f"{row['recipe']:26} {row['captured']} of 8 modes   {100 * row['high_quality']:5.1f} % near a mode   "
        f"reverse KL {row['reverse_kl']:.3f}"
    )

# %%
# A mode counts as kept if one of 2,500 points is within three standard deviations of it. That says little: a generator
# is a continuous function of its noise, so that what it makes of normal noise is connected, and there are bridges
# between the modes. Reverse KL compares how the points near modes are shared among them with equal shares.

picture = study.figure(found)

# %%
# In the last picture eight coordinates of the noise are replaced by their signs. The generator can jump where a sign
# changes, and needs no bridges.
#
# One seed, and few steps: the table of :doc:`../gan` has more of both. From the command line:
# ``divkit example mode-collapse``.
