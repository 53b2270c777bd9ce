"""What is in production, since when, how it does, and whether the ledger is whole."""

from __future__ import annotations

from rich.markup import escape

from trimtab.cli.lazy import plain_app
from trimtab.cli.screen import BAD, FAINT, GOOD, Screen
from trimtab.cli.session import Session, session
from trimtab.governance.audit import verify
from trimtab.kernel.canonical import short
from trimtab.kernel.moment import from_us

app = plain_app()


@app.command()
def status() -> None:
    """What is in production, since when, how it does, and whether the ledger is whole."""
    screen = Screen()
    with session() as open_:
        house = open_.house
        screen.title(house.name, str(house.project.folder))
        screen.table(("", ""), [(f"[{FAINT}]{name}[/]", text) for name, text in _facts(open_)])
        screen.title("Sources")
        screen.table(
            ("source", "version", "known until (UTC)", "rows", "quarantined"), _sources(open_), right=(3, 4)
        )
        screen.title("Releases")
        screen.table(("release", "made (UTC)", "by", ""), _releases(open_))
        evidence = house.measure.evidence(house.name)
        if evidence:
            screen.title("Measured in production")
            rows = [
                (
                    from_us(one.since_us).strftime("%Y-%m"),
                    one.metric,
                    f"{one.value:.4f}",
                    f"{one.low:.4f} to {one.high:.4f}",
                    f"{one.rows:,}",
                    short(one.release),
                )
                for one in evidence
            ]
            screen.table(("month", "metric", "value", "95 % interval", "labels", "release"), rows, right=(2, 4))


def _facts(open_: Session) -> list[tuple[str, str]]:
    house = open_.house
    route = house.act.route(house.name)
    pointer = house.reader.pointer(f"route/{house.name}")
    workers = open_.stores.board(house.name).workers()
    champion = "nothing is deployed: trimtab train, release, deploy"
    if route is not None and pointer is not None:
        since = pointer.moved_at.strftime("%Y-%m-%d %H:%M UTC")
        warm = ", ".join(short(one) for one in route.warm) or "none"
        champion = f"[bold]{short(route.champion)}[/] since {since}, kept warm: {warm}"
    audit = verify(house.reader, house.heads())
    whole = f"[{GOOD}]whole[/]" if audit.ok else f"[{BAD}]NOT whole: trimtab audit verify[/]"
    live = f"[{GOOD}]{len(workers)} workers[/]" if workers else f"[{FAINT}]not running: trimtab up[/]"
    return [("champion", champion), ("server", live), ("ledger", f"{audit.entries} entries, {whole}")]


def _sources(open_: Session) -> list[tuple[str, ...]]:
    house = open_.house
    rows: list[tuple[str, ...]] = []
    for source in house.system.sources:
        newest = house.versions.current(source.name)
        versions = [house.versions.version(source.name, number) for number in range(1, newest + 1)]
        until = from_us(versions[-1].known_until_us).strftime("%Y-%m-%d %H:%M") if versions else "-"
        refused = sum(one.quarantined for one in versions)
        count = f"{sum(one.rows for one in versions):,}"
        rows.append((source.name, str(newest), until, count, f"[yellow]{refused}[/]" if refused else "0"))
    return rows


def _releases(open_: Session) -> list[tuple[str, ...]]:
    house = open_.house
    route = house.act.route(house.name)
    been = house.releases.been_in_production(house.name)
    rows: list[tuple[str, ...]] = []
    for digest, facts in house.releases.all(house.name):
        role = "served before" if digest in been else "never served"
        if route is not None and digest == route.champion:
            role = f"[{GOOD}]champion[/]"
        rows.append((short(digest), str(facts["created_at"])[:16], escape(str(facts["actor"])), role))
    return rows
