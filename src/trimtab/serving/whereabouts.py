"""Whereabouts: in which files of the table a compacted segment's rows lie, and what has become of the others."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import cast

from trimtab.kernel.canonical import JsonMap
from trimtab.kernel.errors import NotFound, NotKept
from trimtab.kernel.moment import from_us
from trimtab.kernel.prediction_id import PredictionId
from trimtab.ports.journal import JournalReader
from trimtab.serving.proofs import ProofFolder

SEGMENT = "segment"  # kind of the record that says where a compacted segment's rows are
EXPIRED = "expired"  # kind of the record that says which days have left the table


@dataclass(frozen=True)
class Expiry:
    """Days of one system that have left the table: all before one day, of all that was in it then."""

    before: date
    through: int  # the newest version of the table that still held them
    policy: str
    at: str

    def took(self, day: date, table_version: int) -> bool:
        """Whether it took the rows of a day that an append brought."""
        return day < self.before and table_version <= self.through


def expiry_from(body: JsonMap) -> Expiry:
    """As the record and the ledger's entry have it."""
    through = body["through"]
    assert isinstance(through, int)
    return Expiry(date.fromisoformat(str(body["before"])), through, str(body["policy"]), str(body["at"]))


class Whereabouts:
    """Reads the journal once for each look: make a new one for the next."""

    def __init__(self, journal: JournalReader) -> None:
        self._journal = journal

    @cached_property
    def _expiries(self) -> dict[str, list[Expiry]]:
        found: dict[str, list[Expiry]] = {}
        for id, body in self._journal.records(EXPIRED):
            found.setdefault(id.partition("/")[0], []).append(expiry_from(body))
        return found

    def record(self, segment: str) -> JsonMap | None:
        """Of a segment that was compacted."""
        return self._journal.record(SEGMENT, segment)

    def expiry(self, record: JsonMap, day: date) -> Expiry | None:
        """What took a day's rows of a segment out of the table; None: nothing did."""
        version = record["table_version"]
        assert isinstance(version, int)
        some = self._expiries.get(str(record.get("system")), ())
        return next((one for one in some if one.took(day, version)), None)

    def files(self, record: JsonMap, days: Collection[date] | None = None) -> list[str]:
        """The files of a segment's append that are still in the table; of some days, or of all."""
        names = [(name, _day(name)) for name in map(str, cast("list[str]", record["files"]))]
        return [name for name, day in names if (days is None or day in days) and self.expiry(record, day) is None]

    def check_kept(self, place: PredictionId, proofs: ProofFolder) -> None:
        """Tell why a compacted record is not in the table, if the policy is why.

        Raises:
            NotKept: it was answered and recorded, and has expired or was not of the sample.
        """
        record = self.record(place.segment_name)
        if record is None:
            return
        day = from_us(place.at_ms * 1000).date()
        expiry = self.expiry(record, day)
        if expiry is not None:
            # Which of the day's ids there were went with the day: an id of none cannot be told from one of them.
            raise NotKept(
                str(place),
                where=f"segment {place.segment_name}, {day}",
                policy=expiry.policy,
                got=f"the predictions of {day} expired on {expiry.at[:10]}",
            )
        digest = cast("dict[str, str]", record.get("proofs", {})).get(day.isoformat())
        if digest is None:
            return
        try:
            part = proofs.get(str(record["system"]), day, digest).get(place.segment_name)
        except NotFound:  # the audit tells
            return
        if part is not None and (place.offset, place.at_ms) in part.left_out:
            raise NotKept(
                str(place),
                where=f"segment {place.segment_name}, {day}",
                policy=str(record["policy"]),
                got=f"it was answered, and the sample left it out, as {len(part.left_out):,} of its segment",
            )


def _day(file: str) -> date:
    """Of a file's partition: `date=2013-04-01/….parquet`."""
    return date.fromisoformat(file.partition("/")[0].removeprefix("date="))
