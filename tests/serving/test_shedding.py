"""More requests than a worker can answer, and a disk that does not take records in time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.serving.connections import OneRoute, worker_of
from tests.serving.releases import SYSTEM

from trimtab.serving.asgi import headers_of
from trimtab.serving.limits import Limits
from trimtab.serving.log_writer import LogPolicy, LogWriter, Then
from trimtab.serving.problem import Problem
from trimtab.serving.record import Record
from trimtab.serving.segment_folder import SegmentFolder

BODY = json.dumps({"instances": [{"row": "k", "x": 1.0}]}).encode()


class HeldLog(LogWriter):
    """A log whose disk takes its time."""

    held: list[Callable[[], None]]

    def take(self, records: Sequence[Record], then: Then) -> list[str]:
        return super().take(records, lambda refused: self.held.append(lambda: then(refused)))


def test_what_waits_is_bounded_in_number_and_in_time(tmp_path: Path) -> None:
    async def drive() -> None:
        log = HeldLog(SegmentFolder(tmp_path), system=SYSTEM, worker=0, policy=LogPolicy(), report=lambda _: None)
        log.held = []
        route = OneRoute()
        worker = worker_of(log, route, Limits(waiting=3, answer_s=0.1))
        told: list[list[Problem | bytes]] = [[] for _ in range(6)]
        for replies in told[:5]:
            worker.predict_short(BODY, [], replies.append)
        await asyncio.sleep(0.01)
        assert [len(replies) for replies in told] == [0, 0, 0, 1, 1, 0]
        shed = told[3][0]
        assert isinstance(shed, Problem)
        assert (shed.status, headers_of(shed)) == (429, [(b"retry-after", b"1")])

        await asyncio.sleep(0.15)
        worker.turn()
        late = told[0][0]
        assert isinstance(late, Problem)
        assert (late.status, headers_of(late)) == (503, [(b"retry-after", b"1")])
        assert [len(replies) for replies in told] == [1, 1, 1, 1, 1, 0]
        assert route.serving.open == 3  # the route is not left before its records are written

        worker.predict_short(BODY, [], told[5].append)  # there is room again
        await asyncio.sleep(0.01)
        for go_on in log.held:
            go_on()
        assert [len(replies) for replies in told] == [1] * 6  # nobody is told twice
        assert isinstance(told[5][0], bytes)
        assert route.serving.open == 0
        await log.close()

    asyncio.run(drive())
