"""Back to an earlier release: one pointer move, acknowledged by every worker."""

from __future__ import annotations

import time

import typer

from trimtab import loop
from trimtab.cli.lazy import plain_app
from trimtab.cli.screen import Screen
from trimtab.cli.session import session
from trimtab.kernel.errors import UnknownName
from trimtab.kernel.happening import Happening

app = plain_app()


@app.command()
def rollback(
    system: str = typer.Argument("", help="The system's name; the project's own if none is given."),
    to: str = typer.Option("", help="The first characters of a release's digest; the champion before if none."),
    now: str = typer.Option("", help="ISO 8601 time with a zone, in place of the clock."),
) -> None:
    """Back to an earlier release: one pointer move, acknowledged by every worker."""
    screen = Screen()
    with session(now, checked=False) as open_:
        house = open_.house
        if system and system != house.name:
            raise UnknownName("system", system, [house.name])
        target = house.releases.find(house.name, to) if to else ""
        began_s = time.perf_counter()
        done = loop.rollback(house, open_.now, open_.actor, target)
        screen.told(open_.now, Happening("deployment", done, "good"))
        workers = len(open_.stores.board(house.name).workers())
        took_ms = (time.perf_counter() - began_s) * 1000
        screen.note(f"acknowledged by {workers} live workers in {took_ms:.0f} ms")
