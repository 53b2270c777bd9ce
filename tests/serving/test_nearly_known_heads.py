"""Bytes that are nearly a known head are answered as by a worker that parses every request, each read at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.serving.client import PREDICT
from tests.serving.connections import BODY, Connection, Served, asking, request, served

from trimtab.serving.known_heads import KnownHeads

ADDRESS = PREDICT.encode()


class Forgetful(KnownHeads):
    """Knows no head."""

    def learn(self, head: bytes, headers: Sequence[tuple[bytes, bytes]], body_bytes: int) -> None:
        pass


class Hasty(Connection):
    """Reads what comes when it comes."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._held.let_go()


BITS = [
    *(b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"\x00", b"\xff", b",", b"0", b"9", b"a", b"\r\n\r\n", b"\r\n "),
    *(b"transfer-encoding: chunked\r\n", b"content-length: 3\r\n", b"connection: close\r\n", b"X-Y: z\r\n"),
    *(b"expect: 100-continue\r\n", b"connection: upgrade\r\nupgrade: websocket\r\n", b"0\r\n\r\n"),
    *(b"GET /healthz HTTP/1.1\r\n\r\n", request(), request()[:40]),
]


@st.composite
def reads(draw: st.DrawFn) -> list[bytes]:
    """Requests that are known or nearly so, in reads."""
    data, ends = b"", [0]
    for _ in range(draw(st.integers(1, 3))):
        one = request(draw(st.sampled_from([BODY, asking(22), b"", b"{}", b"x" * 6000])))
        for _ in range(draw(st.integers(0, 2))):
            lines = one.find(b"\r\n") + 2  # where a new header stands well
            place = draw(st.one_of(st.just(lines), st.integers(0, one.find(b"\r\n\r\n") + 6)))
            width = draw(st.integers(0, 2))
            one = one[:place] + draw(st.sampled_from([b"", *BITS])) + one[place + width :]
        data += one
        ends.append(len(data))
    places = st.one_of(st.sampled_from(ends), st.integers(0, len(data)))
    cuts = sorted(draw(st.sets(places, min_size=2, max_size=5)))  # the last read may lack an end
    return [data[start:end] for start, end in pairwise([0, *cuts]) if start < end]


def test_near_a_known_head_all_is_answered_as_by_the_parser(tmp_path: Path) -> None:
    parsed = {"knowing": 0, "forgetful": 0}

    async def ask(knowing: Served, forgetful: Served, parts: list[bytes], at_once: bool) -> None:
        told = []
        for name, server in (("knowing", knowing), ("forgetful", forgetful)):
            client = server.connect()
            found = [await client.read(request())]
            for _ in range(2):  # what is learned the first time is known the second time
                found += [await client.read(*some) for some in ([parts] if at_once else [[part] for part in parts])]
                found += [await client.read(request())]
            client._held.let_go()
            found += [await client.read()]
            told.append((found, client.line.closing, client.line.paused, client._kept_bytes))
            parsed[name] += client.parsed
            client.connection_lost(None)
        assert told[0] == told[1]
        hasty = forgetful.connect(Hasty)
        sent = [request(), *([*parts, request()] * 2)]
        at_read = [one for part in sent for one in await hasty.read(part)]
        held = [one for some in told[0][0] for one in some]
        assert hasty.line.closing == told[0][1]
        # What is no HTTP overtakes what has no answer yet, and nothing is answered behind it.
        assert at_read[-1:] == held[-1:] if hasty.line.closing else at_read == held
        hasty.connection_lost(None)

    with asyncio.Runner() as runner:
        knowing, forgetful = served(tmp_path / "a"), served(tmp_path / "b", heads=Forgetful(ADDRESS))
        servers = [runner.run(one.__aenter__()) for one in (knowing, forgetful)]

        @settings(max_examples=600, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(reads(), st.booleans())
        def alike(parts: list[bytes], at_once: bool) -> None:
            runner.run(ask(servers[0], servers[1], parts, at_once))

        alike()
        for one in (knowing, forgetful):
            runner.run(one.__aexit__(None, None, None))
    assert 0 < parsed["knowing"] < 0.8 * parsed["forgetful"]
