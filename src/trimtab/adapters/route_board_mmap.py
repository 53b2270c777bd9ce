"""The route board in a folder: the route as a JSON file, generations and acknowledgements in shared memory.

`board.mmap` is an array of native unsigned 64-bit words: magic, places, generation, seal epoch, four unused, then
eight words for each worker slot. Words are written and read one at a time, which is atomic on 64-bit machines.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from trimtab.kernel.canonical import canonical
from trimtab.kernel.errors import Busy, Corrupt, InvalidValue
from trimtab.kernel.route import Route, route_from

_MAGIC = int.from_bytes(b"TTBOARD1", "little")
_PLACES_AT, _GENERATION_AT, _EPOCH_AT = 1, 2, 3
_HEAD = _PLACE = 8  # words
_PID, _BORN, _FOLLOWS, _SEALED, _BEAT = range(5)  # words of a place; _FOLLOWS: 0 starting, else generation + 1
_POLL_S = 0.005


class _Board:
    """The shared words, and the file beside them."""

    def __init__(self, folder: Path, places: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.route_file = folder / "route.json"
        with self.locked():
            self.words = self._map(places)
            self.places = self.words[_PLACES_AT]
            # A publisher may have been killed between the file and the generation.
            with suppress(Corrupt):
                self.show(self.route())

    def show(self, route: Route | None) -> None:
        """Have workers look at the file if it is newer than what they know."""
        if route is not None and route.generation > self.words[_GENERATION_AT]:
            self.words[_GENERATION_AT] = route.generation

    def _map(self, places: int) -> memoryview:
        fd = os.open(self.folder / "board.mmap", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            if os.fstat(fd).st_size == 0:
                # Written, not only sized: a full disk must fail here, not kill a worker that touches a page.
                os.pwrite(fd, bytes((_HEAD + places * _PLACE) * 8), 0)
            words = memoryview(mmap.mmap(fd, 0)).cast("B").cast("Q")
        finally:
            os.close(fd)
        if words[0] == 0:
            words[_PLACES_AT] = places
            words[0] = _MAGIC
        if words[0] != _MAGIC or len(words) < _HEAD + words[_PLACES_AT] * _PLACE:
            raise Corrupt(
                "the route board",
                where=str(self.folder / "board.mmap"),
                allowed="a board of this version of Trimtab",
                got=f"magic {words[0]:#x}, {len(words)} words",
                do="stop the server, remove the file, and start again: it is made anew",
            )
        return words

    @contextmanager
    def locked(self) -> Iterator[None]:
        fd = os.open(self.folder / "board.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def route(self) -> Route | None:
        try:
            data = self.route_file.read_bytes()
        except FileNotFoundError:
            return None
        try:
            return route_from(msgspec.json.decode(data))
        except Corrupt as error:  # of a newer Trimtab
            raise error.at(str(self.route_file)) from None
        except (msgspec.DecodeError, KeyError, AssertionError, TypeError) as error:
            raise Corrupt(
                "the route file",
                where=str(self.route_file),
                allowed="a route as it was published",
                got=str(error),
                do="publish the route again: trimtab up",
            ) from error

    def write_route(self, route: Route) -> None:
        temporary = self.route_file.with_suffix(".new")
        with temporary.open("wb") as file:
            file.write(canonical(route.body()))
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(self.route_file)
        fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def alive(self) -> Iterator[tuple[int, int]]:
        """(process id, index of the first word) of each place whose process lives."""
        for slot in range(self.places):
            at = _HEAD + slot * _PLACE
            pid = self.words[at + _PID]
            if pid and _born(pid) == self.words[at + _BORN]:
                yield pid, at


class MmapRouteBoard:
    """The control side. Implements RouteBoard and SealBoard; any number of processes may hold one.

    Args:
        folder: of one system; made if missing.
        places: how many worker slots a new board has.
    """

    def __init__(self, folder: Path, *, places: int = 64) -> None:
        self._board = _Board(folder, places)

    def publish(self, route: Route) -> None:
        """The file first, then the generation that workers look at."""
        with self._board.locked():
            newest = None
            try:
                newest = self._board.route()
                newer = newest is None or route.generation > newest.generation
            except Corrupt:
                newer = route.generation >= self._board.words[_GENERATION_AT]
            if newer:
                self._board.write_route(route)
                newest = route
            self._board.show(newest)

    def current(self) -> Route | None:
        """The route in force."""
        return self._board.route()

    def silent(self, generation: int, *, within_s: float) -> list[int]:
        """Workers that take requests and have not acknowledged."""
        return self._wait(lambda at: 0 < self._board.words[at + _FOLLOWS] <= generation, within_s)

    def workers(self) -> list[int]:
        """Live workers that have acknowledged anything."""
        return [pid for pid, at in self._board.alive() if self._board.words[at + _FOLLOWS] > 0]

    def stuck(self, *, after_s: float) -> list[int]:
        """Live workers whose last beat is older than `after_s`."""
        before_ns = time.monotonic_ns() - int(after_s * 1e9)
        return [pid for pid, at in self._board.alive() if self._board.words[at + _BEAT] < before_ns]

    def request_seal(self) -> int:
        """Raise the seal epoch."""
        with self._board.locked():
            self._board.words[_EPOCH_AT] += 1
            return self._board.words[_EPOCH_AT]

    def unsealed(self, epoch: int, *, within_s: float) -> list[int]:
        """Workers that have not acknowledged the epoch."""
        return self._wait(lambda at: self._board.words[at + _SEALED] < epoch, within_s)

    def follower(self, slot: int) -> MmapFollower:
        """Take a worker's place; the process that calls is the worker.

        Raises:
            InvalidValue: the board has no such slot.
            Busy: another live process holds it.
        """
        if not 0 <= slot < self._board.places:
            raise InvalidValue("worker slot", slot, allowed=f"0 to {self._board.places - 1}")
        with self._board.locked():
            at = _HEAD + slot * _PLACE
            for pid, taken in self._board.alive():
                if taken == at and pid != os.getpid():
                    raise Busy(f"worker slot {slot}", where=f"process {pid}", do="let the other server end first")
            return MmapFollower(self._board, at)

    def _wait(self, missing: Callable[[int], bool], within_s: float) -> list[int]:
        until_s = time.monotonic() + within_s
        while True:
            left = [pid for pid, at in self._board.alive() if missing(at)]
            if not left or time.monotonic() >= until_s:
                return left
            time.sleep(_POLL_S)


class MmapFollower:
    """The worker's side. Implements RouteFollower and SealFollower."""

    def __init__(self, board: _Board, at: int) -> None:
        self._board = board
        self._words = board.words
        self._at = at
        self._follows = -1
        self._words[at + _PID] = 0
        self._words[at + _BORN] = _born(os.getpid())
        self._words[at + _FOLLOWS] = 0
        self._words[at + _SEALED] = self._words[_EPOCH_AT]
        self.beat()
        self._words[at + _PID] = os.getpid()

    def changed(self) -> bool:
        """One word is read."""
        return self._words[_GENERATION_AT] != self._follows

    def current(self) -> Route | None:
        """The route in force."""
        return self._board.route()

    def acknowledge(self, generation: int) -> None:
        """One word is written."""
        self._follows = generation
        self._words[self._at + _FOLLOWS] = generation + 1

    def beat(self) -> None:
        """Stamp the monotonic clock, which all processes of a machine share."""
        self._words[self._at + _BEAT] = time.monotonic_ns()

    def leave(self) -> None:
        """Give the place back."""
        self._words[self._at + _PID] = 0

    def seal_epoch(self) -> int:
        """One word is read."""
        return self._words[_EPOCH_AT]

    def acknowledge_seal(self, epoch: int) -> None:
        """One word is written."""
        self._words[self._at + _SEALED] = epoch


def _born(pid: int) -> int:
    """When a process started, in ticks since boot, so that a reused process id is not taken for the old one.

    0 if it is dead. Where there is no /proc, 1 if it lives.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return 1 if not Path("/proc/self").exists() and _exists(pid) else 0
    # The second field is the program's name in parentheses and may hold anything.
    fields = stat[stat.rindex(b")") + 2 :].split()
    # A killed process is a zombie while other threads of it still hold its files: it is dead when none is left.
    return 0 if fields[0] in (b"Z", b"X") and int(fields[17]) <= 1 else int(fields[19])


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
