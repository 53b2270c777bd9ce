"""What a process of the server says of itself: plain lines for people, or JSON objects, one a line, for collectors.

    {"time": "2026-03-01T12:00:00.000000+00:00", "level": "error", "system": "shop", "worker": 0,
     "event": "log.unwritable", "message": "…", "stack": "…"}

`worker` is null for the supervisor and the loop, and `stack` stands there only with an exception nobody foresaw.
A report must not fail: the disk that takes no records may take no reports either.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal, TypeAlias

Level: TypeAlias = Literal["info", "warning", "error"]
Form: TypeAlias = Literal["text", "json"]
FORMS = ("text", "json")


class Event(str):
    """A line for people that says also what kind of thing has happened, and how bad it is."""

    __slots__ = ("event", "level", "worker")

    event: str  # "noun.verb"
    level: Level
    worker: int | None  # that it is about

    def __new__(cls, text: str, event: str, level: Level = "error", worker: int | None = None) -> Event:
        """The text is what is printed."""
        self = super().__new__(cls, text)
        self.event, self.level, self.worker = event, level, worker
        return self


class Reporting:
    """Of one process."""

    def __init__(self, form: Form = "text", *, system: str = "", worker: int | None = None) -> None:
        self._form = form
        self._system = system
        self._worker = worker

    def __call__(self, text: str, stack: str = "") -> None:
        """Say something, to standard error."""
        if self._form == "json":
            line = json_line(text, system=self._system, worker=self._worker, stack=stack)
        else:
            line = (stack or text).rstrip("\n")
        with suppress(OSError):
            print(line, file=sys.stderr, flush=True)

    def named(self, event: str, level: Level = "error") -> Callable[[str], None]:
        """For a part that knows nothing of events."""
        return lambda text: self(Event(text, event, level))

    def fault(self, event: str = "request.failed") -> None:
        """The exception that is handled now, with its stack."""
        self._raised(event, *sys.exc_info())

    def begin(self) -> None:
        """Speak for this process: also for libraries that log, and for the exception that ends it."""
        global _of_process  # noqa: PLW0603 - standard error is one, too
        _of_process = self
        if self._form == "json":
            sys.excepthook = lambda kind, error, trace: self._raised("process.failed", kind, error, trace)
            logging.basicConfig(handlers=[_Handler(self)], level=logging.WARNING, force=True)

    def _raised(
        self,
        event: str,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None and error is not None:
            stack = "".join(traceback.format_exception(kind, error, trace))
            self(Event(f"{kind.__name__}: {error}", event), stack)


def json_line(
    text: str, *, system: str, worker: int | None = None, event: str = "", level: Level = "info", stack: str = ""
) -> str:
    """One object; what an Event says of itself comes before what is given."""
    told = {
        "time": datetime.now(UTC).isoformat(timespec="microseconds"),
        "level": getattr(text, "level", level),
        "system": system,
        "worker": worker if (about := getattr(text, "worker", None)) is None else about,
        "event": getattr(text, "event", event or "said"),
        "message": str(text),
    }
    return json.dumps(told | ({"stack": stack} if stack else {}), ensure_ascii=False)


def last_message(line: str) -> str:
    """What the last line of a process's output says, whichever form it has.

    >>> last_message('{"message": "no space", "level": "error"}'), last_message("no space")
    ('no space', 'no space')
    """
    with suppress(ValueError, KeyError, TypeError):
        return str(json.loads(line)["message"]) if line.startswith("{") else line
    return line


class _Handler(logging.Handler):
    """Libraries' own log records, as reports."""

    def __init__(self, reporting: Reporting) -> None:
        super().__init__()
        self._reporting = reporting

    def emit(self, record: logging.LogRecord) -> None:
        """At warning or worse."""
        level: Level = "error" if record.levelno >= logging.ERROR else "warning"
        stack = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else ""
        self._reporting(Event(record.getMessage(), f"library.{record.name}", level), stack)


_of_process = Reporting()


def process() -> Reporting:
    """Of this process; plain text to standard error until another one begins."""
    return _of_process
