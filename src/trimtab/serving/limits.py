"""What one request may take of a worker, and what clients may hold open."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Of one worker."""

    body_bytes: int = 4 << 20
    rows: int = 1000
    body_s: float = 30.0
    header_bytes: int = 32 << 10  # of the address and the headers
    connections: int = 1000  # of a worker; those beyond are answered with 503
    idle_s: float = 75.0  # of a connection, before its first request or after the last one
    waiting: int = 2000  # requests of a worker that have no answer yet; those beyond are answered with 429
    answer_s: float = 10.0  # how long a record may be on its way to the disk
    send_s: float = 30.0  # within which a client must read what stands in its way
