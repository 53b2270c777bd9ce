"""A command in a process of its own, that can be watched and killed."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LEAN = Path(__file__).parent / "lean"
WITHIN_S = 240.0


def environment() -> dict[str, str]:
    """Of started processes: without what users have not installed, and with lines that are not folded."""
    return {**os.environ, "PYTHONPATH": str(LEAN), "COLUMNS": "200"}


def trimtab(*arguments: str) -> list[str]:
    """The command as the package installs it."""
    return [str(Path(sys.executable).with_name("trimtab")), *arguments]


def python(module: str, *arguments: object) -> list[str]:
    """A module of these tests."""
    return [sys.executable, "-m", f"tests.e2e.{module}", *map(str, arguments)]


def workers(folder: Path) -> list[int]:
    """Process ids of a project's workers, whoever has started them."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"trimtab.cli.worker" in words and str(folder).encode() in words:
            found.append(int(entry.name))
    return found


class Fork:
    """A call in a fork of a process that has imported everything: what starts often shall start quickly."""

    def __init__(
        self, call: Callable[..., None], arguments: tuple[object, ...], log: Path, **settings: str
    ) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tests.e2e.stopping"])
        self._process = context.Process(target=_forked, args=(call, arguments, str(log), settings))
        self._process.start()

    def poll(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def wait(self, timeout: float | None = None) -> int | None:
        self._process.join(timeout)
        return self._process.exitcode


def _forked(call: Callable[..., None], arguments: tuple[object, ...], log: str, settings: dict[str, str]) -> None:
    file = os.open(log, os.O_WRONLY | os.O_APPEND)
    for number in (1, 2):
        os.dup2(file, number)
    os.environ.update(environment() | settings)
    call(*arguments)


class Living:
    """A process from its start to its end; what it says goes to a file beside the project."""

    def __init__(
        self,
        command: list[str] | Callable[..., None],
        folder: Path,
        *arguments: object,
        cwd: Path = ROOT,
        **settings: str,
    ) -> None:
        """Start a command line, or a fork with a function of the tests and its arguments."""
        self._folder = folder
        self._log = folder.with_suffix(".log")
        self._log.touch()
        self._from = self._log.stat().st_size
        self.process: Fork | subprocess.Popen[bytes]
        if callable(command):
            self.process = Fork(command, arguments, self._log, **settings)
        else:
            with self._log.open("ab") as log:
                env = environment() | settings
                self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=cwd, env=env)

    def said(self) -> str:
        """Since this process started."""
        with self._log.open("rb") as file:
            file.seek(self._from)
            return file.read().decode(errors="replace")

    def reaches(self, *texts: str) -> bool:
        """Wait until it says one of these; False if it ends without."""
        until_s = time.monotonic() + WITHIN_S
        while not any(text in self.said() for text in texts):
            if self.process.poll() is not None:
                return any(text in self.said() for text in texts)
            assert time.monotonic() < until_s, f"never said {texts}:\n{self.said()}"
            time.sleep(0.005)
        return True

    def kill(self) -> bool:
        """`kill -9` of this process alone; its workers must end by themselves. False if it had ended before."""
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        killed = self.process.wait() == -signal.SIGKILL
        wait_until_gone(self._folder)
        return killed

    def ends(self, within_s: float = WITHIN_S) -> str:
        """Wait for its good end; what it said."""
        assert self.process.wait(within_s) == 0, self.said()
        return self.said()


def wait_until_gone(folder: Path) -> None:
    """Wait for the workers of a killed supervisor."""
    until_s = time.monotonic() + 60.0
    while left := workers(folder):
        assert time.monotonic() < until_s, f"workers {left} outlive their supervisor"
        time.sleep(0.02)


def figures_of(json_file: Path) -> dict[str, Any]:
    """What a life wrote, but for the time that it took."""
    found: dict[str, Any] = json.loads(json_file.read_text())
    found.pop("wall_s", None)
    return found
