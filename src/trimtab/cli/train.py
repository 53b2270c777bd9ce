"""Train on everything known by now; a run that was cut off goes on where it stopped."""

from __future__ import annotations

import typer

from trimtab import loop
from trimtab.cli.lazy import plain_app
from trimtab.cli.screen import Screen
from trimtab.cli.session import session
from trimtab.kernel.happening import Happening

app = plain_app()


@app.command()
def train(
    now: str = typer.Option("", help="ISO 8601 time with a zone, in place of the clock."),
) -> None:
    """Train on everything known by now; a run that was cut off goes on where it stopped."""
    screen = Screen()
    with session(now) as open_:
        for one in loop.tick(open_.house, open_.now):
            screen.told(open_.now, one)
        with screen.console.status("training"):
            run = loop.train(open_.house, open_.now, open_.actor)
        screen.told(open_.now, Happening("training", f"run {run} finished", "good"))
        screen.note("next: trimtab release")
