"""The audit of the ledger: is it what it was when it was written?

The chain of hashes shows every change that leaves later hashes as they are. Whoever rewrites those as well can be
found out only by something that he could not reach: the heads saved outside of the database, or one that a person
kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Protocol

from trimtab.governance.audit_report import AuditReport
from trimtab.governance.finding import (
    Finding,
    edited,
    misplaced,
    missing,
    rewritten,
    truncated,
    unknown_head,
    unlinked,
    unreadable,
)
from trimtab.governance.saved_heads import SavedHeads
from trimtab.kernel.errors import Corrupt
from trimtab.kernel.head import Head, parse_head
from trimtab.kernel.ledger_entry import GENESIS, LedgerEntry
from trimtab.ports.journal import JournalReader

_MOST_FINDINGS = 100
_HASH = re.compile(r"[0-9a-f]{64}")


class _Check(Protocol):
    vouched: int  # the newest entry that a head kept elsewhere vouches for

    def see(self, entry: LedgerEntry) -> Iterator[Finding]: ...

    def end(self) -> Iterator[Finding]: ...


def verify(reader: JournalReader, heads: Iterable[str], head: str | None = None) -> AuditReport:
    """Read the whole ledger once, entry by entry, and hold it against saved heads.

    Args:
        heads: lines `seq hash at` as saved after each commit.
        head: one that a person kept: a hash, or `seq:hash`.

    Raises:
        InvalidValue: `head` is neither of the two.
    """
    kept = (head or "").strip().lower()
    only_hash = _HASH.fullmatch(kept) is not None
    numbered = [] if head is None or only_hash else [str(parse_head(kept))]
    # Before the ledger is read: a head saved meanwhile would seem to be behind its end.
    saved = SavedHeads(chain(heads, numbered))
    checks: list[_Check] = [_Chain(), _Saved(saved), *([_Kept(kept)] if only_hash else [])]
    found: list[Finding] = []
    count, entries, last = 0, 0, None
    try:
        for entry in reader.entries():
            for finding in (one for check in checks for one in check.see(entry)):
                count += 1
                found += [finding] if count <= _MOST_FINDINGS else []
            entries, last = entries + 1, Head(entry.seq, entry.hash)
        behind = [finding for check in checks for finding in check.end()]
    except Corrupt as damage:
        behind = [unreadable(last.seq + 1 if last else 1, damage.allowed, damage.got, damage.what)]
    left_out = count - len(found)
    vouched = max(check.vouched for check in checks)
    return AuditReport(entries, last, vouched, (*found, *behind), left_out, saved.unreadable)


class _Chain:
    """Entries are numbered without gaps, hash to what they carry, and name the hash of the one before."""

    def __init__(self) -> None:
        self.vouched = 0
        self._last = 0
        self._hash = GENESIS

    def see(self, entry: LedgerEntry) -> Iterator[Finding]:
        expected = entry.expected_hash()
        if entry.seq <= self._last:
            yield misplaced(entry, self._last + 1)
            return
        if entry.seq > self._last + 1:
            yield missing(self._last + 1, entry.seq - 1)
        elif entry.previous != self._hash:
            yield unlinked(entry, self._hash)
        if entry.hash != expected:
            yield edited(entry, expected)
        self._last, self._hash = entry.seq, entry.hash

    def end(self) -> Iterator[Finding]:
        yield from ()


class _Saved:
    """Entries carry the hashes that their saved heads had; none that had one is missing at the end."""

    def __init__(self, saved: SavedHeads) -> None:
        self.vouched = 0
        self._heads = iter(saved)
        self._next = next(self._heads, None)
        self._last = 0
        self._differs = False

    def see(self, entry: LedgerEntry) -> Iterator[Finding]:
        self._last = max(self._last, entry.seq)
        heads = list(self._up_to(entry.seq))
        differing = [head for head in heads if head.hash != entry.hash]
        if differing and not self._differs:
            # Once for a run of heads that differ: all that follows a rewritten entry differs.
            yield rewritten(entry, differing[0], min(self.vouched + 1, entry.seq))
        if heads:
            self._differs = bool(differing)
        if len(heads) > len(differing):
            self.vouched = entry.seq

    def _up_to(self, seq: int) -> Iterator[Head]:
        """Heads of entry `seq`; those of earlier ones, which are missing, are left to the chain."""
        while self._next is not None and self._next.seq <= seq:
            if self._next.seq == seq:
                yield self._next
            self._next = next(self._heads, None)

    def end(self) -> Iterator[Finding]:
        newest = self._next
        for head in self._heads:
            newest = head
        if newest is not None:
            yield truncated(newest, self._last, min(self.vouched, self._last) + 1)


class _Kept:
    """Some entry carries the hash that a person kept."""

    def __init__(self, hash: str) -> None:
        self.vouched = 0
        self._hash = hash

    def see(self, entry: LedgerEntry) -> Iterator[Finding]:
        if entry.hash == self._hash:
            self.vouched = entry.seq
        yield from ()

    def end(self) -> Iterator[Finding]:
        if not self.vouched:
            yield unknown_head(self._hash)
