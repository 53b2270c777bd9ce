"""A real Redis or Valkey server for tests, in a temporary folder, on a free port."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import redis

_START_S = 30.0


def find_program() -> str | None:
    """The server's program."""
    return shutil.which("redis-server") or shutil.which("valkey-server")


class RedisServer:
    """One server without a disk: what it holds is lost when it stops."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._made = 0
        self.folder = Path(tempfile.mkdtemp(prefix="trimtab-redis-"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def new_prefix(self) -> bytes:
        """A prefix that no other test has."""
        self._made += 1
        return f"test{self._made}:".encode()

    def command(self, *words: str | bytes) -> object:
        """What the server says to a command."""
        with redis.Redis(port=self.port) as client:
            return client.execute_command(*words)

    def start(self) -> None:
        """Empty."""
        settings = {"bind": "127.0.0.1", "port": str(self.port), "save": "", "appendonly": "no"}
        words = [word for name, value in settings.items() for word in (f"--{name}", value)]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig=INT", "--", self._program, *words], stdout=log, stderr=log, cwd=self.folder
            )
        deadline_s = time.monotonic() + _START_S
        while True:
            try:
                self.command("PING")
                return
            except redis.ConnectionError:
                if self._process.poll() is not None or time.monotonic() > deadline_s:
                    raise RuntimeError((self.folder / "server.log").read_text()) from None
                time.sleep(0.02)

    def signal(self, number: int) -> None:
        """E.g. stop it for a while."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """At once, as a crash does."""
        self._process.kill()
        self._process.wait(timeout=_START_S)

    def stop(self) -> None:
        """End the server and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder)
