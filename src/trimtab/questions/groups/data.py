"""Questions of the data that come in."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from trimtab.kernel.counted import counted
from trimtab.kernel.moment import from_us
from trimtab.questions.phrases import brief, minute, span
from trimtab.questions.question import Group, Question
from trimtab.questions.today import Today

_NOTHING = "nothing is ingested yet"


def _schemas(today: Today) -> str:
    blocked = today.entries("source.blocked")
    if blocked:
        last = blocked[-1]
        later = [one for one in today.entries("source.versioned") if one.seq > last.seq]
        mended = any(one.subject.startswith(f"{last.subject}@") for one in later)
        whole = any(one.subject == last.subject and one.seq > last.seq for one in today.entries("source.whole"))
        now = "it is whole again" if whole else "its older versions serve until it is mended"
        now = "it has newer versions since" if mended else now
        return f"{last.subject} was blocked on {minute(last.at)}: {brief(last.body.get('broken'))}; {now}"
    versions = [one for versions in today.versions.values() for one in versions]
    if not versions:
        return _NOTHING
    changed = len({(one.source, one.schema) for one in versions}) - len({one.source for one in versions})
    kept = f"{changed} CHANGED their columns" if changed else "none changed its columns"
    return f"no delivery was blocked; {counted(len(versions), 'version')} of {len(today.versions)} sources, {kept}"


def _quarantine(today: Today) -> str:
    refused = {name: sum(one.quarantined for one in versions) for name, versions in today.versions.items()}
    rows = sum(one.rows for versions in today.versions.values() for one in versions)
    if not any(refused.values()):
        return f"no row in quarantine, of {counted(rows, 'row')}" if rows else _NOTHING
    worst = max(refused, key=lambda name: refused[name])
    held = today.house.versions.quarantined(worst)
    assert held is not None
    reason = held.group_by("_reason").len().sort("len", "_reason").last().collect()["_reason"].item()
    total = sum(refused.values())
    return f"{counted(total, 'row')} of {rows + total:,} in quarantine; most from {worst}: {brief(reason)}"


def _newest(today: Today) -> str:
    until: dict[int, list[str]] = {}
    for versions in today.versions.values():
        if versions:
            until.setdefault(versions[-1].known_until_us, []).append(versions[-1].id)
    told = [f"{', '.join(until[end])} to {minute(from_us(end))}" for end in sorted(until, reverse=True)]
    return "; ".join(told) or _NOTHING


def _once(today: Today) -> str:
    told = stored = 0
    for name, versions in today.versions.items():
        if versions:
            told += sum(one.rows for one in versions)
            stored += today.house.versions.frame(name).select(pl.len()).collect().item()
    if not told:
        return _NOTHING
    same = "as many as" if told == stored else "NOT as many as"
    return f"{counted(stored, 'row')} in the tables, {same} the versions brought ({told:,})"


def _two_times(today: Today) -> str:
    told = []
    for source in today.house.system.sources:
        if source.known == source.event_time or not today.versions[source.name]:
            continue
        late = (pl.col(source.known) - pl.col(source.event_time)).median()
        median: timedelta | None = today.house.versions.frame(source.name).select(late).collect().item()
        if median is not None:
            side = "before" if median < timedelta() else "after"
            told.append(f"{source.name} {f'{span(abs(median))} {side}' if median else 'at once'}")
    if not told:
        return "no source has a known time of its own" if any(today.versions.values()) else _NOTHING
    return f"known before or after it is true, in the median: {', '.join(told)}"


DATA = Group(
    "data",
    "Data",
    (
        Question(
            "schema-change",
            "What breaks when the schema changes?",
            "trimtab tick",
            "Nothing downstream: the new version is blocked and the changed column named, older versions go on "
            "serving, and the next delivery that keeps the schema is taken.",
            _schemas,
        ),
        Question(
            "bad-rows",
            "What happens to rows that break the contract?",
            "trimtab status",
            "They go into quarantine with the check that they failed; the good rows of the same delivery go on.",
            _quarantine,
        ),
        Question(
            "data-versions",
            "Which data are in force, and up to when do they know?",
            "trimtab status",
            "Each delivery becomes an immutable version with its files' digests; a pointer names the newest.",
            _newest,
        ),
        Question(
            "ingested-twice",
            "Can an ingest that was cut off lose rows, or count them twice?",
            "trimtab tick",
            "No: appends are numbered, and one that was finished but not entered is adopted by the next turn.",
            _once,
        ),
        Question(
            "known-time",
            "When did we know it, as opposed to when was it true?",
            "trimtab explain ID",
            "Every fact has both times, and each reader sees only what was known at its own instant.",
            _two_times,
        ),
        Question(
            "late-delivery",
            "What if a file arrives after its time has passed?",
            "",
            "Rows are taken by the time at which they became known; what is delivered behind that is not seen.",
            open="back-fill of late deliveries is not there yet",
        ),
    ),
)
