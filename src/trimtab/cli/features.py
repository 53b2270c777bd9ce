"""Features: what there is, who uses it, how it moves; held against their definitions."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from trimtab.cli.feature_stats_shown import show_stats, stats_json
from trimtab.cli.features_leak import leak
from trimtab.cli.features_shown import feature_json, features_json, show_feature, show_features
from trimtab.cli.features_verify import rebuild, verify
from trimtab.cli.lazy import plain_app
from trimtab.cli.lineage_shown import lineage_json, show_lineage
from trimtab.cli.screen import Screen
from trimtab.cli.session import session
from trimtab.house.feature_catalogue import catalogue, champion, find
from trimtab.house.feature_stats import feature_stats
from trimtab.house.lineage import lineage as trace
from trimtab.kernel.moment import duration

app = plain_app()
_WHICH = typer.Argument(metavar="VIEW[.COLUMN]", help="A view, or a feature: trimtab features ls.")
_JSON = typer.Option("--json", help="Print everything as JSON.")


@app.callback()
def features() -> None:
    """Features: what there is, who uses it, how it moves; held against their definitions."""


@app.command("ls")
def ls(
    personal: bool = typer.Option(False, "--personal", help="Only features that hold personal data."),
    unowned: bool = typer.Option(False, "--unowned", help="Only features without an owner."),
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Each feature: type, unit, owner, who uses it."""
    with session(checked=False) as open_:
        found = catalogue(open_.house)
    rows = [
        one
        for one in (*found.rows, *found.gone)
        if not (personal and one.personal != "yes") and not (unowned and one.owner)
    ]
    if as_json:
        _print(features_json(found, rows))
    else:
        show_features(Screen(), found, rows)


@app.command()
def show(which: Annotated[str, _WHICH], as_json: Annotated[bool, _JSON] = False) -> None:
    """One view or feature in full, with its definition."""
    with session(checked=False) as open_:
        found = catalogue(open_.house)
        view, column = find(found, which)
        if as_json:
            _print(feature_json(found, view, column))
        else:
            show_feature(Screen(), found, view, column)


@app.command()
def stats(
    which: Annotated[str, typer.Argument(metavar="[VIEW[.COLUMN]]", help="All features, if not given.")] = "",
    last: str = typer.Option("7d", help="Answers of how long before the newest one."),
    release: str = typer.Option("", help="Of another release than the champion."),
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """As trained beside as served: missing, mean, range, drift."""
    period = duration(last, "--last")
    with session(checked=False) as open_:
        house = open_.house
        digest = house.releases.find(house.name, release) if release else champion(house)
        view, _, column = which.partition(".")
        found = feature_stats(house, digest, view, column, period)
    if as_json:
        _print(stats_json(found))
    else:
        show_stats(Screen(), found, which)


@app.command("lineage")
def lineage(
    of: Annotated[str, typer.Argument(metavar="VIEW[.COLUMN]|SOURCE|RELEASE", help="Where to begin.")],
    last: int = typer.Option(3, min=1, help="How many runs of a definition, the newest ones."),
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """The tree from source to route, or from a release back."""
    with session(checked=False) as open_:
        tree = trace(open_.house, catalogue(open_.house), of, last)
    if as_json:
        _print(lineage_json(tree))
    else:
        show_lineage(Screen(), tree)


app.command()(verify)
app.command()(rebuild)
app.command()(leak)


def _print(body: object) -> None:
    print(json.dumps(body, indent=2, ensure_ascii=False, default=str))
