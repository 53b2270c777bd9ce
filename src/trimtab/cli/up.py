"""Serve predictions and turn the loop, until Ctrl-C."""

from __future__ import annotations

import signal
import threading

import typer

from trimtab import loop
from trimtab.cli.lazy import plain_app
from trimtab.cli.screen import Screen
from trimtab.cli.session import Session, session
from trimtab.kernel.errors import Refused, TrimtabError
from trimtab.kernel.happening import Happening
from trimtab.kernel.moment import duration
from trimtab.serving.supervisor import Supervisor
from trimtab.simulation.serving import worker_command
from trimtab.wiring import supervisor_settings, system_clock

app = plain_app()
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@app.command()
def up(
    port: int = typer.Option(
        -1, help="Port of the data plane; the project's setting if not given, 0 for a free one."
    ),
    workers: int = typer.Option(0, help="Worker processes; the project's setting if not given."),
    every: str = typer.Option("1m", help="How often the loop turns, e.g. 30s, 5m."),
) -> None:
    """Serve predictions and turn the loop, until Ctrl-C."""
    screen = Screen()
    with session() as open_:
        settings = open_.stores.project.settings
        if settings["host"] not in _LOOPBACK:
            raise Refused(
                f"listening on {settings['host']}",
                because="requests carry no keys in this version",
                allowed=", ".join(_LOOPBACK),
                do="set host to a loopback address, and put a proxy with authentication in front",
            )
        supervisor = Supervisor(
            worker_command(open_.stores, open_.house.name, replay=False),
            supervisor_settings(
                open_.stores.project,
                workers=workers or int(settings["workers"]),
                host=settings["host"],
                port=int(settings["port"]) if port < 0 else port,
            ),
            board=open_.stores.board(open_.house.name),
            report=screen.note,
        )
        supervisor.start()
        address = f"http://{settings['host']}:{supervisor.port}"
        screen.title(f"{open_.house.name} is up", "Ctrl-C stops it")
        screen.note(f"predict:  POST {address}/v1/systems/{open_.house.name}/predict")
        screen.note(f"health:   GET  {address}/readyz, {address}/metrics")
        stopped = threading.Event()
        ticker = threading.Thread(
            target=_turn, args=(open_, screen, stopped, duration(every, "--every").total_seconds())
        )
        ticker.start()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: supervisor.stop())
        try:
            supervisor.run()
        finally:
            stopped.set()
            ticker.join()
        screen.note("stopped; every acknowledged answer is in the log")


def _turn(open_: Session, screen: Screen, stopped: threading.Event, every_s: float) -> None:
    """An error of one turn is said, and the next turn tries again: serving does not depend on it."""
    while True:
        now = system_clock().now()
        try:
            for one in loop.tick(open_.house, now):
                screen.told(now, one)
        except TrimtabError as error:
            screen.told(now, Happening("serving", str(error), "bad"))
        if stopped.wait(every_s):
            return
