"""Draws that are finished, one a line of a file: a run of hours can be stopped, gone on with, and extended."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from _fdiv_contestants import Job, Record


class Kept:
    """Finished draws in a file of JSON lines; without a file, of this run only.

    Parameters
    ----------
    path : Path or None
        Its first line says which sources the draws were computed by.

    Raises
    ------
    SystemExit
        If the draws of the file were computed by other sources.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._found: dict[Job, list[Record]] = {}
        if path is None:
            return
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"sources": sources()}) + "\n", encoding="utf-8")
            return
        lines = path.read_text(encoding="utf-8").splitlines()
        if json.loads(lines[0]).get("sources") != sources():
            raise SystemExit(f"{path} has draws by other sources of divkit and its benchmark; name another file")
        for line in lines[1:]:
            job, records = json.loads(line)
            self._found[_job(job)] = [_record(record) for record in records]

    def missing(self, jobs: list[Job]) -> list[Job]:
        """The jobs that are still to do."""
        return [job for job in jobs if job not in self._found]

    def add(self, job: Job, records: list[Record]) -> None:
        """Keep one finished draw."""
        self._found[job] = records
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([job, records]) + "\n")

    def results(self, jobs: list[Job]) -> Iterator[tuple[Job, list[Record]]]:
        """The finished draws of these jobs."""
        for job in jobs:
            yield job, self._found[job]


def _job(fields: list[object]) -> Job:
    return Job(*(tuple(field) if isinstance(field, list) else field for field in fields))  # type: ignore[arg-type]


def _record(fields: list[object]) -> Record:
    return Record(*(tuple(field) if isinstance(field, list) else field for field in fields))  # type: ignore[arg-type]


def sources() -> str:
    """A digest of all that decides what a draw gives."""
    spec = find_spec("divkit")
    if spec is None or spec.origin is None:
        raise SystemExit("divkit is not installed")
    digest = hashlib.sha256()
    own = [Path(__file__).with_name(f"_fdiv_{part}.py") for part in ("contestants", "peers", "problems")]
    for path in [*sorted(Path(spec.origin).parent.rglob("*.py")), *own]:
        digest.update(path.read_bytes())
    return digest.hexdigest()
