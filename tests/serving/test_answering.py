"""Requests of one turn of the event loop are answered together, and as if each had come alone."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.serving.releases import SUMMANDS, SYSTEM, Adder
from tests.serving.ticket import Asked

from trimtab.adapters.clock_system import SystemClock
from trimtab.kernel.canonical import JsonMap
from trimtab.kernel.errors import LogUnwritable, RequestInvalid
from trimtab.kernel.prediction import Prediction
from trimtab.kernel.route import Canary, Route
from trimtab.ports.feature_reader import FeatureBlock
from trimtab.serving import gathering
from trimtab.serving.answer import Answer
from trimtab.serving.answering import Answering
from trimtab.serving.log_writer import LogPolicy, LogWriter
from trimtab.serving.metrics import Metrics
from trimtab.serving.released import Serving
from trimtab.serving.rows import ClockMode
from trimtab.serving.segment import LIVE, read_segment
from trimtab.serving.segment_folder import SegmentFolder

CANARY = Canary("two", 3_000, "salt")


class Counted(Adder):
    """Says how many rows came at a time; breaks on 13."""

    def __init__(self, digest: str) -> None:
        super().__init__(digest)
        self.calls: list[int] = []

    def look_up(self, rows: Sequence[JsonMap], at_us: Sequence[int]) -> FeatureBlock:
        self.calls.append(len(rows))
        return super().look_up(rows, at_us)

    def score(self, block: FeatureBlock) -> list[float]:
        if any(values[0] == 13.0 for values in block.values):
            raise ValueError("a model that breaks")
        return super().score(block)


def serving(*releases: str, generation: int = 1, canary: Canary | None = None) -> Serving:
    route = Route(SYSTEM, releases[0], (), generation, canary)
    return Serving(route, tuple(Counted(one) for one in releases))


def answer_all(
    folder: Path, turns: Sequence[Sequence[Asked]], *, mode: ClockMode = "request", **policy: Any
) -> list[Prediction]:
    """Submit the requests of each turn together; the records that stand in the log at the end."""

    async def drive() -> None:
        log = LogWriter(
            SegmentFolder(folder), system=SYSTEM, worker=0, policy=LogPolicy(**policy), report=lambda _: None
        )
        answering = Answering(SYSTEM, log=log, clock=SystemClock(), metrics=Metrics(), mode=mode)
        for requests in turns:
            for one in requests:
                answering.submit(one)
            while not all(one.outcomes for one in requests):
                await asyncio.sleep(0)

    asyncio.run(drive())
    found = [read_segment(path) for path in SegmentFolder(folder).files(LIVE)]
    return [one for segment in found if segment is not None for one in segment.predictions()]


rows = st.lists(
    st.fixed_dictionaries(
        {"row": st.sampled_from(["a", "b", "c", "d"]) | st.just(""), "x": st.sampled_from([1.0, 2.0, 13.0, "no"])}
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=150, deadline=None)
@given(requests=st.lists(rows, min_size=1, max_size=6), canaried=st.booleans())
def test_together_as_if_each_had_come_alone(
    tmp_path_factory: Any, requests: list[list[dict[str, Any]]], canaried: bool
) -> None:
    def asked() -> list[Asked]:
        route = serving("one", "two", canary=CANARY) if canaried else serving("one")
        return [Asked(one, route) for one in requests]

    together, alone = asked(), asked()
    records = answer_all(tmp_path_factory.mktemp("together"), [together])
    answer_all(tmp_path_factory.mktemp("alone"), [[one] for one in alone])
    acknowledged = []
    for one, other in zip(together, alone, strict=True):
        a, b = one.outcome, other.outcome
        if isinstance(a, Answer):
            assert isinstance(b, Answer)
            assert [(p.key, p.release, p.score) for p in a.predictions] == [
                (p.key, p.release, p.score) for p in b.predictions
            ]
            acknowledged += [(p.id, p.key, p.release, p.score) for p in a.predictions]
        else:
            assert (type(a), str(a)) == (type(b), str(b))
    recorded = [(one.id, one.key, one.release, one.score) for one in records]
    assert Counter(recorded) == Counter(acknowledged)  # each once, under its own id, and nothing else


def test_one_look_up_and_one_call_for_all_of_a_turn(tmp_path: Path) -> None:
    route = serving("one")
    requests = [Asked([{"row": str(n), "x": float(n)}], route) for n in range(10)]
    records = answer_all(tmp_path, [requests])
    [release] = route.releases
    assert isinstance(release, Counted)
    assert release.calls == [10]
    assert [one.score for one in records] == [n + SUMMANDS["one"] for n in range(10)]


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a turn takes here."""
    monkeypatch.setattr(gathering, "_GATHER_S", 60.0)


def left_after(folder: Path, turns: list[list[Asked]]) -> list[int]:
    """How many answers had left after each turn in which these requests came."""

    async def drive() -> list[int]:
        log = LogWriter(SegmentFolder(folder), system=SYSTEM, worker=0, policy=LogPolicy(), report=lambda _: None)
        answering = Answering(SYSTEM, log=log, clock=SystemClock(), metrics=Metrics(), mode="now")
        left = []
        for requests in turns:
            for one in requests:
                answering.submit(one)
            await asyncio.sleep(0)
            left.append(sum(len(one.outcomes) for some in turns for one in some))
        await log.close()
        return left

    return asyncio.run(drive())


def test_answers_leave_in_the_turn_in_which_they_are_made(tmp_path: Path) -> None:
    """Else the next turn begins with one half of the clients, and all that a turn costs is paid twice."""
    requests = [Asked([{"row": "k", "x": 1.0}], serving("one")) for _ in range(3)]
    assert left_after(tmp_path, [requests, []]) == [0, 3]


@pytest.mark.usefixtures("patient")
def test_as_long_as_each_turn_brings_more_requests_they_are_answered_together(tmp_path: Path) -> None:
    route = serving("one")
    few, more, late = ([Asked([{"row": "k", "x": 1.0}], route) for _ in range(size)] for size in (2, 5, 1))
    assert left_after(tmp_path, [few, more, [], late, []]) == [0, 0, 7, 7, 8]
    [release] = route.releases
    assert isinstance(release, Counted)
    assert release.calls == [7, 1]


def test_where_turns_take_long_nobody_waits_for_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "_GATHER_S", 0.0)
    turns = [[Asked([{"row": "k", "x": 1.0}], serving("one"))] for _ in range(4)]
    assert left_after(tmp_path, turns) == [0, 2, 2, 4]


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("rows", [1, 60])
def test_requests_that_come_without_end_are_answered_when_they_are_enough(tmp_path: Path, rows: int) -> None:
    """Their rows count, not they."""
    route = serving("one")
    turns = [[Asked([{"row": "k", "x": 1.0}] * rows, route) for _ in range(120 // rows)] for _ in range(4)]
    assert left_after(tmp_path, turns) == [0, 0, 360 // rows, 360 // rows]


def test_requests_under_two_routes_are_not_mixed(tmp_path: Path) -> None:
    old, new = serving("one"), serving("two", generation=2)
    requests = [Asked([{"row": "k", "x": 1.0}], route) for route in (old, old, new, new, old)]
    records = answer_all(tmp_path, [requests])
    assert [(one.release, one.generation) for one in records] == [
        ("one", 1),
        ("one", 1),
        ("two", 2),
        ("two", 2),
        ("one", 1),
    ]


def test_a_batch_is_bounded_and_a_request_is_never_divided(tmp_path: Path) -> None:
    """One of many rows is answered at once, before those that wait for the end of the turn."""
    route = serving("one")
    sizes = [60, 200, 50, 63, 63, 20, 1, 300]
    requests = [Asked([{"row": f"{n}", "x": 1.0} for n in range(size)], route) for size in sizes]
    answer_all(tmp_path, [requests])
    [release] = route.releases
    assert isinstance(release, Counted)
    assert release.calls == [200, 300, 256, 1]


def test_one_wrong_row_fails_its_own_request(tmp_path: Path) -> None:
    route = serving("one")
    good, bad, broken = (Asked([{"row": "k", "x": x}], route) for x in (1.0, "no", 13.0))
    records = answer_all(tmp_path, [[good, bad, broken]])
    assert isinstance(good.outcome, Answer)
    assert isinstance(bad.outcome, RequestInvalid)
    assert isinstance(broken.outcome, ValueError)
    assert len(records) == 1


def test_what_the_disk_does_not_take_is_answered_to_all(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    requests = [Asked([{"row": "k", "x": 1.0}], serving("one")) for _ in range(3)]

    async def drive() -> None:
        log = LogWriter(SegmentFolder(folder), system=SYSTEM, worker=0, policy=LogPolicy(), report=lambda _: None)
        folder.rename(tmp_path / "gone")
        answering = Answering(SYSTEM, log=log, clock=SystemClock(), metrics=Metrics(), mode="now")
        for one in requests:
            answering.submit(one)
        while not all(one.outcomes for one in requests):
            await asyncio.sleep(0)

    asyncio.run(drive())
    assert [type(one.outcome) for one in requests] == [LogUnwritable] * 3
