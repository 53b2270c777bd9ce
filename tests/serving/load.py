"""Clients that send one request after the other, and write down what was acknowledged."""

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
    rows: int = 1  # of a request
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
            keys = [f"key-{next(self._keys)}" for _ in range(self.rows)]
            begun_s = time.monotonic()
            try:
                async with asyncio.timeout(5.0):
                    status, answer = await client.post({"instances": [{"row": key, "x": 10} for key in keys]})
            except (OSError, EOFError, TimeoutError):
                self.broken += 1
                client.close()
                await asyncio.sleep(0.01)
                continue
            if status != 200:
                self.refused.append((status, answer))
                await asyncio.sleep(0.01)
                continue
            assert [row["key"] for row in answer["predictions"]] == keys
            self.answers += [
                Acknowledged(row["id"], row["key"], row["release"], answer["generation"], row["score"], begun_s)
                for row in answer["predictions"]
            ]
        client.close()
