"""Score a file of rows, as requests are: same release, same features, same log."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from trimtab.cli.lazy import plain_app
from trimtab.cli.screen import GOOD, UNSURE, Screen, faint
from trimtab.cli.session import session
from trimtab.house.batch import Asked, Batches, Done
from trimtab.kernel.canonical import short
from trimtab.kernel.counted import counted
from trimtab.kernel.errors import UnknownName
from trimtab.ports.clock import Clock
from trimtab.serving.batch_part import BatchLog
from trimtab.wiring.serving import open_loader
from trimtab.wiring.stores import system_clock

app = plain_app()


@app.command()
def predict(
    batch: Annotated[
        Path, typer.Option(help="A .parquet or .csv file; columns are the request's fields, and perhaps as_of.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="A .parquet or .csv file; FILE.answers.parquet beside it, if not given.")
    ] = None,
    release: str = typer.Option("", help="The first characters of a release's digest; what answers now, if none."),
    system: str = typer.Option("", help="The system's name, to be sure."),
    log: bool = typer.Option(True, help="Record the answers in the prediction log."),
    force: bool = typer.Option(False, "--force", help="Write over a file that is there."),
    now: str = typer.Option("", help="ISO 8601 time with a zone, in place of the clock."),
) -> None:
    """Score a file of rows, as requests are: same release, same features, same log."""
    screen = Screen()
    to = out or batch.with_name(f"{batch.stem}.answers.parquet")
    with session(now) as open_:
        house, stores = open_.house, open_.stores
        if system not in ("", house.name):
            raise UnknownName("system", system, [house.name], where=str(house.project.folder))
        digest = house.releases.find(house.name, release) if release else ""
        clock: Clock = _Fixed(open_.now) if now else system_clock()
        kept = BatchLog(stores.segments, tables=stores.tables, journal=stores.reader)
        batches = Batches(house, kept, open_loader(stores), clock)
        began_s = time.perf_counter()
        with screen.progressing():
            asked = Asked(batch, to, digest, log, force)
            done = batches.score(asked, actor=open_.actor, progress=screen.progress)
    _show(screen, done, to, time.perf_counter() - began_s, log=log)


def _show(screen: Screen, done: Done, to: Path, took_s: float, *, log: bool) -> None:
    before = done.rows - done.scored
    rate = faint(f"{counted(done.scored, 'row')} in {took_s:.1f} s, {done.scored / max(took_s, 1e-9):,.0f}/s")
    told = counted(done.rows, "row") + (f", {before:,} of them scored before" if before else "")
    canary = "" if done.route.canary is None else f", canary {short(done.route.canary.release)}"
    if done.route.canary is not None and done.route.canary.audience is not None:
        canary += f" of rows with {escape(done.route.canary.audience.words)}"
    kept = "not recorded" if not log else "in the prediction log" + (" already" if done.again else "")
    rows = [
        ("scored", f"[bold]{told}[/]  {rate}"),
        ("by", f"{short(done.route.champion)}{canary}"),
        ("answers", f"[{GOOD}]{to}[/]  {faint(kept)}"),
    ]
    if done.missing:
        rows.append(("missing", f"[{UNSURE}]{counted(done.missing, 'row')} lacked a feature view[/]"))
    if done.left_out:
        rows.append(("left out", faint(f"columns {', '.join(done.left_out)}: no request has them")))
    rows += [("not by", f"{short(one)}  {faint(counted(rows_, 'row'))}") for one, rows_ in done.unscored.items()]
    screen.facts(rows)


@dataclass(frozen=True)
class _Fixed:
    """A clock that was given."""

    at: datetime

    def now(self) -> datetime:
        """That."""
        return self.at
