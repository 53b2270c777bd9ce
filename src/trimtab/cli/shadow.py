"""Let a release score every row beside the champion, without answering any."""

from __future__ import annotations

import typer

from trimtab import loop
from trimtab.cli.lazy import plain_app
from trimtab.cli.screen import Screen
from trimtab.cli.session import session
from trimtab.kernel.happening import Happening

app = plain_app()


@app.command()
def shadow(
    release: str = typer.Argument("", help="The first characters of a release's digest; the newest one if none."),
    off: bool = typer.Option(False, "--off", help="It is to be a shadow no longer."),
    now: str = typer.Option("", help="ISO 8601 time with a zone, in place of the clock."),
) -> None:
    """Let a release score every row beside the champion, without answering any."""
    with session(now) as open_:
        house = open_.house
        digest = house.releases.find(house.name, release)
        done = loop.shadow(house, digest, open_.now, open_.actor, on=not off)
        Screen().told(open_.now, Happening("deployment", done, "good"))
