"""What was in production at an instant, or at any time: since when, by whom, and why."""

from __future__ import annotations

from datetime import datetime, timedelta

import typer
from rich.markup import escape

from trimtab.cli.lazy import plain_app
from trimtab.cli.screen import GOOD, UNSURE, Screen, faint
from trimtab.cli.session import session
from trimtab.kernel.canonical import short
from trimtab.kernel.errors import NotFound
from trimtab.kernel.moment import parse_instant
from trimtab.kernel.route import Canary, Route
from trimtab.registry.releases import InForce

app = plain_app()


@app.command()
def history(
    at: str = typer.Option("", help="ISO 8601 time with a zone: what answered users then."),
    last: int = typer.Option(20, help="How many of the newest routes to list; 0 for all."),
) -> None:
    """What was in production at an instant, or at any time: since when, by whom, and why."""
    screen = Screen()
    with session(checked=False) as open_:
        house = open_.house
        if at:
            then = parse_instant(at, "--at")
            _then(screen, house.name, then, house.releases.in_force(house.name, then))
            return
        routes = house.releases.routes(house.name)
        if not routes:
            screen.note("nothing has been in production yet: trimtab train, release, deploy")
            return
        ends = [*(one.since for one in routes[1:]), None]
        shown = list(zip(routes, ends, strict=True))[-last if last > 0 else None :]
        rows = [
            (
                f"{one.since:%Y-%m-%d %H:%M}",
                f"[{GOOD}]now[/]" if until is None else _lasted(until - one.since),
                f"[bold]{short(one.route.champion)}[/]",
                _beside(one.route) or faint("nothing"),
                escape(one.actor),
                escape(one.because),
            )
            for one, until in shown
        ]
        screen.title(house.name, f"{len(shown)} of {len(routes)} routes, the newest last")
        screen.table(("since (UTC)", "for", "answered", "beside it", "by", "because"), rows, right=(1,))


def _then(screen: Screen, system: str, at: datetime, found: InForce | None) -> None:
    if found is None:
        raise NotFound(
            "release in production at",
            at.isoformat(),
            allowed="an instant after the first deployment",
            do="list what was in production: trimtab history",
        )
    screen.title(system, f"at {at:%Y-%m-%d %H:%M:%S %Z}")
    screen.facts(
        [
            ("answered", f"[bold]{found.route.champion}[/]"),
            ("beside it", _beside(found.route) or faint("nothing")),
            ("since", f"{found.since:%Y-%m-%d %H:%M:%S} UTC  {faint(f'entry {found.ledger_seq} of the ledger')}"),
            ("by", escape(found.actor)),
            ("because", escape(found.because)),
        ]
    )


def _beside(route: Route) -> str:
    """The canary and the shadows."""
    said = []
    if route.canary is not None:
        answered = f"answered {route.canary.share:.0%}{_of(route.canary)}"
        said.append(f"[{UNSURE}]{short(route.canary.release)}[/] {answered}")
    return ", ".join([*said, *(f"{short(one)} as a shadow" for one in route.shadows)])


def _of(canary: Canary) -> str:
    return "" if canary.audience is None else f" of {escape(canary.audience.words)}"


def _lasted(span: timedelta) -> str:
    """A span of time in its two largest units."""
    minutes = span // timedelta(minutes=1)
    days, hours = minutes // 1440, minutes // 60 % 24
    return f"{days} d {hours} h" if days else f"{hours} h {minutes % 60} min"
