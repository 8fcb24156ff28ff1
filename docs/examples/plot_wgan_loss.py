"""
A loss that says how good the generator is
==========================================

The data lie on a circle. The generator turns noise on the line into a curve, so that the two supports meet in isolated
points at most: JSD is log 2, however close the curve has come. The loss of a Wasserstein GAN is an estimate of W1.
"""

from divkit.examples import wgan_loss as study

found = study.run()
print("step   critic's loss   exact W1   JSD, proven by 600 points")
for row in found.rows:
    print(f"{row['step']:4}   {row['bound']:13.3f}   {row['wasserstein1']:8.3f}   {row['jsd_lower']:25.3f}")
print(f"W1 between 600 points of the circle and 600 more: {found.null:.3f}")

# %%
# The critic here is made of layers that keep its slopes at 1 or below, so that its loss is a lower bound of W1 between
# the laws, up to the noise of one batch. It is below the exact distance between samples, as that is too large by what
# two samples of the same law are apart. What 600 points can prove of JSD says how well a classifier tells the curves
# apart from so many points; the laws' own JSD stays where it is.

picture = study.figure(found)

# %%
# The same from the command line: ``divkit example wgan-loss``.
