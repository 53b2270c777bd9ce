"""Write one HTML file: quality by month, rollouts, alarms, decisions, one answer explained."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import typer

from trimtab.cli.lazy import plain_app
from trimtab.cli.screen import Screen
from trimtab.cli.session import session
from trimtab.house.explanation import explain_prediction
from trimtab.house.parity import served
from trimtab.house.recount import recount
from trimtab.simulation.figures import figures
from trimtab.web.report.page import render

app = plain_app()


@app.command()
def report(
    prediction: str = typer.Argument("", help="Id of the answer to explain; the highest score if none is given."),
    out: str = typer.Option("report.html", help="The file to write."),
    zone: str = typer.Option("UTC", help="Time zone of months and days, e.g. America/New_York."),
    now: str = typer.Option("", help="ISO 8601 time with a zone, in place of the clock."),
) -> None:
    """Write one HTML file: quality by month, rollouts, alarms, decisions, one answer explained."""
    screen = Screen(zone)
    with session(now, checked=False) as open_:
        house = open_.house
        shown = prediction
        if not shown and house.tables.exists("predictions"):
            rows = served(house).sort("score", "id", descending=True).select(pl.col("id")).head(1).collect()
            shown = str(rows.item()) if rows.height else ""
        explanation = explain_prediction(house, shown) if shown else None
        page = render(
            recount(house, open_.now, zone), figures(house, open_.now, zone), explanation, made_at=open_.now
        )
        Path(out).write_text(page, encoding="utf-8")
        screen.note(f"written: {Path(out).resolve()}")
