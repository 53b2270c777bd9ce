"""Features held against their definitions: logged answers recomputed, training sets rebuilt."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from trimtab.cli.features_verified import rebuilt_json, show_rebuilt, show_verified, verified_json
from trimtab.cli.screen import Screen
from trimtab.cli.session import session
from trimtab.house.rebuilding import rebuild as rebuild_set
from trimtab.house.rebuilding import write_rebuilt
from trimtab.house.verifying import Asked
from trimtab.house.verifying import verify as verify_answers
from trimtab.kernel.moment import duration, parse_instant

_JSON = typer.Option("--json", help="Print everything as JSON.")


def verify(
    last: str = typer.Option("", help="Only the last, e.g. 7d, before the newest answer."),
    since: str = typer.Option("", help="Only answers from then on: ISO 8601 with a zone."),
    until: str = typer.Option("", help="Only answers up to then."),
    release: str = typer.Option("", help="Only answers of this release."),
    sample: int = typer.Option(0, min=0, help="At most so many answers, drawn by a fixed seed; 0: all."),
    show: int = typer.Option(20, min=0, help="How many answers that differ are listed."),
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Recompute logged answers; say what differs, and why. Late data alone is no failure."""
    screen = Screen()
    with session(checked=False) as open_:
        asked = Asked(
            since=parse_instant(since, "--since") if since else None,
            until=parse_instant(until, "--until") if until else None,
            last=duration(last, "--last") if last else None,
            release=open_.house.releases.find(open_.house.name, release) if release else "",
            sample=sample,
        )
        if as_json:
            found = verify_answers(open_.house, asked, _quiet)
            print(json.dumps(verified_json(found), indent=2, default=datetime.isoformat))
        else:
            with screen.progressing():
                found = verify_answers(open_.house, asked, screen.progress)
            show_verified(screen, open_.house.name, found, show)
    if any(one.fault for one in found.found):
        sys.exit(1)


def rebuild(
    of: Annotated[str, typer.Argument(metavar="[RUN|RELEASE]", help="Whose; the champion's, if not given.")] = "",
    to: Annotated[Path | None, typer.Option(help="Write the rows there, as an Arrow IPC file.")] = None,
    force: bool = typer.Option(False, "--force", help="Write over a file that is there."),
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Make a training set anew, and prove it is the same."""
    screen = Screen()
    with session(checked=False) as open_:
        if as_json:
            made = rebuild_set(open_.house, of, _quiet)
        else:
            with screen.progressing():
                made = rebuild_set(open_.house, of, screen.progress)
    # What is not the training set is not written under its name.
    file = write_rebuilt(made, to, force=force) if to is not None and made.same else None
    if as_json:
        print(json.dumps(rebuilt_json(made, file), indent=2))
    else:
        show_rebuilt(screen, made, to, file)
    if not made.same:
        sys.exit(1)


def _quiet(stage: str, done: int, total: int) -> None:
    """What programs read has no bars."""
