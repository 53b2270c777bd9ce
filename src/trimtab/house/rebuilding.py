"""Rebuilding: the training set of a run once more, from its pinned code and pinned dataset versions, and proved."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import polars as pl

from trimtab.house.environment import environment
from trimtab.house.house import House
from trimtab.house.labelled_questions import labelled_questions, pinned
from trimtab.house.mismatched import Progress
from trimtab.house.training_run import KIND, run_record
from trimtab.house.whole_file import write_whole
from trimtab.kernel.canonical import JsonMap, sha256
from trimtab.kernel.dataset_version import version_id
from trimtab.kernel.errors import Corrupt, NotFound, TrimtabError, listed
from trimtab.kernel.moment import from_us
from trimtab.training.pipeline import AT, KEY, ipc, within
from trimtab.training.spec import TrainingSpec, spec_from

Kept = Literal["the same rows", "other rows", "nothing"]


@dataclass(frozen=True)
class Changed:
    """A library that was another version when the release was made."""

    name: str
    then: str
    now: str


@dataclass(frozen=True)
class Rebuilt:
    """A training set as it is made now, beside what was written down of it."""

    run: str
    release: str  # the first that was made from the run; "" if none was
    sources: tuple[str, ...]  # ids of the dataset versions
    files: int  # of those versions, each held against its SHA-256
    rows: int
    data: bytes  # an Arrow IPC file
    recorded: str  # SHA-256 of the one that the model was made from
    kept: Kept  # what the run's own copy of it holds
    changed: tuple[Changed, ...]  # libraries; nothing is known of them without a release

    @property
    def sha256(self) -> str:
        """Of the rows as they are made now."""
        return sha256(self.data)

    @property
    def same(self) -> bool:
        """Whether it is the recorded one, byte for byte."""
        return self.sha256 == self.recorded


def rebuild(house: House, named: str, progress: Progress) -> Rebuilt:
    """Make a training set anew; nothing but the journal, the code's blob and pinned files is read.

    Args:
        house: of the system.
        named: a run, a release, or the beginning of one; "" is the champion's run, or the newest without one.
        progress: told of each source whose files are whole.

    Raises:
        NotFound: no such run or release, or its code is gone.
        Corrupt: a pinned file is gone or is not what it was, or the code gives other definitions.
    """
    run, release = run_named(house, named)
    body = run_record(house, run)
    spec, result = spec_from(cast("JsonMap", body["spec"])), cast("Mapping[str, Any]", body["result"])
    files = _whole(house, spec, progress)
    system = house.code.declared(spec.code, spec.views, f"run {run}")
    rows = labelled_questions(system, from_us(spec.until_us), pinned(house.versions, spec)).sort(AT, KEY)
    rows = within(rows, int(result.get("window_us", 0)))
    return Rebuilt(
        run=run,
        release=release,
        sources=tuple(version_id(name, number) for name, (number, _) in _pins(spec).items()),
        files=files,
        rows=rows.height,
        data=ipc(rows),
        recorded=str(result["training_set_sha256"]),
        kept=_kept(house, str(result["training_set"]), rows),
        changed=_changed(house, release),
    )


def write_rebuilt(rebuilt: Rebuilt, to: Path, *, force: bool) -> Path:
    """Write the Arrow file; it appears whole or not at all; raises as `write_whole` does."""
    do = "name a place where you may write"
    return write_whole(to, lambda half: half.write_bytes(rebuilt.data), what="the rows", do=do, force=force)


def run_named(house: House, named: str) -> tuple[str, str]:
    """A run and the first release that was made from it ("" if none was), by the beginning of either one's name.

    Raises:
        NotFound: none, or several.
    """
    made = {digest: str(body["run"]) for digest, body in house.releases.all(house.name)}
    by_run = {run: digest for digest, run in reversed(made.items())}
    if not named:
        route = house.act.route(house.name)
        if route is not None:
            return made[route.champion], route.champion
        named = newest_run(house)
    runs = [id for id, body in house.reader.records(KIND) if _system(body) == house.name]
    found = [run for run in runs if run.startswith(named)]
    releases = [digest for digest in made if digest.startswith(named)]
    if len(found) + len(releases) != 1:
        raise NotFound(
            "single run or release" if found or releases else "run or release",
            named,
            allowed=f"runs {listed(runs)}; releases {listed(digest[:12] for digest in made)}",
            do="name more of it" if found or releases else "name one of them",
        )
    return (made[releases[0]], releases[0]) if releases else (found[0], by_run.get(found[0], ""))


def newest_run(house: House) -> str:
    """Its id.

    Raises:
        NotFound: nothing was trained yet.
    """
    pointer = house.reader.pointer(f"run/{house.name}")
    if pointer is None:
        raise NotFound("run", f"of {house.name}", do="make one with: trimtab train")
    return pointer.value


def _system(body: JsonMap) -> str:
    return str(cast("JsonMap", body["spec"])["system"])


def _pins(spec: TrainingSpec) -> dict[str, tuple[int, str]]:
    return {name: cast("tuple[int, str]", tuple(cast("list[Any]", pin))) for name, pin in spec.sources.items()}


def _whole(house: House, spec: TrainingSpec, progress: Progress) -> int:
    """How many files the pinned versions have, once each is known to be what was written."""
    count = 0
    pins = _pins(spec)
    for done, (name, (number, digest)) in enumerate(pins.items(), 1):
        version = house.versions.version(name, number)
        if version.digest != digest:
            raise Corrupt(
                f"dataset version {version.id}",
                where="table record",
                allowed=f"the digest that the run has written down: {digest}",
                got=version.digest,
                do="restore the database from a copy",
            )
        files = [one for older in range(1, number + 1) for one in house.versions.version(name, older).files]
        house.tables.check(f"sources/{name}", files)
        count += len(files)
        progress("files", done, len(pins))
    return count


def _kept(house: House, digest: str, rows: pl.DataFrame) -> Kept:
    try:
        kept = pl.read_ipc(io.BytesIO(house.blobs.get(digest)))
    except TrimtabError:  # gone, or damaged: it is not needed
        return "nothing"
    return "the same rows" if kept.equals(rows) else "other rows"


def _changed(house: House, release: str) -> tuple[Changed, ...]:
    if not release:
        return ()
    then = house.releases.get(release).environment
    now = environment(name for name in then if name != "python")
    return tuple(
        Changed(name, str(then[name]), str(now[name])) for name in then if name in now and then[name] != now[name]
    )
