"""A command in a process of its own, that can be watched and killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
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


class Living:
    """The process, from its start to its end; what it says goes to a file beside the project."""

    def __init__(self, command: list[str], folder: Path, cwd: Path = ROOT, **settings: str) -> None:
        self._folder = folder
        self._log = folder.with_suffix(".log")
        self._from = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=cwd, env={**environment(), **settings}
            )

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

    def kill(self) -> None:
        """`kill -9` of this process alone; its workers must end by themselves."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        wait_until_gone(self._folder)

    def ends(self) -> str:
        """Wait for its good end; what it said."""
        assert self.process.wait(WITHIN_S) == 0, self.said()
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
