"""
The best discriminator knows the density ratio
==============================================

V(G, D) = E_P log D + E_Q log(1 - D) is largest at D = p/(p + q), and there it is 2 JSD - 2 log 2. Between normal laws,
both sides can be integrated, and a network can be trained to see how close it comes.
"""

from divkit.examples import optimal_discriminator as study

found = study.run()
print("shift   V at p/(p + q)   2 JSD - 2 log 2    learnt (standard error)")
for row in found.rows:
    print(
        f"{row['shift']:5.1f}   {row['value_at_best']:14.6f}   {row['two_jsd_minus_two_log_2']:15.6f}"
        f"   {row['learnt']:8.4f} ({row['stderr']:.4f})"
    )

# %%
# At equal laws the best discriminator is 1/2 everywhere. A trained one is judged by points that it has not seen, so
# that what it reaches is a lower bound of V, up to the noise of those points: this is how the estimators
# :class:`divkit.NeuralBound` and :class:`divkit.CrossFit` come to their limits.

picture = study.figure(found)

# %%
# The same from the command line: ``divkit example optimal-discriminator``.
