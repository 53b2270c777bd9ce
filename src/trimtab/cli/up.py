"""Serve predictions and turn the loop, until Ctrl-C."""

from __future__ import annotations

import signal
from pathlib import Path

import typer

from trimtab.cli.exposed import check_exposed
from trimtab.cli.json_lines import JsonLines
from trimtab.cli.lazy import plain_app
from trimtab.cli.screen import Screen
from trimtab.cli.session import session
from trimtab.cli.turning import turning
from trimtab.data.stream_file import declarations, write_streams
from trimtab.kernel.label import FEEDBACK
from trimtab.kernel.moment import duration
from trimtab.serving.supervisor import Supervisor
from trimtab.simulation.serving import worker_command
from trimtab.wiring.serving import log_form, open_keys, supervisor_settings, tls_files

app = plain_app()


@app.command()
def up(
    port: int = typer.Option(
        -1, help="Port of the data plane; the project's setting if not given, 0 for a free one."
    ),
    host: str = typer.Option("", help="Address to listen on; the project's setting if not given."),
    workers: int = typer.Option(0, help="Worker processes; the project's setting if not given."),
    tls_certificate: str = typer.Option("", help="PEM file; the project's setting if not given."),
    tls_key: str = typer.Option("", help="PEM file; the project's setting if not given."),
    every: str = typer.Option("1m", help="How often the loop turns, e.g. 30s, 5m."),
    streams_every: str = typer.Option("2s", help="How soon appended rows become features, e.g. 500ms, 10s."),
) -> None:
    """Serve predictions and turn the loop, until Ctrl-C."""
    with session() as open_:
        given = {"host": host} if host else {}
        files = {"tls_certificate": tls_certificate, "tls_key": tls_key}
        given |= {name: str(Path(file).absolute()) for name, file in files.items() if file}
        project = open_.stores.project.with_settings(given)
        settings = project.settings
        screen = JsonLines(open_.house.name) if log_form(project) == "json" else Screen()
        exposed = check_exposed(project, open_keys(open_.stores), open_.now)
        supervisor = Supervisor(
            worker_command(open_.stores, open_.house.name, replay=False, settings=given),
            supervisor_settings(
                project,
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
        scheme = "http" if tls_files(project) is None else "https"
        shown = f"[{settings['host']}]" if ":" in settings["host"] else settings["host"]
        address = f"{scheme}://{shown}:{supervisor.port}"
        screen.title(f"{open_.house.name} is up", "Ctrl-C stops it")
        screen.note(f"predict:  POST {address}/v1/systems/{open_.house.name}/predict")
        screen.note(f"health:   GET  {address}/readyz, {address}/metrics")
        for line in exposed:
            screen.note(line)
        for name in streams.streams:
            to = "feedback: POST {0}/v1/feedback" if name == FEEDBACK else "append:   POST {0}/v1/sources/{1}/rows"
            screen.note(to.format(address, name))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: supervisor.stop())
        with turning(open_, screen, every_s=every_s, streams_every_s=soon_s):
            supervisor.run()
        screen.note("stopped; every acknowledged answer is in the log")
