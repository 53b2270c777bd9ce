"""Serve a model that exists already, from MLflow's registry or a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import typer

from trimtab import loop
from trimtab.cli.lazy import plain_app
from trimtab.cli.screen import Screen, faint
from trimtab.cli.session import Session, session
from trimtab.cli.up import up
from trimtab.house.existing_model import Chosen, adopt, choose
from trimtab.house.existing_system import MADE, system_file
from trimtab.kernel.canonical import short
from trimtab.kernel.errors import InvalidValue, Refused
from trimtab.kernel.happening import Happening
from trimtab.ports.existing_models import ExistingModel
from trimtab.project import FILE
from trimtab.wiring.models import MODELS, existing_models

app = plain_app()


@app.command()
def serve(  # noqa: PLR0913 - one argument an option
    model: str = typer.Argument(help="models:/name/version, models:/name@alias, runs:/run/path, or a folder."),
    name: str = typer.Option("", help="The system's name; the model's if not given."),
    key: str = typer.Option("", help="The field that names a row; each row is given a name if there is none."),
    folder: str = typer.Option("served", help="Where the served system is kept, in a folder of its name."),
    fields: str = typer.Option("", help="Names of the inputs of a model without a signature: age,income."),
    pyfunc: bool = typer.Option(False, help="Ask MLflow's pyfunc even where the model's own library can be asked."),
    port: int = typer.Option(-1, help="Port of the data plane; 8600 if not given, 0 for a free one."),
    host: str = typer.Option("", help="Address to listen on; 127.0.0.1 if not given."),
    workers: int = typer.Option(1, help="Worker processes."),
    every: str = typer.Option("1m", help="How often answers are moved into the tables, e.g. 30s, 5m."),
) -> None:
    """Serve a model that exists already, from MLflow's registry or a folder.

    A model that is kept as a pickle runs its own code when it is loaded: serve what you trust.
    """
    screen = Screen()
    source = existing_models(Path.cwd())
    with source.fetched(model, _names(fields)) as found:
        if not found.inputs:
            raise InvalidValue(
                "the model's signature",
                "none",
                allowed="a signature that names its inputs",
                where=found.uri,
                do="log it with a signature, or name its inputs: --fields age,income",
            )
        chosen = choose(found, MODELS, source, pyfunc=pyfunc)
        system = name or _system_name(found.name)
        home = Path(folder, system).absolute()
        _declare(home, system, found, chosen, key)
        with session(folder=home) as open_:
            digest = adopt(open_.house, found, chosen, at=open_.now, actor=open_.actor)
            _show(screen, found, chosen, open_, digest)
            done = loop.deploy(open_.house, digest, open_.now, open_.actor)
            screen.told(open_.now, Happening("deployment", done, "good"))
            if open_.stores.board(system).workers():
                screen.note("the server that runs already answers with it")
                return
    screen.note(f"roll back, look, give feedback: cd {home} && trimtab rollback | status | explain")
    os.chdir(home)
    up(port=port, host=host, workers=workers, tls_certificate="", tls_key="", every=every, streams_every="2s")


def _declare(home: Path, system: str, found: ExistingModel, chosen: Chosen, key: str) -> None:
    """Write the project's two files. What somebody else has written there stays."""
    inputs = [(one.name, one.type) for one in found.inputs]
    allow = [chosen.format.name] if chosen.format.runs_code else []
    declaring, settings = home / "system.py", home / FILE
    if declaring.exists() and not declaring.read_text().startswith(f'"{MADE}'):
        raise Refused(
            f"serving {found.uri} as '{system}'",
            because=f"{declaring} was not made by this command",
            allowed="a new folder, or one that this command has made",
            do="give it another --name or --folder",
        )
    home.mkdir(parents=True, exist_ok=True)
    declaring.write_text(system_file(system, found.uri, inputs=inputs, key=key, allow_formats=allow))
    if not settings.exists():
        settings.write_text('system = "system.py"\n')


def _show(screen: Screen, found: ExistingModel, chosen: Chosen, open_: Session, digest: str) -> None:
    system = open_.house.system
    screen.title(found.uri, f"release {short(digest)}")
    fields = open_.house.system.request_types(open_.house.project.folder)
    path = "fast, proved on its input example" if chosen.predictor["fast"] else "plain"
    screen.facts(
        [
            ("system", f"{system.name}  {faint(str(open_.house.project.folder))}"),
            ("request", ", ".join(f"{field} {faint(kind)}" for field, kind in fields)),
            ("format", f"{chosen.format.name}  {faint(path)}"),
        ]
    )
    for line in chosen.notes:
        screen.note(line)


def _names(fields: str) -> Sequence[str]:
    return [one.strip() for one in fields.split(",") if one.strip()]


def _system_name(model: str) -> str:
    """A model's name as a system may be called."""
    name = re.sub(r"[^a-z0-9_-]+", "-", model.lower()).lstrip("-_0123456789").rstrip("-_")
    return (name or "model")[:63]
