"""The journal: pointers, immutable records, the ledger and the outbox, changed in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from trimtab.kernel.canonical import JsonMap
from trimtab.kernel.ledger_entry import LedgerEntry
from trimtab.kernel.pointer import Pointer


class Unit(Protocol):
    """One unit of work. It commits as a whole when its `with` block ends, or not at all."""

    def append(self, kind: str, subject: str, body: JsonMap) -> LedgerEntry:
        """Append to the ledger. Comes before what it explains: the others refer to the newest entry."""
        ...

    def put(self, kind: str, id: str, body: JsonMap) -> bool:
        """Write an immutable record; False if the identical one exists already.

        Raises:
            Conflict: it exists with other content.
        """
        ...

    def point(self, name: str, value: str) -> Pointer:
        """Move a pointer; its generation rises by one."""
        ...

    def send(self, topic: str, body: JsonMap) -> None:
        """Leave a message in the outbox: work on a projection, to be done after the commit."""
        ...


class Journal(Protocol):
    """The dangerous half: what can change state."""

    def begin(self, *, at: datetime, actor: str) -> AbstractContextManager[Unit]:
        """Open a unit of work. Units of all processes are serialised.

        Raises (on leaving the block):
            NoEvidence: something was moved, put or sent without a ledger entry.
        """
        ...


class JournalReader(Protocol):
    """The harmless half: what planners and explainers get."""

    def pointer(self, name: str) -> Pointer | None:
        """Where a name points now; None if it never pointed anywhere."""
        ...

    def pointer_at(self, name: str, at: datetime) -> Pointer | None:
        """Where a name pointed at an instant."""
        ...

    def record(self, kind: str, id: str) -> JsonMap | None:
        """One immutable record."""
        ...

    def records(self, kind: str, *, prefix: str = "") -> list[tuple[str, JsonMap]]:
        """All records of a kind whose id starts with `prefix`, in the order in which they were written."""
        ...

    def entries(self, *, after: int = 0, kind: str = "", subject: str = "") -> Iterator[LedgerEntry]:
        """Ledger entries behind `after` in order; of one kind or subject where given."""
        ...


@dataclass(frozen=True)
class Message:
    """An outbox row that has not been marked as done."""

    id: int
    topic: str
    body: JsonMap
    sent_at: datetime


class Outbox(Protocol):
    """Read by whoever drives projections. Handling a message twice must do no harm."""

    def pending(self, topic: str) -> list[Message]:
        """Messages of a topic that are not done, oldest first."""
        ...

    def done(self, messages: Sequence[int]) -> None:
        """Mark messages as done."""
        ...
