"""What a worker process runs: the application on the inherited socket, the turns beside it, an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import uvicorn
import uvloop

from trimtab.kernel.errors import InvalidValue, listed
from trimtab.ports.clock import Clock
from trimtab.ports.key_board import KeyFollower
from trimtab.ports.route_board import RouteFollower, SealFollower
from trimtab.ports.served_release import ReleaseLoader
from trimtab.ports.streams import Streams
from trimtab.ports.tracer import Tracer
from trimtab.serving import reporting
from trimtab.serving.access import Access
from trimtab.serving.answering import Answering
from trimtab.serving.appending import Appending
from trimtab.serving.counts_folder import CountsFolder
from trimtab.serving.http_protocol import DataPlaneProtocol
from trimtab.serving.limits import Limits
from trimtab.serving.log_writer import LogPolicy, LogWriter
from trimtab.serving.metrics import Metrics
from trimtab.serving.predicting import Predicting
from trimtab.serving.protocols.mlflow_scoring import MlflowScoring
from trimtab.serving.protocols.native_json import NativeJson
from trimtab.serving.protocols.open_inference import OpenInference
from trimtab.serving.publishing import Publishing
from trimtab.serving.released import Released
from trimtab.serving.rows import ClockMode
from trimtab.serving.seat import Seat
from trimtab.serving.segment_folder import SegmentFolder
from trimtab.serving.tls import RenewingTls, TlsFiles
from trimtab.serving.traced import Tracing
from trimtab.serving.worker import Worker


class Place(RouteFollower, SealFollower, Protocol):
    """A worker's place on the board: it follows routes, and requests to seal."""


_CLOCKS: tuple[ClockMode, ...] = ("now", "request")
_OTHER_FILES = 256  # segments, stores, sockets of the worker's own

_GARBAGE_OBJECTS = 20_000  # made and not freed, between two looks for cycles


@dataclass(frozen=True)
class ServerSettings:
    """What one system's workers need to know."""

    system: str
    log_folder: Path
    clock: ClockMode = "now"  # "request": rows may carry their own `as_of` (replay, simulation)
    log: LogPolicy = field(default_factory=LogPolicy)
    limits: Limits = field(default_factory=Limits)
    tls: TlsFiles | None = None  # None: plain HTTP
    turn_s: float = 0.025  # how often an idle worker looks at the board
    start_s: float = 10.0  # how long the first release may load before requests are taken and answered with 503
    drain_s: float = 5.0  # how long requests may take to end when the worker is stopped

    def __post_init__(self) -> None:
        if self.clock not in _CLOCKS:
            raise InvalidValue("the server's clock", self.clock, allowed=listed(_CLOCKS))


def serve_worker(
    seat: Seat,
    settings: ServerSettings,
    *,
    place: Place,
    loader: ReleaseLoader,
    clock: Clock,
    streams: Streams | None = None,
    keys: KeyFollower | None = None,
    tracer: Tracer | None = None,
) -> None:
    """Serve until SIGTERM, SIGINT or the end of the supervisor; then finish, seal, and give the place back.

    Args:
        place: taken by this process (`MmapRouteBoard.follower`).
        loader: runs in a thread; verifies by digest.
        streams: takes appended rows, in a thread; None: this server takes none.
        keys: says which keys are in force; None: requests need none.
        tracer: is told of sampled requests; None: nothing is traced.
    """
    # Rows of requests are freed by their counts of references: to look for cycles among them every 700 objects, as
    # Python does by itself, takes a fourteenth of a batch's time.
    gc.set_threshold(_GARBAGE_OBJECTS)
    say = reporting.process()
    access = Access(keys, clock=clock, report=say.named("keys.unreadable"))
    tls = None if settings.tls is None else RenewingTls(settings.tls, say.named("certificate.changed", "warning"))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(seat, settings, place, loader, clock, streams, access, tls, tracer))


async def _serve(
    seat: Seat,
    settings: ServerSettings,
    place: Place,
    loader: ReleaseLoader,
    clock: Clock,
    streams: Streams | None,
    access: Access,
    tls: RenewingTls | None,
    tracer: Tracer | None,
) -> None:
    folder = SegmentFolder(settings.log_folder)
    say = reporting.process()
    unwritable = say.named("log.unwritable")
    log = LogWriter(folder, system=settings.system, worker=seat.slot, policy=settings.log, report=unwritable)
    tracing = None if tracer is None else Tracing(tracer, settings.system)
    load = loader if tracing is None else tracing.loader(loader)
    released = Released(settings.system, follower=place, loader=load, report=say.named("route.unfollowed"))
    metrics = Metrics()
    made = Answering if tracing is None else tracing.answering
    appending = None if streams is None else Appending(streams)
    predicting = Predicting(
        settings.system,
        released=released,
        answering=made(settings.system, log=log, clock=clock, metrics=metrics, mode=settings.clock),
        metrics=metrics,
        limits=settings.limits,
        traced=None if tracing is None else tracing.begin,
    )
    app = Worker(
        settings.system,
        released=released,
        predicting=predicting,
        metrics=metrics,
        exposed=lambda: publishing.text(),  # noqa: PLW0108 - it is made below, of the server
        limits=settings.limits,
        access=access,
        wires=[one(settings.system) for one in (NativeJson, OpenInference, MlflowScoring)],
        appending=appending,
    )
    server = _server(app, settings, tls)
    publishing = Publishing(
        seat.slot,
        CountsFolder.beside(settings.log_folder),
        metrics=metrics,
        released=released,
        log=log,
        segments=folder,
        connections=lambda: len(server.server_state.connections),
        report=say.named("metrics.unpublished"),
    )
    _stop_with_supervisor(seat, server, settings.drain_s)
    others = [publishing.turn] if tls is None else [publishing.turn, tls.turn]
    turns = asyncio.create_task(_turns(settings.turn_s, app, released, log, place, others))
    try:
        await released.start(within_s=settings.start_s)
        # The socket is touched only now: until then the other workers get the connections.
        await server.serve(sockets=[socket.socket(fileno=seat.listen_fd)])
    finally:
        turns.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await turns
        if appending is not None:
            await appending.close()
        await log.close()
        publishing.close()
        place.leave()
        if tracing is not None:
            await asyncio.to_thread(tracing.close)


async def _turns(
    turn_s: float,
    app: Worker,
    released: Released,
    log: LogWriter,
    place: Place,
    others: Sequence[Callable[[], None]],
) -> None:
    """What a worker does also when no request comes."""
    sealed = place.seal_epoch()
    sealing: asyncio.Task[None] | None = None
    while True:
        place.beat()
        released.poll()
        log.turn()
        app.turn()
        for turn in others:
            turn()
        epoch = place.seal_epoch()
        if epoch != sealed and (sealing is None or sealing.done()):
            sealed = epoch
            sealing = asyncio.create_task(_seal(log, place, epoch))
        await asyncio.sleep(turn_s)


async def _seal(log: LogWriter, place: Place, epoch: int) -> None:
    await log.seal()
    place.acknowledge_seal(epoch)


class _Server(uvicorn.Server):
    """uvicorn would end the process by the signal itself, before the log is sealed."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the event loop's."""
        yield


def _server(app: Worker, settings: ServerSettings, tls: RenewingTls | None) -> _Server:
    _allow_open_files(2 * settings.limits.connections + _OTHER_FILES)
    config = uvicorn.Config(
        app,
        http=DataPlaneProtocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=settings.limits.idle_s,  # type: ignore[arg-type]  # seconds for a timer
        timeout_graceful_shutdown=max(1, int(settings.drain_s)),
        ssl_context_factory=None if tls is None else lambda _config, _default: tls.context,
    )
    return _Server(config)


def _allow_open_files(wanted: int) -> None:
    """As many as connections need, where the system lets us: 1024 are usual, and a hundred times that allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard < 0 else min(wanted, hard), hard))


def _stop_with_supervisor(seat: Seat, server: _Server, drain_s: float) -> None:
    """Stop on a signal, and when the lifeline ends: a supervisor that was killed sends no signal."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(seat.lifeline_fd, 1):
                pass
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process is ending already
            loop.call_soon_threadsafe(stop)
        # A loop that does not turn any more must not outlive its supervisor.
        threading.Event().wait(drain_s + 2.0)
        os._exit(1)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
