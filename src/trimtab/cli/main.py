"""Entry point: one command a module; errors as text with what to do next, never as a traceback."""

from __future__ import annotations

import sys
import traceback
from datetime import UTC, datetime
from importlib.metadata import version as distribution_version
from pathlib import Path

import typer

from trimtab.cli.lazy import lazy_group, plain_app
from trimtab.kernel.errors import TrimtabError

COMMANDS = (
    "demo",
    "init",
    "up",
    "status",
    "tick",
    "train",
    "release",
    "deploy",
    "rollback",
    "explain",
    "audit",
)

app = plain_app()


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
        _fail(str(error))
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here", file=sys.stderr)
        sys.exit(130)
    except Exception as error:  # a fault of ours: said in one line, kept in full
        kept = Path(".trimtab") / "logs" / f"crash-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.log"
        _keep(kept)
        what = f"Trimtab failed: {type(error).__name__}: {error}"
        _fail(f"{what}\n  where:   {kept} has the details\n  do:      report it")


def _keep(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(traceback.format_exc())
    except OSError:
        traceback.print_exc()


def _fail(text: str) -> None:
    first, _, rest = text.partition("\n")
    red, off = ("\033[1;31m", "\033[0m") if sys.stderr.isatty() else ("", "")
    print(f"{red}error:{off} {first}" + (f"\n{rest}" if rest else ""), file=sys.stderr)
    sys.exit(1)
