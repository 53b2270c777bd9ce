"""The real server beside a virtual clock: the same supervisor and workers, whose rows bring their own instant."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from trimtab.kernel.errors import ServerUnavailable
from trimtab.serving.seat import Seat
from trimtab.serving.supervisor import Supervisor
from trimtab.wiring.serving import supervisor_settings
from trimtab.wiring.stores import Stores

_START_WITHIN_S = 30.0
LOOPBACK = "127.0.0.1"  # a replay asks for no keys, wherever the project's server listens


def worker_command(
    stores: Stores, system: str, *, replay: bool, settings: Mapping[str, str] | None = None
) -> Callable[[Seat], list[str]]:
    """The command line of a worker with a given seat, and with settings in place of the project's."""
    mode = ["--replay"] if replay else []
    mode += [f"--set={name}={value}" for name, value in (settings or {}).items()]
    folder = str(stores.project.folder)
    return lambda seat: [sys.executable, "-m", "trimtab.cli.worker", folder, system, *mode, *seat.arguments()]


@contextmanager
def replay_server(stores: Stores, system: str, report: Callable[[str], None]) -> Iterator[int]:
    """A server for a replay, stopped in order at the end; its port.

    Raises:
        Busy: another server of this project runs.
        ServerUnavailable: no worker came up.
    """
    settings = stores.project.settings
    board = stores.board(system)
    supervisor = Supervisor(
        worker_command(stores, system, replay=True),
        supervisor_settings(stores.project, workers=int(settings["workers"]), host=LOOPBACK, port=0),
        board=board,
        report=report,
    )
    supervisor.start()
    thread = threading.Thread(target=supervisor.run, name="supervisor")
    thread.start()
    try:
        route = board.current()
        until_s = time.monotonic() + _START_WITHIN_S
        while len(board.workers()) < int(settings["workers"]) or (
            route is not None and board.silent(route.generation, within_s=0.5)
        ):
            if time.monotonic() > until_s:
                where = stores.home / "logs"
                raise ServerUnavailable(
                    f"port {supervisor.port}",
                    got=f"not all workers came up: see {where}",
                    do="mend what the log says",
                )
            time.sleep(0.02)
        yield supervisor.port
    finally:
        supervisor.stop()
        thread.join()
