"""The small system's life with a canary for two of its four shops; the first release stays beside as a shadow."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.e2e import canary_life
from tests.e2e.tiny_life import TINY, Told

from trimtab import loop
from trimtab.cli.session import session
from trimtab.simulation.figures import figures
from trimtab.simulation.live import ACTOR, live, prepare, settle
from trimtab.simulation.serving import replay_server
from trimtab.wiring.serving import open_client

UNTIL = canary_life.UNTIL


def write(folder: Path, json_file: Path) -> None:
    """Live it, and write the figures."""
    canary_life.make(folder)
    shutil.copyfile(TINY / "segment.py", folder / "segment.py")
    (folder / "trimtab.toml").write_text('system = "segment.py"\n')
    period, told = canary_life.period(12), Told()
    with session(folder=folder) as open_:
        house = open_.house
        first = prepare(house, period, told)
        loop.shadow(house, first, period.start, ACTOR)
        with replay_server(open_.stores, house.name, print) as port:
            live(house, period, open_client("127.0.0.1", port, house.name), told)
        settle(house, period, told)
        json_file.write_text(json.dumps(figures(house, period.settled, "UTC"), indent=2, sort_keys=True))
