"""A server process with its workers, and a keep-alive client that knows only what HTTP says."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec
from tests.serving.releases import SYSTEM

from trimtab.adapters.route_board_mmap import MmapRouteBoard
from trimtab.kernel.route import Canary, Route

PREDICT = f"/v1/systems/{SYSTEM}/predict"


class ServerProcess:
    """`supervisor_main` in a folder of its own."""

    def __init__(
        self,
        folder: Path,
        *,
        workers: int = 2,
        clock: Literal["now", "request"] = "now",
        mode: Literal["write", "fsync"] = "write",
        env: dict[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.wal = folder / "wal"
        self.board = MmapRouteBoard(folder / "board")
        self.port = 0
        self._arguments = [str(workers), clock, mode]
        self._env = env
        self.routes: dict[int, Route] = {}  # that were published, by generation
        self._process: subprocess.Popen[str] | None = None
        self.start()

    def start(self) -> None:
        """Start, and wait until it listens: on the same port as before, if there was one."""
        arguments = [str(self.folder), *self._arguments, str(self.port)]
        with (self.folder / "supervisor.log").open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.serving.supervisor_main", *arguments],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=self._env,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self.said()
        self.port = int(line)

    def publish(
        self,
        champion: str,
        *warm: str,
        canary: Canary | None = None,
        shadows: tuple[str, ...] = (),
        previous: str = "",
    ) -> int:
        """Put a route in force; returns its generation."""
        generation = len(self.routes) + 1
        self.routes[generation] = Route(SYSTEM, champion, warm, generation, canary, shadows, previous)
        self.board.publish(self.routes[generation])
        return generation

    def ready(
        self,
        champion: str,
        *warm: str,
        canary: Canary | None = None,
        shadows: tuple[str, ...] = (),
        previous: str = "",
    ) -> int:
        """Publish a route, and wait until all workers follow it."""
        generation = self.publish(champion, *warm, canary=canary, shadows=shadows, previous=previous)
        until_s = time.monotonic() + 10.0
        while len(self.board.workers()) < int(self._arguments[0]) or self.board.silent(generation, within_s=0):
            assert time.monotonic() < until_s, self.said()
            time.sleep(0.01)
        return generation

    def said(self) -> str:
        """Everything that the supervisor and its workers reported."""
        return "".join(path.read_text() for path in [self.folder / "supervisor.log", *self.folder.glob("logs/*")])

    def kill(self) -> None:
        """As a power cut would, but for the workers."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """In order; all segments are sealed then."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        self._process.wait(20)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None


class Client:
    """One keep-alive connection; makes a new one after any trouble."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, data: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send raw bytes; status, headers and body of one answer.

        Raises:
            OSError, EOFError: the connection broke before the answer was whole.
        """
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = self._streams
            writer.write(data)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status_line, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = await reader.readexactly(int(headers["content-length"]))
        except (OSError, EOFError):
            self.close()
            raise
        if headers.get("connection") == "close":
            self.close()
        return int(status_line.split()[1]), headers, body

    async def post(self, content: Any, path: str = PREDICT, **headers: str) -> tuple[int, Any]:
        """POST something as JSON; status and decoded body."""
        body = content if isinstance(content, bytes) else msgspec.json.encode(content)
        told = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        head = f"POST {path} HTTP/1.1\r\nhost: test\r\n{told}content-length: {len(body)}\r\n\r\n"
        status, _, answer = await self.send(head.encode() + body)
        return status, msgspec.json.decode(answer)

    async def get(self, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        """Any method without a body."""
        return await self.send(f"{method} {path} HTTP/1.1\r\nhost: test\r\n\r\n".encode())

    def close(self) -> None:
        """Drop the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def until(true: Callable[[], bool], *, within_s: float = 10.0) -> None:
    """Wait for something; an assertion fails if it does not come."""
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.01)
