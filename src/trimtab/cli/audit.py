"""The ledger and the predictions: are they what they were when they were written?"""

from __future__ import annotations

import sys

import typer

from trimtab.cli.lazy import plain_app
from trimtab.cli.screen import BAD, GOOD, Screen
from trimtab.cli.session import session
from trimtab.governance.audit import verify as verify_ledger
from trimtab.serving.proving import prove

app = plain_app()


@app.callback()
def audit() -> None:
    """The ledger and the predictions: are they what they were when they were written?"""


@app.command()
def verify(
    head: str = typer.Option("", help="A head that you kept: its hash, or seq:hash."),
) -> None:
    """Recompute the chain and hold it against the heads saved outside of the database."""
    with session(checked=False) as open_:
        report = verify_ledger(open_.house.reader, open_.house.heads(), head or None)
    _show(report.ok, report.lines())


@app.command()
def predictions() -> None:
    """Hold every row of the predictions table against the root of the segment that it was logged in.

    What the system's policy left out, or let expire, is counted and not missed.
    """
    screen = Screen()
    with session(checked=False) as open_, screen.progressing():
        house = open_.house
        found = prove(
            house.name,
            journal=house.reader,
            tables=house.tables,
            proofs=house.proofs,
            progress=screen.progress,
        )
    _show(found.ok, found.lines())


@app.command("log")
def log(
    last: int = typer.Option(20, help="How many entries."),
) -> None:
    """Show the newest entries of the ledger."""
    with session(checked=False) as open_:
        entries = list(open_.house.reader.entries())[-last:]
    rows = [
        (str(one.seq), one.at.strftime("%Y-%m-%d %H:%M"), one.actor, one.kind, one.subject, one.hash[:12])
        for one in entries
    ]
    Screen().table(("seq", "at (UTC)", "actor", "what", "subject", "hash"), rows, right=(0,))


def _show(ok: bool, lines: list[str]) -> None:
    """The first line says how it ended; a bad end is the process's own."""
    screen = Screen()
    first, *rest = lines
    screen.console.print(f"[{GOOD if ok else BAD}]{'✓' if ok else '✗'}[/] {first}", soft_wrap=True)
    for line in rest:
        screen.console.print(f"  {line}", markup=False, soft_wrap=True)
    if not ok:
        sys.exit(1)
