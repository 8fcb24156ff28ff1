"""
Two parallel segments: which divergence notices how far?
========================================================

Let P be uniform on the segment from (0, 0) to (0, 1) in the plane, and Q uniform on the same segment moved sideways by
``theta``. Nothing simpler can happen to a distribution than being moved. How do divergences see it?

The study below is part of the package. It computes every divergence three times: from the two laws themselves, from
random draws, and as the textbooks state it.
"""

from divkit.examples import segment_critics
from divkit.examples import shifted_uniform as study

rows = study.run(thetas=[-1.0, -0.5, 0.0, 0.5, 1.0], n=300, rng=0)

headings = {
    "kl": "KL",
    "reverse_kl": "reverse KL",
    "jsd": "JSD",
    "pearson_chi2": "chi2",
    "squared_hellinger": "sq. Hell.",
    "total_variation": "TV",
    "wasserstein1": "W1",
}
print("theta  source  " + "".join(f"{heading:>12}" for heading in headings.values()))
for row in rows:
    values = "".join(f"{getattr(row, name):12.3g}" for name in headings)
    print(f"{row.theta:5.1f}  {row.source:8}{values}")

# %%
# As soon as ``theta`` differs from 0, the two segments have no point in common. An f-divergence looks at the
# ratio p/q and at nothing else: here the ratio is infinite on one segment and 0 on the other, whether the segments are
# a millimetre or a kilometre apart. So each f-divergence takes the largest value that it can: infinity for KL, reverse
# KL and chi2, log 2 for JSD, 2 for the squared Hellinger distance, 1 for total variation.
#
# W1 asks how far the mass must travel. Every point of P moves sideways by ``|theta|`` and cannot do better, as
# the first coordinates alone are that far apart.
#
# The sampled rows show one more thing. At ``theta = 0`` both samples come from one law, yet no value is 0: two
# samples differ by chance.

fine = [study.exact(k / 50) for k in range(-50, 51)]
picture = study.figure([*fine, *rows])

# %%
# The picture is why this matters for a generative model. Suppose that ``theta`` is the parameter of the model, and
# you adjust it by following a slope. On the left, the slope of W1 is -1 or +1 everywhere but at 0 and always leads
# home. On the right there is none: JSD is constant on both sides and jumps at the very point that you look for. A
# gradient of zero does not say where to go, and it stays zero until the laws overlap. Laws on thin sets, such as images
# among all arrays of pixels, are in that position, and a discriminator that separates them perfectly tells the
# generator nothing.
#
# None of this makes W1 the better number. If the question is whether a model calls possible what the data contains,
# the infinite KL is the right answer, and W1 would hide it.

# %%
# Critics learn the same from samples. The network on the left is 1-Lipschitz by construction, and what it says on fresh
# points bounds W1 from below; it falls with slope 1 all the way from P to Q. The one on the right is the discriminator
# of a GAN, trained until it tells the segments apart: it is all but flat where the points are.

critics = segment_critics.train(0.5, rng=0)
both = segment_critics.figure(critics)
