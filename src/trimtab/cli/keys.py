"""Keys to the data plane: add, list, revoke."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from trimtab.cli.lazy import plain_app
from trimtab.cli.screen import BAD, Screen, faint
from trimtab.cli.session import actor
from trimtab.governance.keys import Keys, new_secret
from trimtab.kernel.access_key import SCOPES, AccessKey
from trimtab.kernel.canonical import Json, short
from trimtab.kernel.errors import listed
from trimtab.kernel.moment import duration, from_us, to_us
from trimtab.project import Project, open_project
from trimtab.wiring.serving import keys_required, open_keys
from trimtab.wiring.stores import Stores, system_clock

app = plain_app()
_NEVER = "never"
_JSON = typer.Option("--json", help="Print everything as JSON.")


@app.callback()
def keys() -> None:
    """Keys to the data plane: add, list, revoke."""


@app.command()
def add(
    name: str = typer.Argument(help="Who will use it, e.g. web-shop."),
    scope: Annotated[
        list[str] | None, typer.Option(help=f"What it may do: {listed(SCOPES)}. May be given several times.")
    ] = None,
    expires: str = typer.Option("90d", help=f"How long it is valid, e.g. 12h, 90d, or '{_NEVER}'."),
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Make a key; its secret is shown this once."""
    span = None if expires == _NEVER else duration(expires, "--expires")
    secret = new_secret()
    with _keys() as (held, project):
        key = held.add(name, scope or [], span, secret=secret, at=system_clock().now(), actor=actor())
    if as_json:
        _print({**_plain(key), "secret": secret})
        return
    screen = Screen()
    screen.title(f"key {name}", "its secret is shown this once, and stored nowhere")
    screen.facts([("secret", escape(secret)), ("may", listed(key.scopes)), ("until", _until(key))])
    screen.note(f"send it as  Authorization: Bearer {secret[:6]}…  or  x-api-key: {secret[:6]}…")
    if not keys_required(project):
        screen.note("requests need no key yet: set require_keys = true in trimtab.toml, then start the server anew")


@app.command("ls")
def ls(as_json: Annotated[bool, _JSON] = False) -> None:
    """Keys that are not revoked."""
    now = system_clock().now()
    with _keys() as (held, project):
        found = held.all()
        held.publish()  # mends a snapshot that was lost
    if as_json:
        _print([_plain(one) for one in found])
        return
    screen = Screen()
    screen.title("keys", "asked of every request" if keys_required(project) else "not asked: loopback only")
    if not found:
        screen.note(f"none yet; make one: trimtab keys add NAME --scope {'|'.join(SCOPES)}")
        return
    screen.table(
        ("name", "may", "made", "until", "key"),
        [
            (one.name, listed(one.scopes), _day(one.created_us), _state(one, now), short(one.digest))
            for one in found
        ],
    )


@app.command()
def revoke(name: str = typer.Argument(help="As `trimtab keys ls` shows it.")) -> None:
    """End a key: workers refuse it within a second."""
    with _keys() as (held, _):
        key = held.revoke(name, at=system_clock().now(), actor=actor())
    Screen().note(f"key {name} ({short(key.digest)}) is revoked; workers refuse it within a second")


@contextmanager
def _keys() -> Iterator[tuple[Keys, Project]]:
    """Without the system: keys must be revoked while its declaration is broken."""
    stores = Stores(open_project(Path.cwd()))
    try:
        yield open_keys(stores), stores.project
    finally:
        stores.close()


def _plain(key: AccessKey) -> dict[str, Json]:
    expires = None if key.expires_us is None else from_us(key.expires_us).isoformat()
    return {
        "name": key.name,
        "scopes": list(key.scopes),
        "created_at": from_us(key.created_us).isoformat(),
        "expires_at": expires,
        "key": short(key.digest),
    }


def _print(found: Json | list[dict[str, Json]]) -> None:
    json.dump(found, sys.stdout, indent=2)
    print()


def _state(key: AccessKey, now: datetime) -> str:
    ended = key.expires_us is not None and key.expires_us <= to_us(now)
    return f"[{BAD}]{_until(key)}: expired[/]" if ended else faint(_until(key))


def _until(key: AccessKey) -> str:
    return "no end" if key.expires_us is None else _day(key.expires_us)


def _day(at_us: int) -> str:
    return f"{from_us(at_us):%Y-%m-%d %H:%M} UTC"
