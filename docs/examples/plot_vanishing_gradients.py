"""
Vanishing gradients: what reaches the generator
===============================================

A generator that makes Q learns from the discriminator's slope at its points. Let P = N(0, 1) and Q = N(theta, 1), and
let the discriminator be the best one, D = p/(p + q). How does each loss of the generator change with theta?
"""

from divkit.examples import vanishing_gradients as study

found = study.run()
print("theta  saturating  non-saturating  d/dtheta [KL(Q, P) - 2 JSD]")
for row in found.rows:
    if row["steps"] is None:
        losses = f"{row['saturating']:10.3g}  {row['non_saturating']:14.5f}"
        print(f"{row['apart']:5.2f}  {losses}  {row['kl_minus_2_jsd']:27.5f}")

# %%
# The saturating loss E log(1 - D) is 2 JSD up to a constant. JSD approaches log 2 as the laws part, and its gradient
# approaches nothing: a discriminator that is right everywhere has nothing more to say. The non-saturating loss
# -E log D keeps its gradient; its last two columns are the same number, once as an expectation under Q and once as
# the difference of two divergences that the library integrates. That difference can be negative: it is no divergence.

picture = study.figure(found)

# %%
# On the right, networks were trained between two parallel segments for longer and longer. The better the
# discriminator, the less the saturating loss passes on, while the gradient of the non-saturating one grows with the
# slope of log D. The critic of W1, with slopes of at most 1 by its layers, passes on 1 from the start.
#
# The same from the command line: ``divkit example vanishing-gradients``.
