"""The worker process: started by the supervisor, never by a person."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from trimtab.project import open_project
from trimtab.serving.reporting import Reporting
from trimtab.serving.seat import Seat
from trimtab.serving.server import serve_worker
from trimtab.wiring.serving import follow_keys, log_form, open_loader, open_streams, server_settings, take_place
from trimtab.wiring.stores import Stores, system_clock
from trimtab.wiring.tracing import open_tracer


def main() -> None:
    """Serve until the supervisor says stop, or is gone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("system")
    parser.add_argument("--replay", action="store_true")
    parser.add_argument("--set", action="append", default=[], metavar="SETTING=VALUE")
    parser.add_argument("seat", nargs=3)
    given = parser.parse_args()
    seat = Seat.parse(given.seat)
    settings = dict(one.split("=", 1) for one in given.set)
    stores = Stores(open_project(given.folder).with_settings(settings))
    Reporting(log_form(stores.project), system=given.system, worker=seat.slot).begin()
    serve_worker(
        seat,
        server_settings(stores, given.system, replay=given.replay),
        place=take_place(stores, given.system, seat.slot),
        loader=open_loader(stores),
        clock=system_clock(),
        streams=None if given.replay else open_streams(stores),
        keys=None if given.replay else follow_keys(stores.project),
        tracer=None if given.replay else open_tracer(os.environ),
    )


if __name__ == "__main__":
    main()
