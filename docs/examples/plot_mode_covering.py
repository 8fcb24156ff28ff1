"""
Fitting one Gaussian to two modes: covering and seeking
=======================================================

The best Gaussian for data with two modes depends on what "best" means. Take a mixture of a broad and a narrow
component, and minimise five divergences over mean and standard deviation.
"""

from divkit.examples import mode_covering as study

fits = study.run()
for row in fits.rows:
    print(f"{row['divergence']:18} mean {row['mean']:7.4f}   std {row['std']:7.4f}   divergence {row['value']:.4f}")

# %%
# KL pays for every place where the data lives and the model does not, so its Gaussian is wide and sits between the
# modes: it *covers*. Maximum likelihood does the same. Reverse KL pays for model mass where the data has little, so
# its Gaussian moves to the heavier component and grows narrower: it *seeks*. JSD and the squared Hellinger distance lie
# between them, and Pearson's chi2, which squares the ratio, covers even more than KL.

picture = study.figure(fits)

# %%
# Every value is an integral computed by the method ``quadrature`` to about ten digits, which is why a plain minimiser
# can be let loose on it. The f-GAN paper prints the optima of such fits without naming its mixture; the ones above
# agree with its table (whose JSD is twice ours), see :func:`divkit.datasets.fgan_mixture`.
#
# The same from the command line: ``divkit example mode-covering``.
