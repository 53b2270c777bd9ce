"""Entry point: one command a module; errors as text with what to do next, never as a traceback."""

from __future__ import annotations

import sys
from importlib.metadata import version as distribution_version

import typer

from trimtab.cli.failure import crash, fail
from trimtab.cli.lazy import lazy_group, plain_app
from trimtab.kernel.errors import TrimtabError

COMMANDS = (
    "demo",
    "init",
    "up",
    "serve",
    "status",
    "data",
    "features",
    "tick",
    "train",
    "release",
    "deploy",
    "shadow",
    "rollback",
    "predict",
    "history",
    "explain",
    "audit",
    "keys",
    "report",
    "questions",
)

app = plain_app()
_STOPPED = 130


def _version(asked: bool) -> None:
    if asked:
        print(distribution_version("trimtab"))
        raise typer.Exit


@app.callback(help="Trimtab runs the whole life of a production ML system as one closed loop.")
def _trimtab(
    version: bool = typer.Option(
        False, "--version", is_eager=True, callback=_version, help="Show the version and leave."
    ),
) -> None:
    pass


def main() -> None:
    """Run the command that the arguments name."""
    group = lazy_group(app, "trimtab.cli", COMMANDS)
    try:
        group(prog_name="trimtab")
    except TrimtabError as error:
        fail(str(error))
    except SystemExit as end:
        if end.code == _STOPPED:  # by Ctrl-C, which Typer says nothing of
            print("\nstopped; the same command goes on from here", file=sys.stderr)
        raise
    except Exception as error:
        crash(error)
