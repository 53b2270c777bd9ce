"""The small system's life with canaries: one release that is pushed over its gates' heads, and one retraining.

The operator's release is caught by parity and rolled back; the retrained one goes from step to step and is decided.
The first release stays beside them as a shadow.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.e2e.tiny import world
from tests.e2e.tiny_life import START, TINY, Told

from trimtab import loop
from trimtab.cli.session import session
from trimtab.house.house import House
from trimtab.kernel.canonical import Json, short
from trimtab.kernel.happening import Happening
from trimtab.simulation.figures import figures
from trimtab.simulation.live import ACTOR, live, prepare, settle
from trimtab.simulation.period import Period
from trimtab.simulation.serving import replay_server
from trimtab.wiring.house import open_house
from trimtab.wiring.serving import open_client
from trimtab.wiring.stores import Stores

OPERATOR, WHY = "user:operator", "the new count of staff must be live before the holiday"
PUSHED_AT = START + timedelta(days=1)
UNTIL = datetime(2024, 4, 5, 12, tzinfo=UTC)
FILES = ("system.py", "canary.py", "pushed.py")


def period(step_h: int) -> Period:
    """Until the retrained release, a canary since the first of April, has been decided."""
    history = (datetime(2024, 3, 20, tzinfo=UTC), START)
    return Period(history, UNTIL, UNTIL + timedelta(hours=12), timedelta(hours=step_h), "UTC")


def make(folder: Path) -> None:
    """The project, if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copyfile(TINY / name, folder / name)
    (folder / "trimtab.toml").write_text('system = "canary.py"\n')
    if not (folder / "data").exists():
        half = folder / "data.half"
        world.write(half, UNTIL)
        half.rename(folder / "data")


class Operator:
    """Implements Story: somebody in a hurry."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def deliver(self, now: datetime) -> None:
        """Upstream stays as it is."""

    def act(self, house: House, now: datetime) -> Iterator[Happening]:
        """The pushed release, once, as `trimtab train`, `release --override` and `deploy` would."""
        if now < PUSHED_AT or pushed(house) in {one.release for one in house.act.rollouts(house.name)}:
            return
        project = self._stores.project
        other = replace(project, settings={**project.settings, "system": "pushed.py"})
        hurried = open_house(self._stores, project=other)
        digest = loop.release(hurried, loop.train(hurried, now, OPERATOR), now, OPERATOR, WHY)
        yield Happening("validation", f"release {short(digest)} over its gates' heads", "unsure")
        yield Happening("deployment", loop.deploy(hurried, digest, now, OPERATOR))


def pushed(house: House) -> str:
    """The operator's release; "-" before there is one."""
    return next((digest for digest, body in house.releases.all(house.name) if body.get("override")), "-")


def lived(folder: Path, step_h: int = 12) -> dict[str, Json]:
    """Live it, from wherever the stores stand; the figures at the end."""
    make(folder)
    to_live, told = period(step_h), Told()
    with session(folder=folder) as open_:
        house = open_.house
        prepare(house, to_live, told)
        loop.shadow(house, house.releases.been_in_production(house.name)[0], to_live.start, ACTOR)
        print("server", flush=True)
        with replay_server(open_.stores, house.name, print) as port:
            live(house, to_live, open_client("127.0.0.1", port, house.name), told, Operator(open_.stores))
        settle(house, to_live, told)
        print("figures", flush=True)
        return figures(house, to_live.settled, "UTC")


def write(folder: Path, json_file: Path, step_h: int = 12) -> None:
    """Live it, and write the figures."""
    json_file.write_text(json.dumps(lived(folder, step_h), indent=2, sort_keys=True))
