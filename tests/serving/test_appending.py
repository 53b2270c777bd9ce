"""Appends that wait together are written together, and none is lost between the loop and the thread."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from threading import Event

import pytest

from trimtab.kernel.errors import RequestInvalid, TrimtabError
from trimtab.ports.streams import Accepted, Append
from trimtab.serving.appending import WAITING_BYTES, Appending


class HeldStreams:
    """Accepts everything, in groups, as soon as the test lets it."""

    def __init__(self) -> None:
        self.groups: list[list[Append]] = []
        self.go_on = Event()
        self.tidied = 0

    def append(self, requests: Sequence[Append]) -> list[Accepted | TrimtabError]:
        assert self.go_on.wait(10)
        self.groups.append(list(requests))
        if any(one.source == "broken" for one in requests):
            raise OSError("the store is broken")
        refused = RequestInvalid("no rows")
        return [refused if not one.body else Accepted(len(one.body), 7) for one in requests]

    def tidy(self) -> None:
        self.tidied += 1
        if self.tidied == 1:
            raise OSError("cannot tidy")


def test_what_waits_is_one_write_and_each_gets_its_own_answer() -> None:
    streams = HeldStreams()

    async def run() -> None:
        appending = Appending(streams)
        asked = [asyncio.create_task(appending.append(Append("s", b"x" * (n % 3)))) for n in range(151)]
        await asyncio.sleep(0.05)
        streams.go_on.set()
        for number, found in enumerate(await asyncio.gather(*asked)):
            if number % 3:
                assert found == Accepted(number % 3, 7)
            else:
                assert isinstance(found, RequestInvalid)
        # A failure to tidy costs nobody an answer, and the next request is written.
        assert await appending.append(Append("s", b"last")) == Accepted(4, 7)
        await appending.close()

    asyncio.run(run())
    assert [len(one) for one in streams.groups] == [64, 64, 23, 1]
    assert streams.tidied == 4


def test_large_requests_are_written_in_smaller_groups_and_too_many_are_told_to_wait() -> None:
    streams = HeldStreams()

    async def run() -> None:
        appending = Appending(streams)
        body = bytes(3 << 20)
        asked = []
        while not appending.full:
            asked.append(asyncio.create_task(appending.append(Append("s", body))))
            await asyncio.sleep(0)
        assert len(asked) - 2 <= WAITING_BYTES // len(body) + 1
        streams.go_on.set()
        await asyncio.gather(*asked)
        assert not appending.full

    asyncio.run(run())
    assert max(len(one) for one in streams.groups) == 2


def test_an_unforeseen_error_is_told_to_those_it_concerns() -> None:
    streams = HeldStreams()
    streams.go_on.set()

    async def run() -> None:
        appending = Appending(streams)
        with pytest.raises(OSError, match="the store is broken"):
            await appending.append(Append("broken", b"x"))
        assert await appending.append(Append("s", b"x")) == Accepted(1, 7)

    asyncio.run(run())


def test_rows_of_a_client_that_went_away_are_written() -> None:
    streams = HeldStreams()

    async def run() -> None:
        appending = Appending(streams)
        gone = asyncio.create_task(appending.append(Append("s", b"x")))
        await asyncio.sleep(0.05)
        gone.cancel()
        with suppress(asyncio.CancelledError):
            await gone
        streams.go_on.set()
        await appending.close()

    asyncio.run(run())
    assert streams.groups == [[Append("s", b"x")]]
