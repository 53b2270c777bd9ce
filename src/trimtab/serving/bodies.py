"""Reading the bodies of requests, within bounds of size and time."""

from __future__ import annotations

import asyncio
import time

from trimtab.serving.asgi import Message, Receive
from trimtab.serving.limits import Limits
from trimtab.serving.problem import Problem, body_too_large, body_too_slow


class Bodies:
    """Belongs to one event loop."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._reading: dict[asyncio.Task[None] | None, float] = {}  # requests whose body is awaited → until when
        self._late: set[asyncio.Task[None] | None] = set()

    def turn(self) -> None:
        """Called every few hundredths of a second: give up what does not arrive. A timer each would cost 5 µs."""
        now_s = time.monotonic()
        while self._reading and (task := next(iter(self._reading))) and self._reading[task] < now_s:
            del self._reading[task]
            self._late.add(task)
            task.cancel()

    async def read(self, scope: Message, receive: Receive) -> bytes | Problem | None:
        """The whole body; None if the client went away."""
        limit = self._limits.body_bytes
        for name, value in scope["headers"]:
            # uvicorn has parsed the number already.
            if name == b"content-length" and int(value) > limit:
                return body_too_large(scope["path"], f"{int(value)} bytes", limit)
        task = asyncio.current_task()
        self._reading[task] = time.monotonic() + self._limits.body_s
        try:
            body = b""
            more = True
            while more:
                message = await receive()
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > limit:
                    return body_too_large(scope["path"], f"more than {limit} bytes", limit)
        except asyncio.CancelledError:
            if task is None or task not in self._late:
                raise
            task.uncancel()
            return body_too_slow(scope["path"], self._limits.body_s)
        finally:
            self._reading.pop(task, None)
            self._late.discard(task)
        return None if message["type"] == "http.disconnect" else body
