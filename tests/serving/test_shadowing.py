"""Shadows score what was answered, once it was: whatever they do, no answer waits, and memory is bounded."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.serving.releases import SUMMANDS, SYSTEM, Adder
from tests.serving.shadowed import answers
from tests.serving.ticket import Asked

from trimtab.adapters.clock_system import SystemClock
from trimtab.kernel.errors import LogUnwritable
from trimtab.kernel.prediction import Prediction
from trimtab.kernel.route import Canary, Route
from trimtab.ports.feature_reader import FeatureBlock
from trimtab.serving import shadowing
from trimtab.serving.answer import Answer
from trimtab.serving.answering import Answering
from trimtab.serving.log_writer import LogPolicy, LogWriter, Then
from trimtab.serving.metrics import Metrics
from trimtab.serving.record import Record
from trimtab.serving.released import Serving
from trimtab.serving.segment import LIVE, read_segment
from trimtab.serving.segment_folder import SegmentFolder

Drive = Callable[["Worker"], Awaitable[None]]


class Held(Adder):
    """Scores when it is let, and says who has been answered by then."""

    def __init__(self, digest: str) -> None:
        super().__init__(digest)
        self.let = threading.Event()
        self.threads: list[str] = []
        self.seen: Callable[[], int] = lambda: 0
        self.answered: list[int] = []

    def score(self, block: FeatureBlock) -> list[float]:
        self.threads.append(threading.current_thread().name)
        self.answered.append(self.seen())
        assert self.let.wait(10.0)
        return super().score(block)


class Wild(Adder):
    """Says NaN to the first row."""

    def score(self, block: FeatureBlock) -> list[float]:
        return [float("nan"), *super().score(block)[1:]]


class Worker:
    """Answers requests under one route, and keeps its metrics."""

    def __init__(self, folder: Path, champion: Adder, *shadows: Adder, canary: Adder | None = None) -> None:
        self.folder = folder
        split = None if canary is None else Canary(canary.digest, 5_000, "salt")
        beside = () if canary is None else (canary,)
        route = Route(SYSTEM, champion.digest, (), 7, split, tuple(one.digest for one in shadows))
        self.serving = Serving(route, (champion, *beside, *shadows))
        self.metrics = Metrics()
        self.asked: list[Asked] = []
        self.refusing = False

    def run(self, drive: Drive) -> list[Prediction]:
        """What is recorded in the end."""

        async def main() -> None:
            self.log = LogWriter(
                SegmentFolder(self.folder), system=SYSTEM, worker=0, policy=LogPolicy(), report=lambda _: None
            )
            self.answering = Answering(SYSTEM, log=self, clock=SystemClock(), metrics=self.metrics, mode="now")
            await asyncio.wait_for(drive(self), 20.0)
            await self.log.close()

        asyncio.run(main())
        found = [read_segment(path) for path in sorted(self.folder.glob("*.sealed"))]
        return [one for segment in found if segment is not None for one in segment.predictions()]

    def take(self, records: Sequence[Record], then: Then) -> list[str]:
        if self.refusing and records[0][2] < 0:
            raise LogUnwritable("the disk", got="it is full")
        return self.log.take(records, then)

    def commit(self) -> None:
        self.log.commit()

    def ask(self, rows: int = 2) -> Asked:
        number = len(self.asked)
        one = Asked([{"row": f"{number}-{row}", "x": float(row)} for row in range(rows)], self.serving)
        self.asked.append(one)
        self.answering.submit(one)
        return one

    async def answered(self) -> None:
        while not all(one.outcomes for one in self.asked):
            await asyncio.sleep(0)

    def unscored(self, digest: str) -> int:
        return int(self.metrics.counts()["trimtab_unscored_rows_total"].get((digest,), [0])[0])

    def live(self) -> int:
        """Records of shadows in the log by now."""
        found = [read_segment(path) for path in self.folder.glob(f"*{LIVE}")]
        return sum(one.generation < 0 for segment in found if segment for one in segment.predictions())


def answered_by(one: Asked) -> list[str]:
    assert isinstance(one.outcome, Answer)
    return [row.release for row in one.outcome.predictions]


def test_answers_leave_before_a_shadow_looks_and_it_is_recorded_beside_them(tmp_path: Path) -> None:
    shadow = Held("two")

    async def drive(worker: Worker) -> None:
        shadow.seen = lambda: sum(bool(one.outcomes) for one in worker.asked)
        worker.ask()
        worker.ask()
        await worker.answered()
        shadow.let.set()
        while worker.live() < 4:
            await asyncio.sleep(0.01)

    worker = Worker(tmp_path, Adder("one"), shadow)
    found = answers(worker.run(drive))
    assert shadow.answered == [2]  # both, which were answered together
    assert len(found) == 4
    for one in found.values():
        assert (one.release, one.generation) == ("one", 7)
        assert one.others == (("two", one.score - SUMMANDS["one"] + SUMMANDS["two"]),)


def test_a_shadow_that_hangs_delays_nobody_and_holds_a_bounded_number_of_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadowing, "_MOST_ROWS", 10)
    hanging, quick = Held("two"), Held("slow")
    quick.let.set()

    async def drive(worker: Worker) -> None:
        for number in range(1, 21):
            worker.ask()
            await worker.answered()
            while worker.live() < 2 * number:  # the quick one must not be behind
                await asyncio.sleep(0.01)
        # One request is with it, five wait, all others are left out.
        assert worker.unscored("two") == 2 * (20 - 1 - 5)
        hanging.let.set()
        while worker.live() < 2 * 20 + 2 * 6:
            await asyncio.sleep(0.01)

    found = answers(Worker(tmp_path, Adder("one"), hanging, quick).run(drive))
    assert sum("two" in dict(one.others) for one in found.values()) == 12
    assert all("slow" in dict(one.others) for one in found.values())


def test_a_quick_shadow_scores_in_the_loops_thread_in_turns_with_requests(tmp_path: Path) -> None:
    shadow = Held("two")
    shadow.let.set()

    async def drive(worker: Worker) -> None:
        for number in range(1, 7):
            worker.ask()
            await worker.answered()
            while worker.live() < 2 * number:
                await asyncio.sleep(0.01)

    Worker(tmp_path, Adder("one"), shadow).run(drive)
    assert [name == threading.current_thread().name for name in shadow.threads] == [False, *[True] * 5]


@pytest.mark.parametrize("wrong", ["blind", "brief", "fragile"])
def test_a_shadow_that_breaks_is_counted_and_nothing_else(tmp_path: Path, wrong: str) -> None:
    async def drive(worker: Worker) -> None:
        rows = 20  # the fragile one breaks on 13
        for number in range(1, 4):
            asked = worker.ask(rows)
            await worker.answered()
            assert answered_by(asked) == ["one"] * rows
            while worker.unscored(wrong) < rows * number:
                await asyncio.sleep(0.01)

    found = answers(Worker(tmp_path, Adder("one"), Adder(wrong)).run(drive))
    assert all(one.others == () for one in found.values())


def test_what_is_not_finite_is_no_evidence(tmp_path: Path) -> None:
    async def drive(worker: Worker) -> None:
        worker.ask(3)
        await worker.answered()
        while worker.live() < 2:
            await asyncio.sleep(0.01)
        assert worker.unscored("two") == 1

    found = answers(Worker(tmp_path, Adder("one"), Wild("two")).run(drive))
    assert [len(one.others) for one in found.values()] == [0, 1, 1]


def test_a_full_disk_costs_what_a_shadow_says_and_no_answer(tmp_path: Path) -> None:
    async def drive(worker: Worker) -> None:
        worker.refusing = True
        worker.ask()
        await worker.answered()
        while worker.unscored("two") < 2:
            await asyncio.sleep(0.01)
        worker.refusing = False
        worker.ask()
        await worker.answered()
        while worker.live() < 2:
            await asyncio.sleep(0.01)

    found = answers(Worker(tmp_path, Adder("one"), Adder("two")).run(drive))
    assert [len(one.others) for one in found.values()] == [0, 0, 1, 1]


def test_a_canary_is_scored_before_and_a_shadow_after(tmp_path: Path) -> None:
    async def drive(worker: Worker) -> None:
        worker.ask(20)
        await worker.answered()
        while worker.live() < 20:
            await asyncio.sleep(0.01)

    worker = Worker(tmp_path, Adder("one"), Adder("slow"), canary=Adder("two"))
    records = worker.run(drive)
    assert {one.release for one in records if one.generation > 0} == {"one", "two"}
    assert {one.release for one in records if one.generation < 0} == {"slow"}
    for one in answers(records).values():
        assert {one.release, *dict(one.others)} == {"one", "two", "slow"}


def test_when_the_route_changes_what_waits_for_a_shadow_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    gone = Held("two")

    async def drive(worker: Worker) -> None:
        for _ in range(3):
            worker.ask()
            await worker.answered()
        worker.serving = Serving(Route(SYSTEM, "one", (), 8), (Adder("one"),))
        worker.ask()
        await worker.answered()
        gone.let.set()
        await asyncio.sleep(0.1)

    found: Any = Worker(tmp_path, Adder("one"), gone).run(drive)
    assert len(gone.threads) == 1
    assert sum(one.generation < 0 for one in found) <= 2
