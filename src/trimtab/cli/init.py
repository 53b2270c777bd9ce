"""Start a project from a template that runs."""

from __future__ import annotations

import ast
from pathlib import Path

import typer

from trimtab.cli.lazy import plain_app
from trimtab.cli.screen import Screen, faint
from trimtab.cli.template import TEMPLATES, copy_template, make_world
from trimtab.kernel.errors import ProjectInvalid, listed

app = plain_app()
_NEXT = (
    ("trimtab train", "ingest what is known by now, fit"),
    ("trimtab release", "the gates judge it"),
    ("trimtab deploy", "it goes into production"),
    ("trimtab up", "serve, and turn the loop"),
)
_KINDS = {".toml": "settings", ".md": "what to do, and how to ask"}


@app.command()
def init(
    name: str = typer.Argument(help="The project's folder; made if missing."),
    template: str = typer.Option("starter", help=f"One of: {', '.join(TEMPLATES)}."),
) -> None:
    """Start a project from a template that runs."""
    screen = Screen()
    folder = Path(name)
    _refuse_full(folder)
    copy_template(template, folder)
    with screen.console.status("making the tables"):
        make_world(folder)
    screen.title(f"{folder.resolve().name} is ready", f"template {template}")
    screen.facts([(path.name, faint(_says(path))) for path in _shown(folder)])
    screen.title("Next")
    here = folder.resolve() == Path.cwd()
    screen.commands(_NEXT if here else ((f"cd {folder}", ""), *_NEXT))


def _refuse_full(folder: Path) -> None:
    held = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    if held or (folder.exists() and not folder.is_dir()):
        raise ProjectInvalid(
            "the project's folder is not empty" if held else "the project's folder is a file",
            where=str(folder.resolve()),
            allowed="a new or an empty folder",
            got=listed(held, most=6) if held else "a file",
            do="choose another name, or empty the folder",
        )


def _shown(folder: Path) -> list[Path]:
    made = [path for path in folder.iterdir() if not path.name.startswith((".", "__"))]
    return sorted(made, key=lambda path: (path.is_dir(), path.suffix != ".py", path.name))


def _says(path: Path) -> str:
    if path.is_dir():
        return listed(one.stem for one in path.iterdir())
    if path.suffix == ".py":
        return (ast.get_docstring(ast.parse(path.read_bytes())) or "").partition("\n")[0]
    return _KINDS.get(path.suffix, "")
