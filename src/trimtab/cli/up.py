"""Serve predictions and turn the loop, until Ctrl-C."""

from __future__ import annotations

import signal

import typer

from trimtab.cli.lazy import plain_app
from trimtab.cli.screen import Screen
from trimtab.cli.session import session
from trimtab.cli.turning import turning
from trimtab.data.stream_file import declarations, write_streams
from trimtab.kernel.errors import Refused
from trimtab.kernel.moment import duration
from trimtab.serving.supervisor import Supervisor
from trimtab.simulation.serving import worker_command
from trimtab.wiring import supervisor_settings

app = plain_app()
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@app.command()
def up(
    port: int = typer.Option(
        -1, help="Port of the data plane; the project's setting if not given, 0 for a free one."
    ),
    workers: int = typer.Option(0, help="Worker processes; the project's setting if not given."),
    every: str = typer.Option("1m", help="How often the loop turns, e.g. 30s, 5m."),
    streams_every: str = typer.Option("2s", help="How soon appended rows become features, e.g. 500ms, 10s."),
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
        every_s = duration(every, "--every").total_seconds()
        soon_s = duration(streams_every, "--streams-every").total_seconds()
        streams = declarations(open_.house.system.sources)
        write_streams(open_.stores.project.folder, streams)
        supervisor.start()
        address = f"http://{settings['host']}:{supervisor.port}"
        screen.title(f"{open_.house.name} is up", "Ctrl-C stops it")
        screen.note(f"predict:  POST {address}/v1/systems/{open_.house.name}/predict")
        screen.note(f"health:   GET  {address}/readyz, {address}/metrics")
        for name in streams.streams:
            screen.note(f"append:   POST {address}/v1/sources/{name}/rows")
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: supervisor.stop())
        with turning(open_, screen, every_s=every_s, streams_every_s=soon_s):
            supervisor.run()
        screen.note("stopped; every acknowledged answer is in the log")
