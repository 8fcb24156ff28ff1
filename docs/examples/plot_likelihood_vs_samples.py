"""
Likelihood and samples: neither proves the other
================================================

The data are draws of N(0, I) in d dimensions. Two models of them are bad in opposite ways: one puts a narrow Gaussian
about each of 400 training points, the other is 1 % the law of the data itself and 99 % noise with ten times its
standard deviation. What do their likelihood and their samples say?
"""

from divkit.examples import likelihood_vs_samples as study

found = study.run()
print("  d  quantity             law      kernels      noisy")
for row in found.rows:
    if row["quantity"] in ("gap", "kl", "jsd", "wasserstein1", "null", "copies", "outlying"):
        print(f"{row['d']:3}  {row['quantity']:12} {row['law']:11.2f} {row['kernels']:12.2f} {row['noisy']:10.2f}")

# %%
# The first row of each dimension is the mean log likelihood of data, less that under their law.
#
# The noisy model cannot be bad by its likelihood. Its density is at least a hundredth of that of the law, at every
# point and in every dimension: it is at most log 100 = 4.61 nats below the law, which no model exceeds on average. At
# d = 100 the law itself has a mean log likelihood of -142 nats, and a Gaussian whose standard deviation is 26 % too
# large loses as much as the noisy model. Yet 99 of 100 draws of that one lie where hardly any data do, W1 sees them,
# and the energy test rejects every time.
#
# The kernels cannot be bad by how their samples look. All of them are copies of training points, moved by 0.01 in
# each coordinate, and as many of them are outlying as of the data. W1 to held-out data exceeds that of fresh data by
# 13 % in three dimensions and by 1 % in a hundred. To these data the model gives next to no probability: hundreds of
# nats less than the law at d = 3, and hundreds of thousands at d = 100. KL is that same number, by other draws, as it
# has to be. JSD is near log 2, its largest value, for both models: it does not say which of the two faults a model
# has.

print("  d  rejected with    law  kernels")
for row in found.rows:
    if row["quantity"] in ("rejected", "rejected_of_few"):
        points = found.n if row["quantity"] == "rejected" else found.n // 10
        print(f"{row['d']:3} {points:5} points  {row['law']:7.0%}  {row['kernels']:7.0%}")

picture = study.figure(found)

# %%
# Does a two-sample test catch the copies? With as many draws as training points it does, in many dimensions, by their
# repeats: 400 draws come from some 253 of the 400 training points. Where all distances are nearly equal, those near 0
# stand out. Forty draws have hardly any repeats, and the test rejects about as often as for the law itself, at its
# level of 5 %. A model that drew every training point once would be as good as data to any test that does not know
# these points. What tells copies is the distance to the training points.
#
# The models are those of Theis, van den Oord and Bethge, "A note on the evaluation of generative models" (2016). In
# one and two dimensions KL of the kernels comes with a warning, as the few points that are far from all of them
# decide it.
#
# The same from the command line: ``divkit example likelihood-vs-samples``.
