"""What an audit of the ledger can find, and where."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from trimtab.kernel.canonical import short
from trimtab.kernel.head import Head
from trimtab.kernel.ledger_entry import LedgerEntry


class Kind(StrEnum):
    """What is wrong with the ledger at some place."""

    EDITED = "edited"  # an entry's content and its hash do not agree
    MISSING = "missing"  # numbers are left out
    MISPLACED = "misplaced"  # an entry bears a number that cannot follow
    UNLINKED = "unlinked"  # an entry does not name the hash of the one before it
    REWRITTEN = "rewritten"  # an entry is another one than when its head was saved
    TRUNCATED = "truncated"  # a head was saved for an entry behind the end
    UNKNOWN_HEAD = "unknown head"  # a head that a person gave belongs to no entry
    UNREADABLE = "unreadable"  # a stored entry is not even an entry


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: at which entry, what was expected there, and what was found."""

    seq: int  # the first entry concerned; nothing is wrong before it that this finding tells of
    kind: Kind
    expected: str
    got: str
    text: str  # one sentence a person can read


def edited(entry: LedgerEntry, expected: str) -> Finding:
    """An entry hashes to `expected`, and carries something else."""
    return Finding(
        entry.seq,
        Kind.EDITED,
        expected,
        entry.hash,
        f"entry {entry.seq} ({entry.kind} {entry.subject}, by {entry.actor}) was changed after it was written:"
        f" its content hashes to {short(expected)}, it carries {short(entry.hash)}",
    )


def missing(first: int, last: int) -> Finding:
    """Entries `first` to `last` are not there, later ones are."""
    which = f"entry {first} is" if first == last else f"entries {first} to {last} are"
    return Finding(
        first,
        Kind.MISSING,
        f"entry {first}",
        f"entry {last + 1}",
        f"{which} missing: entry {last + 1} comes next",
    )


def misplaced(entry: LedgerEntry, expected: int) -> Finding:
    """An entry stands where it cannot: entries are numbered 1, 2, 3, …"""
    return Finding(
        entry.seq,
        Kind.MISPLACED,
        f"entry {expected}",
        f"entry {entry.seq}",
        f"entry {entry.seq} ({entry.kind} {entry.subject}) was inserted: entries are numbered from 1 without gaps",
    )


def unlinked(entry: LedgerEntry, expected: str) -> Finding:
    """An entry names another hash as the one before it than the one that stands there."""
    return Finding(
        entry.seq,
        Kind.UNLINKED,
        expected,
        entry.previous,
        f"entry {entry.seq} does not follow what stands before it: it was written after {short(entry.previous)},"
        f" but entry {entry.seq - 1} carries {short(expected)}; something here was inserted, moved or replaced",
    )


def rewritten(entry: LedgerEntry, head: Head, first: int) -> Finding:
    """The entry of a head is another one than when the head was saved; `first` is the first that may differ."""
    where = f"entry {first}" if first == entry.seq else f"one of the entries {first} to {entry.seq}"
    return Finding(
        first,
        Kind.REWRITTEN,
        str(head),
        f"{entry.seq}:{entry.hash}",
        f"the ledger was rewritten, or restored from an older copy and continued, from {where} on:"
        f" the head saved of entry {entry.seq} is {short(head.hash)}, it carries {short(entry.hash)}",
    )


def truncated(head: Head, last: int, first: int) -> Finding:
    """A head vouches for an entry behind the last one; `first` is the first that no head vouches for."""
    doubt = f", and no head vouches for what stands from entry {first} on" if first <= last else ""
    return Finding(
        first,
        Kind.TRUNCATED,
        str(head),
        f"the ledger ends with entry {last}" if last else "the ledger is empty",
        f"the end of the ledger was removed: a head was saved of entry {head.seq}, the last one is {last}{doubt}",
    )


def unknown_head(hash: str) -> Finding:
    """No entry carries the hash that a person kept; which entry it was of, a hash alone does not say."""
    return Finding(
        1,
        Kind.UNKNOWN_HEAD,
        hash,
        "no such entry",
        f"no entry carries the head that you gave ({short(hash)}): its entry was changed or removed,"
        " or it is the head of another ledger",
    )


def unreadable(seq: int, expected: str, got: str, what: str) -> Finding:
    """An entry cannot be read; the audit goes no further."""
    return Finding(
        seq,
        Kind.UNREADABLE,
        expected,
        got,
        f"at entry {seq} or behind it: {what} ({got}); what comes after it was not audited",
    )
