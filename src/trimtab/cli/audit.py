"""The ledger: is it what it was when it was written?"""

from __future__ import annotations

import sys

import typer

from trimtab.cli.lazy import plain_app
from trimtab.cli.screen import BAD, GOOD, Screen
from trimtab.cli.session import session
from trimtab.governance.audit import verify as verify_ledger

app = plain_app()


@app.callback()
def audit() -> None:
    """The ledger: is it what it was when it was written?"""


@app.command()
def verify(
    head: str = typer.Option("", help="A head that you kept: its hash, or seq:hash."),
) -> None:
    """Recompute the chain and hold it against the heads saved outside of the database."""
    with session(checked=False) as open_:
        report = verify_ledger(open_.house.reader, open_.house.heads(), head or None)
    screen = Screen()
    first, *rest = report.lines()
    screen.console.print(f"[{GOOD if report.ok else BAD}]{'✓' if report.ok else '✗'}[/] {first}", soft_wrap=True)
    for line in rest:
        screen.console.print(f"  {line}", markup=False, soft_wrap=True)
    if not report.ok:
        sys.exit(1)


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
