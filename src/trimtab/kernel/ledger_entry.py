"""One entry of the ledger, and the hash that chains it to the one before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from trimtab.kernel.canonical import JsonMap, digest
from trimtab.kernel.moment import to_us

GENESIS = "0" * 64


@dataclass(frozen=True)
class LedgerEntry:
    """What was done or decided, when, by whom, on what; chained by hash."""

    seq: int  # 1, 2, 3, … without gaps
    at: datetime
    actor: str  # a person ("user:ada"), or a part of the system ("loop", "guard:parity")
    kind: str  # what happened, as "noun.verb": "release.created", "route.moved"
    subject: str  # what it happened to
    body: JsonMap  # the facts; never personal data, so that erasure stays possible
    previous: str  # the hash of entry seq - 1, or GENESIS
    hash: str

    def expected_hash(self) -> str:
        """What `hash` must be: SHA-256 over the canonical form of all other fields."""
        return entry_hash(self.seq, self.at, self.actor, self.kind, self.subject, self.body, self.previous)


def entry_hash(seq: int, at: datetime, actor: str, kind: str, subject: str, body: JsonMap, previous: str) -> str:
    """SHA-256 over the canonical form of an entry's fields; `at` in microseconds UTC."""
    return digest([seq, to_us(at), actor, kind, subject, dict(body), previous])
