"""What is in production, since when, how it does, and whether the ledger is whole."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.markup import escape

from trimtab.cli.lazy import plain_app
from trimtab.cli.screen import BAD, GOOD, UNSURE, Screen, faint
from trimtab.cli.session import Session, session
from trimtab.governance.audit import verify
from trimtab.house.comparing import looks
from trimtab.house.feedback import given
from trimtab.house.log_kept import log_bytes, log_kept
from trimtab.kernel.audience import Audience
from trimtab.kernel.canonical import short
from trimtab.kernel.counted import counted
from trimtab.kernel.moment import from_us

app = plain_app()
_MIB = 1 << 20


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
    count = counted(len(workers), "worker")
    live = f"[{GOOD}]up[/]  {faint(count)}" if workers else f"not running  {faint('trimtab up')}"
    ledger = ("ledger", f"{whole}  {faint(f'{audit.entries} entries')}")
    stands = [("champion", champion), *_beside(open_), ("server", live), *_log(open_)]
    return [*stands, *_feedback(open_), *_alarms(open_), ledger]


def _beside(open_: Session) -> Iterator[tuple[str, str]]:
    """The canary and the shadows, where there are some."""
    house = open_.house
    under_way, route = house.act.rollout(house.name), house.act.route(house.name)
    if under_way is not None and route is not None and route.canary is not None:
        rollout = under_way[0]
        said = f"at most {rollout.ceiling(route.canary.buckets)} of the traffic{_with(rollout.audience)}"
        seen = looks(house, rollout)
        if seen and seen[-1].days:
            last = seen[-1]
            said += f", harm in {last.metric} {last.harm:+.4f} ({last.low:+.4f} to {last.high:+.4f})"
        yield "canary", f"[bold]{short(rollout.release)}[/]  {faint(said)}"
    if route is not None and route.shadows:
        yield "shadows", ", ".join(short(one) for one in route.shadows)


def _with(audience: Audience | None) -> str:
    return "" if audience is None else f" with {escape(audience.words)}"


def _log(open_: Session) -> Iterator[tuple[str, str]]:
    """How much of the prediction log is kept, and by which policy."""
    house = open_.house
    found = log_kept(house)
    if found.answered:
        size = f"{house.system.log.words}, {log_bytes(house) / _MIB:.1f} MiB"
        yield "log", f"{found.words}  {faint(size)}"


def _feedback(open_: Session) -> Iterator[tuple[str, str]]:
    """What was said of answers, and what of it belongs to none."""
    found = given(open_.house)
    if found is None:
        return
    told = f"{counted(found.rows, 'row')}  {faint(counted(found.labels, 'label'))}"
    lost = [counted(found.unknown, "row") + " with an id of no answer"] if found.unknown else []
    lost += [counted(found.unasked, "key") + " of no compacted answer"] if found.unasked else []
    yield "feedback", told + (f"  [{UNSURE}]{', '.join(lost)}[/]" if lost else "")


def _alarms(open_: Session) -> Iterator[tuple[str, str]]:
    """Alarms that are on."""
    for one in open_.house.alarms.all():
        if one.over is None:
            yield "alarm", f"[{BAD}]{escape(one.subject)}[/]  {faint(f'{one.text}, since {_minute(one.at)} UTC')}"


def _sources(open_: Session) -> list[tuple[str, ...]]:
    house = open_.house
    rows: list[tuple[str, ...]] = []
    for source in house.system.sources:
        newest = house.versions.current(source.name)
        versions = [house.versions.version(source.name, number) for number in range(1, newest + 1)]
        until = _minute(from_us(versions[-1].known_until_us)) if versions else faint("nothing ingested")
        refused = sum(one.quarantined - one.released for one in versions)
        count = f"{sum(one.rows for one in versions):,}"
        quarantined = f"[{UNSURE}]{refused:,}[/]" if refused else faint("0")
        rows.append((source.name, str(newest), until, count, quarantined))
    return rows


def _releases(open_: Session) -> list[tuple[str, ...]]:
    house = open_.house
    route = house.act.route(house.name)
    been = house.releases.been_in_production(house.name)
    tried = {one.release for one in house.act.rollouts(house.name)}
    rows: list[tuple[str, ...]] = []
    for digest, facts in house.releases.all(house.name):
        role = faint("before" if digest in been else "only as a canary" if digest in tried else "never")
        if route is not None and digest == route.champion:
            role = f"[{GOOD}]now[/]"
        elif route is not None and route.canary is not None and digest == route.canary.release:
            role = f"[{UNSURE}]as a canary[/]"
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
            short(one.release) or "all answers",
        )
        for one in open_.house.measure.evidence(open_.house.name)
    ]


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
