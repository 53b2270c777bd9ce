"""The parent of the workers: one listening socket, one lock, N processes that are replaced when they die."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from trimtab.kernel.errors import Busy, TrimtabError, listed
from trimtab.kernel.route import Route
from trimtab.ports.route_board import RouteBoard
from trimtab.serving.counts import Counts
from trimtab.serving.counts_folder import CountsFolder
from trimtab.serving.process import lives
from trimtab.serving.reporting import Event, last_message
from trimtab.serving.seat import Seat
from trimtab.serving.segment_folder import SegmentFolder

_WATCH_S = 0.02
_YOUNG_S = 3.0  # a worker that dies younger than this died at its start
_SHORTEST_WAIT_S, _LONGEST_WAIT_S = 0.1, 5.0
_BEHIND_S = 1.0  # a worker that is behind the route and whose loop has not turned for this long is replaced
_STUCK_S = 15.0  # so is one whose loop has not turned for this long, whatever it follows
_OUTPUT_BYTES = 1 << 20
# Of libraries in a worker: there are as many workers as cores are wanted, and one row gains nothing by more.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass
class _Worker:
    """One slot and the process in it."""

    slot: int
    output: Path
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0  # monotonic
    start_after_s: float = 0.0
    wait_s: float = 0.0  # back-off: 0 after a worker that lived
    output_from: int = 0  # the byte where this process's output starts
    starts: int = 0


@dataclass(frozen=True)
class SupervisorSettings:
    """Where the server listens, and where it keeps what it needs."""

    workers: int
    host: str
    port: int  # 0: any free one
    lock_path: Path  # held by the supervisor and all its workers: free only when all of them are gone
    log_folder: Path  # of prediction segments; those of dead writers are sealed here
    output_folder: Path  # gets each worker's standard error as worker-N.log
    lock_s: float = 10.0  # how long to wait for another supervisor to end
    orphans_s: float = 120.0  # and for the workers of a dead one, which may be no further than their imports
    drain_s: float = 10.0  # how long workers may take to end


class Supervisor:
    """Starts workers and keeps them.

    Args:
        command: the command line of a worker with this seat; it ends up in `serve_worker`.
        board: where workers that are silent or stuck are seen.
        report: told in one line what happened to workers.
    """

    def __init__(
        self,
        command: Callable[[Seat], list[str]],
        settings: SupervisorSettings,
        *,
        board: RouteBoard,
        report: Callable[[str], None],
    ) -> None:
        self._command = command
        self._settings = settings
        self.port = settings.port  # after `start`, the real one where 0 was asked for
        self._board = board
        self._segments = SegmentFolder(settings.log_folder)
        self._counts = CountsFolder.beside(settings.log_folder)
        self._started_s = 0.0  # since 1970
        self._report = report
        output_folder = settings.output_folder
        output_folder.mkdir(parents=True, exist_ok=True)
        self._workers = [_Worker(slot, output_folder / f"worker-{slot}.log") for slot in range(settings.workers)]
        self._stop = threading.Event()
        self._lock_fd = -1
        self._lifeline: tuple[int, int] = (-1, -1)
        self._socket: socket.socket | None = None

    def start(self) -> None:
        """Take the lock, seal what dead writers left, bind, and start the workers.

        Raises:
            Busy: another supervisor or its workers run, or the address is taken.
        """
        self._lock_fd = self._lock()
        try:
            self._seal_orphans()
            self._socket = self._bind()
        except BaseException:
            os.close(self._lock_fd)
            raise
        self.port = self._socket.getsockname()[1]
        self._lifeline = os.pipe()
        self._started_s = time.time()
        self._count(lambda: self._counts.begin(self._facts()))
        for worker in self._workers:
            self._spawn(worker)

    def run(self) -> None:
        """Watch the workers until `stop` is called; then end them in order."""
        try:
            while not self._stop.wait(_WATCH_S):
                self._replace_dead()
                self._kill_stuck()
        finally:
            self._end()

    def stop(self) -> None:
        """Have `run` return. May be called from another thread or a signal handler."""
        self._stop.set()

    def _end(self) -> None:
        running = [worker.process for worker in self._workers if worker.process is not None]
        for process in running:
            process.terminate()
        until_s = time.monotonic() + self._settings.drain_s
        for process in running:
            try:
                process.wait(max(0.0, until_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._seal_orphans()
        if self._socket is not None:
            self._socket.close()
        for fd in (*self._lifeline, self._lock_fd):
            os.close(fd)

    def _replace_dead(self) -> None:
        for worker in self._workers:
            if worker.process is not None and worker.process.poll() is not None:
                self._bury(worker, worker.process)
            if worker.process is None and time.monotonic() >= worker.start_after_s:
                try:
                    self._spawn(worker)
                except OSError as error:
                    worker.start_after_s = time.monotonic() + _LONGEST_WAIT_S
                    told = f"worker {worker.slot} cannot be started: {error}"
                    self._report(Event(told, "worker.unstartable", worker=worker.slot))
                self._seal_orphans()

    def _bury(self, worker: _Worker, process: subprocess.Popen[bytes]) -> None:
        """Note a death. One that died young waits before it is started again, longer each time."""
        now_s = time.monotonic()
        young = now_s - worker.started_s < _YOUNG_S and process.returncode != -signal.SIGKILL
        worker.wait_s = min(max(2 * worker.wait_s, _SHORTEST_WAIT_S), _LONGEST_WAIT_S) if young else 0.0
        worker.start_after_s = now_s + worker.wait_s
        worker.process = None
        reason = _last_words(worker.output, worker.output_from)
        told = (
            f"worker {worker.slot} (process {process.pid}) ended with {_status(process.returncode)}; "
            f"started again {f'in {worker.wait_s:g} s' if worker.wait_s else 'at once'}{reason and f': {reason}'}"
        )
        self._report(Event(told, "worker.ended", worker=worker.slot))
        route = self._route()
        self._count(lambda: self._counts.bury(() if route is None else route.releases()))

    def _kill_stuck(self) -> None:
        """A worker that cannot take over a route keeps the last one; only one that does not turn is replaced."""
        stuck = set(self._board.stuck(after_s=_STUCK_S))
        slow = set(self._board.stuck(after_s=_BEHIND_S))
        if slow and (route := self._route()) is not None:
            stuck |= slow & set(self._board.silent(route.generation, within_s=0))
        for worker in self._workers:
            if worker.process is not None and worker.process.pid in stuck:
                told = f"worker {worker.slot} (process {worker.process.pid}) does not turn any more: replaced"
                self._report(Event(told, "worker.stuck", worker=worker.slot))
                worker.process.kill()

    def _route(self) -> Route | None:
        try:
            return self._board.current()
        except (TrimtabError, OSError) as error:
            self._report(Event(f"the board cannot be read: {error}", "board.unreadable"))
            return None

    def _spawn(self, worker: _Worker) -> None:
        assert self._socket is not None
        seat = Seat(worker.slot, self._socket.fileno(), self._lifeline[0])
        too_long = worker.output.exists() and worker.output.stat().st_size > _OUTPUT_BYTES
        with worker.output.open("wb" if too_long else "ab") as output:
            worker.output_from = output.tell()
            worker.process = subprocess.Popen(
                self._command(seat),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**_ONE_THREAD, **os.environ},
                pass_fds=(seat.listen_fd, seat.lifeline_fd, self._lock_fd),
                process_group=0,  # Ctrl-C in a terminal reaches the supervisor alone, which ends them in order
            )
        worker.started_s = time.monotonic()
        worker.starts += 1
        if worker.starts > 1:
            self._count(lambda: self._counts.tell(self._facts()))

    def _facts(self) -> Counts:
        """What /metrics says beside what workers count."""
        python = ".".join(map(str, sys.version_info[:3]))
        return {
            "trimtab_start_time_seconds": {(): [self._started_s]},
            "trimtab_build_info": {(version("trimtab"), python): [1.0]},
            "trimtab_worker_restarts_total": {
                (str(worker.slot),): [max(0.0, worker.starts - 1)] for worker in self._workers
            },
        }

    def _count(self, write: Callable[[], None]) -> None:
        """Counts are no reason to keep users waiting, whatever the disk says."""
        try:
            write()
        except OSError as error:
            self._report(Event(f"metrics of dead workers are lost: {error}", "metrics.lost"))

    def _seal_orphans(self) -> None:
        """Not being able to seal must not keep users waiting: what is left is sealed by the next start."""
        try:
            done = self._segments.seal_orphans()
        except OSError as error:
            self._report(Event(f"segments of dead workers are not sealed yet: {error}", "segments.unsealed"))
            return
        for name in done.torn:
            told = f"segment {name}: a torn tail was cut off, and kept as {name}.torn"
            self._report(Event(told, "segment.torn", "warning"))
        for name in done.corrupt:
            self._report(Event(f"segment {name} is corrupt: set aside as {name}.corrupt", "segment.corrupt"))

    def _lock(self) -> int:
        """The lock belongs to the open file, which workers inherit: it outlives a killed supervisor with them."""
        self._settings.lock_path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(self._settings.lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        began_s = time.monotonic()
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                within_s = self._settings.lock_s if _holder_lives(os.pread(fd, 20, 0)) else self._settings.orphans_s
                if time.monotonic() - began_s < within_s:
                    time.sleep(_WATCH_S)
                    continue
                os.close(fd)
                where = f"{self._settings.lock_path}, workers {listed(self._board.workers())}"
                raise Busy("the server", where=where, do="stop it first, or use the one that runs") from None
            os.ftruncate(fd, 0)
            os.pwrite(fd, str(os.getpid()).encode(), 0)
            return fd

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._settings.host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((self._settings.host, self.port))
            listening.listen(2048)
        except OSError as error:
            listening.close()
            raise Busy(
                f"address {self._settings.host}:{self.port}",
                where=str(error),
                do="choose another port; 0 takes a free one",
            ) from error
        return listening


def _status(code: int) -> str:
    """As a person reads it."""
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"


def _holder_lives(written: bytes) -> bool:
    """Whether the process lives that wrote its id into the lock."""
    return written.isdigit() and lives(int(written))


def _last_words(output: Path, start: int) -> str:
    """The last line of a worker's log behind byte `start`; of a traceback, that is the error."""
    try:
        with output.open("rb") as file:
            file.seek(max(start, output.stat().st_size - 4096))
            lines = file.read().decode(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return last_message(lines[-1].strip()) if lines else ""
