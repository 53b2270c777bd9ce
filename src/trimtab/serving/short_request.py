"""A request on the short way: its reply, and what uvicorn wants to know of a request."""

from __future__ import annotations

from typing import Protocol

from trimtab.serving.problem import Problem


class Answers(Protocol):
    """The connection that a request came by."""

    def answer(self, found: Problem | bytes, keep_alive: bool) -> None:
        """Send an answer."""
        ...


class _Silent:
    """In place of the event that an ASGI task would wait for."""

    def set(self) -> None:
        """Nobody waits."""


class ShortRequest:
    """Stands where uvicorn keeps its `RequestResponseCycle`."""

    __slots__ = ("_connection", "disconnected", "keep_alive", "response_complete")

    message_event = _Silent()
    body = b""

    def __init__(self, connection: Answers, keep_alive: bool) -> None:
        self._connection = connection
        self.keep_alive = keep_alive
        self.response_complete = False
        self.disconnected = False

    def __call__(self, found: Problem | bytes) -> None:
        """The answer. It is sent once, whatever comes later."""
        if not self.response_complete:
            self.response_complete = True
            self._connection.answer(found, self.keep_alive)
