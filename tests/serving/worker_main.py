"""A worker process: `worker_main.py BOARD WAL CLOCK MODE SLOT LISTEN_FD LIFELINE_FD`."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

from tests.serving.releases import SYSTEM, load

from trimtab.adapters.clock_system import SystemClock
from trimtab.adapters.key_board_file import FileKeyFollower
from trimtab.adapters.route_board_mmap import MmapRouteBoard
from trimtab.data.stream_file import read_streams
from trimtab.data.streams import InboxStreams
from trimtab.serving.limits import Limits
from trimtab.serving.log_writer import LogPolicy
from trimtab.serving.seat import Seat
from trimtab.serving.server import ServerSettings, serve_worker
from trimtab.serving.tls import TlsFiles


def main(board: str, wal: str, clock: str, mode: str, *arguments: str) -> None:
    """Serve the tests' releases."""
    limit = os.environ.get("TEST_FILE_BYTES")
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))
    seat = Seat.parse(arguments)
    folder = Path(wal).parent
    settings = ServerSettings(
        system=SYSTEM,
        log_folder=Path(wal),
        clock=clock,  # type: ignore[arg-type]  # checked by ServerSettings itself
        log=LogPolicy(mode=mode, segment_bytes=64 << 10),  # type: ignore[arg-type]
        limits=Limits(
            body_bytes=100_000,
            rows=100,
            body_s=1.0,
            connections=int(os.environ.get("TEST_CONNECTIONS", "1000")),
            idle_s=float(os.environ.get("TEST_IDLE_S", "75")),
            send_s=1.0,
        ),
        tls=TlsFiles(folder / "tls.crt", folder / "tls.key") if "TEST_TLS" in os.environ else None,
    )
    place = MmapRouteBoard(Path(board)).follower(seat.slot)
    streams = InboxStreams(folder, read_streams(folder), SystemClock())
    asked = "TEST_KEYS" in os.environ
    keys = FileKeyFollower(folder / "keys.json") if asked else None
    tracer = None
    if "OTEL_EXPORTER_OTLP_ENDPOINT" in os.environ:
        from trimtab.adapters.traces_otel import OtelTracer  # noqa: PLC0415 - most tests trace nothing

        tracer = OtelTracer(named="OTEL_SERVICE_NAME" in os.environ)
    serve_worker(
        seat,
        settings,
        place=place,
        loader=load,
        clock=SystemClock(),
        streams=streams,
        keys=keys,
        tracer=tracer,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
