"""Divergences of plain arrays: batched over any leading axes, exact, in one pass over memory.

These are the functions behind the verbs for probability vectors. They take anything array-like, broadcast the
axes other than `axis`, and return float64 (a float for one pair). Vectors must be non-negative and sum to 1; the
small defect that rounding leaves is divided out. Infinite divergences are `inf`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from divkit._array import FloatArray, as_float_array
from divkit._checks import sum_tolerance
from divkit._errors import InvalidInput
from divkit._threads import parallel_map, workers
from divkit._wasserstein_1d import wasserstein
from divkit.catalog import DIVERGENCES, GAN, resolve_divergence
from divkit.divergences import DerivedDivergence, FDivergence

__all__ = [
    "fdivergence",
    "gan",
    "hellinger",
    "jeffreys",
    "jsd",
    "kl",
    "neyman_chi2",
    "pearson_chi2",
    "reverse_kl",
    "squared_hellinger",
    "total_variation",
    "wasserstein",
]

_F = NDArray[np.float64]
_Kernel = Callable[..., None]

# name -> (kind of term in divkit._kernels.fdivergence, arguments exchanged?)
_FUSED = {
    "kl": ("kl", False),
    "reverse_kl": ("kl", True),
    "jeffreys": ("jeffreys", False),
    "jsd": ("jsd", False),
    "pearson_chi2": ("chi2", False),
    "neyman_chi2": ("chi2", True),
    "squared_hellinger": ("squared_hellinger", False),
    "total_variation": ("total_variation", False),
}
_CHUNK = 1 << 18  # entries a task; fixed, so that results do not depend on the number of threads
_PARALLEL = 1 << 20  # entries below which threads cost more than they bring
_NORMALISED = 1e-12  # vectors whose sums are farther from 1 are rescaled: see fdivergence


def fdivergence(
    divergence: str | FDivergence | DerivedDivergence, p: ArrayLike, q: ArrayLike, *, axis: int = -1
) -> Any:
    """D(P || Q) of probability vectors along an axis.

    Parameters
    ----------
    divergence : str or FDivergence or DerivedDivergence
        A name of `divkit.DIVERGENCES` or an object, your own included.
    p, q : array_like, shape (..., n)
        Probability vectors along `axis`, of equal length there; other axes broadcast. Float64 and float32
        are read as they are; everything is computed in float64.
    axis : int
        The axis of the atoms.

    Returns
    -------
    float or ndarray
        Nats (for the logarithmic ones), shape of the broadcast leading axes; inf where the divergence is.

    Raises
    ------
    InvalidInput
        If an entry is negative or not finite, a vector does not sum to 1 (to 1e-8; 1e-5 for float32), or the
        shapes do not fit.

    Notes
    -----
    A built-in divergence costs one pass over p and q and no temporaries; a user's generator is evaluated in
    blocks. The value is the sum of the centred generator over the vectors as given: a defect d of the sums
    enters it relatively to first order and absolutely as d^2/2. Vectors off by more than 1e-12 are rescaled
    in a second pass.

    Examples
    --------
    >>> import numpy as np
    >>> from divkit import exact
    >>> exact.fdivergence("kl", [0.5, 0.5], [[0.25, 0.75], [0.5, 0.5]]).round(6)
    array([0.143841, 0.      ])
    """
    div = resolve_divergence(divergence)
    if isinstance(div, DerivedDivergence):
        base = fdivergence(div.base, p, q, axis=axis)
        return div.transform(base) if isinstance(base, float) else np.vectorize(div.transform, otypes=[float])(base)
    if not isinstance(div, FDivergence):
        raise InvalidInput(f"divergence must be an f-divergence, got {div.name}; use divkit.wasserstein1 for points")
    pair = _Pair(p, q, axis)
    if div is GAN:  # u log u - (u+1) log(u+1) is twice the JSD's generator less (u+1) log 2
        values = np.minimum(2.0 * pair.evaluate(*_fused_kernel("jsd")) + div.f_one, div.upper)
    elif DIVERGENCES.get(div.name) is div:
        values = np.minimum(pair.evaluate(*_fused_kernel(div.name)), div.upper)  # rounding may pass the supremum
    else:
        values = pair.evaluate(_generic_kernel(div), False) + div.f_one
    return float(values[0]) if pair.shape == () else values.reshape(pair.shape)


def _fused_kernel(name: str) -> tuple[_Kernel, bool]:
    from divkit._kernels.fdivergence import KINDS, sum_rows

    kind, exchanged = _FUSED[name]
    return partial(sum_rows, KINDS[kind]), exchanged


class _Pair:
    """Two arrays as contiguous rows, with the map from the broadcast batch to the rows of each."""

    def __init__(self, p: ArrayLike, q: ArrayLike, axis: int) -> None:
        a, b = as_float_array("p", p, keep_float32=True), as_float_array("q", q, keep_float32=True)
        self.tolerance = (sum_tolerance(a.dtype), sum_tolerance(b.dtype))
        if a.dtype != b.dtype:
            a, b = a.astype(np.float64, copy=False), b.astype(np.float64, copy=False)
        if a.ndim == b.ndim == 1 and axis in (0, -1):
            self.shape: tuple[int, ...] = ()
            self.p, self.q = np.ascontiguousarray(a)[None, :], np.ascontiguousarray(b)[None, :]  # (1, n)
            self.row_p = self.row_q = np.zeros(1, dtype=np.int64)
        else:
            self._broadcast(_last("p", a, axis), _last("q", b, axis))
        if self.p.shape[1] != self.q.shape[1] or self.p.shape[1] == 0:
            raise InvalidInput(
                f"p and q must have equal, positive length along axis {axis}, got {self.p.shape[1]} and "
                f"{self.q.shape[1]}; laws on different atoms need divkit.Discrete with points"
            )

    def _broadcast(self, a: FloatArray, b: FloatArray) -> None:
        try:
            self.shape = np.broadcast_shapes(a.shape[:-1], b.shape[:-1])
        except ValueError:
            raise InvalidInput(
                f"p and q must have leading axes that broadcast, got {a.shape[:-1]} and {b.shape[:-1]}"
            ) from None
        self.p, self.row_p = self._rows(a)
        self.q, self.row_q = self._rows(b)

    def _rows(self, array: FloatArray) -> tuple[FloatArray, NDArray[np.int64]]:
        lead = array.shape[:-1]
        index = np.arange(math.prod(lead), dtype=np.int64).reshape(lead)
        rows = np.ascontiguousarray(array).reshape(-1, array.shape[-1])  # (rows, n)
        return rows, np.ascontiguousarray(np.broadcast_to(index, self.shape).ravel())

    def evaluate(self, kernel: _Kernel, exchanged: bool) -> _F:
        """Sum of the kernel's terms for every pair of the batch, after validation; shape (batch,)."""
        ones = np.ones(len(self.row_p))
        sums = self._sums(kernel, exchanged, ones, ones)  # (batch, 4): value, sum p, sum q, defect
        total_p, total_q = (sums[:, 2], sums[:, 1]) if exchanged else (sums[:, 1], sums[:, 2])
        if not (sums[:, 3] == 0).all():
            self._explain()
        self._check_total("p", total_p, self.tolerance[0])
        self._check_total("q", total_q, self.tolerance[1])
        if max(np.abs(total_p - 1).max(), np.abs(total_q - 1).max()) > _NORMALISED:
            sums = self._sums(kernel, exchanged, 1 / total_p, 1 / total_q)
        return np.asarray(sums[:, 0])

    def _sums(self, kernel: _Kernel, exchanged: bool, scale_p: _F, scale_q: _F) -> _F:
        p, q, row_p, row_q = self.p, self.q, self.row_p, self.row_q
        if exchanged:
            p, q, row_p, row_q, scale_p, scale_q = q, p, row_q, row_p, scale_q, scale_p
        batch, n = len(row_p), p.shape[1]
        pieces = max(1, -(-n // _CHUNK))
        out = np.empty((pieces, batch, 4))
        threads = workers() if batch * n >= _PARALLEL else 1
        rows = max(1, batch // threads) if pieces == 1 else 1
        tasks = [(k, r) for r in range(0, batch, rows) for k in range(pieces)]

        def run(task: tuple[int, int]) -> None:
            k, r = task
            if pieces == 1:
                a, b, s = p, q, slice(r, r + rows)
                i, j = row_p[s], row_q[s]
            else:
                part, s = slice(k * _CHUNK, (k + 1) * _CHUNK), slice(r, r + 1)
                a, b = p[row_p[s][0], part][None, :], q[row_q[s][0], part][None, :]
                i = j = np.zeros(1, dtype=np.int64)
            kernel(a, b, i, j, scale_p[s], scale_q[s], out[k, s])

        parallel_map(run, tasks, threads)
        return np.asarray(out[0] if pieces == 1 else out.sum(axis=0))

    def _explain(self) -> None:
        for name, array in (("p", self.p), ("q", self.q)):
            bad = ~(np.isfinite(array) & (array >= 0))
            if bad.any():
                row, column = (int(i) for i in np.argwhere(bad)[0])
                where = f"{name}[{column}]" if self.shape == () else f"row {row} of {name}, entry {column},"
                raise InvalidInput(f"{name} must be finite and non-negative, but {where} is {array[row, column]}")

    def _check_total(self, name: str, total: _F, tolerance: float) -> None:
        off = np.abs(total - 1) > tolerance
        if not off.any():
            return
        at = int(np.argmax(off))
        where = name if self.shape == () else f"vector {at} of {name}"
        raise InvalidInput(
            f"{where} sums to {total[at]:.9g}; a probability vector sums to 1. "
            f"For samples use divkit.Samples({name}); for counts divkit.normalize({name})."
        )


def _last(name: str, array: FloatArray, axis: int) -> FloatArray:
    if array.ndim == 0 or not -array.ndim <= axis < array.ndim:
        raise InvalidInput(f"{name} has shape {array.shape} and no axis {axis}")
    return np.moveaxis(array, axis, -1)


def _generic_kernel(div: FDivergence) -> _Kernel:
    """A kernel with the signature of the compiled ones for any generator, in cache-sized blocks of NumPy."""
    block = 1 << 14
    at_zero, at_infinity = div.centred_limits

    def terms(p: _F, q: _F) -> _F:
        with np.errstate(all="ignore"):
            ratio = p / q
            near = np.abs(p - q) < 0.5 * q
            plain = np.where((ratio > 1e-290) & (ratio < 1e290), np.log(ratio), np.log(p) - np.log(q))
            l = np.where(near, np.log1p((p - q) / q), plain)
            value = np.where(l <= 0, q * div.integrand_q(np.minimum(l, 0)), p * div.integrand_p(np.maximum(l, 0)))
        value = np.where(q > 0, value, np.where(p > 0, at_infinity * p, 0.0) if at_infinity < math.inf else np.inf)
        value = np.where(p > 0, value, at_zero * q if at_zero < math.inf else np.inf)
        return np.where(p == q, 0.0, value)

    def kernel(
        p: FloatArray,
        q: FloatArray,
        row_p: NDArray[np.int64],
        row_q: NDArray[np.int64],
        scale_p: _F,
        scale_q: _F,
        out: _F,
    ) -> None:
        out[:] = 0.0
        for r in range(len(out)):
            for start in range(0, p.shape[1], block):
                a = p[row_p[r], start : start + block].astype(np.float64)
                b = q[row_q[r], start : start + block].astype(np.float64)
                with np.errstate(invalid="ignore"):
                    defect = np.sum(np.abs(a) - a) + np.sum(np.abs(b) - b)
                out[r, 1:] += a.sum(), b.sum(), defect
                if defect == 0:
                    out[r, 0] += terms(a * scale_p[r], b * scale_q[r]).sum()

    return kernel


def _named(name: str, formula: str) -> Callable[..., Any]:
    def function(p: ArrayLike, q: ArrayLike, *, axis: int = -1) -> Any:
        return fdivergence(name, p, q, axis=axis)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"{formula} of probability vectors along `axis`; other axes broadcast.\n\n"
        f'Arguments, result and errors as `fdivergence("{name}", p, q, axis=axis)`.'
    )
    return function


kl = _named("kl", "Kullback-Leibler divergence sum p log(p/q)")
reverse_kl = _named("reverse_kl", "Reverse Kullback-Leibler divergence sum q log(q/p)")
jsd = _named("jsd", "Jensen-Shannon divergence [KL(p, m) + KL(q, m)]/2, m = (p+q)/2,")
pearson_chi2 = _named("pearson_chi2", "Pearson's chi2 divergence sum (p-q)^2/q")
neyman_chi2 = _named("neyman_chi2", "Neyman's chi2 divergence sum (p-q)^2/p")
squared_hellinger = _named("squared_hellinger", "Squared Hellinger distance sum (sqrt p - sqrt q)^2")
hellinger = _named("hellinger", "Hellinger distance sqrt(sum (sqrt p - sqrt q)^2 / 2)")
total_variation = _named("total_variation", "Total variation distance sum |p-q|/2")
jeffreys = _named("jeffreys", "Jeffreys divergence sum (p-q) log(p/q)")
gan = _named("gan", "GAN value 2 JSD - log 4")
