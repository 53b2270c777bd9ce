"""One turn of the loop: ingest, materialise, compact, measure, and retrain if it is due."""

from __future__ import annotations

import typer

from trimtab import loop
from trimtab.cli.lazy import plain_app
from trimtab.cli.screen import Screen
from trimtab.cli.session import session

app = plain_app()


@app.command()
def tick(
    now: str = typer.Option("", help="ISO 8601 time with a zone, in place of the clock."),
) -> None:
    """One turn of the loop: ingest, materialise, compact, measure, and retrain if it is due."""
    screen = Screen()
    with session(now) as open_:
        lines = 0
        for one in loop.tick(open_.house, open_.now):
            screen.told(open_.now, one)
            lines += 1
        if not lines:
            screen.note("nothing was due")
