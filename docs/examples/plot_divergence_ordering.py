"""
Which divergence sees a sequence converge?
==========================================

A sequence of laws may come arbitrarily near its limit in one divergence and stay away from it in another. Which of them
a model is trained on decides what it can be taught.
"""

from divkit.examples import divergence_ordering as study

found = study.run()
for row in found.rows:
    if row["n"] in (2, 128):
        numbers = "   ".join(f"{name} {row[name]:.3g}" for name in ("kl", "jsd", "total_variation", "wasserstein1"))
        print(f"{row['sequence']:24} n = {row['n']:3.0f}   {numbers}")

# %%
# KL is the strictest: by Pinsker's inequality total variation is at most the root of half of it, so that what converges
# in KL converges in total variation and in JSD, which go to 0 together. On a bounded set W1 is at most its diameter
# times total variation, and so it converges, too. The second and the third sequence show that neither step can be
# reversed: any mass where Q has none makes KL infinite, however little it is, and two points are at JSD = log 2 however
# near they are. A generator whose points are on a thin set is in that last place, which is the argument for W1.

picture = study.figure(found)

# %%
# The fourth sequence is a warning. W1 is in the units of the points: a mass of 1/n that moves out to n costs 1 for
# ever, while JSD and total variation forget it.
#
# The same from the command line: ``divkit example divergence-ordering``.
