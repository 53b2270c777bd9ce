"""Start a project from a template that runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import typer

from trimtab.cli.lazy import plain_app
from trimtab.cli.screen import Screen
from trimtab.cli.template import TEMPLATES, copy_template
from trimtab.kernel.errors import InvalidValue

app = plain_app()


@app.command()
def init(
    name: str = typer.Argument(help="The project's folder; made if missing."),
    template: str = typer.Option("starter", help=f"One of: {', '.join(TEMPLATES)}."),
) -> None:
    """Start a project from a template that runs."""
    screen = Screen()
    folder = Path(name)
    if folder.exists() and any(folder.iterdir()):
        raise InvalidValue("folder", str(folder), allowed="a new or an empty folder", do="choose another name")
    copy_template(template, folder)
    with screen.console.status("making the data"):
        subprocess.run([sys.executable, "world.py"], cwd=folder, check=True)
    screen.title(f"{folder} is ready", f"template {template}")
    for command, says in [
        (f"cd {folder}", ""),
        ("trimtab train", "ingest, build the training set, fit"),
        ("trimtab release", "the gates judge it"),
        ("trimtab deploy", "it goes live"),
        ("trimtab up", "serve, and turn the loop"),
    ]:
        screen.console.print(f"  [cyan]{command:<18}[/] [bright_black]{says}[/]")
