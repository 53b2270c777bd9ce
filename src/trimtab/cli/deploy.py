"""Put a release into production, as the rollout policy plans it."""

from __future__ import annotations

import typer

from trimtab import loop
from trimtab.cli.lazy import plain_app
from trimtab.cli.screen import Screen
from trimtab.cli.session import session
from trimtab.kernel.happening import Happening

app = plain_app()


@app.command()
def deploy(
    release: str = typer.Argument("", help="The first characters of a release's digest; the newest one if none."),
    now: str = typer.Option("", help="ISO 8601 time with a zone, in place of the clock."),
) -> None:
    """Put a release into production, as the rollout policy plans it."""
    with session(now) as open_:
        house = open_.house
        digest = house.releases.find(house.name, release)
        done = loop.deploy(house, digest, open_.now, open_.actor)
        Screen().told(open_.now, Happening("deployment", done, "good"))
