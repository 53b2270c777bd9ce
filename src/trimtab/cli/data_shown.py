"""How sources, versions, differences and quarantine look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import polars as pl
from rich.markup import escape

from trimtab.cli.screen import BAD, GOOD, MARKS, UNSURE, Screen, faint
from trimtab.data.contract import REASON
from trimtab.data.diff import Diff
from trimtab.data.quarantine import ROW
from trimtab.house.datasets import profiles_of, quarantine_of
from trimtab.house.house import House
from trimtab.house.stored_files import StoredFiles
from trimtab.kernel.canonical import Json, short
from trimtab.kernel.counted import counted
from trimtab.kernel.dataset_version import DatasetVersion, version_id
from trimtab.kernel.moment import from_us
from trimtab.kernel.source import Source

_VALUES = 60  # characters of a refused row's values


def show_sources(screen: Screen, house: House) -> None:
    """A line a source."""
    rows = [_source_row(house, one) for one in house.system.sources]
    screen.title("Sources", house.name)
    head = ("source", "version", "known until (UTC)", "rows", "quarantined", "state")
    screen.table(head, rows, right=(1, 3, 4))
    screen.note("trimtab data log SOURCE, trimtab data quarantine SOURCE")


def _source_row(house: House, source: Source) -> tuple[str, ...]:
    versions = house.versions.all(source.name)
    block = house.ingest.blocked(source)
    state = f"[{GOOD}]whole[/]"
    if block is not None:
        state = f"[{BAD}]blocked[/] {faint(f'since {_minute(block.since_us)}')}"
    elif not versions:
        state = f"[{UNSURE}]nothing yet[/]"
    return (
        escape(source.name),
        str(len(versions)),
        _minute(versions[-1].known_until_us) if versions else "",
        f"{sum(one.rows for one in versions):,}",
        _some(_quarantined(versions)),
        state,
    )


def sources_json(house: House) -> list[dict[str, Any]]:
    """The same for programs."""
    found = []
    for source in house.system.sources:
        versions, block = house.versions.all(source.name), house.ingest.blocked(source)
        found.append(
            {
                "source": source.name,
                "version": len(versions),
                "known_until": _iso(versions[-1]) if versions else None,
                "rows": sum(one.rows for one in versions),
                "quarantined": _quarantined(versions),
                "released": sum(one.released for one in versions),
                "blocked_since": from_us(block.since_us).isoformat() if block else None,
            }
        )
    return found


def show_stored(screen: Screen, found: Sequence[StoredFiles]) -> None:
    """What was looked at, and what is wrong with it."""
    screen.title("Stored files")
    rows = [
        (
            one.source,
            f"{one.versions:,}",
            f"{one.files:,}",
            f"[{GOOD}]as written[/]" if one.harm is None else f"[{BAD}]{escape(one.harm.got)}[/]",
        )
        for one in found
    ]
    screen.table(("source", "versions", "files", "state"), rows, right=(1, 2))
    for one in found:
        if one.harm is not None:
            screen.hang(f"  {MARKS['bad']} ", f"{escape(one.harm.where)}; {escape(one.harm.do)}")


def _quarantined(versions: list[DatasetVersion]) -> int:
    """Rows that are in quarantine now."""
    return sum(one.quarantined - one.released for one in versions)


def show_log(screen: Screen, house: House, source: Source, last: int) -> None:
    """The newest versions, newest first."""
    versions = house.versions.all(source.name)
    screen.title(source.name, counted(len(versions), "version"))
    if not versions:
        screen.note("nothing is ingested yet: trimtab tick")
    before = {one.number: other for one, other in zip(versions[1:], versions, strict=False)}
    shown = versions[::-1][:last]
    if shown:
        rows = [_log_row(one, before.get(one.number)) for one in shown]
        head = ("version", "known until (UTC)", "rows", "quarantined", "back-filled", "digest", "")
        screen.table(head, rows, right=(0, 2, 3, 4))
    for at, broken in _blocks(house, source)[-3:]:
        screen.hang(f"  {MARKS['bad']} ", f"blocked {at}: {escape(broken)}")
    if len(versions) > len(shown):
        screen.note(f"{counted(len(versions) - len(shown), 'older one')}: --last {len(versions)}")


def _log_row(one: DatasetVersion, before: DatasetVersion | None) -> tuple[str, ...]:
    told = []
    if one.released:
        told.append(f"{one.released:,} let in from quarantine")
    told += [f"[{UNSURE}]{escape(check)}: {counted(rows, 'row')}[/]" for check, rows in one.warned]
    if one.repaired:
        told.append(f"[{GOOD}]whole again[/]")
    if before is not None and set(before.schema) != set(one.schema):
        told.append(f"[{BAD}]columns changed[/]")
    return (
        str(one.number),
        _minute(one.known_until_us),
        f"{one.rows:,}",
        _some(one.quarantined),
        _some(one.backfilled),
        faint(short(one.digest)),
        "; ".join(told),
    )


def log_json(house: House, source: Source) -> dict[str, Any]:
    """All versions with their profiles, oldest first, and all that blocked them."""
    profiles = profiles_of(house)
    versions = [
        {
            **{name: value for name, value in one.body().items() if name not in ("files", "refused")},
            "id": one.id,
            "known_until": _iso(one),
            "profile": profiles.of(one).profile,
        }
        for one in house.versions.all(source.name)
    ]
    blocks = [{"at": at, "broken": broken} for at, broken in _blocks(house, source)]
    return {"source": source.name, "versions": versions, "blocked": blocks}


def show_diff(screen: Screen, found: Diff) -> None:
    """Rows first, then columns."""
    older, newer = version_id(found.source, found.before), version_id(found.source, found.after)
    screen.title(f"{older} → {newer}")
    rows = f"[bold]{found.rows_added:,}[/]  {faint(f'beside {found.rows_before:,}')}"
    facts = [
        ("rows added", rows),
        ("quarantined", _some(found.quarantined)),
        ("back-filled", _some(found.backfilled)),
    ]
    if found.released:
        facts.append(("released", f"{found.released:,} from quarantine"))
    screen.facts(facts)
    if not found.changes:
        screen.note(
            "columns are as they were, and what is in them: nothing moved by more than chance, no range has grown"
        )
        return
    screen.table(
        ("column", "what", "before → in the new rows"),
        [(f"[bold]{escape(one.column)}[/]", one.what, escape(one.text)) for one in found.changes],
    )


def diff_json(found: Diff) -> dict[str, Any]:
    """The same for programs."""
    return asdict(found)


def show_quarantine(screen: Screen, house: House, source: Source, reason: str, last: int) -> None:
    """Reasons with their counts, then the newest rows."""
    rows = _refused(house, source, reason)
    if rows is None:
        screen.title(source.name, "nothing in quarantine")
        return
    if rows.is_empty():
        screen.title(source.name, f"no row in quarantine whose reason contains '{reason}'")
        screen.note(f"all of them: trimtab data quarantine {source.name}")
        return
    waiting = rows.filter(pl.col("_let_in").is_null())
    screen.title(source.name, f"{waiting.height:,} in quarantine, {rows.height - waiting.height:,} let in")
    counts = waiting.group_by(REASON).len().sort("len", REASON, descending=[True, False])
    screen.table(("rows", "reason"), [(f"{n:,}", escape(text)) for text, n in counts.iter_rows()], right=(0,))
    screen.console.print()
    screen.table(("row", "reason", "values"), [_refused_row(one) for one in _newest(rows, last)])
    if rows.height > last:
        screen.note(f"{rows.height - last:,} more: --last {rows.height}, or --json")
    if source.known != source.event_time:  # others cannot say when a row came, and let none in
        screen.note(f"trimtab data release {source.name} --rows NAMES --why TEXT lets rows in after review")


def _newest(rows: pl.DataFrame, last: int) -> list[dict[str, Any]]:
    return list(rows[::-1].head(last).iter_rows(named=True))


def _refused_row(row: dict[str, Any]) -> tuple[str, ...]:
    values = ", ".join(f"{name} {value}" for name, value in row.items() if not name.startswith("_"))
    values = values if len(values) <= _VALUES else f"{values[: _VALUES - 1]}…"
    said = f"[{UNSURE}]{escape(row[REASON])}[/]"
    if row["_let_in"] is not None:
        said = f"[{GOOD}]{escape(row['_let_in'])}[/] {faint(row[REASON])}"
    return str(row[ROW]), said, faint(values)


def quarantine_json(house: House, source: Source, reason: str) -> list[dict[str, Any]]:
    """Every refused row with its name, reason, and who let it in."""
    rows = _refused(house, source, reason)
    return [] if rows is None else rows.to_dicts()


def _refused(house: House, source: Source, reason: str) -> pl.DataFrame | None:
    quarantine = quarantine_of(house)
    rows = quarantine.rows(source.name)
    if rows is None:
        return None
    let_in = {
        name: f"let in by {one.by}: {one.why}" for one in quarantine.reviews(source.name) for name in one.rows
    }
    told = pl.col(ROW).replace_strict(let_in, default=None, return_dtype=pl.String).alias("_let_in")
    return rows.filter(pl.col(REASON).str.contains(reason, literal=True)).with_columns(told)


def _blocks(house: House, source: Source) -> list[tuple[str, str]]:
    entries = house.reader.entries(kind="source.blocked", subject=source.name)
    return [(f"{one.at:%Y-%m-%d %H:%M}", _text(one.body.get("broken"))) for one in entries]


def _text(value: Json) -> str:
    return str(value or "")


def _iso(version: DatasetVersion) -> str:
    return from_us(version.known_until_us).isoformat()


def _some(count: int) -> str:
    return f"[{UNSURE}]{count:,}[/]" if count else faint("0")


def _minute(us: int) -> str:
    return f"{from_us(us):%Y-%m-%d %H:%M}"
