"""Proving: every row of the predictions table, held against the Merkle root of the segment that it was logged in.

The ledger says of each segment its root, and how many rows of which day were kept; the rows say what was logged.
What the policy left out, and what has expired, is not missing: its hashes stand in the proofs. Everything else is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, cast

import polars as pl

from trimtab.kernel.counted import counted
from trimtab.kernel.errors import InvalidValue, TrimtabError
from trimtab.kernel.ledger_entry import LedgerEntry
from trimtab.kernel.prediction_id import parse_prediction_id
from trimtab.ports.journal import JournalReader
from trimtab.ports.tables import TableReader
from trimtab.serving.log_reader import TABLE, prediction_of_row
from trimtab.serving.logged_form import logged_form
from trimtab.serving.proofs import HASH_BYTES, ProofFolder
from trimtab.serving.whereabouts import Expiry, expiry_from
from trimtab.stats.merkle_proof import leaf_hash, root_of_pruned

_MOST_FINDINGS = 100


@dataclass
class Proved:
    """What was found."""

    segments: int = 0
    records: int = 0  # in them: answers, and what shadows said to them
    kept: int = 0  # rows that the table is to hold
    proved: int = 0  # of `kept`
    other_form: int = 0  # of `kept`: rows that do not give back the bytes that were logged; only they were hashed
    left_out: int = 0  # by the sample
    expired: int = 0
    earlier: int = 0  # segments of before proofs were kept, whose rows are not looked at
    findings: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def lines(self) -> list[str]:
        """For a person, one line each."""
        told = "all proved" if self.ok else f"NOT whole, {len(self.findings)} found"
        lines = [f"predictions: {self.kept:,} of {counted(self.records, 'record')} kept, {told}"]
        lines += [f"{counted(self.segments, 'segment')} whose roots the ledger has"]
        gone = [(self.left_out, "left out by the sample"), (self.expired, "expired")]
        lines += [f"{number:,} {told}, by the system's policy" for number, told in gone if number]
        if self.other_form:
            lines += [
                f"{self.other_form:,} rows that do not give back what was logged, e.g. NaN: counted, not proved"
            ]
        if self.earlier:
            lines += [f"{counted(self.earlier, 'segment')} of an earlier version, not looked at"]
        lines += self.findings[:_MOST_FINDINGS]
        more = len(self.findings) - _MOST_FINDINGS
        return [*lines, f"… and {more:,} more"] if more > 0 else lines


@dataclass(frozen=True)
class _Kept:
    """What the ledger says of one day of one segment."""

    count: int  # rows that were kept
    records: int  # of the whole segment
    root: bytes
    proof: str | None  # digest


def _quiet(*_: object) -> None:
    """Progress that nobody wants to see."""


def prove(
    system: str,
    *,
    journal: JournalReader,
    tables: TableReader,
    proofs: ProofFolder,
    progress: Callable[[str, int, int], None] = _quiet,
) -> Proved:
    """Read the whole table once, day by day; `progress` is told of each: what, how many are done, of how many."""
    done = Proved()
    expiries = [expiry_from(one.body) for one in journal.entries(kind="predictions.expired", subject=system)]
    expected: dict[date, dict[str, _Kept]] = defaultdict(dict)
    earlier: set[str] = set()
    for entry in journal.entries(kind="segments.compacted", subject=system):
        earlier |= _expect(entry, expiries, expected, done)
    days = sorted({*expected, *_days(system, tables, done)})
    for number, day in enumerate(days):
        progress("days", number, len(days))
        _prove_day(system, day, expected[day], earlier, tables, proofs, done)
    progress("days", len(days), len(days))
    return done


def _expect(
    entry: LedgerEntry, expiries: Sequence[Expiry], expected: dict[date, dict[str, _Kept]], done: Proved
) -> set[str]:
    """What one compaction is to have left in the table; the names of segments that say too little of it."""
    version = cast("int", entry.body["table_version"])
    proofs = cast("dict[str, str]", entry.body.get("proofs", {}))
    earlier = set()
    for one in cast("list[dict[str, Any]]", entry.body["segments"]):
        if "kept" not in one:
            earlier.add(one["name"])
            continue
        done.segments += 1
        done.records += one["rows"]
        done.left_out += one["rows"] - sum(one["kept"].values())
        for text, count in one["kept"].items():
            day = date.fromisoformat(text)
            if any(expiry.took(day, version) for expiry in expiries):
                done.expired += count
                continue
            done.kept += count
            expected[day][one["name"]] = _Kept(count, one["rows"], bytes.fromhex(one["root"]), proofs.get(text))
    done.earlier += len(earlier)
    return earlier


def _days(system: str, tables: TableReader, done: Proved) -> list[date]:
    if not tables.exists(TABLE):
        return []
    try:
        rows = tables.scan(TABLE).filter(pl.col("system") == system)
        return rows.select(pl.col("date").unique()).collect()["date"].to_list()
    except (TrimtabError, pl.exceptions.PolarsError, OSError) as error:
        done.findings.append(f"the table cannot be read: {_said(error)}")
        return []


def _prove_day(
    system: str,
    day: date,
    expected: dict[str, _Kept],
    earlier: set[str],
    tables: TableReader,
    proofs: ProofFolder,
    done: Proved,
) -> None:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    try:
        rows = tables.scan(TABLE).filter(pl.col("date") == day, pl.col("system") == system).collect()
        for row in rows.iter_rows(named=True):
            found[row["segment"]].append(row)
    except (TrimtabError, pl.exceptions.PolarsError, OSError) as error:
        done.findings.append(f"{day}: {counted(len(expected), 'segment')} cannot be read: {_said(error)}")
        return
    for name in sorted({*found, *expected} - earlier):
        kept = expected.get(name)
        if kept is None:
            done.findings.append(
                f"{day}: {counted(len(found[name]), 'row')} of segment {name}, which the ledger lacks"
            )
        elif len(found[name]) != kept.count:
            told = f"{len(found[name]):,} of {counted(kept.count, 'row')} that were kept"
            done.findings.append(f"{day}: segment {name} has {told}")
        else:
            done.findings += _prove_segment(system, day, name, kept, found[name], proofs, done)


def _prove_segment(
    system: str, day: date, name: str, kept: _Kept, rows: list[dict[str, Any]], proofs: ProofFolder, done: Proved
) -> Iterator[str]:
    try:
        part = None if kept.proof is None else proofs.get(system, day, kept.proof).get(name)
        leaves = _leaves(name, rows)
    except (TrimtabError, ValueError, OSError) as error:
        yield f"{day}: segment {name}: {_said(error)}"
        return
    if part is None:
        hashes, proved = [], dict(enumerate(leaves))
    else:
        hashes = [part.hashes[at : at + HASH_BYTES] for at in range(0, len(part.hashes), HASH_BYTES)]
        if len(part.kept) != len(leaves):
            yield f"{day}: segment {name}: its proof is of {len(part.kept):,} rows, there are {len(leaves):,}"
            return
        silent = set(part.other_form)
        proved = {place: leaf for place, leaf in zip(part.kept, leaves, strict=True) if place not in silent}
    if root_of_pruned(kept.records, proved, hashes) != kept.root:
        yield f"{day}: segment {name}: {counted(len(leaves), 'row')} are not what was logged"
        return
    done.proved += len(proved)
    done.other_form += len(leaves) - len(proved)


def _leaves(name: str, rows: list[dict[str, Any]]) -> list[bytes]:
    """The hash of each row's record, in the order in which they were logged."""
    found = {}
    for row in rows:
        one = prediction_of_row(row)
        place = parse_prediction_id(one.id)
        if place.segment_name != name or place.at_ms != one.at_us // 1000 or place.offset in found:
            raise InvalidValue("prediction id", one.id, allowed=f"ids of different records of segment {name}")
        found[place.offset] = leaf_hash(logged_form(one))
    return [found[offset] for offset in sorted(found)]


def _said(error: Exception) -> str:
    return " ".join(str(error).split())
