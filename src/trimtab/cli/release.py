"""Let the gates judge a run, and make a release of it if all pass."""

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
    now: str = typer.Option("", help="ISO 8601 time with a zone, in place of the clock."),
) -> None:
    """Let the gates judge a run, and make a release of it if all pass."""
    screen = Screen()
    with session(now) as open_:
        house = open_.house
        newest = house.reader.pointer(f"run/{house.name}")
        digest = loop.release(house, run or ("" if newest is None else newest.value), open_.now, open_.actor)
        for verdict in house.releases.get(digest).verdicts:
            screen.told(open_.now, judged(verdict))
        screen.told(open_.now, Happening("validation", f"release {short(digest)} passed its gates", "good"))
        screen.note(f"next: trimtab deploy {short(digest)}")
