"""
Moving piles of earth
=====================

Two rows of four piles hold ten blocks each. How much work turns one into the other, if moving a block by one place
costs one unit? The lectures' answer is 5, and this page proves it from both sides.
"""

from divkit.examples import earth_mover_piles as study

moved = study.run()
for row in moved.rows:
    print("   ".join(f"{name} {value}" for name, value in row.items()))

# %%
# A plan says how many blocks go where. Its cost is an upper bound: nobody has to pay more. For a lower bound, let
# somebody else buy the blocks where they are and sell them where they are wanted, at prices that differ by at most one
# unit between neighbours: nobody loses by using this service, so that its gain is at most the cost of any plan. Here
# both are 5, so neither can be improved. That is the duality of Kantorovich and Rubinstein, and the price is what the
# critic of a Wasserstein GAN learns.

picture = study.figure(moved)

# %%
# On a line there is a third way: between two neighbouring places has to pass what is too much on the left of them,
# which is the difference of the cumulative heights. W1 is the sum of its absolute values, or, of distribution
# functions, the area between them.
#
# The same from the command line: ``divkit example earth-mover-piles``.
