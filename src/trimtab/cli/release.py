"""Let the gates judge a run, and make a release of it if they let it."""

from __future__ import annotations

import typer

from trimtab import loop
from trimtab.cli.lazy import plain_app
from trimtab.cli.screen import Screen
from trimtab.cli.session import session
from trimtab.kernel.canonical import short
from trimtab.kernel.happening import Happening
from trimtab.simulation.live import judged

app = plain_app()


@app.command()
def release(
    run: str = typer.Argument("", help="A run's id; the newest run if none is given."),
    override: str = typer.Option("", help="Release it whatever the gates say; the reason stands in the ledger."),
    now: str = typer.Option("", help="ISO 8601 time with a zone, in place of the clock."),
) -> None:
    """Let the gates judge a run, and make a release of it if they let it."""
    screen = Screen()
    with session(now) as open_:
        house = open_.house
        newest = house.reader.pointer(f"run/{house.name}")
        digest = loop.release(
            house, run or ("" if newest is None else newest.value), open_.now, open_.actor, override
        )
        for verdict in house.releases.get(digest).verdicts:
            screen.told(open_.now, judged(verdict))
        told = f"release {short(digest)}: gates overridden" if override else f"release {short(digest)} made"
        screen.told(open_.now, Happening("validation", told, "unsure" if override else "good"))
        screen.note(f"next: trimtab deploy {short(digest)}")
