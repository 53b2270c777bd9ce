"""Clients that send one row after the other, and write down what was acknowledged."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass, field

from tests.serving.client import Client


@dataclass(frozen=True)
class Acknowledged:
    """One answered request."""

    id: str
    key: str
    release: str
    generation: int
    score: float
    begun_s: float  # monotonic, before the request was sent


@dataclass
class Load:
    """What some clients have seen so far. Each attempt has a key of its own."""

    port: int
    answers: list[Acknowledged] = field(default_factory=list)
    refused: list[tuple[int, object]] = field(default_factory=list)  # answered, but not with 200
    broken: int = 0  # connections that broke before the answer
    _keys: itertools.count[int] = field(default_factory=itertools.count)
    _stop: bool = False

    async def run(self, clients: int) -> None:
        """Until `stop`."""
        await asyncio.gather(*(self._one() for _ in range(clients)))

    def stop(self) -> None:
        """Let every request that is under way end."""
        self._stop = True

    async def _one(self) -> None:
        client = Client(self.port)
        while not self._stop:
            key = f"key-{next(self._keys)}"
            begun_s = time.monotonic()
            try:
                async with asyncio.timeout(5.0):
                    status, answer = await client.post({"instances": [{"row": key, "x": 10}]})
            except (OSError, EOFError, TimeoutError):
                self.broken += 1
                client.close()
                await asyncio.sleep(0.01)
                continue
            if status != 200:
                self.refused.append((status, answer))
                await asyncio.sleep(0.01)
                continue
            (row,) = answer["predictions"]
            assert row["key"] == key
            self.answers.append(
                Acknowledged(row["id"], key, row["release"], answer["generation"], row["score"], begun_s)
            )
        client.close()
