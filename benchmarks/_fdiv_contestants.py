"""One draw of one task, estimated by everybody: divkit's methods and the peers."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
from _fdiv_peers import PEERS, Pair, Peer
from _fdiv_problems import Truth, task_of, truth

import divkit
from divkit import DivkitError, Samples, UnreliableEstimateWarning
from divkit.catalog import resolve_divergence
from divkit.methods import METHODS, Method, method_class, select_method
from divkit.result import Estimate

LEVEL = 0.95
METHODS_OF_SAMPLES = ("crossfit", "plugin", "knn", "binned")
OURS = ("auto", *METHODS_OF_SAMPLES)
LIMITED = ("crossfit", "knn", "binned")  # those with a lower limit of their own: `plugin` has that of `crossfit`
_COMPARED = 1000  # points up to which the first draw of `auto` is also asked for directly


class Job(NamedTuple):
    """What one process works on at a time; `contestants` names divkit's methods, and "peers" for the others.

    Without `alone`, methods are asked only for what `auto` chooses them for.
    """

    task: str
    n: int
    m: int
    draw: int
    divergences: tuple[str, ...]
    contestants: tuple[str, ...]
    alone: bool = True


class Record(NamedTuple):
    """One estimate, or why there is none; `seen` is the interval for what the method sees of the divergence."""

    contestant: str
    divergence: str
    value: float | None = None
    raw: float | None = None
    lower: float | None = None
    seen: tuple[float, float] | None = None
    one_sided: bool = False
    seconds: float | None = None
    warned: bool = False
    method: str | None = None
    refused: str | None = None


Answer = tuple[Estimate | str, float, bool]  # the estimate or the refusal, seconds, whether it warned


def work(job: Job) -> tuple[Job, list[Record]]:
    """All records of one draw."""
    x, y = task_of(job.task).draw(job.n, job.m, job.draw)
    records = by_divkit(job, x, y)
    if "peers" in job.contestants:
        pair = Pair(x, y)
        records += [record for peer in PEERS for record in by_peer(job, peer, pair)]
    return job, records


def true_value(task: str, divergence: str, draws: int) -> tuple[str, str, Truth]:
    """The truth of one task, with its names: for a pool of processes."""
    return task, divergence, truth(task_of(task), divergence, draws)


def by_divkit(job: Job, x: Any, y: Any) -> list[Record]:
    """Each method once; `auto` is what the method that it selects has answered, as both have the same seed."""
    choices = {key: choice(key, x, y) for key in job.divergences} if "auto" in job.contestants else {}
    found: dict[tuple[str, str], Answer] = {}
    for name in METHODS_OF_SAMPLES:
        alone = name in job.contestants and (job.alone or name != "knn")  # the others share a fit or take no time
        keys = [key for key in job.divergences if alone or getattr(choices.get(key), "name", None) == name]
        for key, answer in answers(name, job._replace(divergences=tuple(keys)), x, y).items() if keys else ():
            found[name, key] = answer
    records = [_record(name, key, *answer) for (name, key), answer in found.items() if name in job.contestants]
    return records + [
        _record("auto", key, *automatic(key, method, job, x, y, found)) for key, method in choices.items()
    ]


def choice(divergence: str, x: Any, y: Any) -> Method | str:
    """The method that `auto` stands for, or why there is none."""
    try:
        return select_method(resolve_divergence(divergence), Samples(x), Samples(y))
    except DivkitError as error:
        return _reason(error)


def answers(name: str, job: Job, x: Any, y: Any) -> dict[str, Answer]:
    """{divergence: answer} by one method; from one fit where it offers that."""
    if not available(name):
        return dict.fromkeys(job.divergences, (f"this version has no method {name!r}", 0.0, False))
    if name == "binned" and x.shape[1] > 1:
        return {}  # made for the line, and nothing is expected of it elsewhere
    if name in ("crossfit", "plugin"):
        return _from_one_fit(name, job)
    P, Q = Samples(x), Samples(y)
    return {key: asked(partial(divkit.estimate, P, Q, key, name, rng=job.draw)) for key in job.divergences}


def available(name: str) -> bool:
    """Whether divkit has this method."""
    try:
        return name in METHODS and bool(method_class(name))
    except ImportError:
        return False


def _from_one_fit(name: str, job: Job) -> dict[str, Answer]:
    """What `crossfit` and `plugin` say: both rest on one cross-fitted log ratio."""
    fitted, refusal, seconds = _one_fit(job.task, job.n, job.m, job.draw)
    if fitted is None:
        return dict.fromkeys(job.divergences, (refusal, seconds, False))
    held: dict[str, Answer] = {}
    for key in job.divergences:
        kind = "plugin" if name == "plugin" else "bound"
        value, more, _ = asked(partial(fitted.estimate, resolve_divergence(key), LEVEL, kind))
        held[key] = value, seconds + more, not isinstance(value, str) and doubted(value)
    return held


@lru_cache(maxsize=1)
def _one_fit(task: str, n: int, m: int, draw: int) -> tuple[Any, str, float]:
    """The log ratio of one draw, or the refusal; and the seconds it took."""
    from divkit.methods.crossfit import CrossFit

    x, y = task_of(task).draw(n, m, draw)
    fits: list[Any] = []

    def fit() -> Any:
        fits.append(CrossFit().fit(Samples(x), Samples(y), np.random.default_rng(draw)))

    refusal, seconds, _ = asked(fit)
    return (fits[0], "", seconds) if fits else (None, str(refusal), seconds)


def doubted(value: Estimate) -> bool:
    """Whether the estimate itself says that it should not be trusted."""
    return bool(value.info.get("doubts"))


def automatic(
    divergence: str, method: Method | str, job: Job, x: Any, y: Any, found: dict[tuple[str, str], Answer]
) -> Answer:
    """What divkit.estimate(..., "auto") answers, for which `method` has been found to stand."""
    if isinstance(method, str):
        return method, 0.0, False
    P, Q = Samples(x), Samples(y)
    shared = found.get((method.name, divergence))
    if shared is None or method != method_class(method.name)():
        return asked(lambda: divkit.estimate(P, Q, divergence, rng=job.draw))
    if job.draw == 0 and max(job.n, job.m) <= _COMPARED and divergence == job.divergences[0]:
        direct, _, _ = asked(lambda: divkit.estimate(P, Q, divergence, rng=job.draw))
        if isinstance(direct, str) or isinstance(shared[0], str) or not _close(direct, shared[0]):
            raise SystemExit(f"auto gives {direct!r} on {job.task}, but {method.name} alone gave {shared[0]!r}")
    return shared


def _close(a: float, b: float) -> bool:
    return a == b or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)  # sums in another order


def asked(function: Callable[[], Any]) -> Answer:
    """The answer of a call into divkit, the seconds it took, and whether it warned that it is unreliable."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start = time.perf_counter()
        try:
            value = function()
        except DivkitError as error:
            value = _reason(error)
        seconds = time.perf_counter() - start
    return value, seconds, any(issubclass(warning.category, UnreliableEstimateWarning) for warning in caught)


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error)[:160]}"


def seen(value: Estimate) -> tuple[float, float] | None:
    """The interval with two ends for what the fitted critics, the neighbours or the bins see of the divergence."""
    names = ("critic_interval", "subsample_interval", "binned_interval")
    return next((value.info[name] for name in names if value.info.get(name) is not None), None)


def _record(contestant: str, divergence: str, value: Estimate | str, seconds: float, warned: bool) -> Record:
    if isinstance(value, str):
        return Record(contestant, divergence, refused=value)
    if not math.isfinite(value):
        return Record(contestant, divergence, refused=f"returned {float(value)}", method=value.method)
    return Record(
        contestant,
        divergence,
        float(value),
        float(value.info.get("raw", value)),  # not cut to the range of the divergence
        None if value.interval is None else value.interval[0],
        seen(value),
        value.bound == "lower",
        seconds,
        warned,
        value.method,
    )


def by_peer(job: Job, peer: Peer, pair: Pair) -> list[Record]:
    """The estimates of one peer, as far as it is installed, offers them, and is given this draw."""
    offered = [key for key in job.divergences if key in peer.offers]
    if peer.version is None or job.draw >= peer.most_draws(job.n, job.m, pair.d):
        return []
    records = []
    for key in offered:
        start = time.perf_counter()
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                value = float(peer.offers[key](pair))
        except Exception as error:  # whatever another package raises is its answer
            records.append(Record(peer.name, key, refused=_reason(error)))
            continue
        seconds = time.perf_counter() - start if peer.package else None  # formulas share a search: no time of their own
        if math.isfinite(value):
            records.append(Record(peer.name, key, value, seconds=seconds))
        else:
            records.append(Record(peer.name, key, refused=f"returned {value}"))
    return records
