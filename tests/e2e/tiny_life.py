"""A small system's whole life, as `trimtab demo` lives the flights'."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.e2e.tiny import world

from trimtab.cli.session import session
from trimtab.kernel.canonical import Json
from trimtab.kernel.happening import Happening
from trimtab.simulation.figures import figures
from trimtab.simulation.live import live, prepare, settle
from trimtab.simulation.period import Period
from trimtab.simulation.serving import replay_server
from trimtab.wiring.serving import open_client

TINY = Path(world.__file__).parent
START = datetime(2024, 3, 30, tzinfo=UTC)
UNTIL = START + timedelta(days=3)


def period(step_h: int) -> Period:
    """Across the end of March: the month is measured, a retraining is due, and its release goes live."""
    history = (datetime(2024, 3, 20, tzinfo=UTC), START)
    return Period(history, UNTIL, UNTIL + timedelta(hours=12), timedelta(hours=step_h), "UTC")


def make(folder: Path) -> None:
    """The project, if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("system.py", "trimtab.toml"):
        shutil.copyfile(TINY / name, folder / name)
    if not (folder / "data").exists():
        half = folder / "data.half"
        world.write(half)
        half.rename(folder / "data")


class Told:
    """A report to standard output, one line at a time."""

    def told(self, at: datetime, one: Happening) -> None:
        print(f"{at:%m-%d %H:%M} {one.stage} {one.text}", flush=True)

    def progress(self, stage: str, done: int, total: int) -> None:
        print(f"{stage} {done}/{total}", flush=True)


def lived(folder: Path, step_h: int = 6) -> dict[str, Json]:
    """Live it, from wherever the stores stand; the figures at the end."""
    make(folder)
    to_live, told = period(step_h), Told()
    with session(folder=folder) as open_:
        prepare(open_.house, to_live, told)
        print("server", flush=True)
        with replay_server(open_.stores, open_.house.name, print) as port:
            live(open_.house, to_live, open_client("127.0.0.1", port, open_.house.name), told)
        settle(open_.house, to_live, told)
        print("figures", flush=True)
        return figures(open_.house, to_live.settled, "UTC")


def write(folder: Path, json_file: Path, step_h: int = 6) -> None:
    """Live it, and write the figures."""
    json_file.write_text(json.dumps(lived(folder, step_h), indent=2, sort_keys=True))
