"""Fused f-divergence sums over pairs of probability vectors: one pass over memory, no temporaries.

Every term is written in s = (p - q)/(p + q), for which p log(p/q) - p + q = (p + q) [s^2 + (1 + s)(atanh s - s)]
and so on: all parts are small where p is near q, so nothing cancels, and each term is >= 0 because the generators
are centred (f(u) - f(1) - f'(1)(u - 1); the correction sums to 0 over probability vectors).

The terms are branch-free selects, which the compiler turns into vector code. They hold for values that are 0 or
at least `_TINY`; a block that contains smaller ones is lifted by a power of two first.
"""

from __future__ import annotations

import math

import numpy as np
from numba.extending import overload

from divkit._compile import compiled

__all__ = ["KINDS", "sum_rows"]

_BLOCK = 1024  # two blocks of float64 stay in the first-level cache while they are audited and then summed
_TINY = 2.0**-960
_LIFT, _LOWER = 2.0**600, 2.0**-600  # 2^600 * 5e-324 is above _TINY
_LOG2_HIGH = 0.6931471803691238  # log 2 split so that exponent * _LOG2_HIGH is exact
_LOG2_LOW = 1.9082149292705877e-10
_MANTISSA = np.int64(0x000FFFFFFFFFFFFF)
_ONE = np.int64(0x3FF0000000000000)

# Chebyshev interpolants in w = s^2 on [0, 1/9] (degree 9, derived in tests/kernels/test_fdivergence.py):
# (atanh(s) - s)/s^3 to 7e-17, and ((1+s) log(1+s) + (1-s) log(1-s) - s^2)/s^4 to 1e-17.
_A0 = 0.3333333333333333
_A1 = 0.20000000000007292
_A2 = 0.1428571428355438
_A3 = 0.11111111358713932
_A4 = 0.09090894718066429
_A5 = 0.07692785032479312
_A6 = 0.06657072104827468
_A7 = 0.06000536404795356
_A8 = 0.04400369243072337
_A9 = 0.08082022805971766

_E0 = 0.16666666666666666
_E1 = 0.0666666666666725
_E2 = 0.03571428571255903
_E3 = 0.02222222242023439
_E4 = 0.015151503650672655
_E5 = 0.010989393276522545
_E6 = 0.008325639392125161
_E7 = 0.006630910967922032
_E8 = 0.004567499278575789
_E9 = 0.0070250724812122665

# error_model: x/0 is inf, not an exception. "contract" allows fused multiply-add inside a term; only the block sums
# may be reassociated, which their vectorisation needs.
_TERM = {"error_model": "numpy", "fastmath": {"contract"}}
_SUM = {"error_model": "numpy", "fastmath": {"reassoc", "contract"}}
_ROWS = {"error_model": "numpy", "nogil": True}


@compiled(**_TERM)
def _atanh_tail(w):
    """(atanh(s) - s)/s^3 for w = s^2 <= 1/9."""
    r = _A9 * w + _A8
    r = r * w + _A7
    r = r * w + _A6
    r = r * w + _A5
    r = r * w + _A4
    r = r * w + _A3
    r = r * w + _A2
    r = r * w + _A1
    return r * w + _A0


@compiled(**_TERM)
def _entropy_tail(w):
    """((1+s) log(1+s) + (1-s) log(1-s) - s^2)/s^4 for w = s^2 <= 1/9."""
    r = _E9 * w + _E8
    r = r * w + _E7
    r = r * w + _E6
    r = r * w + _E5
    r = r * w + _E4
    r = r * w + _E3
    r = r * w + _E2
    r = r * w + _E1
    return r * w + _E0


@compiled(**_TERM)
def _reduced(p, q, near):
    """(s, exponent): log(p/q) = exponent log 2 + 2 atanh(s), with s = (p-q)/(p+q) and exponent 0 where near.

    Elsewhere s belongs to the mantissas, whose ratio lies in (1/2, 2), so |s| <= 1/3 always.
    """
    bits_p = np.float64(p).view(np.int64)
    bits_q = np.float64(q).view(np.int64)
    mantissa_p = np.int64((bits_p & _MANTISSA) | _ONE).view(np.float64)
    mantissa_q = np.int64((bits_q & _MANTISSA) | _ONE).view(np.float64)
    top = p - q if near else mantissa_p - mantissa_q
    bottom = p + q if near else mantissa_p + mantissa_q
    exponent = np.float64(np.int32((bits_p >> 52) - (bits_q >> 52)))
    return top / bottom, 0.0 if near else exponent


@compiled(**_TERM)
def _kl_term(p, q):
    near = (p <= 2.0 * q) & (q <= 2.0 * p)
    s, exponent = _reduced(p, q, near)
    w = s * s
    tail = s * w * _atanh_tail(w)
    log_ratio = exponent * _LOG2_HIGH + (2.0 * (s + tail) + exponent * _LOG2_LOW)
    value = (p + q) * (w + (1.0 + s) * tail) if near else p * log_ratio - (p - q)
    value = math.inf if q == 0.0 else value
    return q if p == 0.0 else value


@compiled(**_TERM)
def _jeffreys_term(p, q):
    near = (p <= 2.0 * q) & (q <= 2.0 * p)
    s, exponent = _reduced(p, q, near)
    w = s * s
    log_ratio = exponent * _LOG2_HIGH + (2.0 * (s + s * w * _atanh_tail(w)) + exponent * _LOG2_LOW)
    value = (p - q) * log_ratio
    value = math.inf if (p == 0.0) | (q == 0.0) else value
    return 0.0 if p == q else value


@compiled(**_TERM)
def _jsd_term(p, q):
    near = (p <= 2.0 * q) & (q <= 2.0 * p)
    s, exponent = _reduced(p, q, near)
    w = s * s
    close = 0.25 * (p + q) * w * (1.0 + w * _entropy_tail(w))
    # Apart: with b = |p - q|/(p + q), log(1 + b) = 2 atanh(b/(2 + b)), and the term is
    # [(p + q) log(1 + b) - min(p, q) |log(p/q)|]/2.
    log_ratio = exponent * _LOG2_HIGH + (2.0 * (s + s * w * _atanh_tail(w)) + exponent * _LOG2_LOW)
    size = abs(p - q)
    c = size / (2.0 * (p + q) + size)
    z = c * c
    far = (p + q) * (c + c * z * _atanh_tail(z)) - 0.5 * min(p, q) * abs(log_ratio)
    value = close if near else far
    return 0.5 * math.log(2.0) * (p + q) if (p == 0.0) | (q == 0.0) else value


@compiled(**_TERM)
def _chi2_term(p, q):
    d = p - q
    value = d * (d / q)
    return 0.0 if d == 0.0 else value


@compiled(**_TERM)
def _chi2_term_tiny(p, q):
    """The same where d/q may overflow although d (d/q) does not."""
    d = p - q
    root = d / math.sqrt(q)
    return 0.0 if d == 0.0 else root * root


@compiled(**_TERM)
def _squared_hellinger_term(p, q):
    d = p - q
    root = math.sqrt(p) + math.sqrt(q)
    value = (d / root) * (d / root)
    return 0.0 if d == 0.0 else value


@compiled(**_TERM)
def _total_variation_term(p, q):
    return 0.5 * abs(p - q)


@compiled(**_SUM)
def _audit(p, q):
    """(sum p, sum q, defect, tiny) of a block; defect is 0 iff all entries are finite and >= 0."""
    sum_p, sum_q, defect, tiny = 0.0, 0.0, 0.0, 0.0
    for i in range(p.size):
        a, b = np.float64(p[i]), np.float64(q[i])
        sum_p += a
        sum_q += b
        defect += (abs(a) - a) + (abs(b) - b)  # nan and inf - inf stay nan
        tiny += 1.0 if ((a < _TINY) & (a != 0.0)) | ((b < _TINY) & (b != 0.0)) else 0.0
    return sum_p, sum_q, defect, tiny


# The compiled loop is specialised by the *type* of its first argument, a tuple of zeros whose length selects the
# term. (A function passed as an argument would do the same, but numba cannot cache such code on disk.)
KINDS = {
    name: (0,) * (k + 1)
    for k, name in enumerate(("kl", "jeffreys", "jsd", "chi2", "squared_hellinger", "total_variation"))
}
_TERMS = {
    1: _kl_term,
    2: _jeffreys_term,
    3: _jsd_term,
    4: _chi2_term,
    5: _squared_hellinger_term,
    6: _total_variation_term,
}


def _term(kind, p, q):
    raise NotImplementedError("compiled code only")


def _term_tiny(kind, p, q):
    raise NotImplementedError("compiled code only")


@overload(_term, jit_options=_TERM)
def _select_term(kind, p, q):
    chosen = _TERMS[len(kind)]
    return lambda kind, p, q: chosen(p, q)


@overload(_term_tiny, jit_options=_TERM)
def _select_term_tiny(kind, p, q):
    chosen = _TERMS[len(kind)]
    if chosen is _chi2_term:
        return lambda kind, p, q: _chi2_term_tiny(p, q)
    # All terms are homogeneous of degree 1: multiplied by a power of two, the smallest numbers are like others.
    return lambda kind, p, q: chosen(p * _LIFT, q * _LIFT) * _LOWER


@compiled(**_SUM)
def _block_sum(kind, p, q, scale_p, scale_q):
    total = 0.0
    for i in range(p.size):
        total += _term(kind, np.float64(p[i]) * scale_p, np.float64(q[i]) * scale_q)
    return total


@compiled(**_SUM)
def _block_sum_tiny(kind, p, q, scale_p, scale_q):
    total = 0.0
    for i in range(p.size):
        total += _term_tiny(kind, np.float64(p[i]) * scale_p, np.float64(q[i]) * scale_q)
    return total


@compiled(**_ROWS)
def sum_rows(kind, p, q, row_p, row_q, scale_p, scale_q, out):
    """out[r] = (sum of terms, sum p, sum q, defect) for rows scale_p[r] p[row_p[r]], scale_q[r] q[row_q[r]].

    p (a, n) and q (b, n) are contiguous and of one dtype; out is (rows, 4). The two plain sums are of the rows as
    they came, unscaled; defect is 0 iff all their entries are finite and non-negative.
    """
    n = p.shape[1]
    for r in range(out.shape[0]):
        value, sum_p, sum_q, defect = 0.0, 0.0, 0.0, 0.0
        for start in range(0, n, _BLOCK):
            block_p = p[row_p[r], start : start + _BLOCK]
            block_q = q[row_q[r], start : start + _BLOCK]
            audit = _audit(block_p, block_q)
            sum_p += audit[0]
            sum_q += audit[1]
            defect += audit[2]
            if audit[3] == 0.0:
                value += _block_sum(kind, block_p, block_q, scale_p[r], scale_q[r])
            else:
                value += _block_sum_tiny(kind, block_p, block_q, scale_p[r], scale_q[r])
        out[r, 0], out[r, 1], out[r, 2], out[r, 3] = value, sum_p, sum_q, defect
