"""Batch scoring: the rows of a file, answered and recorded by the code that answers requests, exactly once.

Each part of the file becomes one segment of the prediction log. It is written whole beside the log, under a name
that is never given again, and entered into the log once, whoever is killed when. The same command goes on where it
stood, with the route that it began with. Behind the last part comes the journal, then the file of answers, then the
end of what was kept beside the log.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from trimtab.house.batch_answers import Answers, Row, refuse_ending, write_answers
from trimtab.house.batch_file import PART_ROWS, BatchFile, file_digest, future
from trimtab.house.batch_scorer import Scorer
from trimtab.house.house import House
from trimtab.kernel.canonical import Json, JsonMap, digest
from trimtab.kernel.errors import Busy, NotFound, Refused
from trimtab.kernel.moment import to_us
from trimtab.kernel.prediction import Prediction
from trimtab.kernel.route import Route, route_from
from trimtab.ports.clock import Clock
from trimtab.ports.served_release import ReleaseLoader
from trimtab.serving.batch_part import BatchLog, predictions_of, write_durably

KIND = "batch"
_PLAN = "plan.json"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Asked:
    """What is to be scored, and how."""

    file: Path
    out: Path
    release: str = ""  # digest; "": whatever the route says
    log: bool = True
    force: bool = False  # write over a file that is there


@dataclass(frozen=True)
class _Plan:
    """What a batch goes on with, whoever takes it up."""

    id: str
    file: str  # SHA-256
    route: JsonMap
    rows: int
    began_us: int
    part_rows: int = PART_ROWS


@dataclass
class Done:
    """What came of it."""

    id: str
    route: Route
    rows: int
    scored: int = 0  # of `rows`, now; the others had been before
    missing: int = 0  # rows that lacked a view
    left_out: list[str] = field(default_factory=list)  # columns of the file
    unscored: dict[str, int] = field(default_factory=dict)  # rows by release that scored beside, and could not
    again: bool = False  # all of it was in the log already: nothing was scored or recorded


class Batches:
    """Scores files for one system."""

    def __init__(self, house: House, log: BatchLog, loader: ReleaseLoader, clock: Clock) -> None:
        self._house = house
        self._log = log
        self._loader = loader
        self._clock = clock

    def score(self, asked: Asked, *, actor: str, progress: Progress) -> Done:
        """Score a file, or go on with it; the answers are in `asked.out` then.

        Raises:
            InvalidValue, RequestInvalid: a file that cannot be scored; nothing of it was.
            NotFound: no release is in force.
            Refused: the file of answers is there.
            Busy: another process scores the same file.
        """
        sha256 = file_digest(asked.file)
        refuse_ending(asked.out)
        started = digest([self._house.name, sha256, asked.release])
        folder = self._house.project.home / "batch" / started[:16]
        if not asked.log:
            return self._begin(asked, sha256, folder, actor, progress)
        with _alone(folder):
            plan = _read(folder)
            if plan is None:
                done = self._begin(asked, sha256, folder, actor, progress)
            else:
                done = self._finish(asked, _Plan(**plan), folder, actor, progress)
            if (folder / _PLAN).exists():
                _clear(folder)
            return done

    def _begin(self, asked: Asked, sha256: str, folder: Path, actor: str, progress: Progress) -> Done:
        if asked.out.exists() and not asked.force:
            raise Refused("writing over a file", because=f"{asked.out} is there", do="look at it, or say --force")
        route = self._route(asked.release)
        file = self._file(asked, route)
        now_us = to_us(self._clock.now())
        future(file.instants, now_us, asked.file)
        file.check(progress)
        # A batch is what was asked of whom. Rows that do not say when are asked anew each time.
        asked_of: list[Json] = [self._house.name, sha256, list(route.scoring()), 0 if file.instants.all else now_us]
        plan = _Plan(digest(asked_of), sha256, route.body(), file.rows, now_us)
        if asked.log:
            before = self._house.reader.record(KIND, plan.id)
            if before is not None:
                return self._again(asked, plan, before, progress)
            write_durably(folder / f".{_PLAN}", json.dumps(vars(plan)).encode())
            (folder / f".{_PLAN}").rename(folder / _PLAN)
        return self._finish(asked, plan, folder, actor, progress)

    def _route(self, release: str) -> Route:
        """The one in force; of a release that is asked for, one that never was: no monitor looks at its answers."""
        if release:
            return Route(self._house.name, release, (), generation=0)
        route = self._house.act.route(self._house.name)
        if route is None:
            raise NotFound("release in force", self._house.name, do="name one with --release, or: trimtab deploy")
        return route

    def _file(self, asked: Asked, route: Route) -> BatchFile:
        champion = self._house.releases.get(route.champion)
        return BatchFile(asked.file, champion.request, champion.key)

    def _finish(self, asked: Asked, plan: _Plan, folder: Path, actor: str, progress: Progress) -> Done:
        route = route_from(plan.route)
        file = self._file(asked, route)
        done = Done(plan.id, route, plan.rows, left_out=file.left_out)
        with Scorer(self._house, route, self._loader, self._clock, file, began_us=plan.began_us) as scorer:
            views = Answers(scorer.view_names)
            names: list[Json] = []

            def answers() -> Iterator[list[Row]]:
                first = 0
                for number, rows in enumerate(file.parts(plan.part_rows)):
                    part = folder / f"{number:06d}.segment"
                    if asked.log and part.exists():
                        segment = part.read_bytes()
                    else:
                        segment = scorer.part(rows, self._log.claim() if asked.log else 0, first)
                        done.scored += len(rows)
                        if asked.log:
                            _keep(part, segment)
                    found = predictions_of(segment, str(part))  # and with that, held against its checksums
                    if asked.log:
                        names.append(self._log.enter(segment))
                    first += len(rows)
                    progress("rows", first, done.rows)
                    yield _told(views, found, done, with_id=asked.log)
                if asked.log:
                    self._enter(done, plan, names, actor)

            resumed = asked.log and (folder / _PLAN).exists()
            write_answers(answers(), asked.out, force=asked.force or resumed)
            done.unscored = scorer.unscored
        return done

    def _enter(self, done: Done, plan: _Plan, names: list[Json], actor: str) -> None:
        """Write down that all of it is in the log; a batch that is written down stays as it is."""
        if self._house.reader.record(KIND, done.id) is not None:
            return
        releases: list[Json] = list(done.route.scoring())
        facts: dict[str, Json] = {"rows": done.rows, "file": plan.file, "releases": releases}
        with self._house.journal.begin(at=self._clock.now(), actor=actor) as unit:
            unit.append("batch.scored", f"{self._house.name}/{done.id}", facts)
            unit.put(KIND, done.id, {**facts, "segments": names})

    def _again(self, asked: Asked, plan: _Plan, before: JsonMap, progress: Progress) -> Done:
        """The answers that the log holds."""
        route = route_from(plan.route)
        done = Done(plan.id, route, plan.rows, again=True)
        views = Answers({one: self._loader(one).view_names for one in route.scoring()})

        def answers() -> Iterator[list[Row]]:
            first = 0
            for name in cast("list[str]", before["segments"]):
                found = self._log.read(name)
                first += len(found)
                progress("rows", first, done.rows)
                yield _told(views, found, done, with_id=True)

        write_answers(answers(), asked.out, force=asked.force)
        return done


def _told(views: Answers, found: list[Prediction], done: Done, *, with_id: bool) -> list[Row]:
    rows = [views.of(one, with_id=with_id) for one in found]
    done.missing += sum(bool(row.missing) for row in rows)
    return rows


def _read(folder: Path) -> dict[str, Any] | None:
    try:
        plan: dict[str, Any] = json.loads((folder / _PLAN).read_text())
    except FileNotFoundError:
        return None
    return plan


def _keep(part: Path, data: bytes) -> None:
    half = part.with_suffix(".half")
    write_durably(half, data)
    half.rename(part)
    descriptor = os.open(part.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _clear(folder: Path) -> None:
    """The plan last: as long as it is there, the batch is to be finished."""
    for part in folder.glob("*.segment"):
        part.unlink()
    (folder / _PLAN).unlink()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time scores a file for the log; without a plan nothing is left behind."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy("this batch", where=str(folder), do="let the other command finish") from None
        try:
            yield
        finally:
            if not (folder / _PLAN).exists():
                shutil.rmtree(folder, ignore_errors=True)
