"""One log file for each call of a step: its logging records and what it prints, and nobody else's.

Which file is meant is a context variable, so calls that run in parallel stay apart. A thread that a step
starts itself does not inherit it: what such a thread prints goes to the terminal.
"""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TextIO

_FORMAT = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")


class StepLog:
    """A log file that is made when the first line is written; a late write to a closed log is dropped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: TextIO | None = None
        self._closed = False
        self._lock = threading.Lock()

    def write(self, text: str) -> None:
        """Append text; on disk at once, so that a killed process leaves what it had said."""
        with self._lock:
            if self._closed:
                return
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.path.open("a", encoding="utf-8")
            self._file.write(text)
            self._file.flush()

    def close(self) -> None:
        """End the log: an attempt that outlives its time-out says no more."""
        with self._lock:
            self._closed = True
            if self._file is not None:
                self._file.close()


current_log: ContextVar[StepLog | None] = ContextVar("current_log", default=None)


class _Records(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        log = current_log.get()
        if log is not None:
            log.write(_FORMAT.format(record) + "\n")
        elif logging.root.handlers == [self] and logging.lastResort and record.levelno >= logging.lastResort.level:
            # Being on the root logger must not silence warnings of a program that configured no logging.
            logging.lastResort.handle(record)


class _Printed(io.TextIOBase):
    def __init__(self, terminal: TextIO) -> None:
        self.terminal = terminal

    def write(self, text: str) -> int:
        log = current_log.get()
        if log is None:
            return self.terminal.write(text)
        log.write(text)
        return len(text)

    def flush(self) -> None:
        self.terminal.flush()

    def isatty(self) -> bool:
        return current_log.get() is None and self.terminal.isatty()

    def fileno(self) -> int:
        return self.terminal.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.terminal.encoding


class _Capture:
    """Counts the runs under way; the first one takes over logging and stdout, the last one gives them back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs = 0
        self._records = _Records()
        self._printed = _Printed(sys.stdout)
        self._root_level = logging.WARNING
        self._raised: list[logging.Handler] = []

    def enter(self) -> None:
        with self._lock:
            self._runs += 1
            if self._runs > 1:
                return
            root = logging.root
            self._root_level = root.level
            # Steps may log at INFO; the program's own handlers keep the threshold they had through the root.
            self._raised = [handler for handler in root.handlers if handler.level < root.level]
            for handler in self._raised:
                handler.setLevel(root.level)
            root.setLevel(min(root.level, logging.INFO))
            root.addHandler(self._records)
            self._printed = _Printed(sys.stdout)
            sys.stdout = self._printed

    def leave(self) -> None:
        with self._lock:
            self._runs -= 1
            if self._runs:
                return
            logging.root.removeHandler(self._records)
            logging.root.setLevel(self._root_level)
            for handler in self._raised:
                handler.setLevel(logging.NOTSET)
            if sys.stdout is self._printed:
                sys.stdout = self._printed.terminal


_capture = _Capture()


@contextmanager
def captured() -> Iterator[None]:
    """While a pipeline runs: records and prints of a step go to its log, all others where they went before."""
    _capture.enter()
    try:
        yield
    finally:
        _capture.leave()
