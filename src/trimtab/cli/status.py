"""What is in production, since when, how it does, and whether the ledger is whole."""

from __future__ import annotations

from datetime import datetime

from rich.markup import escape

from trimtab.cli.lazy import plain_app
from trimtab.cli.screen import BAD, GOOD, UNSURE, Screen, faint
from trimtab.cli.session import Session, session
from trimtab.governance.audit import verify
from trimtab.kernel.canonical import short
from trimtab.kernel.moment import from_us

app = plain_app()


@app.command()
def status() -> None:
    """What is in production, since when, how it does, and whether the ledger is whole."""
    screen = Screen()
    with session(checked=False) as open_:
        house = open_.house
        screen.title(house.name, str(house.project.folder))
        screen.facts(_facts(open_))
        screen.title("Sources")
        screen.table(
            ("source", "version", "known until (UTC)", "rows", "quarantined"), _sources(open_), right=(1, 3, 4)
        )
        screen.title("Releases")
        releases = _releases(open_)
        if releases:
            screen.table(("release", "made (UTC)", "by", "in production"), releases)
        else:
            screen.note("none yet: trimtab train, then trimtab release")
        measured = _measured(open_)
        if measured:
            screen.title("Measured in production")
            screen.table(("month", "metric", "value", "95 % interval", "labels", "release"), measured, right=(2, 4))


def _facts(open_: Session) -> list[tuple[str, str]]:
    house = open_.house
    route = house.act.route(house.name)
    pointer = house.reader.pointer(f"route/{house.name}")
    workers = open_.stores.board(house.name).workers()
    champion = f"[{UNSURE}]nothing is deployed[/]  {faint('trimtab train, release, deploy')}"
    if route is not None and pointer is not None:
        warm = ", ".join(short(one) for one in route.warm) or "none"
        since = f"since {_minute(pointer.moved_at)} UTC, kept warm: {warm}"
        champion = f"[bold]{short(route.champion)}[/]  {faint(since)}"
    audit = verify(house.reader, house.heads())
    whole = f"[{GOOD}]whole[/]" if audit.ok else f"[{BAD}]NOT whole[/]  {faint('trimtab audit verify')}"
    count = f"{len(workers)} worker{'s' if len(workers) != 1 else ''}"
    live = f"[{GOOD}]up[/]  {faint(count)}" if workers else f"not running  {faint('trimtab up')}"
    return [("champion", champion), ("server", live), ("ledger", f"{whole}  {faint(f'{audit.entries} entries')}")]


def _sources(open_: Session) -> list[tuple[str, ...]]:
    house = open_.house
    rows: list[tuple[str, ...]] = []
    for source in house.system.sources:
        newest = house.versions.current(source.name)
        versions = [house.versions.version(source.name, number) for number in range(1, newest + 1)]
        until = _minute(from_us(versions[-1].known_until_us)) if versions else faint("nothing ingested")
        refused = sum(one.quarantined for one in versions)
        count = f"{sum(one.rows for one in versions):,}"
        quarantined = f"[{UNSURE}]{refused:,}[/]" if refused else faint("0")
        rows.append((source.name, str(newest), until, count, quarantined))
    return rows


def _releases(open_: Session) -> list[tuple[str, ...]]:
    house = open_.house
    route = house.act.route(house.name)
    been = house.releases.been_in_production(house.name)
    rows: list[tuple[str, ...]] = []
    for digest, facts in house.releases.all(house.name):
        role = faint("before" if digest in been else "never")
        if route is not None and digest == route.champion:
            role = f"[{GOOD}]now[/]"
        made = _minute(datetime.fromisoformat(str(facts["created_at"])))
        rows.append((short(digest), made, escape(str(facts["actor"])), role))
    return rows


def _measured(open_: Session) -> list[tuple[str, ...]]:
    return [
        (
            f"{from_us(one.since_us):%Y-%m}",
            one.metric,
            f"[bold]{one.value:.4f}[/]",
            f"{one.low:.4f} to {one.high:.4f}",
            f"{one.rows:,}",
            short(one.release),
        )
        for one in open_.house.measure.evidence(open_.house.name)
    ]


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
