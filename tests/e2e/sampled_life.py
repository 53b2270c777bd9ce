"""A day and a half of the small system, of whose predictions a share is kept, and not for ever."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.e2e import tiny_life

from trimtab.cli.session import session
from trimtab.simulation.live import live, prepare, settle
from trimtab.simulation.period import Period
from trimtab.simulation.serving import replay_server
from trimtab.wiring.serving import open_client

START = datetime(2024, 3, 31, tzinfo=UTC)
UNTIL = START + timedelta(hours=36)
PERIOD = Period((START,), UNTIL, UNTIL + timedelta(hours=12), timedelta(hours=18), "UTC")


def live_it(folder: Path) -> None:
    """From nothing to its end."""
    tiny_life.make(folder)
    shutil.copyfile(tiny_life.TINY / "sampled.py", folder / "sampled.py")
    (folder / "trimtab.toml").write_text('system = "sampled.py"\n')
    told = tiny_life.Told()
    with session(folder=folder) as open_:
        prepare(open_.house, PERIOD, told)
        with replay_server(open_.stores, open_.house.name, print) as port:
            live(open_.house, PERIOD, open_client("127.0.0.1", port, open_.house.name), told)
        settle(open_.house, PERIOD, told)
