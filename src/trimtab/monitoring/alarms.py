"""Alarms: what somebody must know of. One at a time for each subject, from when it is raised to when it is over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from trimtab.kernel.canonical import JsonMap
from trimtab.kernel.moment import from_us, to_us
from trimtab.ports.journal import Journal, JournalReader

KIND = "alarm"
RAISED, OVER = "alarm.raised", "alarm.over"


@dataclass(frozen=True)
class Alarm:
    """One alarm."""

    subject: str  # e.g. "source weather"
    text: str
    at: datetime
    over: datetime | None


class Alarms:
    """The alarms of one system."""

    def __init__(self, system: str, journal: Journal, reader: JournalReader) -> None:
        self._system = system
        self._journal = journal
        self._reader = reader

    def raise_(self, subject: str, text: str, at: datetime) -> bool:
        """Raise an alarm; False if one of this subject is on already."""
        if self._on(subject):
            return False
        id = f"{self._system}/{to_us(at):020d}/{subject}"
        body: JsonMap = {"subject": subject, "text": text, "at_us": to_us(at)}
        with self._journal.begin(at=at, actor="loop") as unit:
            unit.append(RAISED, f"{self._system}/{subject}", body)
            unit.put(KIND, id, body)
            unit.point(self._name(subject), id)
        return True

    def end(self, subject: str, at: datetime) -> bool:
        """Say that an alarm is over; False if none was on."""
        id = self._on(subject)
        if not id:
            return False
        with self._journal.begin(at=at, actor="loop") as unit:
            unit.append(OVER, f"{self._system}/{subject}", {"alarm": id})
            unit.put("alarm_over", id, {"at_us": to_us(at)})
            unit.point(self._name(subject), "")
        return True

    def all(self) -> list[Alarm]:
        """All alarms, oldest first."""
        ends = dict(self._reader.records("alarm_over", prefix=f"{self._system}/"))
        return [
            Alarm(
                str(body["subject"]), str(body["text"]), _instant(body), _instant(ends[id]) if id in ends else None
            )
            for id, body in self._reader.records(KIND, prefix=f"{self._system}/")
        ]

    def _on(self, subject: str) -> str:
        pointer = self._reader.pointer(self._name(subject))
        return "" if pointer is None else pointer.value

    def _name(self, subject: str) -> str:
        return f"alarm/{self._system}/{subject}"


def _instant(body: JsonMap) -> datetime:
    at_us = body["at_us"]
    assert isinstance(at_us, int)
    return from_us(at_us)
