"""From a prediction's id back to raw rows: features, release, training data, gates, who deployed it."""

from __future__ import annotations

import json

import typer

from trimtab.cli.explained import explanation_json, show_explanation
from trimtab.cli.lazy import plain_app
from trimtab.cli.screen import Screen
from trimtab.cli.session import session
from trimtab.house.explanation import explain_prediction

app = plain_app()


@app.command()
def explain(
    id: str = typer.Argument(help="A prediction's id, as the server answered it."),
    zone: str = typer.Option("UTC", help="Time zone in which times are shown."),
    as_json: bool = typer.Option(False, "--json", help="Print everything as JSON."),
) -> None:
    """From a prediction's id back to raw rows: features, release, training data, gates, who deployed it."""
    with session(checked=False) as open_:
        found = explain_prediction(open_.house, id)
        if as_json:
            print(json.dumps(explanation_json(found), indent=2, default=str))
        else:
            show_explanation(Screen(), found, zone)
