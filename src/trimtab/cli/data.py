"""Sources and their versions: log, diff, checkout, contracts, quarantine."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from trimtab.cli.data_shown import (
    diff_json,
    log_json,
    quarantine_json,
    show_diff,
    show_log,
    show_quarantine,
    show_sources,
    show_stored,
    sources_json,
)
from trimtab.cli.lazy import plain_app
from trimtab.cli.screen import MARKS, Screen
from trimtab.cli.session import session
from trimtab.data.diff import diff as difference
from trimtab.data.infer import contract_name
from trimtab.house.datasets import (
    check_out,
    draft_contract,
    quarantine_of,
    source_of,
    version_named,
    write_contract,
)
from trimtab.house.stored_files import stored_files
from trimtab.kernel.counted import counted
from trimtab.kernel.dataset_version import DatasetVersion
from trimtab.kernel.happening import Mark
from trimtab.kernel.moment import parse_instant
from trimtab.loop import take

app = plain_app()
_SOURCE = typer.Argument(help="A source of the system: trimtab data ls.")
_JSON = typer.Option("--json", help="Print everything as JSON.")


@app.callback()
def data() -> None:
    """Sources and their versions: log, diff, checkout, contracts, quarantine."""


@app.command("ls")
def ls(as_json: Annotated[bool, _JSON] = False) -> None:
    """Each source: newest version, rows, state."""
    with session(checked=False) as open_:
        if as_json:
            _print(sources_json(open_.house))
        else:
            show_sources(Screen(), open_.house)


@app.command()
def verify(
    source: Annotated[str, typer.Argument(help="Only this one; all, if not given.")] = "",
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Are the stored files those that were written?"""
    screen = Screen()
    with session(checked=False) as open_:
        house = open_.house
        asked = [source_of(house, source)] if source else house.system.sources
        if as_json:
            found = list(stored_files(house, asked, lambda *_: None))
            _print([{**vars(one), "harm": None if one.harm is None else str(one.harm)} for one in found])
        else:
            with screen.progressing():
                found = list(stored_files(house, asked, screen.progress))
            show_stored(screen, found)
    if any(one.harm for one in found):
        sys.exit(1)


@app.command()
def log(
    source: Annotated[str, _SOURCE],
    last: int = typer.Option(20, min=1, help="How many versions."),
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Versions: what each brought, knew and refused."""
    with session(checked=False) as open_:
        found = source_of(open_.house, source)
        if as_json:
            _print(log_json(open_.house, found))
        else:
            show_log(Screen(), open_.house, found, last)


@app.command()
def diff(
    source: Annotated[str, _SOURCE],
    before: int = typer.Argument(help="Number of the older version."),
    after: int = typer.Argument(help="Number of the newer version."),
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """What a newer version has that an older had not."""
    with session(checked=False) as open_:
        found = difference(open_.house.versions, source_of(open_.house, source).name, before, after)
    if as_json:
        _print(diff_json(found))
    else:
        show_diff(Screen(), found)


@app.command()
def checkout(
    version: Annotated[str, typer.Argument(help="SOURCE@NUMBER, or SOURCE for the newest.")],
    to: Annotated[Path, typer.Option(help="A .parquet or .csv file, or a folder.")],
    at: str = typer.Option("", help="The version that was in force then: ISO 8601 with a zone."),
    force: bool = typer.Option(False, "--force", help="Write over a file that is there."),
) -> None:
    """Write exactly the rows that a version knows."""
    with session(checked=False) as open_:
        instant = parse_instant(at, "--at") if at else None
        source, number = version_named(open_.house, version, instant)
        file = check_out(open_.house, source, number, to, force=force)
        told = open_.house.versions.version(source.name, number)
    _say(Screen(), "good", f"{told.id} is in {file}")


@app.command()
def infer(
    source: Annotated[str, _SOURCE],
    write: bool = typer.Option(False, "--write", help="Write contracts_SOURCE.py beside the system's file."),
    force: bool = typer.Option(False, "--force", help="Write over a file that is there."),
    now: str = typer.Option("", help="ISO 8601 time with a zone, in place of the clock."),
) -> None:
    """Draft a contract from what is known of a source."""
    with session(now, checked=False) as open_:
        found = source_of(open_.house, source)
        text = draft_contract(open_.house, found, open_.now)
        if not write:
            print(text, end="")
            return
        file = write_contract(open_.house, found, text, force=force)
    screen = Screen()
    _say(screen, "good", f"{file} holds {contract_name(found)}: review it")
    screen.note(
        f"then: from {file.stem} import {contract_name(found)}, and Source(…, contract={contract_name(found)})"
    )


@app.command()
def quarantine(
    source: Annotated[str, _SOURCE],
    reason: str = typer.Option("", help="Only rows whose reason contains this."),
    last: int = typer.Option(20, min=1, help="How many rows."),
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Rows that were refused, with their reasons."""
    with session(checked=False) as open_:
        found = source_of(open_.house, source)
        if as_json:
            _print(quarantine_json(open_.house, found, reason))
        else:
            show_quarantine(Screen(), open_.house, found, reason, last)


@app.command()
def release(
    source: Annotated[str, _SOURCE],
    why: str = typer.Option(help="Why they are right after all; it stands in the ledger."),
    rows: Annotated[list[str] | None, typer.Option(help="Names of rows, e.g. 12.3,12.4: data quarantine.")] = None,
    reason: str = typer.Option("", help="All rows whose reason contains this."),
    by: str = typer.Option("", help="Who has reviewed them; you, if not given."),
    now: str = typer.Option("", help="ISO 8601 time with a zone, in place of the clock."),
) -> None:
    """Let reviewed rows in, known since now."""
    named = [one for group in rows or () for one in group.replace(",", " ").split()]
    screen = Screen()
    with session(now) as open_:
        house = open_.house
        found = source_of(house, source)
        actor = f"user:{by}" if by else open_.actor
        with house.alone():
            fresh = quarantine_of(house).release(found, named, reason, by=actor, why=why, now=open_.now)
        if fresh:
            _say(screen, "good", f"{counted(len(fresh), 'row')} of {source} reviewed by {actor}")
        else:
            _say(screen, "routine", "nothing to do: these rows were let in before")
        for happened in take(house, open_.now):
            screen.told(open_.now, happened)
        waiting = quarantine_of(house).reviews(source, _carried_out(house.versions.all(source)))
    if waiting:
        screen.note(f"{source} takes them with its next version, once it is whole")


def _carried_out(versions: list[DatasetVersion]) -> int:
    return versions[-1].releases if versions else 0


def _say(screen: Screen, mark: Mark, text: str) -> None:
    screen.hang(f"{MARKS[mark]} ", escape(text))


def _print(body: object) -> None:
    print(json.dumps(body, indent=2, ensure_ascii=False, default=str))
