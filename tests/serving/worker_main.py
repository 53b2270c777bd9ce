"""A worker process: `worker_main.py BOARD WAL CLOCK MODE SLOT LISTEN_FD LIFELINE_FD`."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

from tests.serving.releases import SYSTEM, load

from trimtab.adapters.clock_system import SystemClock
from trimtab.adapters.route_board_mmap import MmapRouteBoard
from trimtab.data.stream_file import read_streams
from trimtab.data.streams import InboxStreams
from trimtab.serving.log_writer import LogPolicy
from trimtab.serving.seat import Seat
from trimtab.serving.server import ServerSettings, serve_worker
from trimtab.serving.worker import Limits


def main(board: str, wal: str, clock: str, mode: str, *arguments: str) -> None:
    """Serve the tests' releases."""
    limit = os.environ.get("TEST_FILE_BYTES")
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))
    seat = Seat.parse(arguments)
    settings = ServerSettings(
        system=SYSTEM,
        log_folder=Path(wal),
        clock=clock,  # type: ignore[arg-type]  # checked by ServerSettings itself
        log=LogPolicy(mode=mode, segment_bytes=64 << 10),  # type: ignore[arg-type]
        limits=Limits(body_bytes=100_000, rows=100, body_s=1.0),
    )
    place = MmapRouteBoard(Path(board)).follower(seat.slot)
    folder = Path(wal).parent
    streams = InboxStreams(folder, read_streams(folder), SystemClock())
    serve_worker(seat, settings, place=place, loader=load, clock=SystemClock(), streams=streams)


if __name__ == "__main__":
    main(*sys.argv[1:])
