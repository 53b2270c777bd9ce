"""The worker process: started by the supervisor, never by a person."""

from __future__ import annotations

import argparse
from pathlib import Path

from trimtab.project import open_project
from trimtab.serving.seat import Seat
from trimtab.serving.server import serve_worker
from trimtab.wiring import Stores, open_loader, open_streams, server_settings, system_clock, take_place


def main() -> None:
    """Serve until the supervisor says stop, or is gone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("system")
    parser.add_argument("--replay", action="store_true")
    parser.add_argument("seat", nargs=3)
    given = parser.parse_args()
    seat = Seat.parse(given.seat)
    stores = Stores(open_project(given.folder))
    serve_worker(
        seat,
        server_settings(stores, given.system, replay=given.replay),
        place=take_place(stores, given.system, seat.slot),
        loader=open_loader(stores),
        clock=system_clock(),
        streams=None if given.replay else open_streams(stores),
    )


if __name__ == "__main__":
    main()
