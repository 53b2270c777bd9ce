"""How much of the prediction log is kept: what was answered, what the policy left out, what has expired."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, cast

from trimtab.house.house import House
from trimtab.kernel.counted import counted
from trimtab.kernel.moment import aware, to_us
from trimtab.serving.log_reader import TABLE


@dataclass(frozen=True)
class LogKept:
    """Of the segments that were compacted, as the ledger has it."""

    answered: int
    left_out: int  # by the sample
    expired: int

    @property
    def kept(self) -> int:
        """Rows that the table holds."""
        return self.answered - self.left_out - self.expired

    @property
    def words(self) -> str:
        """As people read it.

        >>> LogKept(12340, 11106, 0).words, LogKept(3, 0, 0).words
        ('1,234 kept of 12,340 answers', '3 answers')
        """
        answers = counted(self.answered, "answer")
        return answers if self.kept == self.answered else f"{self.kept:,} kept of {answers}"


def log_kept(house: House) -> LogKept:
    """In numbers."""
    answered = kept = 0
    for entry in house.reader.entries(kind="segments.compacted", subject=house.name):
        for one in cast("list[dict[str, Any]]", entry.body["segments"]):
            beside = one.get("beside", 0)  # what shadows said is kept, and is no answer
            answered += one["rows"] - beside
            kept += (sum(one["kept"].values()) if "kept" in one else one["rows"]) - beside
    expired = sum(
        cast("int", one.body["answers"])
        for one in house.reader.entries(kind="predictions.expired", subject=house.name)
    )
    return LogKept(answered, answered - kept, expired)


def log_bytes(house: House) -> int:
    """Of the table's files on the disk, those of other systems of the project among them."""
    folder = house.project.home / "tables" / TABLE
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def left_out_between(house: House, since: datetime, until: datetime) -> int:
    """How many answers after `since` and up to `until` the sample left out: their instants stand in the proofs."""
    first_ms, last_ms = to_us(since) // 1000, to_us(until) // 1000
    days = set(_days(aware(since).date(), aware(until).date()))
    found = 0
    for entry in house.reader.entries(kind="segments.compacted", subject=house.name):
        for day, digest in cast("dict[str, str]", entry.body.get("proofs", {})).items():
            if date.fromisoformat(day) in days:
                parts = house.proofs.get(house.name, date.fromisoformat(day), digest).values()
                found += sum(first_ms < at_ms <= last_ms for part in parts for _, at_ms in part.left_out)
    return found


def _days(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += timedelta(days=1)
