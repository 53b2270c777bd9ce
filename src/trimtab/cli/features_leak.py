"""What a leaky declaration would promise on history, and what serving would keep of it."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl
import typer

from trimtab.cli.bar import Axis, bar
from trimtab.cli.screen import BAD, MARKS, Screen, faint
from trimtab.cli.session import session
from trimtab.house.house import House
from trimtab.kernel.errors import DeclarationInvalid, InvalidValue, NotFound
from trimtab.kernel.moment import parse_instant
from trimtab.project import load_system
from trimtab.simulation.leak import LeakBacktest, leak_backtest
from trimtab.simulation.period import Period

_HISTORY = 1 / 3  # of the questions' time, which models learn from
_STEP = timedelta(days=1)
_AXIS = Axis(0.5, 1.0, letters=24)  # AUC


@dataclass(frozen=True)
class _Judged:
    """A declaration, why it is refused, and its backtest."""

    system: str
    refused: str  # "" if it is not
    got: str
    found: LeakBacktest


def leak(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Declares the other system, beside system.py.")],
    since: str = typer.Option("", help="Learn from before, judge on what follows: ISO 8601 with a zone."),
    zone: str = typer.Option("UTC", help="Of the calendar whose months are shown."),
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Judge another declaration: what it promises on history, and what is left of that once served."""
    screen = Screen()
    with session() as open_, nullcontext() if as_json else screen.progressing():
        period = _period(open_.house, since, zone)
        if not as_json:
            screen.progress("backtest", 0, 1)
        judged = _judge(open_.house, file, period)
    if as_json:
        body = {"system": judged.system, "refused": judged.refused, "because": judged.got, **judged.found.body()}
        print(json.dumps(body, indent=2))
    else:
        _show(screen, judged)
    if judged.refused:
        sys.exit(1)


def _judge(house: House, file: str, period: Period) -> _Judged:
    other = load_system(house.project.folder, file)
    refused = got = ""
    try:
        other.check(house.project.folder)
    except DeclarationInvalid as invalid:
        [problem, *_] = invalid.problems
        refused, got = problem.what, problem.got
    return _Judged(other.name, refused, got, leak_backtest(house.system, other, house.versions.frame, period))


def _period(house: House, since: str, zone: str) -> Period:
    try:
        calendar = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise InvalidValue("--zone", zone, allowed="a name of the IANA database, e.g. Europe/Berlin") from None
    asked = house.system.question
    if not house.versions.current(asked.source.name):
        raise NotFound("dataset version", asked.source.name, do="ingest it first: trimtab tick")
    at = pl.col(asked.at)
    first, last = house.versions.frame(asked.source.name).select(first=at.min(), last=at.max()).collect().row(0)
    start = parse_instant(since, "--since") if since else _month_after(first + (last - first) * _HISTORY, calendar)
    if not first < start < last:
        raise InvalidValue(
            "--since", start.isoformat(), allowed=f"after {first:%Y-%m-%d} and before {last:%Y-%m-%d}"
        )
    return Period((start,), last, last, _STEP, zone)


def _month_after(at: datetime, calendar: ZoneInfo) -> datetime:
    local = at.astimezone(calendar)
    return datetime(local.year + local.month // 12, local.month % 12 + 1, 1, tzinfo=calendar)


def _show(screen: Screen, judged: _Judged) -> None:
    screen.title("Leak", judged.system)
    if judged.refused:
        screen.hang(f"{MARKS['bad']} ", f"refused when declared: {judged.refused}; {judged.got}")
    else:
        screen.hang(f"{MARKS['unsure']} ", "not refused when declared")
    months = judged.found
    rows = [_row(name, months.offline[name], months.served[name], months.honest[name]) for name in months.offline]
    means = [fmean(one.values()) for one in (months.offline, months.served, months.honest)]
    rows.append(_row("mean", *means))
    screen.table(
        (
            "month",
            "on history",
            "once served",
            "honest",
            _AXIS.told("AUC", "served", "promised"),
        ),
        rows,
        right=(1, 2, 3),
    )
    screen.note("one model, learnt before the first month: its features as the tables show them afterwards, and as")
    screen.note("they are when the question is asked; honest is the system of this project")


def _row(name: str, offline: float, served: float, honest: float) -> tuple[str, ...]:
    served_bar = bar(served, offline, _AXIS, BAD)
    return name, f"{offline:.4f}", f"[bold]{served:.4f}[/]", faint(f"{honest:.4f}"), served_bar
