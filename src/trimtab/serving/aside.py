"""A thread beside the event loop, for one piece of work at a time that an answer may wait for, but not for long."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")


class Outcome(Generic[T]):
    """What becomes of a piece of work."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._value: T | None = None
        self._error: Exception | None = None

    def settle(self, call: Callable[[], T]) -> None:
        """Do the work."""
        try:
            self._value = call()
        except Exception as error:  # it is raised where the work is waited for
            self._error = error
        finally:
            self._done.set()

    def get(self, within_s: float | None) -> T:
        """Wait for the work.

        Raises:
            TimeoutError: it is not done yet.
            Exception: whatever it raised.
        """
        if not self._done.wait(within_s):
            raise TimeoutError
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]

    def wait(self, within_s: float | None) -> bool:
        """Whether there is anything to get, now or within a time."""
        return self._done.wait(within_s)


class Aside(Generic[T]):
    """Begins its thread with the first piece of work. The thread ends with the process, even amid one."""

    def __init__(self) -> None:
        self._work: SimpleQueue[tuple[Outcome[T], Callable[[], T]]] = SimpleQueue()
        self._last: Outcome[T] | None = None

    def begin(self, call: Callable[[], T], within_s: float | None) -> Outcome[T] | None:
        """Have a piece of work done; None if the last one is not done within a time."""
        if self._last is None:
            threading.Thread(target=self._run, name="aside", daemon=True).start()
        elif not self._last.wait(within_s):
            return None
        self._last = Outcome()
        self._work.put((self._last, call))
        return self._last

    def _run(self) -> None:
        while True:
            outcome, call = self._work.get()
            outcome.settle(call)
