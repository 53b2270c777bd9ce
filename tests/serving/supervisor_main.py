"""A server process: `supervisor_main.py FOLDER WORKERS CLOCK MODE PORT`. Prints its port when it listens."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from trimtab.adapters.route_board_mmap import MmapRouteBoard
from trimtab.serving.seat import Seat
from trimtab.serving.supervisor import Supervisor, SupervisorSettings


def main(folder: str, workers: str, clock: str, mode: str, port: str) -> None:
    """Supervise until SIGTERM."""
    root = Path(folder)

    def command(seat: Seat) -> list[str]:
        places = [str(root / "board"), str(root / "wal"), clock, mode]
        return [sys.executable, "-m", "tests.serving.worker_main", *places, *seat.arguments()]

    settings = SupervisorSettings(
        workers=int(workers),
        host="127.0.0.1",
        port=int(port),
        lock_path=root / "server.lock",
        log_folder=root / "wal",
        output_folder=root / "logs",
    )
    supervisor = Supervisor(
        command, settings, board=MmapRouteBoard(root / "board"), report=lambda text: print(text, file=sys.stderr)
    )
    signal.signal(signal.SIGTERM, lambda *_: supervisor.stop())
    supervisor.start()
    print(supervisor.port, flush=True)
    supervisor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
