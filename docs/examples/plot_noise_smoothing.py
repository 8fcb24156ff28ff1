"""
Noise on data and model: a slope where there was none
=====================================================

Two parallel segments are theta apart. Their JSD is log 2 for every theta, and a generator that follows its slope stays
where it is. Let both be blurred by independent noise between -w and w in either coordinate, uniform or triangular.
"""

from divkit.examples import noise_smoothing as study

found = study.run()
print("noise       theta  width/theta     JSD  its slope  bound of W1 / W1")
for row in found.rows:
    width = row["width"] / row["theta"]
    if width in (0.25, 0.49, 0.51, 1.0, 4.0, 16.0):
        numbers = f"{width:11.2f}  {row['jsd']:6.4f}  {row['jsd_slope']:9.4f}  {row['bound'] / row['theta']:16.1f}"
        print(f"{row['noise']:10}  {row['theta']:5}  {numbers}")

# %%
# As long as w is below theta/2 the blurred laws have no point in common: JSD is log 2, its slope is 0, and nothing
# has been gained. From there on they overlap. With uniform noise JSD is then log 2 times theta/(2 w), exactly, and
# its slope log 2/(2 w): largest where the noise just bridges the gap, and smaller for wider noise. With triangular
# noise the slope starts at 0 and is largest where w is near theta. W1 is theta for the segments and for the blurred
# laws alike, with slope 1, and needs no noise.

picture = study.figure(found)

# %%
# On the right is what the blurred JSD proves of the distance between the laws without noise: W1 <= 2 V^(1/2) + 2 C
# JSD^(1/2), with V the variance of both coordinates of the noise together and C the diameter of a ball about both
# blurred laws. It holds at every width, and it is far from sharp. For segments of length 1 that are 0.5 apart it is
# least with no noise at all, where JSD is log 2 and it says 1.67 C, 3.7 times the distance. At 0.02 apart noise of
# several times the distance is best: the bound is then 40 times the distance if it is uniform, and 27 times if it is
# triangular. The noise has its price, 2 V^(1/2), however near the laws are, and has to become narrower as they come
# near. For Gaussian noise C is infinite, and the bound says nothing.
#
# The same from the command line: ``divkit example noise-smoothing``.
