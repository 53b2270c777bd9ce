"""An open project, for the length of one command."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from trimtab.house.house import House
from trimtab.kernel.moment import parse_instant
from trimtab.project import open_project
from trimtab.wiring.house import open_house
from trimtab.wiring.stores import Stores, system_clock


@dataclass(frozen=True)
class Session:
    """The stores, the rooms, the instant of the command, and who gave it."""

    stores: Stores
    house: House
    now: datetime
    actor: str


@contextmanager
def session(now: str = "", folder: Path | None = None, *, checked: bool = True) -> Iterator[Session]:
    """Open the project of the working folder; close it whatever happens.

    Args:
        now: ISO 8601 with a zone, in place of the clock; for the past of a simulation.
        folder: where to look for the project instead.
        checked: False for commands that must work while the declaration is broken.
    """
    at = parse_instant(now, "--now") if now else system_clock().now()
    stores = Stores(open_project(folder or Path.cwd()))
    try:
        yield Session(stores, open_house(stores, checked=checked), at, actor())
    finally:
        stores.close()


def actor() -> str:
    """Who gives the command, as the ledger names people."""
    try:
        return f"user:{getpass.getuser()}"
    except (KeyError, OSError):  # a container without a name for its user
        return "user:unknown"
