"""Connections to one worker in this process: what a read of the socket is answered with, turn by turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import uvicorn
from tests.serving.client import PREDICT
from tests.serving.releases import SYSTEM, Adder
from uvicorn.server import ServerState

from trimtab.adapters.clock_system import SystemClock
from trimtab.adapters.key_board_file import FileKeyFollower
from trimtab.kernel.route import Route
from trimtab.serving.access import Access
from trimtab.serving.answering import Answering
from trimtab.serving.http_protocol import DataPlaneProtocol
from trimtab.serving.known_heads import KnownHeads
from trimtab.serving.limits import Limits
from trimtab.serving.log_writer import LogPolicy, LogWriter
from trimtab.serving.metrics import Metrics
from trimtab.serving.predicting import Predicting
from trimtab.serving.protocols.native_json import NativeJson
from trimtab.serving.released import Serving
from trimtab.serving.segment_folder import SegmentFolder
from trimtab.serving.worker import Worker

Told: TypeAlias = tuple[int, dict[str, str], Any]  # status, headers but for the date, body but for ids

BODY = b'{"instances": [{"row": "k", "x": 1.0}]}'


def request(body: bytes = BODY, lines: str = "", *, start: str = f"POST {PREDICT} HTTP/1.1") -> bytes:
    return f"{start}\r\nHost: t\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body


def asking(x: float) -> bytes:
    return b'{"instances": [{"row": "k", "x": %.1f}]}' % x


class Line(asyncio.Transport):
    """A connection whose other end takes everything at once."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closing = self.paused = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closing
        self.written += data

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    abort = close

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def get_write_buffer_size(self) -> int:
        return 0


class Connection(DataPlaneProtocol):
    """That counts the requests it parses."""

    parsed = 0
    line: Line

    def on_message_begin(self) -> None:
        self.parsed += 1
        super().on_message_begin()

    async def read(self, *parts: bytes) -> list[Told]:
        """The answers to what was read."""
        for part in parts:
            self.data_received(part)
        for _ in range(40):  # turns of the loop; nothing of it is done in threads
            await asyncio.sleep(0)
        data, self.line.written = self.line.written, b""
        return answers(data)


def answers(data: bytes) -> list[Told]:
    found = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        headers.pop("date", None)
        length = int(headers.pop("content-length", "0"))
        assert length <= len(data), "an answer is not whole"
        body = msgspec.json.decode(data[:length]) if length else None
        for one in body.get("predictions", ()) if body else ():
            one.pop("id")
        found.append((int(status.split()[1]), headers, body))
        data = data[length:]
    return found


class OneRoute:
    """In place of `Released`: one route for ever, and a count of those who answer under it."""

    def __init__(self) -> None:
        self.serving = Serving(Route(SYSTEM, "one", (), 1), (Adder("one"),))

    def enter(self) -> Serving:
        self.serving.open += 1
        return self.serving

    def leave(self, serving: Serving) -> None:
        serving.open -= 1


class Served:
    """One worker, and its connections."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.heads = worker.known_heads
        self._config = uvicorn.Config(
            worker, interface="asgi3", lifespan="off", log_config=None, ws="none", proxy_headers=False
        )
        self._config.load()
        self._state = ServerState()
        self._state.default_headers = [(b"date", b"today")]

    def connect(self, kind: type[Connection] = Connection) -> Connection:
        made = kind(self._config, self._state, {})
        made.line = Line()
        made.connection_made(made.line)
        return made


@asynccontextmanager
async def served(
    folder: Path, *, heads: KnownHeads | None = None, keys: Path | None = None, limits: Limits | None = None
) -> AsyncIterator[Served]:
    log = LogWriter(SegmentFolder(folder), system=SYSTEM, worker=0, policy=LogPolicy(), report=lambda _: None)
    worker = worker_of(log, OneRoute(), limits or Limits(body_bytes=5000), keys)
    if heads is not None:
        worker.known_heads = heads
    yield Served(worker)
    await log.close()


def worker_of(log: LogWriter, route: OneRoute, limits: Limits, keys: Path | None = None) -> Worker:
    """A worker that answers under one route for ever."""
    metrics = Metrics()
    predicting = Predicting(
        SYSTEM,
        released=route,  # type: ignore[arg-type]
        answering=Answering(SYSTEM, log=log, clock=SystemClock(), metrics=metrics, mode="now"),
        metrics=metrics,
        limits=limits,
    )
    follower = None if keys is None else FileKeyFollower(keys)
    return Worker(
        SYSTEM,
        released=route,  # type: ignore[arg-type]
        predicting=predicting,
        metrics=metrics,
        exposed=lambda: b"",
        limits=limits,
        wires=[NativeJson(SYSTEM)],
        access=Access(follower, clock=SystemClock(), report=lambda _: None),
    )


def drive(folder: Path, ask: Callable[[Served], Coroutine[Any, Any, None]], **options: Any) -> None:
    async def run() -> None:
        async with served(folder, **options) as server:
            await ask(server)

    asyncio.run(run())


def score(found: list[Told]) -> list[float]:
    assert [status for status, _, _ in found] == [200] * len(found), found
    return [body["predictions"][0]["score"] for _, _, body in found]
